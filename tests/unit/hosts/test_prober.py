"""The book of probes by given times, and the threads that keep it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from differ.kubelet.probes.checks import TcpCheck
from differ.kubelet.probes.probing import (
    LIVENESS,
    READINESS,
    Answer,
    ProbeOrder,
)
from hosts.probes.prober import Prober
from hosts.probes.schedule import ProbeBook
from hosts.streams.coroutines import Pause, QuestionRun, pause
from objects.api.pods import Probe
from objects.errors import HostUnreachable
from tests.unit.hosts.peers import await_condition

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TIMES = Probe(period_seconds=10, timeout_seconds=1, success_threshold=1, failure_threshold=1)


def order(container_id: str, kind: str = LIVENESS, *, started_at: datetime = NOW) -> ProbeOrder:
    check = TcpCheck(address="192.0.2.1", port=80)
    return ProbeOrder(
        container_id=container_id, kind=kind, started_at=started_at, began_at=started_at, check=check, probe=TIMES
    )


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_probes_come_in_the_order_of_their_times_and_not_twice() -> None:
    book = ProbeBook(Random(1))
    book.keep((order("a"), order("b", started_at=after(3))), NOW)
    assert book.take_due(NOW) == order("a")
    assert (book.take_due(NOW), book.next_due()) == (None, after(3))
    assert book.record(order("a"), Answer(True), after(1)) is True
    assert book.take_due(after(3)) == order("b", started_at=after(3))
    assert book.next_due() == after(10)


def test_only_what_changes_its_meaning_is_news() -> None:
    book = ProbeBook(Random(1))
    book.keep((order("a"),), NOW)
    news, changes = [], []
    for second, passes in ((0, True), (10, True), (20, None), (30, False)):
        taken = book.take_due(after(second))
        assert taken is not None
        news.append(book.record(taken, Answer(passes, "no" if passes is False else ""), after(second)))
        changes.append(book.changes)
    assert news == [True, False, False, True]
    assert book.next_due() is None  # a failed liveness probe is asked no more in this run
    (fact,) = book.facts()
    assert (fact.passes, fact.failed_at, fact.message) == (False, after(30), "no")


def test_another_run_begins_anew_also_while_the_old_one_is_asked() -> None:
    book = ProbeBook(Random(1))
    old, new = order("a"), order("a", started_at=after(5))
    book.keep((old,), NOW)
    assert book.take_due(NOW) == old
    book.keep((new,), after(5))
    assert book.next_due() is None
    assert book.record(old, Answer(False, "late"), after(6)) is False
    (fact,) = book.facts()
    assert (fact.started_at, fact.passes, fact.message) == (after(5), None, "")
    assert book.take_due(after(6)) == new


def test_what_is_not_wanted_any_more_is_forgotten() -> None:
    book = ProbeBook(Random(1))
    book.keep((order("a"), order("b")), NOW)
    book.keep((order("b"),), NOW)
    assert [fact.container_id for fact in book.facts()] == ["b"]
    assert book.take_due(NOW) == order("b")
    assert book.record(order("a"), Answer(True), NOW) is False


def test_one_that_keeps_a_beat_may_come_a_moment_early_and_keeps_it() -> None:
    book, early = ProbeBook(Random(1)), timedelta(seconds=0.1)
    book.keep((order("a", READINESS), order("b", READINESS, started_at=after(0.05))), NOW)
    assert book.take_due(NOW, early=early) == order("a", READINESS)
    assert book.take_due(NOW, early=early) is None  # never before its first time
    for one, second in (("a", 0.0), ("b", 0.05)):
        taken = order(one, READINESS, started_at=after(second))
        if one == "b":
            assert book.take_due(after(second)) == taken
        book.record(taken, Answer(True), after(second))
    assert key_of(book.take_due(after(10))) == ("a", READINESS)
    assert book.take_due(after(10)) is None
    early_one = book.take_due(after(10), early=early)
    assert key_of(early_one) == ("b", READINESS)
    book.record(early_one, Answer(True), after(10))
    assert book.next_due() == after(20.05)


def key_of(taken: ProbeOrder | None) -> tuple[str, str] | None:
    return taken.key if taken is not None else None


class Asked:
    """Answers at once, apart from what hangs and what is out of reach. is_told: asks without waiting."""

    def __init__(self, *, is_told: bool) -> None:
        self.is_told = is_told
        self.may_answer = threading.Event()
        self.clock = time.monotonic
        self.flows: list[QuestionRun[Answer]] = []
        self.batches: list[int] = []
        self.waited_seconds = 0.0

    @contextmanager
    def together(self) -> Iterator[None]:
        before = len(self.flows)
        yield
        self.batches.append(len(self.flows) - before)

    def ask(self, one: ProbeOrder) -> Answer:
        if one.container_id == "hangs":
            assert self.may_answer.wait(20)
        return self._answer(one)

    def begin(
        self,
        one: ProbeOrder,
        *,
        call_at: Callable[[Pause, QuestionRun[Answer]], None],
        on_end: Callable[[Answer | None, Exception | None], None],
    ) -> QuestionRun[Answer] | None:
        if not self.is_told:
            return None
        flow = QuestionRun(self._question(one), call_at=call_at, on_end=on_end)
        self.flows.append(flow)
        call_at(Pause(self.clock() + 60, self.clock() + 60), flow)
        flow.resume()
        return flow

    async def _question(self, one: ProbeOrder) -> Answer:
        while one.container_id == "hangs" and not self.may_answer.is_set():
            await pause(self.clock, 0.01)
        if one.container_id == "patient":
            began = self.clock()
            await pause(self.clock, 0.05, most_seconds=20)
            self.waited_seconds = self.clock() - began
        return self._answer(one)

    def _answer(self, one: ProbeOrder) -> Answer:
        if one.container_id == "away":
            raise HostUnreachable("no answer", host="h")
        return Answer(True)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_probe_that_hangs_holds_up_no_other(is_told: bool) -> None:
    asked, woken = Asked(is_told=is_told), threading.Semaphore(0)
    prober = Prober("h", asking=asked, steady_now=lambda: NOW, wake=woken.release, random=Random(1))
    try:
        kept = ("away", "hangs", "one", "two")
        prober.keep([order(name, READINESS) for name in kept])
        await_condition(lambda: verdicts(prober) == [None, None, True, True], "two of four answers")
        asked.may_answer.set()
        await_condition(lambda: verdicts(prober) == [None, True, True, True], "the answer of the one that hung")
        for _ in range(3):
            assert woken.acquire(timeout=10)
        assert not woken.acquire(blocking=False)  # what could not be asked is no news
        # Those that are due together are begun together.
        assert asked.batches[0] == (4 if is_told else 0)
    finally:
        prober.close()


def verdicts(prober: Prober) -> list[bool | None]:
    return [fact.passes for fact in prober.facts()]


def test_what_is_under_way_is_let_go_of_at_the_end() -> None:
    asked = Asked(is_told=True)
    prober = Prober("h", asking=asked, steady_now=lambda: NOW, wake=lambda: None, random=Random(1))
    prober.keep([order("hangs", READINESS)])
    await_condition(lambda: bool(asked.flows), "it is asked")
    prober.close()
    await_condition(lambda: asked.flows[0].is_over, "it is given up")
    assert verdicts(prober) == [None]


def test_a_pause_with_room_shares_the_wake_up_of_others() -> None:
    asked = Asked(is_told=True)
    prober = Prober("h", asking=asked, steady_now=lambda: NOW, wake=lambda: None, random=Random(1))
    try:
        prober.keep([order("patient", READINESS)])
        await_condition(lambda: bool(asked.flows), "it is asked")
        time.sleep(0.1)
        assert verdicts(prober) == [None]
        prober.keep([order("patient", READINESS), order("two", READINESS)])
        await_condition(lambda: verdicts(prober) == [True, True], "both answers")
        assert 0.05 <= asked.waited_seconds < 10
    finally:
        prober.close()


def test_who_passed_before_is_asked_so() -> None:
    book = ProbeBook(Random(1))
    book.keep([order("b", READINESS)], NOW)
    seen = []
    for seconds, passes in ((0, True), (10, False), (20, None), (30, True), (40, True)):
        taken = book.take_due(after(seconds))
        assert taken is not None
        seen.append(taken.passed_before)
        book.record(taken, Answer(passes), after(seconds))
    assert seen == [False, True, False, False, True]
