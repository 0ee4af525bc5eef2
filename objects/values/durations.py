"""Durations as Go writes them (`1h30m`, `1.5h`, `500ms`): in `@every` schedules and on the command line.

Rules: Go's `time.ParseDuration`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction

from objects.errors import InvalidInput

_NANOS: dict[str, int] = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
"""Unit → nanoseconds. Two letters look like µ: the micro sign and the Greek letter."""
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_TEXT = re.compile(rf"([+-]?)((?:{_PART.pattern})+)", re.ASCII)
_MAX_NANOS = 2**63 - 1
_MAX_TEXT = 128


def parse_duration(text: str) -> timedelta:
    """The duration that `text` says, cut to microseconds. Raises InvalidInput.

    1h30m -> 5400 s    1.5h -> 5400 s    .5s -> 0.5 s    -10m -> -600 s    0 -> 0 s    90 -> refused: no unit
    """
    if text.lstrip("+-") == "0" and len(text) <= 2:
        return timedelta()
    match = _TEXT.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if match is None:
        raise InvalidInput("is not a duration", hint="numbers with units h, m, s, ms, as 1h30m or 1.5h")
    nanos = int(sum(Fraction(number) * _NANOS[unit] for number, unit in _PART.findall(match[2])))
    if nanos > _MAX_NANOS:
        raise InvalidInput("is longer than 292 years, the longest duration")
    duration = timedelta(microseconds=nanos // 1000)
    return -duration if match[1] == "-" else duration
