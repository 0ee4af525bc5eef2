"""Runs the cases one after another, each in a process of its own, and ends with one table.

    python -m tests.bench [--case push --case heal] [--quick] [--rounds 5]

Exit code 1 when a goal is missed or a case fails. Results are in `bench-results/`, one file a case.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.case import RESULTS, Settings, add_arguments, as_arguments, settings_of
from tests.bench.figures import Figure, from_document, table
from tests.lab.lab import Lab, take_down
from tests.lab.names import LabNames
from tests.lab.network import has_bridge

CASES = {
    "help": "tests.bench.help",
    "manifests": "tests.bench.manifests",
    "converged": "tests.bench.converged",
    "scheduling": "tests.bench.scheduling_case",
    "push": "tests.bench.push",
    "rollout": "tests.bench.rollout",
    "ordered": "tests.bench.ordered",
    "job": "tests.bench.job",
    "scale_in": "tests.bench.scale_in",
    "heal": "tests.bench.heal",
    "node_loss": "tests.bench.node_loss",
    "idle": "tests.bench.idle",
    "probes": "tests.bench.probes",
}
WITHOUT_HOSTS = {"help", "manifests", "converged", "scheduling"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="How fast, beside what one would use.")
    parser.add_argument("--case", choices=[*CASES], action="append", help="only this one (may be repeated)")
    add_arguments(parser)
    arguments = parser.parse_args()
    settings = settings_of(arguments)
    names = arguments.case or [*CASES]
    RESULTS.mkdir(exist_ok=True)
    failed = []
    with _lab(settings, is_needed=not WITHOUT_HOSTS.issuperset(names)):
        for name in names:
            print(f"{name}:", flush=True)
            (RESULTS / f"{name}.json").unlink(missing_ok=True)
            done = subprocess.run([sys.executable, "-m", CASES[name], *as_arguments(settings)], check=False)
            if not (RESULTS / f"{name}.json").exists():
                failed.append(f"{name} ended with {done.returncode} and without results")
    figures = [figure for name in names for figure in _read(name)]
    print(f"\n{table(figures)}")
    missed = [figure.name for figure in figures if figure.verdict == "MISSED"]
    print("\n".join(["", *(f"failed: {line}" for line in failed), *(f"missed: {name}" for name in missed)]))
    sys.exit(bool(failed or missed))


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
