"""Asks the probes of one host when they are due, and wakes the host's worker when what they say has changed.

A few threads for all probes of a host: one waits for the next due time, the others ask or wait for their turn; another
is started only when a probe is due and all are busy. A probe that gives the same answer as before wakes nobody.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random

from differ.probing import Answer, ProbeOrder
from hosts.probe_book import ProbeBook
from objects.errors import HostError
from objects.observed import ProbeFact

log = logging.getLogger(__name__)

THREADS = 16
"""So many containers may hang at the same time before others are asked late; each for its timeout, 1 s by default."""

MAX_WAIT_SECONDS = 60.0
"""A clock that was set back must not stop the probes."""


class Prober:
    """Thread-safe. ask: puts the question of an order and waits for the answer, at most for its timeout. host_now: the
    host's clock.
    """

    def __init__(
        self,
        host: str,
        *,
        ask: Callable[[ProbeOrder], Answer],
        host_now: Callable[[], datetime],
        wake: Callable[[], None],
        random: Random,
        threads: int = THREADS,
    ) -> None:
        self._host = host
        self._ask = ask
        self._host_now = host_now
        self._wake = wake
        self._most = threads
        self._changed = threading.Condition(threading.Lock())
        self._book = ProbeBook(random)
        self._threads = 0
        self._idle = 0
        self._watched_until: datetime | None = None
        self._is_closed = False

    def keep(self, orders: Sequence[ProbeOrder]) -> None:
        """Exactly these probes from now on."""
        with self._changed:
            self._book.keep(orders, self._host_now())
            if orders and not self._threads and not self._is_closed:
                self._start_thread()
            self._changed.notify_all()

    def facts(self) -> tuple[ProbeFact, ...]:
        """What the probes say by now."""
        with self._changed:
            return self._book.facts()

    def close(self) -> None:
        """Ask nothing any more. A thread that waits for an answer ends after that."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    # --- in threads of its own -----------------------------------------------------------------------------------

    def _start_thread(self) -> None:
        """The caller holds the lock."""
        self._threads += 1
        name = f"probes-{self._host}-{self._threads}"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while (order := self._await_due()) is not None:
            answer = self._answer(order)
            with self._changed:
                is_news = self._book.record(order, answer, self._host_now())
            if is_news and not self._is_closed:
                self._wake()

    def _await_due(self) -> ProbeOrder | None:
        """The next probe, as soon as it is due; None: no more. One thread at a time waits by the clock."""
        with self._changed:
            while not self._is_closed:
                now = self._host_now()
                order = self._book.take_due(now)
                if order is not None:
                    self._pass_on()
                    return order
                self._wait(now)
        return None

    def _wait(self, now: datetime) -> None:
        """Until the next due time, unless somebody already waits for it; then until told. The caller holds the lock."""
        due_at, seconds = self._book.next_due(), None
        is_watching = due_at is not None and (self._watched_until is None or due_at < self._watched_until)
        if is_watching and due_at is not None:
            self._watched_until = due_at
            seconds = min((due_at - now).total_seconds(), MAX_WAIT_SECONDS)
        self._idle += 1
        self._changed.wait(seconds)
        self._idle -= 1
        if is_watching and self._watched_until == due_at:
            self._watched_until = None

    def _pass_on(self) -> None:
        """Somebody else must watch the clock from now on. The caller holds the lock."""
        if self._idle:
            self._changed.notify()
        elif self._threads < self._most and self._book.next_due() is not None:
            self._start_thread()

    def _answer(self, order: ProbeOrder) -> Answer:
        try:
            return self._ask(order)
        except HostError as error:
            return Answer(None, str(error))
        except Exception as error:
            # A bug met with one probe must not end the others.
            log.exception("%s probe on host %s", order.kind, self._host)
            return Answer(None, f"internal error: {type(error).__name__}: {error}")
