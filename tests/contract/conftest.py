"""The world fixture: every test here runs in both worlds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.world import Kubelet, SimulatedWorld, World, docker_world


@pytest.fixture(params=["simulated", pytest.param("docker", marks=pytest.mark.lab)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "simulated":
        yield SimulatedWorld()
        return
    host = request.getfixturevalue("lab").hosts[0]
    with docker_world(host) as real:
        yield real


@pytest.fixture
def kubelet(world: World) -> Kubelet:
    return Kubelet(world)
