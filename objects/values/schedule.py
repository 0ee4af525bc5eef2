"""Cron schedules: reads them and says when they are due. The one reader and the one arithmetic for both.

A schedule is five fields in a time zone, a macro (`@daily`) or `@every <duration>`. Rules: robfig/cron v3, which
Kubernetes uses, with its habits:

* Day of month and day of week are alternatives when both are given. `*` and `?` are "not given"; a step ends that, so
  `0 0 */2 * 1` means odd days *or* Mondays.
* A moment is due when its local clock matches. So an hour that spring leaves out has no runs, and the hour that autumn
  repeats has them twice: `30 * * * *` goes on every hour, `30 2 * * *` runs twice that night.
* `@every` is cut to whole seconds, and is at least one.

What is stricter here: an interval of nothing and a schedule that is never due (`0 0 31 2 *`) cannot be read.
Pure: the IANA database is data of the program, like its code.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from objects.errors import InvalidInput
from objects.values.durations import parse_duration

MANY_MISSED = 100
"""More missed times than this are worth a warning: a clock that is wrong, or a very long absence."""

MACROS: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_WAIT_DAYS = 9 * 366
"""29 February waits at most eight years, around a century without one; what has not come by then never does."""
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class _Field(msgspec.Struct, frozen=True):
    """One of the five fields. names: words for its numbers, in lower case."""

    title: str
    least: int
    most: int
    names: Mapping[str, int] = {}


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    _Field("day of week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)


class _Days(msgspec.Struct, frozen=True):
    """Which days a schedule names. either: both day fields are given, and one of them suffices. weekdays: Sunday 0."""

    months: frozenset[int]
    days: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def match(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_date or by_weekday) if self.either else (by_date and by_weekday)


class Schedule(msgspec.Struct, frozen=True):
    """every: the interval of `@every`, else zero. hours, minutes: ascending; zone: IANA name."""

    every: timedelta = timedelta()
    days: _Days | None = None
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    zone: str = "UTC"

    def last_at(self, now: datetime, *, after: datetime) -> datetime | None:
        """The latest time that is after `after` and not after `now`; None when there is none."""
        if self.every:
            after = after.replace(microsecond=0)
            passed = (now - after) // self.every
            return after + passed * self.every if passed > 0 else None
        return next((found for found in self._times_before(now, not_before=after) if found > after), None)

    def next_at(self, now: datetime, *, after: datetime) -> datetime:
        """The first time after `now`. after: the last scheduled time, from which `@every` counts."""
        if self.every:
            after = after.replace(microsecond=0)
            return after + ((now - after) // self.every + 1) * self.every
        found = next(self.times_after(now), None)
        return found if found is not None else now + _LONGEST_WAIT_DAYS * _DAY

    def has_missed_many(self, now: datetime, *, after: datetime) -> bool:
        """Whether more than MANY_MISSED times lie between `after` and `now`."""
        if self.every:
            return (now - after.replace(microsecond=0)) // self.every > MANY_MISSED
        for count, found in enumerate(self.times_after(after), start=1):
            if found > now:
                return False
            if count > MANY_MISSED:
                return True
        return False

    def times_after(self, start: datetime) -> Iterator[datetime]:
        """All times after `start` in order, in UTC; ends where nothing is due for eight years."""
        day, empty = start.astimezone(UTC).date(), 0
        while empty <= _LONGEST_WAIT_DAYS and day.year < date.max.year:
            moments = _moments(self, day)
            yield from moments[bisect.bisect_right(moments, start) :]
            empty = 0 if moments else empty + 1
            day += _DAY

    def _times_before(self, end: datetime, *, not_before: datetime) -> Iterator[datetime]:
        """All times up to and with `end`, the latest first, as far as the day of `not_before`."""
        day, first = end.astimezone(UTC).date(), not_before.astimezone(UTC).date()
        while day >= first:
            moments = _moments(self, day)
            yield from reversed(moments[: bisect.bisect_right(moments, end)])
            day -= _DAY


@functools.lru_cache(maxsize=64)
def _moments(schedule: Schedule, utc_day: date) -> tuple[datetime, ...]:
    """The times of a day of UTC, ascending: local days may overlap, where a clock is put back over midnight."""
    if schedule.days is None:
        return ()
    around = [utc_day - _DAY, utc_day, utc_day + _DAY]
    found = [
        moment
        for day in around
        if schedule.days.match(day)
        for moment in _moments_of_local_day(schedule, day)
        if moment.date() == utc_day
    ]
    return tuple(sorted(found))


def _moments_of_local_day(schedule: Schedule, day: date) -> Iterable[datetime]:
    """When a clock in the schedule's zone shows its hours and minutes on that day: each once, twice or not at all."""
    zone = ZoneInfo(schedule.zone)
    midnight = datetime.combine(day, time(), zone)
    offset = midnight.utcoffset()
    if offset is not None and (midnight + _DAY).replace(fold=1).utcoffset() == offset:
        # No clock change that day: all times lie at one distance from UTC.
        start = datetime.combine(day, time(), UTC) - offset
        return [start + timedelta(hours=hour, minutes=minute) for hour in schedule.hours for minute in schedule.minutes]
    found: set[datetime] = set()
    for hour in schedule.hours:
        for minute in schedule.minutes:
            for fold in (0, 1):
                local = datetime.combine(day, time(hour, minute, fold=fold), zone)
                moment = local.astimezone(UTC)
                # A time that does not exist comes back as another one.
                if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0):
                    found.add(moment)
    return found


