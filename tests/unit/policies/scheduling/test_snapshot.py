"""The snapshot keeps step: hosts and pods that come, change, go, return; and what foreign containers use."""

from __future__ import annotations

import msgspec
import pytest

from objects.api.core import Node
from objects.api.meta import ObjectMeta
from objects.api.pods import Container, Pod, PodSpec
from policies.scheduling.shape import HostPort, ShapeBook
from policies.scheduling.state.snapshot import Snapshot
from tests.unit.policies.scheduling.cluster import cluster, host, place, pod, where

FULL = {"cpu": "4"}


def _requested(snapshot: Snapshot, name: str, resource: str = "cpu") -> int:
    return int(snapshot.requested[snapshot.resource(resource), snapshot.row_of[name]])


def test_pods_may_come_before_their_host() -> None:
    snapshot = cluster(pod("x", on="a", requests=FULL), host("a"))
    assert _requested(snapshot, "a") == 4000
    assert where(place(snapshot, pod("p", requests=FULL))[0]).startswith("0/1 hosts fit: 1 insufficient cpu")


def test_host_that_returns_has_its_pods_again() -> None:
    snapshot = cluster(host("a"), pod("x", on="a", requests=FULL), pod("y", on="a"))
    snapshot.remove_node("a")
    assert where(place(snapshot, pod("p"))[0]) == "0/0 hosts fit: the cluster has no hosts"
    snapshot.remove_pod("uid-y")
    snapshot.set_node(host("b"))
    snapshot.set_node(host("a"))
    assert (_requested(snapshot, "a"), _requested(snapshot, "a", "pods")) == (4000, 1)
    assert _requested(snapshot, "b") == 0


def test_pod_that_waited_for_one_host_and_is_on_another_is_counted_there_alone() -> None:
    snapshot = cluster(pod("x", on="a", requests=FULL), pod("y", on="a", requests=FULL))
    snapshot.add_pod(pod("x", on="b", requests=FULL))
    snapshot.remove_pod("uid-y")
    snapshot.remove_pod("uid-nobody")
    snapshot.set_node(host("a"))
    snapshot.set_node(host("b"))
    assert (_requested(snapshot, "a"), _requested(snapshot, "b")) == (0, 4000)


def test_what_is_found_before_its_host_costs_no_look_at_the_pods_of_all_others() -> None:
    snapshot = cluster(*(pod(f"p{number}", on=f"h{number}") for number in range(50)))
    looks: list[str] = []

    class Watched(dict[str, Pod]):
        def pop(self, *arguments: object) -> object:  # type: ignore[override]
            looks.append("")
            return super().pop(*arguments)  # type: ignore[call-overload]

    homeless = snapshot._homeless
    assert len(homeless._by_host) == 50
    homeless._by_host = {name: Watched(pods) for name, pods in homeless._by_host.items()}
    snapshot.remove_pod("uid-nobody")
    assert looks == []


def test_row_of_a_gone_host_serves_the_next_one() -> None:
    snapshot = cluster(host("a", labels={"disk": "ssd"}, taints=("x=1:NoSchedule",), unschedulable=True))
    snapshot.remove_node("a")
    snapshot.set_node(host("b"))
    assert snapshot.size == 1
    assert where(place(snapshot, pod("p", node_selector={"disk": "ssd"}))[0]) == (
        "0/1 hosts fit: 1 without label disk=ssd"
    )
    assert where(place(snapshot, pod("q"))[0]) == "b"


def test_finished_pods_use_nothing() -> None:
    running = pod("x", on="a", requests=FULL)
    snapshot = cluster(host("a"), running)
    status = msgspec.structs.replace(running.status, phase="Succeeded")
    snapshot.add_pod(msgspec.structs.replace(running, status=status))
    assert _requested(snapshot, "a") == 0


def test_pod_told_again_is_counted_once() -> None:
    running = pod("x", on="a", requests=FULL)
    snapshot = cluster(host("a"), running, running)
    status = msgspec.structs.replace(running.status, phase="Running")
    snapshot.add_pod(msgspec.structs.replace(running, status=status))
    assert _requested(snapshot, "a") == 4000
    occupant = snapshot.occupant("uid-x")
    assert occupant is not None
    assert occupant.pod.status.phase == "Running"


def test_decision_and_its_binding_are_one() -> None:
    """The scheduler counts a pod when it decides; the bound pod that comes back is the same one."""
    snapshot = cluster(host("a"))
    wanted = pod("p", requests={"cpu": "3"})
    (placement,) = place(snapshot, wanted)
    assert _requested(snapshot, "a") == 3000
    spec = msgspec.structs.replace(wanted.spec, node_name=placement.node or "")
    snapshot.add_pod(msgspec.structs.replace(wanted, spec=spec))
    assert _requested(snapshot, "a") == 3000
    snapshot.remove_pod(wanted.uid)
    assert _requested(snapshot, "a") == 0


