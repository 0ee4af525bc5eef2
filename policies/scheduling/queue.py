"""Which pending pods are worth another try: those that are new, and those that something happened to help.

Level-driven all the same: who forgets everything and tries every pod again loses time and nothing else. Events are told
by the caller; `host_events` and `pod_events` say what a change is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from objects.core import Node
from objects.pods import Pod
from policies.scheduling.placement import Unschedulable
from policies.scheduling.requests import PODS, whole_requests, whole_resources
from policies.scheduling.rules import Event

FIRST_BACKOFF: Final = timedelta(seconds=1)
MOST_BACKOFF: Final = timedelta(seconds=10)
"""As kube-scheduler: long enough not to try a hopeless pod with every event, short enough for people."""


@dataclass
class _Waiting:
    """failures in a row; not_before: back-off; helped: something happened since the last try."""

    helped_by: frozenset[Event]
    failures: int
    not_before: datetime
    helped: bool = False


class SchedulingQueue:
    """Pods that failed, and when they are due again. Pods it does not know are due at once."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    def failed(self, uid: str, why: Unschedulable, now: datetime) -> None:
        """A pod found no host at `now`."""
        known = self._waiting.get(uid)
        failures = known.failures + 1 if known else 1
        backoff = min(FIRST_BACKOFF * 2 ** min(failures - 1, 16), MOST_BACKOFF)
        self._waiting[uid] = _Waiting(why.helped_by, failures, now + backoff)

    def forget(self, uid: str) -> None:
        """The pod is bound, gone, or changed itself: a new try is a first one."""
        self._waiting.pop(uid, None)

    def happened(self, events: Iterable[Event]) -> None:
        """Something happened to the cluster."""
        seen = frozenset(events)
        for waiting in self._waiting.values():
            waiting.helped |= not seen.isdisjoint(waiting.helped_by)

    def is_due(self, uid: str, now: datetime) -> bool:
        waiting = self._waiting.get(uid)
        return waiting is None or (waiting.helped and now >= waiting.not_before)

    def next_due(self) -> datetime | None:
        """When a pod that was helped comes out of its back-off; None when nothing but an event can help."""
        return min((waiting.not_before for waiting in self._waiting.values() if waiting.helped), default=None)


def host_events(old: Node | None, new: Node | None) -> frozenset[Event]:
    """What a change of a host means. Nothing for a host that goes, or that only reports itself again."""
    if new is None:
        return frozenset()
    if old is None:
        return frozenset((Event.HOST_ADDED,))
    events: set[Event] = set()
    if _gained(old, new):
        events.add(Event.CAPACITY_ADDED)
    said = [(node.labels, node.spec, [(c.type, c.status) for c in node.status.conditions]) for node in (old, new)]
    if said[0] != said[1]:
        events.add(Event.HOST_CHANGED)
    return frozenset(events)


def pod_events(old: Pod | None, new: Pod | None) -> frozenset[Event]:
    """What a change of a pod means for others: it arrived on a host, left one, or its labels changed there."""
    was = old is not None and bool(old.node_name) and not old.is_finished
    is_now = new is not None and bool(new.node_name) and not new.is_finished
    if was and not is_now:
        return frozenset((Event.POD_REMOVED,))
    if is_now and not was:
        return frozenset((Event.POD_ADDED,))
    if old is not None and new is not None and was and old.labels != new.labels:
        return frozenset((Event.POD_ADDED, Event.POD_REMOVED))
    return frozenset()


def _gained(old: Node, new: Node) -> set[str]:
    """Resources of which a host has more than before."""
    before, after = whole_resources(old.status.allocatable), whole_resources(new.status.allocatable)
    return {name for name, amount in after.items() if amount > before.get(name, 0)}


def gained_what_it_asks(pod: Pod, old: Node, new: Node) -> bool:
    """Whether a host has more of something that a pod asks for; room for one more pod is asked by all."""
    asked = {name for name, amount in whole_requests(pod.spec).items() if amount} | {PODS}
    return not asked.isdisjoint(_gained(old, new))
