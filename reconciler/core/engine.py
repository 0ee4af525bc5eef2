"""The engine: messages in, assignments out, no I/O.

`step` brings the store up to date with what was told, runs every controller whose keys became dirty until nothing
changes any more, lets the scheduler bind pending pods, and says what each changed host should run now. It can be killed
between any two instructions: everything it holds is rebuilt from Git, the status branch and the hosts.

Not here: what a Deployment means (controllers), where a pod fits (policies), talking to anybody (workers, daemon).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from differ.kubelet.assignment import HostAssignment
from objects.api.batch import CronJob, Job
from objects.api.core import Node
from objects.api.meta import (
    Condition,
    KubeObject,
    ObjectKey,
    controller_of,
)
from objects.api.pods import Pod, PodStatus
from objects.api.storage import PersistentVolume, PersistentVolumeClaim
from objects.conditions import OUT_OF_SYNC
from objects.errors import BerthError
from objects.names import ANNOTATION_APPLICATION
from objects.observation.host import HostFacts
from objects.own.config import (
    Application,
    ApplicationStatus,
    ClusterSpec,
    Host,
)
from policies.host_support import refusal_of
from policies.scheduling.profiles import Rules
from reconciler.assigning.addresses import Slice, slice_for_host
from reconciler.assigning.slices import SliceBook
from reconciler.controllers.base import Change, Context, Controller, Delete, Hold, Occurrence, Outcome, Put
from reconciler.controllers.garbage import orphaned_dependents, orphaning
from reconciler.controllers.node.lifecycle import hosts_that_may_hold_unrecorded
from reconciler.controllers.volumes.binding import marked_for_giving_up
from reconciler.core.admission import admit_pod
from reconciler.core.adoption import (
    is_fragment,
    is_from_git,
    made_whole,
    owners_as_found,
)
from reconciler.core.assignment_book import AssignmentBook
from reconciler.core.controller_loop import ControllerLoop
from reconciler.core.deployed import Deployed
from reconciler.core.events import EventLog
from reconciler.core.health import HEALTHY, HealthStatus, application_health
from reconciler.core.isolation import Isolation, Task
from reconciler.core.named_configuration import frees_any, named_configuration
from reconciler.core.scheduling import PlacementFailed, SchedulingLoop
from reconciler.core.write_ahead import must_wait, place_of, places_of
from reconciler.figures.pod_metrics import (
    PodMetrics,
    answer_objects,
    measured_objects,
    outdated_answers,
)
from reconciler.state import desired as desiring
from reconciler.state.autoscaled import Sizes, autoscaled_sizes, sizes_as_found
from reconciler.state.copies import find_stand_in, stand_in
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
    Remembered,
    Restored,
)
from reconciler.state.pod_state import (
    terminating,
    with_past,
    with_reported_status,
    with_same_address,
    without_address,
)
from reconciler.state.store import Changed, Store

INTERNAL_ERROR = BerthError.reason
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
        self.store = Store()
        self.events = EventLog()
        self.desired: Desired | None = None
        self.deployed = Deployed()
        self.settings = ClusterSpec()
        self.is_started = False
        self.is_observer = is_observer
        self.heals_all = heals_all
        self.isolation = Isolation(self._note_event)
        self._now = datetime.min.replace(tzinfo=UTC)
        self._ahead = timedelta()
        self.writes_ahead = writes_ahead
        self._recorded: dict[ObjectKey, str] = {}
        self._loop = ControllerLoop(controllers, self.isolation)
        self._random = source
        self._rules = rules or Rules()
        self._scheduling = SchedulingLoop(self._rules)
        self._book = AssignmentBook()
        self._slices = SliceBook()
        self._wanted: dict[ObjectKey, KubeObject] = {}
        self._sizes: Sizes = {}
        self._restored: Restored | None = None
        # Its pods by uid, and those by host.
        self._restored_pods: dict[str, Pod] = {}
        self._restored_on: dict[str, dict[str, Pod]] = {}
        self._remembered: dict[ObjectKey, Remembered] = {}
        self._heard: set[str] = set()
        # Jobs that did not exist before: all their pods were made here, and one that turns up is of an earlier Job.
        self._begun_jobs: set[ObjectKey] = set()
        # Names of PersistentVolumes that commits gave up, until they are known.
        self._given_up: set[str] = set()
        self._adopted: list[Pod] = []
        self._changed: list[Changed] = []
        self._occurred: list[tuple[str, Occurrence]] = []

    # --- the step ------------------------------------------------------------------------------------------------

    def step(self, messages: Iterable[Message], now: datetime, *, ahead: timedelta = timedelta()) -> StepResult:
        """Take in `messages`, decide until nothing changes, return what is new. Any number of messages, also none.

        now: by a clock that nobody sets. ahead: how far the calendar's time is ahead of it.
        """
        self._changed, self._occurred, self._now = [], [], now
        self._follow_calendar(ahead)
        self.isolation.retry_due(now)
        for message in messages:
            self._hear(message, now)
        if self._may_start():
            self._start(now)
        if self.is_started:
            # Who only looks never sets a size: what hosts show is all that there is to know of it.
            self._find_owners(are_all=self.is_observer)
            self._give_volumes_up()
            if not self.deployed.is_pruned:
                self.isolation.run("pruning", self.cluster_key, self._prune, now)
            self._settle(now)
            if frees_any(self._changed, self.deployed.named.values()):
                self.isolation.run("pruning", self.cluster_key, self._prune, now)
                self._settle(now)
        return StepResult(
            # Before the start, and for an observer, there are none: workers then only look.
            assignments=self._assignments(now) if self._may_act else {},
            changed=tuple(self._changed),
            occurred=tuple(self._occurred),
            wake_at=min((at for at in (self._loop.wake_at, self.isolation.next_at) if at is not None), default=None),
        )

    def _assignments(self, now: datetime) -> dict[str, HostAssignment]:
        waits = partial(must_wait, self.store, recorded=self._recorded) if self.writes_ahead else (lambda _: False)
        return self._book.write(self.store, self.settings, self._lenient, self.isolation, now, must_wait=waits)

    @property
    def now(self) -> datetime:
        """The time of the last step."""
        return self._now

    @property
    def inventory(self) -> dict[ObjectKey, str]:
        """What is deployed from Git: key → Application."""
        return self.deployed.inventory

    def summarise_applications(self) -> None:
        """Write health and revision of every Application: for those who are about to look, not at every step."""
        healths = application_health(self.store, self.inventory)
        drift = drift_by_application(self.store, self.inventory)
        commit = self.desired.commit if self.desired else ""
        for application in self.store.all_of(Application):
            health = healths.get(application.name, HEALTHY)
            claim = "True" if health.status is HealthStatus.HEALTHY else "False"
            condition = Condition(type="Healthy", status=claim, reason=str(health.status), message=health.message)
            altered = drift.get(application.name, "")
            synced = Condition(type="Synced", status="True")
            if altered:
                synced = Condition(type="Synced", status="False", reason=OUT_OF_SYNC, message=altered)
            conditions = (condition, synced) if altered or not application.spec.self_heal else (condition,)
            status = ApplicationStatus(revision=commit, health=str(health.status), conditions=conditions)
            self._put(msgspec.structs.replace(application, status=status))

    @property
    def withheld(self) -> list[ObjectKey]:
        """Pods that wait for their place to be on the status branch."""
        return self._book.withheld

    def will_record(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, str]:
        """The places of these objects, about to be recorded as they are now: what the branch has of them ends here."""
        places: dict[ObjectKey, str] = {}
        for key in keys:
            place = place_of(self.store.find(key))
            if self._recorded.get(key, "") != place:
                self._recorded.pop(key, None)
            if place:
                places[key] = place
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
        withheld = {("write-ahead", key): Hold("NotRecordedYet", why) for key in self._book.withheld}
        return {**self._loop.holds, **self.isolation.holds, **held, **withheld}

    def assignment(self, host: str) -> HostAssignment | None:
        """What `host` was last told to run."""
        return self._book.find(host)

    @property
    def unheard_hosts(self) -> list[str]:
        """Hosts that neither answered nor were found silent since the start."""
        return [host.name for host in self.store.all_of(Host) if host.name not in self._heard]

    def last_known_pods(self, host: str) -> list[Pod]:
        """The pods of a host with what was last said of them: by this process, else by the one before."""
        before = self._restored_on.get(host, {})
        return list((before | {pod.uid: pod for pod in self.store.pods_on(host)}).values())

    @property
    def _restored_subnets(self) -> Mapping[str, str]:
        return self._restored.subnets if self._restored else {}

    @property
    def _lenient(self) -> dict[ObjectKey, str] | None:
        return None if self.heals_all else self.inventory

    @property
    def _may_act(self) -> bool:
        return self.is_started and not self.is_observer

    def _may_start(self) -> bool:
        return not self.is_started and self.desired is not None and not self.unheard_hosts

    def _start(self, now: datetime) -> None:
        """Everything that can be known is known: adopt, and let the controllers begin."""
        self.is_started = True
        if self._restored is not None:
            self._restore_from_status(self._restored, now)
        self._adopted = self.store.all_of(Pod)
        self._find_owners(are_all=True)
        for obj in [*sizes_as_found(self.store, self._sizes)]:
            self._put(obj)
        for obj in self.store:
            self._loop.mark(self.store, None, obj)
        self._forget_restored()

    def _forget_restored(self) -> None:
        """What was restored is in the store by now; of the rest only sizes and slices may be asked for again."""
        if self._restored is not None:
            sizes = {key: memory for key, memory in self._remembered.items() if key.kind == "HorizontalPodAutoscaler"}
            self._restored = msgspec.structs.replace(
                self._restored, objects=(), remembered=sizes, kept={}, copies={}, unread={}
            )

    def _find_owners(self, *, are_all: bool) -> None:
        for owner in owners_as_found(self.store, self._adopted, are_all=are_all):
            self._put(owner)
        self._adopted = []

    def _give_volumes_up(self) -> None:
        """Mark those that a commit names; their claims let go of them when no pod uses them (`controllers.claims`)."""
        for name in sorted(self._given_up) if not self.is_observer else ():
            volume = self.store.get(PersistentVolume, "", name)
            if volume is not None:
                self._put(marked_for_giving_up(volume))
                self._given_up.discard(name)

    def _restore_from_status(self, restored: Restored, now: datetime) -> None:
        """Objects of an earlier process. Of pods those on silent hosts and those that wait: others are seen or gone.

        And those that have ended: their containers may be gone (evicted, or tidied away by somebody, or with their
        host), and nobody may start them again.
        """
        silent = {one.name for one in self.store.all_of(HostStatus) if not one.reachable or not one.was_observed}
        for obj in restored.objects:
            live = self.store.find(obj.key)
            if isinstance(obj, Pod) and isinstance(live, Pod) and live.uid == obj.uid:
                live = with_past(live, obj)
                self._put(live)
            if not isinstance(obj, Pod) or not obj.spec.node_name:
                if live is None:
                    memory = restored.remembered.get(obj.key)
                    self._put(obj if obj.uid else desiring.stored_form(self.store, obj, memory, now=now))
            elif isinstance(live, Pod) and live.spec.node_name:
                continue
            elif obj.spec.node_name in silent or obj.is_finished:
                self._adopt(obj, obj.spec.node_name, now)
        for key, why in restored.unread.items():
            if key not in self._wanted and self.store.find(key) is None:
                self._put(stand_in(key, why))

    def fork(self, source: random.Random) -> Engine:
        """An acting engine that starts from what this one knows: what `plan` tries a commit on."""
        twin = Engine(self._loop.controllers, source=source, rules=self._rules)
        twin.store = self.store.copy()
        twin.desired, twin.settings, twin.is_started = self.desired, self.settings, self.is_started
        twin._wanted, twin.deployed, twin._sizes = dict(self._wanted), self.deployed.copy(), self._sizes
        twin._restored, twin._heard = self._restored, set(self._heard)
        twin._restored_pods, twin._restored_on = self._restored_pods, self._restored_on
        twin._remembered, twin._begun_jobs = dict(self._remembered), set(self._begun_jobs)
        twin._given_up, twin._slices = set(self._given_up), self._slices.copy()
        for obj in twin.store:
            twin._scheduling.observe(Changed(obj.key, None, obj))
            twin._loop.mark(twin.store, None, obj)
        twin._book.mark_hosts(host.name for host in twin.store.all_of(Host))
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
        return desiring.cluster_of(self.desired.objects if self.desired else ()).key

    def _absorb(self, message: Message, now: datetime) -> None:
        match message:
            case Restored():
                self._restored = message
                self._restored_pods = {obj.uid: obj for obj in message.objects if isinstance(obj, Pod)}
                self._restored_on = {}
                for pod in self._restored_pods.values():
                    self._restored_on.setdefault(pod.spec.node_name, {})[pod.uid] = pod
                self._remembered = dict(message.remembered)
                self._recorded = places_of(message.objects)
                self._slices.remember(message.subnets)
                self.deployed.restore(message)
            case Recorded():
                self._recorded.update(message.places)
                withheld = (self.store.find(key) for key in self._book.withheld)
                self._book.mark_hosts(pod.spec.node_name for pod in withheld if isinstance(pod, Pod))
            case Desired():
                self._take_desired(message, now)
            case HostReport():
                self._take_report(message, now)
            case HostMeasured():
                for obj in measured_objects(self.store, message):
                    self._put(obj)
            case HostFailures():
                self._take_failures(message)
            case QueriesAnswered():
                for answer in answer_objects(self.store, message):
                    self._put(answer)
                for key in [*outdated_answers(self.store, message)]:
                    self._remove(key, now)
            case HostSilent():
                self._take_silence(message, now)

    def _take_desired(self, message: Desired, now: datetime) -> None:
        in_force = self.desired.commit if self.desired else self._restored.commit if self._restored else ""
        application_of = self.desired.application if self.desired else {}
        brought = {key: application_of.get(key, "") for key in self._wanted if self.store.find(key) is not None}
        settings = desiring.cluster_of(message.objects).spec
        suspended = desiring.suspended_applications(message.objects)
        wanted = {
            obj.key: desiring.with_notes(obj, message.application.get(obj.key, ""))
            for obj in message.objects
            if message.application.get(obj.key, "") not in suspended or isinstance(obj, Application)
        }
        remembered = self._restored.remembered if self._restored else {}
        sizes = autoscaled_sizes(message.objects, remembered)
        # From here on nothing raises: a commit is in force as a whole or not at all.
        self.deployed.take(message, in_force=in_force, brought=brought, wanted=wanted)
        self.desired, self.settings, self._wanted, self._sizes = message, settings, wanted, sizes
        self._given_up |= message.given_up
        for key in wanted:
            self.isolation.run("desired object", key, partial(self._want_again, key), now)
        for host in self.store.all_of(Host):
            if host.spec.pod_cidr:
                self._slices.reserve(host.name, host.spec.pod_cidr)
        self._book.mark_hosts(host.name for host in self.store.all_of(Host))

    def _want_again(self, key: ObjectKey, now: datetime) -> None:
        """What the commit in force says of an object, if it still says anything."""
        desired = self._wanted.get(key)
        if desired is not None:
            self._want(desired, now)

    def _want(self, desired: KubeObject, now: datetime) -> None:
        if (unread := find_stand_in(self.store, desired.key)) is not None and unread.key != desired.key:
            self._note(self.store.remove(unread.key))
        live = self.store.find(desired.key)
        if live is not None and desiring.is_other_pod(live, desired):
            self._apply(Delete(live.key, live.uid), now)
            return
        # Once: what is taken out of Git and comes back is another one, and has done nothing yet.
        memory = self._remembered.pop(desired.key, None)
        stored = desiring.stored_form(self.store, desired, memory, now=now, sizes=self._sizes)
        if isinstance(stored, Job) and live is None and memory is None and self.is_started:
            self._begun_jobs.add(stored.key)
        self._put(admit_pod(stored, self.store) if isinstance(stored, Pod) and live is None else stored)

    def _prune(self, now: datetime) -> None:
        """Delete what was deployed from Git and is gone from it, as far as policy and budget allow."""
        assert self.desired is not None, "a commit was taken in, or a pod found that is to be judged by one"
        named = named_configuration(self.store, self.deployed.leaving(self.desired))
        plan = self.deployed.prune(self.desired, self.settings, named=named)
        if self.is_observer:
            # What goes is not shown any more; its pods are, as long as hosts have them.
            for key in plan.delete:
                if key.kind != Pod.KIND and (live := self._find_deployed(key)) is not None:
                    self._remove(live.key, now)
            self.deployed.inventory |= {key: self.desired.application.get(key, "") for key in self._wanted}
            return
        for key in plan.delete:
            self._remembered.pop(key, None)
            live = self._find_deployed(key)
            if live is not None:
                if self.deployed.goes_alone(key):
                    live = orphaning(live)
                    self._put(live)
                self._apply(Delete(live.key, live.uid), now)
        self.deployed.settle(plan, self._wanted, is_there=lambda key: self._find_deployed(key) is not None)

    def _find_deployed(self, key: ObjectKey) -> KubeObject | None:
        """An object from Git, or what stands for it when nobody knows any more what it is."""
        return self.store.find(key) or find_stand_in(self.store, key)

    def _take_report(self, message: HostReport, now: datetime) -> None:
        self._heard.add(message.host)
        known = self.store.get(HostStatus, "", message.host)
        if refusal_of(message.facts) is not None:
            self._take_refusal(message, known or self._unseen(message.host), now)
            return
        of_network = self._slice_for(message, known)
        status = HostStatus(
            metadata=desiring.named(message.host),
            facts=message.facts,
            reachable=True,
            pod_subnet=of_network.subnet,
            network_reason=of_network.reason,
            network_message=of_network.message,
            foreign=message.foreign,
            is_reclaiming=message.is_reclaiming,
            reclaimed_at=now if known and known.is_reclaiming else known.reclaimed_at if known else None,
            failures=known.failures if known else (),
            held=dict(message.held),
            network_problem=message.network_problem,
            measured_at=known.measured_at if known else None,
        )
        self._put(status)
        here = {pod.uid: pod for pod in self.store.pods_on(message.host)}
        for uid, reported in message.statuses.items():
            if uid in here:
                self._take_status(here[uid], reported, now)
        for uid in message.gone:
            if uid in here:
                self._remove(here[uid].key, now)
        if self.is_observer or (known is not None and not known.was_observed):
            self._forget_unseen(message, here.values(), now)
        for pod in message.unknown:
            self.isolation.run("pod found on its host", pod.key, partial(self._take_found, pod, message.host), now)
        for uid, why in message.held.items() if known is None or known.held != message.held else ():
            obj = self.store.by_uid(uid)
            key = obj.key if obj is not None else ObjectKey(Host.KIND, "", message.host)
            text = f"pod {uid} is left as it is: {why}"
            self._note_event(Occurrence(key, "Warning", INTERNAL_ERROR, text), f"host/{message.host}", now)
        self._note_pod_events(message, now)

    def _note_pod_events(self, message: HostReport, now: datetime) -> None:
        for happened in message.pod_events if not self.is_observer else ():
            said = Occurrence(happened.pod, happened.type, happened.reason, happened.message)
            self._note_event(said, f"host/{message.host}", now)

    def _take_refusal(self, message: HostReport, known: HostStatus, now: datetime) -> None:
        """A host that answers and is refused: what it is, is known; of its pods and volumes it says nothing."""
        volumes = known.facts or HostFacts()
        facts = msgspec.structs.replace(
            message.facts, claim_volumes=volumes.claim_volumes, pod_volumes=volumes.pod_volumes
        )
        self._put(
            msgspec.structs.replace(
                known,
                facts=facts,
                reachable=True,
                unreachable_since=None,
                reason="",
                message="",
                foreign=message.foreign,
                is_unobserved=not known.was_observed,
                held={},
                network_problem="",
            )
        )
        self._note_pod_events(message, now)

    def _slice_for(self, message: HostReport, known: HostStatus | None) -> Slice:
        """Not asked again for a host that has what it had."""
        host = self.store.get(Host, "", message.host)
        given = known.pod_subnet if known else ""
        has = message.pod_subnet or given
        is_settled = known is not None and known.was_observed and bool(has) and given == has
        if is_settled and (host is None or host.spec.pod_cidr in ("", has)):
            return Slice(has)
        return slice_for_host(
            host,
            message.host,
            message.pod_subnet,
            self.settings.network,
            self._slices,
            is_in_use=self._is_slice_in_use,
            given=given,
            has_pods=bool(message.unknown or message.statuses or message.held),
        )

    def _is_slice_in_use(self, host: str) -> bool:
        status = self.store.get(HostStatus, "", host)
        return bool(status.pod_subnet if status is not None else self._restored_subnets.get(host))

    def _take_status(self, pod: Pod, reported: PodStatus, now: datetime) -> None:
        try:
            self._put(with_reported_status(pod, reported))
        except Exception as error:  # noqa: BLE001 - one pod's bug must not hide the others of its host
            self.isolation.fail("status of pod", pod.key, error, partial(self._take_status_again, pod, reported), now)

    def _take_status_again(self, pod: Pod, reported: PodStatus, _: datetime) -> None:
        live = self.store.find(pod.key)
        if isinstance(live, Pod) and live.uid == pod.uid:
            self._put(with_reported_status(live, reported))

    def _take_found(self, pod: Pod, host: str, now: datetime) -> None:
        """A pod on a host that was not assigned to it there."""
        live = self.store.by_uid(pod.uid)
        if isinstance(live, Pod) and live.spec.node_name == host:
            # Where it was told nothing, the host knows the address.
            live = without_address(live) if pod.status.pod_ip else live
            self._put_found(with_reported_status(live, pod.status))
        else:
            self._adopt(pod, host, now)

    def _forget_unseen(self, message: HostReport, known: Iterable[Pod], now: datetime) -> None:
        """What a complete look does not show is gone, when the host was told nothing: it cannot say so itself.

        That is so for those who only look, and for a host that is seen for the first time: what is bound to it is only
        remembered. Finished pods stay: they are records, and their containers may be gone long before them.
        """
        seen = {pod.uid for pod in message.unknown} | message.held.keys()
        for pod in known:
            if pod.uid not in seen and not pod.is_finished:
                self._remove(pod.key, now)
        for pod in message.unknown if self.is_observer else ():
            namesake = self.store.find(pod.key)
            if isinstance(namesake, Pod) and namesake.uid == pod.uid and namesake.node_name not in ("", message.host):
                # A bare pod that moved: its old host has not been looked at since.
                self._note(self.store.remove(pod.key))

    def _adopt(self, pod: Pod, host: str, now: datetime) -> None:
        """A pod that runs on a host and is not bound to it in the store.

        The one that waits to be bound is found again. One that waits under this name with another uid has to wait until
        the found one is gone; beside one that is bound already the found one has to go.
        """
        if is_fragment(pod):
            pod = made_whole(pod, self._restored_pods, now=now)
        owner = controller_of(pod)
        if owner is not None and ObjectKey(owner.kind, pod.namespace, owner.name) in self._begun_jobs:
            pod = terminating(desiring.renamed_for_removal(pod), grace_seconds=None, now=now)
        pod = msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, node_name=host))
        namesake = self.store.find(pod.key)
        if isinstance(namesake, Pod) and not namesake.spec.node_name:
            if namesake.uid == pod.uid:
                # Who was ending it may have been killed; it stays ended, and what Git says is made anew.
                metadata = msgspec.structs.replace(
                    namesake.metadata,
                    creation_timestamp=pod.metadata.creation_timestamp or now,
                    deletion_timestamp=pod.metadata.deletion_timestamp,
                    deletion_grace_period_seconds=pod.metadata.deletion_grace_period_seconds,
                )
                pod = msgspec.structs.replace(pod, metadata=metadata)
            else:
                self._note(self.store.remove(namesake.key))
        elif namesake is not None:
            pod = terminating(desiring.renamed_for_removal(pod), grace_seconds=None, now=now)
        self._put_found(pod)
        wanted = self._wanted.get(pod.key)
        if isinstance(wanted, Pod):
            self._want(wanted, now)
        elif is_from_git(pod):
            self.deployed.note_found(pod.key, pod.annotations.get(ANNOTATION_APPLICATION, ""))
        self._adopted.append(pod)

    def _put_found(self, pod: Pod) -> None:
        """A pod that its host has. One that is only remembered, and not there, gave its address on: it gets another."""
        for other in with_same_address(self.store.pods_on(pod.spec.node_name), pod):
            self._put(without_address(other))
        self._put(pod)

    def _take_failures(self, message: HostFailures) -> None:
        known = self.store.get(HostStatus, "", message.host)
        if known is not None:
            self._put(msgspec.structs.replace(known, failures=message.failures))

    def _take_silence(self, message: HostSilent, now: datetime) -> None:
        self._heard.add(message.host)
        known = self.store.get(HostStatus, "", message.host) or self._unseen(message.host)
        self._put(
            msgspec.structs.replace(
                known,
                reachable=False,
                unreachable_since=known.unreachable_since or now,
                reason=message.reason,
                message=message.message,
            )
        )

    def _unseen(self, host: str) -> HostStatus:
        """What is known of a host of which nothing was seen yet."""
        is_continued = self._restored is not None and (self._restored.follows or bool(self._restored.inventory))
        return HostStatus(
            metadata=desiring.named(host),
            pod_subnet=self._restored_subnets.get(host, ""),
            may_hold_pods=is_continued and not self.is_started,
            is_recorded=self._restored is not None and self._restored.is_ahead,
        )

    # --- deciding ------------------------------------------------------------------------------------------------

    def _follow_calendar(self, ahead: timedelta) -> None:
        """When the machine's clock was set, schedules are due at other times."""
        if abs(ahead - self._ahead) >= CALENDAR_MOVED:
            self._ahead = ahead
            for cron_job in self.store.all_of(CronJob):
                self._loop.mark(self.store, cron_job, cron_job)

    def _settle(self, now: datetime) -> None:
        """Controllers and scheduler in turn until neither changes anything."""
        self._loop.mark_due(now)
        context = Context(now=now, random=self._random, settings=self.settings, ahead=self._ahead)
        rounds: dict[Task, int] = {}
        while True:
            self._loop.run(self.store, context, lambda name, outcome: self._carry_out(name, outcome, now), rounds)
            if not self.is_observer:
                self._schedule(now)
            if self._loop.is_idle:
                return

    def _carry_out(self, controller: str, outcome: Outcome, now: datetime) -> None:
        for change in outcome.changes:
            if not self.is_observer or self._is_status_only(change):
                self._apply(change, now)
        for occurrence in outcome.occurrences if not self.is_observer else ():
            self._note_event(occurrence, controller, now)

    def _schedule(self, now: datetime) -> None:
        """Place what is pending. A pod whose placing raises is left out until its time has come; the others are not."""
        known = self.isolation.keys(_PLACING)
        waiting = {key for key in known if self.isolation.is_waiting(_PLACING, key, now)}
        if self.cluster_key in waiting:
            return
        if known - waiting:
            self._scheduling.ask_again()
        failure: PlacementFailed | None = None
        try:
            for change, occurrence in self._scheduling.place(self.store, self.settings, now, without=waiting):
                self._apply(change, now)
                if occurrence is not None:
                    self._note_event(occurrence, "scheduler", now)
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

    def _note_event(self, occurrence: Occurrence, source: str, now: datetime) -> None:
        self.events.add(occurrence, source=source, now=now)
        self._occurred.append((source, occurrence))

    # --- writing -------------------------------------------------------------------------------------------------

    def _apply(self, change: Change, now: datetime) -> None:
        if isinstance(change, Put):
            obj = change.obj
            if isinstance(obj, Pod) and self.store.find(obj.key) is None:
                obj = admit_pod(obj, self.store)
            self._put(obj)
            return
        live = self.store.find(change.key)
        if live is None or (change.uid and live.uid != change.uid):
            return
        is_bound = isinstance(live, Pod) and self.store.get(Host, "", live.spec.node_name) is not None
        if isinstance(live, Pod) and is_bound and not change.is_certain:
            self._put(terminating(live, grace_seconds=change.grace_seconds, now=now))
        else:
            for freed in orphaned_dependents(self.store, live):
                self._apply(freed, now)
            self._remove(change.key, now)

    def _is_status_only(self, change: Change) -> bool:
        if not isinstance(change, Put):
            return False
        live = self.store.find(change.obj.key)
        if live is None or isinstance(change.obj, Node):
            # A Node follows from its Host and from looks, its taints too: what the status branch says of it is older.
            return isinstance(change.obj, Node)
        return getattr(live, "spec", None) == getattr(change.obj, "spec", None)

    def _put(self, obj: KubeObject) -> None:
        self._note(self.store.put(obj))

    def _remove(self, key: ObjectKey, now: datetime) -> None:
        self._note(self.store.remove(key))
        self._begun_jobs.discard(key)
        if key.kind == Host.KIND:
            self._note(self.store.remove(ObjectKey(HostStatus.KIND, "", key.name)))
        elif key.kind == Pod.KIND:
            self._note(self.store.remove(ObjectKey(PodMetrics.KIND, key.namespace, key.name)))
        wanted = self._wanted.get(key)
        if isinstance(wanted, Pod | PersistentVolumeClaim):
            self._want(wanted, now)

    def _note(self, changed: Changed | None) -> None:
        if changed is None:
            return
        self._changed.append(changed)
        if isinstance(changed.new or changed.old, HostStatus):
            subnet = changed.new.pod_subnet if isinstance(changed.new, HostStatus) else ""
            self._slices.take(changed.key.name, subnet)
        try:
            self._scheduling.observe(changed)
        except Exception as error:  # noqa: BLE001 - one object's bug must not stop the others; it is said as an event
            self.isolation.fail("scheduler's view", changed.key, error, partial(self._show, changed.key), self._now)
        self._loop.mark(self.store, changed.old, changed.new)
        self._mark_hosts(changed)

    def _mark_hosts(self, changed: Changed) -> None:
        try:
            self._book.mark(self.store, changed.old, changed.new)
        except Exception as error:  # noqa: BLE001 - whom it concerns is not known: all hosts are looked at
            self._book.mark_hosts(host.name for host in self.store.all_of(Host))
            self.isolation.fail("hosts of object", changed.key, error, lambda _: None, self._now)

    def _show(self, key: ObjectKey, _: datetime) -> None:
        """To the scheduler, which could not take in how an object changed."""
        obj = self.store.find(key)
        if obj is not None:
            self._scheduling.observe(Changed(key, None, obj))
