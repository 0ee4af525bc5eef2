"""SelectorSpreadPriority: pods of one service or controller go to hosts, and zones, that have few of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import numpy as np

from policies.scheduling.rules import MAX_SCORE, Scope, Scorer
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import BoolArray, FloatArray, IntArray, Rows
from policies.scheduling.state.counts import HostCount
from policies.scheduling.state.snapshot import Snapshot

ZONE: Final = "topology.kubernetes.io/zone"
REGION: Final = "topology.kubernetes.io/region"
_ZONE_SHARE: Final = 2.0 / 3.0
"""Spreading over zones matters twice as much as spreading over hosts."""


class SelectorSpread:
    """100 · (most - own) / most over hosts, and the same over zones where hosts have one: a third and two thirds.

    Pods that are terminating do not count. Formula: kube-scheduler `selectorspread` (1.21, before it became the
    default constraints of topology spread).
    """

    name = "SelectorSpreadPriority"
    weight = 2
    flat_score = 0

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer | None:
        if shape.spec.topology_spread_constraints:
            return None  # Its author has said how it is to be spread.
        peers = snapshot.workloads.peers_of(shape)
        if peers is None:
            return None
        return _SelectorSpread(snapshot.pods.count_of(peers, with_terminating=False), snapshot)


class _Picture(NamedTuple):
    """What a score depends on beside the host's own pods. by_zone: pods by zone; None: zones make no difference."""

    most: int
    by_zone: FloatArray | None
    most_in_zone: float


class _SelectorSpread(Scorer):
    scope = Scope.CLUSTER
    is_relative = True

    def __init__(self, count: HostCount, snapshot: Snapshot) -> None:
        self._count = count
        self._snapshot = snapshot
        self._zone_ids, self._zones = snapshot.remember(("zones",), lambda: _zones_of(snapshot))
        self._rows_of_zone: dict[int, IntArray] = {}
        self._mark = count.journal.mark()
        self._picture = _Picture(-1, None, 0.0)
        # By row, the number that was taken in last, -1 of a host that does not fit; and how many have the most.
        self._counted: IntArray = np.zeros(0, dtype=np.int64)
        self._at_most = 0

    def is_steady(self) -> bool:
        """The most pods on a host only become more; of zones some points rise while others fall."""
        return not self._zones

    def stale(self) -> bool:
        return self._count.journal.mark() != self._mark

    def changed_rows(self) -> Collection[int] | None:
        entries = self._count.journal.since(self._mark)
        self._mark = self._count.journal.mark()
        return None if entries is None else {max(entry, ~entry) for entry in entries}

    def raw(self, rows: Rows) -> IntArray:
        self._mark = self._count.journal.mark()
        return self._count.per_row[: self._snapshot.size][rows]

    def raw_of(self, row: int) -> int:
        return self._count.per_row.item(row)

    def normalise(self, raw: IntArray, feasible: BoolArray) -> IntArray:
        self._counted = np.where(feasible, raw, -1)
        most = int(self._counted.max(initial=0))
        self._at_most = int(np.count_nonzero(self._counted == most))
        self._picture = _Picture(most, None, 0.0)
        counted = feasible & (self._zone_ids >= 0) if self._zones else feasible
        if self._zones and counted.any():
            counts = np.bincount(self._zone_ids[counted], weights=raw[counted], minlength=self._zones)
            by_zone: FloatArray = counts.astype(np.float64)
            self._picture = _Picture(most, by_zone, float(by_zone.max()))
        return self._points_of(raw, self._zone_ids)

    def rescore(
        self, points: IntArray, raw: IntArray, feasible: BoolArray, rows: Sequence[int]
    ) -> Collection[int] | None:
        """A pod more on a host changes the score of that host and of its zone, unless it is the most anywhere."""
        most, by_zone, most_in_zone = self._picture
        if not self._is_still_most(most, raw, feasible, rows):
            return None
        if not self._zones:
            for row in rows:
                points[row] = int(MAX_SCORE * ((most - raw.item(row)) / most)) if most else MAX_SCORE
            return rows
        if by_zone is None:
            return None
        zones = set(self._zone_ids[rows].tolist()) - {-1}
        for zone in zones:
            mates = self._mates(zone)
            by_zone[zone] = raw[mates][feasible[mates]].sum()
        if by_zone.max() != most_in_zone or not most_in_zone:
            return None
        together = np.unique(np.concatenate([np.array(rows, dtype=np.int64), *map(self._mates, zones)]))
        points[together] = self._points_of(raw[together], self._zone_ids[together])
        found: list[int] = together.tolist()
        return found

    def _is_still_most(self, most: int, raw: IntArray, feasible: BoolArray, rows: Sequence[int]) -> bool:
        """Takes in the rows; whether `most` is still the greatest number of a host that fits."""
        for row in rows:
            before, now = self._counted.item(row), raw.item(row) if feasible.item(row) else -1
            self._counted[row] = now
            self._at_most += (now == most) - (before == most)
            if now > most:
                return False
        return most == 0 or self._at_most > 0

    def _mates(self, zone: int) -> IntArray:
        found = self._rows_of_zone.get(zone)
        if found is None:
            found = self._rows_of_zone[zone] = np.flatnonzero(self._zone_ids == zone)
        return found

    def _points_of(self, raw: IntArray, zone_ids: IntArray) -> IntArray:
        most, by_zone, most_in_zone = self._picture
        score = MAX_SCORE * ((most - raw) / most) if most else np.full(len(raw), float(MAX_SCORE))
        if by_zone is not None:
            zone_score = np.full(self._zones, float(MAX_SCORE))
            if most_in_zone > 0:
                zone_score = MAX_SCORE * ((most_in_zone - by_zone) / most_in_zone)
            mixed = score * (1.0 - _ZONE_SHARE) + _ZONE_SHARE * zone_score[zone_ids]
            score = np.where(zone_ids >= 0, mixed, score)
        return score.astype(np.int64)


def _zones_of(snapshot: Snapshot) -> tuple[IntArray, int]:
    """A number for each host's (region, zone), -1 for neither, and how many there are."""
    zone = snapshot.column(ZONE)
    region = snapshot.column(REGION)
    size = snapshot.size
    if not region.values:
        return zone.ids[:size], len(zone.values)
    pairs = (region.ids[:size] + 1) * (len(zone.values) + 1) + zone.ids[:size] + 1
    distinct, numbers = np.unique(pairs, return_inverse=True)
    if distinct[0] == 0:
        return numbers - 1, len(distinct) - 1
    return numbers, len(distinct)
