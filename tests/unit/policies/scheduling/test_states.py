"""States of hosts say what their hosts would say one by one, and know the winner among the hosts in each."""

from __future__ import annotations

import random

import numpy as np
import pytest

from policies.scheduling.predicates.resources import Resources
from policies.scheduling.priorities.resources import (
    BalancedAllocation,
    LeastRequested,
    MostRequested,
    UsualScores,
    usual_weights,
)
from policies.scheduling.rules import AmountCheck, AmountScorer, Priority
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import Journal
from policies.scheduling.state.leaders import StateLeaders
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TieBreaker
from tests.unit.policies.scheduling.cluster import cluster, host, pod

SIZES = ("1m", "30m", "333m", "1", "1999m")
MEMORIES = ("1", "1023", "7Mi", "250Mi", "1Gi", "3000000001")
PODS = 60
CLUSTERS = {
    "equal hosts": [{} for _ in range(30)],
    "three kinds": [{"cpu": str(1 + n % 3), "memory": f"{3 + n % 3}Gi"} for n in range(30)],
    "each its own": [{"cpu": f"{1000 + 7 * n}m", "memory": str(2**30 + 12345 * n)} for n in range(30)],
    "one without memory": [{"memory": "0"} if n == 3 else {} for n in range(30)],
    "one beyond what floats can count": [{"memory": "100000Ti"} if n == 3 else {} for n in range(30)],
}


def a_cluster(kind: str) -> Snapshot:
    return cluster(*(host(f"h{number}", **amounts) for number, amounts in enumerate(CLUSTERS[kind])))


def a_shape(snapshot: Snapshot, source: random.Random) -> PodShape:
    requests = {"cpu": source.choice(SIZES), "memory": source.choice(MEMORIES)}
    asked = {name: requests[name] for name in source.choice((("cpu", "memory"), ("cpu",), ("memory",), ()))}
    return snapshot.shapes.shape_of(pod(f"p{source.random()}", requests=asked))


def refreshed(snapshot: Snapshot) -> Snapshot:
    snapshot.states.refresh(snapshot, snapshot.journal, snapshot.size)
    return snapshot


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in CLUSTERS])
@pytest.mark.parametrize("seed", range(3))
def test_a_state_is_judged_as_its_hosts_are(kind: str, seed: int) -> None:
    source, snapshot = random.Random(seed), a_cluster(kind)
    rows, running = slice(0, snapshot.size), list[str]()
    rules = (LeastRequested(), MostRequested(), BalancedAllocation())
    scored = 0
    for number in range(PODS):
        shape = a_shape(snapshot, source)
        states = refreshed(snapshot).states
        places = slice(0, states.size)
        check = Resources().prepare(shape, snapshot)
        assert isinstance(check, AmountCheck)
        assert check.allowed_by(states, places)[states.ids].tolist() == check.allowed(rows).tolist()
        for scorer in (rule.prepare(shape, snapshot) for rule in rules):
            if scorer is not None:
                assert isinstance(scorer, AmountScorer)
                assert scorer.raw_by(states, places)[states.ids].tolist() == scorer.raw(rows).tolist()
                scored += 1
        check_usual_scores(shape, snapshot)
        one = pod(f"p{number}")
        snapshot.place(one, shape, source.randrange(snapshot.size))
        running.append(one.uid)
        if source.random() < 0.4:
            snapshot.remove_pod(running.pop(source.randrange(len(running))))
    assert scored > PODS


def check_usual_scores(shape: PodShape, snapshot: Snapshot) -> None:
    """The two priorities at once, weighted, where states are plain."""
    if not snapshot.states.is_plain:
        return
    expected = np.zeros(snapshot.size, dtype=np.int64)
    weighted = ((3, LeastRequested()), (2, BalancedAllocation()))
    for weight, rule in weighted:
        scorer = rule.prepare(shape, snapshot)
        if scorer is not None:
            expected += weight * scorer.raw(slice(0, snapshot.size))
    assert usual_weights([(rule, weight) for weight, rule in weighted]) == (3, 2)
    found = UsualScores(shape, 3, 2).of(snapshot.states, slice(0, snapshot.states.size))
    assert found[snapshot.states.ids].tolist() == expected.tolist()


@pytest.mark.parametrize(
    "priorities",
    [
        pytest.param([(LeastRequested(), 1)], id="one of the two"),
        pytest.param([(LeastRequested({"cpu": 2, "memory": 1}), 1), (BalancedAllocation(), 1)], id="weighed resources"),
        pytest.param([(LeastRequested(), 1), (BalancedAllocation(("cpu",)), 1)], id="balance of one"),
        pytest.param([(LeastRequested(), 1), (MostRequested(), 1), (BalancedAllocation(), 1)], id="one more"),
    ],
)
def test_other_priorities_are_scored_one_by_one(priorities: list[tuple[Priority, int]]) -> None:
    assert usual_weights(priorities) is None


@pytest.mark.parametrize("seed", range(4))
def test_the_leader_of_a_state_is_the_greatest_of_its_open_hosts(seed: int) -> None:
    source, snapshot = random.Random(seed), refreshed(a_cluster("three kinds"))
    ties = TieBreaker(seed).hashes(snapshot)
    is_open = np.array([source.random() < 0.8 for _ in range(snapshot.size)])
    leaders = StateLeaders(snapshot.states, ties, is_open)
    running: list[str] = []
    for number in range(400):
        one = pod(f"p{number}")
        snapshot.place(one, a_shape(snapshot, source), source.randrange(snapshot.size))
        running.append(one.uid)
        while running and (source.random() < 0.5 or len(running) > 12):
            snapshot.remove_pod(running.pop(source.randrange(len(running))))
        if source.random() < 0.3:
            continue
        states = refreshed(snapshot).states
        leaders.refresh()
        for place in range(states.size):
            here = [row for row in np.flatnonzero(states.ids == place).tolist() if is_open[row]]
            expected = max(here, key=lambda row: ties[row], default=-1)
            assert leaders.row[place] == expected
            assert (leaders.tie[place] >= 0) == bool(here)


def test_a_forgetful_journal_makes_even_those_start_anew_who_had_read_it_all() -> None:
    journal = Journal()
    journal.append(7)
    mark = journal.mark()
    journal.append(8)
    assert journal.since(mark) == [8]
    all_read = journal.mark()
    assert journal.since(all_read) == []
    journal.forget()
    assert journal.since(mark) is None
    assert journal.since(all_read) is None
    assert journal.since(journal.mark()) == []
