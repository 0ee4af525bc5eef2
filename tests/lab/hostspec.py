"""What a person can ask of a lab host. Nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostSpec:
    """One host.

    user: who logs in by ssh. One other than root is in the group docker and may `sudo -n`; root can't log in then.
    behind: name of the host through which alone this one's sshd is reached (a jump host), or "".
    disk_bytes: size of a file system of its own for /var/lib/docker; 0 = the machine's disk.
    memory_bytes: what all its processes may use together, and the MemTotal that its engine reports; 0 = the machine's.
    stream_local_forwarding: False sets sshd's `AllowStreamLocalForwarding no`.
    has_engine: False makes a host with sshd only (Git remote, registry, jump host).
    """

    name: str
    user: str = "root"
    port: int = 22
    behind: str = ""
    disk_bytes: int = 0
    memory_bytes: int = 0
    stream_local_forwarding: bool = True
    has_engine: bool = True


def plain_hosts(count: int) -> list[HostSpec]:
    """`host-1` ... `host-<count>`, all with the defaults."""
    return [HostSpec(f"host-{number}") for number in range(1, count + 1)]
