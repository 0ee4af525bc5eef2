"""When a host is measured, and what of it is worth telling. Owned by the host's worker; decides nothing else.

What a host has left is looked at every few seconds, what its pods use only on order. Figures move all the time; told is
what moved by more than a little, so that an idle host stays silent. Only what was ordered is told each time, since its
age counts.

Measuring goes beside everything else: a question that is slow or fails keeps no look at the host, and is tried again
with back-off. Disk use, which makes an engine walk over files for as long as a minute, keeps no other figure either.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from datetime import datetime, timedelta

import msgspec

from differ.kubelet.assignment import HostAssignment, MeasureOrder
from differ.kubelet.usage import (
    foreign_loads,
    is_foreign,
    pod_uses,
    with_measured,
)
from hosts.runtime.interface import HostRuntime
from objects.observation.figures import (
    ForeignLoad,
    HostUse,
    HostVitals,
    Measurement,
    PodUse,
)
from objects.observation.host import HostObservation
from objects.observation.metrics import Scrape, Scraped
from reconciler.figures.pod_values import Counters, PodValues, values_of
from reconciler.state.failures import FailureBook
from reconciler.state.messages import HostMeasured

INTERVAL_SECONDS = 10.0
"""As the kubelet looks for pressure. One question over an open channel: 2 ms, no process of ours."""
PRESSED_SECONDS = 2.0
"""While a host is short of something: pods are evicted one by one, each after a look at what the last one freed."""
DISK_SECONDS = 60.0
"""Disk use of pods makes the engine add up files: as often as the kubelet does."""
FOREIGN_SECONDS = 60.0
RATE_SECONDS = 10.0
"""CPU use is averaged over at least so long."""
STEADY = 1 / 32
"""A figure of a host that moved by less than this share of it is told as before."""
FOREIGN_STEADY = 1 / 4
"""The scheduler's view of containers of others must not follow each of their breaths."""


PATIENCE_SECONDS = 0.25
"""For pods to answer at once. Most do within milliseconds."""

Submit = Callable[[Callable[[], tuple[Scraped, ...]]], Future[tuple[Scraped, ...]]]


class Part(enum.StrEnum):
    """What is asked for at a time: the host's figures, or also what takes space on its disk."""

    FIGURES = "Metrics"
    DISK = "DiskMetrics"


POD_VALUES = "PodMetrics"
"""The part of metrics that pods tell themselves."""


class Question(msgspec.Struct, frozen=True):
    """One reading to be taken. containers: what each uses, too. scrapes: pods to be asked for metrics of their own.

    at, assignment, seen: of the moment at which it was put: what the reading is about. An answer may come much later.
    """

    at: datetime
    part: Part
    containers: bool
    assignment: HostAssignment | None
    seen: HostObservation
    scrapes: tuple[Scrape, ...] = ()

    @property
    def disk(self) -> bool:
        return self.part is Part.DISK


