"""Pods, containers and hosts for the tables: each builder names only what a case is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from differ.kubelet.assignment import HostAssignment, PodNetwork
from differ.kubelet.containers.spec import owner_of_namespaces, role_of
from differ.kubelet.host.state import way_out
from differ.kubelet.memory import WorkerMemory
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
)
from objects.names import (
    LABEL_CONTAINER,
    LABEL_MANAGED,
    LABEL_POD_NAME,
    LABEL_POD_NAMESPACE,
    LABEL_POD_UID,
    LABEL_ROLE,
    SANDBOX_CONTAINER,
)
from objects.observation.host import (
    HostFacts,
    HostObservation,
    ImageFact,
    NetworkFact,
    ObservedContainer,
)

NO_MEMORY = WorkerMemory()
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NETWORK = PodNetwork(subnet="10.244.3.0/24", cluster_cidr="10.244.0.0/16")
PARTS = {part.name: part.wanted for part in (way_out(NETWORK),)}
FACTS = HostFacts(
    memory_bytes=16 << 30,
    docker_root="/var/lib/docker",
    images=(ImageFact(id="sha256:1", names=("web:v1",)), ImageFact(id="sha256:2", names=("pause:3.9",))),
)
SANDBOX_ID = "id-POD"


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def container(name: str = "main", **fields: Any) -> Container:
    return Container(**{"name": name, "image": "web:v1", **fields})


def make_pod(*containers: Container, name: str = "web", status: PodStatus | None = None, **fields: Any) -> Pod:
    """fields: of the spec; `deletion_timestamp` and `deletion_grace_period_seconds` of the metadata."""
    deletion = {key: fields.pop(key) for key in tuple(fields) if key.startswith("deletion_")}
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", **deletion),
        spec=PodSpec(containers=containers or (container(),), **fields),
        status=status or PodStatus(pod_ip="10.244.3.7"),
    )


def found(pod: Pod, container_name: str = "main", *, attempt: int = 0, **fields: Any) -> ObservedContainer:
    """A container of the pod as Docker shows it: running for a minute, just as it should, unless `fields` differ."""
    name = container_name
    is_owner = owner_of_namespaces(pod) == name
    sandbox = name == SANDBOX_CONTAINER
    every = {c.name: c for c in (*pod.spec.init_containers, *pod.spec.containers)}
    role = "sandbox" if sandbox else role_of(pod, every[name])
    always = pod.spec.restart_policy in ("", "Always")
    restarts = role in ("sandbox", "sidecar") or (role == "main" and always)
    settings: dict[str, Any] = {
        "id": f"id-{name}",
        "name": f"berth_{name}_{pod.name}_default_{pod.uid}_{attempt}",
        "made_as": f"berth_{name}_{pod.name}_default_{pod.uid}_0",
        "image": "pause:3.9" if sandbox else every[name].image,
        "image_id": "sha256:1",
        "labels": {
            LABEL_MANAGED: "true",
            LABEL_POD_UID: pod.uid,
            LABEL_POD_NAME: pod.name,
            LABEL_POD_NAMESPACE: pod.namespace,
            LABEL_CONTAINER: name,
            LABEL_ROLE: role,
        },
        "state": "running",
        "created_at": ago(61),
        "started_at": ago(60 if not sandbox else 61),
        "restart_policy": "always" if restarts else "no",
        "address": pod.status.pod_ip if is_owner else "",
        "network_mode": NETWORK.name if is_owner else f"container:{SANDBOX_ID}",
        "cpu_shares": 2,
    }
    if fields.get("state", "running") not in ("running", "paused"):
        settings["address"] = ""
    return ObservedContainer(**{**settings, **fields})


def exited(
    pod: Pod, name: str = "main", code: int = 0, *, after_seconds: float = 5, ago_seconds: float = 1, **fields: Any
) -> ObservedContainer:
    """A container that ran for `after_seconds` and ended `ago_seconds` ago."""
    times = {"started_at": ago(ago_seconds + after_seconds), "finished_at": ago(ago_seconds)}
    return found(pod, name, **{"state": "exited", "exit_code": code, **times, **fields})


def assign(*pods: Pod, **fields: Any) -> HostAssignment:
    settings = {"host": "host-1", "host_ip": "192.0.2.1", "network": NETWORK, "pause_image": "pause:3.9"}
    return HostAssignment(**{**settings, "pods": pods, **fields})


def observe(*containers: ObservedContainer, **fields: Any) -> HostObservation:
    fact = NetworkFact(name=NETWORK.name, subnet=NETWORK.subnet, gateway=NETWORK.gateway)
    settings = {"host": "host-1", "now": NOW, "facts": FACTS, "pod_network": fact, "host_parts": PARTS}
    return HostObservation(**{**settings, "containers": containers, **fields})


def show(status: PodStatus) -> str:
    """A status in one line: `Running ready [main running r0]`, with messages of what waits."""
    parts = []
    for one in (*status.init_container_statuses, *status.container_statuses):
        state = "?"
        if one.state.running:
            state = "running"
        elif one.state.terminated:
            state = f"{one.state.terminated.reason}({one.state.terminated.exit_code})"
        elif one.state.waiting:
            message = f": {one.state.waiting.message}" if one.state.waiting.message else ""
            state = f"{one.state.waiting.reason}{message}"
        parts.append(f"{one.name} {state} r{one.restart_count}")
    ready = " ready" if any(c.type == "Ready" and c.status == "True" for c in status.conditions) else ""
    reason = f" {status.reason}" if status.reason else ""
    return f"{status.phase}{reason}{ready} [{', '.join(parts)}]"
