"""Berth's own kinds, `berth.dev/v1alpha1`: Cluster (settings), Host (a Docker machine), Application (a path in Git).

They live in the repository beside the manifests: `berth.yaml` holds the Cluster, `hosts/` the Hosts. The text under
each field is what `docs/manifests.md` says about it.
"""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from objects.api.core import NodeStatus, Taint
from objects.api.meta import (
    Condition,
    IntOrString,
    KubeObject,
    KubeStruct,
    QuantityLike,
    ResourceList,
)

OWN_API_VERSION = "berth.dev/v1alpha1"


# --- Cluster ------------------------------------------------------------------------------------------------------


class NetworkSettings(KubeStruct):
    """Addresses of the cluster."""

    pod_cidr: str = field(default="10.244.0.0/16", name="podCIDR")
    """Network that the addresses of all pods come from. Each host gets one slice of it. It cannot be changed later."""
    service_cidr: str = field(default="10.96.0.0/16", name="serviceCIDR")
    """Network that the virtual addresses of Services come from; must not overlap with `podCIDR`."""
    host_prefix: int = 24
    """Length of a host's slice in bits: 24 leaves room for about 250 pods a host."""
    cluster_domain: str = "cluster.local"
    """Domain below which Services and pods get their names."""


class SshSettings(KubeStruct):
    """How hosts are reached unless a Host says otherwise."""

    user: str = "root"
    """User on the hosts. One other than root needs the docker group, and sudo for what needs root."""
    port: int = 22
    """Port of sshd."""
    key_files: tuple[str, ...] = ()
    """Private keys, as paths on the machine where Berth runs."""
    connect_timeout_seconds: float = 10
    """How long connecting and logging in may take."""
    keepalive_seconds: float = 2
    """How often a silent connection is tried; three unanswered tries end it, and the host is not ready."""


class SyncSettings(KubeStruct):
    """How Git and the hosts are followed."""

    poll_seconds: float = 30
    """How often Git is asked when no webhook speaks."""
    relist_seconds: float = 60
    """How often each host is looked at completely, should an event have been lost."""
    status_branch: str = "berth/status"
    """Branch that status is committed to. Nobody else should push there."""
    deletion_budget: IntOrString = "50%"
    """At most this many of the deployed objects may go in one commit, unless its trailer confirms it."""


class PluginWeight(KubeStruct):
    """How much one priority counts in a scheduler profile."""

    name: str
    """Name of the priority."""
    weight: int | None = None
    """1 to 100; the priority's own weight when not set."""


class SchedulerProfile(KubeStruct):
    """A named scheduler. Pods choose it by `schedulerName`."""

    name: str = "default-scheduler"
    """Name of the scheduler."""
    disabled_predicates: tuple[str, ...] = ()
    """Predicates that are not asked."""
    priorities: tuple[PluginWeight, ...] = ()
    """Priorities with other weights than usual."""
    disabled_priorities: tuple[str, ...] = ()
    """Priorities that do not count."""


class SchedulingSettings(KubeStruct):
    """How pods are placed."""

    profiles: tuple[SchedulerProfile, ...] = ()
    """Schedulers; without any there is `default-scheduler`."""
    seed: int = 0
    """Decides between hosts of equal score, so that the same input is placed the same way."""
    descheduler: bool = False
    """Whether running pods may be moved for a better balance."""


LABEL_MATCHERS, SERIES = "<<.LabelMatchers>>", "<<.Series>>"


class MetricQuery(KubeStruct):
    """How one metric is asked for."""

    metric: str
    """Name of the metric, as autoscalers say it."""
    query: str
    """PromQL; several series are added up. `<<.LabelMatchers>>` stands for what the autoscaler selects by and
    `<<.Series>>` for the metric's name, as in prometheus-adapter."""


class PrometheusSettings(KubeStruct):
    """A Prometheus server, or what speaks its API."""

    url: str = ""
    """Address as Berth reaches it (`https://prometheus.example.org`), a path before `/api/v1` included. Without one,
    object and external metrics of autoscalers and checks of canaries have no values, and say so."""
    user: str = ""
    """User for basic authentication."""
    password_file: str = ""
    """File with the user's password on the machine where Berth runs, read each time."""
    token_file: str = ""
    """File with a bearer token on the machine where Berth runs, read each time."""
    ca_file: str = ""
    """Certificates that the server's is checked against; the machine's own when empty."""
    interval_seconds: float = 15
    """How often it is asked, each query once for all who need it."""
    timeout_seconds: float = 5
    """How long an answer may take."""
    queries: tuple[MetricQuery, ...] = ()
    """How metrics are asked for whose value is not simply `sum(name{labels})`."""


