"""From the handlers of a manifest (probes, lifecycle hooks) to checks: ports by name, `$(NAME)`, addresses. Pure."""

from __future__ import annotations

from differ.kubelet.actions import EnvironmentValue
from differ.kubelet.containers.environment import expand
from differ.kubelet.probes.checks import (
    Check,
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    SleepCheck,
    TcpCheck,
)
from objects.api.meta import IntOrString
from objects.api.pods import (
    Container,
    HTTPGetAction,
    LifecycleHandler,
    Probe,
)
from objects.errors import ContainerConfigError

MAX_PORT = 65_535


def compose_check(handler: Probe | LifecycleHandler, container: Container, pod_ip: str) -> Check:
    """What a handler of the container's asks. Raises ContainerConfigError: no handler, or a port nobody knows."""
    if handler.exec is not None:
        return ExecCheck(command=expand_command(handler.exec.command, container))
    if handler.http_get is not None:
        return _compose_http(handler.http_get, container, pod_ip)
    if handler.tcp_socket is not None:
        address = handler.tcp_socket.host or pod_ip
        return TcpCheck(address=address, port=resolve_port(handler.tcp_socket.port, container))
    if isinstance(handler, Probe) and handler.grpc is not None:
        return GrpcCheck(address=pod_ip, port=handler.grpc.port, service=handler.grpc.service or "")
    if isinstance(handler, LifecycleHandler) and handler.sleep is not None:
        return SleepCheck(seconds=handler.sleep.seconds)
    raise ContainerConfigError(f"container {container.name}: a probe or hook without a handler")


def _compose_http(action: HTTPGetAction, container: Container, pod_ip: str) -> HttpCheck:
    return HttpCheck(
        address=action.host or pod_ip,
        port=resolve_port(action.port, container),
        path=action.path if action.path.startswith("/") else f"/{action.path}",
        is_tls=action.scheme.upper() == "HTTPS",
        headers=tuple((header.name, header.value) for header in action.http_headers),
    )


def resolve_port(port: IntOrString, container: Container) -> int:
    """A number, a number as text, or the name of one of the container's ports. Raises ContainerConfigError."""
    if isinstance(port, str) and not port.isdigit():
        named = next((known.container_port for known in container.ports if port and known.name == port), None)
        if named is None:
            raise ContainerConfigError(f"container {container.name} has no port named '{port}'")
        return named
    number = int(port)
    if not 0 < number <= MAX_PORT:
        raise ContainerConfigError(f"container {container.name}: {port} is no port")
    return number


def expand_command(command: tuple[str, ...], container: Container) -> tuple[str, ...]:
    """`$(NAME)` by the variables that the manifest gives a plain value, as the kubelet does for probes and hooks."""
    values: dict[str, EnvironmentValue] = {}
    for variable in container.env:
        if variable.value_from is None:
            values[variable.name] = expand(variable.value, values)
    return tuple(str(expand(word, values)) for word in command)
