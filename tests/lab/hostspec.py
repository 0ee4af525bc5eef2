"""What a person can ask of a lab host. Nothing here acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MIXED_ENGINES = ("28", "20.10", "26")
"""Those of the three hosts of a test run, side by side: what people have, from the oldest that is supported on."""


@dataclass(frozen=True)
class HostSpec:
    """One host.

    user: who logs in by ssh. One other than root is in the group docker; root can't log in then.
    has_sudo: whether that user may `sudo -n`.
    behind: name of the host through which alone this one's sshd is reached (a jump host), or "".
    disk_bytes: size of a file system of its own for /var/lib/docker; 0 = the machine's disk.
    memory_bytes: what all its processes may use together, and the MemTotal that its engine reports; 0 = the machine's.
    stream_local_forwarding, tcp_forwarding: False sets sshd's `AllowStreamLocalForwarding no`, `AllowTcpForwarding no`.
    sshd_lines: more of sshd's settings, as "MaxSessions 2"; they come first, and sshd takes the first of two.
    latency_seconds: how long each packet takes to the host, and back again; the round trip is twice that.
    has_engine: False makes a host with sshd only (Git remote, registry, jump host).
    engine: version of its Docker Engine, one of `engines.toml` ("28"); "" = the machine's own, whatever that is.
    engine_settings: added to daemon.json, as {"userns-remap": "default"}; a key that is None goes out of it.
    """

    name: str
    user: str = "root"
    port: int = 22
    behind: str = ""
    disk_bytes: int = 0
    memory_bytes: int = 0
    stream_local_forwarding: bool = True
    has_engine: bool = True
    has_sudo: bool = True
    tcp_forwarding: bool = True
    sshd_lines: tuple[str, ...] = ()
    latency_seconds: float = 0.0
    engine: str = ""
    engine_settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # As read back from JSON it is a list; equal specs have to look the same.
        object.__setattr__(self, "sshd_lines", tuple(self.sshd_lines))


def plain_hosts(count: int) -> list[HostSpec]:
    """`host-1` ... `host-<count>`, all with the defaults."""
    return [HostSpec(f"host-{number}") for number in range(1, count + 1)]


def mixed_hosts(count: int = len(MIXED_ENGINES), *, engines: Sequence[str] = MIXED_ENGINES) -> list[HostSpec]:
    """`host-1` ... `host-<count>`, else plain, with these engines in turn."""
    return [HostSpec(f"host-{number + 1}", engine=engines[number % len(engines)]) for number in range(count)]
