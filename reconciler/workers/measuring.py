"""Asks a host's figures beside its looks: questions go out in threads of their own, answers are taken by the worker.

What to ask and what is worth telling: `measurement_schedule`.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

from differ.kubelet.assignment import HostAssignment
from hosts.runtime.interface import HostRuntime
from objects.observation.figures import ForeignLoad, Measurement
from objects.observation.host import HostObservation
from reconciler.state.failures import FailureBook, message_of
from reconciler.state.messages import HostMeasured
from reconciler.workers.lanes import HostLanes, Kind
from reconciler.workers.measurement_schedule import HostMeter, Question

log = logging.getLogger(__name__)


class Measuring:
    """Of one host, owned by the worker's thread. lanes: where questions are asked; it ends with them. wake: called when
    an answer came.
    """

    def __init__(
        self,
        host: str,
        runtime: HostRuntime,
        *,
        lanes: HostLanes,
        clock: Callable[[], datetime],
        wake: Callable[[], None],
    ) -> None:
        self._host = host
        self._runtime = runtime
        self._clock = clock
        self._wake = wake
        self._lanes = lanes
        self._meter = HostMeter(clock(), submit=partial(lanes.submit, Kind.MEASURE))
        self._answers: queue.SimpleQueue[tuple[Question, Measurement | Exception]] = queue.SimpleQueue()

    @property
    def failures(self) -> FailureBook[str]:
        """Of measuring; whoever does something else beside the looks may note its own here."""
        return self._meter.failures

    @property
    def due_at(self) -> datetime | None:
        return self._meter.due_at

    @property
    def has_told(self) -> bool:
        """Whether figures of the host are known."""
        return self._meter.has_told

    def hasten(self) -> None:
        """Something else may have to be measured than last time. From any thread."""
        self._meter.hasten(self._clock())

    def begin(self, assignment: HostAssignment | None, seen: HostObservation, now: datetime) -> bool:
        """Begin to measure, if it is time to. Returns whether an answer is to be waited for."""
        question = self._meter.next_question(assignment, seen, now)
        if question is not None:
            self._lanes.submit(Kind.MEASURE, partial(self._ask, question))
        return question is not None

    def take_answers(self, *, wait_seconds: float = 0.0) -> list[HostMeasured]:
        """What is new of the host's figures. wait_seconds: for the first answer, if none is there."""
        told: list[HostMeasured] = []
        while True:
            try:
                question, answer = self._answers.get(block=wait_seconds > 0, timeout=wait_seconds or None)
            except queue.Empty:
                return told
            wait_seconds = 0.0
            now = self._clock()
            if isinstance(answer, Exception):
                if self._meter.fail(question, answer, now):
                    log.warning("host %s: %s: %s", self._host, question.part, message_of(answer))
            elif (news := self._meter.take(question, answer, now)) is not None:
                told.append(news)

    def renewed(self, seen: HostObservation) -> HostObservation:
        """`seen` with the figures measured last, which are newer than its facts."""
        return self._meter.renewed(seen)

    def foreign(self, found: Iterable[ForeignLoad]) -> tuple[ForeignLoad, ...]:
        """The containers of others that were found, with what was measured of them."""
        return self._meter.foreign(found)

    def _ask(self, question: Question) -> None:
        """In a thread of its own."""
        answer: Measurement | Exception
        try:
            answer = self._meter.ask(self._runtime, question)
        except Exception as error:  # noqa: BLE001 - taken in as a failure of measuring
            answer = error
        self._answers.put((question, answer))
        self._wake()
