"""Which pods run where, seen through their labels: counts of matching pods, and of pods that hold affinity terms.

Pods with the same namespace and labels form a class: a rule is matched against classes, once, not against pods. Counts
exist for the rules that somebody asked for, and cost one step for each pod that comes or goes. A new class and a new
rule find each other by a label that the rule names, so that two thousand workloads are not compared with each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from policies.scheduling.matching import PodMatcher
from policies.scheduling.shape import ClassKey, HeldTerm, PodShape, TermKind
from policies.scheduling.state.counts import HostCount

_MOST_COUNTS: Final = 1024
"""Counts of rules that nobody asks about any more pile up: beyond this many all start anew."""


class _CountKey(NamedTuple):
    """Pods that all matchers speak of."""

    matchers: tuple[PodMatcher, ...]
    with_terminating: bool


_Anchor = tuple[str, str] | None
"""A label that all pods of a rule have; None when the rule names none."""


def _anchor_of(key: _CountKey) -> _Anchor:
    for matcher in key.matchers:
        for part in matcher.selector or ():
            if part.operator == "In" and len(part.values) == 1:
                return part.key, part.values[0]
    return None


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
    """See the module. Rows are given by the snapshot, which tells of every pod that comes or goes.

    generation moves when counts that were handed out are kept no longer: ask for them anew. held_version moves when a
    term is held for the first time or by nobody any more.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._classes: dict[tuple[ClassKey, bool], _PodClass] = {}
        self._counts: dict[_CountKey, HostCount] = {}
        # Rules by their anchor, classes by each of their labels.
        self._anchored: dict[_Anchor, list[_CountKey]] = {}
        self._labelled: dict[tuple[str, str], dict[tuple[ClassKey, bool], _PodClass]] = {}
        self._held: dict[HeldTerm, HostCount] = {}
        self._held_kinds = dict.fromkeys(TermKind, 0)
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self.generation = 0
        self.held_version = 0

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        for count in (*self._counts.values(), *self._held.values()):
            count.grow(capacity)

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """labels: None when the namespace is gone."""
        if self._namespaces.get(name) == labels:
            return
        if labels is None:
            self._namespaces.pop(name, None)
        else:
            self._namespaces[name] = dict(labels)
        self._forget_counts()

    def _forget_counts(self) -> None:
        self._counts.clear()
        self._anchored.clear()
        for pods in self._classes.values():
            pods.counts.clear()
        self.generation += 1

    def step(self, shape: PodShape, row: int, delta: int, *, terminating: bool = False) -> None:
        """A pod of this shape came to (1) or left (-1) a host."""
        key = (shape.class_key, terminating)
        pods = self._classes.get(key)
        if pods is None:
            pods = self._make_class(key)
        number = pods.rows.get(row, 0) + delta
        if number:
            pods.rows[row] = number
        else:
            del pods.rows[row]
            if not pods.rows:
                self._drop_class(key)
        for count in pods.counts:
            count.step(row, delta)
        for held in shape.held_terms:
            self._step_held(held, row, delta)

    def _make_class(self, key: tuple[ClassKey, bool]) -> _PodClass:
        (namespace, labels), terminating = key
        made = self._classes[key] = _PodClass(namespace, dict(labels), terminating)
        for anchor in (None, *labels):
            for wanted in self._anchored.get(anchor, ()):
                if self._is_counted(wanted, made):
                    made.counts.append(self._counts[wanted])
        for label in labels:
            self._labelled.setdefault(label, {})[key] = made
        return made

    def _drop_class(self, key: tuple[ClassKey, bool]) -> None:
        del self._classes[key]
        for label in key[0].labels:
            members = self._labelled[label]
            del members[key]
            if not members:
                del self._labelled[label]

    def _is_counted(self, wanted: _CountKey, pods: _PodClass) -> bool:
        if pods.terminating and not wanted.with_terminating:
            return False
        return all(self.matches(matcher, pods.namespace, pods.labels) for matcher in wanted.matchers)

    def matches(self, matcher: PodMatcher, namespace: str, labels: Mapping[str, str]) -> bool:
        return matcher.matches(namespace, self._namespaces.get(namespace, {}), labels)

    def matches_shape(self, matcher: PodMatcher, shape: PodShape) -> bool:
        return self.matches(matcher, shape.namespace, shape.labels)

    def count_of(self, *matchers: PodMatcher, with_terminating: bool) -> HostCount:
        """Pods per host that all the matchers speak of, kept up to date until `generation` moves."""
        key = _CountKey(matchers, with_terminating)
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= _MOST_COUNTS:
                self._forget_counts()
            count = self._counts[key] = HostCount(self._capacity)
            anchor = _anchor_of(key)
            self._anchored.setdefault(anchor, []).append(key)
            candidates = self._classes if anchor is None else self._labelled.get(anchor, {})
            for pods in candidates.values():
                if self._is_counted(key, pods):
                    pods.counts.append(count)
                    for row, number in pods.rows.items():
                        count.add_many(row, number)
        return count

    def _step_held(self, held: HeldTerm, row: int, delta: int) -> None:
        count = self._held.get(held)
        if count is None:
            count = self._held[held] = HostCount(self._capacity)
            self._held_kinds[held.kind] += 1
            self.held_version += 1
        count.step(row, delta)
        if not count.total:
            del self._held[held]
            self._held_kinds[held.kind] -= 1
            self.held_version += 1

    def holds(self, kind: TermKind) -> bool:
        """Whether a running pod holds a term of this kind."""
        return bool(self._held) and self._held_kinds[kind] > 0

    def held_against(self, shape: PodShape, kind: TermKind) -> Iterator[tuple[HeldTerm, HostCount]]:
        """The terms of running pods that speak of pods of this shape."""
        for held, count in self._held.items():
            if held.kind is kind and self.matches_shape(held.term.matcher, shape):
                yield held, count
