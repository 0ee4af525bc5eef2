"""What fails, by key: why, since when, and when it is tried again. One mechanism for the engine and for workers.

A failure stays where it happens: its key is left alone until its time has come, everybody else goes on. Nothing here
knows what a key stands for; times are arguments. A failure is said once: `is_news` tells what is worth an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import msgspec

from objects.errors import BerthError

Key = TypeVar("Key")

FIRST_SECONDS = 1.0
MOST_SECONDS = 300.0
"""As a kubelet's longest back-off: a person who has put something right waits no longer than that."""


class Failure(msgspec.Struct, frozen=True):
    """reason: CamelCase. since: of the first of these failures in a row; count: how many there were.

    retry_at: when it is tried again. is_news: the one before said something else, or there was none.
    """

    reason: str
    message: str
    since: datetime
    retry_at: datetime
    count: int = 1
    is_news: bool = True


class FailureBook(Generic[Key]):
    """Owned by one thread. first_seconds, most_seconds: the pause after the first failure, doubled by each further one
    up to the most.
    """

    def __init__(self, *, first_seconds: float = FIRST_SECONDS, most_seconds: float = MOST_SECONDS) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self._failures: dict[Key, Failure] = {}

    def __len__(self) -> int:
        return len(self._failures)

    def items(self) -> Iterator[tuple[Key, Failure]]:
        yield from self._failures.items()

    def find(self, key: Key) -> Failure | None:
        return self._failures.get(key)

    def note(self, key: Key, error: Exception, now: datetime) -> Failure:
        """`key` failed with `error`: when it is tried again."""
        reason, message = reason_of(error), message_of(error)
        before = self._failures.get(key)
        count = before.count + 1 if before is not None else 1
        failure = Failure(
            reason=reason,
            message=message,
            since=before.since if before is not None else now,
            retry_at=now + timedelta(seconds=pause_seconds(count, first=self._first, most=self._most)),
            count=count,
            is_news=before is None or (before.reason, before.message) != (reason, message),
        )
        self._failures[key] = failure
        return failure

    def clear(self, key: Key) -> bool:
        """`key` works, or is not wanted any more. Returns whether it had failed."""
        return self._failures.pop(key, None) is not None

    def is_waiting(self, key: Key, now: datetime) -> bool:
        """Whether `key` failed and its time has not come. A clock that was set back holds nobody for longer."""
        failure = self._failures.get(key)
        return failure is not None and now < failure.retry_at <= now + timedelta(seconds=self._most)

    def due(self, now: datetime) -> list[Key]:
        """Keys that are to be tried again."""
        return [key for key in self._failures if not self.is_waiting(key, now)]

    @property
    def next_at(self) -> datetime | None:
        """When the next one is to be tried again."""
        return min((failure.retry_at for failure in self._failures.values()), default=None)


def pause_seconds(count: int, *, first: float = FIRST_SECONDS, most: float = MOST_SECONDS) -> float:
    """How long is waited after the count-th failure in a row.

    count  first  most ->  seconds
        1      1   300           1
        4      1   300           8
       12      1   300         300
    """
    return min(most, first * 2.0 ** min(count - 1, 30))


def reason_of(error: Exception) -> str:
    """The closed CamelCase reason; of what is not ours a bug's."""
    return error.reason if isinstance(error, BerthError) else BerthError.reason


def message_of(error: Exception) -> str:
    """One sentence; of a bug with the kind of exception, since its text alone says little."""
    return str(error) if isinstance(error, BerthError) else f"{type(error).__name__}: {error}"
