"""Hosts that have the same and give the same away: rules about amounts judge each such state once, not each host.

Five thousand hosts are in some hundred states as a rule. In the worst case each is in its own, and judging states costs
what judging hosts does.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Protocol

import numpy as np

from policies.scheduling.state.arrays import FloatArray, IntArray, Journal, Mark, Rows, grown

_FIRST_PLACES: Final = 64
_FEW_PLACES: Final = 8
"""So many places are judged faster one by one."""
_MOST_UNUSED: Final = 64
"""So many places, and one of two, are kept for states that may come again; new ones go to the end, side by side."""
_MOST_COLUMNS: Final = 16
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


class _Column:
    """Something derived from each place alone."""

    def __init__(self) -> None:
        self.values: IntArray = np.zeros(0, dtype=np.int64)
        self.mark: Mark = -1


class AmountStates:
    """The states of all rows, brought up to date by `refresh`. ids: by row, a place in the arrays.

    size: places in use or left behind; those left behind hold amounts of the past, which often come again, and nobody
    has their id. hosts: how many have it. written: places whose judgement is void. moved: rows that are in another
    place now. free: what is not requested. capacity, unassumed, used: CPU and memory as floating point numbers,
    `capacity` at least 1.
    """

    def __init__(self) -> None:
        self.size = 0
        self.ids: IntArray = np.zeros(0, dtype=np.int64)
        self.hosts: list[int] = []
        self.written = Journal()
        self.moved = Journal()
        self._mark: Mark | None = None
        self._make_arrays(0, 0)

    def _make_arrays(self, resources: int, places: int) -> None:
        self.allocatable: IntArray = np.zeros((resources, places), dtype=np.int64)
        self.requested = self.allocatable.copy()
        self.free = self.allocatable.copy()
        self.assumed: IntArray = np.zeros((2, places), dtype=np.int64)
        self.capacity: FloatArray = np.ones((2, places), dtype=np.float64)
        self.unassumed = self.capacity.copy()
        self.used = self.capacity.copy()
        self._place_of: dict[bytes, int] = {}
        self._keys: list[bytes] = []
        self._unused: dict[int, None] = {}
        self._odd: set[int] = set()
        self._odd_hosts = 0
        self._columns: dict[Hashable, _Column] = {}

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
            self._move(amounts, row, self._key_of(amounts, row))

    def _start(self, amounts: Amounts, size: int) -> None:
        self.size = 0
        self.ids = np.full(size, -1, dtype=np.int64)
        self.hosts = []
        self._make_arrays(len(amounts.allocatable), _FIRST_PLACES)
        self.written.forget()
        self.moved.forget()
        lines = np.concatenate((amounts.allocatable, amounts.requested, amounts.assumed))[:, :size]
        keys, length = np.ascontiguousarray(lines.T).tobytes(), len(lines) * lines.itemsize
        for row in range(size):
            self._move(amounts, row, keys[row * length : (row + 1) * length])

    @staticmethod
    def _key_of(amounts: Amounts, row: int) -> bytes:
        return (
            amounts.allocatable[:, row].tobytes()
            + amounts.requested[:, row].tobytes()
            + amounts.assumed[:, row].tobytes()
        )

    def _move(self, amounts: Amounts, row: int, key: bytes) -> None:
        before = int(self.ids[row])
        if before >= 0:
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
            self._fill(amounts, row, place)
        elif not self.hosts[place]:
            del self._unused[place]
            if place in self._odd:
                # While nobody was there it may have been judged as if it were plain.
                self.written.append(place)
        self.hosts[place] += 1
        self._odd_hosts += place in self._odd
        self.ids[row] = place
        self.moved.append(row)

    def _fill(self, amounts: Amounts, row: int, place: int) -> None:
        self.allocatable[:, place] = amounts.allocatable[:, row]
        self.requested[:, place] = amounts.requested[:, row]
        self.free[:, place] = amounts.allocatable[:, row] - amounts.requested[:, row]
        self.assumed[:, place] = amounts.assumed[:, row]
        is_odd = False
        for line in (0, 1):
            capacity = int(amounts.allocatable[line, row])
            is_odd = is_odd or not 0 < capacity < _MOST_EXACT
            self.capacity[line, place] = max(capacity, 1)
            self.unassumed[line, place] = capacity - int(amounts.assumed[line, row])
            self.used[line, place] = amounts.requested[line, row]
        if is_odd:
            self._odd.add(place)
        else:
            self._odd.discard(place)
        self.written.append(place)

    def _take_place(self) -> int:
        if len(self._unused) > _MOST_UNUSED + self.size // 2:
            place = next(iter(self._unused))
            del self._unused[place], self._place_of[self._keys[place]]
            return place
        if self.size == self.allocatable.shape[1]:
            for name in ("allocatable", "requested", "free", "assumed", "capacity", "unassumed", "used"):
                setattr(self, name, grown(getattr(self, name), 2 * self.size))
        self._keys.append(b"")
        self.hosts.append(0)
        self.size += 1
        return self.size - 1

    def column(self, key: Hashable, of_one: Callable[[int], int], of_many: Callable[[Rows], IntArray]) -> IntArray:
        """A number for each place, that is kept, by key, for all who ask. of_one: for a place. of_many: for a slice."""
        column = self._columns.get(key)
        if column is None:
            if len(self._columns) >= _MOST_COLUMNS:
                self._columns.clear()
            column = self._columns[key] = _Column()
        entries = self.written.since(column.mark)
        if entries is None:
            column.values = grown(of_many(slice(0, self.size)), self.allocatable.shape[1])
        else:
            if len(column.values) < self.size:
                column.values = grown(column.values, self.allocatable.shape[1])
            if len(entries) > _FEW_PLACES:
                rows = slice(min(entries), max(entries) + 1)
                column.values[rows] = of_many(rows)
            else:
                for place in entries:
                    column.values[place] = of_one(place)
        column.mark = self.written.mark()
        return column.values
