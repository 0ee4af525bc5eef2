"""The pods of a controller: which are its own, which count, and how many are ready and available. Pure.

Active are pods that neither ended nor are ending: a terminating pod holds no place any more, so that its replacement
starts while it still shuts down. Available is a pod that has been ready for `minReadySeconds`.
Source of the rules: Kubernetes' controller_utils, replica_set_utils and controller_ref_manager.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from objects.api.meta import (
    KubeObject,
    LabelSelector,
    ObjectKey,
    OwnerReference,
    controller_of,
    controller_reference,
)
from objects.api.pods import Pod
from objects.conditions import find_condition
from objects.selectors import labels_match, selector_matches
from reconciler.controllers.base import Change, KeysFor, Put
from reconciler.state.store import K, View


class PodCounts(msgspec.Struct, frozen=True):
    """How many pods there are of each sort; all but `terminating` count active pods.

    next_available_at: when the next ready pod will have been ready long enough, None when there is no such pod.
    """

    replicas: int = 0
    fully_labeled: int = 0
    ready: int = 0
    available: int = 0
    terminating: int = 0
    next_available_at: datetime | None = None


class Claimed(msgspec.Struct, frozen=True):
    """pods: all that belong to the owner now, adopted ones included. changes: what makes it so."""

    pods: tuple[Pod, ...]
    changes: tuple[Change, ...] = ()


def is_active(pod: Pod) -> bool:
    """Whether the pod holds a place: neither finished nor about to go."""
    return not pod.is_finished and not pod.is_terminating


def available_at(pod: Pod, min_ready_seconds: int) -> datetime | None:
    """When a ready pod becomes available; None for a pod that is not ready or does not say since when."""
    ready = find_condition(pod.status.conditions, "Ready")
    if ready is None or ready.status != "True" or ready.last_transition_time is None:
        return None
    return ready.last_transition_time + timedelta(seconds=min_ready_seconds)


def is_available(pod: Pod, *, min_ready_seconds: int, now: datetime) -> bool:
    """Whether the pod is ready and has been for `min_ready_seconds`."""
    if not pod.is_ready:
        return False
    since = available_at(pod, min_ready_seconds)
    return min_ready_seconds == 0 or (since is not None and since <= now)


def count_pods(
    pods: Iterable[Pod], *, now: datetime, min_ready_seconds: int = 0, template_labels: dict[str, str] | None = None
) -> PodCounts:
    """Count the pods of one controller. template_labels: what a fully labelled pod has."""
    active = ready = available = labeled = terminating = 0
    pause = timedelta(seconds=min_ready_seconds)
    next_at: datetime | None = None
    for pod in pods:
        if pod.is_finished:
            continue
        if pod.is_terminating:
            terminating += 1
            continue
        active += 1
        labeled += template_labels is None or labels_match(template_labels, pod.labels)
        condition = find_condition(pod.status.conditions, "Ready")
        if condition is None or condition.status != "True":
            continue
        ready += 1
        since = condition.last_transition_time
        if not min_ready_seconds or (since is not None and since + pause <= now):
            available += 1
        elif since is not None:
            next_at = since + pause if next_at is None else min(next_at, since + pause)
    return PodCounts(active, labeled, ready, available, terminating, next_at)


def claim_pods(view: View, owner: KubeObject, selector: LabelSelector | None) -> Claimed:
    """The pods of `owner`, with adoption of ownerless ones that match and release of own ones that do not.

    An owner without selector, or with an empty one, claims nothing new: it would take every pod of its namespace.
    """
    kept: list[Pod] = []
    changes: list[Change] = []
    for pod in view.owned(Pod, owner.uid):
        if pod.is_terminating or selector is None or selector_matches(selector, pod.labels):
            kept.append(pod)
        else:
            changes.append(Put(without_owner(pod, owner)))
    if selector is not None and (selector.match_labels or selector.match_expressions):
        for pod in view.selected(Pod, owner, only_orphans=True):
            if is_active(pod):
                adopted = with_owner(pod, owner)
                kept.append(adopted)
                changes.append(Put(adopted))
    return Claimed(tuple(kept), tuple(changes))


def claiming_keys(kind: type[K]) -> KeysFor:
    """A watch: a dependent's controller when it is of `kind`; for an ownerless one, all of `kind` that select it."""

    def keys(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
        owner = controller_of(obj)
        if owner is not None:
            return (ObjectKey(kind.KIND, obj.namespace, owner.name),) if owner.kind == kind.KIND else ()
        return tuple(one.key for one in view.selecting(kind, obj))

    return keys


def with_owner(pod: Pod, owner: KubeObject) -> Pod:
    """`pod` with `owner` as its controller, beside whatever other owners it has."""
    others = tuple(ref for ref in pod.metadata.owner_references if ref.uid != owner.uid)
    return _with_references(pod, (*others, controller_reference(owner)))


def without_owner(pod: Pod, owner: KubeObject) -> Pod:
    """`pod` released by `owner`."""
    return _with_references(pod, tuple(ref for ref in pod.metadata.owner_references if ref.uid != owner.uid))


def _with_references(pod: Pod, references: tuple[OwnerReference, ...]) -> Pod:
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, owner_references=references))
