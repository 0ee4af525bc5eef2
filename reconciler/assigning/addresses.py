"""Addresses: which slice of the pod network a host gets, and which address a pod gets in it. Pure.

A slice belongs to a host for good (containers have it in their settings); an address belongs to a pod until its
containers are gone.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from objects.own.config import Host, NetworkSettings
from reconciler.assigning.slices import SliceBook
from reconciler.state.host_status import GIVEN_AWAY
from reconciler.state.pod_state import holds_address

_RESERVED_AT_START = 2
"""Network address and the bridge's own (the gateway)."""


class AddressBook:
    """Which addresses pods hold on which host, and which one each host gave out last; told of every write of a pod."""

    def __init__(self) -> None:
        self._held: dict[str, dict[ObjectKey, str]] = {}
        self._last: dict[str, str] = {}

    def observe(self, old: Pod | None, new: Pod | None) -> None:
        """To be told of the same write twice does no harm."""
        before = old.spec.node_name if old is not None and old.status.pod_ip else ""
        after = new.spec.node_name if new is not None and new.status.pod_ip and holds_address(new) else ""
        if old is not None and before and before != after:
            held = self._held.get(before, {})
            held.pop(old.key, None)
            if not held:
                self._held.pop(before, None)
        if new is not None and after and (before != after or old is None or old.status.pod_ip != new.status.pod_ip):
            self._held.setdefault(after, {})[new.key] = new.status.pod_ip

    def taken_on(self, host: str) -> set[str]:
        """The addresses that nobody else may get there."""
        return set(self._held.get(host, {}).values())

    def last_on(self, host: str) -> str:
        """What the host gave out last; '' for nothing."""
        return self._last.get(host, "")

    def give(self, host: str, address: str) -> None:
        self._last[host] = address


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
    found: str,
    settings: NetworkSettings,
    slices: SliceBook,
    *,
    is_in_use: Callable[[str], bool],
    is_seen: Callable[[str], bool] = lambda _: True,
    given: str = "",
    has_pods: bool = True,
) -> Slice:
    """The slice of a host: the one on it, else what its Host says, what it had before, or the first free one.

    found: what is on the host; given: what it got from this process. That stays, whatever its Host says by now.
    is_in_use: whether another host, by name, has its slice really and not only in `slices` as a wish; is_seen: whether
    this process has seen that host. Two hosts never share addresses: the later one gets nothing and says why. But a
    network that an earlier membership left on a host without pods of that network (has_pods) binds nobody: when its
    slice has been given to another since, the host gets a new one. While there are such pods, they have addresses of
    another host: GIVEN_AWAY, which ends them.
    """

    def holder_of(subnet: str) -> str:
        """Another host that has the slice, or a part of it."""
        return next((one for one in slices.touching(subnet, but=name) if is_in_use(one)), "")

    chosen = host.spec.pod_cidr if host is not None else ""
    has, before = found or given, slices.of(name)
    if found and (given not in ("", found) or not has_pods) and holder_of(found):
        has, before = ("" if one == found else one for one in (given, before))
    subnet = has or chosen or before or slices.first_free(settings)
    if not subnet:
        size = f"/{settings.host_prefix}"
        message = (
            f"all slices ({size}) of the pod network {settings.pod_cidr} are taken by other hosts: "
            f"give the Host a podCIDR of its own outside of it, or take hosts out that are not used any more"
        )
        return Slice("", "NoFreePodCIDR", message)
    if other := holder_of(subnet):
        what = f"podCIDR {subnet} overlaps with {slices.of(other)} of host {other}"
        is_kept = has_pods and found == subnet != chosen
        if is_kept and is_seen(other):
            message = f"{what}, which got it while this host was away: pods that have addresses of it here are ended,"
            return Slice("", GIVEN_AWAY, f"{message} then the host gets another one")
        remedy = "containers of its pods have it in their settings: remove them" if is_kept else "choose another one"
        return Slice("", "PodCIDRConflict", f"{what}: {remedy}")
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
    stale connections and caches must not meet another pod. taken: of IPv4, as they are written everywhere.
    """
    first, last = _range_of(subnet)
    # An IPv4 address has one spelling: texts are compared, since a host has many addresses and each pod asks.
    is_long = ":" in subnet
    used = {_canonical(address) for address in taken} if is_long else taken
    start = _number_of(after) + 1 if after else first
    start = start if first <= start <= last else first
    for number in _around(start, first, last):
        address = str(ipaddress.IPv6Address(number)) if is_long else _text_of(number)
        if address not in used:
            return address
    return None


@functools.lru_cache(maxsize=8192)
def _range_of(subnet: str) -> tuple[int, int]:
    """The first and the last number that a pod may have in a subnet."""
    address, _, length = subnet.partition("/")
    free_bits = (128 if ":" in address else 32) - int(length)
    network = _number_of(address) >> free_bits << free_bits
    return network + _RESERVED_AT_START, network + (1 << free_bits) - 2


def _number_of(address: str) -> int:
    if ":" in address:
        return int(ipaddress.ip_address(address))
    first, second, third, fourth = address.split(".")
    return (int(first) << 24) + (int(second) << 16) + (int(third) << 8) + int(fourth)


def _text_of(number: int) -> str:
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _canonical(address: str) -> str:
    return str(ipaddress.ip_address(address))


def _around(start: int, first: int, last: int) -> Iterable[int]:
    yield from range(start, last + 1)
    yield from range(first, start)
