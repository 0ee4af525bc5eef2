"""The five fields of a cron schedule: whether they can be read. When it fires is computed elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping

MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NO_NAMES: Mapping[str, int] = {}
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, _NO_NAMES),
    ("hour", 0, 23, _NO_NAMES),
    ("day of month", 1, 31, _NO_NAMES),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
_PART = re.compile(r"(\*|\?|[A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?(?:/([0-9]{1,4}))?")
_EVERY = re.compile(r"@every ([0-9]+(\.[0-9]+)?(ms|us|ns|s|m|h))+")


def cron_problem(schedule: str) -> str:
    """What is wrong with a schedule, or ''. `CRON_TZ=` is refused: the time zone has a field of its own."""
    if "TZ" in schedule:
        return "must not hold a time zone: use spec.timeZone"
    if schedule in MACROS or _EVERY.fullmatch(schedule):
        return ""
    if schedule.startswith("@"):
        return f"'{schedule}' is not one of {', '.join(MACROS)}"
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"must have 5 fields (minute, hour, day of month, month, day of week), not {len(fields)}"
    for text, (name, least, most, names) in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            if problem := _part_problem(part, least, most, names):
                return f"{name} '{text}': {problem}"
    return ""


def _part_problem(part: str, least: int, most: int, names: Mapping[str, int]) -> str:
    match = _PART.fullmatch(part)
    if match is None:
        return f"must be *, a number, a range as {least}-{most} or a step as */2"
    first, last, step = match.groups()
    if step is not None and int(step) == 0:
        return "the step must not be 0"
    if first in ("*", "?"):
        return "a range needs two numbers" if last else ""
    bounds = []
    for text in (first, last):
        if text is None:
            continue
        number = names.get(text.lower()) if not text.isdecimal() else int(text)
        if number is None or not least <= number <= most:
            return f"'{text}' is not between {least} and {most}"
        bounds.append(number)
    return "the range runs backwards" if len(bounds) == 2 and bounds[0] > bounds[1] else ""
