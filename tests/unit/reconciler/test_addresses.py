"""Slices of hosts and addresses of pods."""

import pytest

from objects.config import NetworkSettings
from reconciler.addresses import choose_address
from reconciler.slices import SliceBook

NETWORK = NetworkSettings(pod_cidr="10.1.0.0/22", host_prefix=24)


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        pytest.param([], "10.1.0.0/24", id="the first"),
        pytest.param(["10.1.0.0/24", "10.1.2.0/24"], "10.1.1.0/24", id="a gap is filled"),
        pytest.param(["10.1.0.128/25"], "10.1.1.0/24", id="a slice chosen by hand blocks what it touches"),
        pytest.param(["10.1.0.0/23"], "10.1.2.0/24", id="one that is as wide as two blocks two"),
        pytest.param(["10.2.0.0/24", "fd00::/64"], "10.1.0.0/24", id="one from elsewhere blocks nothing"),
        pytest.param([f"10.1.{n}.0/24" for n in range(4)], "", id="all taken"),
        pytest.param(["10.0.0.0/8"], "", id="one that holds the whole pool"),
    ],
)
def test_the_first_free_slice(taken, chosen):
    book = SliceBook()
    for number, subnet in enumerate(taken):
        book.take(f"h{number}", subnet)
    assert book.first_free(NETWORK) == chosen


def test_a_slice_is_free_again_when_nobody_has_it_any_more():
    book = SliceBook()
    assert book.first_free(NETWORK) == "10.1.0.0/24"
    for host in ("a", "b"):
        book.take(host, "10.1.0.0/24")
    book.take("c", "10.1.1.0/24")
    assert book.first_free(NETWORK) == "10.1.2.0/24"
    book.take("a", "")
    assert book.first_free(NETWORK) == "10.1.2.0/24"
    book.take("b", "10.1.3.0/24")
    assert book.first_free(NETWORK) == "10.1.0.0/24"
    assert book.first_free(NetworkSettings(pod_cidr="10.1.0.0/22", host_prefix=23)) == ""


def test_a_slice_that_is_remembered_stays_its_hosts():
    book = SliceBook()
    book.remember({"a": "10.1.0.0/24", "b": "10.1.1.0/24"})
    assert (book.of("a"), book.first_free(NETWORK)) == ("10.1.0.0/24", "10.1.2.0/24")
    book.take("a", "10.1.0.0/24")
    book.take("a", "")
    assert (book.of("a"), book.first_free(NETWORK)) == ("10.1.0.0/24", "10.1.2.0/24")
    assert (book.copy().of("a"), book.copy().first_free(NETWORK)) == ("10.1.0.0/24", "10.1.2.0/24")


@pytest.mark.parametrize(
    ("taken", "after", "chosen"),
    [
        pytest.param([], "", "10.1.0.2", id="behind network and gateway"),
        pytest.param(["10.1.0.2"], "", "10.1.0.3", id="the next free"),
        pytest.param([], "10.1.0.4", "10.1.0.5", id="an address rests before it is used again"),
        pytest.param(["10.1.0.6"], "10.1.0.5", "10.1.0.2", id="around the end, never the broadcast address"),
        pytest.param([f"10.1.0.{n}" for n in range(2, 7)], "", None, id="full"),
        pytest.param([], "10.9.9.9", "10.1.0.2", id="after an address of another slice"),
    ],
)
def test_choose_address(taken, after, chosen):
    assert choose_address("10.1.0.0/29", taken, after=after) == chosen
