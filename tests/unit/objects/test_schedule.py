"""When schedules are due: robfig/cron v3's reading, its day rule, clocks that change; and Go's durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objects.errors import InvalidInput
from objects.values.durations import parse_duration
from objects.values.schedule import (
    Schedule,
    parse_schedule,
    schedule_problem,
    time_zone_problem,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("schedule", "zone", "after", "expected"),
    [
        pytest.param("0 0 */2 * 1", "UTC", "2026-01-01T00:00Z", "2026-01-03T00:00Z", id="a step ends the star"),
        pytest.param("0 0 */2 * 1", "UTC", "2026-01-03T00:00Z", "2026-01-05T00:00Z", id="odd days or Mondays"),
        pytest.param("0 0 */1 * 1", "UTC", "2026-01-01T00:00Z", "2026-01-05T00:00Z", id="a step of one does not"),
        pytest.param("0 0 ? * 1", "UTC", "2026-01-01T00:00Z", "2026-01-05T00:00Z", id="question mark is a star"),
        pytest.param("0 0 ?/2 * 1", "UTC", "2026-01-01T00:00Z", "2026-01-03T00:00Z", id="question mark with a step"),
        pytest.param("0 0 13 * 5", "UTC", "2026-01-02T00:00Z", "2026-01-09T00:00Z", id="13th or Friday"),
        pytest.param("0 0 13 * */2", "UTC", "2026-01-11T00:00Z", "2026-01-13T00:00Z", id="step of weekdays: or"),
        pytest.param("0 0 1,* * 1", "UTC", "2026-01-01T00:00Z", "2026-01-05T00:00Z", id="a star in a list"),
        pytest.param("5/20 * * * *", "UTC", "2026-01-01T00:30Z", "2026-01-01T00:45Z", id="number with a step"),
        pytest.param("0 0 29 2 *", "UTC", "2026-01-01T00:00Z", "2028-02-29T00:00Z", id="leap day"),
        pytest.param("0 0 31 2 1", "UTC", "2026-01-01T00:00Z", "2026-02-02T00:00Z", id="no such day, but Mondays"),
        pytest.param("@weekly", "UTC", "2026-01-01T00:00Z", "2026-01-04T00:00Z", id="macro"),
        # robfig/cron's own table of clock changes.
        pytest.param("30 2 11 Mar ?", NEW_YORK, "2012-03-11T00:00-05:00", "2013-03-11T02:30-04:00", id="left out"),
        pytest.param("0 * * * ?", NEW_YORK, "2012-03-11T01:00-05:00", "2012-03-11T03:00-04:00", id="hourly, spring"),
        pytest.param("0 2 * * ?", NEW_YORK, "2012-03-11T00:00-05:00", "2012-03-12T02:00-04:00", id="2 o'clock, spring"),
        pytest.param("30 2 04 Nov ?", NEW_YORK, "2012-11-04T00:00-04:00", "2012-11-04T02:30-05:00", id="after it"),
        pytest.param("30 1 04 Nov ?", NEW_YORK, "2012-11-04T01:45-04:00", "2012-11-04T01:30-05:00", id="the second"),
        pytest.param("0 * * * ?", NEW_YORK, "2012-11-04T01:00-04:00", "2012-11-04T01:00-05:00", id="hourly, autumn"),
        pytest.param("0 1 * * ?", NEW_YORK, "2012-11-04T01:00-04:00", "2012-11-04T01:00-05:00", id="1 o'clock, twice"),
        pytest.param("0 0 * * *", "America/Asuncion", "2023-09-30T12:00Z", "2023-10-02T03:00Z", id="no midnight"),
        pytest.param("30 23 * * *", "America/Havana", "2025-11-01T12:00Z", "2025-11-02T03:30Z", id="Havana"),
        pytest.param("15 0 * * *", "America/Havana", "2025-11-02T04:15Z", "2025-11-02T05:15Z", id="midnight twice"),
        pytest.param("@every 1.5h", "UTC", "2026-01-01T00:00Z", "2026-01-01T01:30Z", id="a fraction of an hour"),
        pytest.param("@every 500ms", "UTC", "2026-01-01T00:00Z", "2026-01-01T00:00:01Z", id="at least a second"),
        pytest.param("@every 2s900ms", "UTC", "2026-01-01T00:00Z", "2026-01-01T00:00:02Z", id="whole seconds"),
    ],
)
def test_next(schedule: str, zone: str, after: str, expected: str) -> None:
    read, start = parse_schedule(schedule, zone), at(after)
    assert read.next_at(start, after=start) == at(expected)
    assert read.last_at(at(expected), after=start) == at(expected)
    assert read.last_at(at(expected) - timedelta(microseconds=1), after=start) is None


def test_the_repeated_hour_of_autumn_loses_nothing() -> None:
    hourly, often = (parse_schedule(text, "Europe/Berlin") for text in ("30 * * * *", "*/5 * * * *"))
    start, end = at("2026-10-24T23:00Z"), at("2026-10-25T03:00Z")
    times = _until(hourly, start, end)
    assert [found.strftime("%H:%M") for found in times] == ["23:30", "00:30", "01:30", "02:30"]
    assert hourly.last_at(at("2026-10-25T01:30Z"), after=start) == at("2026-10-25T01:30Z")
    assert len(_until(often, start, end)) == 4 * 12


def _until(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    found = []
    for moment in schedule.times_after(start):
        if moment > end:
            break
        found.append(moment)
    return found


CLOCK_CHANGES = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Havana", "2025-11-02"),
    ("America/Havana", "2026-03-08"),
    ("America/St_Johns", "2010-11-07"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("America/Scoresbysund", "2024-03-31"),
    ("Pacific/Apia", "2011-12-30"),
    ("Asia/Kathmandu", "2026-01-01"),
]
_FIELD = st.sampled_from(["*", "*/7", "0", "30", "5-20/3", "1,2,3"])


@settings(max_examples=60, deadline=None)
@given(change=st.sampled_from(CLOCK_CHANGES), minute=_FIELD, hour=st.sampled_from(["*", "*/2", "0", "2", "1-3", "23"]))
def test_due_is_what_the_local_clock_shows(change: tuple[str, str], minute: str, hour: str) -> None:
    zone, day = ZoneInfo(change[0]), datetime.fromisoformat(change[1]).replace(tzinfo=UTC)
    schedule = parse_schedule(f"{minute} {hour} * * *", change[0])
    start, end = day - timedelta(days=1), day + timedelta(days=2)
    every_minute = (start + timedelta(minutes=count) for count in range(1, 3 * 24 * 60 + 1))
    wanted = [
        moment
        for moment in every_minute
        if (local := moment.astimezone(zone)).hour in schedule.hours and local.minute in schedule.minutes
    ]
    assert _until(schedule, start, end) == wanted
    for moment in wanted[:: max(1, len(wanted) // 20)]:
        assert schedule.last_at(moment + timedelta(seconds=30), after=start) == moment


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param("0 0 31 2 *", "is never due", id="31 February"),
        pytest.param("0 0 31 2,4,6,9,11 *", "is never due", id="31st of short months"),
        pytest.param("0 0 30 2 ?", "is never due", id="30 February"),
        pytest.param(", * * * *", "names nothing", id="nothing"),
        pytest.param("1-2-3 * * * *", "must be *, a number", id="two dashes"),
        pytest.param("1/2/3 * * * *", "must be *, a number", id="two steps"),
        pytest.param("*-5 * * * *", "a range needs two numbers", id="star as a bound"),
        pytest.param("-5 * * * *", "must be *, a number", id="negative"),
        pytest.param(" @daily", "must have 5 fields", id="space before a macro"),
        pytest.param("@Daily", "is not one of", id="capital macro"),
        pytest.param("@every", "is not one of", id="no interval"),
        pytest.param("@every 90", "is not a duration", id="no unit"),
        pytest.param("@every  1h", "is not a duration", id="two spaces"),
        pytest.param("@every 1d", "is not a duration", id="days"),
        pytest.param("@every 0s", "longer than nothing", id="nothing long"),
        pytest.param("@every -1h", "longer than nothing", id="backwards"),
        pytest.param("0 0 1,,15 * *", "", id="empty parts are passed over"),
        pytest.param("0 0 * * Mon-fri", "", id="names in any case"),
        pytest.param("00 09 * * *", "", id="leading zeros"),
    ],
)
def test_reading(schedule: str, expected: str) -> None:
    found = schedule_problem(schedule)
    assert expected in found
    assert bool(found) == bool(expected)


@pytest.mark.parametrize("name", sorted(available_timezones() - {"localtime"}))
def test_every_zone_of_iana(name: str) -> None:
    assert time_zone_problem(name) == ""


@pytest.mark.parametrize(
    "name",
    ["EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT", "GB-Eire", "GMT0", "NZ-CHAT", "W-SU", "GMT+0", "Etc/GMT-14", "UCT"],
)
def test_old_zones(name: str) -> None:
    assert time_zone_problem(name) == ""


@pytest.mark.parametrize(
    "name",
    ["Europe/Berln", "Local", "local", "Europe", "../etc/passwd", "/etc/localtime", "localtime", "zone.tab",
     "posix/UTC", "Europe/", "", "Europe/Berlin ", "UTC+1", "Europe/../UTC", "a\0b"],
)  # fmt: skip
def test_no_zones(name: str) -> None:
    assert time_zone_problem(name) == "is not a time zone"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h30m", 5400), ("1.5h", 5400), (".5s", 0.5), ("5.s", 5), ("-10m", -600), ("0", 0), ("+2s", 2), ("1µs", 1e-6),
     ("1m1m", 120), ("300ms", 0.3), ("1h0m0.5s", 3600.5)],
)  # fmt: skip
def test_duration(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "h", "1 h", "1d", "1H", ".s", "1h-5m", "3000000h", "١h", "--1s", "1" * 200 + "s"]
)
def test_no_duration(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_duration(text)
