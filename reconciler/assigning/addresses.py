"""Addresses: which slice of the pod network a host gets, and which address a pod gets in it. Pure.

A slice belongs to a host for good (containers have it in their settings); an address belongs to a pod until its
containers are gone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from objects.own.config import Host, NetworkSettings
from reconciler.assigning.slices import SliceBook

_RESERVED_AT_START = 2
"""Network address and the bridge's own (the gateway)."""


class Slice(NamedTuple):
    """subnet: '' when the host gets none; reason (CamelCase) and message then say why. Both may be said of a host that
    keeps what it has.
    """

    subnet: str
    reason: str = ""
    message: str = ""


def slice_for_host(
    host: Host | None,
    name: str,
    has: str,
    settings: NetworkSettings,
    slices: SliceBook,
    *,
    is_in_use: Callable[[str], bool],
) -> Slice:
    """The slice of a host: the one on it, else what its Host says, what it had before, or the first free one.

    has: what is on the host, or was given to it by this process; that stays, whatever its Host says by now.
    is_in_use: whether another host, by name, has its slice really and not only in `slices` as a wish. Two hosts never
    share addresses: the later one gets nothing and says why.
    """
    chosen = host.spec.pod_cidr if host is not None else ""
    subnet = has or chosen or slices.of(name) or slices.first_free(settings)
    if not subnet:
        size = f"/{settings.host_prefix}"
        message = (
            f"all slices ({size}) of the pod network {settings.pod_cidr} are taken by other hosts: "
            f"give the Host a podCIDR of its own outside of it, or take hosts out that are not used any more"
        )
        return Slice("", "NoFreePodCIDR", message)
    other = next((one for one in slices.touching(subnet, but=name) if is_in_use(one)), "")
    if other:
        message = f"podCIDR {subnet} overlaps with {slices.of(other)} of host {other}: choose another one"
        return Slice("", "PodCIDRConflict", message)
    if chosen and ipaddress.ip_network(chosen, strict=False) != ipaddress.ip_network(subnet, strict=False):
        message = (
            f"spec.podCIDR says {chosen}, and the host has {subnet}, which its containers have in their settings: it "
            "keeps that; to change it take the Host out of Git, remove its network, and add it again"
        )
        return Slice(subnet, "PodCIDRChanged", message)
    return Slice(subnet)


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
