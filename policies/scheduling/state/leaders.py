"""Of the hosts in one state the one that wins: they differ in nothing but the tie-break hash."""

from __future__ import annotations

import heapq
from typing import Final

import numpy as np

from policies.scheduling.state.amounts import AmountStates
from policies.scheduling.state.arrays import BoolArray, IntArray, Mark, grown

NOBODY: Final = -(2**62)
"""In place of a hash where no host is in a state: below all that a score adds to it."""


class StateLeaders:
    """By place of `AmountStates`, the open host with the greatest hash: `tie` and `row`.

    ties: a hash by row. is_open: by row, the hosts that are looked at. Neither is ever changed.
    """

    def __init__(self, states: AmountStates, ties: IntArray, is_open: BoolArray) -> None:
        self.ties = ties
        self.is_open = is_open
        self._states = states
        self._mark: Mark = -1
        self.tie: IntArray = np.zeros(0, dtype=np.int64)
        self.row: list[int] = []
        # What is looked at host by host is in lists, whose items take a third of the time.
        self._tie_of: list[int] = ties.tolist()
        self._open: list[bool] = is_open.tolist()
        self._place_of: list[int] = []
        self._members: list[int] = []
        self._waiting: dict[int, list[tuple[int, int]]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in which hosts changed their state."""
        states = self._states
        entries = states.moved.since(self._mark)
        self._mark = states.moved.mark()
        if entries is None:
            self._start()
            return
        if len(self.tie) < states.size:
            known, places = len(self.tie), states.allocatable.shape[1]
            self.tie = grown(self.tie, places)
            self.tie[known:] = NOBODY
            self.row += [-1] * (places - known)
            self._members += [0] * (places - known)
        for row in entries:
            if self._open[row]:
                self._follow(row)

    def _start(self) -> None:
        states = self._states
        places = states.allocatable.shape[1]
        self.tie = np.full(places, NOBODY, dtype=np.int64)
        leaders = np.full(places, -1, dtype=np.int64)
        rows = np.flatnonzero(self.is_open)
        # Of those that are written to one place the last one stays.
        rows = rows[np.lexsort((-rows, self.ties[rows]))]
        self.tie[states.ids[rows]] = self.ties[rows]
        leaders[states.ids[rows]] = rows
        self.row = leaders.tolist()
        self._place_of = states.ids.tolist()
        self._members = np.bincount(states.ids[rows], minlength=places).tolist()
        self._waiting = {}

    def _follow(self, row: int) -> None:
        """A host may be in another state now."""
        before, place = self._place_of[row], int(self._states.ids[row])
        if before == place:
            return
        self._place_of[row] = place
        self._members[before] -= 1
        self._members[place] += 1
        tie = self._tie_of[row]
        if self.row[before] == row:
            self._find_next(before)
        if place in self._waiting:
            heapq.heappush(self._waiting[place], (-tie, row))
        leader = self.row[place]
        if leader < 0 or (-tie, row) < (-self._tie_of[leader], leader):
            self.tie[place] = tie
            self.row[place] = row

    def _find_next(self, place: int) -> None:
        """The leader of a place left."""
        if not self._members[place]:
            self.tie[place], self.row[place] = NOBODY, -1
            self._waiting.pop(place, None)
            return
        waiting = self._waiting.get(place)
        if waiting is None:
            here = (row for row, where in enumerate(self._place_of) if where == place and self._open[row])
            waiting = sorted((-self._tie_of[row], row) for row in here)
            if len(waiting) > 1:
                self._waiting[place] = waiting
        while waiting and self._place_of[waiting[0][1]] != place:
            heapq.heappop(waiting)
        self.tie[place], self.row[place] = -waiting[0][0], waiting[0][1]
