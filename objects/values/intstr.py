"""Numbers that people write as pods or as a share of pods (`2`, `25%`): `maxSurge`, `maxUnavailable`, budgets."""

from __future__ import annotations

import re

from objects.api.meta import IntOrString
from objects.errors import InvalidInput

_PERCENT = re.compile(r"(-?[0-9]{1,9})%")


def parse_percent(text: str) -> int:
    """`25%` → 25. Raises InvalidInput for anything else, also for a plain number in quotes."""
    match = _PERCENT.fullmatch(text)
    if match is None:
        raise InvalidInput(f"'{text}' is neither a whole number nor a percentage like '25%'")
    return int(match[1])


def scaled_value(amount: IntOrString, *, total: int, round_up: bool) -> int:
    """`amount` in whole things: itself, or that share of `total`. Raises InvalidInput for malformed text.

    amount  total  round_up -> result
         3     10      True         3
     "25%"     10      True         3
     "25%"     10     False         2
    """
    if isinstance(amount, int):
        return amount
    share = parse_percent(amount) * total
    return -(-share // 100) if round_up else share // 100
