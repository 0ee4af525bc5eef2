"""The next sizes of a Deployment's revisions under `RollingUpdate` and `Recreate`. Pure; one step at a time.

Holds always: nothing decided here brings the sum of sizes above desired + maxSurge, or gives up an available pod below
desired − maxUnavailable. Source: Kubernetes' deployment controller (rolling.go, recreate.go), with one addition: an old
revision that never had a ready pod goes at once, so that a newer commit always frees a stuck rollout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from reconciler.controllers.rollout.arithmetic import desired_replicas, max_total, min_available, new_replicas
from reconciler.controllers.rollout.revisions import Revision, Rollout

Sizes: TypeAlias = Mapping[str, int]
"""Name of a ReplicaSet → the size it should have; only those that change."""


def next_rolling_sizes(rollout: Rollout) -> Sizes:
    """One step of a rolling update; `rollout.new` is there, perhaps with size 0.

    First dead ends go, then the newest revision grows as far as surge allows, then the old ones shrink as far as
    availability allows. Empty: nothing may move now.
    """
    return _without_dead_ends(rollout) or _sizes_of_new(rollout) or shrink_old(rollout)


def next_recreate_sizes(rollout: Rollout) -> Sizes:
    """One step of `Recreate`: all old down; the newest up when no old pod is left, terminating ones included."""
    old = {revision.name: 0 for revision in rollout.old if revision.size > 0}
    if old or has_old_pods(rollout):
        desired = desired_replicas(rollout.deployment)
        is_large = rollout.new is not None and rollout.new.size > desired
        return old | ({rollout.new.name: desired} if rollout.new is not None and is_large else {})
    return _sizes_of_new(rollout)


def without_growth_beside_others(rollout: Rollout, sizes: Sizes) -> Sizes:
    """`sizes` of a `Recreate`, less those by which a revision would grow while a pod of another one may still run.

    Also while it is paused, or only scaled: a pod on a silent host runs on, and two revisions must not meet.
    """
    crowd = {one.name for one in rollout.revisions if one.counts.replicas + one.counts.terminating > 0}
    now = {one.name: one.size for one in rollout.revisions}
    return {name: size for name, size in sizes.items() if size <= now[name] or not crowd - {name}}


def without_excess(rollout: Rollout) -> Sizes:
    """Sizes less pods that serve nobody, as far as all together are more than the surge allows.

    A commit that lowers the surge leaves too many behind, and so does a process that begins and finds pods whose
    replacements it had not written down. Otherwise each of them that is lost would be replaced.

    old size, available  new size, available  most -> old  new
                   3, 3                 5, 0     5      3    2
                   3, 2                 2, 0     4      2    2
    """
    excess = rollout.total_size - max_total(rollout.deployment)
    if excess <= 0:
        return {}
    sizes = {revision.name: revision.size for revision in rollout.revisions}
    unavailable = {revision.name: revision.size - revision.available for revision in rollout.revisions}
    order = _dead_first(rollout.old) + ([rollout.new.name] if rollout.new is not None else [])
    _take(sizes, unavailable, excess, order)
    return {one.name: sizes[one.name] for one in rollout.revisions if sizes[one.name] != one.size}


def has_old_pods(rollout: Rollout) -> bool:
    """Whether a pod of an old revision may still run."""
    return any(revision.counts.replicas + revision.counts.terminating > 0 for revision in rollout.old)


def _without_dead_ends(rollout: Rollout) -> Sizes:
    return {revision.name: 0 for revision in rollout.old if revision.size > 0 and revision.was_never_ready}


def _sizes_of_new(rollout: Rollout) -> Sizes:
    if rollout.new is None:
        return {}
    size = new_replicas(rollout.deployment, new_size=rollout.new.size, total_size=rollout.total_size)
    return {} if size == rollout.new.size else {rollout.new.name: size}


def shrink_old(rollout: Rollout, *, most: int | None = None) -> Sizes:
    """Sizes of old revisions that can be smaller now: unavailable pods first, then available ones above the minimum.

    most: no more pods than this may go; None for no such limit.

    Pods of the newest revision that are not available yet count as lost here: had all old ones gone when they fail,
    nothing would be left.
    """
    pending = rollout.new.size - rollout.new.available if rollout.new is not None else 0
    allowed = rollout.total_size - min_available(rollout.deployment) - pending
    if most is not None:
        allowed = min(allowed, most)
    if allowed <= 0:
        return {}
    sizes = {revision.name: revision.size for revision in rollout.old}
    unavailable = {revision.name: revision.size - revision.available for revision in rollout.old}
    _take(sizes, unavailable, allowed, _dead_first(rollout.old))
    available = sum(revision.available for revision in rollout.revisions)
    spare = available - min_available(rollout.deployment)
    if most is not None:
        spare = min(spare, most - sum(revision.size - sizes[revision.name] for revision in rollout.old))
    _take(sizes, dict(sizes), spare, [revision.name for revision in rollout.old])
    return {revision.name: sizes[revision.name] for revision in rollout.old if sizes[revision.name] != revision.size}


def _dead_first(old: Iterable[Revision]) -> list[str]:
    """Revisions without an available pod before those that still serve, oldest first."""
    return [revision.name for revision in sorted(old, key=lambda revision: revision.available > 0)]


def _take(sizes: dict[str, int], at_most: Mapping[str, int], total: int, order: Iterable[str]) -> None:
    """Take `total` pods away from `sizes`, in order, of each no more than `at_most` says."""
    for name in order:
        taken = max(0, min(total, at_most[name], sizes[name]))
        sizes[name] -= taken
        total -= taken
