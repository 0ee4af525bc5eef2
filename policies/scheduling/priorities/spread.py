"""TopologySpreadPriority: soft topology spread constraints (`ScheduleAnyway`), places with few pods of the kind win.

Rules: kube-scheduler `podtopologyspread` (tables of the same name).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from policies.scheduling.predicates.spread import eligible_hosts
from policies.scheduling.rules import MAX_SCORE, Scope, Scorer
from policies.scheduling.shape import PodShape, SpreadConstraint
from policies.scheduling.state.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    Rows,
)
from policies.scheduling.state.columns import ABSENT
from policies.scheduling.state.counts import DomainTally, HostCount
from policies.scheduling.state.snapshot import Snapshot

HOSTNAME: Final = "kubernetes.io/hostname"
"""Each host is a place of its own under this label: counted directly, whatever the constraint's policies say."""


class TopologySpreadPriority:
    """Each constraint costs a host `pods in its place · log(places + 2) + maxSkew - 1`; costs are summed, rounded.

    score = 100 · (most + least - cost) / most over the feasible hosts that have all labels; the others get 0.
    """

    name = "TopologySpreadPriority"
    weight = 2
    flat_score = 0

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer | None:
        return _TopologySpread(shape, snapshot) if shape.spread and shape.soft_spread else None


class _Constraint(NamedTuple):
    said: SpreadConstraint
    peers: HostCount
    tally: DomainTally


class _TopologySpread(Scorer):
    scope = Scope.CLUSTER
    is_relative = True

    def __init__(self, shape: PodShape, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        keys = tuple(constraint.topology_key for constraint in shape.soft_spread)
        size = snapshot.size
        self._has_all = snapshot.alive[:size].copy()
        for key in keys:
            self._has_all &= snapshot.column(key).ids[:size] != ABSENT
        self._constraints = []
        for said in shape.soft_spread:
            count = snapshot.pods.count_of(said.matcher, with_terminating=False)
            eligible = eligible_hosts(shape, said, snapshot, with_keys=keys)
            tally = DomainTally(count, snapshot.column(said.topology_key), eligible)
            self._constraints.append(_Constraint(said, count, tally))
        self._marks = [one.peers.journal.mark() for one in self._constraints]

    def stale(self) -> bool:
        marks = [one.peers.journal.mark() for one in self._constraints]
        changed = marks != self._marks
        self._marks = marks
        for one in self._constraints:
            one.tally.refresh()
        return changed

    def raw(self, rows: Rows) -> IntArray:
        """How many pods of the kind are in the host's places: shown to people; the score needs the whole picture."""
        total = np.zeros(self._snapshot.size, dtype=np.int64)[rows]
        for one in self._constraints:
            total += self._pods_in_place(one)[rows]
        return total

    def _pods_in_place(self, one: _Constraint) -> IntArray:
        size = self._snapshot.size
        return one.peers.per_row[:size] if one.said.topology_key == HOSTNAME else one.tally.spread_over(size)

    def normalise(self, raw: IntArray, feasible: BoolArray) -> IntArray:
        counted = feasible & self._has_all
        costs: FloatArray = np.zeros(len(raw), dtype=np.float64)
        for one in self._constraints:
            places = self._places(one, counted)
            costs = costs + (self._pods_in_place(one) * math.log(places + 2) + (one.said.max_skew - 1))
        rounded = np.floor(costs + 0.5).astype(np.int64)
        if not counted.any():
            return np.zeros_like(raw)
        chosen = rounded[counted]
        least, most = int(chosen.min()), int(chosen.max())
        if most == 0:
            return np.where(self._has_all, MAX_SCORE, 0)
        return np.where(self._has_all, MAX_SCORE * (most + least - rounded) // most, 0)

    def _places(self, one: _Constraint, counted: BoolArray) -> int:
        if one.said.topology_key == HOSTNAME:
            return int(np.count_nonzero(counted))
        column = one.tally.column
        seen = np.zeros(len(column.values) + 1, dtype=np.bool_)
        seen[column.ids[: self._snapshot.size][counted]] = True
        return int(np.count_nonzero(seen))
