"""Hosts that have the same and give the same away: rules about amounts judge each such state once, not each host.

Five thousand hosts are in some hundred states as a rule. In the worst case each is in its own, and judging states costs
what judging hosts does.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Protocol, TypeVar

import numpy as np

from policies.scheduling.state.arrays import FloatArray, IntArray, Journal, Mark, grown

_FIRST_PLACES: Final = 64
_MOST_UNUSED: Final = 64
"""So many places, and one of two, are kept for states that may come again; new ones go to the end, side by side."""
_MOST_JUDGED: Final = 320
"""Judgements of the requests asked for last; each is a number for every place."""
_UNBOUNDED: Final = 2**63
_MOST_EXACT: Final = 2**46
"""Below this capacity, 100 · amount / capacity has the same whole part in floating point as in whole numbers."""


class Amounts(Protocol):
    """Lines of amounts, by resource, over hosts or over states of hosts: see `Snapshot`."""

    @property
    def allocatable(self) -> IntArray: ...
    @property
    def requested(self) -> IntArray: ...
    @property
    def assumed(self) -> IntArray: ...


Judged = TypeVar("Judged")


class AmountStates:
    """The states of all rows, brought up to date by `refresh`. ids: by row, a place in the arrays.

    size: places in use or left behind; those left behind hold amounts of the past, which often come again, and nobody
    has their id. hosts: how many have it. written: places whose judgement is void. moved: rows that are in another
    place now. free: what is not requested, and least_free: by resource, no place has less.

    For rules about CPU and memory alone there are lines of floating point numbers, two and two: what is not assumed to
    be used, times 100, and what is requested. capacities: of each line, at least 1. evenness: 0…100, how alike the used
    shares of both are.
    """

    def __init__(self) -> None:
        self.size = 0
        self.ids: IntArray = np.zeros(0, dtype=np.int64)
        self.hosts: list[int] = []
        self.written = Journal()
        self.moved = Journal()
        self._mark: Mark | None = None
        self._judged: dict[Hashable, object] = {}
        self._make_arrays(0, 0)

    def _make_arrays(self, resources: int, places: int) -> None:
        self._whole: IntArray = np.zeros((3 * resources + 3, places), dtype=np.int64)
        self._exact: FloatArray = np.zeros((8, places), dtype=np.float64)
        self._name_lines(resources)
        self.least_free = [_UNBOUNDED] * resources
        self.least_unassumed = [_UNBOUNDED] * 2
        self._place_of: dict[tuple[int, ...], int] = {}
        self._keys: list[tuple[int, ...]] = []
        self._unused: dict[int, None] = {}
        self._odd: set[int] = set()
        self._odd_hosts = 0

    def _name_lines(self, resources: int) -> None:
        """Each is a part of an array that is written place by place, all lines at once."""
        self.allocatable = self._whole[:resources]
        self.requested = self._whole[resources : 2 * resources]
        self.free = self._whole[2 * resources : 3 * resources]
        self.assumed = self._whole[-3:-1]
        self.evenness = self._whole[-1]
        self.lines, self.capacities = self._exact[:4], self._exact[4:]

    @property
    def is_plain(self) -> bool:
        """Whether all hosts have CPU and memory, of a usual size: then floating point numbers are exact."""
        return not self._odd_hosts

    def refresh(self, amounts: Amounts, journal: Journal, size: int) -> None:
        """Take in the rows, below `size`, that changed since the last time."""
        mark = journal.mark()
        is_known = len(self.ids) == size and len(self.allocatable) == len(amounts.allocatable)
        if is_known and mark == self._mark:
            return
        changed = journal.since(self._mark) if is_known and self._mark is not None else None
        self._mark = mark
        if changed is None:
            self._start(amounts, size)
            return
        for row in set(changed):
            self._move(row, self._key_of(amounts, row))

    def _start(self, amounts: Amounts, size: int) -> None:
        self.size = 0
        self.hosts = []
        self._make_arrays(len(amounts.allocatable), _FIRST_PLACES)
        self.written.forget()
        self.moved.forget()
        every = np.concatenate((amounts.allocatable, amounts.requested, amounts.assumed))[:, :size]
        keys, first, places = np.unique(every.T, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)  # states are numbered as their first hosts are
        for key in keys[order].tolist():
            place = self._place_of[tuple(key)] = self._take_place()
            self._keys[place] = tuple(key)
            self._fill(place, self._keys[place])
        self.ids = np.argsort(order)[places.reshape(-1)]
        self.hosts = np.bincount(self.ids, minlength=self.size).tolist()
        self._odd_hosts = sum(self.hosts[place] for place in self._odd)

    @staticmethod
    def _key_of(amounts: Amounts, row: int) -> tuple[int, ...]:
        """What can be given away, what is requested, what is assumed to be used."""
        parts = amounts.allocatable[:, row], amounts.requested[:, row], amounts.assumed[:, row]
        allocatable, requested, assumed = (part.tolist() for part in parts)
        return (*allocatable, *requested, *assumed)

    def _move(self, row: int, key: tuple[int, ...]) -> None:
        before = int(self.ids[row])
        if self._keys[before] == key:
            return
        self.hosts[before] -= 1
        self._odd_hosts -= before in self._odd
        if not self.hosts[before]:
            self._unused[before] = None
        place = self._place_of.get(key)
        if place is None:
            place = self._place_of[key] = self._take_place()
            self._keys[place] = key
            self._fill(place, key)
        elif not self.hosts[place]:
            del self._unused[place]
            if place in self._odd:
                # While nobody was there it may have been judged as if it were plain.
                self.written.append(place)
        self.hosts[place] += 1
        self._odd_hosts += place in self._odd
        self.ids[row] = place
        self.moved.append(row)

    def _fill(self, place: int, key: tuple[int, ...]) -> None:
        number = len(self.least_free)
        allocatable, requested = key[:number], key[number : 2 * number]
        cpu, memory, used_cpu, used_memory = *allocatable[:2], *requested[:2]
        free = [has - given for has, given in zip(allocatable, requested, strict=True)]
        unassumed = cpu - key[-2], memory - key[-1]
        self.least_free = list(map(min, self.least_free, free))
        self.least_unassumed = list(map(min, self.least_unassumed, unassumed))
        if 0 < cpu < _MOST_EXACT and 0 < memory < _MOST_EXACT:
            self._odd.discard(place)
        else:
            self._odd.add(place)
            cpu, memory = max(cpu, 1), max(memory, 1)
        apart = abs(min(used_cpu / cpu, 1.0) - min(used_memory / memory, 1.0))
        self._whole[:, place] = *allocatable, *requested, *free, *key[-2:], int((1 - apart / 2) * 100)
        lines = 100 * unassumed[0], 100 * unassumed[1], used_cpu, used_memory
        self._exact[:, place] = *lines, cpu, memory, cpu, memory
        self.written.append(place)

    def _take_place(self) -> int:
        if len(self._unused) > _MOST_UNUSED + self.size // 2:
            place = next(iter(self._unused))
            del self._unused[place], self._place_of[self._keys[place]]
            return place
        if self.size == self.allocatable.shape[1]:
            self._whole, self._exact = grown(self._whole, 2 * self.size), grown(self._exact, 2 * self.size)
            self._name_lines(len(self.least_free))
        self._keys.append(())
        self.hosts.append(0)
        self.size += 1
        return self.size - 1

    def judged(self, key: Hashable, make: Callable[[], Judged]) -> Judged:
        """What `make` gives, once for all who ask by the same key."""
        found = self._judged.pop(key, None)
        if found is None:
            if len(self._judged) >= _MOST_JUDGED:
                del self._judged[next(iter(self._judged))]
            found = make()
        self._judged[key] = found
        return found  # type: ignore[return-value]
