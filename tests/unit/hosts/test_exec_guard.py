"""Commands of probes that hang: no second one beside them, and what is killed where root may."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any

import pytest

from differ.kubelet.probes.checks import ExecCheck
from differ.kubelet.probes.probing import Answer
from hosts.probes.exec_check import check_exec
from hosts.probes.exec_guard import LastExec, kill_script
from hosts.streams.coroutines import Clock, Stream, run_waiting
from hosts.streams.pods import NoAnswer
from objects.errors import DeadlineExceeded, EngineError
from tests.unit.hosts.peers import await_condition

CHECK = ExecCheck(command=("check",))


class Execs:
    """An engine that knows commands only. hang: those that are started now do not end. refuses: starts none."""

    def __init__(self) -> None:
        self.running: dict[str, bool] = {}
        self.started = 0
        self.hang = False
        self.refuses = False

    def refusal(self, status: int, body: bytes) -> EngineError:
        return EngineError(body.decode(), status=status, host="h")

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """None: the answer ends with the command."""
        if path.endswith("/exec"):
            exec_id = f"e{len(self.running)}"
            self.running[exec_id] = False
            return 201, {"Id": exec_id}
        exec_id = path.split("/")[3]
        if exec_id not in self.running:
            return 404, {"message": "no such exec"}
        if method == "GET":
            is_running = self.running[exec_id]
            return 200, {"Running": is_running, "ExitCode": None if is_running else 0}
        if self.refuses:
            return 400, {"message": "no such file"}
        self.started += 1
        self.running[exec_id] = self.hang
        return None if self.hang and not body["Detach"] else (200, {})


class Request:
    """A stream for one request."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._said = b""

    async def send(self, block: bytes) -> None:
        head, _, content = block.partition(b"\r\n\r\n")
        method, path, _ = head.decode().split(" ", 2)
        answer = self._route.engine.answer(method, path, json.loads(content or b"{}"))
        if answer is not None:
            said = json.dumps(answer[1]).encode()
            self._said = b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%b" % (answer[0], len(said), said)
        self._hangs = answer is None

    async def receive(self) -> bytes:
        self._route.check_time()
        if self._hangs:
            time.sleep(self._route.timeout_seconds)
            self._route.check_time()
        said, self._said = self._said, b""
        return said

    def close(self) -> None:
        pass


class Route:
    """Waits, as `WaitingRoute`."""

    clock: Clock = time.monotonic

    def __init__(self, engine: Execs, *, timeout_seconds: float = 0.3) -> None:
        self.engine = engine
        self.timeout_seconds = timeout_seconds
        self._ends = time.monotonic() + timeout_seconds

    def check_time(self) -> None:
        if time.monotonic() > self._ends:
            raise DeadlineExceeded("too late", host="h")

    def api_path(self, path: str) -> str:
        return f"/v1.41{path}"

    async def to_engine(self) -> Stream:
        return Request(self)

    async def to_pod(self, address: str, port: int) -> Stream:
        raise NotImplementedError

    def give_back(self, stream: Stream) -> None:
        pass


def ask(engine: Execs, last: LastExec, *, passed_before: bool = False) -> Answer:
    route = Route(engine)
    try:
        return run_waiting(check_exec(route, last, CHECK, passed_before=passed_before), route.clock)  # type: ignore[arg-type]
    except NoAnswer as failure:
        return Answer(False, str(failure))


@pytest.mark.parametrize("passed_before", [False, True])
def test_a_command_that_hangs_is_not_joined_by_another_one(passed_before: bool) -> None:
    engine, last = Execs(), LastExec("c")
    assert (ask(engine, last, passed_before=passed_before), last.exec_id) == (Answer(True), "")
    engine.hang = True
    assert ask(engine, last, passed_before=passed_before) == Answer(False, "command timed out after 0.3 s")
    for _ in range(3):
        assert ask(engine, last) == Answer(False, "the command of an earlier probe still runs")
    assert (engine.started, list(engine.running.values()).count(True)) == (2, 1)
    engine.hang = False
    engine.running[last.exec_id] = False
    assert (ask(engine, last), engine.started, last.exec_id) == (Answer(True), 3, "")


def test_a_command_that_the_engine_forgot_keeps_nobody_waiting() -> None:
    engine, last = Execs(), LastExec("c")
    last.exec_id = "before-a-restart"
    assert (ask(engine, last), engine.started) == (Answer(True), 1)


def test_a_command_that_was_not_started_is_not_asked_for() -> None:
    engine, last = Execs(), LastExec("c")
    engine.refuses = True
    with pytest.raises(EngineError):
        ask(engine, last)
    assert last.exec_id == ""


@pytest.mark.parametrize(
    ("container", "is_killed"),
    [
        pytest.param("/", True, id="of-the-container"),  # what is in every line of /proc/…/cgroup
        pytest.param("5fa8b1e8c9", False, id="a-number-that-is-another-process-by-now"),
    ],
)
def test_what_is_killed(container: str, is_killed: bool) -> None:
    begun = subprocess.Popen(
        ["sh", "-c", "sleep 97 & echo $!; sleep 98"], stdout=subprocess.PIPE, start_new_session=True
    )
    other = subprocess.Popen(["sleep", "99"])
    try:
        assert begun.stdout is not None
        child = int(begun.stdout.readline())
        subprocess.run(["sh", "-c", kill_script(begun.pid, container)], check=True, timeout=10)
        if is_killed:
            assert begun.wait(timeout=10) == -signal.SIGKILL
            await_condition(lambda: not _runs(child), "what it started has ended")
        assert (begun.poll() is None, _runs(child), other.poll()) == (not is_killed, not is_killed, None)
    finally:
        for process in (begun, other):
            process.kill() if process is other else _kill_session(process)
            process.wait()
        assert begun.stdout is not None
        begun.stdout.close()


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
