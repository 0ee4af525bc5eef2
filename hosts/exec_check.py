"""A command in a container as a probe or hook: passes with exit code 0.

Three requests by hand (`engine_raw`), because probes are many: an id, what the command says, its exit code.
"""

from __future__ import annotations

import struct

from differ.checks import ExecCheck
from differ.probing import Answer
from hosts.engine_raw import ask_engine, follow_engine
from hosts.flow import pause
from hosts.pod_stream import NoAnswer
from hosts.ways import Way
from objects.errors import DeadlineExceeded

MAX_OUTPUT_BYTES = 10 * 1024
"""As much of what a command says as Kubernetes looks at."""
MAX_MESSAGE_CHARS = 1024
EXIT_CODE_SECONDS = 0.02
"""Between two looks for the exit code: Docker sometimes notes it just after the command's output has ended."""

_FRAME_HEADER = struct.Struct(">BxxxL")


async def check_exec(way: Way, container_id: str, check: ExecCheck) -> Answer:
    """Run the command to its end. Raises NoAnswer when it takes too long (it goes on inside the container: Docker has
    no way to end it), HostError when it could not be run.
    """
    try:
        wanted = {"AttachStdout": True, "AttachStderr": True, "Cmd": list(check.command)}
        exec_id = str((await ask_engine(way, "POST", f"/containers/{container_id}/exec", wanted))["Id"])
        start = {"Detach": False, "Tty": False}
        said = await follow_engine(way, "POST", f"/exec/{exec_id}/start", start, most_bytes=MAX_OUTPUT_BYTES)
        code = await _exit_code(way, exec_id)
    except DeadlineExceeded as error:
        raise NoAnswer(f"command timed out after {way.timeout_seconds:g} s") from error
    if code == 0:
        return Answer(True)
    return Answer(False, read_output(said)[:MAX_MESSAGE_CHARS] or f"command exited with code {code}")


async def _exit_code(way: Way, exec_id: str) -> int:
    while (code := (await ask_engine(way, "GET", f"/exec/{exec_id}/json"))["ExitCode"]) is None:
        await pause(way.clock, EXIT_CODE_SECONDS)
    return int(code)


def read_output(stream: bytes) -> str:
    """What a command said, both outputs as they came, out of Docker's frames; a cut one at the end counts. Pure."""
    said, rest = bytearray(), stream
    while len(rest) >= _FRAME_HEADER.size:
        _, size = _FRAME_HEADER.unpack_from(rest)
        said += rest[_FRAME_HEADER.size : _FRAME_HEADER.size + size]
        rest = rest[_FRAME_HEADER.size + size :]
    return said.decode(errors="replace").strip()
