"""Asks the probes of one host when they are due, and wakes the host's worker when what they say has changed.

One thread waits for the next due time and begins what is due; answers come in the connection's thread. Only what has to
be waited for (no connection yet, an sshd that does not forward) takes a thread of its own while it is asked. A probe
that gives the same answer as before wakes nobody.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from differ.kubelet.probes.probing import Answer, ProbeOrder
from hosts.probes.schedule import ProbeBook
from hosts.streams.coroutines import Clock, Pause, QuestionRun
from hosts.streams.short_threads import ShortThreads
from objects.errors import HostError, Needs
from objects.observation.host import ProbeFact

log = logging.getLogger(__name__)

THREADS = 16
"""So many questions may be waited for at the same time before others are asked late; each for its timeout, 1 s by
default."""

FLOWS = 128
"""So many may be on their way without a thread: each is a descriptor in the host's sshd, which has 1,024, shared with
256 streams to the engine. Those of containers that hang; others take a few milliseconds."""

EARLY = timedelta(seconds=0.1)
"""Who is up for one probe begins those of the next moment, too: packets and wake-ups are shared, which is more than
half of what probes cost. Not longer, else a host would run many commands at the same time and all would be slow."""

MAX_WAIT_SECONDS = 60.0
"""Longer than any thread has to wait for: what is due is looked at anew at least this often."""

AnswerFlow = QuestionRun[Answer]


class Asking(Protocol):
    """Puts the question of an order; `hosts.probes.checks.Asker` is the real one."""

    @property
    def clock(self) -> Clock:
        """Monotonic, in seconds; what `call_at` goes by."""

    def together(self) -> AbstractContextManager[None]:
        """What is begun inside may go out in one piece at its end."""

    def ask(self, order: ProbeOrder) -> Answer:
        """Wait for the answer, at most for the probe's timeout. Raises HostError when it could not be asked."""

    def begin(
        self,
        order: ProbeOrder,
        *,
        call_at: Callable[[Pause, AnswerFlow], None],
        on_end: Callable[[Answer | None, Exception | None], None],
    ) -> AnswerFlow | None:
        """Ask without waiting; None when it has to be waited for. on_end: called once, by any thread."""


