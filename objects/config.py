"""Berth's own kinds, `berth.dev/v1alpha1`: Cluster (settings), Host (a Docker machine), Application (a path in Git).

They live in the repository beside the manifests: `berth.yaml` holds the Cluster, `hosts/` the Hosts.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from objects.core import NodeStatus, Taint
from objects.meta import Condition, IntOrString, KubeObject, KubeStruct, QuantityLike, ResourceList

OWN_API_VERSION = "berth.dev/v1alpha1"


class NetworkSettings(KubeStruct):
    """Addresses of the cluster. Each host gets one slice of `pod_cidr`, `host_prefix` bits long."""

    pod_cidr: str = field(default="10.244.0.0/16", name="podCIDR")
    service_cidr: str = field(default="10.96.0.0/16", name="serviceCIDR")
    host_prefix: int = 24
    cluster_domain: str = "cluster.local"


class SshSettings(KubeStruct):
    """How hosts are reached unless a Host says otherwise. Key files are paths on the reconciler's machine."""

    user: str = "root"
    port: int = 22
    key_files: tuple[str, ...] = ()
    connect_timeout_seconds: float = 10
    keepalive_seconds: float = 5


class SyncSettings(KubeStruct):
    """poll_seconds: how often Git is asked when no webhook speaks. relist_seconds: full re-list of each host."""

    poll_seconds: float = 30
    relist_seconds: float = 60
    status_branch: str = "berth/status"
    deletion_budget: IntOrString = "50%"
    """At most this many of the deployed objects go in one commit, unless its trailer confirms (see docs)."""


class PluginWeight(KubeStruct):
    name: str
    weight: int | None = None


class SchedulerProfile(KubeStruct):
    """A named scheduler: which predicates are off and how priorities weigh."""

    name: str = "default-scheduler"
    disabled_predicates: tuple[str, ...] = ()
    priorities: tuple[PluginWeight, ...] = ()
    disabled_priorities: tuple[str, ...] = ()


class SchedulingSettings(KubeStruct):
    profiles: tuple[SchedulerProfile, ...] = ()
    seed: int = 0
    descheduler: bool = False


class ClusterSpec(KubeStruct):
    network: NetworkSettings = NetworkSettings()
    ssh: SshSettings = SshSettings()
    sync: SyncSettings = SyncSettings()
    scheduling: SchedulingSettings = SchedulingSettings()
    pause_image: str = "registry.k8s.io/pause:3.10"


class Cluster(KubeObject):
    API_VERSION: ClassVar[str] = OWN_API_VERSION
    KIND: ClassVar[str] = "Cluster"
    NAMESPACED: ClassVar[bool] = False

    spec: ClusterSpec = ClusterSpec()


class EvictionThresholds(KubeStruct):
    """Pressure begins when less than this is available (quantity, or percentage of capacity)."""

    memory_available: QuantityLike = "100Mi"
    disk_available: QuantityLike = "10%"
    image_gc_high_percent: int = 85
    image_gc_low_percent: int = 80


class HostSpec(KubeStruct):
    """address: name or IP for SSH. host_key: the line `ssh-keyscan` prints after the name (`ssh-ed25519 AAAA…`)."""

    address: str
    host_key: str
    user: str = ""
    port: int = 0
    key_files: tuple[str, ...] = ()
    jump: str = ""
    """Name of another Host through which this one is reached."""
    docker_socket: str = "/var/run/docker.sock"
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    pod_cidr: str = field(default="", name="podCIDR")
    max_pods: int = 110
    capacity: ResourceList = {}
    """Overrides what is measured, and adds extended resources (`nvidia.com/gpu: 2`)."""
    reserved: ResourceList = {}
    """Kept free of pods for the system and other people's processes."""
    eviction: EvictionThresholds = EvictionThresholds()


class Host(KubeObject, kw_only=True):
    API_VERSION: ClassVar[str] = OWN_API_VERSION
    KIND: ClassVar[str] = "Host"
    NAMESPACED: ClassVar[bool] = False

    spec: HostSpec
    status: NodeStatus = NodeStatus()


class ApplicationSpec(KubeStruct):
    """path: folder in the repository. prune: delete what is gone from it. self_heal: put drift right.

    suspend: nothing of this application is changed until it is false again.
    """

    path: str
    namespace: str = ""
    prune: bool = True
    self_heal: bool = True
    suspend: bool = False


class ApplicationStatus(KubeStruct):
    revision: str = ""
    health: str = ""
    conditions: tuple[Condition, ...] = ()


class Application(KubeObject, kw_only=True):
    API_VERSION: ClassVar[str] = OWN_API_VERSION
    KIND: ClassVar[str] = "Application"
    NAMESPACED: ClassVar[bool] = False

    spec: ApplicationSpec
    status: ApplicationStatus = ApplicationStatus()
