"""When a probe is due and what its answers add up to: thresholds, periods, delays. Pure.

As the kubelet's prober: a verdict changes after `failureThreshold` failures or `successThreshold` successes in a row;
an answer that could not be had counts for nothing; every run of a container begins anew; a startup or liveness probe
that gave its verdict "fails" is asked no more in that run. Times are of the host's steady clock, which nobody sets.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from msgspec import structs

from differ.kubelet.assignment import DifferStruct
from differ.kubelet.probes.checks import Check
from objects.api.pods import Probe
from objects.observation.host import ProbeFact

STARTUP, LIVENESS, READINESS = "startup", "liveness", "readiness"

DEFAULT_PERIOD_SECONDS = 10
DEFAULT_FAILURE_THRESHOLD = 3
SOONER_SECONDS = 0.2
"""Until it is ready for the first time a container is asked for readiness sooner than every period: after this, twice
this … Kubernetes does so, too ("may be executed at times other than the configured periodSeconds interval"): it saves
most of a period in every rolling update."""


class ProbeOrder(DifferStruct):
    """A probe to be kept going as long as a container runs. probe: its times and thresholds. started_at: names the run.
    began_at: when the run began, by the host's steady clock.

    is_known: an earlier process knew how this run was, so there is no hurry to ask. passed_before: its last answer.
    """

    container_id: str
    kind: str
    started_at: datetime
    began_at: datetime
    check: Check
    probe: Probe
    is_known: bool = False
    passed_before: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.container_id, self.kind

    @property
    def timeout_seconds(self) -> int:
        return max(self.probe.timeout_seconds, 1)

    @property
    def period(self) -> timedelta:
        return timedelta(seconds=self.probe.period_seconds or DEFAULT_PERIOD_SECONDS)


class Answer(NamedTuple):
    """passes: None when the question could not be put (the host is out of reach …). message: why it does not pass, or
    why it could not be put, if a person has to mend that.
    """

    passes: bool | None
    message: str = ""


class ProbeState(DifferStruct):
    """row: how many answers in a row were `last`. is_over: not asked again in this run. due_at: next time.

    error, errored_at: why it could not be asked, and since when; '' and None after an answer.
    """

    due_at: datetime
    attempts: int = 0
    last: bool | None = None
    row: int = 0
    passes: bool | None = None
    failed_at: datetime | None = None
    message: str = ""
    error: str = ""
    errored_at: datetime | None = None
    is_over: bool = False


def begin_probe(order: ProbeOrder, now: datetime, random: Random) -> ProbeState:
    """Before the first answer. A fresh process spreads what it takes over, else all of a host's would come at once."""
    begins = order.began_at + timedelta(seconds=order.probe.initial_delay_seconds)
    if begins >= now or not order.is_known:
        return ProbeState(due_at=max(begins, now))
    return ProbeState(due_at=now + order.period * random.random())


def record_probe(order: ProbeOrder, state: ProbeState, answer: Answer, now: datetime) -> ProbeState:
    """The state after an answer that came at `now`.

    failureThreshold 3:  answers  ok ok no no no  ->  passes  True True True True False
    """
    state = structs.replace(state, attempts=state.attempts + 1)
    if answer.passes is None:
        if answer.message and not state.error:
            state = structs.replace(state, error=answer.message, errored_at=now)
    else:
        state = structs.replace(state, error="", errored_at=None)
        row = state.row + 1 if state.last == answer.passes else 1
        is_first_failure = not answer.passes and (row == 1 or state.failed_at is None)
        state = structs.replace(state, last=answer.passes, row=row)
        if answer.passes:
            state = structs.replace(state, failed_at=None, message="")
        elif is_first_failure:
            state = structs.replace(state, failed_at=now, message=answer.message)
        if row >= _threshold(order.probe, passes=answer.passes):
            is_over = order.kind == STARTUP or (order.kind == LIVENESS and not answer.passes)
            state = structs.replace(state, passes=answer.passes, is_over=is_over)
    return structs.replace(state, due_at=_next_due(order, state, now))


def fact_of(order: ProbeOrder, state: ProbeState) -> ProbeFact:
    """What is worth telling of a state: it changes only when its meaning does."""
    return ProbeFact(
        container_id=order.container_id,
        kind=order.kind,
        started_at=order.started_at,
        passes=state.passes,
        failed_at=state.failed_at,
        message=state.message,
        errored_at=state.errored_at,
        error=state.error,
    )


def _threshold(probe: Probe, *, passes: bool) -> int:
    return max(probe.success_threshold, 1) if passes else probe.failure_threshold or DEFAULT_FAILURE_THRESHOLD


def _next_due(order: ProbeOrder, state: ProbeState, now: datetime) -> datetime:
    """A whole number of periods after the last time, so that slow answers do not shift the beat."""
    is_first_success_due = order.kind == READINESS and state.passes is not True and state.last is not True
    sooner = timedelta(seconds=SOONER_SECONDS * 2.0 ** min(state.attempts - 1, 16))
    if is_first_success_due and sooner < order.period:
        return now + sooner
    missed = max((now - state.due_at) // order.period, 0)
    return state.due_at + order.period * (missed + 1)
