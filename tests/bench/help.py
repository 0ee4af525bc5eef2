"""`berth --help` from a cold process to its end: what a person waits for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from tests.bench.case import Settings, main
from tests.bench.figures import Figure
from tests.lab.berth_process import REPOSITORY, berth_argv

MOST_SECONDS = 0.25
TRIES = 15


def run(settings: Settings) -> Sequence[Figure]:
    """The best of several: what the program needs, without what else the machine does."""
    tries = 5 if settings.is_quick else TRIES
    return [
        _best("help: berth --help", ["--help"], tries, most=MOST_SECONDS),
        _best("help: berth get --help", ["get", "--help"], tries),
        _best("help: berth plan --help", ["plan", "--help"], tries),
    ]


def _best(name: str, arguments: Sequence[str], tries: int, *, most: float | None = None) -> Figure:
    samples = [_seconds(berth_argv(*arguments)) for _ in range(tries)]
    return Figure(name, min(samples), "s", most, samples=tuple(samples))


def _seconds(argv: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, timeout=60, cwd=REPOSITORY)
    return time.perf_counter() - began


if __name__ == "__main__":
    main("help", run)
