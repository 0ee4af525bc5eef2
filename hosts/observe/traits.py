"""What sort of host it is, out of what its engine and its sshd say. What follows from it: `policies.host_support`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hosts.docker.engine import Engine
from hosts.ssh.waited_channel import ChannelRefused
from objects.errors import HostError
from objects.observation.host import HostTraits, NetworkRange

TRY_SECONDS = 5.0
TRIED_PORT = 1
"""tcpmux: nobody listens there, and who does hears nothing but a connection that ends."""


def compose_traits(
    info: Mapping[str, Any],
    version: Mapping[str, Any],
    networks: tuple[NetworkRange, ...] = (),
    *,
    forwards_tcp: bool | None = None,
    forwards_sockets: bool | None = None,
) -> HostTraits:
    """What `/info`, `/version` and sshd say, and the networks of others. Pure.

    An engine that does not say whether it limits (a field is missing) is taken to do so.
    """
    options = (dict(_pairs(option)).get("name", option) for option in info.get("SecurityOptions") or ())
    status = [tuple(map(str, row)) for row in info.get("DriverStatus") or () if isinstance(row, list)]
    return HostTraits(
        engine=_engine_name(version),
        security_options=tuple(sorted(set(options))),
        limits_memory=bool(info.get("MemoryLimit", True)),
        limits_cpu=bool(info.get("CpuCfsQuota", True)),
        weighs_cpu=bool(info.get("CPUShares", True)),
        has_containerd_images=("driver-type", "io.containerd.snapshotter.v1") in status,
        networks=networks,
        forwards_tcp=forwards_tcp,
        forwards_sockets=forwards_sockets,
    )


def _engine_name(version: Mapping[str, Any]) -> str:
    """Docker's own component is called `Engine`, Podman's `Podman Engine`; engines before 18.06 name none."""
    names = [str(part.get("Name", "")) for part in version.get("Components") or ()]
    other = next((name for name in names if name.endswith("Engine") and name != "Engine"), "")
    return other.removesuffix("Engine").strip() or "Docker"


def _pairs(option: str) -> Iterable[tuple[str, str]]:
    """`name=seccomp,profile=builtin` -> (name, seccomp), (profile, builtin)."""
    for part in option.split(","):
        name, _, value = part.partition("=")
        yield name, value


def try_tcp_forwarding(engine: Engine) -> bool | None:
    """Whether the host's sshd forwards TCP connections; None when that could not be found out. Never raises."""
    try:
        engine.link.open_tcp("127.0.0.1", TRIED_PORT, timeout_seconds=TRY_SECONDS).close()
    except ChannelRefused as refusal:
        return not refusal.is_forbidden
    except HostError:
        return None
    return True
