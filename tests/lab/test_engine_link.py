"""Docker over the SSH link against real engines: many calls at once, streams, faults, sshds without forwarding."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from hosts.docker.engine import SDK_API_VERSION, Engine
from hosts.docker.events import ContainerEvent, EventStream
from hosts.docker.streams import (
    STDERR,
    STDOUT,
    follow_lines,
    run_exec,
    start_exec,
)
from hosts.runtime.docker_runtime import DockerRuntime
from hosts.ssh.commands import CommandResult
from hosts.ssh.shell import LastingShell
from objects.errors import (
    DeadlineExceeded,
    EngineError,
    EngineUnavailable,
    HostError,
    HostUnreachable,
)
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab
from tests.lab.links import engine_of
from tests.lab.processes import wait_until

AddHost = Callable[[HostSpec], LabHost]


def answers(engine: Engine) -> bool:
    try:
        engine.ping(timeout_seconds=30)
    except HostError:
        return False
    return True


def recovers(engine: Engine) -> None:
    wait_until(lambda: answers(engine), what="the engine does not come back", timeout_seconds=25)


@contextmanager
def container(engine: Engine, name: str, script: str) -> Iterator[str]:
    """A running container of our own making."""
    made = engine.api.create_container("busybox", ["sh", "-c", script], name=name)
    try:
        engine.api.start(made["Id"])
        yield made["Id"]
    finally:
        engine.api.remove_container(made["Id"], force=True)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def test_the_newest_common_api_version(lab: Lab) -> None:
    spoken = {}
    for host in lab.hosts:
        with engine_of(host) as engine:
            newest = str(host.api().version()["ApiVersion"])
            assert engine.api.api_version == min(newest, SDK_API_VERSION, key=_numbers)
            spoken[host.spec.engine] = newest
    assert spoken["20.10"] == "1.41"
    assert _numbers(spoken["28"]) > _numbers(SDK_API_VERSION)


def test_hundred_calls_at_once(lab: Lab) -> None:
    host = lab.hosts[0]
    together = threading.Barrier(100)

    def call(engine: Engine) -> str:
        together.wait(timeout=30)
        return str(engine.api.version()["Version"])

    with engine_of(host) as engine, ThreadPoolExecutor(100) as threads:
        engine.ping(timeout_seconds=10)
        versions = [future.result() for future in [threads.submit(call, engine) for _ in range(100)]]
        assert versions == [host.api().version()["Version"]] * 100
        assert engine.open_streams <= 16
        assert engine.link.state.connected
        assert engine.link.connection_number == 1


def test_thousand_calls_leave_nothing_open(lab: Lab) -> None:
    with engine_of(lab.hosts[0]) as engine:
        engine.ping(timeout_seconds=10)
        before = (sum(1 for _ in Path("/proc/self/fd").iterdir()), threading.active_count())
        for _ in range(500):
            engine.api.containers()
            with pytest.raises(EngineError):
                engine.api.inspect_container("no-such-container")
        after = (sum(1 for _ in Path("/proc/self/fd").iterdir()), threading.active_count())
        assert (after, engine.open_streams, engine.link.channel_count) == (before, 1, 1)


def test_twenty_event_streams_beside_calls(lab: Lab) -> None:
    with engine_of(lab.hosts[0]) as engine:
        streams = [follow_lines(engine, "/events", {}) for _ in range(20)]
        seen: list[bytes] = []
        readers = [threading.Thread(target=lambda s=stream: seen.append(next(iter(s)))) for stream in streams]
        for reader in readers:
            reader.start()
        with container(engine, "streams", "sleep 1000"):
            for reader in readers:
                reader.join(timeout=10)
        assert len(seen) == 20
        for stream in streams:
            stream.close()
        wait_until(lambda: engine.open_streams <= 16, what="streams stay open", timeout_seconds=5)


def test_an_engine_exchanged_for_an_older_one_is_asked_again(lab: Lab) -> None:
    with engine_of(lab.hosts[0]) as engine:
        agreed = engine.api.api_version
        engine.api._version = "1.99"  # as agreed on with an engine that was newer
        with pytest.raises(EngineError, match="too new"):
            engine.api.containers()
        engine.api.containers()
        assert engine.api.api_version == agreed


def test_even_a_pull_has_a_deadline(lab: Lab) -> None:
    lab.registry.host.cut()
    try:
        with engine_of(lab.hosts[0]) as engine:
            api = engine.api  # connecting has a deadline of its own, and takes its time on a busy machine
            with engine.deadline(0.3), pytest.raises(DeadlineExceeded):
                api.pull(f"{lab.registry.host.address}:5000/web", tag="v1")
    finally:
        lab.registry.host.restore()


def test_errors_of_the_engine_are_named(lab: Lab) -> None:
    with engine_of(lab.hosts[0]) as engine:
        with pytest.raises(EngineError) as missing:
            engine.api.inspect_container("nobody")
        assert (missing.value.status, str(missing.value)) == (404, "host host-1: No such container: nobody")
        with container(engine, "twice", "sleep 1000"), pytest.raises(EngineError) as conflict:
            engine.api.create_container("busybox", name="twice")
        assert conflict.value.status == 409


def test_a_followed_log_ends_when_closed_by_another_thread(lab: Lab) -> None:
    with (
        engine_of(lab.hosts[0]) as engine,
        container(engine, "talker", "while :; do echo tick; sleep 0.05; done") as id_,
    ):
        log = engine.api.logs(id_, stream=True, follow=True)
        lines: list[bytes] = []
        reader = threading.Thread(target=lambda: lines.extend(log))
        reader.start()
        wait_until(lambda: len(lines) > 0, what="no line comes", timeout_seconds=10)
        log.close()
        reader.join(timeout=5)
        assert not reader.is_alive()
        assert set(lines) == {b"tick\n"}


def test_commands_inside_a_container(lab: Lab) -> None:
    with engine_of(lab.hosts[0]) as engine, container(engine, "inside", "sleep 1000") as id_:
        # Often: what a quick command says arrives in one piece with the head of the answer.
        for _ in range(20):
            result = run_exec(engine, id_, ["sh", "-c", "echo out; echo err >&2; exit 4"], timeout_seconds=10)
            assert result == CommandResult(4, b"out\n", b"err\n")
        with pytest.raises(DeadlineExceeded, match="a command took longer than"):
            run_exec(engine, id_, ["sleep", "1000"], timeout_seconds=2)
        with pytest.raises(EngineError) as caught:
            run_exec(engine, "nobody", ["true"], timeout_seconds=10)
        assert caught.value.status == 404


@pytest.mark.parametrize(
    ("tty", "end", "expected"),
    [
        pytest.param(False, b"", [(STDOUT, b"hello\n"), (STDERR, b"done\n")], id="pipes"),
        pytest.param(True, b"\x04", [(STDOUT, b"hello\r\nhello\r\ndone\r\n")], id="terminal"),
    ],
)
def test_input_to_a_command_inside_a_container(
    lab: Lab, tty: bool, end: bytes, expected: list[tuple[int, bytes]]
) -> None:
    with engine_of(lab.hosts[0]) as engine, container(engine, "input", "sleep 1000") as id_:
        session = start_exec(engine, id_, ["sh", "-c", "cat; echo done >&2"], tty=tty, with_input=True)
        session.wait_at_most(10)
        session.send(b"hello\n")
        frames = session.frames()
        got = [next(frames)]
        if end:
            session.send(end)
        else:
            session.end_input()
        got += frames
        joined = [(n, b"".join(block for m, block in got if m == n)) for n in sorted({n for n, _ in got})]
        assert joined == expected
        assert session.exit_code() == 0
        session.close()


def test_a_paused_engine_is_unavailable_while_its_host_is_reachable(lab: Lab) -> None:
    host = lab.hosts[1]
    with engine_of(host) as engine:
        engine.ping(timeout_seconds=10)
        host.pause_engine()
        try:
            with pytest.raises(EngineUnavailable):
                engine.ping(timeout_seconds=0.5)
            with engine.deadline(0.5), pytest.raises(DeadlineExceeded):
                engine.api.containers()
            assert engine.link.run("echo fine", timeout_seconds=30).stdout == b"fine\n"
        finally:
            host.resume_engine()
        assert answers(engine)


def test_a_killed_engine_is_unavailable_until_it_is_back(lab: Lab) -> None:
    host = lab.hosts[1]
    with engine_of(host) as engine:
        engine.ping(timeout_seconds=10)
        host.kill_engine()
        try:
            with pytest.raises(EngineUnavailable):
                engine.ping(timeout_seconds=30)
            with pytest.raises(EngineUnavailable):
                engine.api.containers()
        finally:
            host.start_engine()
        recovers(engine)
        assert engine.link.connection_number == 1


def test_a_new_link_to_a_host_whose_engine_is_down_says_so(lab: Lab) -> None:
    host = lab.hosts[1]
    host.stop_engine()
    try:
        with engine_of(host) as engine:
            with pytest.raises(EngineUnavailable) as caught:
                engine.ping(timeout_seconds=10)
            assert caught.value.message.startswith("Docker Engine does not answer: ")
            host.start_engine()
            recovers(engine)
    finally:
        host.start_engine()


def test_calls_to_a_cut_host_end_in_time_and_work_again_afterwards(lab: Lab) -> None:
    host = lab.hosts[1]
    with engine_of(host) as engine, ThreadPoolExecutor(8) as threads:
        engine.ping(timeout_seconds=10)
        host.cut()
        try:
            calls = [threads.submit(engine.api.containers) for _ in range(8)]
            # Their own deadline is a minute; the silence of the host ends them long before.
            assert [type(call.exception(timeout=20)) for call in calls] == [HostUnreachable] * 8
        finally:
            host.restore()
        recovers(engine)
        assert engine.link.connection_number == 2


def test_where_sshd_forbids_forwarding_the_docker_command_serves(lab: Lab, extra_host: AddHost) -> None:
    host = extra_host(HostSpec("strict", user="deploy", stream_local_forwarding=False))
    with engine_of(host) as engine, ThreadPoolExecutor(40) as threads:
        versions = [future.result() for future in [threads.submit(engine.api.version) for _ in range(40)]]
        assert [version["Version"] for version in versions] == [host.api().version()["Version"]] * 40
        assert engine.open_streams <= 8
        assert engine.link.run("echo a free session", timeout_seconds=10).is_success
        with container(engine, "dialled", "sleep 1000") as id_:
            result = run_exec(engine, id_, ["echo", "hello"], timeout_seconds=10)
            assert result == CommandResult(0, b"hello\n", b"")
        host.kill_engine()
        with pytest.raises(EngineUnavailable):
            engine.ping(timeout_seconds=10)
        host.start_engine()
        recovers(engine)


@pytest.mark.parametrize("most", [pytest.param(10, id="as-usual"), pytest.param(4, id="few")])
def test_streams_commands_and_a_shell_share_the_sessions_that_sshd_allows(
    lab: Lab, extra_host: AddHost, most: int
) -> None:
    lines = (f"MaxSessions {most}",)
    spec = HostSpec("narrow", user="deploy", stream_local_forwarding=False, tcp_forwarding=False, sshd_lines=lines)
    host = extra_host(spec)
    with engine_of(host) as engine, ThreadPoolExecutor(40) as threads:
        events = follow_lines(engine, "/events", {})
        shell = LastingShell(engine.link)
        commands = [threads.submit(engine.link.run, "echo done", timeout_seconds=40) for _ in range(12)]
        calls = [threads.submit(engine.api.version) for _ in range(20)]
        questions = [threads.submit(shell.ask, "echo asked", timeout_seconds=40) for _ in range(4)]
        assert [command.result().stdout for command in commands] == [b"done\n"] * 12
        assert len({call.result()["Version"] for call in calls}) == 1
        assert [question.result() for question in questions] == ["asked\n"] * 4
        transport = engine.link.living
        assert transport is not None
        assert transport.sessions.in_use <= 10
        events.close()
        shell.close()
        assert engine.link.connection_number == 1


def test_an_engine_that_comes_up_is_reached_without_processes(lab: Lab) -> None:
    """A refusal at that moment says nothing about what sshd forwards."""
    host = lab.hosts[1]
    with engine_of(host) as engine:
        engine.link.run("true", timeout_seconds=10)
        engine.streams._dialer._learn(False)  # as after such a refusal
        assert not engine.is_forwarded

        def is_forwarded() -> bool:
            threads = [engine.api.events(decode=True)]  # takes a stream out of the pool, so that the next opens one
            engine.ping(timeout_seconds=10)
            for stream in threads:
                stream.close()
            return engine.is_forwarded

        wait_until(is_forwarded, what="the link stays with dial-stdio", timeout_seconds=20)


def test_a_user_outside_the_docker_group_is_told_what_to_do(lab: Lab, extra_host: AddHost) -> None:
    host = extra_host(HostSpec("closed", user="deploy"))
    host.exec(["gpasswd", "-d", "deploy", "docker"])
    with engine_of(host) as engine, pytest.raises(EngineUnavailable) as caught:
        engine.ping(timeout_seconds=10)
    assert caught.value.message == "user 'deploy' may not use /var/run/docker.sock"
    assert caught.value.hint == "`usermod -aG docker deploy` on the host"


def test_facts_are_what_the_host_says(lab: Lab) -> None:
    host = lab.hosts[0]
    with engine_of(host) as engine:
        runtime = DockerRuntime(engine, random=Random(1))
        facts = runtime.observe().facts
        info, version = host.api().info(), host.api().version()
        assert (facts.hostname, facts.cpus, facts.memory_bytes) == ("host-1", info["NCPU"], info["MemTotal"])
        assert (facts.architecture, facts.kernel_version) == (version["Arch"], info["KernelVersion"])
        assert (facts.engine_version, facts.api_version) == (version["Version"], version["ApiVersion"])
        assert str(facts.cgroup_version) == info["CgroupVersion"]
        size = host.exec(["df", "-B1", "--output=size", "/var/lib/docker"]).stdout.split()[-1]
        assert facts.disk_bytes == int(size)
        assert 0 < facts.disk_free_bytes < facts.disk_bytes
        assert 0 < facts.memory_available_bytes < facts.memory_bytes
        assert len(facts.boot_id) == 36
        tags = {name for image in facts.images for name in image.names}
        assert "busybox:latest" in tags
        again = runtime.observe().facts
        assert (again.images, again.boot_id) == (facts.images, facts.boot_id)


class Recorder:
    """What an event stream told, in order."""

    def __init__(self, engine: Engine) -> None:
        self.told: list[ContainerEvent | str] = []
        self.stream = EventStream(
            engine,
            on_event=self.told.append,
            on_gap=lambda: self.told.append("gap"),
            on_lost=lambda error: self.told.append(error.reason),
            random=Random(3),
        )

    def actions(self, name: str) -> list[str]:
        return [told.action for told in self.told if isinstance(told, ContainerEvent) and told.name == name]

    def await_told(self, wanted: str, times: int) -> None:
        wait_until(lambda: self.told.count(wanted) >= times, what=f"no {times}th {wanted}", timeout_seconds=25)


@pytest.fixture
def recorded(lab: Lab) -> Iterator[tuple[LabHost, Engine, Recorder]]:
    with engine_of(lab.hosts[2]) as engine:
        recorder = Recorder(engine)
        recorder.stream.start()
        recorder.await_told("gap", 1)
        yield lab.hosts[2], engine, recorder
        recorder.stream.stop()


def test_events_come_as_they_happen(recorded: tuple[LabHost, Engine, Recorder]) -> None:
    _, engine, recorder = recorded
    with container(engine, "short", "exit 3"):
        wait_until(lambda: "die" in recorder.actions("short"), what="no event of the end", timeout_seconds=10)
    wait_until(lambda: "destroy" in recorder.actions("short"), what="no event of the removal", timeout_seconds=10)
    assert recorder.actions("short") == ["create", "start", "die", "destroy"]
    died = next(told for told in recorder.told if isinstance(told, ContainerEvent) and told.action == "die")
    assert (died.exit_code, died.image, died.labels) == (3, "busybox", {})


def test_events_during_a_cut_come_afterwards(recorded: tuple[LabHost, Engine, Recorder]) -> None:
    host, engine, recorder = recorded
    with container(engine, "before", "sleep 1000"):
        wait_until(lambda: recorder.actions("before") == ["create", "start"], what="no events", timeout_seconds=10)
        host.cut()
        try:
            host.docker("kill", "before")
            recorder.await_told("HostUnreachable", 1)
        finally:
            host.restore()
        recorder.await_told("gap", 2)
        wait_until(lambda: "die" in recorder.actions("before"), what="the event is lost", timeout_seconds=10)
        assert recorder.actions("before") == ["create", "start", "die"]


def test_a_restarted_engine_is_a_gap(recorded: tuple[LabHost, Engine, Recorder]) -> None:
    host, engine, recorder = recorded
    host.restart_engine()
    recorder.await_told("gap", 2)
    with container(engine, "later", "sleep 1000"):
        wait_until(lambda: "start" in recorder.actions("later"), what="no events any more", timeout_seconds=10)
