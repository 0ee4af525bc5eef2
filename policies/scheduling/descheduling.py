"""Pods that would be better off elsewhere: their host no longer fits them, or a host came back and stands empty.

Off unless `Cluster.spec.scheduling.descheduler` says otherwise, since moving a pod means stopping it. Nothing is moved
here. A move is only named when the scheduler, asked now, would choose another host, so that the pod then stays there.
Few pods at a time, one of a workload, within disruption budgets; what the next pass finds follows from what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from objects.api.meta import ObjectKey
from policies.scheduling.judging.table import HostTable
from policies.scheduling.placement import describe_reason
from policies.scheduling.scheduler import Scheduler
from policies.scheduling.state.occupants import Occupant

_KEPT_WHILE_RUNNING: Final = (
    "MatchNodeSelector",
    "PodToleratesNodeTaints",
    "PodTopologySpread",
    "MatchInterPodAffinity",
)
"""Predicates that were true when the pod was placed and may have become false. The others are somebody else's work:
cordon (drain), conditions (node lifecycle), amounts (eviction)."""


class Move(NamedTuple):
    """A pod to be evicted, where the scheduler would place it now, and why."""

    uid: str
    node: str
    better: str
    reason: str


def find_moves(scheduler: Scheduler, *, most: int) -> list[Move]:
    """At most `most` moves, the least important pods first."""
    snapshot = scheduler.snapshot
    moves: list[Move] = []
    moved: set[ObjectKey] = set()
    for occupant in sorted(_movable(scheduler), key=lambda one: one.importance, reverse=True):
        if len(moves) >= most:
            break
        owner = occupant.shape.owner
        if owner is None or owner in moved or snapshot.budgets.split([occupant])[0]:
            continue
        move = _judge(scheduler, occupant)
        if move is not None:
            snapshot.budgets.consume(occupant)
            moves.append(move)
            moved.add(owner)
    return moves


def _movable(scheduler: Scheduler) -> Iterator[Occupant]:
    """Pods that a controller would make anew elsewhere and that keep nothing on their host."""
    for occupant in scheduler.snapshot.occupants():
        owner, spec = occupant.shape.owner, occupant.pod.spec
        keeps = any(volume.empty_dir is not None or volume.host_path is not None for volume in spec.volumes)
        if owner is None or owner.kind == "DaemonSet" or keeps:
            continue
        if not (occupant.is_leaving or occupant.is_nominated):
            yield occupant


def _judge(scheduler: Scheduler, occupant: Occupant) -> Move | None:
    """Ask the scheduler as if the pod did not run."""
    snapshot = scheduler.snapshot
    profile = scheduler.profile_of(occupant.pod)
    if profile is None:
        return None
    snapshot.remove_pod(occupant.pod.uid)
    try:
        table = scheduler.table_of(occupant.shape, profile)
        best = table.best()
        if best is None or best == occupant.row:
            return None
        reason = _broken_rule(table, occupant.row) or _crowding(table, occupant.row, best)
        return Move(occupant.pod.uid, snapshot.names[occupant.row], snapshot.names[best], reason) if reason else None
    finally:
        snapshot.put_back(occupant)


def _broken_rule(table: HostTable, row: int) -> str:
    """The predicate that the pod's own host no longer passes; '' when it still does."""
    for predicate, check in table.checks:
        if predicate.name in _KEPT_WHILE_RUNNING and not check.allows(row):
            return "; ".join(describe_reason(reason) for reason in check.reasons(row))
    return ""


def _crowding(table: HostTable, row: int, best: int) -> str:
    """Whether others of the pod's workload share its host while the better host has fewer; '' when not."""
    snapshot = table.snapshot
    peers = snapshot.workloads.peers_of(table.shape)
    if peers is None:
        return ""
    counts = snapshot.pods.count_of(peers, with_terminating=False).per_row
    here, there = int(counts[row]) + 1, int(counts[best])
    if here < there + 2:
        return ""
    return f"{here} pods of its kind on {snapshot.names[row]}, {there} on {snapshot.names[best]}"
