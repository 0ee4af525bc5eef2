"""The engine: messages in, assignments out, no I/O.

`step` brings the store up to date with what was told, runs every controller whose keys became dirty until nothing
changes any more, lets the scheduler bind pending pods, and says what each changed host should run now. It can be killed
between any two instructions: everything it holds is rebuilt from Git, the status branch and the hosts.

What Git wants is put into the store by `wanted`, what hosts say by `host_reports`; what an earlier process knew stands
in `memory`, and every write goes through `writer`. Not here: what a Deployment means (controllers), where a pod fits
(policies), talking to anybody (workers, daemon).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType

import msgspec

from differ.kubelet.assignment import HostAssignment
from objects.api.batch import CronJob
from objects.api.core import Node
from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from objects.own.config import Application, ClusterSpec, Host
from policies.scheduling.profiles import Rules
from reconciler.controllers.base import Change, Context, Controller, Hold, Occurrence, Outcome, Put
from reconciler.controllers.node.lifecycle import hosts_that_may_hold_unrecorded
from reconciler.core.adoption import owners_as_found
from reconciler.core.deployed import Deployed
from reconciler.core.health import application_health, summarised
from reconciler.core.host_reports import HostReports
from reconciler.core.isolation import INTERNAL_ERROR, Isolation, Task
from reconciler.core.memory import Memory
from reconciler.core.scheduling import PlacementFailed
from reconciler.core.wanted import Wanted
from reconciler.core.write_ahead import Records, must_wait, places_of
from reconciler.core.writer import Writer
from reconciler.figures.pod_metrics import answer_objects, measured_objects, outdated_answers
from reconciler.publishing.events import EventLog
from reconciler.publishing.publication import NOTHING, Publication
from reconciler.state.autoscaled import sizes_as_found
from reconciler.state.copies import stand_in
from reconciler.state.drift import drift_by_application
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import (
    Desired,
    HostFailures,
    HostMeasured,
    HostReport,
    HostSilent,
    Message,
    QueriesAnswered,
    Recorded,
    Recording,
    Restored,
)
from reconciler.state.store import Changed, Store

_PLACING = "placing of pods"
CALENDAR_MOVED = timedelta(seconds=1)
"""Schedules are looked at anew when the machine's clock was set by this much."""


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """assignments: by host, only those that differ from the last ones. changed: every write, in order.

    occurred: what is worth an event, with who says it. wake_at: when the engine wants to be called again although
    nothing is told.
    """

    assignments: dict[str, HostAssignment]
    changed: tuple[Changed, ...]
    occurred: tuple[tuple[str, Occurrence], ...]
    wake_at: datetime | None


