"""Which pods run where, seen through their labels: counts of matching pods, and of pods that hold affinity terms.

Pods with the same namespace and labels form a class: a rule is matched against classes, once, not against pods. Counts
exist for the rules that somebody asked for, and cost one step for each pod that comes or goes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from policies.scheduling.counts import HostCount
from policies.scheduling.matching import PodMatcher
from policies.scheduling.shape import AffinityTerm, PodShape


class TermKind(enum.Enum):
    """What a running pod's own term does to pods that come later."""

    REQUIRED_AFFINITY = "required affinity"
    REQUIRED_ANTI_AFFINITY = "required anti-affinity"
    PREFERRED = "preferred"


class HeldTerm(NamedTuple):
    """A term that running pods hold. weight: of a preferred term, negative for anti-affinity; else 0."""

    kind: TermKind
    term: AffinityTerm
    weight: int


class _CountKey(NamedTuple):
    matcher: PodMatcher
    with_terminating: bool


class _PodClass:
    """Pods with one namespace and one set of labels. rows: how many of them on which host."""

    __slots__ = ("counts", "labels", "namespace", "rows", "terminating")

    def __init__(self, namespace: str, labels: Mapping[str, str], terminating: bool) -> None:
        self.namespace = namespace
        self.labels = labels
        self.terminating = terminating
        self.rows: dict[int, int] = {}
        self.counts: list[HostCount] = []


class PodIndex:
    """See the module. Rows are given by the snapshot, which tells of every pod that comes or goes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._classes: dict[tuple[str, frozenset[tuple[str, str]], bool], _PodClass] = {}
        self._class_of_shape: dict[tuple[PodShape, bool], _PodClass] = {}
        self._counts: dict[_CountKey, HostCount] = {}
        self._held: dict[HeldTerm, HostCount] = {}
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self.held_version = 0
        """Moves when a term is held for the first time, or namespaces change: matches of terms must be asked anew."""

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        for count in (*self._counts.values(), *self._held.values()):
            count.grow(capacity)

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """labels: None when the namespace is gone. Every match may change, so all counts start anew."""
        if self._namespaces.get(name) == labels:
            return
        if labels is None:
            self._namespaces.pop(name, None)
        else:
            self._namespaces[name] = labels
        self._counts.clear()
        for pods in self._classes.values():
            pods.counts.clear()
        self.held_version += 1

    def step(self, shape: PodShape, row: int, delta: int, *, terminating: bool = False) -> None:
        """A pod of this shape came to (1) or left (-1) a host."""
        pods = self._class_of(shape, terminating)
        number = pods.rows.get(row, 0) + delta
        if number:
            pods.rows[row] = number
        else:
            pods.rows.pop(row, None)
        for count in pods.counts:
            count.step(row, delta)
        for held in held_terms(shape):
            self._count_of_held(held).step(row, delta)

    def _class_of(self, shape: PodShape, terminating: bool) -> _PodClass:
        found = self._class_of_shape.get((shape, terminating))
        if found is not None:
            return found
        key = (shape.namespace, frozenset(shape.labels.items()), terminating)
        pods = self._classes.get(key)
        if pods is None:
            pods = self._classes[key] = _PodClass(shape.namespace, shape.labels, terminating)
            pods.counts = [count for wanted, count in self._counts.items() if self._is_counted(wanted, pods)]
        self._class_of_shape[shape, terminating] = pods
        return pods

    def _is_counted(self, wanted: _CountKey, pods: _PodClass) -> bool:
        if pods.terminating and not wanted.with_terminating:
            return False
        return self.matches(wanted.matcher, pods.namespace, pods.labels)

    def matches(self, matcher: PodMatcher, namespace: str, labels: Mapping[str, str]) -> bool:
        return matcher.matches(namespace, self._namespaces.get(namespace, {}), labels)

    def count_of(self, matcher: PodMatcher, *, with_terminating: bool) -> HostCount:
        """Pods per host that a matcher speaks of, kept up to date from now on."""
        key = _CountKey(matcher, with_terminating)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = HostCount(self._capacity)
            for pods in self._classes.values():
                if self._is_counted(key, pods):
                    pods.counts.append(count)
                    for row, number in pods.rows.items():
                        count.add_many(row, number)
        return count

    def _count_of_held(self, held: HeldTerm) -> HostCount:
        count = self._held.get(held)
        if count is None:
            count = self._held[held] = HostCount(self._capacity)
            self.held_version += 1
        return count

    def held_against(self, shape: PodShape, kind: TermKind) -> Iterator[tuple[HeldTerm, HostCount]]:
        """The terms of running pods that speak of pods of this shape."""
        for held, count in self._held.items():
            if held.kind is kind and self.matches(held.term.matcher, shape.namespace, shape.labels):
                yield held, count


def held_terms(shape: PodShape) -> Iterator[HeldTerm]:
    """What a pod of this shape means for those that come after it."""
    for term in shape.required_affinity:
        yield HeldTerm(TermKind.REQUIRED_AFFINITY, term, 0)
    for term in shape.required_anti_affinity:
        yield HeldTerm(TermKind.REQUIRED_ANTI_AFFINITY, term, 0)
    for weight, term in shape.preferred_affinity:
        yield HeldTerm(TermKind.PREFERRED, term, weight)
