"""Namespace, Node, ConfigMap, Secret and Event of the core/v1 API (pods, services, volumes: own modules)."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from objects.api.meta import (
    Condition,
    KubeObject,
    KubeStruct,
    ObjectReference,
    ResourceList,
    Time,
)
from objects.secrets import SecretValue


class NamespaceSpec(KubeStruct):
    finalizers: tuple[str, ...] = ()


class NamespaceStatus(KubeStruct):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class Namespace(KubeObject):
    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "Namespace"
    NAMESPACED: ClassVar[bool] = False

    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class ConfigMap(KubeObject):
    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "ConfigMap"

    data: dict[str, str] = {}
    binary_data: dict[str, str] = {}
    immutable: bool | None = None


class Secret(KubeObject):
    """`string_data` is merged into `data` when the object is defaulted; values are never shown."""

    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "Secret"

    type: str = ""
    data: dict[str, SecretValue] = {}
    string_data: dict[str, SecretValue] = {}
    immutable: bool | None = None


class Taint(KubeStruct):
    key: str
    effect: str
    value: str = ""
    time_added: Time | None = None


class NodeSpec(KubeStruct):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    pod_cidr: str = field(default="", name="podCIDR")
    pod_cidrs: tuple[str, ...] = field(default=(), name="podCIDRs")
    provider_id: str = field(default="", name="providerID")


class NodeAddress(KubeStruct):
    type: str
    address: str


class NodeSystemInfo(KubeStruct):
    machine_id: str = field(default="", name="machineID")
    system_uuid: str = field(default="", name="systemUUID")
    boot_id: str = field(default="", name="bootID")
    kernel_version: str = ""
    os_image: str = ""
    container_runtime_version: str = ""
    kubelet_version: str = ""
    operating_system: str = ""
    architecture: str = ""


class ContainerImage(KubeStruct):
    names: tuple[str, ...] = ()
    size_bytes: int = 0


class NodeStatus(KubeStruct):
    capacity: ResourceList = {}
    allocatable: ResourceList = {}
    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeSystemInfo | None = None
    images: tuple[ContainerImage, ...] = ()
    volumes_in_use: tuple[str, ...] = ()


class Node(KubeObject):
    """A `Host` as Kubernetes shows it. Built by the node controller from the Host and what was observed of it."""

    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "Node"
    NAMESPACED: ClassVar[bool] = False

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class EventSource(KubeStruct):
    component: str = ""
    host: str = ""


class Event(KubeObject):
    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "Event"

    involved_object: ObjectReference = ObjectReference()
    reason: str = ""
    message: str = ""
    type: str = ""
    source: EventSource = EventSource()
    count: int = 0
    first_timestamp: Time | None = None
    last_timestamp: Time | None = None
