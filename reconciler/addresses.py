"""Addresses: which slice of the pod network a host gets, and which address a pod gets in it. Pure.

A slice belongs to a host for good (containers have it in their settings); an address belongs to a pod until its
containers are gone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable

from objects.config import Host, NetworkSettings
from reconciler.slices import SliceBook

_RESERVED_AT_START = 2
"""Network address and the bridge's own (the gateway)."""


def slice_for_host(host: Host | None, name: str, settings: NetworkSettings, slices: SliceBook) -> str:
    """A slice for a host that has none on it: what its Host says, what it had, else the first free one; '' if all are
    taken.
    """
    if host is not None and host.spec.pod_cidr:
        return host.spec.pod_cidr
    return slices.of(name) or slices.first_free(settings)


def choose_address(subnet: str, taken: Collection[str], *, after: str = "") -> str | None:
    """A free pod address in `subnet`, or None when it is full.

    The search starts behind `after` (the address given out last), so that an address rests before it is used again:
    stale connections and caches must not meet another pod.
    """
    network = ipaddress.ip_network(subnet)
    first = int(network.network_address) + _RESERVED_AT_START
    last = int(network.broadcast_address) - 1
    used = {int(ipaddress.ip_address(address)) for address in taken}
    start = int(ipaddress.ip_address(after)) + 1 if after else first
    start = start if first <= start <= last else first
    for number in _around(start, first, last):
        if number not in used:
            return str(ipaddress.ip_address(number))
    return None


def _around(start: int, first: int, last: int) -> Iterable[int]:
    yield from range(start, last + 1)
    yield from range(first, start)
