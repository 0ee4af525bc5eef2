"""A bug met on one object stays there: what raised is held with the reason and tried again with back-off.

The engine runs pieces of a step through here: a watch, a message, a host's assignment, the pruning, one object's file.
A piece that raises ends neither the process nor the step; everybody else goes on, and what failed is an event once and
a hold as long as it lasts (`berth describe`). Not for what is expected to fail: that is a value or has a `Hold`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from objects.api.meta import ObjectKey
from objects.errors import BerthError
from reconciler.controllers.base import Hold, Occurrence
from reconciler.state.failures import FailureBook

log = logging.getLogger(__name__)

Task = tuple[str, ObjectKey]
"""(what is done: a controller's name, `watch of …`, `assignment` …, for which object)."""

INTERNAL_ERROR = BerthError.reason

Attempt = Callable[[datetime], None]
"""A piece of work, with the time of the step. It looks at what is the case by then: an object may be gone."""


class Isolation:
    """Owned by the engine's thread. say: makes an event, of (occurrence, source, now)."""

    def __init__(self, say: Callable[[Occurrence, str, datetime], None]) -> None:
        self._say = say
        self._book: FailureBook[Task] = FailureBook()
        self._attempts: dict[Task, Attempt] = {}

    @property
    def next_at(self) -> datetime | None:
        """When the next one of what is held is tried again."""
        return self._book.next_at

    @property
    def holds(self) -> dict[Task, Hold]:
        """Why, and until when, things are left alone."""
        return {task: Hold(one.reason, one.message, one.retry_at) for task, one in self._book.items()}

    def keys(self, part: str) -> set[ObjectKey]:
        """What of one part failed and was not forgotten since."""
        return {key for (other, key), _ in self._book.items() if other == part} if self._book else set()

    def run(self, part: str, key: ObjectKey, attempt: Attempt, now: datetime) -> bool:
        """Do it, unless it failed and its time has not come. Returns whether it was done."""
        task = part, key
        if self._book.is_waiting(task, now):
            self._attempts[task] = attempt
            return False
        try:
            attempt(now)
        except Exception as error:  # noqa: BLE001 - see the module's docstring
            self.fail(part, key, error, attempt, now)
            return False
        self.forget(part, key)
        return True

    def is_waiting(self, part: str, key: ObjectKey, now: datetime) -> bool:
        """Whether it failed and its time has not come."""
        return bool(self._book) and self._book.is_waiting((part, key), now)

    def fail(self, part: str, key: ObjectKey, error: Exception, attempt: Attempt | None, now: datetime) -> None:
        """It raised: said once, and tried again later by `attempt`; None: by the caller, who asks `is_waiting`."""
        if attempt is not None:
            self._attempts[part, key] = attempt
        if self.is_waiting(part, key, now):
            return  # it was not its turn: the same again, which makes nobody wait for longer
        failure = self._book.note((part, key), error, now)
        if failure.is_news:
            log.error("%s of %s failed", part, key, exc_info=error)
            what = "" if isinstance(error, BerthError) else f"{part} failed: "
            self._say(Occurrence(key, "Warning", failure.reason, f"{what}{failure.message}"), part, now)

    def forget(self, part: str, key: ObjectKey) -> None:
        """It was done, or is not wanted any more."""
        if self._book:
            self._book.clear((part, key))
            self._attempts.pop((part, key), None)

    def retry_due(self, now: datetime) -> None:
        """Try again what is due."""
        for part, key in self._book.due(now) if self._book else ():
            if (part, key) in self._attempts:
                self.run(part, key, self._attempts[part, key], now)
