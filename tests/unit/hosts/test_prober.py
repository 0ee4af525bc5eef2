"""The book of probes by given times, and the threads that keep it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from random import Random

from differ.checks import TcpCheck
from differ.probing import LIVENESS, READINESS, Answer, ProbeOrder
from hosts.probe_book import ProbeBook
from hosts.prober import Prober
from objects.errors import HostUnreachable
from objects.pods import Probe
from tests.unit.hosts.peers import await_condition

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TIMES = Probe(period_seconds=10, timeout_seconds=1, success_threshold=1, failure_threshold=1)


def order(container_id: str, kind: str = LIVENESS, *, started_at: datetime = NOW) -> ProbeOrder:
    check = TcpCheck(address="192.0.2.1", port=80)
    return ProbeOrder(container_id=container_id, kind=kind, started_at=started_at, check=check, probe=TIMES)


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
        news.append(book.record(taken, Answer(passes, "" if passes else "no"), after(second)))
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


def test_a_probe_that_hangs_holds_up_no_other() -> None:
    may_answer, woken = threading.Event(), threading.Semaphore(0)

    def ask(one: ProbeOrder) -> Answer:
        if one.container_id == "hangs":
            assert may_answer.wait(20)
        if one.container_id == "away":
            raise HostUnreachable("no answer", host="h")
        return Answer(True)

    prober = Prober("h", ask=ask, host_now=lambda: NOW, wake=woken.release, random=Random(1))
    try:
        kept = ("away", "hangs", "one", "two")
        prober.keep([order(name, READINESS) for name in kept])
        await_condition(lambda: verdicts(prober) == [None, None, True, True], "two of four answers")
        may_answer.set()
        await_condition(lambda: verdicts(prober) == [None, True, True, True], "the answer of the one that hung")
        for _ in range(3):
            assert woken.acquire(timeout=10)
        assert not woken.acquire(blocking=False)  # what could not be asked is no news
    finally:
        prober.close()


def verdicts(prober: Prober) -> list[bool | None]:
    return [fact.passes for fact in prober.facts()]
