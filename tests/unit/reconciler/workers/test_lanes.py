"""Threads that all hosts share: whose turn it is, how many run at a time, and who is held up by whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest

from reconciler.workers.lanes import LIMITS, HostLanes, Kind, Lanes, Limits

WAIT_SECONDS = 10.0


class Hung:
    """Calls that wait until they are let go, and what has begun of them, in order."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._lock = threading.Lock()
        self._may_end = threading.Event()

    def call(self, name: str) -> Callable[[], str]:
        def wait() -> str:
            with self._lock:
                self.begun.append(name)
            assert self._may_end.wait(WAIT_SECONDS)
            return name

        return wait

    def let_go(self) -> None:
        self._may_end.set()


@contextmanager
def hung() -> Iterator[Hung]:
    calls = Hung()
    try:
        yield calls
    finally:
        calls.let_go()


def limited(host: int, process: int, **settings: float) -> Lanes:
    """No call ever counts as slow, unless the settings say so."""
    return Lanes(dict.fromkeys(Kind, Limits(host, process)), **{"patience_seconds": 3600.0, **settings})


def submit(lanes: HostLanes, calls: Hung, names: list[str], kind: Kind = Kind.ACTION) -> list[Future[str]]:
    return [lanes.submit(kind, calls.call(name)) for name in names]


