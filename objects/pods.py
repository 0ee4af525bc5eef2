"""Pod, its spec and its status, as in the core/v1 API. No behaviour beyond small derived properties."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from objects.meta import (
    Condition,
    IntOrString,
    KubeObject,
    KubeStruct,
    LabelSelector,
    LocalObjectReference,
    ObjectMeta,
    ResourceList,
    Time,
)
from objects.volumes import ObjectFieldSelector, ResourceFieldSelector, Volume

# --- containers ---------------------------------------------------------------------------------------------------


class ConfigMapKeySelector(KubeStruct):
    key: str
    name: str = ""
    optional: bool | None = None


class SecretKeySelector(KubeStruct):
    key: str
    name: str = ""
    optional: bool | None = None


class EnvVarSource(KubeStruct):
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None


class EnvVar(KubeStruct):
    name: str
    value: str = ""
    value_from: EnvVarSource | None = None


class ConfigMapEnvSource(KubeStruct):
    name: str = ""
    optional: bool | None = None


class SecretEnvSource(KubeStruct):
    name: str = ""
    optional: bool | None = None


class EnvFromSource(KubeStruct):
    prefix: str = ""
    config_map_ref: ConfigMapEnvSource | None = None
    secret_ref: SecretEnvSource | None = None


class ContainerPort(KubeStruct):
    container_port: int
    name: str = ""
    host_port: int = 0
    protocol: str = ""
    host_ip: str = field(default="", name="hostIP")


class ResourceClaim(KubeStruct):
    name: str
    request: str = ""


class ResourceRequirements(KubeStruct):
    requests: ResourceList = {}
    limits: ResourceList = {}
    claims: tuple[ResourceClaim, ...] = ()


class VolumeMount(KubeStruct):
    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""
    sub_path_expr: str = ""
    mount_propagation: str | None = None
    recursive_read_only: str | None = None


class VolumeDevice(KubeStruct):
    name: str
    device_path: str


class ExecAction(KubeStruct):
    command: tuple[str, ...] = ()


class HTTPHeader(KubeStruct):
    name: str
    value: str = ""


class HTTPGetAction(KubeStruct):
    port: IntOrString
    path: str = ""
    host: str = ""
    scheme: str = ""
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(KubeStruct):
    port: IntOrString
    host: str = ""


class GRPCAction(KubeStruct):
    port: int
    service: str | None = None


class SleepAction(KubeStruct):
    seconds: int


class Probe(KubeStruct):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 0
    period_seconds: int = 0
    success_threshold: int = 0
    failure_threshold: int = 0
    termination_grace_period_seconds: int | None = None


class LifecycleHandler(KubeStruct):
    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(KubeStruct):
    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = None


class SELinuxOptions(KubeStruct):
    user: str = ""
    role: str = ""
    type: str = ""
    level: str = ""


class SeccompProfile(KubeStruct):
    type: str
    localhost_profile: str | None = None


class AppArmorProfile(KubeStruct):
    type: str
    localhost_profile: str | None = None


class WindowsOptions(KubeStruct):
    gmsa_credential_spec_name: str | None = None
    gmsa_credential_spec: str | None = None
    run_as_user_name: str | None = None
    host_process: bool | None = None


class Capabilities(KubeStruct):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SecurityContext(KubeStruct):
    privileged: bool | None = None
    capabilities: Capabilities | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    proc_mount: str | None = None
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None
    windows_options: WindowsOptions | None = None


class ContainerResizePolicy(KubeStruct):
    resource_name: str
    restart_policy: str


class Container(KubeStruct):
    """A container, init container (`restart_policy: Always` makes it a sidecar) or ephemeral container."""

    name: str = ""
    image: str = ""
    image_pull_policy: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    volume_mounts: tuple[VolumeMount, ...] = ()
    volume_devices: tuple[VolumeDevice, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_message_path: str = ""
    termination_message_policy: str = ""
    security_context: SecurityContext | None = None
    restart_policy: str | None = None
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    target_container_name: str = ""

    @property
    def is_sidecar(self) -> bool:
        """Whether this *init* container keeps running beside the main ones (KEP-753)."""
        return self.restart_policy == "Always"


# --- placement ----------------------------------------------------------------------------------------------------


class Toleration(KubeStruct):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class NodeSelectorRequirement(KubeStruct):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class NodeSelectorTerm(KubeStruct):
    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(KubeStruct):
    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class PreferredSchedulingTerm(KubeStruct):
    weight: int
    preference: NodeSelectorTerm


class NodeAffinity(KubeStruct):
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredSchedulingTerm, ...] = ()


class PodAffinityTerm(KubeStruct):
    topology_key: str = ""
    label_selector: LabelSelector | None = None
    namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None
    match_label_keys: tuple[str, ...] = ()
    mismatch_label_keys: tuple[str, ...] = ()


class WeightedPodAffinityTerm(KubeStruct):
    weight: int
    pod_affinity_term: PodAffinityTerm


class PodAffinity(KubeStruct):
    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class PodAntiAffinity(KubeStruct):
    required_during_scheduling_ignored_during_execution: tuple[PodAffinityTerm, ...] = ()
    preferred_during_scheduling_ignored_during_execution: tuple[WeightedPodAffinityTerm, ...] = ()


class Affinity(KubeStruct):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAntiAffinity | None = None


class TopologySpreadConstraint(KubeStruct):
    max_skew: int
    topology_key: str
    when_unsatisfiable: str
    label_selector: LabelSelector | None = None
    min_domains: int | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    match_label_keys: tuple[str, ...] = ()


class PodSchedulingGate(KubeStruct):
    name: str


# --- the pod ------------------------------------------------------------------------------------------------------


class Sysctl(KubeStruct):
    name: str
    value: str


class PodSecurityContext(KubeStruct):
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    fs_group: int | None = None
    fs_group_change_policy: str | None = None
    supplemental_groups: tuple[int, ...] = ()
    supplemental_groups_policy: str | None = None
    sysctls: tuple[Sysctl, ...] = ()
    se_linux_options: SELinuxOptions | None = None
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None
    windows_options: WindowsOptions | None = None
    se_linux_change_policy: str | None = None


class HostAlias(KubeStruct):
    ip: str
    hostnames: tuple[str, ...] = ()


class PodDNSConfigOption(KubeStruct):
    name: str = ""
    value: str | None = None


class PodDNSConfig(KubeStruct):
    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDNSConfigOption, ...] = ()


class PodReadinessGate(KubeStruct):
    condition_type: str


class PodOS(KubeStruct):
    name: str


class PodResourceClaim(KubeStruct):
    name: str
    resource_claim_name: str | None = None
    resource_claim_template_name: str | None = None


class PodSpec(KubeStruct):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    restart_policy: str = ""
    termination_grace_period_seconds: int | None = None
    active_deadline_seconds: int | None = None
    dns_policy: str = ""
    dns_config: PodDNSConfig | None = None
    node_selector: dict[str, str] = {}
    node_name: str = ""
    service_account_name: str = ""
    service_account: str = ""
    automount_service_account_token: bool | None = None
    host_network: bool = False
    host_pid: bool = field(default=False, name="hostPID")
    host_ipc: bool = field(default=False, name="hostIPC")
    host_users: bool | None = None
    share_process_namespace: bool | None = None
    security_context: PodSecurityContext | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    hostname: str = ""
    hostname_override: str | None = None
    subdomain: str = ""
    set_hostname_as_fqdn: bool | None = field(default=None, name="setHostnameAsFQDN")
    affinity: Affinity | None = None
    scheduler_name: str = ""
    tolerations: tuple[Toleration, ...] = ()
    host_aliases: tuple[HostAlias, ...] = ()
    priority_class_name: str = ""
    priority: int | None = None
    preemption_policy: str | None = None
    readiness_gates: tuple[PodReadinessGate, ...] = ()
    runtime_class_name: str | None = None
    enable_service_links: bool | None = None
    overhead: ResourceList = {}
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    os: PodOS | None = None
    resource_claims: tuple[PodResourceClaim, ...] = ()
    resources: ResourceRequirements | None = None


class PodTemplateSpec(KubeStruct):
    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()


class ContainerStateWaiting(KubeStruct):
    reason: str = ""
    message: str = ""


class ContainerStateRunning(KubeStruct):
    started_at: Time | None = None


class ContainerStateTerminated(KubeStruct):
    exit_code: int
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: Time | None = None
    finished_at: Time | None = None
    container_id: str = field(default="", name="containerID")


class ContainerState(KubeStruct):
    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(KubeStruct):
    name: str
    image: str = ""
    image_id: str = field(default="", name="imageID")
    container_id: str = field(default="", name="containerID")
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    allocated_resources: ResourceList = {}
    resources: ResourceRequirements | None = None
    volume_mounts: tuple[dict[str, Any], ...] = ()
    user: dict[str, Any] | None = None


class PodIP(KubeStruct):
    ip: str = ""


class HostIP(KubeStruct):
    ip: str = ""


class PodStatus(KubeStruct):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    reason: str = ""
    message: str = ""
    nominated_node_name: str = ""
    host_ip: str = field(default="", name="hostIP")
    host_ips: tuple[HostIP, ...] = field(default=(), name="hostIPs")
    pod_ip: str = field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = field(default=(), name="podIPs")
    start_time: Time | None = None
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    qos_class: str = ""
    resize: str = ""
    observed_generation: int = 0
    resource_claim_statuses: tuple[dict[str, Any], ...] = ()


class Pod(KubeObject):
    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "Pod"

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def node_name(self) -> str:
        """The host the pod is bound to; empty while pending."""
        return self.spec.node_name

    @property
    def is_finished(self) -> bool:
        return self.status.phase in ("Succeeded", "Failed")

    @property
    def is_ready(self) -> bool:
        return any(c.type == "Ready" and c.status == "True" for c in self.status.conditions)
