"""Priorities about free resources: spread the load, or pack it, and keep CPU and memory in balance.

Formulas: kube-scheduler `noderesources` (tables of the same name).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from policies.scheduling.requests import CPU, MEMORY
from policies.scheduling.rules import MAX_SCORE, AmountScorer, Priority, Scorer
from policies.scheduling.shape import PodShape
from policies.scheduling.state.amounts import Amounts, AmountStates
from policies.scheduling.state.arrays import FloatArray, IntArray, Rows
from policies.scheduling.state.snapshot import Snapshot

_POINTS_FOR_EVEN = MAX_SCORE // 2 + MAX_SCORE // 4
"""BalancedResourceAllocation where nothing can be out of balance."""
# As arrays: NumPy takes longer to look at a Python number than to add it to three hundred others.
_ONE_BIT, _ONE_AND_A_HALF_SCORE = np.array(1), np.array(3 * MAX_SCORE // 2)
_TWO, _HALF_SCORE = np.array(2.0), np.array(MAX_SCORE / 2)
_ASSUMED_LINE = {CPU: 0, MEMORY: 1}
"""CPU and memory count with what unsaid requests are assumed to be, other resources as they are requested."""


class _Amounts:
    """Capacity of one resource and what is taken of it, this pod included."""

    def __init__(self, resource: str, weight: int, shape: PodShape, snapshot: Snapshot) -> None:
        self.weight = weight
        self._snapshot = snapshot
        self._index = snapshot.resource(resource)
        self.line = _ASSUMED_LINE.get(resource)
        if self.line is None:
            self.wanted = shape.requests.get(resource, 0)
        else:
            self.wanted = shape.assumed_cpu if resource == CPU else shape.assumed_memory

    def capacity(self, amounts: Amounts, rows: Rows) -> IntArray:
        return amounts.allocatable[self._index, rows]

    def of(self, row: int) -> tuple[int, int]:
        """Capacity and what is taken of it, of one host."""
        snapshot = self._snapshot
        before = snapshot.requested[self._index, row] if self.line is None else snapshot.assumed[self.line, row]
        return int(snapshot.allocatable[self._index, row]), int(before) + self.wanted

    def taken(self, amounts: Amounts, rows: Rows) -> IntArray:
        before = amounts.requested[self._index, rows] if self.line is None else amounts.assumed[self.line, rows]
        return before + self.wanted


def _amounts_of(resources: dict[str, int], shape: PodShape, snapshot: Snapshot) -> list[_Amounts]:
    """By weighted resource. An extended resource only matters to pods that ask for it."""
    return [
        _Amounts(name, weight, shape, snapshot)
        for name, weight in resources.items()
        if name in _ASSUMED_LINE or shape.requests.get(name, 0)
    ]


class _Allocation(AmountScorer):
    """The weighted mean over resources of one score each; a resource that a host does not have is left out."""

    def __init__(self, amounts: list[_Amounts], snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self._amounts = amounts

    def raw_by(self, amounts: Amounts, rows: Rows) -> IntArray:
        total: IntArray | int = 0
        weights: IntArray | int = 0
        for amount in self._amounts:
            capacity = amount.capacity(amounts, rows)
            has = capacity > 0
            score = self._score(np.maximum(capacity, 1), amount.taken(amounts, rows))
            total = total + score * has * amount.weight
            weights = weights + has * amount.weight
        return np.asarray(total // np.maximum(weights, 1), dtype=np.int64)

    def raw_of(self, row: int) -> int:
        total = weights = 0
        for amount in self._amounts:
            capacity, taken = amount.of(row)
            if capacity > 0:
                total += self._score_one(capacity, taken) * amount.weight
                weights += amount.weight
        return total // weights if weights else 0

    @abstractmethod
    def _score(self, capacity: IntArray, taken: IntArray) -> IntArray:
        """One resource: 0…100 a row; capacity is above 0."""

    @abstractmethod
    def _score_one(self, capacity: int, taken: int) -> int:
        """The same for one host."""


class _Least(_Allocation):
    def _score(self, capacity: IntArray, taken: IntArray) -> IntArray:
        score: IntArray = np.maximum(capacity - taken, 0) * MAX_SCORE // capacity
        return score

    def _score_one(self, capacity: int, taken: int) -> int:
        return max(capacity - taken, 0) * MAX_SCORE // capacity


class _Most(_Allocation):
    def _score(self, capacity: IntArray, taken: IntArray) -> IntArray:
        score: IntArray = np.minimum(taken, capacity) * MAX_SCORE // capacity
        return score

    def _score_one(self, capacity: int, taken: int) -> int:
        return min(taken, capacity) * MAX_SCORE // capacity


class LeastRequested:
    """(capacity - requested) · 100 / capacity, averaged: the emptiest host wins.

    capacity 4000  requested 1000 -> 75    requested 4000 or more -> 0
    """

    name = "LeastRequestedPriority"
    reads_requests_only = True
    weight = 1
    flat_score = 0

    def __init__(self, resources: dict[str, int] | None = None) -> None:
        self._resources = {CPU: 1, MEMORY: 1} if resources is None else resources
        self.is_usual = self._resources == {CPU: 1, MEMORY: 1}

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer | None:
        amounts = _amounts_of(self._resources, shape, snapshot)
        return _Least(amounts, snapshot) if amounts else None


class MostRequested:
    """requested · 100 / capacity, averaged: the fullest host wins, so that others stay empty. Off by default."""

    name = "MostRequestedPriority"
    reads_requests_only = True
    weight = 0
    flat_score = 0

    def __init__(self, resources: dict[str, int] | None = None) -> None:
        self._resources = {CPU: 1, MEMORY: 1} if resources is None else resources

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer | None:
        amounts = _amounts_of(self._resources, shape, snapshot)
        return _Most(amounts, snapshot) if amounts else None


class BalancedAllocation:
    """Hosts whose CPU and memory are used alike, and become more alike with this pod, win.

    With d the standard deviation of the used fractions and s = int((1 - d) · 100), with and without the pod:
    score = 50 + (50 + s_with - s_without) / 2. Pods that request nothing get no score.

    without .0 .0  with .5 .5 -> 75    without 1 0  with 1 1 -> 100    without 0 0  with 0 1 -> 50
    """

    name = "BalancedResourceAllocation"
    reads_requests_only = True
    weight = 1
    flat_score = 0

    def __init__(self, resources: tuple[str, ...] = (CPU, MEMORY)) -> None:
        self._resources = resources
        self.is_usual = resources == (CPU, MEMORY)

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer | None:
        asked = any(shape.requests.get(name, 0) for name in self._resources)
        return _Balanced(self._resources, shape, snapshot) if asked else None


class _Balanced(AmountScorer):
    def __init__(self, resources: tuple[str, ...], shape: PodShape, snapshot: Snapshot) -> None:
        super().__init__(snapshot)
        self._wanted = [
            (snapshot.resource(name), shape.requests.get(name, 0))
            for name in resources
            if name in _ASSUMED_LINE or shape.requests.get(name, 0)
        ]

    def raw_by(self, amounts: Amounts, rows: Rows) -> IntArray:
        half = MAX_SCORE // 2
        before = self._evenness(amounts, rows, with_pod=False)
        return half + ((half + self._evenness(amounts, rows, with_pod=True) - before) >> 1)

    def raw_of(self, row: int) -> int:
        if len(self._wanted) > 2:
            return super().raw_of(row)
        snapshot = self._snapshot
        before: list[float] = []
        after: list[float] = []
        for index, wanted in self._wanted:
            capacity, taken = int(snapshot.allocatable[index, row]), int(snapshot.requested[index, row])
            if capacity > 0:
                before.append(min(taken / capacity, 1.0))
                after.append(min((taken + wanted) / capacity, 1.0))
        if len(before) < 2:
            return _POINTS_FOR_EVEN
        s_before = int((1 - abs(before[0] - before[1]) / 2) * MAX_SCORE)
        s_after = int((1 - abs(after[0] - after[1]) / 2) * MAX_SCORE)
        return MAX_SCORE // 2 + (MAX_SCORE // 2 + s_after - s_before) // 2

    def _evenness(self, amounts: Amounts, rows: Rows, *, with_pod: bool) -> IntArray:
        fractions: list[FloatArray] = []
        places: IntArray | int = 0
        for index, wanted in self._wanted:
            capacity = amounts.allocatable[index, rows]
            taken = amounts.requested[index, rows] + (wanted if with_pod else 0)
            has = capacity > 0
            fractions.append(np.where(has, np.minimum(taken / np.maximum(capacity, 1), 1.0), np.nan))
            places = places + has
        deviation = _deviation(fractions, np.asarray(places))
        return ((1 - deviation) * MAX_SCORE).astype(np.int64)


def _deviation(fractions: list[FloatArray], places: IntArray) -> FloatArray:
    """Standard deviation over the fractions that are numbers, of which each host has `places`.

    Two have a formula of their own in Kubernetes, whose rounding differs from the general one.
    """
    greatest = np.fmax.reduce(fractions)
    least = np.fmin.reduce(fractions)
    halved = (greatest - least) / 2
    if len(fractions) > 2:
        present = [np.nan_to_num(fraction) for fraction in fractions]
        mean = sum(present[1:], start=present[0]) / np.maximum(places, 1)
        squares = [np.nan_to_num((fraction - mean) ** 2) for fraction in fractions]
        general = np.sqrt(sum(squares[1:], start=squares[0]) / np.maximum(places, 1))
        halved = np.where(places > 2, general, halved)
    return np.where(places > 1, halved, 0.0)


class UsualScores:
    """LeastRequestedPriority and BalancedResourceAllocation as nearly everybody has them: CPU and memory alone.

    What both say of states of hosts, weighted and summed, in few operations over arrays. Pods that request
    neither get no score for balance.
    """

    def __init__(self, shape: PodShape, least_weight: int, balanced_weight: int) -> None:
        cpu, memory = shape.requests.get(CPU, 0), shape.requests.get(MEMORY, 0)
        balanced_weight = balanced_weight if cpu or memory else 0
        taken = (MAX_SCORE * shape.assumed_cpu, MAX_SCORE * shape.assumed_memory)
        self._least_weight, self._balanced_weight = least_weight, balanced_weight
        self._assumed = shape.assumed_cpu, shape.assumed_memory
        self._requested = cpu, memory
        wanted = (*taken, -cpu, -memory) if balanced_weight else taken
        self._wanted: FloatArray = np.array(wanted, dtype=np.float64).reshape(-1, 1)

    def of(self, states: AmountStates, rows: Rows) -> IntArray:
        """By place; `states` must be plain."""
        number = len(self._wanted)
        lines: FloatArray = states.lines[:number, rows] - self._wanted
        np.divide(lines, states.capacities[:number, rows], lines)
        if states.least_unassumed[0] < self._assumed[0] or states.least_unassumed[1] < self._assumed[1]:
            np.maximum(lines[:2], 0.0, out=lines[:2])
        scores: IntArray
        scores, memory = lines[:2].astype(np.int64)
        np.add(scores, memory, scores)
        np.right_shift(scores, _ONE_BIT, scores)
        if self._least_weight != 1:
            scores *= self._least_weight
        if self._balanced_weight:
            if states.least_free[0] < self._requested[0] or states.least_free[1] < self._requested[1]:
                np.minimum(lines[2:], 1.0, out=lines[2:])
            np.add(scores, self._balance(lines[2], lines[3], states.evenness[rows]), scores)
        return scores

    def _balance(self, cpu: FloatArray, memory: FloatArray, before: IntArray) -> IntArray:
        """Of the shares that are used with the pod; those of CPU are written over."""
        np.subtract(cpu, memory, cpu)
        np.abs(cpu, cpu)
        # (2 - d) · 50 is (1 - d / 2) · 100 to the last bit: halves and doubles are exact.
        np.subtract(_TWO, cpu, cpu)
        np.multiply(cpu, _HALF_SCORE, cpu)
        after: IntArray = cpu.astype(np.int64)
        np.subtract(after, before, after)
        np.add(after, _ONE_AND_A_HALF_SCORE, after)
        np.right_shift(after, _ONE_BIT, after)
        if self._balanced_weight != 1:
            after *= self._balanced_weight
        return after


def usual_weights(priorities: Sequence[tuple[Priority, int]]) -> tuple[int, int] | None:
    """For `UsualScores`, from all priorities that read nothing but requests; None when those are not the usual two."""
    match priorities:
        case [(LeastRequested(is_usual=True), least), (BalancedAllocation(is_usual=True), balanced)]:
            return least, balanced
        case _:
            return None
