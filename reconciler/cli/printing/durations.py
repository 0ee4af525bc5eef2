"""Ages and durations as kubectl prints them: two figures at most, the coarser the older."""

from __future__ import annotations

from datetime import datetime
from typing import Final

UNKNOWN: Final = "<unknown>"

_MINUTE, _HOUR = 60, 3600
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY

# (below so many seconds, the larger unit in seconds, its letter, the smaller unit or 0 for none, its letter)
_STEPS: Final = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)


def human_duration(seconds: float) -> str:
    """A duration as kubectl writes it (apimachinery's HumanDuration).

    90 -> 90s, 150 -> 2m30s, 3600 -> 60m, 14400 -> 4h, 200000 -> 2d7h. A little below zero is the skew of clocks
    and reads 0s, more is `<invalid>`.
    """
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    whole = max(whole, 0)
    for below, unit, letter, smaller, small_letter in _STEPS:
        if whole < below:
            rest = whole % unit // smaller if smaller else 0
            return f"{whole // unit}{letter}" + (f"{rest}{small_letter}" if rest else "")
    return f"{whole // _YEAR}y"


def age(since: datetime | None, now: datetime) -> str:
    """How long ago `since` was; `<unknown>` if nobody knows."""
    return UNKNOWN if since is None else human_duration((now - since).total_seconds())
