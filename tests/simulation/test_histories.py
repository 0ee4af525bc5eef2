"""Seeded histories: commits, cuts, kills, lost replies in any order, then calm. BERTH_HISTORIES sets how many."""

import os

import pytest

from tests.simulation.world import World

STEPS = 120
HISTORIES = int(os.environ.get("BERTH_HISTORIES", "40"))


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_history_ends_as_the_newest_commit_says(seed):
    world = World(seed)
    try:
        for _ in range(STEPS):
            world.step()
        world.calm()
    except BaseException as failure:
        failure.add_note(f"replay: python -m tests.simulation --seed {seed} --steps {STEPS}")
        raise


def test_the_same_seed_is_the_same_history():
    histories = []
    for _ in range(2):
        world = World(7)
        for _ in range(60):
            world.step()
        histories.append((world.log, sorted(world.running_images())))
    assert histories[0] == histories[1]
    assert histories[0][0]
