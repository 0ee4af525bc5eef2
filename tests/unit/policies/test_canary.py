"""Whether looks at a metric speak for a canary or against it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from objects.own.canary import CanaryCheck
from policies.canary import Look, Verdict, judge_check

BEGAN = datetime(2026, 11, 26, 12, tzinfo=UTC)
GAP = timedelta(seconds=50)
OPEN, HELD, BROKEN = Verdict.OPEN, Verdict.HELD, Verdict.BROKEN
GOOD, BAD, NONE = 0.1, 0.9, None

ONCE = CanaryCheck("errors", "q", "<", 0.5)
THRICE = ONCE._replace(times=3)
MINUTE = ONCE._replace(lasting=timedelta(minutes=1))


def looks(*values: float | None, first: float = 0, every: float = 15) -> tuple[Look, ...]:
    return tuple(Look(BEGAN + timedelta(seconds=first + every * n), value) for n, value in enumerate(values))


@pytest.mark.parametrize(
    ("check", "seen", "expected"),
    [
        pytest.param(ONCE, looks(), OPEN, id="never looked"),
        pytest.param(ONCE, looks(GOOD), HELD, id="good once"),
        pytest.param(ONCE, looks(BAD), BROKEN, id="bad once"),
        pytest.param(ONCE, looks(0.5), BROKEN, id="the threshold itself"),
        pytest.param(ONCE, looks(NONE), OPEN, id="nothing measured"),
        pytest.param(ONCE, looks(GOOD, NONE), OPEN, id="nothing measured any more"),
        pytest.param(ONCE, looks(NONE, BAD), BROKEN, id="measured at last"),
        pytest.param(ONCE, looks(GOOD, first=-1), OPEN, id="only before the pods were there"),
        pytest.param(THRICE, looks(GOOD, GOOD), OPEN, id="not often enough"),
        pytest.param(THRICE, looks(BAD, GOOD, GOOD, GOOD), HELD, id="three times, after a bad one"),
        pytest.param(THRICE, looks(GOOD, BAD, BAD, BAD), BROKEN, id="bad three times"),
        pytest.param(THRICE, looks(BAD, BAD, GOOD, BAD), OPEN, id="now and then"),
        pytest.param(THRICE, looks(GOOD, NONE, GOOD, GOOD), OPEN, id="a gap begins a new row"),
        pytest.param(THRICE, looks(GOOD, GOOD, GOOD, first=-15), OPEN, id="one of them too early"),
        pytest.param(THRICE, looks(GOOD, GOOD, GOOD, every=60), OPEN, id="nobody looked in between"),
        pytest.param(MINUTE, looks(GOOD, GOOD, GOOD, GOOD), OPEN, id="not long enough"),
        pytest.param(MINUTE, looks(GOOD, GOOD, GOOD, GOOD, GOOD), HELD, id="a minute"),
        pytest.param(MINUTE, looks(BAD, BAD, BAD, BAD, BAD), BROKEN, id="a minute of bad ones"),
        pytest.param(MINUTE, looks(GOOD, GOOD, GOOD, GOOD, BAD, GOOD), OPEN, id="a minute with a bad one"),
    ],
)
def test_verdict(check: CanaryCheck, seen: tuple[Look, ...], expected: Verdict) -> None:
    assert judge_check(check, seen, since=BEGAN, max_gap=GAP) is expected


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [("<", "100"), ("<=", "110"), (">", "001"), (">=", "011"), ("==", "010"), ("!=", "101")],
)
def test_comparisons(comparison: str, expected: str) -> None:
    check = CanaryCheck("c", "q", comparison, 2)
    assert "".join(str(int(check.holds(value))) for value in (1, 2, 3)) == expected
