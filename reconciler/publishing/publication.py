"""What the engine publishes after each step: a value, so that any thread may read it for as long as it likes. Pure.

Who wants to know something of the cluster takes the newest publication and asks that; nobody reads what the engine is
writing to, and nobody waits for the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from objects.api.meta import ObjectKey
from reconciler.publishing.events import EventRecord
from reconciler.state.snapshot import Journal, Snapshot

_NONE: Mapping[ObjectKey, str] = MappingProxyType({})


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """All that a step left. journal: how the objects of the snapshot came to be what they are, step by step.

    is_started: before that the objects are incomplete. commit: in force, '' before there is one. inventory, protected,
    kept, alone, held, named: see `reconciler.core.deployed`. withheld: pods that wait for their place to be on the
    status branch. is_ahead: see `Restored`. events: the newest ones, oldest first. recordings: how many `Recording`
    messages were taken in. restored: what an earlier process had deployed.
    """

    snapshot: Snapshot
    journal: Journal
    is_started: bool = False
    commit: str = ""
    inventory: Mapping[ObjectKey, str] = _NONE
    protected: frozenset[str] = frozenset()
    kept: Mapping[ObjectKey, str] = _NONE
    alone: tuple[str, ...] = ()
    held: str = ""
    named: Mapping[ObjectKey, ObjectKey] = MappingProxyType({})
    withheld: frozenset[ObjectKey] = frozenset()
    is_ahead: bool = False
    events: tuple[EventRecord, ...] = ()
    recordings: int = 0
    restored: Mapping[ObjectKey, str] = _NONE


NOTHING = Publication(snapshot=Snapshot(), journal=Journal())
"""Before the first step."""
