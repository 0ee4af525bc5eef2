"""Which controllers have to look at which keys, and when: the work queue of the engine. Runs them, decides nothing.

Controllers run in the order in which they are given, whatever became dirty first: so a host that was lost is known
before anybody gives up a pod because enough others are there. A controller that raises, or that wants the same key
again and again, is held for that key with the reason and tried again with back-off; the others go on. A watch that
raises holds the object whose change it was to judge, in the same way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from objects.api.meta import KubeObject, ObjectKey
from objects.errors import BerthError
from reconciler.controllers.base import Concerns, Context, Controller, Hold, KeysFor, Occurrence, Outcome
from reconciler.core.isolation import Isolation, Task
from reconciler.state.failures import FailureBook
from reconciler.state.store import View

MAX_ROUNDS_PER_KEY = 50
"""A controller that wants the same key again this often within one step contradicts itself or another one."""


class LoopBreaker(BerthError):
    """A controller that does not come to rest."""

    reason = "LoopBreaker"


class ControllerLoop:
    """Owned by the engine. controllers: in their order, those that find facts before those that decide by them.

    holds: why a task that wants something does nothing, as last said.
    """

    def __init__(self, controllers: Sequence[Controller], isolation: Isolation | None = None) -> None:
        """isolation: holds objects whose watch raised."""
        self.controllers = tuple(controllers)
        self._isolation = isolation or Isolation(lambda *_: None)
        self._failures: FailureBook[Task] = FailureBook()
        # Of the last step: exact enough for a back-off.
        self._now = datetime.min.replace(tzinfo=UTC)
        self.holds: dict[Task, Hold] = {}
        self._by_name = {controller.name: controller for controller in controllers}
        # By kind, and by what they are concerned with, so that this is asked once for all of them.
        self._watches: dict[str, dict[Concerns | None, list[tuple[str, KeysFor]]]] = {}
        for controller in controllers:
            for kind, watch in controller.watches.items():
                alike = self._watches.setdefault(kind, {}).setdefault(controller.concerns.get(kind), [])
                alike.append((controller.name, watch))
        self._dirty: dict[str, dict[ObjectKey, None]] = {controller.name: {} for controller in controllers}
        self._timers: list[tuple[datetime, Task]] = []
        self._due: dict[Task, datetime] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no key waits to be looked at."""
        return not any(self._dirty.values())

    @property
    def wake_at(self) -> datetime | None:
        """When the next task is due by the clock."""
        while self._timers and self._due.get(self._timers[0][1]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def mark(self, view: View, old: KubeObject | None, new: KubeObject | None) -> None:
        """An object came, changed or went: every controller that it concerns has to look."""
        there = [obj for obj in (old, new) if obj is not None]
        for concerns, watches in self._watches.get(there[0].KIND, {}).items():
            try:
                if concerns is not None and len(there) == 2 and not concerns(view, old, new):
                    continue
            except Exception as error:  # noqa: BLE001 - one object's bug must not stop the others
                for name, watch in watches:
                    self._hold_watch(view, there[-1], name, watch, error)
                continue
            for name, watch in watches:
                self._mark_one(view, there, name, watch)

    def _mark_one(self, view: View, there: list[KubeObject], name: str, watch: KeysFor) -> None:
        dirty = self._dirty[name]
        try:
            for obj in there:
                for key in watch(view, obj):
                    dirty[key] = None
        except Exception as error:  # noqa: BLE001 - one object's bug must not stop the others
            self._hold_watch(view, there[-1], name, watch, error)

    def _hold_watch(self, view: View, obj: KubeObject, name: str, watch: KeysFor, error: Exception) -> None:
        def again(_: datetime) -> None:
            for key in watch(view, view.find(obj.key) or obj):
                self._dirty[name][key] = None

        self._isolation.fail(f"watch of {name}", obj.key, error, again, self._now)

    def mark_due(self, now: datetime) -> None:
        """Everything whose time has come."""
        self._now = now
        while (at := self.wake_at) is not None and at <= now:
            _, (name, key) = heapq.heappop(self._timers)
            del self._due[name, key]
            self._dirty[name][key] = None

    def run(
        self, view: View, context: Context, carry_out: Callable[[str, Outcome], None], rounds: dict[Task, int]
    ) -> None:
        """Run tasks, also those that `carry_out` makes dirty, until none is left.

        carry_out: (controller's name, outcome) → writes it. rounds: runs so far in this step, kept by the caller.
        """
        while (name := next((name for name, keys in self._dirty.items() if keys), None)) is not None:
            # All its keys before anybody else: a hundred pods that are tidied away are one change to their owner.
            for key in (*self._dirty[name],):
                del self._dirty[name][key]
                task = name, key
                try:
                    carry_out(name, self._run_one(task, view, context, rounds))
                except Exception as error:  # noqa: BLE001 - what it wants cannot be written: its bug as well
                    outcome = self._failed(task, error, context.now)
                    self._remember(task, outcome)
                    carry_out(name, outcome)

    def _run_one(self, task: Task, view: View, context: Context, rounds: dict[Task, int]) -> Outcome:
        name, key = task
        if self._failures and self._failures.is_waiting(task, context.now):
            return Outcome(hold=self.holds.get(task), again_at=self._due.get(task))
        rounds[task] = rounds.get(task, 0) + 1
        if rounds[task] > MAX_ROUNDS_PER_KEY:
            message = f"{name} wanted {key} {MAX_ROUNDS_PER_KEY} times in one step without coming to rest"
            outcome = self._failed(task, LoopBreaker(message), context.now)
        else:
            outcome = self._reconcile(task, view, context)
        self._remember(task, outcome)
        return outcome

    def _reconcile(self, task: Task, view: View, context: Context) -> Outcome:
        name, key = task
        try:
            outcome = self._by_name[name].reconcile(view, key, context)
        except Exception as error:  # noqa: BLE001 - one object's bug must not stop the others; it is said as an event
            return self._failed(task, error, context.now)
        if self._failures:
            self._failures.clear(task)
        return outcome

    def _failed(self, task: Task, error: Exception, now: datetime) -> Outcome:
        """Held until it is tried again; an event when that is news."""
        failure = self._failures.note(task, error, now)
        name, key = task
        said = failure.message if isinstance(error, LoopBreaker) else f"{name} failed: {failure.message}"
        return Outcome(
            occurrences=(Occurrence(key, "Warning", failure.reason, said),) if failure.is_news else (),
            hold=Hold(failure.reason, said, failure.retry_at),
            again_at=failure.retry_at,
        )

    def _remember(self, task: Task, outcome: Outcome) -> None:
        if outcome.hold is not None:
            self.holds[task] = outcome.hold
        else:
            self.holds.pop(task, None)
        if outcome.again_at is None:
            self._due.pop(task, None)
        elif self._due.get(task) != outcome.again_at:
            self._due[task] = outcome.again_at
            heapq.heappush(self._timers, (outcome.again_at, task))
