"""CronJobs: one Job per scheduled time, over missed times, time zones, restarts and clock changes; and TTLs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from objects.api.batch import CronJob, Job
from objects.errors import InvalidInput
from objects.values.schedule import parse_schedule
from tests.unit.controllers.harness import START, World
from tests.unit.controllers.manifests import cron_job, job


def run(world: World, minutes: int, *, succeed: bool = True) -> None:
    """Minutes pass one by one; pods run and end at once."""
    for _ in range(minutes):
        world.settle(60)
        for _ in range(3):
            world.bind_all()
            for pod in world.pods():
                if pod.node_name and not pod.is_finished and succeed:
                    world.finish(pod)
                if pod.is_terminating:
                    world.remove(pod.key)
            world.settle()


def minutes_of_jobs(world: World) -> list[int]:
    """The scheduled minutes of the Jobs there are, counted from the start of the test."""
    start = int(START.timestamp()) // 60
    return [int(job.name.rsplit("-", 1)[1]) - start for job in world.store.all_of(Job)]


def live(world: World) -> CronJob:
    found = world.store.get(CronJob, "default", "tick")
    assert found is not None
    return found


def test_one_job_at_each_time() -> None:
    world = World()
    world.declare(cron_job(successful_jobs_history_limit=10))
    run(world, 35)
    assert (minutes_of_jobs(world), live(world).status.active) == ([10, 20, 30], ())
    assert live(world).status.last_schedule_time == START + timedelta(minutes=30)
    assert live(world).status.last_successful_time is not None


def test_only_the_last_of_the_missed_times_is_made_up_for() -> None:
    world = World()
    world.declare(cron_job())
    world.settle()
    world.settle(3600)
    assert minutes_of_jobs(world) == [60]


def test_starting_deadline_gives_up_what_is_too_late() -> None:
    world = World()
    world.declare(cron_job("0 * * * *", starting_deadline_seconds=60))
    world.settle()
    world.settle(3600 + 61)
    assert minutes_of_jobs(world) == []
    world.settle(3600 - 1)
    assert minutes_of_jobs(world) == [120]


@pytest.mark.parametrize(
    ("policy", "running"),
    [
        pytest.param("Allow", [10, 20, 30], id="allow"),
        pytest.param("Forbid", [10], id="forbid"),
        pytest.param("Replace", [30], id="replace"),
    ],
)
def test_concurrency(policy: str, running: list[int]) -> None:
    world = World()
    world.declare(cron_job(concurrency_policy=policy))
    run(world, 31, succeed=False)
    assert minutes_of_jobs(world) == running


def test_forbidden_run_is_made_up_for_when_the_earlier_one_ends() -> None:
    world = World()
    world.declare(cron_job(concurrency_policy="Forbid"))
    run(world, 21, succeed=False)
    assert world.holds["cronjob-controller", live(world).key].reason == "JobAlreadyActive"
    run(world, 1)
    assert minutes_of_jobs(world) == [10, 20]


def test_restart_neither_loses_nor_doubles_a_time() -> None:
    world = World()
    world.declare(cron_job())
    run(world, 11)
    fresh = World()
    fresh.now = START + timedelta(minutes=25)
    fresh.declare(cron_job())
    for obj in (*world.store.all_of(Job), *world.pods()):
        fresh.put(obj)
    fresh.settle()
    assert minutes_of_jobs(fresh) == [10, 20]
    fresh.touch_everything()
    fresh.settle()
    assert minutes_of_jobs(fresh) == [10, 20]


def test_history_keeps_the_last_ones() -> None:
    world = World()
    world.declare(cron_job(successful_jobs_history_limit=2))
    run(world, 55)
    assert minutes_of_jobs(world) == [40, 50]


def test_suspended_makes_nothing() -> None:
    world = World()
    world.declare(cron_job(suspend=True))
    run(world, 25)
    assert (minutes_of_jobs(world), world.holds["cronjob-controller", live(world).key].reason) == ([], "Suspended")


def test_unreadable_schedule_is_named() -> None:
    world = World()
    world.declare(cron_job("every now and then *"))
    world.settle()
    assert world.holds["cronjob-controller", live(world).key].reason == "UnparseableSchedule"


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("text", "zone", "after", "expected"),
    [
        pytest.param("0 9 * * *", "Europe/Berlin", (2026, 3, 28, 12), (2026, 3, 29, 7), id="summer time begins"),
        pytest.param("0 9 * * *", "Europe/Berlin", (2026, 10, 24, 12), (2026, 10, 25, 8), id="winter time begins"),
        pytest.param("0 0 13 * 5", None, (2026, 11, 10, 0), (2026, 11, 13, 0), id="13th or Friday: both on this day"),
        pytest.param("0 0 13 * 1", None, (2026, 11, 13, 1), (2026, 11, 16, 0), id="13th or Monday: the Monday"),
        pytest.param("0 0 * * 0", None, (2026, 11, 23, 0), (2026, 11, 29, 0), id="Sunday is 0"),
        pytest.param("@daily", None, (2026, 11, 23, 12), (2026, 11, 24, 0), id="macro"),
        pytest.param("0 * * * ?", None, (2026, 11, 23, 12), (2026, 11, 23, 13), id="question mark"),
        pytest.param("@every 90m", None, (2026, 11, 23, 12), (2026, 11, 23, 13, 30), id="interval"),
    ],
)
def test_next_time(text: str, zone: str | None, after: tuple[int, ...], expected: tuple[int, ...]) -> None:
    start = utc(*after)
    schedule = parse_schedule(text, zone)
    due = schedule.next_at(start, after=start)
    assert due == utc(*expected)
    assert schedule.last_at(due, after=start) == due
    assert schedule.last_at(due - timedelta(seconds=1), after=start) is None


@pytest.mark.parametrize(
    ("text", "zone"),
    [("* * *", None), ("61 * * * *", None), ("0 0 * * *", "Nowhere/Land"), ("@every 0s", None)],
)
def test_unreadable(text: str, zone: str | None) -> None:
    with pytest.raises(InvalidInput):
        parse_schedule(text, zone)


@pytest.mark.parametrize(
    ("how", "left"),
    [
        pytest.param({"ttl_seconds_after_finished": 60}, 1, id="after its time only the one in Git is left"),
        pytest.param({}, 2, id="no limit"),
    ],
)
def test_ttl_of_a_declared_job_takes_its_pods_only(how: dict[str, Any], left: int) -> None:
    world = World()
    world.declare(job(**how))
    run(world, 3)
    assert len(world.store.all_of(Job)) + len(world.pods()) == left
    run(world, 3)
    assert len(world.store.all_of(Job)) + len(world.pods()) == left


def test_ttl_of_a_cron_jobs_job_takes_it_away() -> None:
    world = World()
    world.declare(cron_job(ttl_seconds_after_finished=120))
    run(world, 11)
    assert minutes_of_jobs(world) == [10]
    run(world, 3)
    assert (minutes_of_jobs(world), world.pods()) == ([], [])
    assert live(world).status.last_schedule_time == START + timedelta(minutes=10)
