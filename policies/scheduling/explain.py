"""Every verdict and every score about one pod, by host: what `berth explain` shows. Decides nothing."""

from __future__ import annotations

from typing import Final, NamedTuple

from objects.api.pods import Pod
from policies.scheduling.judging.table import HostTable
from policies.scheduling.placement import describe_reason
from policies.scheduling.profiles import Profile
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TieBreaker

PASSES: Final = ""
"""Why a host fails a predicate that it does not fail."""


class PriorityPoints(NamedTuple):
    """raw: the rule's own number, None when it makes no difference for this pod. points: 0…100, before the weight."""

    name: str
    raw: int | None
    points: int
    weight: int

    @property
    def weighted(self) -> int:
        return self.points * self.weight


class HostVerdict(NamedTuple):
    """One host. predicates: name and why it fails, PASSES when it does not. rank: 1 is where the pod goes, 0: unfit.

    Points of a host that does not fit are what it would have beside the fitting ones.
    """

    host: str
    predicates: tuple[tuple[str, str], ...]
    priorities: tuple[PriorityPoints, ...]
    rank: int

    @property
    def fits(self) -> bool:
        return all(reason == PASSES for _, reason in self.predicates)

    @property
    def total(self) -> int:
        return sum(points.weighted for points in self.priorities)


def explain(
    pod: Pod, snapshot: Snapshot, profile: Profile, node: str | None = None, *, seed: int = 0
) -> list[HostVerdict]:
    """Judge every host, or one, for a pod, the best first. A pod that runs already is judged as if it did not.

    Raises KeyError for an unknown host.
    """
    running = snapshot.occupant(pod.uid)
    if running is not None:
        snapshot.remove_pod(pod.uid)
    try:
        table = HostTable(snapshot.shapes.shape_of(pod), snapshot, profile, TieBreaker(seed).hashes(snapshot))
        order = table.order()
        chosen = order if node is None else [snapshot.row_of[node]]
        ranks = {row: rank for rank, row in enumerate(order, start=1) if table.feasible[row]}
        points = _points(table, profile)
        return [
            HostVerdict(snapshot.node(row).name, _reasons(table, profile, row), points[row], ranks.get(row, 0))
            for row in chosen
        ]
    finally:
        if running is not None:
            snapshot.put_back(running)


def _reasons(table: HostTable, profile: Profile, row: int) -> tuple[tuple[str, str], ...]:
    failing = {
        one.predicate.name: "; ".join(describe_reason(reason) for reason in one.check.reasons(row))
        for one, verdicts in zip(table.checks, table.passes, strict=True)
        if not verdicts[row]
    }
    return tuple((predicate.name, failing.get(predicate.name, PASSES)) for predicate in profile.predicates)


def _points(table: HostTable, profile: Profile) -> list[tuple[PriorityPoints, ...]]:
    """By row, for every priority of the profile that is not switched off."""
    prepared = {one.priority.name: index for index, one in enumerate(table.scorers)}
    columns: list[list[PriorityPoints]] = []
    for priority, weight in profile.priorities:
        if not weight:
            continue
        index = prepared.get(priority.name)
        if index is None:
            columns.append([PriorityPoints(priority.name, None, priority.flat_score, weight)] * table.snapshot.size)
            continue
        pairs = zip(table.raw_of(index).tolist(), table.scores_of(index).tolist(), strict=True)
        columns.append([PriorityPoints(priority.name, raw, points, weight) for raw, points in pairs])
    return [tuple(column[row] for column in columns) for row in range(table.snapshot.size)]
