"""Workers that share lanes: what hangs on one host, or in one kind of work, holds up nothing else."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from differ.kubelet.actions import Action, PullImage, StartContainer
from objects.errors import EngineError
from objects.observation.figures import Measurement
from reconciler.state.messages import Message
from reconciler.workers import worker as worker_module
from reconciler.workers.lanes import Kind, Lanes, Limits
from reconciler.workers.worker import HostWorker
from tests.unit.reconciler.cluster import START
from tests.unit.reconciler.test_worker import SlowCreate, assigned, assignment

WAIT_SECONDS = 10.0


class Host(SlowCreate):
    """Of which some calls wait while `may_go_on` is not set. hangs: "make", "pull" or "measure"."""

    def __init__(self, *hangs: str) -> None:
        super().__init__()
        self.may_make.set()
        self.hangs = set(hangs)
        self.may_go_on = threading.Event()
        self.hanging = threading.Semaphore(0)
        self.refuses, self.refused = False, 0

    def _hang(self) -> None:
        self.hanging.release()
        assert self.may_go_on.wait(WAIT_SECONDS)

    def measure(self, *, containers: bool = False, disk: bool = False) -> Measurement:
        if "measure" in self.hangs:
            self._hang()
        return super().measure(containers=containers, disk=disk)

    def perform(self, action: Action) -> None:
        if "pull" in self.hangs and isinstance(action, PullImage):
            self._hang()
        if "make" in self.hangs and not isinstance(action, PullImage | StartContainer):
            self._hang()
        if self.refuses:
            self.refused += 1
            raise EngineError("port is already allocated", host="h")
        super().perform(action)

    @property
    def has_container(self) -> bool:
        return any(name.name.startswith("berth_c_") for name in self.host.engine.containers.values())


Begin = Callable[..., HostWorker]


def utc_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Of a worker: it stands still until the test moves it on, however long the machine takes for anything."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def begin() -> Iterator[Begin]:
    begun: list[tuple[Host, HostWorker]] = []

    def begin(host: Host, lanes: Lanes, name: str = "h", *, clock: Callable[[], datetime] = utc_now) -> HostWorker:
        reports: queue.SimpleQueue[Message] = queue.SimpleQueue()
        worker = HostWorker(name, host, report=reports.put, clock=clock, lanes=lanes)
        begun.append((host, worker))
        worker.start()
        return worker

    yield begin
    for host, worker in begun:
        host.may_go_on.set()
        worker.stop()
    for _, worker in begun:
        worker.join()


def narrow(**settings: float) -> Lanes:
    """One place on each host, two in the process."""
    return Lanes(dict.fromkeys(Kind, Limits(1, 2)), **settings)


def until(is_so: Callable[[], bool], what: str) -> None:
    ends = time.monotonic() + WAIT_SECONDS
    while not is_so():
        assert time.monotonic() < ends, what
        time.sleep(0.01)


@pytest.mark.parametrize("kind", [pytest.param("make", id="actions"), pytest.param("measure", id="measuring")])
def test_hosts_that_hang_hold_up_no_other(begin: Begin, kind: str) -> None:
    lanes = narrow(patience_seconds=0.05)
    for number in range(4):
        dead = Host(kind)
        begin(dead, lanes, f"dead-{number}").assign(assignment(assigned()))
        assert dead.hanging.acquire(timeout=WAIT_SECONDS)
    healthy = Host()
    worker = begin(healthy, lanes, "healthy")
    worker.assign(assignment(assigned()))
    until(lambda: healthy.has_container, "a host that does not hang waits for those that do")


def test_a_pull_holds_up_no_stop(begin: Begin) -> None:
    lanes = narrow(patience_seconds=3600)
    host = Host("pull")
    worker = begin(host, lanes)
    pod = assigned()
    worker.assign(assignment(pod))
    until(lambda: host.has_container, "the pod runs")
    container = pod.spec.containers[0]
    other = msgspec.structs.replace(
        pod,
        metadata=msgspec.structs.replace(pod.metadata, name="other", uid="22222222-2222-2222-2222-222222222222"),
        spec=msgspec.structs.replace(pod.spec, containers=(msgspec.structs.replace(container, image="slow:v1"),)),
    )
    worker.assign(assignment(pod, other))
    assert host.hanging.acquire(timeout=WAIT_SECONDS), "the image of the other is being pulled"
    metadata = msgspec.structs.replace(pod.metadata, deletion_timestamp=START, deletion_grace_period_seconds=0)
    worker.assign(assignment(msgspec.structs.replace(pod, metadata=metadata), other))
    until(lambda: not host.has_container, "a stop waits for a pull")


def test_measuring_holds_up_no_action(begin: Begin) -> None:
    host = Host("measure")
    worker = begin(host, narrow(patience_seconds=3600))
    worker.assign(assignment())
    assert host.hanging.acquire(timeout=WAIT_SECONDS), "what is assigned first is measured for at once"
    worker.assign(assignment(assigned()))
    until(lambda: host.has_container, "an action waits for a measurement")


def test_closing_waits_for_no_call_that_hangs(begin: Begin) -> None:
    host = Host("make")
    worker = begin(host, narrow())
    worker.assign(assignment(assigned()))
    assert host.hanging.acquire(timeout=WAIT_SECONDS)
    began = time.monotonic()
    worker.stop()
    worker.join(timeout_seconds=0.2)
    assert time.monotonic() - began < WAIT_SECONDS / 2
    assert not worker.has_ended, "a successor waits for its last call"
    host.may_go_on.set()
    assert worker.wait_for_end(WAIT_SECONDS)


def test_what_happens_to_others_is_looked_at_together_and_later(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "OTHERS_SECONDS", 0.5)
    host, clock = Host(), Clock()
    worker = begin(host, Lanes(), clock=clock)
    worker.assign(assignment())
    await_rest(host)
    for _ in range(30):
        worker.wake_later()
        assert not host.looks.acquire(timeout=0.01), "nobody is woken at once"
    clock.now += timedelta(seconds=0.4)
    assert not host.looks.acquire(timeout=0.6), "looked at before it is time"
    clock.now += timedelta(seconds=0.1)
    assert host.looks.acquire(timeout=WAIT_SECONDS)
    assert not host.looks.acquire(timeout=0.3), "one look for all of it"


def test_what_happens_to_others_may_help_what_failed(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "OTHERS_SECONDS", 3600.0)
    host = Host()
    host.refuses = True
    # While the clock stands still, nothing that failed is tried again by itself.
    worker = begin(host, Lanes(), clock=Clock())
    worker.assign(assignment(assigned()))
    until(lambda: host.refused > 0 and worker.waits_for_others, "the action fails")
    await_rest(host)
    worker.wake_later()
    assert host.looks.acquire(timeout=WAIT_SECONDS), "woken at once"


def await_rest(host: Host) -> None:
    """Until no look follows from the one before any more."""
    assert host.looks.acquire(timeout=WAIT_SECONDS)
    while host.looks.acquire(timeout=0.5):
        pass
