"""Whether what was measured speaks for a canary or against it. Pure.

Only an unbroken row of looks counts, the newest ones, begun after the canary's pods were there: so often and so long as
the check says it must have held, or been broken, before anything follows from it. What was not measured speaks neither
for nor against, and begins a new row.

    errors < 0.5 for 3 times          looks (oldest first)     verdict
                                      0.1 0.2 0.1              held
                                      0.1 0.9 0.9 0.9          broken
                                      0.9 0.1 0.9              open: neither three times in a row
                                      0.1 0.1 –                open: nothing measured
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from objects.own.canary import CanaryCheck


class Look(msgspec.Struct, frozen=True):
    """A value at a time; None: it could not be had."""

    at: datetime
    value: float | None = None


class Verdict(enum.Enum):
    HELD = "held"
    BROKEN = "broken"
    OPEN = "open"


def judge_check(check: CanaryCheck, looks: Sequence[Look], *, since: datetime, max_gap: timedelta) -> Verdict:
    """What the looks (oldest first) say of a check.

    since: earlier looks tell of something else. max_gap: more time between two looks means that some are missing.
    """
    row = list(_newest_row(check, looks, since, max_gap))
    if not row or len(row) < check.times or row[0].at - row[-1].at < check.lasting:
        return Verdict.OPEN
    newest = row[0].value
    return Verdict.HELD if newest is not None and check.holds(newest) else Verdict.BROKEN


def _newest_row(check: CanaryCheck, looks: Sequence[Look], since: datetime, max_gap: timedelta) -> Iterator[Look]:
    """The looks that agree with the newest one without a break, newest first."""
    newest: Look | None = None
    later: Look | None = None
    for look in reversed(looks):
        is_broken_off = later is not None and later.at - look.at > max_gap
        if look.value is None or look.at < since or is_broken_off:
            return
        newest = newest or look
        if newest.value is None or check.holds(look.value) != check.holds(newest.value):
            return
        yield look
        later = look
