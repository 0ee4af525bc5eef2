"""Which slices touch which: the answer of the index beside that of comparing all with all."""

from __future__ import annotations

import ipaddress
import random
import sys

import pytest

from reconciler.assigning.slices import SliceBook


def by_comparing_all(slices: dict[str, str], subnet: str, but: str) -> list[str]:
    network = ipaddress.ip_network(subnet, strict=False)
    others = {host: ipaddress.ip_network(other, strict=False) for host, other in slices.items()}
    return sorted(
        host
        for host, other in others.items()
        if host != but and other.version == network.version and other.overlaps(network)
    )


def some_network(source: random.Random) -> str:
    if source.random() < 0.1:
        return f"fd00::{source.randrange(4)}:0/{source.choice((96, 112, 128))}"
    number, prefix = source.randrange(2**12), source.choice((16, 22, 24, 24, 24, 26, 32))
    return f"{ipaddress.ip_address((10 << 24) + (number << 6))}/{prefix}"


@pytest.mark.parametrize("seed", range(20))
def test_as_comparing_all_with_all_would_say(seed: int) -> None:
    source, book, slices = random.Random(seed), SliceBook(), dict[str, str]()
    for _ in range(80):
        host = f"h{source.randrange(25)}"
        subnet = "" if source.random() < 0.2 else some_network(source)
        book.take(host, subnet)
        slices.pop(host, None)
        if subnet:
            slices[host] = subnet
        asked = some_network(source)
        for one in (book, book.copy()):
            assert one.touching(asked, but=host) == by_comparing_all(slices, asked, host)


def test_a_host_more_costs_the_same_beside_five_thousand() -> None:
    book = SliceBook()
    for number in range(5000):
        book.take(f"h{number}", f"10.{number // 256}.{number % 256}.0/24")
    calls: list[str] = []
    sys.setprofile(lambda _frame, event, _what: calls.append(event))
    try:
        found = book.touching("10.3.4.0/24", but="")
    finally:
        sys.setprofile(None)
    assert found == ["h772"]
    assert len(calls) < 200
