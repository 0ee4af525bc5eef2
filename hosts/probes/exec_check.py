"""A command in a container as a probe or hook: passes with exit code 0.

Requests by hand (`engine_raw`), because probes are many. To hear what a command says takes a stream of its own and
somebody who is woken for each piece: a probe that passed before runs unheard, and once more if it fails, to hear why.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from differ.kubelet.probes.checks import ExecCheck
from differ.kubelet.probes.probing import Answer
from hosts.probes.exec_guard import NOT_FOUND, LastExec
from hosts.streams.coroutines import pause
from hosts.streams.engine_requests import ask_engine, follow_engine
from hosts.streams.pods import NoAnswer
from hosts.streams.routes import Route
from objects.errors import DeadlineExceeded, EngineError, HostError

MAX_OUTPUT_BYTES = 10 * 1024
"""As much of what a command says as Kubernetes looks at."""
MAX_MESSAGE_CHARS = 1024
EXIT_CODE_SECONDS = 0.02
"""Between two looks for the exit code: Docker sometimes notes it just after the command's output has ended."""

UNHEARD_SECONDS = (0.1, 0.5)
"""Between two looks for the exit code of a command that runs unheard: the sooner within these, the more others are up
for something at that time."""
LAST_SECONDS = 0.1
"""Before the deadline looks come close together: who ends in time shall not fail for our being late."""

_FRAME_HEADER = struct.Struct(">BxxxL")


async def check_exec(route: Route, last: LastExec, check: ExecCheck, *, passed_before: bool = False) -> Answer:
    """Run the command to its end. Raises NoAnswer when it takes too long, HostError when it could not be run.

    last: begun before, for the same container; while that still runs, nothing is begun and NoAnswer raised.
    """
    try:
        if last.exec_id and await _still_runs(route, last):
            raise NoAnswer("the command of an earlier probe still runs")
        code = await _run_unheard(route, last, check) if passed_before else None
        if code is None:
            return await _run(route, last, check)
    except DeadlineExceeded as error:
        raise NoAnswer(f"command timed out after {route.timeout_seconds:g} s") from error
    if code == 0:
        return Answer(True)
    with suppress(HostError):  # that it failed is known; what it says is worth a try
        again = await _run(route, last, check)
        if not again.passes:
            return again
    return Answer(False, _exited(code))


async def _run(route: Route, last: LastExec, check: ExecCheck) -> Answer:
    """Listen to it until its end. Raises DeadlineExceeded, HostError."""
    wanted = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(check.command)}
    exec_id = await _create(route, last, wanted)
    start = {"Detach": False, "Tty": False}
    try:
        said = await follow_engine(route, "POST", f"/exec/{exec_id}/start", start, most_bytes=MAX_OUTPUT_BYTES)
    except EngineError:
        last.exec_id = ""  # refused: nothing runs
        raise
    while (code := await _exit_code(route, exec_id)) is None:
        await pause(route.clock, EXIT_CODE_SECONDS)
    last.exec_id = ""
    return Answer(True) if code == 0 else Answer(False, read_output(said)[:MAX_MESSAGE_CHARS] or _exited(code))


async def _run_unheard(route: Route, last: LastExec, check: ExecCheck) -> int | None:
    """Its exit code; None when the engine would not start it. Raises DeadlineExceeded, HostError."""
    ends = route.clock() + route.timeout_seconds
    exec_id = await _create(route, last, {"Cmd": check.command})
    try:
        await ask_engine(route, "POST", f"/exec/{exec_id}/start", {"Detach": True})
    except EngineError:
        return None
    code = None
    while code is None:
        left = ends - route.clock() - LAST_SECONDS
        soonest, latest = (min(seconds, left) for seconds in UNHEARD_SECONDS)
        await pause(route.clock, max(soonest, EXIT_CODE_SECONDS), most_seconds=latest)
        code = await _exit_code(route, exec_id)
    last.exec_id = ""
    return code


async def _create(route: Route, last: LastExec, wanted: Mapping[str, Any]) -> str:
    """Its id. It counts as begun before it is, since the answer to its start may be lost. Raises HostError."""
    made = await ask_engine(route, "POST", f"/containers/{last.container_id}/exec", wanted)
    last.exec_id = str(made["Id"])
    return last.exec_id


async def _still_runs(route: Route, last: LastExec) -> bool:
    """Whether what was begun before has not ended. Raises HostError."""
    try:
        is_running = bool((await ask_engine(route, "GET", f"/exec/{last.exec_id}/json")).get("Running"))
    except EngineError as error:
        if error.status != NOT_FOUND:
            raise
        is_running = False  # the engine forgot it, or the container is gone
    if not is_running:
        last.exec_id = ""
    return is_running


async def _exit_code(route: Route, exec_id: str) -> int | None:
    """None while it runs."""
    code = (await ask_engine(route, "GET", f"/exec/{exec_id}/json"))["ExitCode"]
    return None if code is None else int(code)


def _exited(code: int) -> str:
    return f"command exited with code {code}"


def read_output(stream: bytes) -> str:
    """What a command said, both outputs as they came, out of Docker's frames; a cut one at the end counts. Pure."""
    said, rest = bytearray(), stream
    while len(rest) >= _FRAME_HEADER.size:
        _, size = _FRAME_HEADER.unpack_from(rest)
        said += rest[_FRAME_HEADER.size : _FRAME_HEADER.size + size]
        rest = rest[_FRAME_HEADER.size + size :]
    return said.decode(errors="replace").strip()
