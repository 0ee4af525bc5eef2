"""What is derived from the hosts of a snapshot and shared by all shapes that need the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from policies.scheduling.state.amounts import AmountStates
from policies.scheduling.state.arrays import BoolArray, IntArray
from policies.scheduling.state.leaders import StateLeaders

_MOST_LEADERS: Final = 16
_MOST_REMEMBERED: Final = 1024

Remembered = TypeVar("Remembered")


class Derived:
    """All of it stands on one structure of the snapshot (`Snapshot.structure`) and goes with it."""

    def __init__(self, states: AmountStates) -> None:
        self._states = states
        self._structure = -1
        self._remembered: dict[tuple[object, ...], object] = {}
        self._leaders: dict[tuple[int, int], StateLeaders] = {}

    def remember(self, structure: int, key: tuple[object, ...], make: Callable[[], Remembered]) -> Remembered:
        """What `make` gives, once for all who ask by the same key, until `structure` is another one."""
        if self._structure != structure:
            self._remembered.clear()
            self._leaders.clear()
            self._structure = structure
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key] = make()
        return found  # type: ignore[return-value]

    def leaders_of(self, ties: IntArray, is_open: BoolArray) -> StateLeaders:
        """The winners among hosts in one state, up to date as the states are; kept for the very arrays given."""
        key = (id(ties), id(is_open))
        found = self._leaders.get(key)
        if found is None:
            if len(self._leaders) >= _MOST_LEADERS:
                del self._leaders[next(iter(self._leaders))]
            # The arrays are held by what is made of them, so that nobody else gets their identities.
            found = self._leaders[key] = StateLeaders(self._states, ties, is_open)
        else:
            found.refresh()
        return found
