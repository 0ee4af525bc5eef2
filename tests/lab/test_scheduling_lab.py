"""Placement on real hosts, from a push: pods are whole, profiles differ, the important go first, who waits says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.cluster import Cluster, cluster_yaml, host_yaml, pod
from tests.lab.host import LabHost
from tests.lab.lab import Lab
from tests.lab.test_verbs import Person

ROOM = {"host-1": 1_250_000_000, "host-2": 2_000_000_000, "host-3": 600_000_000}
"""Bytes that pods may ask of each host; the rest is reserved."""
PACKER = {
    "name": "packer",
    "priorities": [{"name": "MostRequestedPriority", "weight": 5}],
    "disabledPriorities": ["LeastRequestedPriority", "SelectorSpreadPriority"],
}
LOGGING = """
terminationGracePeriodSeconds: 1
containers:
- {name: app, image: web:v1, resources: {requests: {memory: 1G}}}
- {name: log-collector, image: web:v2, command: [sleep, "1000"], resources: {requests: {memory: 500M}}}
"""
URGENT = """
priorityClassName: urgent
terminationGracePeriodSeconds: 1
containers: [{name: app, image: web:v1, resources: {requests: {memory: 1400M}}}]
"""
URGENT_CLASS = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: urgent}\nvalue: 1000\n"


def small(name: str, **spec: str) -> str:
    """A Deployment of three pods that ask for little. spec: fields of the pods."""
    fields = "".join(f"\n      {field}: {text}" for field, text in spec.items())
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:{fields}
      terminationGracePeriodSeconds: 1
      containers: [{{name: app, image: web:v1, resources: {{requests: {{memory: 10M, cpu: 10m}}}}}}]
"""


def with_room(host: LabHost, **spec: Any) -> str:
    reserved = host.api().info()["MemTotal"] - ROOM[host.name]
    taints = [{"key": "gpu", "value": "true", "effect": "NoSchedule"}] if host.name == "host-3" else []
    return host_yaml(host, reserved={"memory": reserved}, taints=taints, **spec)


