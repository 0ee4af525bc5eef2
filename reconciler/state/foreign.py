"""What containers of others take on a host, as the scheduler and people see it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from objects.api.meta import ResourceList
from objects.observation.figures import ForeignLoad
from policies.scheduling.shape import ANY_ADDRESS, HostPort

_EVERY_ADDRESS = ("", ANY_ADDRESS, "::")


def foreign_requests(loads: Iterable[ForeignLoad]) -> ResourceList:
    """All of them together, as if pods had requested it."""
    cpu, memory = 0, 0
    for load in loads:
        cpu, memory = cpu + load.cpu_millis, memory + load.memory_bytes
    return {"cpu": f"{cpu}m", "memory": memory} if cpu or memory else {}


def foreign_ports(loads: Iterable[ForeignLoad]) -> dict[HostPort, str]:
    """Port → who holds it."""
    return {
        HostPort(ANY_ADDRESS if ip in _EVERY_ADDRESS else ip, protocol.upper(), port): load.name
        for load in loads
        for protocol, ip, port in load.ports
    }


def frees_room(before: Iterable[ForeignLoad], after: Iterable[ForeignLoad]) -> bool:
    """Whether others take less of anything, or hold fewer ports, than before."""
    was, now = list(before), list(after)
    if not foreign_ports(was).keys() <= foreign_ports(now).keys():
        return True
    cpu, memory = (lambda load: load.cpu_millis), (lambda load: load.memory_bytes)
    return any(sum(map(amount, now)) < sum(map(amount, was)) for amount in (cpu, memory))
