"""Which pending pods are worth another try: those that are new, and those that something happened to help.

Level-driven all the same: who forgets everything and tries every pod again loses time and nothing else. Events are told
by the caller; `host_events` and `pod_events` say what a change is. There is no back-off: pods of one template share
the work of a try, so what is hopeless costs little, and what was helped does not wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from objects.api.core import Node
from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from policies.scheduling.requests import PODS, whole_requests, whole_resources
from policies.scheduling.rules import Event

ANY_EVENT: Final = frozenset(Event)
"""For a pod of which nobody knows what would help."""


class SchedulingQueue:
    """Pending pods by key. due: to be tried now; the others failed, and nothing happened since that could help."""

    def __init__(self) -> None:
        self.due: set[ObjectKey] = set()
        self._waiting: dict[ObjectKey, frozenset[Event]] = {}
        # Many pods wait for the same: what happens is compared once with each sort, not with each pod.
        self._sorts: dict[frozenset[Event], set[ObjectKey]] = {}

    def __bool__(self) -> bool:
        return bool(self.due or self._waiting)

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self.due or key in self._waiting

    def add(self, key: ObjectKey) -> None:
        """The pod is new, or changed itself."""
        self.forget(key)
        self.due.add(key)

    def failed(self, key: ObjectKey, helped_by: frozenset[Event]) -> None:
        """The pod found no host; another try is worth it after one of these events."""
        self.forget(key)
        self._waiting[key] = helped_by
        self._sorts.setdefault(helped_by, set()).add(key)

    def forget(self, key: ObjectKey) -> None:
        """The pod is bound, or gone."""
        self.due.discard(key)
        helped_by = self._waiting.pop(key, None)
        if helped_by is not None:
            self._sorts[helped_by].discard(key)
            if not self._sorts[helped_by]:
                del self._sorts[helped_by]

    def happened(self, events: Iterable[Event]) -> None:
        """Something happened to the cluster."""
        if not self._sorts:
            return
        seen = frozenset(events)
        for helped_by in [sort for sort in self._sorts if not seen.isdisjoint(sort)]:
            keys = self._sorts.pop(helped_by)
            self.due |= keys
            for key in keys:
                del self._waiting[key]


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


_NOTHING: Final[frozenset[Event]] = frozenset()
_ADDED: Final = frozenset((Event.POD_ADDED,))
_REMOVED: Final = frozenset((Event.POD_REMOVED,))


def pod_events(old: Pod | None, new: Pod | None) -> frozenset[Event]:
    """What a change of a pod means for others: it arrived on a host, left one, or its labels changed there."""
    was = old is not None and bool(old.node_name) and not old.is_finished
    is_now = new is not None and bool(new.node_name) and not new.is_finished
    if was and not is_now:
        return _REMOVED
    if is_now and not was:
        return _ADDED
    if old is not None and new is not None and was and old.labels != new.labels:
        return _ADDED | _REMOVED
    return _NOTHING


def _gained(old: Node, new: Node) -> set[str]:
    """Resources of which a host has more than before."""
    before, after = whole_resources(old.status.allocatable), whole_resources(new.status.allocatable)
    return {name for name, amount in after.items() if amount > before.get(name, 0)}


def gained_what_it_asks(pod: Pod, old: Node, new: Node) -> bool:
    """Whether a host has more of something that a pod asks for; room for one more pod is asked by all."""
    asked = {name for name, amount in whole_requests(pod.spec).items() if amount} | {PODS}
    return not asked.isdisjoint(_gained(old, new))
