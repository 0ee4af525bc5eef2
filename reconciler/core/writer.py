"""Every write of the engine: the store, and all who keep something by it and have to hear of each change.

The controllers' queues, the scheduler's tables, the hosts that are to be told anew, the slices. A listener that raises
is heard of as an event and asked again later; the write itself is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.own.config import Host
from policies.scheduling.profiles import Rules
from reconciler.assigning.slices import SliceBook
from reconciler.controllers.base import Change, Controller, Occurrence, Put
from reconciler.controllers.garbage import orphaned_dependents
from reconciler.core.admission import admit_pod
from reconciler.core.assignment_book import AssignmentBook
from reconciler.core.controller_loop import ControllerLoop
from reconciler.core.isolation import Isolation
from reconciler.core.scheduling import SchedulingLoop
from reconciler.figures.pod_metrics import PodMetrics
from reconciler.publishing.events import EventLog
from reconciler.state.host_status import HostStatus
from reconciler.state.pod_state import terminating
from reconciler.state.snapshot import Snapshot, SnapshotWriter
from reconciler.state.store import Changed, Store


class Writer:
    """changed, occurred: all of this step, in order. on_removed: called with the key of each object that is gone."""

    def __init__(self, controllers: Sequence[Controller], rules: Rules) -> None:
        self.store = Store()
        self.events = EventLog()
        self.isolation = Isolation(self.note_event)
        self.loop = ControllerLoop(controllers, self.isolation)
        self.scheduling = SchedulingLoop(rules)
        self.book = AssignmentBook()
        self.slices = SliceBook()
        self.snapshots = SnapshotWriter()
        self._unpublished: list[Changed] = []
        self._is_marking = False
        self.on_removed: Callable[[ObjectKey, datetime], None] = lambda *_: None
        self.now = datetime.min.replace(tzinfo=UTC)
        self.changed: list[Changed] = []
        self.occurred: list[tuple[str, Occurrence]] = []

    def begin(self, now: datetime) -> None:
        """A step begins."""
        self.changed, self.occurred, self.now = [], [], now

    def start_from(self, other: Writer) -> None:
        """What the other one has; nothing was looked at or told yet."""
        self.store, self.slices = other.store.copy(), other.slices.copy()
        self.snapshots, self._unpublished = SnapshotWriter(other.snapshots.snapshot), [*other._unpublished]
        for obj in self.store:
            self.scheduling.observe(Changed(obj.key, None, obj))
        self.mark_all()
        self.mark_hosts()

    def mark_all(self) -> None:
        """All controllers look at everything; from now on, at what changes."""
        self._is_marking = True
        for obj in self.store:
            self.loop.mark(self.store, None, obj)

    def mark_hosts(self) -> None:
        """All hosts are to be told anew, if there is anything new for them."""
        self.book.mark_hosts(host.name for host in self.store.all_of(Host))

    def publish(self) -> Snapshot:
        """All objects as they are now, with the journal of how they came to be that."""
        changed, self._unpublished = self._unpublished, []
        return self.snapshots.publish(changed, version=self.store.version)

    def note_event(self, occurrence: Occurrence, source: str, now: datetime) -> None:
        """source: who says it."""
        self.events.add(occurrence, source=source, now=now)
        self.occurred.append((source, occurrence))

    # --- changes -----------------------------------------------------------------------------------------------------

    def apply(self, change: Change, now: datetime) -> None:
        """What a controller or the scheduler decided. A pod that runs is not removed but told to end."""
        if isinstance(change, Put):
            obj = change.obj
            if isinstance(obj, Pod) and self.store.find(obj.key) is None:
                obj = admit_pod(obj, self.store)
            self.put(obj)
            return
        live = self.store.find(change.key)
        if live is None or (change.uid and live.uid != change.uid):
            return
        is_bound = isinstance(live, Pod) and self.store.get(Host, "", live.spec.node_name) is not None
        if isinstance(live, Pod) and is_bound and not change.is_certain:
            self.put(terminating(live, grace_seconds=change.grace_seconds, now=now))
        else:
            for freed in orphaned_dependents(self.store, live):
                self.apply(freed, now)
            self.remove(change.key, now)

    def put(self, obj: KubeObject) -> None:
        self._note(self.store.put(obj))

    def remove(self, key: ObjectKey, now: datetime) -> None:
        """It is gone, and with it what was seen of it."""
        self.take_out(key)
        if key.kind == Host.KIND:
            self.take_out(ObjectKey(HostStatus.KIND, "", key.name))
        elif key.kind == Pod.KIND:
            self.take_out(ObjectKey(PodMetrics.KIND, key.namespace, key.name))
        self.on_removed(key, now)

    def take_out(self, key: ObjectKey) -> None:
        """Another one takes its place: nothing follows from it."""
        self._note(self.store.remove(key))

    def _note(self, changed: Changed | None) -> None:
        if changed is None:
            return
        self.changed.append(changed)
        self._unpublished.append(changed)
        if isinstance(changed.new or changed.old, HostStatus):
            subnet = changed.new.pod_subnet if isinstance(changed.new, HostStatus) else ""
            self.slices.take(changed.key.name, subnet)
        try:
            self.scheduling.observe(changed)
        except Exception as error:  # noqa: BLE001 - one object's bug must not stop the others; it is said as an event
            self.isolation.fail("scheduler's view", changed.key, error, partial(self._show, changed.key), self.now)
        if self._is_marking or changed.new is None:
            # Until all is marked at once, only what is gone by then has to be marked by itself.
            self.loop.mark(self.store, changed.old, changed.new)
        try:
            self.book.mark(self.store, changed.old, changed.new)
        except Exception as error:  # noqa: BLE001 - whom it concerns is not known: all hosts are looked at
            self.mark_hosts()
            self.isolation.fail("hosts of object", changed.key, error, lambda _: None, self.now)

    def _show(self, key: ObjectKey, _: datetime) -> None:
        """To the scheduler, which could not take in how an object changed."""
        obj = self.store.find(key)
        if obj is not None:
            self.scheduling.observe(Changed(key, None, obj))