class Prober:
    """Thread-safe. steady_now: the host's steady clock, which goes with the clock of `asking`."""

    def __init__(
        self,
        host: str,
        *,
        asking: Asking,
        steady_now: Callable[[], datetime],
        wake: Callable[[], None],
        random: Random,
    ) -> None:
        self._host = host
        self._asking = asking
        self._clock = asking.clock
        self._steady_now = steady_now
        self._wake = wake
        self._changed = threading.Condition(threading.Lock())
        self._book = ProbeBook(random)
        self._is_started = False
        self._is_closed = False
        self._under_way = 0
        # While the thread waits: until when. It looks at everything again before it waits the next time.
        self._waits_until: float | None = None
        # Also what holds the flows: (when to resume it, a number that keeps flows from being compared, from when on it
        # may be resumed, the flow)
        self._calls: list[tuple[float, int, float, AnswerFlow]] = []
        self._numbers = itertools.count()
        self._helpers = ShortThreads(THREADS, f"probe-{host}")

    def keep(self, orders: Sequence[ProbeOrder]) -> None:
        """Exactly these probes from now on."""
        with self._changed:
            self._book.keep(orders, self._steady_now())
            if orders and not self._is_started and not self._is_closed:
                self._is_started = True
                threading.Thread(target=self._run, name=f"probes-{self._host}", daemon=True).start()
            self._changed.notify_all()

    def facts(self) -> tuple[ProbeFact, ...]:
        """What the probes say by now."""
        with self._changed:
            return self._book.facts()

    def close(self) -> None:
        """Ask nothing any more. A thread that waits for an answer ends after that."""
        with self._changed:
            self._is_closed = True
            calls, self._calls = self._calls, []
            self._changed.notify_all()
        self._helpers.close()
        for *_, flow in calls:
            flow.give_up()

    # --- in the thread that waits ------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (tasks := self._await_tasks()) is not None:
            flows, orders = tasks
            with self._asking.together():
                for flow in flows:
                    flow.resume()
                to_wait_for = [order for order in orders if not self._begin(order)]
            for order in to_wait_for:
                self._wait_for(order)

    def _await_tasks(self) -> tuple[list[AnswerFlow], list[ProbeOrder]] | None:
        """The flows to resume and the probes to begin, as soon as there are any; None: no more."""
        with self._changed:
            while not self._is_closed:
                call_at, orders = self._next_call(), self._take_due()
                if orders or (call_at is not None and call_at <= self._clock()):
                    return self._take_calls(), orders
                self._waits_until = self._next_at()
                seconds = self._waits_until - self._clock()
                self._changed.wait(min(max(0.0, seconds), MAX_WAIT_SECONDS))
                self._waits_until = None
        return None

    def _take_due(self) -> list[ProbeOrder]:
        """The caller holds the lock."""
        now = self._steady_now()
        orders: list[ProbeOrder] = []
        while (order := self._book.take_due(now, early=EARLY if orders else timedelta())) is not None:
            orders.append(order)
        return orders

    def _next_call(self) -> float | None:
        """When a flow is to be resumed that is still on its way. The caller holds the lock."""
        while self._calls and self._calls[0][3].is_over:
            heapq.heappop(self._calls)
        return self._calls[0][0] if self._calls else None

    def _take_calls(self) -> list[AnswerFlow]:
        """The flows that may be resumed by now. The caller holds the lock."""
        now = self._clock()
        flows = [flow for _, _, earliest, flow in self._calls if earliest <= now]
        if flows:
            self._calls = [call for call in self._calls if call[2] > now]
            heapq.heapify(self._calls)
        return flows

    def _next_at(self) -> float:
        """When there is something to do, by our clock. The caller holds the lock."""
        due_at, call_at = self._book.next_due(), self._next_call()
        probe_at = self._clock() + (due_at - self._steady_now()).total_seconds() if due_at is not None else math.inf
        return min(probe_at, call_at) if call_at is not None else probe_at

    def _wait_for(self, order: ProbeOrder) -> None:
        self._helpers.submit(lambda: self._take_in(order, self._answer(order)))

    def _answer(self, order: ProbeOrder) -> Answer:
        try:
            return self._asking.ask(order)
        except Exception as error:  # noqa: BLE001 - told apart there
            return self._not_asked(order, error)

    def _not_asked(self, order: ProbeOrder, error: Exception) -> Answer:
        if isinstance(error, HostError):
            # Of a host that is out of reach its own condition tells; what a person has to mend would show nowhere.
            return Answer(None, str(error) if error.needs is Needs.NEEDS_OPERATOR else "")
        # A bug met with one probe must not end the others.
        log.error("%s probe on host %s", order.kind, self._host, exc_info=error)
        return Answer(None, f"internal error: {type(error).__name__}: {error}")

    # --- in any thread: the connection's own must not be held up ---------------------------------------------------

    def _begin(self, order: ProbeOrder) -> bool:
        """Ask without waiting; False when this is not possible now."""

        def on_end(answer: Answer | None, error: Exception | None) -> None:
            with self._changed:
                self._under_way -= 1
            if answer is None:
                answer = self._not_asked(order, error or RuntimeError("no answer"))
            self._take_in(order, answer)

        with self._changed:
            if self._under_way >= FLOWS:
                return False
            self._under_way += 1
        try:
            flow = self._asking.begin(order, call_at=self._call_at, on_end=on_end)
        except Exception as error:  # noqa: BLE001 - counted as an answer that could not be had
            on_end(None, error)
            return True
        if flow is None:
            with self._changed:
                self._under_way -= 1
        return flow is not None

    def _call_at(self, at: Pause, flow: AnswerFlow) -> None:
        with self._changed:
            heapq.heappush(self._calls, (at.latest, next(self._numbers), at.earliest, flow))
            self._look_again_if_before(at.latest)

    def _take_in(self, order: ProbeOrder, answer: Answer) -> None:
        with self._changed:
            is_news = self._book.record(order, answer, self._steady_now())
            self._look_again_if_before(self._next_at())
        if is_news and not self._is_closed:
            self._wake()

    def _look_again_if_before(self, at: float) -> None:
        """The caller holds the lock."""
        if self._waits_until is not None and at < self._waits_until:
            self._changed.notify()