def until(is_so: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < ends, "it did not come to that in time"
        time.sleep(0.005)


def settled(calls: Hung, count: int) -> list[str]:
    """What has begun once `count` have, and none that should not have a moment later."""
    until(lambda: len(calls.begun) >= count)
    time.sleep(0.05)
    return sorted(calls.begun)


def test_one_host_has_no_more_than_its_share() -> None:
    lanes = limited(2, 5)
    with hung() as calls:
        futures = submit(lanes.of_host("a"), calls, ["a1", "a2", "a3"])
        assert settled(calls, 2) == ["a1", "a2"]
        calls.let_go()
        assert [future.result(WAIT_SECONDS) for future in futures] == ["a1", "a2", "a3"]


def test_the_process_has_no_more_than_its_share() -> None:
    lanes = limited(2, 3)
    with hung() as calls:
        futures = [*submit(lanes.of_host("a"), calls, ["a1", "a2"]), *submit(lanes.of_host("b"), calls, ["b1", "b2"])]
        assert settled(calls, 3) == ["a1", "a2", "b1"]
        assert lanes.threads <= 4, "one may wait for a place"
        calls.let_go()
        assert {future.result(WAIT_SECONDS) for future in futures} == {"a1", "a2", "b1", "b2"}


def test_a_free_place_goes_to_the_host_with_the_fewest() -> None:
    lanes = limited(6, 4)
    busy, other, third = (lanes.of_host(name) for name in ("busy", "other", "third"))
    with hung() as first, hung() as rest:
        submit(busy, first, ["b1"])
        submit(busy, rest, ["b2", "b3", "b4"])
        until(lambda: len(first.begun) + len(rest.begun) == 4)
        futures = submit(busy, rest, ["b5", "b6"]) + submit(other, rest, ["o1", "o2"]) + submit(third, rest, ["t1"])
        first.let_go()
        assert settled(rest, 4)[-1] == "o1", "it waited longer than the third, and the busy one has three"
        rest.let_go()
        assert {future.result(WAIT_SECONDS) for future in futures} == {"b5", "b6", "o1", "o2", "t1"}


def test_hosts_take_turns() -> None:
    """A wave of work on one host, and then some on another: they share the one place in turns."""
    lanes = limited(1, 1)
    order: list[str] = []
    with hung() as gate:
        submit(lanes.of_host("gate"), gate, ["gate"])
        until(lambda: gate.begun == ["gate"])
        many, few = lanes.of_host("many"), lanes.of_host("few")
        futures = [many.submit(Kind.ACTION, lambda: order.append("many")) for _ in range(4)]
        futures += [few.submit(Kind.ACTION, lambda: order.append("few")) for _ in range(2)]
    for future in futures:
        future.result(WAIT_SECONDS)
    assert order == ["many", "few", "many", "few", "many", "many"]


def test_hosts_that_hang_hold_up_nobody_else() -> None:
    """More of them than the process has places: what waits for a dead host counts no more after a moment."""
    lanes = limited(2, 3, patience_seconds=0.05)
    with hung() as calls:
        for number in range(5):
            submit(lanes.of_host(f"dead-{number}"), calls, ["x", "x", "x"])
        assert len(settled(calls, 10)) == 10, "two of each"
        healthy = lanes.of_host("healthy").submit(Kind.ACTION, lambda: "done")
        assert healthy.result(WAIT_SECONDS) == "done"


@pytest.mark.parametrize("blocked", [pytest.param(kind, id=kind.name) for kind in Kind])
def test_one_kind_of_work_holds_up_no_other(blocked: Kind) -> None:
    lanes = limited(1, 1)
    host = lanes.of_host("a")
    with hung() as calls:
        submit(host, calls, ["1", "2"], blocked)
        settled(calls, 1)
        for kind in set(Kind) - {blocked}:
            assert host.submit(kind, lambda: "done").result(WAIT_SECONDS) == "done"


def test_what_has_not_begun_is_cancelled_at_the_end_and_a_successor_begins_afresh() -> None:
    lanes = limited(1, 9)
    host = lanes.of_host("a")
    with hung() as calls:
        running, waiting = submit(host, calls, ["runs", "waits"])
        settled(calls, 1)
        began = time.monotonic()
        host.close()
        was_quick = time.monotonic() - began < WAIT_SECONDS / 2
        assert (waiting.cancelled(), running.running(), was_quick) == (True, True, True)
        assert host.submit(Kind.ACTION, lambda: "late").cancelled()
        assert lanes.of_host("a").submit(Kind.ACTION, lambda: "anew").result(WAIT_SECONDS) == "anew"
    assert running.result(WAIT_SECONDS) == "runs"


def test_an_error_is_the_answer_and_ends_no_thread() -> None:
    host = limited(1, 1).of_host("a")
    with pytest.raises(ZeroDivisionError):
        host.submit(Kind.ACTION, lambda: 1 // 0).result(WAIT_SECONDS)
    assert host.submit(Kind.ACTION, lambda: "next").result(WAIT_SECONDS) == "next"


def test_threads_end_when_there_is_nothing_to_do() -> None:
    lanes = limited(6, 64, idle_seconds=0.05)
    with hung() as calls:
        for number in range(10):
            submit(lanes.of_host(f"host-{number}"), calls, ["x", "x"])
        settled(calls, 20)
        assert lanes.threads == 20
    until(lambda: lanes.threads == 0)
    assert lanes.of_host("a").submit(Kind.ACTION, lambda: "again").result(WAIT_SECONDS) == "again"


def test_a_trickle_of_work_keeps_no_more_threads_than_it_needs() -> None:
    """After a wave: each host is measured now and then, which one thread can do."""
    lanes = limited(6, 64, idle_seconds=0.2)
    with hung() as calls:
        for number in range(10):
            submit(lanes.of_host(f"host-{number}"), calls, ["x"])
        settled(calls, 10)
    host, ends = lanes.of_host("a"), time.monotonic() + WAIT_SECONDS
    while lanes.threads > 2:
        assert time.monotonic() < ends, lanes.threads
        host.submit(Kind.ACTION, lambda: None).result(WAIT_SECONDS)
        time.sleep(0.01)
    assert host.submit(Kind.ACTION, lambda: "still").result(WAIT_SECONDS) == "still"


def test_work_of_many_threads_is_all_done() -> None:
    lanes = Lanes(idle_seconds=0.01)
    done: list[int] = []
    hosts = [lanes.of_host(f"host-{number}") for number in range(20)]

    def flood(host: HostLanes) -> None:
        for number in range(50):
            host.submit(Kind.ACTION, lambda number=number: done.append(number))  # type: ignore[misc]

    floods = [threading.Thread(target=flood, args=(host,)) for host in hosts]
    for flood_thread in floods:
        flood_thread.start()
    for flood_thread in floods:
        flood_thread.join()
    until(lambda: len(done) == 1000)
    until(lambda: lanes.threads == 0)


def test_the_limits() -> None:
    assert {kind: tuple(limit) for kind, limit in LIMITS.items()} == {
        Kind.ACTION: (6, 64),
        Kind.PULL: (3, 24),
        Kind.MEASURE: (2, 32),
    }
