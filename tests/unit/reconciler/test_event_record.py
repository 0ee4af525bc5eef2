"""Occurrences become Events, go through the file on the status branch and come back the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from objects.api.meta import ObjectKey
from reconciler.controllers.base import Occurrence
from reconciler.publishing.events import EventLog
from reconciler.status.content import dump
from reconciler.status.event_file import (
    RECORDED,
    as_event,
    events_document,
    merged,
    read_events,
    subject_of,
)

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
WEB = ObjectKey("Deployment", "shop", "web")


def log_of(*said: tuple[ObjectKey, str, float]) -> EventLog:
    """Occurrences as (object, message, seconds before NOW)."""
    log = EventLog()
    for key, message, seconds in said:
        log.add(Occurrence(key, "Normal", "Scaled", message), source="c", now=NOW - timedelta(seconds=seconds))
    return log


def test_what_is_written_is_read_again() -> None:
    log = log_of((WEB, "up", 60), (WEB, "up", 30), (ObjectKey("Host", "", "alpha"), "lost", 10))
    events = read_events(dump(events_document(log)))
    assert events == tuple(map(as_event, log))
    first = events[0]
    assert (subject_of(first), first.namespace, first.count) == (WEB, "shop", 2)
    assert (first.first_timestamp, first.last_timestamp) == (NOW - timedelta(seconds=60), NOW - timedelta(seconds=30))
    assert (subject_of(events[1]), events[1].namespace) == (ObjectKey("Host", "", "alpha"), "default")


def test_only_the_newest_are_recorded() -> None:
    log = log_of(*((WEB, f"event {index}", 1000 - index) for index in range(RECORDED + 5)))
    messages = [event.message for event in read_events(dump(events_document(log)))]
    assert messages == [f"event {index}" for index in range(5, RECORDED + 5)]


def test_a_later_record_of_the_same_replaces_the_earlier() -> None:
    older = [as_event(record) for record in log_of((WEB, "up", 60), (WEB, "down", 50))]
    newer = [as_event(record) for record in log_of((WEB, "up", 20))]
    assert [(event.message, event.last_timestamp) for event in merged(older, newer)] == [
        ("down", NOW - timedelta(seconds=50)),
        ("up", NOW - timedelta(seconds=20)),
    ]


def test_no_file_yet() -> None:
    assert read_events(b"") == ()


def test_what_happened_in_one_moment_is_told_in_its_sequence() -> None:
    told = log_of((WEB, "new to 1", 9), (WEB, "old to 2", 9), (WEB, "new to 2", 9), (WEB, "old to 0", 9))
    events = read_events(dump(events_document(told)))
    assert [event.message for event in merged(events, ())] == ["new to 1", "old to 2", "new to 2", "old to 0"]
