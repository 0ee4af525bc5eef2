"""Ages as kubectl prints them: the borders of each step."""

from __future__ import annotations

import pytest

from reconciler.cli.printing.durations import age, human_duration
from tests.unit.cli.sample import NOW, ago

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(-2, "<invalid>", id="in-the-future"),
        pytest.param(-1, "0s", id="skew"),
        pytest.param(0, "0s", id="now"),
        pytest.param(119.9, "119s", id="below-two-minutes"),
        pytest.param(2 * MINUTE, "2m", id="two-minutes"),
        pytest.param(9 * MINUTE + 59, "9m59s", id="minutes-and-seconds"),
        pytest.param(10 * MINUTE + 30, "10m", id="minutes-alone"),
        pytest.param(3 * HOUR - 1, "179m", id="below-three-hours"),
        pytest.param(3 * HOUR, "3h", id="three-hours"),
        pytest.param(7 * HOUR + 59 * MINUTE, "7h59m", id="hours-and-minutes"),
        pytest.param(8 * HOUR + 59 * MINUTE, "8h", id="hours-alone"),
        pytest.param(48 * HOUR - 1, "47h", id="below-two-days"),
        pytest.param(2 * DAY + 3 * HOUR, "2d3h", id="days-and-hours"),
        pytest.param(8 * DAY + 3 * HOUR, "8d", id="days-alone"),
        pytest.param(2 * YEAR - 1, "729d", id="below-two-years"),
        pytest.param(2 * YEAR + 5 * DAY, "2y5d", id="years-and-days"),
        pytest.param(8 * YEAR + 5 * DAY, "8y", id="years-alone"),
    ],
)
def test_human_duration(seconds: float, expected: str) -> None:
    assert human_duration(seconds) == expected


def test_age() -> None:
    assert age(ago(minutes=2, seconds=30), NOW) == "2m30s"
    assert age(None, NOW) == "<unknown>"
