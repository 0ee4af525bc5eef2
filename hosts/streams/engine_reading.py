"""What one engine says, several answers at a time: for looks, which are many and mostly find what they found before.

All that a look asks for goes out in one write, and no thread but the one that looks waits for it. The SDK's way costs
ten times as much CPU, for nine calls one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from hosts.docker.engine import Engine
from hosts.streams.coroutines import Pause, QuestionRun, run_waiting
from hosts.streams.engine_requests import Reply, get_each
from hosts.streams.routes import NotifiedRoute, NotifiedRoutes, WaitingRoute

PATIENCE_SECONDS = 0.1
"""For each answer that is welcome and not needed: the usual one comes in 2 ms."""


class EngineReading:
    """Of one host. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._routes = NotifiedRoutes(engine)

    def get(self, paths: Sequence[str], *, extra: Sequence[str] = (), timeout_seconds: float) -> tuple[Reply, ...]:
        """GET these paths of the API; all or nothing. Raises HostError, also where the engine refuses one of them.

        timeout_seconds: for connecting, if there is no connection, and again for the answers: with a thousand hosts
        that connect one after the other, some would have no time left to answer.

        extra: asked for in the same piece where that holds no thread, and given up, with those behind it, when the
        engine is slow to answer. Their replies follow the others', whatever their status.
        """
        self._engine.link.connect(timeout_seconds=timeout_seconds)
        replies = self._told(paths, extra, timeout_seconds) or self._waited_for(paths, timeout_seconds)
        for reply in replies[: len(paths)]:
            if reply.status >= 400:
                raise self._engine.refusal(reply.status, reply.content)
        return replies

    def close(self) -> None:
        """Close idle streams; the link stays."""
        self._routes.close()

    def _waited_for(self, paths: Sequence[str], timeout_seconds: float) -> tuple[Reply, ...]:
        replies: list[Reply] = []
        with self._engine.deadline(timeout_seconds):
            route = WaitingRoute(self._engine, timeout_seconds=timeout_seconds)
            run_waiting(get_each(route, paths, on_reply=replies.append), route.clock)
        return tuple(replies)

    def _told(self, paths: Sequence[str], extra: Sequence[str], timeout_seconds: float) -> tuple[Reply, ...] | None:
        """None: it has to be waited for, since there is no connection yet or its sshd does not forward."""
        runs: list[QuestionRun[None]] = []
        route = self._routes.route(timeout_seconds=timeout_seconds, on_news=lambda: runs[0].resume(), to_engine=True)
        return None if route is None else _Reading(route, paths, extra, runs).replies()


class _Reading:
    """One question, run on by the connection's thread; whoever asks waits for what is needed of it."""

    def __init__(
        self, route: NotifiedRoute, paths: Sequence[str], extra: Sequence[str], runs: list[QuestionRun[None]]
    ) -> None:
        self._route = route
        self._needed = len(paths)
        self._came: list[Reply] = []
        self._has_needed, self._has_ended = threading.Event(), threading.Event()
        self._failure: Exception | None = None
        question = get_each(route, [*paths, *extra], on_reply=self._take)
        self._run = QuestionRun(question, call_at=_never, on_end=self._end)
        runs.append(self._run)

    def replies(self) -> tuple[Reply, ...]:
        self._run.resume()
        self._has_ended.wait(PATIENCE_SECONDS)  # mostly all has come by then, and this thread is woken once
        while not self._has_needed.wait(max(0.01, self._route.ends_at - self._route.clock())):
            self._run.resume()  # its time is over: it says so
        came = -1
        while not self._has_ended.is_set() and came != len(self._came):
            came = len(self._came)
            self._has_ended.wait(PATIENCE_SECONDS)
        if not self._has_ended.is_set():
            self._run.give_up()
        if self._failure is not None and len(self._came) < self._needed:
            raise self._failure
        return tuple(self._came)

    # --- in the connection's thread ----------------------------------------------------------------------------------

    def _take(self, reply: Reply) -> None:
        self._came.append(reply)
        if len(self._came) == self._needed:
            self._has_needed.set()

    def _end(self, _: None, error: Exception | None) -> None:
        self._failure = error
        self._has_ended.set()
        self._has_needed.set()


def _never(_: Pause, __: QuestionRun[None]) -> None:
    raise AssertionError("a reading does not pause")
