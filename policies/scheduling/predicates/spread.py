"""PodTopologySpread, hard constraints: no place may have more than `maxSkew` pods above the emptiest one.

Rules: kube-scheduler `podtopologyspread` (tables of the same name).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from policies.scheduling.predicates.node import fits_node_labels
from policies.scheduling.predicates.taints import tolerated_hosts
from policies.scheduling.rules import Check, Event, Reason, Scope
from policies.scheduling.shape import PodShape, SpreadConstraint
from policies.scheduling.state.arrays import BoolArray, IntArray, Rows
from policies.scheduling.state.columns import ABSENT
from policies.scheduling.state.counts import DomainTally
from policies.scheduling.state.snapshot import Snapshot


def eligible_hosts(
    shape: PodShape, constraint: SpreadConstraint, snapshot: Snapshot, *, with_keys: tuple[str, ...]
) -> BoolArray:
    """Hosts whose pods count for a constraint: those with all `with_keys` and that its policies do not leave out."""
    size = snapshot.size
    eligible = snapshot.alive[:size].copy()
    for key in with_keys:
        eligible &= snapshot.column(key).ids[:size] != ABSENT
    if constraint.honours_affinity:
        labelled = fits_node_labels(shape, snapshot)
        if labelled is not None:
            eligible &= labelled
    if constraint.honours_taints:
        eligible &= tolerated_hosts(shape, snapshot)
    return eligible


class TopologySpread:
    """With `skew = pods in the host's place + 1 - pods in the emptiest place`: skew must not exceed `maxSkew`.

    Fewer places than `minDomains` make the emptiest count as 0. Terminating pods do not count.

    pods by zone 3 3 1, maxSkew 1 -> only the third zone
    """

    name = "PodTopologySpread"
    helped_by = frozenset((Event.HOST_ADDED, Event.HOST_CHANGED, Event.POD_ADDED, Event.POD_REMOVED))

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> SpreadCheck | None:
        return SpreadCheck(shape, snapshot) if shape.spread and shape.hard_spread else None


class _Constraint(NamedTuple):
    """exists: which domains have eligible hosts. own: 1 when the pod counts for its own constraint."""

    said: SpreadConstraint
    tally: DomainTally
    exists: BoolArray
    own: int

    def least(self) -> int:
        """Pods in the emptiest place; 0 while there are too few places."""
        if int(np.count_nonzero(self.exists)) < self.said.min_domains:
            return 0
        return int(self.tally.per_domain.min(where=self.exists, initial=np.iinfo(np.int64).max))

    def room(self) -> IntArray:
        """How many more pods each domain may take before the skew is too great; below 1: none. Absent: 0."""
        room: IntArray = self.said.max_skew - self.own - self.tally.per_domain + self.least() + 1
        room[ABSENT] = 0
        return room


class SpreadCheck(Check):
    scope = Scope.CLUSTER

    def __init__(self, shape: PodShape, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        keys = tuple(constraint.topology_key for constraint in shape.hard_spread)
        self._constraints = []
        for said in shape.hard_spread:
            column = snapshot.column(said.topology_key)
            eligible = eligible_hosts(shape, said, snapshot, with_keys=keys)
            exists = np.zeros(len(column.values) + 1, dtype=np.bool_)
            exists[column.ids[: snapshot.size][eligible]] = True
            tally = DomainTally(snapshot.pods.count_of(said.matcher, with_terminating=False), column, eligible)
            own = int(snapshot.pods.matches_shape(said.matcher, shape))
            self._constraints.append(_Constraint(said, tally, exists, own))

    def stale(self) -> bool:
        changed = False
        for constraint in self._constraints:
            changed |= constraint.tally.refresh()
        return changed

    def may_be_freed(self, rows: Rows) -> BoolArray:
        size = self._snapshot.size
        verdicts = np.ones(size, dtype=np.bool_)[rows]
        for constraint in self._constraints:
            verdicts &= constraint.tally.column.ids[:size][rows] != ABSENT
        return verdicts

    def allowed(self, rows: Rows) -> BoolArray:
        size = self._snapshot.size
        verdicts = np.ones(size, dtype=np.bool_)[rows]
        for constraint in self._constraints:
            verdicts &= (constraint.room() > 0)[constraint.tally.column.ids[:size][rows]]
        return verdicts

    def reasons(self, row: int) -> tuple[Reason, ...]:
        for constraint in self._constraints:
            if constraint.tally.column.ids[row] == ABSENT:
                return (Reason(f"without label {constraint.said.topology_key}, which topology spread needs"),)
        return tuple(
            Reason(
                f"too many of its kind in one {one.said.topology_key}",
                f"({one.tally.column.values[place]} has {one.tally.per_domain[place]}, the emptiest {one.least()})",
            )
            for one in self._constraints
            if one.room()[place := int(one.tally.column.ids[row])] < 1
        )

    def pods_by_place(self) -> list[dict[str, int]]:
        """For each constraint, how many pods count in each place."""
        return [
            {
                value: int(one.tally.per_domain[place])
                for place, value in enumerate(one.tally.column.values)
                if one.exists[place]
            }
            for one in self._constraints
        ]

    def fewest(self) -> list[int]:
        """For each constraint, how many pods count in the emptiest place; 0 while there are too few places."""
        return [one.least() for one in self._constraints]
