"""The array types of this package and the two ways to remember what changed. No rules here.

Rows are hosts. Every array over rows is at least as long as the snapshot's `size`; rows of removed hosts stay, dead,
until another host takes them.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.int64]
FloatArray: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = slice
"""Some hosts: always a slice, so that arrays are viewed and not copied. One host is `one_row(row)`."""

Cell = TypeVar("Cell", bound="np.generic[Any]")

_JOURNAL_LIMIT: Final = 32768
"""Whoever is further behind than this recounts: cheaper than replaying, and the journal stays small."""


def one_row(row: int) -> Rows:
    return slice(row, row + 1)


def grown(array: NDArray[Cell], capacity: int) -> NDArray[Cell]:
    """A copy whose last axis has `capacity` places, new ones zero."""
    larger: NDArray[Cell] = np.zeros((*array.shape[:-1], capacity), dtype=array.dtype)
    larger[..., : array.shape[-1]] = array
    return larger


Mark: TypeAlias = int
"""A place in a journal. Places only grow; what was forgotten lies before the journal's first."""


class Journal:
    """Numbers appended in order of change; readers keep a `Mark` and read on from there."""

    __slots__ = ("_entries", "_first")

    def __init__(self) -> None:
        self._entries: list[int] = []
        self._first: Mark = 0

    def append(self, entry: int) -> None:
        if len(self._entries) >= _JOURNAL_LIMIT:
            self.forget()
        self._entries.append(entry)

    def forget(self) -> None:
        """Every reader must start anew."""
        # One more than there were entries: not even who has read them all is up to date.
        self._first += len(self._entries) + 1
        self._entries = []

    def mark(self) -> Mark:
        return self._first + len(self._entries)

    def since(self, mark: Mark) -> list[int] | None:
        """What was appended after `mark`; None when that is no longer known."""
        if mark < self._first:
            return None
        return self._entries[mark - self._first :]
