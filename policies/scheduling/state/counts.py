"""How many pods of a kind run on each host and in each topology domain, kept up to date change by change."""

from __future__ import annotations

from typing import Final

import numpy as np

from policies.scheduling.state.arrays import (
    BoolArray,
    IntArray,
    Journal,
    grown,
)
from policies.scheduling.state.columns import ABSENT, LabelColumn

_RECOUNT: Final = 64
"""More changes than this are cheaper to count anew than to replay."""


class HostCount:
    """A number for each host that changes by small steps. journal: one entry a step, `row` up, `~row` down."""

    __slots__ = ("journal", "per_row", "total")

    def __init__(self, capacity: int) -> None:
        self.per_row: IntArray = np.zeros(capacity, dtype=np.int64)
        self.total = 0
        self.journal = Journal()

    def step(self, row: int, delta: int) -> None:
        """delta: 1 or -1."""
        self.per_row[row] += delta
        self.total += delta
        self.journal.append(row if delta > 0 else ~row)

    def add_many(self, row: int, amount: int) -> None:
        self.per_row[row] += amount
        self.total += amount
        self.journal.forget()

    def grow(self, capacity: int) -> None:
        self.per_row = grown(self.per_row, capacity)
        self.journal.forget()


class DomainTally:
    """A `HostCount` summed over the hosts that share a label value: the last place is "no such label", always 0.

    eligible: only these hosts count (None: all). Valid while labels of hosts stay the same: who holds a tally drops it
    when `Snapshot.structure` moves.
    """

    __slots__ = ("_count", "_eligible", "_ids", "_mark", "column", "per_domain")

    def __init__(self, count: HostCount, column: LabelColumn, eligible: BoolArray | None = None) -> None:
        self.column = column
        self._count = count
        self._ids = column.ids
        self._eligible = eligible
        self._recount()

    def _recount(self) -> None:
        """Count from nothing."""
        self._mark = self._count.journal.mark()
        rows = np.flatnonzero(self._count.per_row)
        if self._eligible is not None:
            rows = rows[self._eligible[rows]]
        places = len(self.column.values) + 1
        ids = self._ids[rows] % places
        self.per_domain: IntArray = np.bincount(ids, weights=self._count.per_row[rows], minlength=places).astype(
            np.int64
        )
        self.per_domain[ABSENT] = 0

    def refresh(self) -> bool:
        """Take in what changed; says whether anything did."""
        entries = self._count.journal.since(self._mark)
        if entries is None or len(entries) > _RECOUNT:
            self._recount()
            return True
        if not entries:
            return False
        changed = False
        for entry in entries:
            row, delta = (entry, 1) if entry >= 0 else (~entry, -1)
            domain = int(self._ids[row])
            if domain != ABSENT and (self._eligible is None or self._eligible[row]):
                self.per_domain[domain] += delta
                changed = True
        self._mark = self._count.journal.mark()
        return changed

    def spread_over(self, size: int) -> IntArray:
        """The tally of each host's domain, 0 for hosts outside any."""
        return self.per_domain[self._ids[:size]]
