"""Events of an engine over a real sshd: read without a thread of their own, and whom they wake."""

from __future__ import annotations

import getpass
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hosts.docker.engine import Engine
from hosts.runtime.docker_runtime import DockerRuntime
from hosts.ssh.links import SshLinks
from objects.errors import HostError
from objects.names import LABEL_MANAGED, LABEL_POD_UID
from tests.bench.many_hosts import recorded_engines
from tests.bench.recorded_engine import socket_path
from tests.unit.hosts.peers import LocalSshd, await_condition


class Watched:
    """A runtime that is watched, and what it called."""

    def __init__(self, sshd: LocalSshd, folder: Path) -> None:
        self.links = SshLinks(clock=time.monotonic, random=random.Random(1))
        target = replace(sshd.target(), keepalive_seconds=2, connect_timeout_seconds=20)
        self.engine = Engine(self.links.link(target), socket_path=str(socket_path(folder, 0)))
        self.runtime = DockerRuntime(self.engine, random=random.Random(1))
        self.woken, self.woken_later = 0, 0
        self.runtime.watch(self._wake, self._wake_later)

    def _wake(self) -> None:
        self.woken += 1

    def _wake_later(self) -> None:
        self.woken_later += 1

    def follow(self) -> None:
        """Look, and wait until events are followed."""
        before = self.woken
        self.runtime.observe()
        await_condition(lambda: self.woken > before, "events are not followed")

    def make(self, name: str, **labels: str) -> None:
        body = {"Image": "web:v1", "Labels": labels, "HostConfig": {}}
        api = self.engine.api
        api.check(api.post(api.versioned("/containers/create"), params={"name": name}, json=body, timeout=10))

    def close(self) -> None:
        self.runtime.close()
        self.links.close()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSshd]:
    peer = LocalSshd(tmp_path_factory.mktemp("sshd"), getpass.getuser())
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def watch(sshd: LocalSshd, tmp_path: Path) -> Iterator[Callable[[], Watched]]:
    opened: list[Watched] = []

    def watch() -> Watched:
        opened.append(Watched(sshd, tmp_path))
        return opened[-1]

    yield watch
    for one in opened:
        one.close()


def test_what_is_ours_wakes_at_once_what_is_others_later_and_no_thread_waits(
    watch: Callable[[], Watched], tmp_path: Path
) -> None:
    with recorded_engines(tmp_path, 1):
        host = watch()
        host.follow()
        host.runtime.observe()
        woken = host.woken
        for number in range(5):
            host.make(f"somebody-elses-{number}", of="ci")
        await_condition(lambda: host.woken_later >= 5, "others' containers wake nobody")
        assert host.woken == woken
        host.make("ours", **{LABEL_MANAGED: "true", LABEL_POD_UID: "u"})
        await_condition(lambda: host.woken > woken, "ours does not wake")
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("events")]
        assert len(host.runtime.observe().containers) == 6


def test_events_are_followed_again_when_the_engine_is_back(watch: Callable[[], Watched], tmp_path: Path) -> None:
    with recorded_engines(tmp_path, 1):
        host = watch()
        host.follow()
        woken = host.woken
    await_condition(lambda: host.woken > woken, "the loss of events does not wake")
    with pytest.raises(HostError):
        host.runtime.observe()
    socket_path(tmp_path, 0).unlink()
    with recorded_engines(tmp_path, 1):

        def is_followed() -> bool:
            host.runtime.observe()  # as the worker does when it is woken
            before = host.woken
            host.make(f"ours-{before}-{time.monotonic_ns()}", **{LABEL_MANAGED: "true", LABEL_POD_UID: "u"})
            time.sleep(0.1)
            return host.woken > before

        await_condition(is_followed, "events are not followed again")


def test_an_engine_that_comes_back_with_other_settings_is_known_by_them_at_once(
    watch: Callable[[], Watched], tmp_path: Path
) -> None:
    with recorded_engines(tmp_path, 1, SecurityOptions=["name=userns"]):
        host = watch()
        host.follow()
        assert host.runtime.observe().facts.traits.security_options == ("userns",)
        woken = host.woken
    await_condition(lambda: host.woken > woken, "the loss of events does not wake")
    socket_path(tmp_path, 0).unlink()
    with recorded_engines(tmp_path, 1, SecurityOptions=["name=seccomp"]):
        assert host.runtime.observe().facts.traits.security_options == ("seccomp",)


def test_nothing_is_followed_after_the_end(watch: Callable[[], Watched], tmp_path: Path) -> None:
    with recorded_engines(tmp_path, 1):
        host = watch()
        host.follow()
        host.runtime.close()
        woken = host.woken
    time.sleep(0.3)
    assert host.woken == woken
