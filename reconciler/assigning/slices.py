"""Which host has which slice of the pod network, and the first one that is free. Owned by the engine.

A slice belongs to its host for good, so it is kept also for a host that only an earlier process knew. What a person
chose by hand (`Host.spec.podCIDR`) need not be aligned with the slices that are given out here, and blocks all that it
touches. Whoever joins costs the same whether there are three hosts or five thousand.
"""

from __future__ import annotations

import bisect
import functools
import ipaddress
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from objects.own.config import NetworkSettings

_Range = tuple[int, int]
"""First and last number of slices of the pool: the slice at the pool's start is number 0."""


class _Span(NamedTuple):
    """A network as numbers. last: the number of its last address."""

    version: int
    first: int
    last: int


class SliceBook:
    """What is taken, told by `take`; `first_free` says what a host may get."""

    def __init__(self) -> None:
        self._of_host: dict[str, str] = {}
        self._remembered: dict[str, str] = {}
        # Hosts by what they have, the same in order, and how many of each size (last - first) there are.
        self._hosts_at: dict[_Span, set[str]] = {}
        self._in_order: list[_Span] = []
        self._sizes: Counter[int] = Counter()
        self._layout: tuple[str, int] | None = None
        self._pool = ipaddress.ip_network("0.0.0.0/0")
        self._size = 0
        self._total = 0
        # By number, how many hosts have it: one slice may have been given out twice by hand.
        self._taken: dict[int, int] = {}
        self._wide: dict[_Range, int] = {}
        self._next = 0

    def remember(self, slices: Mapping[str, str]) -> None:
        """Host → slice, as an earlier process left them: theirs until they are seen with another one."""
        self._remembered = {host: subnet for host, subnet in slices.items() if subnet}
        for host, subnet in self._remembered.items():
            if host not in self._of_host:
                self._set(host, subnet)

    def take(self, host: str, subnet: str) -> None:
        """What a host has now; '' for a host that is gone, or has none: what is remembered of it stays its own."""
        self._set(host, subnet or self._remembered.get(host, ""))

    def of(self, host: str) -> str:
        """The slice of a host, '' when it has none."""
        return self._of_host.get(host, "")

    def reserve(self, host: str, subnet: str) -> None:
        """What a person chose for a host that has none yet: nobody else gets it meanwhile."""
        if host not in self._of_host:
            self._remembered[host] = subnet
            self._set(host, subnet)

    def touching(self, subnet: str, *, but: str) -> list[str]:
        """Other hosts whose slices overlap with `subnet`."""
        span = _span_of(subnet)
        found = {host for other in self._spans_touching(span) for host in self._hosts_at[other]}
        return sorted(found - {but})

    def _spans_touching(self, span: _Span) -> list[_Span]:
        """Networks never overlap by halves: what touches begins inside, or is larger and begins where its size says."""
        begin = bisect.bisect_left(self._in_order, _Span(span.version, span.first, -1))
        end = bisect.bisect_left(self._in_order, _Span(span.version, span.last + 1, -1))
        found = self._in_order[begin:end]
        for size in self._sizes:
            first = span.first & ~size
            larger = _Span(span.version, first, first + size)
            if first < span.first and larger.last >= span.last and larger in self._hosts_at:
                found.append(larger)
        return found

    def first_free(self, settings: NetworkSettings) -> str:
        """The first slice that nobody has or touches; '' when all are taken."""
        if self._layout != (settings.pod_cidr, settings.host_prefix):
            self._lay_out(settings)
        number = self._next
        while number < self._total:
            end = max((last for first, last in self._wide if first <= number <= last), default=None)
            if end is None and number not in self._taken:
                break
            number = number + 1 if end is None else end + 1
        self._next = number
        if number >= self._total:
            return ""
        address = int(self._pool.network_address) + number * self._size
        bits = self._pool.max_prefixlen - (self._size.bit_length() - 1)
        return f"{ipaddress.ip_address(address)}/{bits}"

    def copy(self) -> SliceBook:
        twin = SliceBook()
        twin._remembered = dict(self._remembered)
        for host, subnet in self._of_host.items():
            twin._set(host, subnet)
        return twin

    def _set(self, host: str, subnet: str) -> None:
        before = self._of_host.get(host, "")
        if before == subnet:
            return
        if before:
            del self._of_host[host]
            self._count(before, -1)
            self._leave(host, _span_of(before))
        if subnet:
            self._of_host[host] = subnet
            self._count(subnet, 1)
            self._enter(host, _span_of(subnet))

    def _enter(self, host: str, span: _Span) -> None:
        if span not in self._hosts_at:
            self._hosts_at[span] = set()
            bisect.insort(self._in_order, span)
            self._sizes[span.last - span.first] += 1
        self._hosts_at[span].add(host)

    def _leave(self, host: str, span: _Span) -> None:
        self._hosts_at[span].discard(host)
        if self._hosts_at[span]:
            return
        del self._hosts_at[span]
        del self._in_order[bisect.bisect_left(self._in_order, span)]
        self._sizes[span.last - span.first] -= 1
        if not self._sizes[span.last - span.first]:
            del self._sizes[span.last - span.first]

    def _lay_out(self, settings: NetworkSettings) -> None:
        """Number the slices of another pool."""
        self._layout = (settings.pod_cidr, settings.host_prefix)
        self._pool = ipaddress.ip_network(settings.pod_cidr)
        prefix = max(settings.host_prefix, self._pool.prefixlen)
        self._size = 1 << (self._pool.max_prefixlen - prefix)
        self._total = 1 << (prefix - self._pool.prefixlen)
        self._taken, self._wide, self._next = {}, {}, 0
        for subnet in self._of_host.values():
            self._count(subnet, 1)

    def _count(self, subnet: str, delta: int) -> None:
        numbers = self._numbers_of(subnet)
        if numbers is None:
            return
        first, last = numbers
        if first == last:
            self._taken[first] = self._taken.get(first, 0) + delta
            if not self._taken[first]:
                del self._taken[first]
        else:
            self._wide[numbers] = self._wide.get(numbers, 0) + delta
            if not self._wide[numbers]:
                del self._wide[numbers]
        if delta < 0:
            self._next = min(self._next, first)

    def _numbers_of(self, subnet: str) -> _Range | None:
        """The slices that a network touches; None when it lies outside of the pool, or there is no pool yet."""
        span = _span_of(subnet)
        if not self._size or span.version != self._pool.version:
            return None
        start = int(self._pool.network_address)
        first = (span.first - start) // self._size
        last = (span.last - start) // self._size
        return (max(first, 0), min(last, self._total - 1)) if last >= 0 and first < self._total else None


@functools.lru_cache(maxsize=16384)
def _span_of(subnet: str) -> _Span:
    network = ipaddress.ip_network(subnet, strict=False)
    return _Span(network.version, int(network.network_address), int(network.broadcast_address))
