"""Seeded histories: commits, cuts, kills, lost replies in any order, then calm.

BERTH_HISTORIES sets how many, BERTH_FIRST_HISTORY the seed of the first: a long run can be done in parts.
"""

import os

import msgspec
import pytest

from tests.simulation.world import STEPS, World
from tests.simulation.written_status import remembered, written

FIRST = int(os.environ.get("BERTH_FIRST_HISTORY", "0"))
HISTORIES = int(os.environ.get("BERTH_HISTORIES", "500"))
SHOWN = 15
"""Last events that a failed history shows."""


@pytest.mark.parametrize("seed", range(FIRST, FIRST + HISTORIES))
def test_history_ends_as_the_newest_commit_says(seed):
    world = World(seed)
    try:
        for _ in range(STEPS):
            world.step()
        world.calm()
    except BaseException as failure:
        failure.add_note("\n".join(["last events:", *world.log[-SHOWN:]]))
        failure.add_note(f"replay: python -m tests.simulation --seed {seed} --steps {STEPS}")
        raise


def test_the_same_seed_is_the_same_history():
    histories = []
    for _ in range(2):
        world = World(7)
        for _ in range(60):
            world.step()
        histories.append((world.log, [machine.ours() for machine in world.machines.values()]))
    assert histories[0] == histories[1]
    assert histories[0][0]


def test_the_short_way_of_the_status_is_the_same_as_the_files():
    world = World(11)
    for _ in range(40):
        world.step()
    short, long = remembered(world.engine), written(world.engine)
    # Files are read in the order of their paths, the store has another: nothing follows from it.
    by_key = [sorted(each.objects, key=lambda obj: obj.key) for each in (short, long)]
    assert msgspec.json.encode(by_key[0]) == msgspec.json.encode(by_key[1])
    assert msgspec.structs.replace(short, objects=()) == msgspec.structs.replace(long, objects=(), copies={})
