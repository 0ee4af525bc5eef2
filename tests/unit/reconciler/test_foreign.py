"""Containers of others count for the scheduler: their use, their limits and their ports."""

from __future__ import annotations

import msgspec
import pytest

from objects.api.pods import ContainerPort, Pod, ResourceRequirements
from objects.observation.figures import ForeignLoad
from policies.scheduling.shape import HostPort
from reconciler.plan.plan import make_plan
from reconciler.state.foreign import foreign_ports, foreign_requests
from reconciler.state.messages import HostReport
from tests.unit.reconciler.cluster import GIB, FakeCluster, bare_pod

DATABASE = ForeignLoad(name="database", cpu_millis=500, memory_bytes=7 * GIB, ports=(("tcp", "0.0.0.0", 5432),))


def wanting(memory: str = "", port: int = 0) -> Pod:
    pod = bare_pod()
    requests = ResourceRequirements(requests={"memory": memory} if memory else {})
    ports = (ContainerPort(container_port=port, host_port=port, protocol="TCP"),) if port else ()
    container = msgspec.structs.replace(pod.spec.containers[0], resources=requests, ports=ports)
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, containers=(container,)))


def tell(cluster: FakeCluster, *foreign: ForeignLoad) -> None:
    report = cluster.report("h1")
    assert isinstance(report, HostReport)
    cluster.step(msgspec.structs.replace(report, foreign=foreign))


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        pytest.param(wanting(memory="2Gi"), "insufficient memory (short by 1Gi)", id="memory"),
        pytest.param(wanting(port=5432), "host port 5432 taken by foreign container database", id="port"),
    ],
)
def test_a_pod_waits_for_what_others_take(pod: Pod, reason: str) -> None:
    cluster = FakeCluster("h1")
    cluster.step(cluster.desired(pod))
    tell(cluster, DATABASE)
    (waiting,) = cluster.pods()
    assert waiting.node_name == ""
    assert reason in next(one.message for one in waiting.status.conditions if one.type == "PodScheduled")
    tell(cluster)
    assert [found.node_name for found in cluster.pods()] == ["h1"]


def test_beside_others_there_is_room() -> None:
    cluster = FakeCluster("h1")
    cluster.step(cluster.desired(wanting(memory="1Gi", port=80)))
    tell(cluster, DATABASE)
    assert [found.node_name for found in cluster.pods()] == ["h1"]


def test_what_they_take_together() -> None:
    other = ForeignLoad(name="x", cpu_millis=250, memory_bytes=5, ports=(("udp", "10.0.0.1", 53), ("tcp", "::", 80)))
    assert foreign_requests((DATABASE, other)) == {"cpu": "750m", "memory": 7 * GIB + 5}
    assert foreign_requests(()) == {}
    assert foreign_ports((DATABASE, other)) == {
        HostPort("0.0.0.0", "TCP", 5432): "database",
        HostPort("10.0.0.1", "UDP", 53): "x",
        HostPort("0.0.0.0", "TCP", 80): "x",
    }


def test_a_plan_tells_what_is_left_beside_containers_of_others() -> None:
    cluster = FakeCluster("h1", is_observer=True)
    cluster.step(cluster.desired())
    tell(cluster, DATABASE)
    plan = make_plan(cluster.engine, {}, None, cluster.desired(wanting(memory="1Gi")), now=cluster.now)
    (left,) = plan.capacity
    assert (left.cpu_requested, left.memory_requested) == (500, 8 * GIB)
