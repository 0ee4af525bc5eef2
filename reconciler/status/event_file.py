"""Occurrences as Kubernetes Events: for `berth events`, and for the file on the status branch that outlives a process.

Pure. The file goes along with status commits and never causes one; the newest `RECORDED` events are kept in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from differ.documents.compact_yaml import load
from objects import codec
from objects.api.core import Event, EventSource
from objects.api.meta import (
    DEFAULT_NAMESPACE,
    ObjectKey,
    ObjectMeta,
    ObjectReference,
)
from objects.kinds import BY_KIND
from reconciler.publishing.events import PUBLISHED, EventRecord

EVENTS_PATH: Final = "events.yaml"
RECORDED: Final = PUBLISHED


def as_event(record: EventRecord) -> Event:
    """An occurrence as a core/v1 Event; its name is derived from what it says, so that a repeated one is the same."""
    said, key = record.occurrence, record.occurrence.key
    info = BY_KIND.get(key.kind)
    digest = hashlib.sha256("\0".join((*key, record.source, said.type, said.reason, said.message)).encode()).hexdigest()
    return Event(
        metadata=ObjectMeta(
            name=f"{key.name}.{digest[:16]}",
            namespace=key.namespace or DEFAULT_NAMESPACE,
            creation_timestamp=record.first_seen,
        ),
        involved_object=ObjectReference(
            kind=key.kind,
            namespace=key.namespace,
            name=key.name,
            api_version=info.kind.API_VERSION if info else "",
        ),
        type=said.type,
        reason=said.reason,
        message=said.message,
        source=EventSource(component=record.source),
        count=record.count,
        first_timestamp=record.first_seen,
        last_timestamp=record.last_seen,
    )


def subject_of(event: Event) -> ObjectKey:
    """The object that an event is about."""
    subject = event.involved_object
    return ObjectKey(subject.kind, subject.namespace, subject.name)


def events_document(records: Iterable[EventRecord]) -> dict[str, Any]:
    """The newest events, oldest first, as a List manifest."""
    newest = sorted(records, key=lambda record: record.last_seen)[-RECORDED:]
    return {"apiVersion": "v1", "kind": "List", "items": [codec.encode(as_event(record)) for record in newest]}


def read_events(content: bytes) -> tuple[Event, ...]:
    """What `events_document` wrote. Raises InvalidInput for what is not that."""
    document = load(content) or {}
    events = (codec.decode(item) for item in document.get("items", ()))
    return tuple(event for event in events if isinstance(event, Event))


def merged(*groups: Sequence[Event]) -> tuple[Event, ...]:
    """Events of several sources, each once, in order of when they were last seen; of one moment as they were told.

    One step of the engine is one moment: a rollout that scales up, down and up in it is told in that sequence.
    """
    by_name = {event.key: event for group in groups for event in group}
    return tuple(sorted(by_name.values(), key=lambda event: str(event.last_timestamp)))
