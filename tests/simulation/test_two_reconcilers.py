"""Seeded histories of a reconciler that is superseded while it acts. BERTH_HISTORIES sets how many."""

import os

import pytest

from tests.simulation.two import TwoReconcilers

STEPS = 120
HISTORIES = int(os.environ.get("BERTH_HISTORIES", "40"))


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_no_ordinal_runs_twice_and_one_reconciler_stays(seed):
    world = TwoReconcilers(seed)
    world.run(STEPS)
    world.calm()
