"""Hosts as Nodes, what silence does to pods and when, and what goes with its owner."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from objects.api.apps import Deployment, ReplicaSet
from objects.api.core import Node, NodeAddress, Taint
from objects.api.pods import Toleration
from objects.conditions import find_condition
from objects.observation.host import HostFacts, ImageFact
from objects.own.config import EvictionThresholds, Host
from objects.own.taints import NOT_READY, OUT_OF_SERVICE, UNREACHABLE
from policies.pressure import threshold_amount
from reconciler.controllers.garbage import CASCADE, orphaned_dependents
from reconciler.controllers.node.lifecycle import eviction_time
from reconciler.controllers.node.nodes import allocatable
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import HostFailure
from tests.unit.controllers.harness import FACTS, START, World
from tests.unit.controllers.manifests import deployment


def node(world: World, name: str = "n1") -> Node:
    found = world.store.get(Node, "", name)
    assert found is not None
    return found


def report(world: World, facts: HostFacts) -> None:
    status = world.store.get(HostStatus, "", "n1")
    assert status is not None
    world.put(msgspec.structs.replace(status, facts=facts))
    world.settle(1)


def claims(found: Node) -> dict[str, str]:
    return {condition.type: condition.status for condition in found.status.conditions}


def test_node_of_a_host_that_answers() -> None:
    world = World(hosts=())
    world.add_host("n1", reserved={"cpu": "500m", "memory": "1Gi"}, capacity={"example.com/gpu": 2})
    world.settle()
    found = node(world)
    assert found.labels == {
        "kubernetes.io/hostname": "n1",
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    assert found.status.capacity == {
        "cpu": "4",
        "memory": "8388608Ki",
        "ephemeral-storage": "104857600Ki",
        "pods": "110",
        "example.com/gpu": 2,
    }
    assert found.status.allocatable == {
        "cpu": "3500m",
        "memory": "7Gi",
        "ephemeral-storage": "100Gi",
        "pods": "110",
        "example.com/gpu": "2",
    }
    assert found.status.addresses == (
        NodeAddress(type="InternalIP", address="192.0.2.1"),
        NodeAddress(type="Hostname", address="n1"),
    )
    assert claims(found) == {
        "Ready": "True",
        "MemoryPressure": "False",
        "DiskPressure": "False",
        "PIDPressure": "False",
    }
    assert (found.spec.taints, found.spec.pod_cidr) == ((), "10.244.1.0/24")


def test_idle_host_never_changes_its_node() -> None:
    world = World(hosts=("n1",))
    world.settle()
    before = node(world)
    report(world, msgspec.structs.replace(FACTS, memory_available_bytes=3 << 30, disk_free_bytes=50 << 30))
    assert node(world) is before


@pytest.mark.parametrize(
    ("reason", "ready", "taint"),
    [
        pytest.param("HostUnreachable", "Unknown", UNREACHABLE, id="no contact"),
        pytest.param("EngineUnavailable", "False", NOT_READY, id="SSH works, the engine does not"),
    ],
)
def test_silent_host_is_tainted_and_keeps_what_was_known(reason: str, ready: str, taint: str) -> None:
    world = World(hosts=("n1",))
    world.settle()
    world.silence("n1", reason=reason)
    world.settle(1)
    found = node(world)
    assert (claims(found)["Ready"], found.status.capacity["cpu"]) == (ready, "4")
    assert [(one.key, one.effect, one.time_added) for one in found.spec.taints] == [
        (taint, "NoSchedule", None),
        (taint, "NoExecute", world.now),
    ]
    world.settle(60)
    assert node(world) is found
    world.answer("n1")
    world.settle(1)
    assert (claims(node(world))["Ready"], node(world).spec.taints) == ("True", ())


def test_pressure_begins_below_the_threshold_and_ends_well_above() -> None:
    world = World(hosts=())
    world.add_host("n1", eviction=EvictionThresholds(pressure_transition_seconds=0))
    world.settle()
    seen = []
    for free in (100, 99, 105, 111):
        report(world, msgspec.structs.replace(FACTS, memory_available_bytes=free << 20))
        seen.append((claims(node(world))["MemoryPressure"], [taint.key for taint in node(world).spec.taints]))
    pressed = ("True", ["node.kubernetes.io/memory-pressure"])
    assert seen == [("False", []), pressed, pressed, ("False", [])]


def test_pressure_lasts_for_a_while() -> None:
    world = World(hosts=("n1",))
    world.settle()
    report(world, msgspec.structs.replace(FACTS, memory_available_bytes=1))
    report(world, FACTS)
    seen = []
    for seconds in (1, 296, 1, 1):
        world.settle(seconds)
        seen.append(claims(node(world))["MemoryPressure"])
    assert seen == ["True", "True", "True", "False"]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        pytest.param({"inodes": 100, "inodes_free": 5}, (), id="enough inodes"),
        pytest.param({"inodes": 100, "inodes_free": 4}, ("disk-pressure",), id="few inodes"),
        pytest.param({"inodes": 0, "inodes_free": 0}, (), id="inodes are not counted"),
        pytest.param({"tasks": 95, "tasks_limit": 100}, (), id="enough processes"),
        pytest.param({"tasks": 96, "tasks_limit": 100}, ("pid-pressure",), id="many processes"),
        pytest.param(
            {"disk_free_bytes": 1, "memory_available_bytes": 1}, ("memory-pressure", "disk-pressure"), id="two at once"
        ),
    ],
)
def test_what_a_host_can_be_short_of(figures: dict[str, int], expected: tuple[str, ...]) -> None:
    world = World(hosts=("n1",))
    report(world, msgspec.structs.replace(FACTS, **figures))
    keys = [taint.key for taint in node(world).spec.taints]
    assert keys == [f"node.kubernetes.io/{name}" for name in expected]


def test_what_fails_beside_the_looks_is_a_condition_and_an_event_once() -> None:
    world = World(hosts=("n1",))
    world.settle()
    status = world.store.get(HostStatus, "", "n1")
    assert status is not None
    retry_at = world.now + timedelta(seconds=10)
    failure = HostFailure("Metrics", "SessionRefused", "sshd opens no session", retry_at)
    world.put(msgspec.structs.replace(status, failures=(failure,)))
    world.settle()
    assert claims(node(world))["MetricsUnavailable"] == "True"
    assert claims(node(world))["Ready"] == "True"
    assert [hold.until for hold in world.holds.values()] == [retry_at]
    before = node(world)
    again = msgspec.structs.replace(failure, retry_at=retry_at + timedelta(seconds=20))
    world.put(msgspec.structs.replace(status, failures=(again,)))
    world.settle()
    assert node(world) == before, "a failure that goes on writes nothing"
    world.put(status)
    world.settle()
    assert claims(node(world))["MetricsUnavailable"] == "False"
    said = [(one.type, one.reason) for one in world.occurrences if one.reason.startswith("Metrics")]
    assert said == [("Warning", "MetricsUnavailable"), ("Normal", "MetricsAvailable")]


def test_cordon_and_own_taints() -> None:
    world = World(hosts=())
    world.add_host("n1", unschedulable=True, taints=(Taint(key="gpu", effect="NoSchedule"),))
    world.settle()
    found = node(world)
    assert found.spec.unschedulable
    assert {one.key for one in found.spec.taints} == {"node.kubernetes.io/unschedulable", "gpu"}


def test_images_are_listed_the_largest_first() -> None:
    world = World(hosts=("n1",))
    images = (
        ImageFact(id="a", names=("small:1",), size_bytes=1),
        ImageFact(id="b", names=("large:1",), size_bytes=9),
        ImageFact(id="c", size_bytes=99),
    )
    report(world, msgspec.structs.replace(FACTS, images=images))
    assert [image.names for image in node(world).status.images] == [("large:1",), ("small:1",)]


def test_host_that_left_takes_its_node_along() -> None:
    world = World(hosts=("n1", "n2"))
    world.settle()
    world.remove(world.store.all_of(Host)[0].key)
    world.settle()
    assert [one.name for one in world.store.all_of(Node)] == ["n2"]


@pytest.mark.parametrize(
    ("threshold", "capacity", "expected"),
    [("10%", 1000, 100), ("100Mi", 1000, 104857600), (5, 1000, 5)],
)
def test_threshold(threshold: str | int, capacity: int, expected: int) -> None:
    limits = EvictionThresholds(memory_available=threshold)
    assert threshold_amount(limits.memory_available, capacity=capacity) == expected


def test_reserved_more_than_there_is_leaves_nothing() -> None:
    assert allocatable({"cpu": "1", "memory": "1Gi"}, {"cpu": "2"}) == {"cpu": "0", "memory": "1Gi"}


# --- what it does to pods -----------------------------------------------------------------------------------------

LEAVE = Taint(key="k", effect="NoExecute", time_added=START)


@pytest.mark.parametrize(
    ("tolerations", "seconds"),
    [
        pytest.param([], 0, id="not tolerated"),
        pytest.param([Toleration(key="k", operator="Exists")], None, id="tolerated for ever"),
        pytest.param([Toleration(key="k", operator="Exists", toleration_seconds=60)], 60, id="for a minute"),
        pytest.param([Toleration(key="k", operator="Exists", toleration_seconds=-5)], 0, id="a negative time is none"),
        pytest.param(
            [
                Toleration(operator="Exists"),
                Toleration(key="k", operator="Exists", toleration_seconds=60),
                Toleration(key="k", operator="Exists", toleration_seconds=30),
            ],
            30,
            id="the shortest counts",
        ),
    ],
)
def test_eviction_time(tolerations: list[Toleration], seconds: int | None) -> None:
    found = eviction_time([LEAVE], tolerations)
    assert (None if found is None else (found - START).total_seconds()) == seconds


def running(**how: Any) -> World:
    world = World()
    world.declare(deployment(**how))
    world.run()
    return world


def on_host(world: World, host: str) -> list[str]:
    return [pod.name for pod in world.pods() if pod.node_name == host and not pod.is_terminating]


def test_pods_of_a_silent_host_are_not_ready_at_once_and_run_elsewhere_after_five_minutes() -> None:
    world = running()
    world.silence("n2")
    world.settle(1)
    lost = next(pod for pod in world.pods() if pod.node_name == "n2")
    ready = find_condition(lost.status.conditions, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "NodeNotReady")
    world.settle(298)
    assert on_host(world, "n2") == [lost.name]
    world.settle(2)
    world.run_kubelets()
    assert (on_host(world, "n2"), len(on_host(world, "n1") + on_host(world, "n3"))) == ([], 3)
    kept = world.store.find(lost.key)
    assert kept is not None
    assert kept.is_terminating


def test_host_that_returns_in_time_keeps_its_pods() -> None:
    world = running()
    before = {pod.uid for pod in world.pods()}
    world.silence("n2")
    world.settle(200)
    world.answer("n2")
    world.run()
    world.settle(1000)
    assert {pod.uid for pod in world.pods()} == before


def test_pods_are_not_doubled_when_a_host_returns_late() -> None:
    world = running()
    world.silence("n2")
    world.settle(400)
    world.run()
    world.settle(400)
    world.run()
    world.answer("n2")
    world.run()
    assert [pod.is_terminating for pod in world.pods()] == [False] * 3


def test_toleration_of_nothing_moves_pods_at_once() -> None:
    plain = deployment()
    template = plain.spec.template
    quick = tuple(
        Toleration(key=key, operator="Exists", effect="NoExecute", toleration_seconds=0)
        for key in (NOT_READY, UNREACHABLE)
    )
    spec = msgspec.structs.replace(template.spec, tolerations=quick)
    world = World()
    world.declare(
        msgspec.structs.replace(
            plain,
            spec=msgspec.structs.replace(plain.spec, template=msgspec.structs.replace(template, spec=spec)),
        )
    )
    world.run()
    world.silence("n2")
    world.settle(1)
    assert on_host(world, "n2") == []


def test_pods_of_a_host_declared_out_of_service_leave_the_store() -> None:
    world = running()
    world.silence("n2")
    world.settle(1)
    host = world.store.get(Host, "", "n2")
    assert host is not None
    taint = Taint(key=OUT_OF_SERVICE, effect="NoExecute")
    world.declare(msgspec.structs.replace(host, spec=msgspec.structs.replace(host.spec, taints=(taint,))))
    world.settle(1)
    assert [pod for pod in world.pods() if pod.node_name == "n2"] == []


def test_out_of_service_is_not_believed_of_a_host_that_answers() -> None:
    world = running()
    host = world.store.get(Host, "", "n2")
    assert host is not None
    taint = Taint(key=OUT_OF_SERVICE, effect="NoExecute")
    world.declare(msgspec.structs.replace(host, spec=msgspec.structs.replace(host.spec, taints=(taint,))))
    world.settle(1)
    assert [pod.is_terminating for pod in world.pods() if pod.node_name == "n2"] == [True]


# --- garbage ------------------------------------------------------------------------------------------------------


def test_successor_of_the_same_name_does_not_keep_the_old_ones_pods() -> None:
    world = running()
    replica_set = world.store.all_of(ReplicaSet)[0]
    before = {pod.uid for pod in world.pods()}
    other = msgspec.structs.replace(replica_set.metadata, uid="another")
    world.remove(replica_set.key)
    world.put(msgspec.structs.replace(replica_set, metadata=other))
    world.run()
    assert before & {pod.uid for pod in world.pods()} == set()


def test_orphaning_owner_leaves_its_replica_set_standing() -> None:
    world = running()
    live = world.store.get(Deployment, "default", "web")
    assert live is not None
    assert orphaned_dependents(world.store, live) == ()
    marked = msgspec.structs.replace(
        live, metadata=msgspec.structs.replace(live.metadata, annotations={**live.annotations, CASCADE: "orphan"})
    )
    world.put(marked)
    pods = {pod.uid for pod in world.pods()}
    for change in orphaned_dependents(world.store, marked):
        world.apply(change)
    world.remove(live.key)
    world.run()
    assert (len(world.store.all_of(ReplicaSet)), {pod.uid for pod in world.pods()}) == (1, pods)


def test_only_the_last_finished_pods_of_a_replica_set_stay() -> None:
    world = running(replicas=1)
    for _ in range(9):
        world.finish(next(pod for pod in world.pods() if not pod.is_finished), exit_code=1)
        world.run()
    assert sum(pod.is_finished for pod in world.pods()) == 5
