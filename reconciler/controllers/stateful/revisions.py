"""The revisions of a StatefulSet: their templates outlive the commit that wrote them, as ControllerRevisions. Pure.

A pod below the partition that is lost comes back as it was, not as Git has it now: for this the old template must be
kept. Which revision is the current one is in the status and, where that was lost, in the labels of the pods.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from objects.api.apps import ControllerRevision, StatefulSet
from objects.api.meta import ObjectKey, ObjectMeta, controller_reference
from objects.api.pods import Pod, PodTemplateSpec
from objects.names import stable_uid
from reconciler.controllers.pods.template import hash_of_template
from reconciler.controllers.stateful.identity import REVISION_LABEL, first_ordinal
from reconciler.state.store import View

HASH_LABEL = "controller.kubernetes.io/hash"
DEFAULT_HISTORY_LIMIT = 10


class Revisions(msgspec.Struct, frozen=True):
    """update: of the template as it is now. current: what pods below the partition are of. known: all, oldest first."""

    update: ControllerRevision
    current: ControllerRevision
    known: tuple[ControllerRevision, ...]

    @property
    def is_updating(self) -> bool:
        return self.update.name != self.current.name


def revision_name(stateful_set: StatefulSet) -> str:
    """`<set>-<template hash>`."""
    return f"{stateful_set.name}-{hash_of_template(stateful_set, stateful_set.spec.template)}"


def find_revisions(view: View, stateful_set: StatefulSet, pods: Iterable[Pod], *, now: datetime) -> Revisions:
    """The revisions as they should be: `update` is new, or has a new number, when the store does not hold it so."""
    known = sorted(view.owned(ControllerRevision, stateful_set.uid), key=lambda one: (one.revision, one.name))
    name = revision_name(stateful_set)
    found = next((one for one in known if one.name == name), None)
    newest = known[-1].revision if known else 0
    if found is None:
        update = _new_revision(stateful_set, name, newest + 1, now)
    elif found.revision < newest:
        update = msgspec.structs.replace(found, revision=newest + 1)
    else:
        update = found
    return Revisions(update, _current(stateful_set, update, known, pods), tuple(known))


def template_of(revision: ControllerRevision) -> PodTemplateSpec:
    """The template that a revision holds."""
    return msgspec.convert(revision.data["spec"]["template"], PodTemplateSpec)


def revision_for(stateful_set: StatefulSet, revisions: Revisions, ordinal: int) -> ControllerRevision:
    """The revision that the pod of an ordinal should be of: the current one below the partition."""
    strategy = stateful_set.spec.update_strategy
    partition = strategy.rolling_update.partition if strategy.rolling_update is not None else None
    is_kept = strategy.type != "OnDelete" and ordinal < first_ordinal(stateful_set) + (partition or 0)
    return revisions.current if is_kept else revisions.update


def surplus_revisions(
    stateful_set: StatefulSet, revisions: Revisions, pods: Iterable[Pod]
) -> tuple[ControllerRevision, ...]:
    """Old revisions beyond `revisionHistoryLimit` that no pod is of, oldest first."""
    live = {revisions.update.name, revisions.current.name, *(pod.labels.get(REVISION_LABEL, "") for pod in pods)}
    history = [revision for revision in revisions.known if revision.name not in live]
    limit = stateful_set.spec.revision_history_limit
    keep = DEFAULT_HISTORY_LIMIT if limit is None else limit
    return tuple(history[: max(0, len(history) - keep)])


def _new_revision(stateful_set: StatefulSet, name: str, number: int, now: datetime) -> ControllerRevision:
    template = stateful_set.spec.template
    metadata = ObjectMeta(
        name=name,
        namespace=stateful_set.namespace,
        uid=stable_uid(ObjectKey(ControllerRevision.KIND, stateful_set.namespace, name)),
        labels={**template.metadata.labels, HASH_LABEL: name.removeprefix(f"{stateful_set.name}-")},
        creation_timestamp=now,
        owner_references=(controller_reference(stateful_set),),
    )
    data = {"spec": {"template": msgspec.to_builtins(template)}}
    return ControllerRevision(metadata=metadata, revision=number, data=data)


def _current(
    stateful_set: StatefulSet, update: ControllerRevision, known: list[ControllerRevision], pods: Iterable[Pod]
) -> ControllerRevision:
    """What the status says; else the youngest revision but the new one that a pod is of; else the new one."""
    by_name = {revision.name: revision for revision in known}
    stated = stateful_set.status.current_revision
    if stated == update.name:
        return update
    if stated in by_name:
        return by_name[stated]
    worn = {pod.labels.get(REVISION_LABEL, "") for pod in pods} - {update.name}
    return next((revision for revision in reversed(known) if revision.name in worn), update)
