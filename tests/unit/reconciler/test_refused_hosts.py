"""A host that is refused (`policies.host_support`) is not acted on, and nothing that it shows of pods is believed.

`userns-remap`, another engine in Docker's place or a rootless one keep their containers elsewhere: what Berth made runs
on or will come back, and a look at the host shows nothing of it.
"""

from __future__ import annotations

import queue
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import pytest

from hosts.simulated.host import DEFAULT_FACTS, SimulatedHost
from objects.api.core import Namespace, Node
from objects.api.meta import ObjectMeta
from objects.api.pods import Pod
from objects.conditions import find_condition
from objects.observation.host import HostFacts, HostObservation, HostTraits
from objects.own.charge import Charge
from objects.own.config import Cluster
from reconciler.charge.holding import InCharge
from reconciler.controllers import CONTROLLERS
from reconciler.controllers.node.lifecycle import hosts_that_may_hold_pods
from reconciler.core.engine import Engine
from reconciler.plan.simulate import SimulatedClock, SimulatedCluster
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import Desired, HostReport, Message
from reconciler.status.content import render_files, restore
from reconciler.workers.worker import HostWorker
from tests.unit.reconciler.cluster import START, deployment, make_host

REMAPPED = HostTraits(engine="Docker", security_options=("userns",))
PODMAN = HostTraits(engine="Podman")
EVICTED_AFTER = timedelta(seconds=301)


class Host(SimulatedHost):
    """`traits`: other ones than a usual host's, while another engine's containers are shown: none."""

    traits: HostTraits | None = None

    def observe(self) -> HostObservation:
        seen = super().observe()
        if self.traits is None:
            return seen
        facts = msgspec.structs.replace(seen.facts, traits=self.traits, claim_volumes=(), pod_volumes=())
        return msgspec.structs.replace(seen, facts=facts, containers=(), pod_network=None)


class Together:
    """An engine and two hosts, `a` and `b`."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(START)
        self.hosts = {name: Host(name, clock=self.clock, images=["web:v1"]) for name in "ab"}
        self.begin()

    def begin(self) -> None:
        """Another process, with an empty memory."""
        self.cluster = SimulatedCluster(Engine(CONTROLLERS, source=Random(1)), self.hosts, self.clock)

    @property
    def engine(self) -> Engine:
        return self.cluster.engine

    def desired(self, replicas: int = 4) -> Desired:
        hosts = map(make_host, self.hosts)
        web = deployment(replicas=replicas)
        return Desired(commit="c1", objects=(Cluster(), Namespace(metadata=ObjectMeta(name="default")), *hosts, web))

    def settle(self, *messages: Message) -> None:
        assert self.cluster.run_to_rest(*messages, max_time=timedelta(seconds=30))

    def wait(self, time: timedelta) -> None:
        self.clock.now += time
        self.settle()

    def ready(self, name: str) -> tuple[str, str]:
        node = self.engine.store.get(Node, "", name)
        assert node is not None
        found = find_condition(node.status.conditions, "Ready")
        assert found is not None
        return found.status, found.reason

    def pods(self, host: str) -> list[Pod]:
        return list(self.engine.store.pods_on(host))

    def running(self, host: str) -> set[str]:
        """Ids of what really runs there."""
        seen = SimulatedHost.observe(self.hosts[host])
        return {one.id for one in seen.containers if one.state == "running"}


@pytest.fixture
def together() -> Together:
    found = Together()
    found.settle(found.desired())
    assert (len(found.running("a")), len(found.running("b"))) == (2, 2)
    return found


@pytest.mark.parametrize(
    ("traits", "reason"),
    [
        pytest.param(REMAPPED, "UserNamespaceRemap", id="users mapped"),
        pytest.param(PODMAN, "EngineNotSupported", id="Podman"),
    ],
)
def test_nothing_is_done_there_and_its_pods_are_as_on_any_node_that_is_not_ready(
    together: Together, traits: HostTraits, reason: str
) -> None:
    runs, uids = together.running("b"), {pod.uid for pod in together.pods("b")}
    together.hosts["b"].traits = traits
    done = len(together.hosts["b"].performed)
    together.settle()
    assert together.ready("b") == ("False", reason)
    assert {(pod.uid, pod.is_ready, pod.is_terminating) for pod in together.pods("b")} == {
        (uid, False, False) for uid in uids
    }
    together.wait(EVICTED_AFTER)
    # Replaced elsewhere, and still there for all that is known: unknown is not absent.
    assert len(together.running("a")) == 4
    assert {(pod.uid, pod.is_terminating) for pod in together.pods("b")} == {(uid, True) for uid in uids}
    assert (together.running("b"), len(together.hosts["b"].performed)) == (runs, done)

    together.hosts["b"].traits = None
    together.settle()
    assert (together.ready("b"), together.pods("b"), together.running("b")) == (("True", "EngineReady"), [], set())


def test_what_a_fresh_process_never_saw_there_may_be_there(together: Together) -> None:
    written = restore(render_files(together.engine.store, together.engine.inventory).items())
    uids = {pod.uid for pod in together.pods("b")}
    together.hosts["b"].traits = REMAPPED
    together.begin()
    together.settle(written, together.desired())
    assert together.ready("b") == ("False", "UserNamespaceRemap")
    assert {pod.uid for pod in together.pods("b")} == uids
    assert hosts_that_may_hold_pods(together.engine.store) == ["b"]
    together.hosts["b"].traits = None
    together.settle()
    assert ({pod.uid for pod in together.pods("b")}, hosts_that_may_hold_pods(together.engine.store)) == (uids, [])
    assert together.ready("b") == ("True", "EngineReady")


def test_one_that_joins_so_gets_nothing() -> None:
    together = Together()
    together.hosts["b"].traits = PODMAN
    together.settle(together.desired())
    assert (len(together.running("a")), together.hosts["b"].performed) == (4, [])
    assert together.ready("b") == ("False", "EngineNotSupported")


def test_volumes_of_claims_are_where_they_were_last_seen() -> None:
    together = Together()
    together.settle(together.desired(0))

    def told(facts: HostFacts) -> HostReport:
        return HostReport(host="b", facts=facts, pod_subnet="10.244.1.0/24")

    together.engine.step([told(msgspec.structs.replace(DEFAULT_FACTS, claim_volumes=("v",)))], together.clock.now)
    together.engine.step([told(msgspec.structs.replace(DEFAULT_FACTS, traits=PODMAN))], together.clock.now)
    status = together.engine.store.get(HostStatus, "", "b")
    assert status is not None
    assert status.facts is not None
    assert (status.facts.traits, status.facts.claim_volumes) == (PODMAN, ("v",))


def test_a_worker_makes_no_mark_on_it() -> None:
    """A mark of who is in charge is a volume on the host."""
    host = Host("h", clock=lambda: datetime.now(UTC))
    host.traits = PODMAN
    told: queue.SimpleQueue[Message] = queue.SimpleQueue()
    charge = InCharge(Charge(epoch=1, holder="me"))
    worker = HostWorker("h", host, report=told.put, clock=lambda: datetime.now(UTC), in_charge=charge)
    worker.start()
    try:
        message = told.get(timeout=10)
        while not isinstance(message, HostReport):
            message = told.get(timeout=10)
    finally:
        worker.stop()
        worker.join()
    assert (message.facts.traits, host.performed) == (PODMAN, [])
