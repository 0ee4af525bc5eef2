"""Questions that hold no thread while they wait: a coroutine, run on by whoever has news for it. Without asyncio.

What is asked is written once, as a coroutine over a `Stream`. Over streams that wait it is run to its end in the
caller's thread (`run_waiting`); over those that are told (`hosts.streams.notified`) a `QuestionRun` runs it, mostly in
the connection's own thread, as far as it gets with what has come. Two yields are all that a coroutine may suspend with:
`news` and `pause`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")
Clock = Callable[[], float]
Question = Coroutine[Any, None, T]


class Stream(Protocol):
    """Bytes to and from a peer, with the deadline of the question that opened it."""

    async def send(self, block: bytes) -> None:
        """Raises HostError, or what says that the peer's end failed."""

    async def receive(self) -> bytes:
        """What has come, b"" at the end. Raises as `send`."""

    def close(self) -> None:
        """End it at once, whatever the peer still says. Idempotent."""


class Pause(NamedTuple):
    """Of the clock: to be gone on with when anybody is up anyway from `earliest` on, in any case at `latest`."""

    earliest: float
    latest: float


class _Suspension:
    def __init__(self, until: Pause | None) -> None:
        self._until = until

    def __await__(self) -> Generator[Pause | None, None, None]:
        yield self._until


def news() -> _Suspension:
    """Wait for anything to happen to a stream of this flow, or for its time to be over."""
    return _Suspension(None)


async def pause(clock: Clock, seconds: float, *, most_seconds: float = 0.0) -> None:
    """Go on `seconds` later, or up to `most_seconds` later: then it may share somebody else's wake-up."""
    earliest = clock() + seconds
    until = Pause(earliest, earliest + max(0.0, most_seconds - seconds))
    while clock() < earliest:
        await _Suspension(until)


def run_waiting(question: Question[T], clock: Clock) -> T:
    """Run a question whose streams wait by themselves."""
    while True:
        try:
            until = question.send(None)
        except StopIteration as stop:
            answer: T = stop.value
            return answer
        assert until is not None, "a stream that is told has nobody here to tell it"
        time.sleep(max(0.0, until.earliest - clock()))


class QuestionRun(Generic[T]):
    """One question on its way. `resume` may be called by any thread, also by several; it never waits for another one.

    on_end: gets what the question returned, or what it raised; called once. call_at: has `resume` called then. Whoever
    made the flow has to hold it: channels are held by nobody else while they wait.
    """

    def __init__(
        self,
        question: Question[T],
        *,
        call_at: Callable[[Pause, QuestionRun[T]], None],
        on_end: Callable[[T | None, Exception | None], None],
    ) -> None:
        self._question: Question[T] | None = question
        self._call_at = call_at
        self._on_end = on_end
        self._running = threading.Lock()
        self._has_news = False
        self._is_given_up = False

    @property
    def is_over(self) -> bool:
        return self._question is None

    def resume(self) -> None:
        """Something happened. While another thread runs the question, that one takes the news along."""
        self._has_news = True
        while self._has_news and self._running.acquire(blocking=False):
            try:
                self._has_news = False
                self._step()
            finally:
                self._running.release()

    def give_up(self) -> None:
        """Nobody wants to know any more: let go of its streams."""
        self._is_given_up = True
        self.resume()

    def _step(self) -> None:
        question = self._question
        if question is None:
            return
        if self._is_given_up:
            self._question = None
            question.close()
            return
        answer: T | None = None
        failure: Exception | None = None
        try:
            until = question.send(None)
        except StopIteration as stop:
            answer = stop.value
        except Exception as error:  # noqa: BLE001 - in the connection's thread it would end the connection
            failure = error
        else:
            if until is not None:
                self._call_at(until, self)
            return
        self._question = None
        self._on_end(answer, failure)
