"""Runs the cases one after another, each in a process of its own, and ends with one table.

    python -m tests.bench [--case push --case heal] [--quick] [--rounds 5]

Exit code 1 when a goal is missed or a case fails. Results are in `bench-results/`, one file a case.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.bench.case import RESULTS, Settings, add_arguments, as_arguments, end_on_sigterm, settings_of
from tests.bench.figures import Figure, from_document, table
from tests.lab.lab import Lab, take_down
from tests.lab.names import LabNames
from tests.lab.network import has_bridge

CASES = {
    "help": "tests.bench.help",
    "manifests": "tests.bench.manifests",
    "years": "tests.bench.years",
    "converged": "tests.bench.converged",
    "scheduling": "tests.bench.scheduling_case",
    "scale": "tests.bench.scale",
    "engine_cost": "tests.bench.engine_cost",
    "many_hosts": "tests.bench.many_hosts",
    "look": "tests.bench.look",
    "push": "tests.bench.push",
    "rollout": "tests.bench.rollout",
    "ordered": "tests.bench.ordered",
    "job": "tests.bench.job",
    "heal": "tests.bench.heal",
    "node_loss": "tests.bench.node_loss",
    "idle": "tests.bench.idle",
    "probes": "tests.bench.probes",
}
WITHOUT_HOSTS = {"help", "manifests", "years", "converged", "scheduling", "scale", "engine_cost", "many_hosts", "look"}


CASE_SECONDS = 1800
CLEAN_SECONDS = 120


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="How fast, beside what one would use.")
    parser.add_argument("--case", choices=[*CASES], action="append", help="only this one (may be repeated)")
    add_arguments(parser)
    arguments = parser.parse_args()
    settings = settings_of(arguments)
    names = arguments.case or [*CASES]
    end_on_sigterm()
    began = time.monotonic()
    RESULTS.mkdir(exist_ok=True)
    failed = []
    with _lab(settings, is_needed=not WITHOUT_HOSTS.issuperset(names)):
        for name in names:
            print(f"{name}:", flush=True)
            (RESULTS / f"{name}.json").unlink(missing_ok=True)
            code = _run_case([sys.executable, "-m", CASES[name], *as_arguments(settings)])
            if not (RESULTS / f"{name}.json").exists():
                failed.append(f"{name} ended with {code} and without results")
    figures = [figure for name in names for figure in _read(name)]
    print(f"\n{table(figures)}\n\nall of it took {(time.monotonic() - began) / 60:.1f} min")
    missed = [figure.name for figure in figures if figure.verdict == "MISSED"]
    print("\n".join(["", *(f"failed: {line}" for line in failed), *(f"missed: {name}" for name in missed)]))
    sys.exit(bool(failed or missed))


def _run_case(argv: Sequence[str]) -> int:
    """Its exit code. One that takes too long, or that nobody waits for any more, is ended and may clean up."""
    process = subprocess.Popen(argv)
    try:
        return process.wait(timeout=CASE_SECONDS)
    except subprocess.TimeoutExpired:
        return _end(process)
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(timeout=CLEAN_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _read(name: str) -> list[Figure]:
    path = RESULTS / f"{name}.json"
    return [from_document(document) for document in json.loads(path.read_text())] if path.exists() else []


@contextmanager
def _lab(settings: Settings, *, is_needed: bool) -> Iterator[None]:
    """The lab, up for all cases that need it, so that not each of them boots one."""
    if not is_needed or has_bridge(LabNames(settings.lab)):
        yield
        return
    try:
        Lab.up(settings.lab).close()
        yield
    finally:
        take_down(settings.lab)


if __name__ == "__main__":
    main()
