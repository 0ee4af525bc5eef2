"""A command in a container as a probe or hook: passes with exit code 0. Raw calls to the engine, because they are many.

Three requests by hand cost a fifth of what the SDK's cost; the answers needed of them are an id and an exit code.
"""

from __future__ import annotations

from differ.probing import Answer
from hosts.engine import Engine
from hosts.engine_stream import run_exec
from hosts.pod_stream import NoAnswer
from objects.errors import DeadlineExceeded

MAX_MESSAGE = 1024


def check_exec(engine: Engine, container_id: str, command: tuple[str, ...], *, timeout_seconds: float) -> Answer:
    """Raises NoAnswer when it takes too long, HostError when it could not be run."""
    try:
        result = run_exec(engine, container_id, command, timeout_seconds=timeout_seconds)
    except DeadlineExceeded as error:
        raise NoAnswer(f"command timed out after {timeout_seconds:g} s") from error
    if result.exit_code == 0:
        return Answer(True)
    said = (result.stdout + result.stderr).decode(errors="replace").strip()[:MAX_MESSAGE]
    return Answer(False, said or f"command exited with code {result.exit_code}")