def test_unbound_pod_is_refused() -> None:
    with pytest.raises(ValueError, match="pod Pod default/p is not bound"):
        Snapshot().add_pod(pod("p"))


def test_foreign_containers_use_capacity_and_ports() -> None:
    snapshot = cluster(host("a", memory="1Gi"))
    foreign_port = HostPort("0.0.0.0", "TCP", 8080)
    snapshot.set_foreign("a", {"memory": "900Mi"}, {foreign_port: "legacy-db"})
    assert where(place(snapshot, pod("p", requests={"memory": "200Mi"}))[0]) == (
        "0/1 hosts fit: 1 insufficient memory (short by 76Mi)"
    )
    assert where(place(snapshot, pod("q", ports=(8080,)))[0]) == (
        "0/1 hosts fit: 1 host port 8080 taken by foreign container legacy-db"
    )
    snapshot.set_foreign("a", {"memory": "100Mi"}, {})
    assert [where(one) for one in place(snapshot, pod("p", requests={"memory": "200Mi"}), pod("q", ports=(8080,)))] == [
        "a",
        "a",
    ]


def test_a_host_that_returns_brings_nothing_of_its_former_containers() -> None:
    snapshot = cluster(host("a", memory="1Gi"))
    snapshot.set_foreign("a", {"memory": "900Mi"}, {HostPort("0.0.0.0", "TCP", 8080): "legacy-db"})
    snapshot.remove_node("a")
    snapshot.set_node(host("b", memory="1Gi"))
    assert where(place(snapshot, pod("p", requests={"memory": "1Gi"}, ports=(8080,)))[0]) == "b"


PORTS = [
    pytest.param(HostPort("0.0.0.0", "TCP", 80), HostPort("0.0.0.0", "TCP", 80), True, id="same"),
    pytest.param(HostPort("0.0.0.0", "TCP", 80), HostPort("0.0.0.0", "UDP", 80), False, id="other-protocol"),
    pytest.param(HostPort("127.0.0.1", "TCP", 80), HostPort("0.0.0.0", "TCP", 80), True, id="every-address"),
    pytest.param(HostPort("127.0.0.1", "TCP", 80), HostPort("10.0.0.1", "TCP", 80), False, id="other-address"),
]


@pytest.mark.parametrize(("left", "right", "expected"), PORTS)
def test_ports_collide(left: HostPort, right: HostPort, expected: bool) -> None:
    assert (left.collides(right), right.collides(left)) == (expected, expected)


def test_many_hosts_come_and_go_without_leaving_anything() -> None:
    """Labels, taints and rows of hosts of the past do not pile up."""
    snapshot = cluster(host("stays"))
    selector = pod("p", node_selector={"kubernetes.io/hostname": "nobody"})
    place(snapshot, selector)
    for number in range(1500):
        name = f"h{number}"
        made: Node = host(name, labels={"kubernetes.io/hostname": name}, taints=(f"t={number}:NoSchedule",))
        snapshot.set_node(made)
        snapshot.remove_node(name)
    assert snapshot.size == 2
    assert len(snapshot.column("kubernetes.io/hostname").values) < 300
    assert len(snapshot.taints.values) < 300


def test_growing_keeps_what_is_counted() -> None:
    running: list[Pod] = [
        pod(f"x{number}", on=f"h{number}", requests={"cpu": f"{number}m"}) for number in range(1, 200)
    ]
    snapshot = Snapshot()
    for number, one in enumerate(running, start=1):
        snapshot.set_node(host(f"h{number}"))
        snapshot.add_pod(one)
        place(snapshot, pod(f"p{number}", requests={"cpu": "9"}))
    assert [_requested(snapshot, f"h{number}") for number in range(1, 200)] == list(range(1, 200))


def test_pods_that_share_their_parts_get_their_shape_without_a_key(monkeypatch):
    """A host has pods of many templates, so that no pod is like the one before."""
    book, found = ShapeBook(), []
    real = ShapeBook._find
    monkeypatch.setattr(ShapeBook, "_find", lambda self, pod, node: found.append(pod) or real(self, pod, node))
    one, other = (
        Pod(metadata=ObjectMeta(name="a"), spec=PodSpec(containers=(Container(name=name),))) for name in ("x", "y")
    )
    shapes = [book.shape_of(pod) for pod in (one, other) * 3]
    assert shapes == [shapes[0], shapes[1]] * 3
    assert len(found) == 2
    labelled = msgspec.structs.replace(one, metadata=ObjectMeta(name="b", labels={"a": "b"}))
    assert book.shape_of(labelled) is not shapes[0], "the same containers, and yet another pod"
