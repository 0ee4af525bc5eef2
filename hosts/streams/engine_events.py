"""Follows the events of one engine without a thread: they are read by the connection's own, as they come.

The stream is begun and taken up again after a look at the host (`tend`): only then there is a connection. Where its
sshd forwards no Unix sockets, `hosts.docker.events.EventStream` follows, in a thread of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random
from urllib.parse import urlencode

from hosts.docker.engine import Engine
from hosts.docker.events import (
    BEGIN_SECONDS,
    RECONNECT_FIRST_SECONDS,
    RECONNECT_MOST_SECONDS,
    ContainerEvent,
    EventCursor,
    EventStream,
)
from hosts.streams.coroutines import Pause, QuestionRun
from hosts.streams.engine_requests import follow_lines
from hosts.streams.routes import NotifiedRoutes
from objects.errors import EngineUnavailable, HostError


class EngineEvents:
    """Of one host. Callbacks run in the connection's thread: they must be quick and not raise.

    on_event: one container event. on_gap: events are followed from now on, those before may be lost: list everything.
    on_lost: no more, with the reason. tend_again: `tend` should be called, some time after a loss.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        on_event: Callable[[ContainerEvent], None],
        on_gap: Callable[[], None],
        on_lost: Callable[[HostError], None],
        tend_again: Callable[[], None],
        random: Random,
    ) -> None:
        self._engine = engine
        self._clock = engine.link.clock
        self._on_event = on_event
        self._on_gap = on_gap
        self._on_lost = on_lost
        self._tend_again = tend_again
        self._random = random
        self._routes = NotifiedRoutes(engine)
        self._cursor = EventCursor()
        self._lock = threading.Lock()
        self._run: QuestionRun[None] | None = None
        self._has_begun = False
        self._begun_at = 0.0
        self._failures = 0
        self._retry_at = 0.0
        self._timer: threading.Timer | None = None
        self._in_thread: EventStream | None = None
        self._is_closed = False

    def tend(self) -> None:
        """After a look has shown that the host answers: see to it that its events are followed."""
        with self._lock:
            if self._is_closed or self._in_thread is not None:
                return
            run = self._run
            is_late = run is not None and not self._has_begun and self._clock() - self._begun_at > BEGIN_SECONDS
            if run is not None and not is_late:
                return
        if run is not None:
            run.give_up()
            self._ended(run, EngineUnavailable("Docker Engine tells no events", host=self._engine.host))
        elif self._clock() >= self._retry_at:
            self._begin()

    def close(self) -> None:
        """Follow no more."""
        with self._lock:
            self._is_closed = True
            run, self._run = self._run, None
            timer, in_thread = self._timer, self._in_thread
        if timer is not None:
            timer.cancel()
        if run is not None:
            run.give_up()
        if in_thread is not None:
            in_thread.stop()
        self._routes.close()

    def _begin(self) -> None:
        route = self._routes.route(timeout_seconds=BEGIN_SECONDS, on_news=lambda: run.resume(), to_engine=True)
        if route is None:
            self._begin_otherwise()
            return
        path = f"/events?{urlencode(self._cursor.params())}"
        question = follow_lines(route, path, on_begin=lambda: self._began(run), on_line=self._read)
        run: QuestionRun[None] = QuestionRun(
            question,
            call_at=_never,
            on_end=lambda _, error: self._ended(run, error),
        )
        with self._lock:
            if self._is_closed:
                question.close()
                return
            self._run, self._has_begun, self._begun_at = run, False, self._clock()
        run.resume()

    def _begin_otherwise(self) -> None:
        """No channel may be told of now: new keys are just agreed on, or sshd forwards no sockets."""
        if self._engine.forwards_sockets is not False:
            self._call_again()
            return
        stream = EventStream(
            self._engine, on_event=self._on_event, on_gap=self._on_gap, on_lost=self._on_lost, random=self._random
        )
        with self._lock:
            if self._is_closed:
                return
            self._in_thread = stream
            stream.start()

    # --- in the connection's thread ----------------------------------------------------------------------------------

    def _began(self, run: QuestionRun[None]) -> None:
        with self._lock:
            if self._run is not run:
                return
            self._has_begun, self._failures = True, 0
        self._on_gap()

    def _read(self, line: bytes) -> None:
        event = self._cursor.read(line)
        if event is not None and not self._is_closed:
            self._on_event(event)

    def _ended(self, run: QuestionRun[None], error: Exception | None) -> None:
        with self._lock:
            if self._run is not run:
                return
            self._run = None
        why = error or EngineUnavailable("Docker Engine ended its events", host=self._engine.host)
        if not isinstance(why, HostError):
            why = EngineUnavailable(f"its events cannot be read: {why!r}", host=self._engine.host)
        self._call_again()
        self._on_lost(why)

    def _call_again(self) -> None:
        """Have `tend` called when the pause after a loss is over."""
        self._failures += 1
        most = min(RECONNECT_MOST_SECONDS, RECONNECT_FIRST_SECONDS * 2 ** min(self._failures - 1, 10))
        seconds = most * self._random.uniform(0.5, 1.0)
        timer = threading.Timer(seconds, self._tend_again)
        timer.daemon = True
        with self._lock:
            if self._is_closed:
                return
            self._retry_at = self._clock() + seconds
            self._timer = timer
            timer.start()


def _never(_: Pause, __: QuestionRun[None]) -> None:
    raise AssertionError("events are not paused for")
