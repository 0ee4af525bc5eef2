"""A desired commit against the store: what is put. Pure. What goes is `reconciler.core.deployed`.

What Git says about an object (spec, labels, annotations, data) replaces what was; what Berth says about it (uid, times,
status, controller annotations, replicas that an autoscaler owns) stays.
"""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

import msgspec

from objects.api.meta import KubeObject, ObjectMeta
from objects.api.pods import Pod
from objects.api.storage import PersistentVolumeClaim
from objects.names import ANNOTATION_APPLICATION, ANNOTATION_PINNED, ANNOTATION_TEMPLATE_HASH, stable_uid
from objects.own.config import Application, Cluster
from reconciler.state.autoscaled import Sizes, with_size
from reconciler.state.messages import Remembered
from reconciler.state.store import View

CONTROLLER_ANNOTATIONS = frozenset({"deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"})
"""Written by controllers on objects that come from Git."""


def stored_form(
    view: View, desired: KubeObject, memory: Remembered | None, *, now: datetime, sizes: Sizes = MappingProxyType({})
) -> KubeObject:
    """`desired` as the store should hold it, given what it holds now, or what an earlier process said of it.

    sizes: of the workloads that autoscalers scale.
    """
    live = view.find(desired.key)
    desired = with_size(desired, live, sizes)
    if live is None:
        created = (memory.created if memory else None) or now
        metadata = msgspec.structs.replace(desired.metadata, uid=uid_of(desired), creation_timestamp=created)
        status = {"status": memory.status} if memory and memory.status is not None else {}
        return msgspec.structs.replace(desired, metadata=metadata, **status)
    kept = {name: text for name, text in live.annotations.items() if name in CONTROLLER_ANNOTATIONS}
    metadata = msgspec.structs.replace(
        live.metadata,
        labels=desired.labels,
        annotations={**desired.annotations, **kept},
        owner_references=desired.metadata.owner_references,
        finalizers=desired.metadata.finalizers,
    )
    changes: dict[str, object] = {"metadata": metadata}
    if hasattr(live, "status"):
        changes["status"] = live.status
    if isinstance(live, Pod):
        # The same template (its hash is in the uid): what the scheduler and admission added stays.
        changes["spec"] = live.spec
    elif isinstance(live, PersistentVolumeClaim) and isinstance(desired, PersistentVolumeClaim):
        volume_name = desired.spec.volume_name or live.spec.volume_name
        changes["spec"] = msgspec.structs.replace(desired.spec, volume_name=volume_name)
    return msgspec.structs.replace(desired, **changes)


def with_notes(desired: KubeObject, application: str) -> KubeObject:
    """A bare Pod with what its host is to keep: its Application, and whether Git chose the host. Others as they are."""
    if not isinstance(desired, Pod):
        return desired
    notes = {ANNOTATION_APPLICATION: application, ANNOTATION_PINNED: "true" if desired.spec.node_name else ""}
    annotations = {**desired.annotations, **{name: text for name, text in notes.items() if text}}
    return msgspec.structs.replace(desired, metadata=msgspec.structs.replace(desired.metadata, annotations=annotations))


def uid_of(desired: KubeObject) -> str:
    """From its key; a bare Pod's also from its template, since another spec is another pod."""
    if isinstance(desired, Pod):
        return stable_uid(desired.key, salt=desired.annotations.get(ANNOTATION_TEMPLATE_HASH, ""))
    return stable_uid(desired.key)


def is_other_pod(live: KubeObject | None, desired: KubeObject) -> bool:
    """Whether `live` is an earlier pod of the same name, which has to go before `desired` can come."""
    return isinstance(desired, Pod) and live is not None and live.uid != uid_of(desired)


def suspended_applications(objects: tuple[KubeObject, ...]) -> frozenset[str]:
    """Names of Applications whose objects are to be left as they are."""
    return frozenset(obj.name for obj in objects if isinstance(obj, Application) and obj.spec.suspend)


def cluster_of(objects: tuple[KubeObject, ...]) -> Cluster:
    """The Cluster object of a commit, or one with the default settings."""
    return next((obj for obj in objects if isinstance(obj, Cluster)), Cluster())


def named(name: str) -> ObjectMeta:
    """Metadata of a cluster-scoped object of our own making."""
    return ObjectMeta(name=name)


def renamed_for_removal(pod: Pod) -> Pod:
    """`pod` under a name that no manifest can have: the store can hold it beside its successor while it ends."""
    metadata = msgspec.structs.replace(pod.metadata, name=f"{pod.name}~{pod.uid[:8]}", owner_references=())
    return msgspec.structs.replace(pod, metadata=metadata)
