"""The worker of one host and who is in charge of it: nothing is done there before it is ours, or when it is not."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
import pytest

from differ.kubelet.actions import Action, MarkCharge, RemoveVolume
from differ.kubelet.assignment import HostAssignment, PodNetwork
from differ.kubelet.host.state import desired_parts
from hosts.simulated.host import SimulatedHost
from objects.api.pods import Pod, PodStatus
from objects.errors import DiskFull, HostError, Superseded
from objects.own.charge import Charge
from reconciler.charge import rules
from reconciler.charge.holding import InCharge
from reconciler.state.messages import HostReport, Message
from reconciler.workers.worker import HostWorker
from tests.unit.reconciler.cluster import START, bare_pod

WAIT_SECONDS = 10.0
SETTLE_SECONDS = 1.0
OURS = Charge(epoch=7, holder="a1", name="berth run of a")
EARLIER = Charge(epoch=6, holder="b2", name="berth run of b")
LATER = Charge(epoch=8, holder="b2", name="berth run of b")


class Watched:
    """A worker that wants to make one container, on a simulated host. marks: what is there when it comes."""

    def __init__(self, *marks: Charge, refuses: type[HostError] | None = None) -> None:
        self._refuses = refuses
        self.looks = 0
        self.performed: list[tuple[datetime, Action]] = []
        self.host = SimulatedHost("h", clock=self._now, images=["web:v1"], before_action=self._note)
        self.host.engine.set_network("berth-pods", "10.1.0.0/24", "10.1.0.1")
        for part in desired_parts(assignment()):
            self.host.engine.set_part(part.name, part.wanted)
        for charge in marks:
            self.host.engine.mark_charge(charge)
        self.in_charge = InCharge(OURS)
        self.reports: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.worker = HostWorker(
            "h", self.host, report=self.reports.put, clock=lambda: datetime.now(UTC), in_charge=self.in_charge
        )
        self.worker.assign(assignment(bare_pod_on_host()))

    def _now(self) -> datetime:
        """Of the host: asked by each look."""
        self.looks += 1
        return START

    def _note(self, action: Action) -> None:
        if isinstance(action, MarkCharge) and self._refuses is not None:
            raise self._refuses("no", host="h")
        self.performed.append((datetime.now(UTC), action))

    @property
    def kinds(self) -> list[str]:
        return [type(action).__name__ for _, action in self.performed]

    def until(self, is_so: Callable[[], bool]) -> None:
        ends = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert time.monotonic() < ends, self.kinds
            time.sleep(0.01)

    def stays_idle(self) -> bool:
        """Whether looks are followed by nothing."""
        before = len(self.performed)
        for _ in range(20):
            self.worker.wake()
            time.sleep(0.02)
        return len(self.performed) == before


def bare_pod_on_host() -> Pod:
    pod = bare_pod("web:v1")
    metadata = msgspec.structs.replace(pod.metadata, uid="11111111-1111-1111-1111-111111111111")
    return msgspec.structs.replace(pod, metadata=metadata, status=PodStatus(pod_ip="10.1.0.7"))


def assignment(*pods: Pod) -> HostAssignment:
    network = PodNetwork(subnet="10.1.0.0/24", cluster_cidr="10.1.0.0/16")
    return HostAssignment(host="h", host_ip="192.0.2.1", network=network, pause_image="pause:3.9", pods=pods)


@pytest.fixture(autouse=True)
def _settles_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SETTLE_SECONDS", SETTLE_SECONDS)


@pytest.fixture
def start() -> Iterator[Callable[[Watched], Watched]]:
    running: list[Watched] = []

    def begin(watched: Watched) -> Watched:
        running.append(watched)
        watched.worker.start()
        return watched

    yield begin
    for watched in running:
        watched.worker.stop()
        watched.worker.join()


def test_a_fresh_host_is_marked_first_and_at_once(start: Callable[[Watched], Watched]) -> None:
    watched = start(Watched())
    watched.until(lambda: "CreateContainer" in watched.kinds)
    assert watched.kinds == ["MarkCharge", "CreateContainer"]


def test_a_host_that_is_ours_already_waits_for_nothing(start: Callable[[Watched], Watched]) -> None:
    watched = start(Watched(OURS))
    watched.until(lambda: "CreateContainer" in watched.kinds)
    assert watched.kinds == ["CreateContainer"]


def test_the_last_calls_of_another_are_waited_for(start: Callable[[Watched], Watched]) -> None:
    watched = start(Watched(EARLIER))
    watched.until(lambda: "CreateContainer" in watched.kinds)
    assert watched.kinds == ["MarkCharge", "RemoveVolume", "CreateContainer"]
    assert watched.looks < 30, "it waits, it does not ask all the time"
    marked, removed = watched.performed[0], watched.performed[1]
    assert removed[1] == RemoveVolume(volume="berth-charge-6-b2")
    assert (removed[0] - marked[0]).total_seconds() >= SETTLE_SECONDS
    assert list(watched.host.engine.charges.values()) == [OURS]


def test_before_it_has_settled_nothing_is_reported(start: Callable[[Watched], Watched]) -> None:
    watched = start(Watched(EARLIER))
    watched.until(lambda: watched.kinds == ["MarkCharge"])
    assert watched.reports.empty()
    assert isinstance(watched.reports.get(timeout=WAIT_SECONDS), HostReport)
    assert "RemoveVolume" in watched.kinds


def test_where_somebody_later_is_in_charge_nothing_is_done(start: Callable[[Watched], Watched]) -> None:
    watched = start(Watched(LATER))
    watched.until(lambda: watched.in_charge.is_over)
    assert (watched.stays_idle(), watched.kinds, watched.reports.empty()) == (True, [], True)


def test_one_who_is_superseded_while_it_acts_does_nothing_more(start: Callable[[Watched], Watched]) -> None:
    watched = start(Watched(OURS))
    watched.until(lambda: bool(watched.host.engine.containers))
    watched.host.happen(lambda engine, now: engine.mark_charge(LATER))
    watched.until(lambda: watched.in_charge.is_over)
    watched.host.happen(lambda engine, now: engine.remove(next(iter(engine.containers))))
    assert watched.stays_idle()
    with pytest.raises(Superseded):
        watched.in_charge.require()


def test_what_another_host_told_holds_here_too(start: Callable[[Watched], Watched]) -> None:
    watched = Watched(OURS)
    watched.in_charge.end(LATER)
    start(watched)
    assert (watched.stays_idle(), watched.kinds) == (True, [])


def test_a_full_disk_takes_no_mark_and_is_looked_after(start: Callable[[Watched], Watched]) -> None:
    watched = start(Watched(refuses=DiskFull))
    watched.until(lambda: "CreateContainer" in watched.kinds)
