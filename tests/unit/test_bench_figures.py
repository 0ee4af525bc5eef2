"""Figures of the bench: verdicts, percentiles, and the way over JSON."""

import json

import pytest

from tests.bench import floor
from tests.bench.figures import Figure, as_document, from_document, percentile, table


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        pytest.param(Figure("f", 1.0, "s"), "", id="for information"),
        pytest.param(Figure("f", 1.0, "s", 1.0), "ok", id="at the goal"),
        pytest.param(Figure("f", 1.1, "s", 1.0), "MISSED", id="above the goal"),
        pytest.param(Figure("f", 1.3, "s", None, "floor", 1.0, 1.3), "ok", id="at the ratio"),
        pytest.param(Figure("f", 1.4, "s", None, "floor", 1.0, 1.3), "MISSED", id="above the ratio"),
        pytest.param(Figure("f", 1.4, "s", 1.0, "floor", 2.0, 1.3), "MISSED", id="one of two goals"),
        pytest.param(Figure("f", 1.0, "s", None, "floor", None, 1.3), "MISSED", id="nothing to compare with"),
    ],
)
def test_verdict(figure, verdict):
    assert figure.verdict == verdict


@pytest.mark.parametrize(
    ("samples", "share", "expected"),
    [
        pytest.param(list(range(1, 21)), 0.99, 20, id="p99 of 20 is the worst"),
        pytest.param(list(range(1, 201)), 0.99, 198, id="p99 of 200"),
        pytest.param([3, 1, 2], 0.5, 2, id="p50"),
        pytest.param([7], 0.0, 7, id="one"),
    ],
)
def test_percentile(samples, share, expected):
    assert percentile(samples, share) == expected


def test_over_json():
    figure = Figure("f", 1.5, "s", None, "floor", 1.0, 1.3, (1.0, 2.0))
    assert from_document(json.loads(json.dumps(as_document(figure)))) == figure


def test_table():
    rows = table([Figure("push", 7.1, "s", None, "swarm", 10, 1.0), Figure("idle: commits", 0, "", 0)]).splitlines()
    assert rows == [
        "figure         Berth  beside        ratio  goal",
        "push           7.1 s  swarm   10 s   0.71  <= 1 x swarm  ok",
        "idle: commits      0                       <= 0          ok",
    ]


def test_all_floors_are_tried_once_then_the_better_ones():
    assert floor.halves({}, is_quick=False) == ((2, 4), (6, 10))
    times = {"berth": [1.0], "floor 2": [9.0], "floor 4": [5.0], "floor 6": [4.0], "floor 10": [6.0]}
    assert floor.halves(times, is_quick=False) == ((6,), (4,))
    assert floor.halves(times, is_quick=True) == ((), (4,))


def test_the_best_floor_is_one_that_was_tried_in_every_round():
    assert (
        floor.best({"floor 2": [1.0], "floor 4": [5.0, 7.0], "floor 6": [4.0, 9.0], "swarm": [0.1, 0.1]}) == "floor 4"
    )
