"""Threads that end when nothing is left to do."""

from __future__ import annotations

import threading

from hosts.streams.short_threads import ShortThreads
from tests.unit.hosts.peers import await_condition


def test_no_more_than_so_many_at_a_time_and_none_afterwards() -> None:
    threads = ShortThreads(2, "short")
    may_end = threading.Event()
    begun: list[int] = []

    def wait(number: int) -> None:
        begun.append(number)
        assert may_end.wait(10)

    for number in range(5):
        threads.submit(lambda number=number: wait(number))  # type: ignore[misc]
    await_condition(lambda: len(begun) == 2, "two begin")
    assert threads.running == 2
    may_end.set()
    await_condition(lambda: threads.running == 0, "threads end")
    assert sorted(begun) == [0, 1, 2, 3, 4]


def test_a_bug_in_one_call_takes_no_other_with_it() -> None:
    threads = ShortThreads(1, "short")
    done: list[str] = []
    threads.submit(lambda: 1 // 0)
    threads.submit(lambda: done.append("next"))
    await_condition(lambda: done == ["next"], "the next one runs")


def test_nothing_begins_after_the_end() -> None:
    threads = ShortThreads(1, "short")
    may_end = threading.Event()
    done: list[str] = []
    threads.submit(lambda: may_end.wait(10))
    threads.submit(lambda: done.append("waits"))
    threads.close()
    threads.submit(lambda: done.append("late"))
    may_end.set()
    await_condition(lambda: threads.running == 0, "threads end")
    assert done == []
