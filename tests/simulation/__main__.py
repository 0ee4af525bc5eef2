"""Replay one seeded history: `python -m tests.simulation --seed N --steps M`."""

from __future__ import annotations

import argparse

from tests.simulation.world import World


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    world = World(arguments.seed)
    try:
        for number in range(arguments.steps):
            known = len(world.log)
            world.step()
            for line in world.log[known:]:
                print(f"{number:5} {world.clock.now:%H:%M:%S} {line}")
        print("calm: no more faults")
        world.calm()
    finally:
        for name, host in world.hosts.items():
            for container in host.engine.containers.values():
                print(f"{name} {container.state:10} {container.name}")
    print("at rest, as desired")


if __name__ == "__main__":
    main()
