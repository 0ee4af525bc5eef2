"""What a controller is: a pure function from what is observed to what should change.

Every controller is level-driven: called for the keys that a change made dirty, in any order, any number of times, and
after a restart. It reads the view, never remembers, and returns at most one step it can be sure of.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import msgspec

from objects.api.meta import KubeObject, ObjectKey, controller_of
from objects.own.config import ClusterSpec
from reconciler.state.store import View


class Put(msgspec.Struct, frozen=True):
    """Create the object, or replace the one of the same key."""

    obj: KubeObject


class Delete(msgspec.Struct, frozen=True):
    """Ask for an object to go. A bound pod gets a deletion timestamp and leaves when its host shows it gone.

    grace_seconds: None means what the pod says. uid: guards against deleting a successor of the same name.
    is_certain: its host is gone for good (removed from Git, or declared out of service), so nothing is waited for.
    """

    key: ObjectKey
    uid: str
    grace_seconds: int | None = None
    is_certain: bool = False


Change: TypeAlias = Put | Delete


class Occurrence(msgspec.Struct, frozen=True):
    """Something worth an Event on an object: `type` is Normal or Warning, `reason` CamelCase."""

    key: ObjectKey
    type: str
    reason: str
    message: str


class Hold(msgspec.Struct, frozen=True):
    """Why nothing happens although something is wanted: shown in describe, status and plan."""

    reason: str
    message: str
    until: datetime | None = None


class Outcome(msgspec.Struct, frozen=True):
    """Result of one reconcile. Changes are applied together, in order. again_at: look at this key again then."""

    changes: tuple[Change, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
    hold: Hold | None = None
    again_at: datetime | None = None


NOTHING = Outcome()


class Context(msgspec.Struct, frozen=True):
    """What a controller may use besides the view. random: seeded, for names and uids of new objects.

    now: by the clock that nobody sets, for everything that lasts. ahead: how far the machine's clock is ahead of that:
    for times of day.
    """

    now: datetime
    random: random.Random
    settings: ClusterSpec = ClusterSpec()
    ahead: timedelta = timedelta()


KeysFor: TypeAlias = Callable[[View, KubeObject], Iterable[ObjectKey]]
Concerns: TypeAlias = Callable[[View, Any, Any], bool]
"""(view, old, new) → whether a controller has to look when such an object became another; both are there."""
Reconcile: TypeAlias = Callable[[View, ObjectKey, Context], Outcome]


class Controller(msgspec.Struct, frozen=True):
    """name: as events show it (`deployment-controller`).

    watches: kind → which keys a change of such an object makes dirty. concerns: kind → which changes do; a kind that is
    not there: all. What comes or goes always does.
    """

    name: str
    watches: Mapping[str, KeysFor]
    reconcile: Reconcile
    concerns: Mapping[str, Concerns] = {}


def own_key(_view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    """The object's own key: for the kind that a controller is about."""
    return (obj.key,)


def controller_key(_view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    """The key of the object's controller: for kinds that a controller makes."""
    owner = controller_of(obj)
    return () if owner is None else (ObjectKey(owner.kind, obj.namespace, owner.name),)


def owner_key(kind: str) -> KeysFor:
    """Like `controller_key`, for one kind of controller: a Pod of a Job makes no ReplicaSet dirty."""

    def keys(_view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
        owner = controller_of(obj)
        return (ObjectKey(kind, obj.namespace, owner.name),) if owner is not None and owner.kind == kind else ()

    return keys
