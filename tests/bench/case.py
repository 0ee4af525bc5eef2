"""How a case is started: its arguments, its output, its results on disk. Every case is a process of its own.

So the memory that it reports is its own, and one that fails takes no other with it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import docker.errors

from tests.bench.figures import Figure, as_document, table
from tests.lab.host import LabHost
from tests.lab.lab import Lab, in_parallel, take_down
from tests.lab.names import LabNames
from tests.lab.network import has_bridge

DEFAULT_LAB = "bench"
RESULTS = Path("bench-results")


@dataclass(frozen=True)
class Settings:
    """is_quick: fewer repetitions, for a look. rounds: how often each contender runs, interleaved with the others.

    hosts: how many, for the case of many hosts; 0 is its own number.
    """

    is_quick: bool = False
    rounds: int = 3
    lab: str = DEFAULT_LAB
    seconds: float = 60.0
    hosts: int = 0

    def say(self, line: str) -> None:
        """Progress, for the person who waits."""
        print(f"  {line}", flush=True)


Run = Callable[[Settings], Sequence[Figure]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What every case takes."""
    parser.add_argument("--quick", action="store_true", help="one repetition each: a look, no measurement")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each contender (default 3)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long an idle daemon is watched (default 60)")
    parser.add_argument("--hosts", type=int, default=0, help="of the case many_hosts (default 1,000; quick 100)")
    parser.add_argument("--lab", default=os.environ.get("BERTH_BENCH_LAB", DEFAULT_LAB), help="name of the lab to use")


def settings_of(arguments: argparse.Namespace) -> Settings:
    rounds = 1 if arguments.quick else max(1, arguments.rounds)
    seconds = min(10.0, arguments.seconds) if arguments.quick else arguments.seconds
    return Settings(arguments.quick, rounds, arguments.lab, seconds, arguments.hosts)


def as_arguments(settings: Settings) -> list[str]:
    """The same settings as words of a command line."""
    words = ["--rounds", str(settings.rounds), "--seconds", str(settings.seconds), "--lab", settings.lab]
    words += ["--hosts", str(settings.hosts)]
    return [*words, *(["--quick"] if settings.is_quick else [])]


def main(name: str, run: Run) -> None:
    """Entry point of the case `name`: measure, print the table, write `bench-results/NAME.json`."""
    parser = argparse.ArgumentParser(prog=f"python -m tests.bench.{name}")
    add_arguments(parser)
    settings = settings_of(parser.parse_args())
    end_on_sigterm()
    figures = run(settings)
    write_results(name, figures)
    print(table(figures))
    sys.exit(any(figure.verdict == "MISSED" for figure in figures))


def end_on_sigterm() -> None:
    """As an exception, so that whatever was begun is taken back: daemons, a swarm, the lab."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def write_results(name: str, figures: Sequence[Figure]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps([as_document(figure) for figure in figures], indent=2) + "\n")
    return path


@contextmanager
def bench_lab(settings: Settings) -> Iterator[tuple[Lab, Path]]:
    """The lab, clean, and a folder for this case. A lab that was not up before is taken down afterwards."""
    was_up = has_bridge(LabNames(settings.lab))
    lab = Lab.up(settings.lab)
    try:
        _clean(lab)
        with TemporaryDirectory(prefix="berth-bench-") as home:
            yield lab, Path(home)
        _clean(lab)
    finally:
        lab.close()
        if not was_up:
            take_down(settings.lab)


def _clean(lab: Lab) -> None:
    """Engines of 20.10 sometimes lose count of a network's endpoints and do not let it go until they start again."""
    try:
        lab.clean()
    except docker.errors.APIError:
        in_parallel(LabHost.reboot, lab.hosts)
        lab.clean()
