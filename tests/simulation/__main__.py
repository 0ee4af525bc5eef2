"""Replay one seeded history: `python -m tests.simulation --seed N --steps M`; `--last K` prints only its last lines."""

from __future__ import annotations

import argparse
import sys

from tests.simulation.world import STEPS, World


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--last", type=int, default=0)
    arguments = parser.parse_args()
    world = World(arguments.seed)
    try:
        for _ in range(arguments.steps):
            world.step()
        world.calm()
    finally:
        machines = world.machines.values()
        lines = [*world.log, *(f"{m.name} {c.state:10} {c.name}" for m in machines for c in m.ours())]
        sys.stdout.write("\n".join(lines[-arguments.last :]) + "\n")


if __name__ == "__main__":
    main()
