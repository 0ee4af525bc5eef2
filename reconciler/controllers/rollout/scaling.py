"""A changed `spec.replicas` while several revisions have pods: each gets its share. Pure.

So a scale-out in the middle of a rollout does not put all new pods on a revision that nobody has seen work yet. Source:
Kubernetes' proportional scaling (sync.go, deployment_util).
"""

from __future__ import annotations

from reconciler.controllers.rollout.arithmetic import desired_replicas, is_rolling, max_total, min_available
from reconciler.controllers.rollout.revisions import DESIRED_REPLICAS, MAX_REPLICAS, Revision, Rollout, whole_number
from reconciler.controllers.rollout.strategies import Sizes


def is_scaling(rollout: Rollout) -> bool:
    """Whether `spec.replicas` is another than when the sizes of the running revisions were decided."""
    wanted = str(desired_replicas(rollout.deployment))
    return any(
        revision.size > 0 and revision.replica_set.annotations.get(DESIRED_REPLICAS, wanted) != wanted
        for revision in rollout.revisions
    )


def scaled_sizes(rollout: Rollout) -> Sizes:
    """The sizes that follow from the Deployment's; only those that change."""
    if not rollout.revisions:
        return {}  # paused since it exists
    desired = desired_replicas(rollout.deployment)
    single = _active_or_latest(rollout)
    if single is not None:
        return {} if single.size == desired else {single.name: desired}
    if _is_saturated(rollout):
        return {revision.name: 0 for revision in rollout.old if revision.size > 0}
    return _proportional_sizes(rollout) if is_rolling(rollout.deployment) else {}


def _active_or_latest(rollout: Rollout) -> Revision | None:
    """The only revision with pods; the newest (else the youngest old) one when none has; None when several have."""
    active = [revision for revision in rollout.revisions if revision.size > 0]
    if len(active) > 1:
        return None
    if active:
        return active[0]
    return rollout.new or (rollout.old[-1] if rollout.old else None)


def _is_saturated(rollout: Rollout) -> bool:
    """Whether the newest revision does all the work already."""
    desired = desired_replicas(rollout.deployment)
    new = rollout.new
    return (
        new is not None
        and new.replica_set.annotations.get(DESIRED_REPLICAS) == str(desired)
        and new.size == desired
        and new.counts.available == desired
    )


def _proportional_sizes(rollout: Rollout) -> Sizes:
    """Share what is to be added or taken by present size; the first one, the largest, gets what rounding leaves."""
    active = [revision for revision in rollout.revisions if revision.size > 0]
    limit = max_total(rollout.deployment) if desired_replicas(rollout.deployment) > 0 else 0
    missing = limit - sum(revision.size for revision in active)
    if missing == 0:
        return {}
    # Of two equally large ones the younger grows first and the older shrinks first.
    by_size = sorted(reversed(active) if missing > 0 else active, key=lambda revision: -revision.size)
    sizes: dict[str, int] = {}
    added = 0
    for revision in by_size:
        share = share_of(revision, rollout, missing=missing, added=added)
        sizes[revision.name] = revision.size + share
        added += share
    first = by_size[0].name
    sizes[first] = max(0, sizes[first] + missing - added)
    _spare_available(sizes, active, min_available(rollout.deployment))
    return {revision.name: sizes[revision.name] for revision in by_size if sizes[revision.name] != revision.size}


def _spare_available(sizes: dict[str, int], active: list[Revision], minimum: int) -> None:
    """Let what is given up be pods that serve nobody, as far as `minimum` available ones need it. Changes `sizes`.

    Kubernetes shares by size alone; but a scale-in that meets a broken rollout must not take the last pod that works.

    old size, available  new size, available  limit  minimum -> old  new
                   1, 1                 4, 0      2        1      1    1   not 0 and 2
                   4, 4                 4, 0      4        2      2    2   as Kubernetes does
    """
    serving = {revision.name: min(revision.available, sizes[revision.name]) for revision in active}
    for revision in sorted(active, key=lambda revision: -revision.counts.available):
        wanted = minimum - sum(serving.values())
        given = max(0, min(wanted, revision.counts.available - sizes[revision.name]))
        for other in active:
            idle = sizes[other.name] - serving[other.name] if other is not revision else 0
            moved = min(given, idle)
            sizes[other.name] -= moved
            sizes[revision.name] += moved
            serving[revision.name] += moved
            given -= moved


def share_of(revision: Revision, rollout: Rollout, *, missing: int, added: int) -> int:
    """Pods that this revision gains (or loses, negative) of `missing`, of which `added` are given out already."""
    if revision.size == 0 or missing in (0, added):
        return 0
    left = missing - added
    fraction = revision_fraction(revision, rollout)
    return min(fraction, left) if missing > 0 else max(fraction, left)


def revision_fraction(revision: Revision, rollout: Rollout) -> int:
    """The change of a revision's size if all revisions change by the same factor.

    size  maxTotal before  maxTotal now -> change
      50              110           130        +9
       6               12            10        -1
    """
    deployment = rollout.deployment
    if desired_replicas(deployment) == 0:
        return -revision.size
    before = whole_number(revision.replica_set.annotations.get(MAX_REPLICAS, "")) or deployment.status.replicas
    if before == 0:
        return 0
    return _rounded(revision.size * max_total(deployment), before) - revision.size


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest whole number, halves away from zero as Kubernetes rounds; Python's round() goes to even."""
    return (2 * numerator + denominator) // (2 * denominator)
