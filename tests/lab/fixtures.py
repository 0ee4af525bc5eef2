"""The lab as pytest fixtures, for every folder of tests (registered in `tests/conftest.py`).

`BERTH_LAB` names the lab to use; one that was up before stays up afterwards. Each worker of a parallel run has a lab of
its own, `BERTH_LAB`-N. Without root or without its programs the
fixture fails and says so: a test that was skipped where it should run would look like one that passed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.lab.host import LabHost
    from tests.lab.hostspec import HostSpec
    from tests.lab.lab import Lab

# Not the default of `berth lab up`: tests remove everything that runs in their lab.
TEST_LAB = "test"


LONGEST_FIRST = (
    *("test_charge", "test_sync", "test_eviction", "test_lab", "test_kept", "test_hpa", "test_runtime_lab"),
    *("test_verbs", "test_cli_lab", "test_kill", "test_faults", "test_refused_hosts_lab", "test_contract"),
    *("test_node_loss", "test_workloads", "test_drift", "test_bad_commits", "test_other_hosts", "test_health"),
    *("test_plan_lab", "test_engine_link", "test_crash_loops_lab", "test_words_lab"),
)
"""Modules on real hosts that take most of a minute or more, in their order: the last one of a run is waited for.

What a run says at its end tells when this is out of date.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    folders = (here, here.parent / "contract")

    def place(item: pytest.Item) -> int:
        on_hosts = any(item.path.is_relative_to(folder) for folder in folders)
        return places.get(item.path.stem, len(places)) if on_hosts else len(places)

    items.sort(key=place)
    for item in items:
        if item.path.is_relative_to(here) or _uses_lab(item):
            item.add_marker(pytest.mark.lab)


_ON_HOSTS = ("tests/lab/", "tests/contract/")
SLOW_SECONDS = 20.0
"""A module on real hosts that takes longer says so at the end of the run."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The time of each slow module on real hosts, its lab's coming up included, the longest first."""
    seconds: dict[str, float] = {}
    for report in (each for found in terminalreporter.stats.values() for each in found):
        module = report.nodeid.split("::")[0] if isinstance(report, pytest.TestReport) else ""
        if module.startswith(_ON_HOSTS):
            seconds[module] = seconds.get(module, 0.0) + report.duration
    slow = sorted(((taken, module) for module, taken in seconds.items() if taken >= SLOW_SECONDS), reverse=True)
    if slow:
        terminalreporter.section("seconds of slow modules")
        for taken, module in slow:
            terminalreporter.line(f"{taken:7.0f}  {module}")


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Three hosts with three versions of Docker Engine, a Git remote and a registry; shared by all of the session."""
    # Imported here: this module is loaded for unit tests too, which shall not wait for the Docker SDK.
    from tests.lab.hostspec import mixed_hosts
    from tests.lab.names import worker_lab

    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    with lab_of_tests(worker_lab(os.environ.get("BERTH_LAB", TEST_LAB), worker), mixed_hosts()) as running:
        yield running


@contextmanager
def lab_of_tests(name: str, hosts: Sequence[HostSpec]) -> Iterator[Lab]:
    """The lab of this name with these hosts, for one run of tests at a time.

    It is ended afterwards, unless a person had it up before (`python -m tests.lab up`). What a killed run has left is
    healed, and ended too.
    """
    from tests.lab import network
    from tests.lab.lab import Lab, take_down
    from tests.lab.names import LabNames
    from tests.lab.state import locked

    names = LabNames(name)
    with locked(f"{name}.tests"):
        is_of_a_person = network.has_bridge(names) and not names.made_by_tests.exists()
        if not is_of_a_person:
            names.state.mkdir(parents=True, exist_ok=True)
            names.made_by_tests.touch()
        running = Lab.up(name, hosts)
        yield running
        running.close()
        if not is_of_a_person:
            take_down(name)


@pytest.fixture(scope="module", autouse=True)
def _clean_lab(request: pytest.FixtureRequest) -> None:
    """Each module that uses the lab starts with a clean one."""
    module_items = [item for item in request.session.items if item.getparent(pytest.Module) is request.node]
    if any(_uses_lab(item) for item in module_items):
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


def _uses_lab(item: pytest.Item) -> bool:
    """Whether it asks for the lab itself, or has a parameter whose fixture does (marked so: `tests/contract`)."""
    call = getattr(item, "callspec", None)
    if call is not None and any(mark.name == "lab" for mark in call.marks):
        return True
    return "lab" in getattr(item, "fixturenames", ()) and (call is None or "lab" not in call.params)
