"""The worker of one host: what it reports while its actions are still under way."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from differ.kubelet.actions import Action, CreateContainer
from differ.kubelet.assignment import HostAssignment, PodNetwork
from differ.kubelet.probes.probing import ProbeOrder
from hosts.simulated.host import SimulatedHost
from objects.api.pods import Pod, PodStatus
from objects.errors import HostUnreachable
from objects.observation.figures import Measurement
from objects.observation.host import HostObservation
from objects.observation.metrics import Scrape, Scraped
from reconciler.state.messages import HostReport, HostSilent, Message
from reconciler.workers.worker import HostWorker
from tests.unit.reconciler.cluster import START, bare_pod

UID = "11111111-1111-1111-1111-111111111111"
WAIT_SECONDS = 10


class SlowCreate:
    """A host whose engine takes its time to make containers; nothing of one can be seen before it is made."""

    def __init__(self) -> None:
        self.host = SimulatedHost("h", clock=lambda: START, images=["web:v1"])
        self.host.engine.set_network("berth-pods", "10.1.0.0/24", "10.1.0.1")
        self.is_asked = threading.Event()
        self.may_make = threading.Event()
        self.looks = threading.Semaphore(0)
        self.is_answering = True
        self.warnings: tuple[str, ...] = ()

    def observe(self) -> HostObservation:
        self.looks.release()
        seen = self.host.observe()
        slow = frozenset() if self.is_answering else frozenset(container.id for container in seen.containers)
        return msgspec.structs.replace(seen, unanswered=slow)

    def measure(self, *, containers: bool = False, disk: bool = False) -> Measurement:
        return self.host.measure(containers=containers, disk=disk)

    def scrape(self, scrapes: Sequence[Scrape]) -> tuple[Scraped, ...]:
        return self.host.scrape(scrapes)

    def perform(self, action: Action) -> tuple[str, ...]:
        if isinstance(action, CreateContainer):
            self.is_asked.set()
            assert self.may_make.wait(WAIT_SECONDS)
            self.host.perform(action)
            return self.warnings
        return self.host.perform(action)

    def keep_probing(self, orders: Sequence[ProbeOrder]) -> None:
        self.host.keep_probing(orders)

    def watch(self, wake: Callable[[], None], wake_later: Callable[[], None]) -> None:
        self.host.watch(wake, wake_later)

    def close(self) -> None:
        self.host.close()


@pytest.fixture
def reports() -> queue.SimpleQueue[Message]:
    return queue.SimpleQueue()


@pytest.fixture
def slow() -> SlowCreate:
    return SlowCreate()


@pytest.fixture
def worker(slow: SlowCreate, reports: queue.SimpleQueue[Message]) -> Iterator[HostWorker]:
    running = HostWorker("h", slow, report=reports.put, clock=lambda: datetime.now(UTC))
    running.start()
    yield running
    slow.may_make.set()
    running.stop()
    running.join()


def test_a_pod_whose_container_is_being_made_is_not_gone(
    worker: HostWorker, slow: SlowCreate, reports: queue.SimpleQueue[Message]
) -> None:
    pod = assigned()
    worker.assign(assignment(pod))
    assert slow.is_asked.wait(WAIT_SECONDS)

    metadata = msgspec.structs.replace(pod.metadata, deletion_timestamp=START, deletion_grace_period_seconds=0)
    worker.assign(assignment(msgspec.structs.replace(pod, metadata=metadata)))
    _look_again(worker, slow)
    assert (_gone(reports), slow.host.engine.containers) == ([], {})

    slow.may_make.set()
    assert _next_gone(reports) == (UID,)
    assert slow.host.engine.containers == {}


def test_a_pod_that_the_engine_is_slow_to_answer_for_is_not_acted_on(
    worker: HostWorker, slow: SlowCreate, reports: queue.SimpleQueue[Message]
) -> None:
    pod = assigned()
    slow.may_make.set()
    worker.assign(assignment(pod))
    while not slow.host.engine.containers:
        _look_again(worker, slow)
    slow.is_answering = False
    _look_again(worker, slow)

    metadata = msgspec.structs.replace(pod.metadata, deletion_timestamp=START, deletion_grace_period_seconds=0)
    worker.assign(assignment(msgspec.structs.replace(pod, metadata=metadata)))
    _look_again(worker, slow)
    assert (_gone(reports), len(slow.host.engine.containers)) == ([], 1)

    slow.is_answering = True
    worker.wake()
    assert _next_gone(reports) == (UID,)


def test_what_the_engine_warns_of_is_told_once_as_an_event_of_the_pod(
    worker: HostWorker, slow: SlowCreate, reports: queue.SimpleQueue[Message]
) -> None:
    slow.warnings = ("IPv4 forwarding is disabled",)
    slow.may_make.set()
    worker.assign(assignment(assigned()))
    said: list[tuple[str, str]] = []
    while not said:
        said += _warned(reports.get(timeout=WAIT_SECONDS))
    _look_again(worker, slow)
    while not reports.empty():
        said += _warned(reports.get())
    assert said == [("Warning", "Docker Engine on container c: IPv4 forwarding is disabled")]


def _warned(message: Message) -> list[tuple[str, str]]:
    events = message.pod_events if isinstance(message, HostReport) else ()
    return [(one.type, one.message) for one in events if one.reason == "EngineWarning"]


def _look_again(worker: HostWorker, slow: SlowCreate) -> None:
    """Until a look has begun and another one after it: what was assigned before has been planned for."""
    while slow.looks.acquire(blocking=False):
        pass
    for _ in range(2):
        worker.wake()
        assert slow.looks.acquire(timeout=WAIT_SECONDS)


def _gone(reports: queue.SimpleQueue[Message]) -> list[str]:
    """Pods that were reported as gone so far."""
    found: list[str] = []
    while not reports.empty():
        message = reports.get()
        found += message.gone if isinstance(message, HostReport) else ()
    return found


def _next_gone(reports: queue.SimpleQueue[Message]) -> tuple[str, ...]:
    while True:
        message = reports.get(timeout=WAIT_SECONDS)
        if isinstance(message, HostReport) and message.gone:
            return message.gone


def assigned() -> Pod:
    pod = bare_pod()
    metadata = msgspec.structs.replace(pod.metadata, uid=UID)
    return msgspec.structs.replace(pod, metadata=metadata, status=PodStatus(pod_ip="10.1.0.2", host_ip="192.0.2.1"))


def assignment(*pods: Pod) -> HostAssignment:
    network = PodNetwork(subnet="10.1.0.0/24", cluster_cidr="10.1.0.0/16")
    return HostAssignment(host="h", host_ip="192.0.2.1", network=network, pause_image="pause", pods=pods)


class Dead(SlowCreate):
    """A host that is refused and not reached in turns, with words about when it is asked again."""

    def observe(self) -> HostObservation:
        self.looks.release()
        error = HostUnreachable(next(self.causes), host="h")
        again = HostUnreachable(error.message, host="h", hint=f"next attempt in {time.monotonic()} s")
        again.lasting = str(error)
        raise again

    causes = itertools.cycle(("no route", "timed out"))


def test_a_dead_host_is_told_in_few_and_lasting_words(reports: queue.SimpleQueue[Message]) -> None:
    worker = HostWorker("h", Dead(), report=reports.put, clock=lambda: datetime.now(UTC))
    worker.start()
    told = [reports.get(timeout=WAIT_SECONDS)]
    for _ in range(5):
        worker.wake()
        told.append(reports.get(timeout=WAIT_SECONDS))
    worker.stop()
    worker.join()
    messages = [message.message for message in told if isinstance(message, HostSilent)]
    assert len(messages) == 6
    changes = sum(before != after for before, after in itertools.pairwise(messages))
    assert (changes, any("next attempt" in text for text in messages)) == (1, False)
