"""A host gets another worker when the way to it changes, and the two never speak or act at the same time."""

from __future__ import annotations

import base64
import random
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest

from hosts.simulated.host import SimulatedHost
from hosts.ssh.target import SshTarget
from objects.api.core import Namespace
from objects.api.meta import KubeObject, ObjectMeta
from objects.defaults import default
from objects.observation.host import HostObservation
from objects.own.config import (
    Cluster,
    ClusterSpec,
    Host,
    HostSpec,
    SshSettings,
)
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.process.daemon import Daemon, connection_of
from reconciler.state.messages import Desired

WAIT_SECONDS = 10.0
KEY = "ssh-ed25519 " + base64.b64encode((11).to_bytes(4, "big") + b"ssh-ed25519" + b"x" * 36).decode()


def host(name: str, **spec: object) -> Host:
    return Host(metadata=ObjectMeta(name=name), spec=HostSpec(**{"address": "192.0.2.1", "host_key": KEY, **spec}))  # type: ignore[arg-type]


PLAIN, JUMP = host("web", jump="gate"), host("gate", address="192.0.2.9")


@pytest.mark.parametrize(
    ("hosts", "settings", "is_same"),
    [
        pytest.param((PLAIN, JUMP), SshSettings(), True, id="nothing"),
        pytest.param((host("web", jump="gate", port=23), JUMP), SshSettings(), False, id="its own port"),
        pytest.param((host("web", jump="gate", docker_socket="/x"), JUMP), SshSettings(), False, id="its socket"),
        pytest.param((host("web", jump="gate", max_pods=7), JUMP), SshSettings(), True, id="how many pods it takes"),
        pytest.param((PLAIN, host("gate", address="192.0.2.8")), SshSettings(), False, id="address of its jump host"),
        pytest.param((PLAIN, host("gate", address="192.0.2.9", user="x")), SshSettings(), False, id="user of that"),
        pytest.param((PLAIN, JUMP), SshSettings(user="deploy"), False, id="the cluster's user"),
        pytest.param((PLAIN, JUMP), SshSettings(keepalive_seconds=5), False, id="the cluster's keepalive"),
        pytest.param((PLAIN,), SshSettings(), False, id="its jump host is gone"),
    ],
)
def test_what_a_connection_depends_on(hosts: tuple[Host, ...], settings: SshSettings, is_same: bool) -> None:
    before = connection_of(PLAIN, {"web": PLAIN, "gate": JUMP}, ClusterSpec())
    after = connection_of(hosts[0], {one.name: one for one in hosts}, ClusterSpec(ssh=settings))
    assert (before == after) == is_same


class Slow(SimulatedHost):
    """Its looks wait while `may_look` is not set."""

    def __init__(self, name: str, calls: list[str]) -> None:
        super().__init__(name, clock=lambda: datetime.now(UTC), images=["web:v1"])
        self.calls = calls
        self.may_look = threading.Event()
        self.may_look.set()

    def observe(self) -> HostObservation:
        self.calls.append(f"look {id(self)}")
        assert self.may_look.wait(WAIT_SECONDS)
        self.calls.append(f"end {id(self)}")
        return super().observe()


class Running:
    """A daemon whose hosts are simulated."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.made: list[Slow] = []
        self.retained: list[set[str]] = []
        engine = Engine(CONTROLLERS, source=random.Random(1))
        self.daemon = Daemon(engine, make_runtime=self.make, clock=lambda: datetime.now(UTC), retain=self.retain)

    def make(self, host: Host, _: Engine) -> Slow:
        self.made.append(Slow(host.name, self.calls))
        return self.made[-1]

    def retain(self, targets: Iterable[SshTarget]) -> None:
        self.retained.append({target.address for target in targets})

    def tell(self, *objects: KubeObject) -> None:
        shown = (Cluster(), Namespace(metadata=ObjectMeta(name="default")), *objects)
        self.daemon.tell(Desired(commit=str(len(self.made)), objects=tuple(default(obj) for obj in shown)))

    def until(self, is_so: Callable[[], bool]) -> None:
        ends = time.monotonic() + WAIT_SECONDS
        while not is_so():
            assert time.monotonic() < ends
            self.daemon.run_once(timeout_seconds=0.05)


def test_a_successor_begins_when_nothing_of_the_earlier_one_goes_on_and_its_link_is_closed() -> None:
    running = Running()
    try:
        running.tell(host("web"))
        running.until(lambda: running.daemon.engine.is_started)
        first = running.made[0]
        first.may_look.clear()
        running.daemon.wake_host("web")
        running.until(lambda: running.calls[-1] == f"look {id(first)}")
        running.tell(host("web", address="192.0.2.2"))
        running.until(lambda: len(running.made) == 2)
        time.sleep(0.3)
        running.daemon.run_once(timeout_seconds=0)
        assert running.calls[-1] == f"look {id(first)}", "the successor waits for the last call of the earlier one"
        assert running.retained == []
        first.may_look.set()
        running.until(lambda: running.calls[-1] == f"end {id(running.made[1])}")
        running.until(lambda: running.retained == [{"192.0.2.2"}])
        running.tell()
        running.until(lambda: running.retained[-1] == set())
    finally:
        for one in running.made:
            one.may_look.set()
        running.daemon.stop()


def test_a_removed_host_that_comes_back_is_looked_at() -> None:
    running = Running()
    try:
        running.tell(host("web"))
        running.until(lambda: running.daemon.engine.is_started)
        running.tell()
        running.until(lambda: running.retained != [])
        running.tell(host("web"))
        running.until(lambda: len(running.made) == 2 and running.calls[-1] == f"end {id(running.made[1])}")
    finally:
        running.daemon.stop()
