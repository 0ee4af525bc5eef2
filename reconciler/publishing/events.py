"""The log of occurrences: what `berth events` and `describe` show. In memory, bounded, repeated ones are counted."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import msgspec

from objects.api.meta import ObjectKey
from reconciler.controllers.base import Occurrence

CAPACITY = 5000
"""Enough for an hour of a busy cluster; about 1 MB."""
PUBLISHED = 200
"""So many of the newest are told to readers: a file that a person can still read, and a small one in each commit."""


class EventRecord(msgspec.Struct, frozen=True):
    """An occurrence, how often it was seen, and by whom it was said (a controller's name)."""

    occurrence: Occurrence
    source: str
    count: int
    first_seen: datetime
    last_seen: datetime


class EventLog:
    """Newest last. The same occurrence from the same source moves to the end and counts up."""

    def __init__(self) -> None:
        self._records: OrderedDict[tuple[Occurrence, str], EventRecord] = OrderedDict()
        self._newest: tuple[EventRecord, ...] | None = ()

    @property
    def newest(self) -> tuple[EventRecord, ...]:
        """The newest events, oldest first; the same tuple until there is another one."""
        if self._newest is None:
            self._newest = tuple(islice(reversed(self._records.values()), PUBLISHED))[::-1]
        return self._newest

    def add(self, occurrence: Occurrence, *, source: str, now: datetime) -> None:
        known = self._records.pop((occurrence, source), None)
        first, count = (known.first_seen, known.count) if known else (now, 0)
        self._records[occurrence, source] = EventRecord(occurrence, source, count + 1, first, now)
        self._newest = None
        if len(self._records) > CAPACITY:
            self._records.popitem(last=False)

    def count(self, occurrence: Occurrence, source: str) -> int:
        """How often this was said so far."""
        record = self._records.get((occurrence, source))
        return record.count if record else 0

    def about(self, key: ObjectKey) -> list[EventRecord]:
        """What happened to one object, oldest first."""
        return [record for record in self if record.occurrence.key == key]

    def __iter__(self) -> Iterator[EventRecord]:
        return iter(self._records.values())
