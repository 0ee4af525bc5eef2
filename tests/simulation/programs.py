"""What the images of a simulated world do when they run."""

from __future__ import annotations

from hosts.simulated.engine import Program
from objects.names import LABEL_ROLE
from objects.observation.host import ObservedContainer

SERVERS = ("app:v1", "app:v2", "app:v3", "app:slow", "app:stubborn")
"""Run until they are told to end; what a good commit uses."""
BROKEN = ("app:crash", "app:late-crash", "app:gone", "app:unstartable")
"""What a bad commit uses."""
UNPULLABLE = ("app:gone",)
SIDECAR = "proxy:v1"
INIT = "init:good"
WORK = "work:good"
FAILING_WORK = "work:bad"
FLAKY_WORK = "work:flaky"
PRESENT = ("app:v1", "app:v2", SIDECAR, WORK)
"""On every host from the beginning; the others have to be pulled."""

_PROGRAMS = {
    "app:slow": Program(stop_seconds=3.0),
    "app:stubborn": Program(stop_seconds=None),
    "app:crash": Program(run_seconds=1.0, exit_code=1),
    "app:late-crash": Program(run_seconds=20.0, out_of_memory=True),
    "app:unstartable": Program(start_error='exec: "serve": executable file not found'),
    INIT: Program(run_seconds=0.3),
    WORK: Program(run_seconds=3.0),
    FAILING_WORK: Program(run_seconds=0.5, exit_code=3),
}


def program_of(container: ObservedContainer, run: int) -> Program:
    """`hosts.simulated.engine.Programs`: by image; a sandbox, and whatever is not in the table, runs for ever."""
    if container.labels.get(LABEL_ROLE) == "sandbox":
        return Program()
    if container.image == FLAKY_WORK:
        return Program(run_seconds=1.0, exit_code=1 if run == 0 else 0)
    return _PROGRAMS.get(container.image, Program())
