"""A `ContainerSpec` as the body of Docker's `POST /containers/create`. Pure.

This is where secret values of environments are revealed: the result is sent to the engine and kept nowhere.
"""

from __future__ import annotations

from typing import Any

from differ.kubelet.actions import (
    CPU_PERIOD_MICROS,
    ContainerSpec,
    EnvironmentValue,
    Mount,
    NamespaceSettings,
    ResourceSettings,
)
from objects.secrets import SecretValue

RECORD_FIELD = "ContainerIDFile"
"""Of the host settings: every engine keeps this text and shows it again, none makes use of it, and no image carries it.
It holds the name that the container was made under, by which it is known as ours when somebody renamed it.
"""

LOG_CONFIG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}}
"""The kubelet's rotation; without any a chatty container fills the disk."""


def container_request(spec: ContainerSpec) -> dict[str, Any]:
    """The JSON body; the name is a query parameter of the call."""
    namespaces, security = spec.namespaces, spec.security
    body: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={reveal(value)}" for name, value in spec.environment],
        "Labels": dict(spec.labels),
        "Hostname": namespaces.hostname,
        "User": security.user,
        "WorkingDir": spec.working_directory,
        "Tty": spec.has_terminal,
        "OpenStdin": spec.has_stdin,
        "StdinOnce": spec.stdin_once,
        "ExposedPorts": {f"{port.container_port}/{port.protocol}": {} for port in namespaces.ports},
        "HostConfig": _host_config(spec),
    }
    if spec.entrypoint is not None:
        body["Entrypoint"] = [reveal(word) for word in spec.entrypoint]
    if spec.command is not None:
        body["Cmd"] = [reveal(word) for word in spec.command]
    if spec.stop_signal:
        body["StopSignal"] = spec.stop_signal
    if namespaces.address:
        endpoint = {"IPAMConfig": {"IPv4Address": namespaces.address}}
        body["NetworkingConfig"] = {"EndpointsConfig": {namespaces.network_mode: endpoint}}
    return body


def reveal(value: EnvironmentValue) -> str:
    """The text of a value; bytes of a Secret that are no UTF-8 cannot be in an environment and become U+FFFD."""
    return value.reveal().decode(errors="replace") if isinstance(value, SecretValue) else value


def update_request(restart_policy: str, resources: ResourceSettings | None) -> dict[str, Any]:
    """The body of `POST /containers/{id}/update`. Docker leaves alone what is 0, so "unlimited" is said as -1."""
    body: dict[str, Any] = {"RestartPolicy": {"Name": restart_policy}}
    if resources is not None:
        body |= _resources(resources)
        body["CpuQuota"] = resources.cpu_quota_micros or -1
        if not resources.memory_bytes:
            body |= {"Memory": -1, "MemorySwap": -1}
    return body


def _host_config(spec: ContainerSpec) -> dict[str, Any]:
    namespaces, security = spec.namespaces, spec.security
    return {
        RECORD_FIELD: spec.name,
        "RestartPolicy": {"Name": spec.restart_policy},
        "LogConfig": LOG_CONFIG,
        "OomScoreAdj": spec.oom_score_adjustment,
        **_resources(spec.resources),
        "Privileged": security.is_privileged,
        "ReadonlyRootfs": security.has_read_only_root,
        "CapAdd": list(security.added_capabilities),
        "CapDrop": list(security.dropped_capabilities),
        "SecurityOpt": list(security.options),
        "GroupAdd": list(security.groups),
        "Binds": [_bind(mount) for mount in spec.mounts if mount.make_directory],
        "Mounts": [_mount(mount) for mount in spec.mounts if not mount.make_directory],
        **_namespaces(namespaces),
    }


def _namespaces(settings: NamespaceSettings) -> dict[str, Any]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in settings.ports:
        key = f"{port.container_port}/{port.protocol}"
        bindings.setdefault(key, []).append({"HostIp": port.host_ip, "HostPort": str(port.host_port)})
    return {
        "NetworkMode": settings.network_mode,
        "PidMode": settings.pid_mode,
        "IpcMode": settings.ipc_mode,
        "PortBindings": bindings,
        "ExtraHosts": [f"{name}:{address}" for name, address in settings.extra_hosts],
        "Dns": list(settings.dns_servers),
        "DnsSearch": list(settings.dns_searches),
        "DnsOptions": list(settings.dns_options),
        "Sysctls": dict(settings.sysctls),
    }


def _resources(resources: ResourceSettings) -> dict[str, int]:
    """Memory and swap together get the limit, so a container has no swap, as in Kubernetes."""
    return {
        "CpuShares": resources.cpu_shares,
        "CpuPeriod": CPU_PERIOD_MICROS if resources.cpu_quota_micros else 0,
        "CpuQuota": resources.cpu_quota_micros,
        "Memory": resources.memory_bytes,
        "MemorySwap": resources.memory_bytes,
    }


def _bind(mount: Mount) -> str:
    # Only this old form makes a missing directory on every version of the engine.
    options = ["ro" if mount.read_only else "rw", *([mount.propagation] if mount.propagation else [])]
    return f"{mount.source}:{mount.target}:{','.join(options)}"


def _mount(mount: Mount) -> dict[str, Any]:
    common = {"Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
    if not mount.is_volume:
        return {"Type": "bind", **common, "BindOptions": {"Propagation": mount.propagation}}
    options: dict[str, Any] = {"NoCopy": True, "Labels": dict(mount.labels)}
    if mount.tmpfs_bytes is not None:
        size = f",size={mount.tmpfs_bytes}" if mount.tmpfs_bytes else ""
        options["DriverConfig"] = {
            "Name": "local",
            "Options": {"type": "tmpfs", "device": "tmpfs", "o": f"mode=0777{size}"},
        }
    return {"Type": "volume", **common, "VolumeOptions": options}
