"""Node labels and images as columns over the hosts: text becomes small whole numbers, once for each distinct value."""

from __future__ import annotations

import numpy as np

from objects.api.core import Taint
from objects.api.pods import NodeSelectorRequirement
from objects.selectors import requirement_matches
from policies.scheduling.state.arrays import BoolArray, IntArray, grown

ABSENT = -1
"""Id of "has no such label". As an index it is the last place, so tables over values keep one more place for it."""


_MOST_PAST = 256


class LabelColumn:
    """One label key over all hosts: `ids[row]` is an index into `values`, or ABSENT."""

    __slots__ = ("_index", "ids", "key", "values")

    def __init__(self, key: str, capacity: int) -> None:
        self.key = key
        self.ids: IntArray = np.full(capacity, ABSENT, dtype=np.int64)
        self.values: list[str] = []
        self._index: dict[str, int] = {}

    def put(self, row: int, value: str | None) -> None:
        self.ids[row] = ABSENT if value is None else self._id_for(value)

    def _id_for(self, value: str) -> int:
        found = self._index.get(value)
        if found is None:
            found = self._index[value] = len(self.values)
            self.values.append(value)
        return found

    def is_bloated(self, hosts: int) -> bool:
        """Whether most values belong to hosts of the past, so that a new column would be much smaller."""
        return len(self.values) > _MOST_PAST + 2 * hosts

    def id_of(self, value: str) -> int:
        """The id of a value; ABSENT when no host ever had it."""
        return self._index.get(value, ABSENT)

    def grow(self, capacity: int) -> None:
        known = len(self.ids)
        larger = np.full(capacity, ABSENT, dtype=np.int64)
        larger[:known] = self.ids
        self.ids = larger

    def matching(self, requirement: NodeSelectorRequirement, size: int) -> BoolArray:
        """Which of the first `size` hosts fulfil a requirement on this key: decided once a value, not once a host."""
        verdicts = np.zeros(len(self.values) + 1, dtype=np.bool_)
        match requirement.operator:
            case "In" | "NotIn":
                for value in requirement.values:
                    if (found := self.id_of(value)) != ABSENT:
                        verdicts[found] = True
                if requirement.operator == "NotIn":
                    np.logical_not(verdicts, out=verdicts)
            case "Exists" | "DoesNotExist":
                verdicts[:ABSENT] = requirement.operator == "Exists"
                verdicts[ABSENT] = requirement.operator == "DoesNotExist"
            case _:
                for found, value in enumerate(self.values):
                    verdicts[found] = requirement_matches(requirement, {self.key: value})
        return verdicts[self.ids[:size]]


class TaintSets:
    """The taints of hosts: many hosts share few sets of them. `ids[row]` is an index into `values`.

    A verdict is made once for each distinct set (see `predicates.taints`) and spread over the hosts.
    """

    __slots__ = ("_index", "ids", "values")

    def __init__(self, capacity: int) -> None:
        self.ids: IntArray = np.zeros(capacity, dtype=np.int64)
        self.values: list[tuple[Taint, ...]] = [()]
        self._index: dict[tuple[Taint, ...], int] = {(): 0}

    def is_bloated(self, hosts: int) -> bool:
        """Whether most sets belong to the past, so that starting anew would be much smaller."""
        return len(self.values) > _MOST_PAST + 2 * hosts

    def put(self, row: int, taints: tuple[Taint, ...]) -> None:
        value = tuple(Taint(key=taint.key, value=taint.value, effect=taint.effect) for taint in taints)
        found = self._index.get(value)
        if found is None:
            found = self._index[value] = len(self.values)
            self.values.append(value)
        self.ids[row] = found

    def grow(self, capacity: int) -> None:
        self.ids = grown(self.ids, capacity)
