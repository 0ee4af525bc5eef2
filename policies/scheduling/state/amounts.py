"""Hosts that have the same and give the same away: rules about amounts judge each such state once, not each host.

Five thousand hosts are in some hundred states as a rule. In the worst case each is in its own, and judging states costs
what judging hosts does.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from policies.scheduling.state.arrays import IntArray, Journal, Mark, grown

_FIRST_PLACES: Final = 64


class Amounts(Protocol):
    """Lines of amounts, by resource, over hosts or over states of hosts: see `Snapshot`."""

    @property
    def allocatable(self) -> IntArray: ...
    @property
    def requested(self) -> IntArray: ...
    @property
    def assumed(self) -> IntArray: ...


class AmountStates:
    """The states of all rows, brought up to date by `refresh`. ids: by row, a place in the three arrays.

    size: places in use or left behind; those left behind hold amounts of the past and nobody has their id.
    """

    def __init__(self) -> None:
        self.size = 0
        self.ids: IntArray = np.zeros(0, dtype=np.int64)
        self.allocatable: IntArray = np.zeros((0, 0), dtype=np.int64)
        self.requested = self.allocatable
        self.assumed = self.allocatable
        self._mark: Mark | None = None
        self._place_of: dict[bytes, int] = {}
        self._keys: list[bytes] = []
        self._hosts: list[int] = []
        self._free: list[int] = []

    def refresh(self, amounts: Amounts, journal: Journal, size: int) -> None:
        """Take in the rows, below `size`, that changed since the last time."""
        is_known = (
            self._mark is not None and len(self.ids) == size and len(self.allocatable) == len(amounts.allocatable)
        )
        changed = journal.since(self._mark) if is_known and self._mark is not None else None
        self._mark = journal.mark()
        if changed is None:
            self._start(amounts, size)
            return
        for row in set(changed):
            self._move(amounts, row, self._key_of(amounts, row))

    def _start(self, amounts: Amounts, size: int) -> None:
        resources = len(amounts.allocatable)
        self.size = 0
        self.ids = np.full(size, -1, dtype=np.int64)
        self.allocatable = np.zeros((resources, _FIRST_PLACES), dtype=np.int64)
        self.requested = self.allocatable.copy()
        self.assumed = np.zeros((2, _FIRST_PLACES), dtype=np.int64)
        self._place_of, self._keys, self._hosts, self._free = {}, [], [], []
        for row in range(size):
            self._move(amounts, row, self._key_of(amounts, row))

    @staticmethod
    def _key_of(amounts: Amounts, row: int) -> bytes:
        lines = amounts.allocatable[:, row], amounts.requested[:, row], amounts.assumed[:, row]
        return b"".join(line.tobytes() for line in lines)

    def _move(self, amounts: Amounts, row: int, key: bytes) -> None:
        before = int(self.ids[row])
        if before >= 0:
            if self._keys[before] == key:
                return
            self._hosts[before] -= 1
            if not self._hosts[before]:
                del self._place_of[self._keys[before]]
                self._free.append(before)
        place = self._place_of.get(key)
        if place is None:
            place = self._place_of[key] = self._take_place()
            self._keys[place] = key
            self.allocatable[:, place] = amounts.allocatable[:, row]
            self.requested[:, place] = amounts.requested[:, row]
            self.assumed[:, place] = amounts.assumed[:, row]
        self._hosts[place] += 1
        self.ids[row] = place

    def _take_place(self) -> int:
        if self._free:
            return self._free.pop()
        if self.size == self.allocatable.shape[1]:
            self.allocatable = grown(self.allocatable, 2 * self.size)
            self.requested = grown(self.requested, 2 * self.size)
            self.assumed = grown(self.assumed, 2 * self.size)
        self._keys.append(b"")
        self._hosts.append(0)
        self.size += 1
        return self.size - 1
