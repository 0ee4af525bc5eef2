"""Addresses: which slice of the pod network a host gets, and which address a pod gets in it. Pure.

A slice belongs to a host for good (containers have it in their settings); an address belongs to a pod until its
containers are gone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping

from objects.config import Host, NetworkSettings
from reconciler.host_status import HostStatus
from reconciler.store import View

_RESERVED_AT_START = 2
"""Network address and the bridge's own (the gateway)."""


def slice_for_host(view: View, name: str, settings: NetworkSettings, before: Mapping[str, str]) -> str:
    """A slice for a host that has none on it: what its Host says, what it had, else the first free one; '' if all are
    taken.

    before: host → slice, as an earlier process left them; those of other hosts stay theirs.
    """
    host = view.get(Host, "", name)
    if host is not None and host.spec.pod_cidr:
        return host.spec.pod_cidr
    taken = {status.pod_subnet for status in view.all_of(HostStatus) if status.pod_subnet}
    taken |= {subnet for other, subnet in before.items() if other != name}
    return before.get(name, "") or choose_subnet(settings, taken) or ""


def choose_subnet(settings: NetworkSettings, taken: Collection[str]) -> str | None:
    """The first free slice of `settings.pod_cidr`, or None when all are taken.

    taken: slices in use, also ones that a person chose by hand and that need not be aligned with ours.
    """
    pool = ipaddress.ip_network(settings.pod_cidr)
    left = set(taken)
    others: list[ipaddress.IPv4Network | ipaddress.IPv6Network] | None = None
    for candidate in pool.subnets(new_prefix=max(settings.host_prefix, pool.prefixlen)):
        text = str(candidate)
        # Ours are given out from the start and passed by their text: comparing every pair of networks for every host
        # takes minutes with 1,000 hosts. What is left then is beyond a gap, or was chosen by hand.
        if text in left:
            left.remove(text)
            continue
        if others is None:
            others = [ipaddress.ip_network(subnet) for subnet in left]
        if not any(candidate.overlaps(other) for other in others):
            return text
    return None


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
