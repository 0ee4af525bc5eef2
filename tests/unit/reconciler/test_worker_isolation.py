"""What goes on beside a worker's looks, and one bad pod, keep neither the host nor its other pods from being seen."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from differ.kubelet.actions import Action, RemoveVolume
from differ.kubelet.memory import WorkerMemory
from differ.kubelet.probes.probing import ProbeOrder
from hosts.simulated.engine import foreign_container
from hosts.simulated.host import SimulatedHost
from objects.api.pods import Pod
from objects.errors import CommandFailed, DeadlineExceeded
from objects.observation.figures import Measurement
from objects.observation.host import HostObservation
from objects.observation.metrics import Scrape, Scraped
from reconciler.state.messages import (
    HostFailures,
    HostMeasured,
    HostReport,
    HostSilent,
    Message,
)
from reconciler.workers import host_pass
from reconciler.workers.host_pass import plan_pass
from reconciler.workers.worker import HostWorker
from tests.unit.reconciler.cluster import START
from tests.unit.reconciler.test_worker import assigned, assignment

WAIT_SECONDS = 10.0


class Ailing:
    """A host of which parts fail as told; `measure` waits while `may_measure` is not set."""

    def __init__(self, *ailments: str) -> None:
        self.host = SimulatedHost("h", clock=lambda: START, images=["web:v1"])
        self.host.engine.set_network("berth-pods", "10.1.0.0/24", "10.1.0.1")
        self.host.happen(lambda engine, _: engine.adopt([foreign_container("somebody-elses")]))
        self.ailments = set(ailments)
        self.may_look = threading.Event()
        self.may_look.set()
        self.may_measure = threading.Event()
        if "slow" not in ailments:
            self.may_measure.set()

    def observe(self) -> HostObservation:
        assert self.may_look.wait(WAIT_SECONDS)
        return self.host.observe()

    def measure(self, *, containers: bool = False, disk: bool = False) -> Measurement:
        self.may_measure.wait(WAIT_SECONDS)
        if "measure" in self.ailments:
            raise CommandFailed("administratively prohibited: no session", host="h")
        if "bug" in self.ailments:
            raise ZeroDivisionError("division by zero")
        return self.host.measure(containers=containers, disk=disk)

    def scrape(self, scrapes: Sequence[Scrape]) -> tuple[Scraped, ...]:
        return self.host.scrape(scrapes)

    def perform(self, action: Action) -> tuple[str, ...]:
        return self.host.perform(action)

    def keep_probing(self, orders: Sequence[ProbeOrder]) -> None:
        if "probe" in self.ailments:
            raise RuntimeError("can't start new thread")
        self.host.keep_probing(orders)

    def watch(self, wake: Callable[[], None], wake_later: Callable[[], None]) -> None:
        if "watch" in self.ailments:
            raise DeadlineExceeded("no answer", host="h")
        self.host.watch(wake, wake_later)

    def close(self) -> None:
        self.host.close()


@pytest.fixture
def reports() -> queue.SimpleQueue[Message]:
    return queue.SimpleQueue()


@pytest.fixture
def begin(reports: queue.SimpleQueue[Message]) -> Iterator[Callable[[Ailing], HostWorker]]:
    begun: list[tuple[Ailing, HostWorker]] = []

    def begin(host: Ailing) -> HostWorker:
        worker = HostWorker("h", host, report=reports.put, clock=lambda: datetime.now(UTC))
        begun.append((host, worker))
        worker.start()
        return worker

    yield begin
    for host, worker in begun:
        worker.stop()
        host.may_measure.set()
        worker.join()


def heard(reports: queue.SimpleQueue[Message], *, until: Callable[[Message], bool]) -> list[Message]:
    """All messages up to the one that is waited for."""
    ends, found = time.monotonic() + WAIT_SECONDS, []
    while True:
        found.append(reports.get(timeout=max(0.0, ends - time.monotonic())))
        if until(found[-1]):
            return found


@pytest.mark.parametrize(
    ("ailment", "part", "reason"),
    [
        pytest.param("measure", "Metrics", "CommandFailed", id="a refused shell session"),
        pytest.param("bug", "Metrics", "InternalError", id="a bug in measuring"),
        pytest.param("watch", "Events", "DeadlineExceeded", id="events cannot be followed"),
        pytest.param("probe", "Probes", "InternalError", id="no thread for probes"),
    ],
)
def test_what_fails_beside_the_looks_makes_no_host_silent(
    begin: Callable[[Ailing], HostWorker], reports: queue.SimpleQueue[Message], ailment: str, part: str, reason: str
) -> None:
    host = Ailing(ailment)
    worker = begin(host)
    worker.assign(assignment(assigned()))
    found = heard(reports, until=lambda one: isinstance(one, HostFailures))
    failures = found[-1]
    assert isinstance(failures, HostFailures)
    assert [(one.part, one.reason) for one in failures.failures] == [(part, reason)]
    ends = time.monotonic() + WAIT_SECONDS
    while not any("berth_" in one.name for one in host.host.engine.containers.values()):
        assert time.monotonic() < ends, "no container is made"
        time.sleep(0.01)
    while not reports.empty():
        found.append(reports.get())
    assert not [one for one in found if isinstance(one, HostSilent)]


def test_a_slow_measurement_keeps_no_look(
    begin: Callable[[Ailing], HostWorker], reports: queue.SimpleQueue[Message]
) -> None:
    host = Ailing("slow")
    worker = begin(host)
    worker.assign(assignment(assigned()))
    found = heard(reports, until=lambda one: isinstance(one, HostReport) and bool(one.statuses))
    assert not [one for one in found if isinstance(one, HostMeasured | HostSilent)]
    host.may_measure.set()
    heard(reports, until=lambda one: isinstance(one, HostMeasured))


def test_who_is_stopped_says_nothing_more(
    begin: Callable[[Ailing], HostWorker], reports: queue.SimpleQueue[Message]
) -> None:
    host = Ailing()
    worker = begin(host)
    heard(reports, until=lambda one: isinstance(one, HostReport))
    host.may_look.clear()
    worker.assign(assignment(assigned()))
    time.sleep(0.05)
    worker.stop()
    while not reports.empty():
        reports.get()
    host.may_look.set()
    worker.join()
    assert reports.empty()


def test_a_pod_that_cannot_be_planned_for_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = assigned(), _named("good")
    real = host_pass.plan_host

    def plan_host(told, observation, memory, now):  # type: ignore[no-untyped-def]
        if any(pod.uid == bad.uid for pod in told.pods):
            raise KeyError("colour")
        return real(told, observation, memory, now)

    monkeypatch.setattr(host_pass, "plan_host", plan_host)
    seen = Ailing().host.observe()
    facts = msgspec.structs.replace(seen.facts, pod_volumes=(f"berth_{bad.uid}_data",))
    seen = msgspec.structs.replace(seen, facts=facts)
    plan, report = plan_pass("h", assignment(bad, good), seen, WorkerMemory(), START)
    assert report.held == {bad.uid: "KeyError: 'colour'"}
    assert report.statuses.keys() == {good.uid}
    assert {action.pod_uid for action in plan.actions} == {good.uid, ""}, "and the host's own network"
    assert not [action for action in plan.actions if isinstance(action, RemoveVolume)]
    assert plan.wake_at is not None


def _named(name: str) -> Pod:
    pod = assigned()
    metadata = msgspec.structs.replace(pod.metadata, name=name, uid="22222222-2222-2222-2222-222222222222")
    return msgspec.structs.replace(pod, metadata=metadata)
