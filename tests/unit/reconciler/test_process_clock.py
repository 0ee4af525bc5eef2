"""The process' clock: what lasts does not care for a machine's clock that is set; schedules do."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from hosts.simulated.host import SimulatedHost
from objects.api.batch import Job
from objects.api.meta import KubeObject
from objects.errors import EngineError
from objects.observation.figures import Measurement
from objects.observation.host import HostObservation
from reconciler.process.clock import FOLLOWED, ProcessClock
from reconciler.state.messages import Message
from reconciler.workers.worker import HostWorker
from tests.unit.controllers.manifests import cron_job
from tests.unit.reconciler.cluster import FakeCluster, deployment

START = datetime(2026, 11, 30, 12, tzinfo=UTC)
TWO_HOURS = timedelta(hours=2)


class Machine:
    """A machine's two clocks. real: those of this machine, apart from what `set_by` does."""

    def __init__(self, *, real: bool = False) -> None:
        self.seconds = 0.0
        self.set_by = timedelta()
        self._is_real = real

    def monotonic(self) -> float:
        return time.monotonic() if self._is_real else self.seconds

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.monotonic()) + self.set_by

    def clock(self) -> ProcessClock:
        return ProcessClock(wall=self.wall, monotonic=self.monotonic)


@pytest.mark.parametrize(
    ("set_by", "shows_after_a_minute", "ahead_then"),
    [
        pytest.param(0, 60, 0, id="not-set"),
        pytest.param(-1, 59, 0, id="a-little-is-caught-up-with"),
        pytest.param(-7200, 60 * (1 - FOLLOWED), -7200 + 60 * FOLLOWED, id="set-back"),
        pytest.param(7200, 60 * (1 + FOLLOWED), 7200 - 60 * FOLLOWED, id="set-forward"),
        pytest.param(-100 * 86400, 60 * (1 - FOLLOWED), -100 * 86400 + 60 * FOLLOWED, id="set-back-by-months"),
        pytest.param(100 * 86400, 60 + 100 * 86400, 0, id="was-plainly-wrong"),
    ],
)
def test_a_clock_that_is_set(set_by: float, shows_after_a_minute: float, ahead_then: float) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.set_by = timedelta(seconds=set_by)
    machine.seconds = 60.0
    assert (clock() - START).total_seconds() == pytest.approx(shows_after_a_minute)
    assert clock.ahead().total_seconds() == pytest.approx(ahead_then)


@pytest.mark.parametrize("set_by", [pytest.param(-7200, id="back"), pytest.param(7200, id="forward")])
def test_a_set_clock_is_followed_until_both_agree(set_by: float, caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock, shown = machine.clock(), [START]
    machine.set_by = timedelta(seconds=set_by)
    with caplog.at_level(logging.WARNING):
        for _ in range(50 * 60):
            machine.seconds += 60
            shown.append(clock())
    steps = {round((after - before).total_seconds(), 3) for before, after in itertools.pairwise(shown)}
    assert min(steps) >= 60 * (1 - FOLLOWED)
    assert max(steps) <= 60 * (1 + FOLLOWED)
    assert (clock(), clock.ahead()) == (machine.wall(), timedelta())
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        f"this machine's clock was set by {set_by:+.0f} s"
    ]


class Looked(SimulatedHost):
    """Counts looks, and answers no question about its figures."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__("h", clock=clock)
        self.looks = threading.Semaphore(0)
        self.measured = threading.Semaphore(0)

    def observe(self) -> HostObservation:
        self.looks.release()
        return super().observe()

    def measure(self, *, containers: bool = False, disk: bool = False) -> Measurement:
        self.measured.release()
        raise EngineError("no figures", host="h")


@pytest.mark.parametrize("set_by", [pytest.param(-TWO_HOURS, id="back"), pytest.param(TWO_HOURS, id="forward")])
def test_a_worker_goes_on_as_before(set_by: timedelta) -> None:
    machine = Machine(real=True)
    host, told = Looked(machine.wall), queue.SimpleQueue[Message]()
    worker = HostWorker("h", host, report=told.put, clock=machine.clock(), relist_seconds=0.2)
    worker.start()
    try:
        assert host.looks.acquire(timeout=10)
        machine.set_by = set_by
        begun = time.monotonic()
        for _ in range(5):
            assert host.looks.acquire(timeout=10)  # none for two hours, when it went by the machine's clock
        assert time.monotonic() - begun > 0.5
        assert not host.measured.acquire(blocking=False)  # in ten seconds
    finally:
        worker.stop()
        worker.join()


class Process:
    """An engine whose time is that of a `ProcessClock`, on hosts that obey at once."""

    def __init__(self, *objects: KubeObject) -> None:
        self.machine = Machine()
        self.cluster = FakeCluster("a", "b")
        self.clock = self.machine.clock()
        self.pass_time(1, self.cluster.desired(*objects))

    def pass_time(self, seconds: float, *messages: Message) -> None:
        self.machine.seconds += seconds
        for told in (messages, (), ()):
            hosts = (self.cluster.report(name) for name in self.cluster.hosts)
            self.cluster.engine.step((*told, *hosts), self.clock(), ahead=self.clock.ahead())


@pytest.mark.parametrize("set_by", [pytest.param(-TWO_HOURS, id="back"), pytest.param(TWO_HOURS, id="forward")])
def test_pods_of_a_silent_host_are_given_up_when_their_time_is_over(set_by: timedelta) -> None:
    """After 300 s: neither at once nor two hours later."""
    process = Process(deployment(replicas=1))
    (pod,) = process.cluster.pods()
    process.cluster.silent.add(pod.node_name)
    process.pass_time(1)
    process.machine.set_by = set_by
    process.pass_time(250)
    assert [one.is_terminating for one in process.cluster.pods()] == [False]
    process.pass_time(100)
    assert sorted(one.is_terminating for one in process.cluster.pods()) == [False, True]


@pytest.mark.parametrize(
    ("schedule", "set_by", "minutes", "jobs"),
    [
        pytest.param("30 14 * * *", TWO_HOURS, 31, 1, id="a-time-of-day-that-is-there-sooner"),
        pytest.param("30 12 * * *", -TWO_HOURS, 31, 0, id="a-time-of-day-that-is-there-later"),
        pytest.param("@every 30m", -TWO_HOURS, 35, 1, id="an-interval-goes-on"),
        pytest.param("@every 30m", TWO_HOURS, 25, 0, id="an-interval-is-not-over-sooner"),
    ],
)
def test_schedules(schedule: str, set_by: timedelta, minutes: int, jobs: int) -> None:
    process = Process(cron_job(schedule))
    process.machine.set_by = set_by
    for _ in range(minutes):
        process.pass_time(60)
    assert len(process.cluster.engine.store.all_of(Job)) == jobs
