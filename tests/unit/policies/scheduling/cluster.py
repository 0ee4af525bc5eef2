"""Small clusters for tables: hosts and pods in one line each."""

from __future__ import annotations

from typing import Any

from objects.api.core import (
    Node,
    NodeSpec,
    NodeStatus,
    Taint,
)
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    ContainerPort,
    Pod,
    PodSpec,
    ResourceRequirements,
)
from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from policies.scheduling.placement import Placement
from policies.scheduling.profiles import make_profiles
from policies.scheduling.scheduler import schedule
from policies.scheduling.state.snapshot import Snapshot


def host(name: str, *, cpu: str = "4", memory: str = "8Gi", pods: int = 110, **more: Any) -> Node:
    """more: labels, taints (`key=value:effect`), unschedulable, images, conditions, extended (resources)."""
    taints = tuple(parse_taint(text) for text in more.get("taints", ()))
    return Node(
        metadata=ObjectMeta(name=name, labels=more.get("labels", {})),
        spec=NodeSpec(taints=taints, unschedulable=more.get("unschedulable", False)),
        status=NodeStatus(
            allocatable={"cpu": cpu, "memory": memory, "pods": pods, **more.get("extended", {})},
            images=more.get("images", ()),
            conditions=more.get("conditions", ()),
        ),
    )


def parse_taint(text: str) -> Taint:
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return Taint(key=key, value=value, effect=effect)


def pod(
    name: str, *, on: str = "", labels: dict[str, str] | None = None, namespace: str = "default", **spec: Any
) -> Pod:
    """spec: fields of PodSpec, and the short forms requests, ports (host ports), image, annotations."""
    annotations = spec.pop("annotations", {})
    container = Container(
        name="main",
        image=spec.pop("image", "app"),
        resources=ResourceRequirements(requests=spec.pop("requests", {})),
        ports=tuple(ContainerPort(container_port=port, host_port=port) for port in spec.pop("ports", ())),
    )
    return Pod(
        metadata=ObjectMeta(
            name=name, namespace=namespace, uid=f"uid-{name}", labels=labels or {}, annotations=annotations
        ),
        spec=PodSpec(**{"containers": (container,), "node_name": on, **spec}),
    )


def cluster(*objects: Node | Pod | PersistentVolume | PersistentVolumeClaim | StorageClass) -> Snapshot:
    """Pods on hosts come last: a claim has to be known before its user is."""
    snapshot = Snapshot()
    for one in objects:
        if isinstance(one, Node):
            snapshot.set_node(one)
        elif isinstance(one, Pod):
            snapshot.add_pod(one)
        elif isinstance(one, PersistentVolumeClaim):
            snapshot.volumes.set_claim(one.namespace, one.name, one)
        elif isinstance(one, PersistentVolume):
            snapshot.volumes.set_volume(one.name, one)
        else:
            snapshot.volumes.set_class(one.name, one)
    return snapshot


def place(snapshot: Snapshot, *pods: Pod, seed: int = 1) -> list[Placement]:
    return schedule(pods, snapshot, make_profiles(()), seed=seed)


def where(placement: Placement) -> str:
    """The host, or the message that says why there is none."""
    if placement.unschedulable is None:
        return placement.node or ""
    return placement.unschedulable.message