class MetricsSettings(KubeStruct):
    """Where metrics come from that neither hosts nor pods tell."""

    prometheus: PrometheusSettings = PrometheusSettings()
    """The Prometheus server that is asked for object and external metrics, and for the checks of canaries."""


class ClusterSpec(KubeStruct):
    network: NetworkSettings = NetworkSettings()
    """Addresses and names."""
    ssh: SshSettings = SshSettings()
    """Connections to hosts."""
    sync: SyncSettings = SyncSettings()
    """Git and status."""
    scheduling: SchedulingSettings = SchedulingSettings()
    """Placement of pods."""
    metrics: MetricsSettings = MetricsSettings()
    """Metrics from elsewhere."""
    pause_image: str = "registry.k8s.io/pause:3.10"
    """Image of the container that holds the network of pods with several containers."""


class Cluster(KubeObject):
    """Settings of the whole cluster. There is one, in `berth.yaml` at the top of the repository."""

    API_VERSION: ClassVar[str] = OWN_API_VERSION
    KIND: ClassVar[str] = "Cluster"
    NAMESPACED: ClassVar[bool] = False

    spec: ClusterSpec = ClusterSpec()


# --- Host ---------------------------------------------------------------------------------------------------------


class EvictionThresholds(KubeStruct):
    """When a host is under pressure: less than this is available (quantity, or percentage of the capacity)."""

    memory_available: QuantityLike = "100Mi"
    """Memory."""
    disk_available: QuantityLike = "10%"
    """Disk that holds Docker's directory."""
    inodes_free: QuantityLike = "5%"
    """Inodes of that disk."""
    pid_available: QuantityLike = "5%"
    """Numbers for processes and threads."""
    pressure_transition_seconds: float = 300
    """A host that came under pressure counts as such at least so long, so that pods do not come and go in turn."""
    image_gc_high_percent: int = 85
    """Above this use of the disk, unused images that a registry can give again are removed …"""
    image_gc_low_percent: int = 80
    """… until it is below this."""


class HostSpec(KubeStruct):
    address: str
    """Name or IP address for SSH."""
    host_key: str
    """The host's public key as `ssh-keyscan` prints it after the name (`ssh-ed25519 AAAA…`). Another key is refused."""
    user: str = ""
    """User on this host; the Cluster's when empty."""
    port: int = 0
    """Port of sshd; the Cluster's when 0."""
    key_files: tuple[str, ...] = ()
    """Private keys; the Cluster's when empty."""
    jump: str = ""
    """Name of another Host through which this one is reached."""
    docker_socket: str = "/var/run/docker.sock"
    """Docker Engine's socket on the host."""
    unschedulable: bool = False
    """Whether the host gets no new pods (cordoned)."""
    taints: tuple[Taint, ...] = ()
    """Taints, as of a Kubernetes node."""
    pod_cidr: str = field(default="", name="podCIDR")
    """This host's slice of the cluster's `podCIDR`; chosen when empty."""
    max_pods: int = 110
    """How many pods the host takes."""
    capacity: ResourceList = {}
    """Overrides what is measured, and adds extended resources (`nvidia.com/gpu: 2`)."""
    reserved: ResourceList = {}
    """Kept free of pods for the system and other people's processes."""
    eviction: EvictionThresholds = EvictionThresholds()
    """When the host is under pressure."""


class Host(KubeObject, kw_only=True):
    """A Linux machine with Docker Engine and sshd. Shown as a Node; its labels are the node's labels."""

    API_VERSION: ClassVar[str] = OWN_API_VERSION
    KIND: ClassVar[str] = "Host"
    NAMESPACED: ClassVar[bool] = False

    spec: HostSpec
    status: NodeStatus = NodeStatus()


# --- Application --------------------------------------------------------------------------------------------------


class ApplicationSpec(KubeStruct):
    path: str
    """Folder in the repository, relative to its top."""
    namespace: str = ""
    """Namespace of the objects that name none; `default` when empty."""
    prune: bool = True
    """Whether an object that is gone from the folder is removed."""
    self_heal: bool = True
    """Whether what somebody altered of running containers (paused, renamed, other limits) is put right; else it is
    shown as `OutOfSync` until `berth apply`, or until the pod is replaced. Containers that end or are removed are
    always started again."""
    suspend: bool = False
    """While true, nothing of this application is changed."""


class ApplicationStatus(KubeStruct):
    revision: str = ""
    health: str = ""
    conditions: tuple[Condition, ...] = ()


class Application(KubeObject, kw_only=True):
    """A folder of manifests that is deployed together."""

    API_VERSION: ClassVar[str] = OWN_API_VERSION
    KIND: ClassVar[str] = "Application"
    NAMESPACED: ClassVar[bool] = False

    spec: ApplicationSpec
    status: ApplicationStatus = ApplicationStatus()