class HostMeter:
    """Of one host: `next_question` → `ask`, in another thread → `take` or `fail`. submit: runs a call elsewhere."""

    def __init__(self, now: datetime, *, submit: Submit) -> None:
        self._submit = submit
        self._asked: tuple[float, Future[tuple[Scraped, ...]]] | None = None
        self._values: Mapping[str, PodValues] = {}
        self.failures: FailureBook[str] = FailureBook(first_seconds=INTERVAL_SECONDS)
        self._due_at = now + timedelta(seconds=INTERVAL_SECONDS)
        self._out: dict[Part, Question] = {}
        self._told: HostMeasured | None = None
        self._readings: tuple[tuple[datetime, Measurement], ...] = ()
        self._counters: Counters = {}
        self._disk_at: datetime | None = None
        self._foreign_at: datetime | None = None

    @property
    def due_at(self) -> datetime | None:
        """When a question may be due, those that failed later; None while only an answer can tell."""
        if Part.FIGURES in self._out:
            return None
        figures = self.failures.find(Part.FIGURES)
        return max(self._due_at, figures.retry_at) if figures is not None else self._due_at

    @property
    def has_told(self) -> bool:
        return self._told is not None

    def hasten(self, now: datetime) -> None:
        """Something else may have to be measured than last time: it is due."""
        self._due_at = now

    def next_question(self, assignment: HostAssignment | None, seen: HostObservation, now: datetime) -> Question | None:
        """What to ask now, None when nothing is due. From now on it is out: `take` or `fail` has to follow.

        Containers of others are measured before anything is told of a host. Disk use takes the place of the other
        figures, as long as it comes: they are asked for beside it when it is slow.
        """
        has_foreign = any(map(is_foreign, seen.containers))
        if self._due_at > now and not (self._foreign_at is None and has_foreign):
            return None
        order = assignment.measure if assignment is not None else MeasureOrder()
        is_disk_due = order.disk and (order.is_pressed or _is_over(self._disk_at, DISK_SECONDS, now))
        part = Part.DISK if is_disk_due and self._may_ask(Part.DISK, now) else Part.FIGURES
        if not self._may_ask(part, now):
            return None
        self._due_at = now + timedelta(seconds=PRESSED_SECONDS if order.is_pressed else INTERVAL_SECONDS)
        asks_foreign = has_foreign and _is_over(self._foreign_at, FOREIGN_SECONDS, now)
        has_scrapes = order.containers and not any(other.scrapes for other in self._out.values())
        question = self._out[part] = Question(
            now,
            part,
            containers=order.containers or asks_foreign,
            assignment=assignment,
            seen=seen,
            scrapes=order.scrapes if has_scrapes else (),
        )
        return question

    def _may_ask(self, part: Part, now: datetime) -> bool:
        return part not in self._out and not self.failures.is_waiting(part, now)

    def ask(self, runtime: HostRuntime, question: Question) -> Measurement:
        """Take the reading, in any thread. A pod that is slow to answer keeps nobody waiting: it is told of next time.

        Raises HostError.
        """
        reading = runtime.measure(containers=question.containers, disk=question.disk)
        if question.scrapes:
            if self._asked is None:
                self._asked = reading.uptime_seconds, self._submit(lambda: runtime.scrape(question.scrapes))
            wait([self._asked[1]], timeout=PATIENCE_SECONDS)
        return reading

    def fail(self, question: Question, error: Exception, now: datetime) -> bool:
        """No reading: tried again with back-off. Returns whether that is news."""
        del self._out[question.part]
        if question.disk:
            self.hasten(now)  # the other figures
        return self.failures.note(question.part, error, now).is_news

    def take(self, question: Question, reading: Measurement, now: datetime) -> HostMeasured | None:
        """Take a reading in; returns what is to be told of it, None when it is no news."""
        del self._out[question.part]
        self.failures.clear(question.part)
        if question.disk:
            self.failures.clear(Part.FIGURES)
        seen, assignment = question.seen, question.assignment
        order = assignment.measure if assignment is not None else MeasureOrder()
        before = self._base(now)
        use = None
        if assignment is not None and (order.containers or question.disk):
            window = reading.uptime_seconds - before.uptime_seconds if before is not None else 0.0
            pods = pod_uses(reading, before, assignment.pods, seen.containers)
            values = self._pod_values(now) if order.scrapes else {}
            pods = {uid: _with_values(use, values.get(uid)) for uid, use in pods.items()}
            # Whoever decides by it must not take it for a reading of what happened meanwhile.
            use = HostUse(at=question.at, window_seconds=window, pods=pods, has_disk=question.disk)
        last = self._told
        foreign = last.foreign if last is not None else ()
        if question.containers:
            self._keep(reading, now)
            if any(map(is_foreign, seen.containers)) and _is_over(self._foreign_at, FOREIGN_SECONDS, now):
                foreign = steady_loads(foreign, foreign_loads(seen.containers, reading, before))
                self._foreign_at = now
        if question.disk:
            self._disk_at = now
        vitals = reading.vitals
        if last is not None and not order.is_pressed:
            vitals = steady_vitals(last.vitals, vitals)
        self._told = HostMeasured(host=seen.host, vitals=vitals, use=use, foreign=foreign)
        return None if self._told == last else self._told

    def _pod_values(self, now: datetime) -> Mapping[str, PodValues]:
        """What pods told themselves, last."""
        if self._asked is not None and self._asked[1].done():
            (asked_at, answers), self._asked = self._asked, None
            try:
                self._values, self._counters = values_of(answers.result(), self._counters, at=asked_at)
                self.failures.clear(POD_VALUES)
            except Exception as error:  # noqa: BLE001 - what pods tell of themselves takes no other figure with it
                self.failures.note(POD_VALUES, error, now)
        return self._values

    def renewed(self, seen: HostObservation) -> HostObservation:
        """`seen` with the figures measured last, which are newer than its facts."""
        if self._told is None:
            return seen
        facts = msgspec.structs.replace(seen.facts, **msgspec.structs.asdict(self._told.vitals))
        return seen if facts == seen.facts else msgspec.structs.replace(seen, facts=facts)

    def foreign(self, found: Iterable[ForeignLoad]) -> tuple[ForeignLoad, ...]:
        """The containers of others that were found, with what was measured of them."""
        return with_measured(found, self._told.foreign if self._told is not None else ())

    def _base(self, now: datetime) -> Measurement | None:
        """The reading to compare with: the newest that is old enough, else the oldest."""
        old = [reading for at, reading in self._readings if _is_over(at, RATE_SECONDS, now)]
        return old[-1] if old else self._readings[0][1] if self._readings else None

    def _keep(self, reading: Measurement, now: datetime) -> None:
        """Remember a reading; of the old ones only the newest is still of use."""
        old = [one for one in self._readings if _is_over(one[0], RATE_SECONDS, now)]
        young = [one for one in self._readings if not _is_over(one[0], RATE_SECONDS, now)]
        self._readings = (*old[-1:], *young, (now, reading))


def _with_values(use: PodUse, told: PodValues | None) -> PodUse:
    return use if told is None else msgspec.structs.replace(use, values=told.values, problem=told.problem)


def _is_over(last: datetime | None, seconds: float, now: datetime) -> bool:
    return last is None or now - last >= timedelta(seconds=seconds)


def steady_vitals(before: HostVitals | None, now: HostVitals) -> HostVitals:
    """`now`, but with the figures of `before` that hardly moved."""
    if before is None:
        return now
    figures = {
        name: _steady(getattr(before, name), getattr(now, name), STEADY) for name in HostVitals.__struct_fields__
    }
    return HostVitals(**figures)


def steady_loads(before: Iterable[ForeignLoad], now: Iterable[ForeignLoad]) -> tuple[ForeignLoad, ...]:
    """`now`, but with the figures of `before` that hardly moved."""
    known = {load.name: load for load in before}
    return tuple(_steady_load(known.get(load.name, load), load) for load in now)


def _steady_load(before: ForeignLoad, now: ForeignLoad) -> ForeignLoad:
    return msgspec.structs.replace(
        now,
        cpu_millis=_steady(before.cpu_millis, now.cpu_millis, FOREIGN_STEADY),
        memory_bytes=_steady(before.memory_bytes, now.memory_bytes, FOREIGN_STEADY),
    )


def _steady(before: int, now: int, share: float) -> int:
    return before if abs(now - before) <= before * share else now
