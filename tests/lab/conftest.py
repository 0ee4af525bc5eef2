"""The lab as fixtures. `BERTH_LAB` names the lab to use; one that was up before stays up afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import network
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab, take_down
from tests.lab.names import LabNames
from tests.lab.state import locked

# Not the default of `berth lab up`: tests remove everything that runs in their lab.
TEST_LAB = "test"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Three plain hosts, a Git remote and a registry, shared by all tests of the session."""
    name = os.environ.get("BERTH_LAB", TEST_LAB)
    with locked(f"{name}.tests"):
        was_up = network.has_bridge(LabNames(name))
        running = Lab.up(name)
        yield running
        running.close()
        if not was_up:
            take_down(name)


@pytest.fixture(scope="module", autouse=True)
def _clean_lab(request: pytest.FixtureRequest) -> None:
    """Each module that uses the lab starts with a clean one."""
    module_items = [item for item in request.session.items if item.getparent(pytest.Module) is request.node]
    if any("lab" in getattr(item, "fixturenames", ()) for item in module_items):
        request.getfixturevalue("lab").clean()


@pytest.fixture
def extra_host(lab: Lab) -> Iterator[Callable[[HostSpec], LabHost]]:
    """Adds a host of your own making for this one test: `host = extra_host(HostSpec("small", disk_bytes=...))`."""
    added: list[str] = []

    def add(spec: HostSpec) -> LabHost:
        added.append(spec.name)
        return lab.add_host(spec)

    yield add
    for name in reversed(added):
        if name in lab.machines:
            lab.remove_host(name)
