"""Thresholds, periods and delays of probes."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from differ.kubelet.probes.checks import TcpCheck
from differ.kubelet.probes.probing import (
    LIVENESS,
    READINESS,
    STARTUP,
    Answer,
    ProbeOrder,
    begin_probe,
    fact_of,
    record_probe,
)
from objects.api.pods import Probe
from objects.observation.host import ProbeFact
from tests.unit.differ.building import NOW, after

TIMES = {"period_seconds": 10, "timeout_seconds": 1, "success_threshold": 1, "failure_threshold": 3}


def order(kind: str = LIVENESS, *, started_ago: float = 0, is_known: bool = False, **fields: int) -> ProbeOrder:
    return ProbeOrder(
        container_id="c",
        kind=kind,
        started_at=NOW - timedelta(seconds=started_ago),
        began_at=NOW - timedelta(seconds=started_ago),
        check=TcpCheck(address="192.0.2.1", port=80),
        probe=Probe(**{**TIMES, **fields}),
        is_known=is_known,
    )


@pytest.mark.parametrize(
    ("kind", "fields", "answers", "expected"),
    [
        pytest.param(LIVENESS, {}, "++--", "++++", id="below-the-threshold"),
        pytest.param(LIVENESS, {}, "+---", "+++-", id="at-the-threshold"),
        pytest.param(LIVENESS, {}, "+--+--", "++++++", id="a-success-begins-anew"),
        pytest.param(LIVENESS, {}, "--?-", "???-", id="what-could-not-be-asked-counts-for-nothing"),
        pytest.param(LIVENESS, {"failure_threshold": 1}, "-", "-", id="one-is-enough"),
        pytest.param(READINESS, {"success_threshold": 2}, "+-++", "???+", id="two-successes"),
        pytest.param(READINESS, {}, "+---+", "+++-+", id="ready-again"),
        pytest.param(STARTUP, {"failure_threshold": 0}, "---", "??-", id="the-default-threshold"),
    ],
)
def test_verdicts(kind: str, fields: dict[str, int], answers: str, expected: str) -> None:
    one = order(kind, **fields)
    state, verdicts, now = begin_probe(one, NOW, Random(1)), "", NOW
    for answer in answers:
        state = record_probe(one, state, Answer({"+": True, "-": False}.get(answer)), now)
        verdicts += {True: "+", False: "-", None: "?"}[state.passes]
        now = state.due_at
    assert verdicts == expected


@pytest.mark.parametrize(
    ("kind", "answer", "threshold", "expected"),
    [
        pytest.param(STARTUP, True, 3, True, id="startup-passed"),
        pytest.param(STARTUP, False, 1, True, id="startup-failed"),
        pytest.param(LIVENESS, False, 1, True, id="liveness-failed"),
        pytest.param(LIVENESS, True, 1, False, id="liveness-passed"),
        pytest.param(READINESS, False, 1, False, id="readiness-failed"),
    ],
)
def test_when_a_probe_is_asked_no_more(kind: str, answer: bool, threshold: int, expected: bool) -> None:
    one = order(kind, failure_threshold=threshold)
    assert record_probe(one, begin_probe(one, NOW, Random(1)), Answer(answer), NOW).is_over is expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(order(), 0.0, id="at-once"),
        pytest.param(order(initial_delay_seconds=5), 5.0, id="after-its-delay"),
        pytest.param(order(started_ago=2, initial_delay_seconds=5), 3.0, id="rest-of-its-delay"),
        pytest.param(order(started_ago=60), 0.0, id="an-old-run-of-which-nothing-is-known"),
        pytest.param(order(started_ago=60, is_known=True), 10 * Random(1).random(), id="taken-over"),
    ],
)
def test_the_first_time(one: ProbeOrder, expected: float) -> None:
    assert begin_probe(one, NOW, Random(1)).due_at == after(expected)


def test_until_it_is_ready_it_is_asked_sooner() -> None:
    one = order(READINESS)
    state, seconds = begin_probe(one, NOW, Random(1)), []
    for passes in (False, False, False, False, False, False, False, True, False):
        before = state.due_at
        state = record_probe(one, state, Answer(passes), before)
        seconds.append(round((state.due_at - before).total_seconds(), 3))
    assert seconds == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("late", "expected"),
    [pytest.param(1, 10, id="in-time"), pytest.param(9.9, 10, id="slow"), pytest.param(25, 30, id="beats-are-missed")],
)
def test_slow_answers_do_not_shift_the_beat(late: float, expected: float) -> None:
    one = order()
    assert record_probe(one, begin_probe(one, NOW, Random(1)), Answer(True), after(late)).due_at == after(expected)


def test_the_first_failure_of_a_row_is_told() -> None:
    one = order()
    state = begin_probe(one, NOW, Random(1))
    for number, passes in enumerate((True, False, False)):
        state = record_probe(one, state, Answer(passes, "" if passes else f"no {number}"), after(number))
    told = ProbeFact(container_id="c", kind=LIVENESS, started_at=NOW, passes=True, failed_at=after(1), message="no 1")
    assert fact_of(one, state) == told


def test_what_a_person_has_to_mend_is_told_and_counts_for_nothing() -> None:
    one = order(READINESS)
    state, told = begin_probe(one, NOW, Random(1)), []
    for second, answer in (
        (0, Answer(True)),
        (10, Answer(None, "no way")),
        (20, Answer(None, "no")),
        (30, Answer(None)),
    ):
        state = record_probe(one, state, answer, after(second))
        told.append((state.passes, state.errored_at, state.error))
    assert told == [(True, None, ""), *[(True, after(10), "no way")] * 3]
    assert (fact_of(one, state).errored_at, fact_of(one, state).error) == (after(10), "no way")
    state = record_probe(one, state, Answer(True), after(40))
    assert (state.errored_at, state.error) == (None, "")
