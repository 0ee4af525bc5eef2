"""PodFitsResources: what a pod requests must be free. Limits are ignored, requests are never over-committed."""

from __future__ import annotations

import numpy as np

from policies.scheduling.requests import PODS
from policies.scheduling.rules import AmountCheck, Check, Event, Finding, Reason
from policies.scheduling.shape import PodShape
from policies.scheduling.state.amounts import Amounts, AmountStates
from policies.scheduling.state.arrays import BoolArray, IntArray, Rows
from policies.scheduling.state.snapshot import Snapshot


class Resources:
    """CPU, memory, ephemeral storage, number of pods and extended resources.

    A resource of which nothing is requested is not looked at, even where it is over-committed.
    """

    name = "PodFitsResources"
    reads_requests_only = True
    helped_by = frozenset((Event.HOST_ADDED, Event.CAPACITY_ADDED, Event.POD_REMOVED))

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check:
        return _Resources(shape, snapshot)


class _Resources(AmountCheck):
    def __init__(self, shape: PodShape, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self._wanted = [
            (name, snapshot.resource(name), amount) for name, amount in shape.requests.items() if amount > 0
        ]

    def allowed_by(self, amounts: Amounts, rows: Rows) -> BoolArray:
        if isinstance(amounts, AmountStates):
            fits: BoolArray = amounts.free[self._wanted[-1][1], rows] >= self._wanted[-1][2]
            for _, index, amount in self._wanted[:-1]:
                if amounts.least_free[index] < amount:
                    fits &= amounts.free[index, rows] >= amount
            return fits
        _, index, amount = self._wanted[-1]  # `pods`, which every pod wants
        verdicts: BoolArray = amounts.allocatable[index, rows] - amounts.requested[index, rows] >= amount
        for _, index, amount in self._wanted[:-1]:
            verdicts &= amounts.allocatable[index, rows] - amounts.requested[index, rows] >= amount
        return verdicts

    def is_open_by(self, states: AmountStates, /) -> bool:
        return all(states.least_free[index] >= amount for _, index, amount in self._wanted)

    def allows(self, row: int) -> bool:
        allocatable, requested = self._snapshot.allocatable, self._snapshot.requested
        return all(allocatable[index, row] - requested[index, row] >= amount for _, index, amount in self._wanted)

    def reasons(self, row: int) -> tuple[Reason, ...]:
        return tuple(finding.reason for finding in self.tally(np.array([row])))

    def tally(self, rows: IntArray) -> list[Finding]:
        found: list[Finding] = []
        for name, index, amount in self._wanted:
            snapshot = self._snapshot
            free = np.maximum(snapshot.allocatable[index, rows] - snapshot.requested[index, rows], 0)
            lacking = free < amount
            number = int(np.count_nonzero(lacking))
            if number:
                nearest = int(np.where(lacking, free, -1).argmax())
                text = "too many pods" if name == PODS else f"insufficient {name}"
                reason = Reason(text, short=amount - int(free[nearest]), unit=name)
                found.append(Finding(reason, number, int(rows[nearest])))
        return found
