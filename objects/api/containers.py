"""Containers of a pod as in the core/v1 API: ports, environment, mounts, probes, hooks, security. No behaviour."""

from __future__ import annotations

from msgspec import field

from objects.api.meta import IntOrString, KubeStruct, ResourceList
from objects.api.volumes import ObjectFieldSelector, ResourceFieldSelector


class ConfigMapKeySelector(KubeStruct):
    key: str
    name: str = ""
    optional: bool | None = None


class SecretKeySelector(KubeStruct):
    key: str
    name: str = ""
    optional: bool | None = None


class FileKeySelector(KubeStruct):
    volume_name: str
    path: str
    key: str
    optional: bool | None = None


class EnvVarSource(KubeStruct):
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: ConfigMapKeySelector | None = None
    secret_key_ref: SecretKeySelector | None = None
    file_key_ref: FileKeySelector | None = None


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


class ContainerRestartRuleOnExitCodes(KubeStruct):
    operator: str
    values: tuple[int, ...] = ()


class ContainerRestartRule(KubeStruct):
    action: str
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


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
    restart_policy_rules: tuple[ContainerRestartRule, ...] = ()
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    target_container_name: str = ""

    @property
    def is_sidecar(self) -> bool:
        """Whether this *init* container keeps running beside the main ones (KEP-753)."""
        return self.restart_policy == "Always"