class Engine:
    """Single owner: all calls from one thread."""

    def __init__(
        self,
        controllers: Sequence[Controller],
        *,
        source: random.Random,
        rules: Rules | None = None,
        is_observer: bool = False,
        heals_all: bool = False,
        writes_ahead: bool = False,
    ) -> None:
        """rules: what scheduler profiles may name; ours when None.

        is_observer: only statuses are brought up to date; nothing is made, deleted or bound (`berth get`).
        writes_ahead: somebody records what must not be done twice, and says so (`Recorded`); hosts wait for that.
        heals_all: drift is put right in every Application, because a person asked for it (`berth apply`).
        """
        self.is_observer = is_observer
        self.heals_all = heals_all
        self.writes_ahead = writes_ahead
        self._random = source
        self._rules = rules or Rules()
        self._writer = Writer(controllers, self._rules)
        self._memory = Memory()
        self._wanted = Wanted(self._writer, self._memory)
        self._reports = HostReports(self._writer, self._wanted, self._memory, is_observer=is_observer)
        self._ahead = timedelta()
        self._records = Records()
        self._inventory: dict[ObjectKey, str] = {}
        self.published = NOTHING
        """What the last step left, for any thread."""

    # --- the step ------------------------------------------------------------------------------------------------

    def step(self, messages: Iterable[Message], now: datetime, *, ahead: timedelta = timedelta()) -> StepResult:
        """Take in `messages`, decide until nothing changes, return what is new. Any number of messages, also none.

        now: by a clock that nobody sets. ahead: how far the calendar's time is ahead of it.
        """
        writer = self._writer
        writer.begin(now)
        self._follow_calendar(ahead)
        self.isolation.retry_due(now)
        for message in messages:
            self._hear(message, now)
        if self._may_start():
            self._start(now)
        if self.is_started:
            # Who only looks never sets a size: what hosts show is all that there is to know of it.
            self._find_owners(are_all=self.is_observer)
            if not self.is_observer:
                self._wanted.give_volumes_up()
            if not self.deployed.is_pruned:
                self._prune(now)
            self._settle(now)
            if self._wanted.is_named_freed:
                self._prune(now)
                self._settle(now)
        # Before the start, and for an observer, there are none: workers then only look.
        assignments = self._assignments(now) if self.is_started and not self.is_observer else {}
        self._publish()
        return StepResult(
            assignments=assignments,
            changed=tuple(writer.changed),
            occurred=tuple(writer.occurred),
            wake_at=min((at for at in (writer.loop.wake_at, self.isolation.next_at) if at is not None), default=None),
        )

    def _assignments(self, now: datetime) -> dict[str, HostAssignment]:
        waits = (
            partial(must_wait, self.store, recorded=self._records.places) if self.writes_ahead else (lambda _: False)
        )
        lenient = None if self.heals_all else self.inventory
        return self._writer.book.write(self.store, self.settings, lenient, self.isolation, now, must_wait=waits)

    def _publish(self) -> None:
        deployed, last = self.deployed, self.published
        inventory = last.inventory
        if deployed.inventory is not self._inventory or len(inventory) != len(deployed.inventory):
            # It is replaced, or added to.
            self._inventory, inventory = deployed.inventory, MappingProxyType(dict(deployed.inventory))
        snapshot = self._writer.publish()
        self.published = Publication(
            snapshot=snapshot,
            journal=self._writer.snapshots.journal,
            is_started=self.is_started,
            commit=self._commit,
            inventory=inventory,
            protected=deployed.protected,
            kept=deployed.kept,
            alone=tuple(deployed.alone),
            held=deployed.held,
            named=deployed.named,
            withheld=frozenset(self._writer.book.withheld),
            is_ahead=self.is_ahead,
            events=self.events.newest,
            recordings=self._records.announced,
            restored=self._memory.inventory,
        )

    @property
    def _commit(self) -> str:
        return self.desired.commit if self.desired else ""

    # --- what is known -----------------------------------------------------------------------------------------------

    @property
    def store(self) -> Store:
        """Everything that is known, by key. Written by `step` alone."""
        return self._writer.store

    @property
    def events(self) -> EventLog:
        return self._writer.events

    @property
    def isolation(self) -> Isolation:
        """What failed and is tried again."""
        return self._writer.isolation

    @property
    def desired(self) -> Desired | None:
        """The commit in force; None before the first."""
        return self._wanted.desired

    @property
    def settings(self) -> ClusterSpec:
        """Of the Cluster in Git."""
        return self._wanted.settings

    @property
    def deployed(self) -> Deployed:
        return self._wanted.deployed

    @property
    def is_started(self) -> bool:
        """Whether everything that can be known is known: Git was read and each host answered or was found silent."""
        return self._wanted.is_started

    @property
    def now(self) -> datetime:
        """The time of the last step."""
        return self._writer.now

    @property
    def inventory(self) -> dict[ObjectKey, str]:
        """What is deployed from Git: key → Application."""
        return self.deployed.inventory

    def summarise_applications(self) -> None:
        """Write health and revision of every Application: for those who are about to look, not at every step."""
        healths = application_health(self.store, self.inventory)
        drift = drift_by_application(self.store, self.inventory)
        for application in summarised(self.store.all_of(Application), healths, drift, commit=self._commit):
            self._writer.put(application)

    @property
    def withheld(self) -> list[ObjectKey]:
        """Pods that wait for their place to be on the status branch."""
        return self._writer.book.withheld

    def will_record(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, str]:
        """The places of these objects, about to be recorded as they are now: what the branch has of them ends here.

        As a `Recording` says it, for who records what the store has at this moment.
        """
        keys = tuple(keys)
        places = places_of(obj for key in keys if (obj := self.store.find(key)) is not None)
        self._records.replace(keys, places)
        return places

    @property
    def is_ahead(self) -> bool:
        """Whether whatever must not be done twice was recorded before it was begun, by us and all before us."""
        return self.writes_ahead and self.is_started and not hosts_that_may_hold_unrecorded(self.store)

    @property
    def holds(self) -> dict[Task, Hold]:
        """Why something that is wanted does not happen: (controller or other part, key) → reason."""
        held = {
            ("pod on its host", obj.key): Hold(INTERNAL_ERROR, f"host {status.name} leaves it as it is: {why}")
            for status in self.store.all_of(HostStatus)
            for uid, why in status.held.items()
            if (obj := self.store.by_uid(uid)) is not None
        }
        why = "its place has to be on the status branch before its host may begin: it must never run twice"
        withheld = {("write-ahead", key): Hold("NotRecordedYet", why) for key in self._writer.book.withheld}
        return {**self._writer.loop.holds, **self.isolation.holds, **held, **withheld}

    def assignment(self, host: str) -> HostAssignment | None:
        """What `host` was last told to run."""
        return self._writer.book.find(host)

    @property
    def unheard_hosts(self) -> list[str]:
        """Hosts that neither answered nor were found silent since the start."""
        return [host.name for host in self.store.all_of(Host) if host.name not in self._reports.heard]

    def last_known_pods(self, host: str) -> list[Pod]:
        """The pods of a host with what was last said of them: by this process, else by the one before."""
        return [*{**self._memory.pods_on(host), **{pod.uid: pod for pod in self.store.pods_on(host)}}.values()]

    def _may_start(self) -> bool:
        return not self.is_started and self.desired is not None and not self.unheard_hosts

    def _start(self, now: datetime) -> None:
        """Everything that can be known is known: adopt, and let the controllers begin."""
        self._wanted.is_started = True
        if self._memory.restored is not None:
            self._restore(self._memory.restored, now)
        self._reports.adopted = self.store.all_of(Pod)
        self._find_owners(are_all=True)
        for obj in [*sizes_as_found(self.store, self._wanted.sizes)]:
            self._writer.put(obj)
        self._writer.mark_all()
        self._memory.forget(self.store)

    def _restore(self, restored: Restored, now: datetime) -> None:
        """Objects of an earlier process."""
        for obj in restored.objects:
            if isinstance(obj, Pod):
                self._reports.take_remembered(obj, now)
            else:
                self._wanted.bring_back(obj, now)
        for key, why in restored.unread.items():
            if key not in self._wanted.objects and self.store.find(key) is None:
                self._writer.put(stand_in(key, why))

    def _find_owners(self, *, are_all: bool) -> None:
        for owner in owners_as_found(self.store, self._reports.adopted, are_all=are_all):
            self._writer.put(owner)
        self._reports.adopted = []

    def _prune(self, now: datetime) -> None:
        prune = self._wanted.hide_gone if self.is_observer else self._wanted.prune
        self.isolation.run("pruning", self.cluster_key, prune, now)

    def fork(self, source: random.Random) -> Engine:
        """An acting engine that starts from what this one knows: what `plan` tries a commit on."""
        twin = Engine(self._writer.loop.controllers, source=source, rules=self._rules)
        twin._memory = self._memory.copy()
        twin._wanted = Wanted(twin._writer, twin._memory)
        twin._wanted.start_from(self._wanted)
        twin._reports = HostReports(twin._writer, twin._wanted, twin._memory, is_observer=False)
        twin._reports.heard = set(self._reports.heard)
        twin._writer.start_from(self._writer)
        return twin

    # --- messages ------------------------------------------------------------------------------------------------

    def _hear(self, message: Message, now: datetime) -> None:
        """Take a message in. One that raises is kept until a newer one of its kind takes its place, and tried again."""
        part = f"message {type(message).__name__}"
        host: str = getattr(message, "host", "")
        key = ObjectKey(Host.KIND, "", host) if host else self.cluster_key
        try:
            self._absorb(message, now)
        except Exception as error:  # noqa: BLE001 - one message's bug must not stop the others; it is said as an event
            self.isolation.fail(part, key, error, partial(self._absorb, message), now)
        else:
            self.isolation.forget(part, key)

    @property
    def cluster_key(self) -> ObjectKey:
        """What is held of the cluster as a whole is held under this name."""
        return self._wanted.cluster_key

    def _absorb(self, message: Message, now: datetime) -> None:
        match message:
            case Restored():
                self._memory.take(message)
                self._records.places = places_of(message.objects)
                self._writer.slices.remember(message.subnets)
                self.deployed.restore(message)
            case Recorded():
                self._records.places.update(message.places)
                withheld = (self.store.find(key) for key in self._writer.book.withheld)
                self._writer.book.mark_hosts(pod.spec.node_name for pod in withheld if isinstance(pod, Pod))
            case Recording():
                self._records.announce(message)
            case Desired():
                self._wanted.take(message, now)
            case HostReport():
                self._reports.take_report(message, now)
            case HostMeasured():
                for obj in measured_objects(self.store, message):
                    self._writer.put(obj)
            case HostFailures():
                self._reports.take_failures(message)
            case QueriesAnswered():
                for answer in answer_objects(self.store, message):
                    self._writer.put(answer)
                for key in [*outdated_answers(self.store, message)]:
                    self._writer.remove(key, now)
            case HostSilent():
                self._reports.take_silence(message, now)

    # --- deciding ------------------------------------------------------------------------------------------------

    def _follow_calendar(self, ahead: timedelta) -> None:
        """When the machine's clock was set, schedules are due at other times."""
        if abs(ahead - self._ahead) >= CALENDAR_MOVED:
            self._ahead = ahead
            for cron_job in self.store.all_of(CronJob):
                self._writer.loop.mark(self.store, cron_job, cron_job)

    def _settle(self, now: datetime) -> None:
        """Controllers and scheduler in turn until neither changes anything."""
        loop = self._writer.loop
        loop.mark_due(now)
        context = Context(now=now, random=self._random, settings=self.settings, ahead=self._ahead)
        rounds: dict[Task, int] = {}
        while True:
            loop.run(self.store, context, lambda name, outcome: self._carry_out(name, outcome, now), rounds)
            if not self.is_observer:
                self._schedule(now)
            if loop.is_idle:
                return

    def _carry_out(self, controller: str, outcome: Outcome, now: datetime) -> None:
        for change in outcome.changes:
            if not self.is_observer or self._is_status_only(change):
                self._writer.apply(change, now)
        for occurrence in outcome.occurrences if not self.is_observer else ():
            self._writer.note_event(occurrence, controller, now)

    def _schedule(self, now: datetime) -> None:
        """Place what is pending. A pod whose placing raises is left out until its time has come; the others are not."""
        known = self.isolation.keys(_PLACING)
        waiting = {key for key in known if self.isolation.is_waiting(_PLACING, key, now)}
        if self.cluster_key in waiting:
            return
        if known - waiting:
            self._writer.scheduling.ask_again()
        failure: PlacementFailed | None = None
        try:
            for change, occurrence in self._writer.scheduling.place(self.store, self.settings, now, without=waiting):
                self._writer.apply(change, now)
                if occurrence is not None:
                    self._writer.note_event(occurrence, "scheduler", now)
        except PlacementFailed as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - a plug-in's bug holds placements; what runs must be looked after
            failure = PlacementFailed((), error)
        failed = () if failure is None else failure.pods or (self.cluster_key,)
        for key in known - waiting - set(failed):
            self.isolation.forget(_PLACING, key)
        for key in failed:
            assert failure is not None
            self.isolation.fail(_PLACING, key, failure, None, now)

    def _is_status_only(self, change: Change) -> bool:
        if not isinstance(change, Put):
            return False
        live = self.store.find(change.obj.key)
        if live is None or isinstance(change.obj, Node):
            # A Node follows from its Host and from looks, its taints too: what the status branch says of it is older.
            return isinstance(change.obj, Node)
        return getattr(live, "spec", None) == getattr(change.obj, "spec", None)