@pytest.fixture(scope="module")
def person(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    files = {f"hosts/{host.name}.yaml": with_room(host) for host in lab.hosts}
    files["apps/demo/logging.yaml"] = pod("logging", LOGGING)
    settings = {"scheduling": {"profiles": [PACKER]}}
    home: Path = tmp_path_factory.mktemp("scheduling")
    cluster = Cluster.create(lab, "scheduling", home, settings=settings, files=files)
    with cluster.running():
        yield Person(cluster)


def hosts_of(cluster: Cluster, name: str) -> list[str]:
    return sorted(found.host for found in cluster.running_pods(name))


def test_a_pod_is_placed_whole(person: Person) -> None:
    """The walkthrough's question: App 1G and log collector 0.5G never land on a 1.25G host."""
    cluster = person.cluster
    cluster.wait_running("logging", 2)
    assert hosts_of(cluster, "logging") == ["host-2", "host-2"]
    cluster.push("Another one", {"apps/demo/second.yaml": pod("second", LOGGING)})
    why = "0/3 hosts fit: 2 insufficient memory (short by at least 250M), 1 taint gpu=true"
    cluster.wait(lambda: why in cluster.readme, "the reason in the status", pod="second")
    said = "\n".join(person.berth("describe", "pod", "second"))
    assert f"{why} (what would help: 250M more memory free on host-1 would do; or request less, or add a host" in said
    assert not cluster.containers(pod="second")


def test_explain_shows_every_verdict(person: Person) -> None:
    said = "\n".join(person.berth("explain", "second", "--on", "host-2"))
    assert "insufficient memory (short by 1G)" in said
    assert "MatchInterPodAffinity" in said
    assert "taint gpu=true" in "\n".join(person.berth("explain", "second"))


def test_a_second_profile_places_by_its_own_rules(person: Person) -> None:
    files = {
        "apps/demo/packed.yaml": small("packed", schedulerName="packer"),
        "apps/demo/apart.yaml": small("apart"),
        "apps/demo/odd.yaml": pod("odd", "schedulerName: nobody\ncontainers: [{name: app, image: web:v1}]"),
    }
    cluster = person.cluster
    cluster.push("Three ways", files)
    cluster.wait_running("packed-", 3)
    cluster.wait_running("apart-", 3)
    assert hosts_of(cluster, "packed-") == ["host-2"] * 3
    assert set(hosts_of(cluster, "apart-")) == {"host-1", "host-2"}
    why = "no scheduler is named 'nobody' (known: default-scheduler, packer)"
    cluster.wait(
        lambda: why in "\n".join(person.berth("describe", "pod", "odd")), "the reason of the odd pod", pod="odd"
    )
    assert not cluster.containers(pod="odd")


def test_a_scheduler_outside_binds_by_a_commit(person: Person) -> None:
    cluster = person.cluster
    bound = "schedulerName: nobody\nnodeName: host-1\ncontainers: [{name: app, image: web:v1}]"
    cluster.push("Decided elsewhere", {"apps/demo/odd.yaml": pod("odd", bound)})
    (odd,) = cluster.wait_running("odd", 1)
    assert odd.host == "host-1"
    cluster.push("No longer", {"apps/demo/odd.yaml": None})
    cluster.wait_running("odd", 0)


def test_a_gate_holds_a_pod_until_a_commit_opens_it(person: Person) -> None:
    cluster = person.cluster
    container = "terminationGracePeriodSeconds: 1\ncontainers: [{name: app, image: web:v1}]"
    closed = pod("gated", f"schedulingGates: [{{name: example.com/approved}}]\n{container}")
    cluster.push("Not yet", {"apps/demo/gated.yaml": closed})
    cluster.wait(
        lambda: any("SchedulingGated" in line for line in person.berth("get", "pod", "-A")), "the gate to be said"
    )
    assert not cluster.containers(pod="gated")
    cluster.push("Now", {"apps/demo/gated.yaml": pod("gated", container)})
    cluster.wait_running("gated", 1)


def test_the_important_one_pushes_aside_as_few_as_it_needs(person: Person) -> None:
    cluster = person.cluster
    others = {found.id for name in ("packed-", "apart-") for found in cluster.running_pods(name)}
    files = {"apps/demo/class.yaml": URGENT_CLASS, "apps/demo/urgent.yaml": pod("urgent", URGENT)}
    cluster.push("Urgent", files)
    cluster.wait_running("urgent", 1)
    assert hosts_of(cluster, "urgent") == ["host-2"]
    assert not cluster.running_pods("logging")
    assert others == {found.id for name in ("packed-", "apart-") for found in cluster.running_pods(name)}
    cluster.wait(
        lambda: any("Preempted" in line and "logging" in line for line in person.berth("events")),
        "the event on the status branch",
    )
    cluster.push("No longer", {"apps/demo/urgent.yaml": None, "apps/demo/second.yaml": None})
    cluster.wait_running("logging", 2)


def test_a_host_that_returns_gets_a_pod_when_the_cluster_wants_balance(lab: Lab, person: Person) -> None:
    cluster, away = person.cluster, lab.hosts[1]
    name = f"hosts/{away.name}.yaml"
    cluster.push("Without it", {name: with_room(away, unschedulable=True), "apps/demo/even.yaml": small("even")})
    cluster.wait_running("even-", 3)
    assert hosts_of(cluster, "even-") == ["host-1"] * 3
    settings = {"scheduling": {"profiles": [PACKER], "descheduler": True}}
    cluster.push("It is back", {name: with_room(away), "berth.yaml": cluster_yaml(lab, settings)})
    cluster.wait(lambda: hosts_of(cluster, "even-") == ["host-1", "host-1", "host-2"], "one pod to move, and no more")
    cluster.wait(
        lambda: any("Descheduled" in line and "Moves from host-1 to host-2" in line for line in person.berth("events")),
        "the event that says why",
    )
