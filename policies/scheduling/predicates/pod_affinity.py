"""MatchInterPodAffinity: required affinity and anti-affinity to running pods, in both directions.

A host's place in a topology is the value of one of its labels; hosts without the label are in no place. Rules:
kube-scheduler `interpodaffinity` (tables of the same name).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from policies.scheduling.rules import Check, Event, Reason, Scope
from policies.scheduling.shape import AffinityTerm, PodShape, TermKind
from policies.scheduling.state.arrays import BoolArray, Rows
from policies.scheduling.state.columns import ABSENT
from policies.scheduling.state.counts import DomainTally
from policies.scheduling.state.snapshot import Snapshot


class PodAffinity:
    """A pod's required terms, and the required anti-affinity that running pods hold against it (symmetry).

    A pod that requires pods like itself may be the first of them.
    """

    name = "MatchInterPodAffinity"
    helped_by = frozenset((Event.HOST_ADDED, Event.HOST_CHANGED, Event.POD_ADDED, Event.POD_REMOVED))

    def is_silent(self, shape: PodShape, snapshot: Snapshot) -> bool:
        is_own = shape.required_affinity or shape.required_anti_affinity
        return not is_own and not snapshot.pods.holds(TermKind.REQUIRED_ANTI_AFFINITY)

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> PodAffinityCheck:
        return PodAffinityCheck(shape, snapshot)


class _Term(NamedTuple):
    """tally: the pods that count for or against, by domain of the term's topology."""

    term: AffinityTerm
    tally: DomainTally


class PodAffinityCheck(Check):
    scope = Scope.CLUSTER

    def __init__(self, shape: PodShape, snapshot: Snapshot) -> None:
        self._shape = shape
        self._snapshot = snapshot
        pods = snapshot.pods
        # All required terms must be met by the same pods: they are counted once, by the domains of each term.
        wanted = tuple(term.matcher for term in shape.required_affinity)
        self._wanted = [
            _Term(term, DomainTally(pods.count_of(*wanted, with_terminating=True), snapshot.column(term.topology_key)))
            for term in shape.required_affinity
        ]
        self._unwanted = [
            _Term(
                term,
                DomainTally(pods.count_of(term.matcher, with_terminating=True), snapshot.column(term.topology_key)),
            )
            for term in shape.required_anti_affinity
        ]
        self._may_be_first = all(pods.matches_shape(matcher, shape) for matcher in wanted)
        self._list_held()

    def _list_held(self) -> None:
        snapshot = self._snapshot
        self._held_version = snapshot.pods.held_version
        self._held = [
            _Term(held.term, DomainTally(count, snapshot.column(held.term.topology_key)))
            for held, count in snapshot.pods.held_against(self._shape, TermKind.REQUIRED_ANTI_AFFINITY)
        ]

    def stale(self) -> bool:
        changed = False
        if self._held_version != self._snapshot.pods.held_version:
            before = [one.term for one in self._held]
            self._list_held()
            changed = bool(before or self._held)
        if not self.may_block():
            return changed
        for one in (*self._wanted, *self._unwanted, *self._held):
            changed |= one.tally.refresh()
        return changed

    def may_block(self) -> bool:
        return bool(self._wanted or self._unwanted or self._held)

    def is_open(self) -> bool:
        return not self.may_block()

    def allowed(self, rows: Rows) -> BoolArray:
        size = self._snapshot.size
        verdicts = self.may_be_freed(rows)
        for _, tally in (*self._unwanted, *self._held):
            blocked = tally.per_domain > 0
            if blocked.any():
                verdicts &= ~blocked[tally.column.ids[:size][rows]]
        return verdicts

    def may_be_freed(self, rows: Rows) -> BoolArray:
        """Pods that are wanted do not appear by evicting others."""
        size = self._snapshot.size
        verdicts = np.ones(size, dtype=np.bool_)[rows]
        first = self._is_first()
        for _, tally in self._wanted:
            present = tally.per_domain > 0
            if first:
                present[:ABSENT] = True
            verdicts &= present[tally.column.ids[:size][rows]]
        return verdicts

    def _is_first(self) -> bool:
        """Whether no pod that the terms speak of runs in any of their places, and this one would be the first."""
        return self._may_be_first and not any(tally.per_domain.any() for _, tally in self._wanted)

    def wanted_by_place(self) -> dict[tuple[str, str], int]:
        """How many pods that the required terms speak of are in each place (topology key, value), over all terms."""
        return _by_place(self._wanted)

    def unwanted_by_place(self) -> dict[tuple[str, str], int]:
        """The same of the pods that the anti-affinity terms speak of."""
        return _by_place(self._unwanted)

    def reasons(self, row: int) -> tuple[Reason, ...]:
        for term, tally in self._held:
            if tally.per_domain[tally.column.ids[row]] > 0:
                return (Reason(f"pods keep others like this away ({term.topology_key})"),)
        for term, tally in self._unwanted:
            if tally.per_domain[tally.column.ids[row]] > 0:
                return (Reason(f"pods that this one avoids ({term.topology_key})"),)
        for term, tally in self._wanted:
            if tally.column.ids[row] == ABSENT:
                return (Reason(f"without label {term.topology_key}, which pod affinity needs"),)
        keys = ", ".join(sorted({term.topology_key for term, _ in self._wanted}))
        return (Reason(f"no pod that this one must run beside ({keys})"),)


def _by_place(terms: list[_Term]) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for term, tally in terms:
        for value, number in zip(tally.column.values, tally.per_domain.tolist(), strict=False):
            if number:
                place = (term.topology_key, value)
                counts[place] = counts.get(place, 0) + number
    return counts