# --- reading ------------------------------------------------------------------------------------------------------


def parse_schedule(text: str, zone: str | None) -> Schedule:
    """Read `spec.schedule` and `spec.timeZone` (None: UTC). Raises InvalidInput that says what is wrong."""
    if problem := time_zone_problem(zone or "UTC"):
        raise InvalidInput(f"time zone '{zone}' {problem}")
    return _parse(text, zone or "UTC")


def schedule_problem(text: str) -> str:
    """What is wrong with a schedule, or ''."""
    try:
        _parse(text, "UTC")
    except InvalidInput as error:
        return error.message
    return ""


@functools.lru_cache(maxsize=4096)
def _parse(text: str, zone: str) -> Schedule:
    if "TZ" in text:
        raise InvalidInput("must not hold a time zone: use spec.timeZone")
    if text.startswith(_EVERY):
        return Schedule(every=_parse_interval(text.removeprefix(_EVERY)))
    if text.startswith("@") and text not in MACROS:
        raise InvalidInput(f"'{text}' is not one of {', '.join(MACROS)}, @every <duration>")
    words = MACROS.get(text, text).split()
    if len(words) != len(_FIELDS):
        raise InvalidInput(f"must have 5 fields (minute, hour, day of month, month, day of week), not {len(words)}")
    minutes, hours, days, months, weekdays = (
        _parse_field(word, field) for word, field in zip(words, _FIELDS, strict=True)
    )
    if weekdays.is_star and not _is_ever(months.numbers, days.numbers):
        raise InvalidInput(f"'{text}' is never due: no such month has such a day")
    return Schedule(
        days=_Days(months.numbers, days.numbers, weekdays.numbers, either=not (days.is_star or weekdays.is_star)),
        hours=tuple(sorted(hours.numbers)),
        minutes=tuple(sorted(minutes.numbers)),
        zone=zone,
    )


def _is_ever(months: frozenset[int], days: frozenset[int]) -> bool:
    """Whether some month has one of these days. 2000 had a 29 February."""
    longest = {month: 29 if month == 2 else 30 if month in (4, 6, 9, 11) else 31 for month in months}
    return any(min(days, default=32) <= last for last in longest.values())


def _parse_interval(text: str) -> timedelta:
    try:
        every = parse_duration(text)
    except InvalidInput as error:
        raise InvalidInput(f"'@every {text}': {error.message}: {error.hint}".removesuffix(": ")) from None
    if every <= timedelta():
        raise InvalidInput(f"'@every {text}': the interval must be longer than nothing")
    return max(every - every % _SECOND, _SECOND)


class _Numbers(msgspec.Struct, frozen=True):
    """What a field says. is_star: it holds a `*` or `?` without a step, so it is as good as not given."""

    numbers: frozenset[int]
    is_star: bool


def _parse_field(text: str, field: _Field) -> _Numbers:
    numbers: set[int] = set()
    is_star = False
    for part in filter(None, text.split(",")):
        try:
            found, starred = _parse_part(part, field)
        except InvalidInput as error:
            raise InvalidInput(f"{field.title} '{text}': {error.message}") from None
        numbers.update(found)
        is_star |= starred
    if not numbers:
        raise InvalidInput(f"{field.title} '{text}': names nothing")
    return _Numbers(frozenset(numbers), is_star)


def _parse_part(part: str, field: _Field) -> tuple[range, bool]:
    """One of the parts between commas: `*`, `5`, `1-5`, each with `/step`. `5/10` means `5-59/10`."""
    bounds, *steps = part.split("/")
    first, *others = bounds.split("-")
    if len(steps) > 1 or len(others) > 1:
        raise InvalidInput(_shape(field))
    step = _number(steps[0]) if steps else 1
    if not step:
        raise InvalidInput("the step must not be 0" if step == 0 else "the step is not a number")
    if first in ("*", "?"):
        if others:
            raise InvalidInput("a range needs two numbers")
        return range(field.least, field.most + 1, step), step == 1
    start = _parse_bound(first, field)
    end = _parse_bound(others[0], field) if others else field.most if steps else start
    if start > end:
        raise InvalidInput("the range runs backwards")
    return range(start, end + 1, step), False


def _parse_bound(text: str, field: _Field) -> int:
    number = field.names.get(text.lower(), _number(text))
    if number is None and not text.isalnum():
        raise InvalidInput(_shape(field))
    if number is None or not field.least <= number <= field.most:
        raise InvalidInput(f"'{text}' is not between {field.least} and {field.most}")
    return number


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"\+?[0-9]{1,9}", text, re.ASCII) else None


def _shape(field: _Field) -> str:
    return f"must be *, a number, a range as {field.least}-{field.most} or a step as */2"


# --- time zones ---------------------------------------------------------------------------------------------------

_ZONE = re.compile(r"[A-Za-z0-9+._-]{1,14}(/[A-Za-z0-9+._-]{1,14})*", re.ASCII)
_NOT_IANA = ("localtime", "posixrules", "posix", "right")
"""What lies among the zones' files on some systems and is no name of the database."""


@functools.lru_cache(maxsize=1024)
def time_zone_problem(name: str) -> str:
    """What is wrong with the name of a time zone, or ''. Every name of the IANA database is right, old ones too."""
    parts = name.split("/")
    if not _ZONE.fullmatch(name) or parts[0].lower() in ("local", *_NOT_IANA) or {".", ".."} & set(parts):
        return "is not a time zone"
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        # A name that is a folder of the database raises an OSError, one that is another file a ValueError.
        return "is not a time zone"
    return ""
