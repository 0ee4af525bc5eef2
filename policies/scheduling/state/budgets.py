"""Disruption budgets as preemption sees them: how many pods of each may still be pushed aside.

What a budget allows is computed by `policies.disruption` and told to the snapshot; decisions of this process count
against it at once, until the next telling.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from objects.api.meta import LabelSelector, ObjectKey
from objects.selectors import requirements_match
from policies.scheduling.matching import Requirements, hashable_selector
from policies.scheduling.shape import ClassKey
from policies.scheduling.state.occupants import Occupant


class _Budget(NamedTuple):
    selector: Requirements
    allowed: int
    exempt: frozenset[str]


class BudgetIndex:
    """Budgets by namespace. version moves when what is allowed changes."""

    def __init__(self) -> None:
        self._budgets: dict[str, dict[ObjectKey, _Budget]] = {}
        self._matching: dict[ClassKey, tuple[ObjectKey, ...]] = {}
        self.version = 0

    def set(self, key: ObjectKey, selector: LabelSelector | None, allowed: int, exempt: Iterable[str] = ()) -> None:
        """Take over a budget. exempt: names of pods whose disruption is counted in `allowed` already.

        A budget without selector, or with an empty one, protects nothing, as in Kubernetes.
        """
        requirements = hashable_selector(selector)
        if not requirements:
            self.remove(key)
            return
        budget = _Budget(requirements, allowed, frozenset(exempt))
        budgets = self._budgets.setdefault(key.namespace, {})
        if budgets.get(key) != budget:
            budgets[key] = budget
            self._changed()

    def remove(self, key: ObjectKey) -> None:
        if self._budgets.get(key.namespace, {}).pop(key, None) is not None:
            self._changed()

    def _changed(self) -> None:
        self._matching.clear()
        self.version += 1

    def consume(self, victim: Occupant) -> None:
        """A pod was chosen as a victim: its budgets allow one less."""
        namespace, name = victim.pod.namespace, victim.pod.name
        for key in self._of(victim):
            budget = self._budgets[namespace][key]
            self._budgets[namespace][key] = budget._replace(allowed=budget.allowed - 1, exempt=budget.exempt | {name})
            self.version += 1

    def split(self, victims: Iterable[Occupant]) -> tuple[list[Occupant], list[Occupant]]:
        """Those whose loss would break a budget, and the others. The first ones use up what is allowed."""
        if not self._budgets:
            return [], list(victims)
        left: dict[ObjectKey, int] = {}
        breaking: list[Occupant] = []
        harmless: list[Occupant] = []
        for victim in victims:
            breaks = False
            for key in self._of(victim):
                budget = self._budgets[key.namespace][key]
                if victim.pod.name in budget.exempt:
                    continue
                left[key] = left.get(key, budget.allowed) - 1
                breaks |= left[key] < 0
            (breaking if breaks else harmless).append(victim)
        return breaking, harmless

    def _of(self, victim: Occupant) -> tuple[ObjectKey, ...]:
        """The budgets that protect a pod."""
        class_key = victim.shape.class_key
        found = self._matching.get(class_key)
        if found is None:
            labels = victim.shape.labels
            found = self._matching[class_key] = tuple(
                key
                for key, budget in self._budgets.get(class_key.namespace, {}).items()
                if labels and requirements_match(budget.selector, labels)
            )
        return found
