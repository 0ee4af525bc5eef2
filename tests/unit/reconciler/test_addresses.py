"""Slices of hosts and addresses of pods."""

import pytest

from objects.config import NetworkSettings
from reconciler.addresses import choose_address, choose_subnet

NETWORK = NetworkSettings(pod_cidr="10.1.0.0/22", host_prefix=24)


@pytest.mark.parametrize(
    ("taken", "chosen"),
    [
        pytest.param([], "10.1.0.0/24", id="the first"),
        pytest.param(["10.1.0.0/24", "10.1.2.0/24"], "10.1.1.0/24", id="a gap is filled"),
        pytest.param(["10.1.0.128/25"], "10.1.1.0/24", id="a slice chosen by hand blocks what it touches"),
        pytest.param([f"10.1.{n}.0/24" for n in range(4)], None, id="all taken"),
    ],
)
def test_choose_subnet(taken, chosen):
    assert choose_subnet(NETWORK, taken) == chosen


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
