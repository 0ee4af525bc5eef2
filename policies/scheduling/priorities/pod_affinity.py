"""InterPodAffinityPriority: preferred affinity and anti-affinity to running pods, in both directions.

Rules: kube-scheduler `interpodaffinity` (tables of the same name).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from policies.scheduling.rules import MAX_SCORE, Scope, Scorer
from policies.scheduling.shape import AffinityTerm, PodShape, TermKind
from policies.scheduling.state.arrays import BoolArray, IntArray, Rows
from policies.scheduling.state.columns import ABSENT
from policies.scheduling.state.counts import DomainTally, HostCount
from policies.scheduling.state.snapshot import Snapshot

REQUIRED_AFFINITY_WEIGHT: Final = 1
"""What another pod's *required* affinity to this one is worth (Kubernetes' hardPodAffinityWeight)."""


class InterPodAffinity:
    """Each running pod that a preferred term speaks of adds the term's weight to its place; anti-affinity takes it.

    Terms of running pods that speak of this pod count alike. The best place gets 100, the worst 0:
    sums -5 0 5 -> 0 50 100.
    """

    name = "InterPodAffinityPriority"
    weight = 2
    flat_score = 0

    def __init__(self, required_weight: int = REQUIRED_AFFINITY_WEIGHT, *, heeds_running: bool = True) -> None:
        self._required_weight = required_weight
        self._heeds_running = heeds_running

    def is_silent(self, shape: PodShape, snapshot: Snapshot) -> bool:
        holds = snapshot.pods.holds
        return not (shape.preferred_affinity or holds(TermKind.PREFERRED) or holds(TermKind.REQUIRED_AFFINITY))

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer:
        return _InterPodAffinity(shape, snapshot, self._required_weight, heeds_running=self._heeds_running)


class _Weighed(NamedTuple):
    weight: int
    tally: DomainTally


class _InterPodAffinity(Scorer):
    scope = Scope.CLUSTER
    is_relative = True

    def __init__(self, shape: PodShape, snapshot: Snapshot, required_weight: int, *, heeds_running: bool) -> None:
        self._shape = shape
        self._snapshot = snapshot
        self._required_weight = required_weight
        self._heeds_running = heeds_running
        self._own = [
            self._weigh(weight, term, snapshot.pods.count_of(term.matcher, with_terminating=True))
            for weight, term in shape.preferred_affinity
        ]
        self._list_held()

    def _weigh(self, weight: int, term: AffinityTerm, count: HostCount) -> _Weighed:
        return _Weighed(weight, DomainTally(count, self._snapshot.column(term.topology_key)))

    def _list_held(self) -> None:
        pods = self._snapshot.pods
        self._held_version = pods.held_version
        self._held = []
        if self._heeds_running:
            preferred = pods.held_against(self._shape, TermKind.PREFERRED)
            self._held += [self._weigh(held.weight, held.term, count) for held, count in preferred]
        if self._required_weight:
            required = pods.held_against(self._shape, TermKind.REQUIRED_AFFINITY)
            self._held += [self._weigh(self._required_weight, held.term, count) for held, count in required]

    def stale(self) -> bool:
        changed = False
        if self._held_version != self._snapshot.pods.held_version:
            before = len(self._held)
            self._list_held()
            changed = bool(before or self._held)
        if self.is_flat():
            return changed
        for one in (*self._own, *self._held):
            changed |= one.tally.refresh()
        return changed

    def is_flat(self) -> bool:
        return not self._own and not self._held

    def raw(self, rows: Rows) -> IntArray:
        size = self._snapshot.size
        by_key: dict[str, tuple[IntArray, IntArray]] = {}
        for weight, tally in (*self._own, *self._held):
            ids, sums = by_key.get(tally.column.key, (tally.column.ids, np.zeros_like(tally.per_domain)))
            by_key[tally.column.key] = (ids, sums + weight * tally.per_domain)
        total = np.zeros(size, dtype=np.int64)[rows]
        for ids, sums in by_key.values():
            sums[ABSENT] = 0
            total += sums[ids[:size][rows]]
        return total

    def normalise(self, raw: IntArray, feasible: BoolArray) -> IntArray:
        chosen = raw[feasible]
        if not len(chosen):
            return np.zeros_like(raw)
        least, most = int(chosen.min()), int(chosen.max())
        if least == most:
            return np.zeros_like(raw)
        return (MAX_SCORE * ((raw - least) / (most - least))).astype(np.int64)
