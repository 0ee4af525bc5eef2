"""When a CronJob is due: five cron fields in a time zone, or `@every`. Pure; the arithmetic is cronsim's.

Computed from the last scheduled time and never counted in ticks, so that a process that was away, or a clock that
jumped, neither loses nor doubles a run. Day of month and day of week are alternatives when both are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim, CronSimError

from objects.errors import InvalidInput

MANY_MISSED = 100
"""More missed times than this are worth a warning: a clock that is wrong, or a very long absence."""

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = re.compile(r"@every\s+(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Schedule(msgspec.Struct, frozen=True):
    """fields: five cron fields, '' for `@every`; every: its interval; zone: IANA name."""

    fields: str
    every: timedelta
    zone: str

    def last_at(self, now: datetime, *, after: datetime) -> datetime | None:
        """The latest time that is after `after` and not after `now`; None when there is none."""
        if self.every:
            passed = (now - after) // self.every
            return after + passed * self.every if passed > 0 else None
        local = now.astimezone(ZoneInfo(self.zone)) + timedelta(microseconds=1)
        found = next(CronSim(self.fields, local, reverse=True)).astimezone(UTC)
        return found if found > after else None

    def next_at(self, now: datetime, *, after: datetime) -> datetime:
        """The first time after `now`. after: the last scheduled time, from which `@every` counts."""
        if self.every:
            return after + ((now - after) // self.every + 1) * self.every
        return next(self._from(now))

    def has_missed_many(self, now: datetime, *, after: datetime) -> bool:
        """Whether more than MANY_MISSED times lie between `after` and `now`."""
        if self.every:
            return (now - after) // self.every > MANY_MISSED
        times = self._from(after)
        return all(next(times) <= now for _ in range(MANY_MISSED + 1))

    def _from(self, start: datetime) -> Iterator[datetime]:
        for found in CronSim(self.fields, start.astimezone(ZoneInfo(self.zone))):
            yield found.astimezone(UTC)


def parse_schedule(text: str, zone: str | None) -> Schedule:
    """Read `spec.schedule` and `spec.timeZone`. Raises InvalidInput naming what cannot be read.

    `?` stands for `*`, as in Kubernetes.
    """
    try:
        ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidInput(f"unknown time zone '{zone}'") from error
    match = _EVERY.fullmatch(text.strip())
    if match is not None:
        hours, minutes, seconds = (int(part or 0) for part in match.groups())
        every = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if not every:
            raise InvalidInput(f"schedule '{text}': an interval of nothing")
        return Schedule("", every, "UTC")
    fields = _MACROS.get(text.strip(), text).replace("?", "*")
    try:
        next(CronSim(fields, datetime(2000, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise InvalidInput(f"schedule '{text}' cannot be read: {error or 'it is never due'}") from error
    return Schedule(fields, timedelta(), zone or "UTC")
