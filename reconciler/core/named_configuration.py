"""Which ConfigMaps and Secrets that are gone from Git are still named by what runs: they live until nothing names them.

A commit that puts `settings-2` in the place of `settings-1` is rolled out pod by pod, or not at all when its image
cannot be pulled: until then the old revision serves, and what is left of it must be able to come back. Pure.

What counts: pods that go on, and what makes more of them: ReplicaSets of some size, the revision that a StatefulSet
still has pods of, Jobs that are not done. What is deleted itself, or whose maker is, names nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from objects.api.apps import ControllerRevision, ReplicaSet, StatefulSet
from objects.api.batch import Job
from objects.api.core import ConfigMap, Secret
from objects.api.meta import KubeObject, ObjectKey, controller_of
from objects.api.pods import Pod, PodSpec
from reconciler.assigning.assignments import spec_references
from reconciler.controllers.stateful.revisions import template_of
from reconciler.state.store import Changed, View

KINDS = frozenset({ConfigMap.KIND, Secret.KIND})


def named_configuration(view: View, leaving: Collection[ObjectKey]) -> dict[ObjectKey, ObjectKey]:
    """Those ConfigMaps and Secrets of `leaving` that stay for now → the first that names each, pods before others.

    leaving: all that is gone from Git and would be deleted, of every kind.
    """
    wanted = {key for key in leaving if key.kind in KINDS}
    named: dict[ObjectKey, ObjectKey] = {}
    for namespace in sorted({key.namespace for key in wanted}):
        here = {key for key in wanted if key.namespace == namespace}
        for obj in _namers(view, namespace):
            if here <= named.keys():
                break
            references = configuration_of(obj) & here
            if references and root_owner(view, obj) not in leaving:
                for key in references:
                    named.setdefault(key, obj.key)
    return dict(sorted(named.items()))


def frees_any(changes: Iterable[Changed], namers: Collection[ObjectKey]) -> bool:
    """Whether one of `changes` may have ended that one of `namers` names what it named.

    Costs by the changes, not by the cluster: of many that name a ConfigMap, one is looked at until it goes.
    """
    if not namers:
        return False
    has_revision = any(key.kind == ControllerRevision.KIND for key in namers)
    return any(
        (change.key in namers and (change.new is None or not configuration_of(change.new)))
        # Which revision counts is a word of its StatefulSet.
        or (has_revision and change.key.kind == StatefulSet.KIND)
        for change in changes
    )


def why_kept(namer: ObjectKey) -> str:
    """For a person."""
    return f"gone from Git, and stays until nothing names it: {namer} does"


def configuration_of(obj: KubeObject) -> set[ObjectKey]:
    """The ConfigMaps and Secrets that `obj` names, as something that runs or makes what runs."""
    spec = _spec_of(obj)
    found = spec_references(spec) if spec is not None else set()
    return {ObjectKey(kind, obj.namespace, name) for kind, name in found}


def _namers(view: View, namespace: str) -> Iterator[KubeObject]:
    for kind in (Pod, ReplicaSet, Job):
        yield from view.all_of(kind, namespace)
    for stateful_set in view.all_of(StatefulSet, namespace):
        revision = view.get(ControllerRevision, namespace, stateful_set.status.current_revision)
        if revision is not None:
            yield revision


def _spec_of(obj: KubeObject) -> PodSpec | None:
    """The pod spec of what names something now; None for what is done, ending or of no size."""
    if obj.is_terminating:
        return None
    match obj:
        case Pod():
            return None if obj.is_finished else obj.spec
        case ReplicaSet():
            return obj.spec.template.spec if obj.spec.replicas != 0 else None
        case Job():
            is_done = any(one.type in ("Complete", "Failed") and one.status == "True" for one in obj.status.conditions)
            return None if is_done else obj.spec.template.spec
        case ControllerRevision():
            return template_of(obj).spec
    return None


def root_owner(view: View, obj: KubeObject) -> ObjectKey:
    """The object at the top of the chain of controllers: the one that a person wrote."""
    owner = controller_of(obj)
    found = view.find(ObjectKey(owner.kind, obj.namespace, owner.name)) if owner else None
    return obj.key if found is None else root_owner(view, found)
