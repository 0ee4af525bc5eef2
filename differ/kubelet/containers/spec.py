"""Composes what Docker is told about each container of a pod. Pure.

One place decides which container owns the pod's namespaces (`owner_of_namespaces`): a second container costs as much as
the first, so a pod with one container and nothing to hold has no sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping

from differ.kubelet.actions import (
    CPU_PERIOD_MICROS,
    ContainerSpec,
    EnvironmentValue,
    NamespaceSettings,
    PortBinding,
    ResourceSettings,
)
from differ.kubelet.containers.environment import PodContext, expand, resolve_environment
from differ.kubelet.containers.mounts import container_mounts
from differ.kubelet.containers.security import security_settings
from differ.kubelet.files.content import file_volumes_hash, volume_entries
from differ.kubelet.files.volumes import has_volatile_files, holder_mounts, needs_holder
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    ContainerPort,
    Pod,
    PodStatus,
)
from objects.errors import ContainerConfigError
from objects.hashing import canonical_json, content_hash
from objects.names import (
    LABEL_CONTAINER,
    LABEL_FILES_HASH,
    LABEL_LAST_WORDS,
    LABEL_MANAGED,
    LABEL_POD,
    LABEL_POD_NAME,
    LABEL_POD_NAMESPACE,
    LABEL_POD_UID,
    LABEL_ROLE,
    LABEL_SPEC_HASH,
    SANDBOX_CONTAINER,
    ContainerName,
)
from objects.pod_resources import qos_class
from objects.values import quantity

ROLE_SANDBOX, ROLE_INIT, ROLE_SIDECAR, ROLE_MAIN = "sandbox", "init", "sidecar", "main"
MAX_HOSTNAME = 63
_MIN_SHARES, _MAX_SHARES, _MIN_QUOTA_MICROS = 2, 262_144, 1_000
_SANDBOX_OOM_SCORE = -998
SANDBOX_RESOURCES = ResourceSettings(cpu_shares=_MIN_SHARES)


def owner_of_namespaces(pod: Pod) -> str:
    """The name of the container that owns the network and IPC namespaces; SANDBOX_CONTAINER when a sandbox does."""
    spec = pod.spec
    is_alone = len(spec.containers) == 1 and not spec.init_containers
    return spec.containers[0].name if is_alone and not needs_holder(pod) else SANDBOX_CONTAINER


def has_sandbox(pod: Pod) -> bool:
    return owner_of_namespaces(pod) == SANDBOX_CONTAINER


def role_of(pod: Pod, container: Container) -> str:
    """`init`, `sidecar` or `main`."""
    if any(init.name == container.name for init in pod.spec.init_containers):
        return ROLE_SIDECAR if container.is_sidecar else ROLE_INIT
    return ROLE_MAIN


def docker_restart_policy(pod: Pod, role: str) -> str:
    """`always` for what Docker may start without us: after its first crash, and when the host boots.

    That is what restarts whatever its exit code, and needs no files that only we can write. Init containers never:
    Docker would not know when one is done.
    """
    if role == ROLE_SANDBOX:
        return "always"
    if role == ROLE_INIT or has_volatile_files(pod):
        return "no"
    return "always" if role == ROLE_SIDECAR or pod.spec.restart_policy in ("", "Always") else "no"


def compose_sandbox(context: PodContext, *, attempt: int) -> ContainerSpec:
    """The container that holds the namespaces and volumes of a pod and does nothing else."""
    pod = context.pod
    image = context.assignment.pause_image
    ports = tuple(port for container in (*pod.spec.init_containers, *pod.spec.containers) for port in container.ports)
    return ContainerSpec(
        name=container_name(pod, SANDBOX_CONTAINER, attempt),
        image=image,
        labels={
            **_labels(pod, SANDBOX_CONTAINER, ROLE_SANDBOX, content_hash(image)),
            **manifest_label(pod),
            **_files_label(context),
        },
        restart_policy=docker_restart_policy(pod, ROLE_SANDBOX),
        oom_score_adjustment=_SANDBOX_OOM_SCORE,
        resources=SANDBOX_RESOURCES,
        mounts=holder_mounts(pod),
        namespaces=_own_namespaces(context, ports, ipc_mode="shareable"),
    )


def compose_container(
    container: Container, context: PodContext, *, attempt: int, sandbox_id: str, host_memory_bytes: int
) -> ContainerSpec:
    """A container of the manifest. Raises ContainerConfigError.

    sandbox_id: whose namespaces it joins, '' when it owns them. host_memory_bytes: for the OOM score.
    """
    pod, role = context.pod, role_of(context.pod, container)
    environment = resolve_environment(container, context)
    labels = _labels(pod, container.name, role, container_hash(container)) | last_words_label(container)
    return ContainerSpec(
        name=container_name(pod, container.name, attempt),
        image=container.image,
        labels=labels if sandbox_id else labels | manifest_label(pod),
        environment=tuple(environment.items()),
        entrypoint=_expand_all(container.command, environment),
        command=_expand_all(container.args, environment),
        working_directory=container.working_dir,
        restart_policy=docker_restart_policy(pod, role),
        stop_signal=(container.lifecycle.stop_signal or "") if container.lifecycle else "",
        resources=resource_settings(container),
        oom_score_adjustment=oom_score_adjustment(pod, container, host_memory_bytes),
        mounts=container_mounts(container, context),
        namespaces=_joined_namespaces(pod, sandbox_id) if sandbox_id else _own_namespaces(context, container.ports),
        security=security_settings(pod, container),
        has_terminal=container.tty,
        has_stdin=container.stdin,
        stdin_once=container.stdin_once,
    )


def container_hash(container: Container) -> str:
    """Of everything the manifest says about the container: tells whether one that was found is the one meant.

    References to ConfigMaps and Secrets count, their content does not: Kubernetes restarts no pod when it changes.
    """
    return content_hash(container)


def resource_settings(container: Container) -> ResourceSettings:
    """Requests and limits in Docker's terms.

    cpu request -> shares          cpu limit -> quota per 100 ms      memory limit
    250m        -> 256             500m      -> 50000                 64Mi -> 67108864
    1m          -> 2 (kernel min)  5m        -> 1000 (kernel min)     none -> 0

    A request that is not set is the limit's, as the API server defaults it; none at all weighs as little as possible.
    """
    limits, requests = container.resources.limits, container.resources.requests
    request_millis = quantity.milli_value(requests.get("cpu", limits.get("cpu", 0)))
    limit_millis = quantity.milli_value(limits.get("cpu", 0))
    return ResourceSettings(
        cpu_shares=min(max(_MIN_SHARES, request_millis * 1024 // 1000), _MAX_SHARES),
        cpu_quota_micros=max(_MIN_QUOTA_MICROS, limit_millis * CPU_PERIOD_MICROS // 1000) if limit_millis else 0,
        memory_bytes=quantity.value(limits.get("memory", 0)),
    )


def oom_score_adjustment(pod: Pod, container: Container, host_memory_bytes: int) -> int:
    """Who dies first when the host runs out of memory (kubelet's `GetContainerOOMScoreAdjust`).

    Guaranteed -997, BestEffort 1000, Burstable 1000 minus its share of the host's memory in thousandths, within 2 …
    999.
    """
    quality = qos_class(pod)
    if quality == "Guaranteed":
        return -997
    if quality == "BestEffort" or not host_memory_bytes:
        return 1000
    resources = container.resources
    request = quantity.value(resources.requests.get("memory", resources.limits.get("memory", 0)))
    return min(max(2, 1000 - 1000 * request // host_memory_bytes), 999)


def manifest_label(pod: Pod) -> dict[str, str]:
    """The pod as JSON, so that a process without memory can rebuild it from its host.

    Status is left out, except the address, which nobody could find out otherwise; what the API server would fill in is
    left out too. Secrets are named in a manifest, never held: the label shows no value.
    """
    kept = ObjectMeta(
        name=pod.metadata.name,
        namespace=pod.metadata.namespace,
        uid=pod.metadata.uid,
        labels=pod.metadata.labels,
        annotations=pod.metadata.annotations,
        creation_timestamp=pod.metadata.creation_timestamp,
        owner_references=pod.metadata.owner_references,
        generate_name=pod.metadata.generate_name,
    )
    status = PodStatus(pod_ip=pod.status.pod_ip)
    return {LABEL_POD: canonical_json(Pod(metadata=kept, spec=pod.spec, status=status)).decode()}


def container_name(pod: Pod, container: str, attempt: int) -> str:
    """The Docker name of an attempt of a container."""
    return str(ContainerName(container, pod.name, pod.namespace, pod.uid, attempt))


def _labels(pod: Pod, container: str, role: str, spec_hash: str) -> dict[str, str]:
    return {
        LABEL_MANAGED: "true",
        LABEL_POD_UID: pod.uid,
        LABEL_POD_NAME: pod.name,
        LABEL_POD_NAMESPACE: pod.namespace,
        LABEL_CONTAINER: container,
        LABEL_ROLE: role,
        LABEL_SPEC_HASH: spec_hash,
    }


def last_words_label(container: Container) -> dict[str, str]:
    """Where to read what the container says at its end; nothing where there is nothing to read.

    `/dev` is memory and gone with the process, so of a file there only the policy counts.
    """
    policy, path = container.termination_message_policy or "File", container.termination_message_path
    is_lost = not path or path == "/dev" or path.startswith("/dev/")
    if is_lost and policy == "File":
        return {}
    return {LABEL_LAST_WORDS: f"{policy}:{'' if is_lost else path}"}


def _files_label(context: PodContext) -> dict[str, str]:
    """Empty while the files cannot be composed: then they are written when they can."""
    try:
        content = file_volumes_hash(context.pod, volume_entries(context))
    except ContainerConfigError:
        return {}
    return {LABEL_FILES_HASH: content} if content else {}


def _expand_all(words: tuple[str, ...], values: Mapping[str, EnvironmentValue]) -> tuple[EnvironmentValue, ...] | None:
    """None for an empty list: the image's own stays."""
    return tuple(expand(word, values) for word in words) or None


def _own_namespaces(context: PodContext, ports: tuple[ContainerPort, ...], *, ipc_mode: str = "") -> NamespaceSettings:
    pod, spec = context.pod, context.pod.spec
    dns, security = spec.dns_config, spec.security_context
    is_on_host = spec.host_network
    return NamespaceSettings(
        network_mode="host" if is_on_host else context.assignment.network.name,
        address="" if is_on_host else pod.status.pod_ip,
        pid_mode="host" if spec.host_pid else "",
        ipc_mode="host" if spec.host_ipc else ipc_mode,
        hostname="" if is_on_host else (spec.hostname or pod.name)[:MAX_HOSTNAME].rstrip("-."),
        ports=() if is_on_host else port_bindings(ports),
        extra_hosts=tuple((name, alias.ip) for alias in spec.host_aliases for name in alias.hostnames),
        dns_servers=dns.nameservers if dns else (),
        dns_searches=dns.searches if dns else (),
        dns_options=tuple(f"{o.name}:{o.value}" if o.value else o.name for o in dns.options) if dns else (),
        sysctls={sysctl.name: sysctl.value for sysctl in security.sysctls} if security else {},
    )


def _joined_namespaces(pod: Pod, sandbox_id: str) -> NamespaceSettings:
    sandbox = f"container:{sandbox_id}"
    own_pid = "host" if pod.spec.host_pid else ""
    return NamespaceSettings(
        network_mode=sandbox,
        ipc_mode="host" if pod.spec.host_ipc else sandbox,
        pid_mode=sandbox if pod.spec.share_process_namespace else own_pid,
    )


def port_bindings(ports: tuple[ContainerPort, ...]) -> tuple[PortBinding, ...]:
    """The ports that ask for a host port, each once, in order."""
    bindings = (
        PortBinding(
            container_port=port.container_port,
            protocol=(port.protocol or "TCP").lower(),
            host_port=port.host_port,
            host_ip=port.host_ip,
        )
        for port in ports
        if port.host_port
    )
    return tuple(dict.fromkeys(bindings))
