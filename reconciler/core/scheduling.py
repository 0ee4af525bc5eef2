"""The scheduler loop: which pods are pending, what the scheduler knows, and how a placement becomes a bound pod.

Where a pod fits and fits best is decided in `policies.scheduling`; here its snapshot is kept in step with the store,
and a placement gets an address and is written as changes. Nothing is tried again before something changed that could
help (`policies.scheduling.queue`).
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

from objects.api.apps import ReplicaSet, StatefulSet
from objects.api.core import Namespace, Node
from objects.api.meta import (
    Condition,
    KubeObject,
    LabelSelector,
    ObjectKey,
)
from objects.api.pods import Pod, PodIP
from objects.api.policy import PodDisruptionBudget
from objects.api.services import Service
from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from objects.conditions import find_condition, with_condition
from objects.errors import BerthError
from objects.observation.figures import ForeignLoad
from objects.own.config import ClusterSpec, Host, SchedulingSettings
from objects.pod_resources import qos_class
from policies.scheduling.descheduling import find_moves
from policies.scheduling.placement import Placement
from policies.scheduling.profiles import Rules, sound_profiles
from policies.scheduling.queue import ANY_EVENT, SchedulingQueue, host_events, pod_events
from policies.scheduling.rules import Event
from policies.scheduling.scheduler import Scheduler
from policies.scheduling.state.snapshot import Snapshot
from reconciler.assigning.addresses import AddressBook, choose_address
from reconciler.controllers.base import Change, Delete, Occurrence, Put
from reconciler.controllers.volumes.binding import (
    DEFAULT_CLASS,
    docker_volume_of,
    first_bindings,
    scheduled_claim,
    scheduled_class,
    why_not_on,
)
from reconciler.state.foreign import foreign_ports, foreign_requests, frees_room
from reconciler.state.host_status import HostStatus
from reconciler.state.store import Changed, View

Decision = tuple[Change, Occurrence | None]

DESCHEDULING_PAUSE = timedelta(minutes=1)
"""A moved pod must run and be counted before the next one is judged."""


class PlacementFailed(BerthError):
    """A bug met while places were looked for. pods: those that get none, all others were placed; none: nobody was."""

    reason = "SchedulerFailed"

    def __init__(self, pods: Sequence[ObjectKey], error: Exception) -> None:
        who = "no pod is placed" if not pods else "it is not placed"
        super().__init__(f"{who}: {type(error).__name__}: {error}")
        self.pods = tuple(pods)


class SchedulingLoop:
    """Owned by the engine. `observe` every write, `place` when controllers have come to rest."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.snapshot = Snapshot()
        self.snapshot.volumes.set_class("", DEFAULT_CLASS)
        self._settings = SchedulingSettings()
        self._scheduler = self._make_scheduler(self._settings)
        self._queue = SchedulingQueue()
        self._unaddressed: set[ObjectKey] = set()
        self._addresses = AddressBook()
        self._foreign: dict[str, tuple[ForeignLoad, ...]] = {}
        self._next_descheduling: datetime | None = None

    def observe(self, changed: Changed) -> None:
        """Keep up with one write to the store."""
        old, new = changed.old, changed.new
        match new or old:
            case Pod():
                self._observe_pod(old if isinstance(old, Pod) else None, new if isinstance(new, Pod) else None)
            case Node() as node:
                if new is None:
                    self.snapshot.remove_node(node.name)
                else:
                    self.snapshot.set_node(node)
                    self._count_foreign(node.name)
                self._observe_node(old if isinstance(old, Node) else None, new if isinstance(new, Node) else None)
            case Namespace() as namespace:
                self.snapshot.set_namespace(namespace.name, None if new is None else namespace.labels)
                if old is None or new is None or old.labels != new.labels:
                    # Affinity may speak of the pods of namespaces with certain labels.
                    self._queue.happened((Event.POD_ADDED, Event.POD_REMOVED))
            case HostStatus() as status:
                self._observe_host(old if isinstance(old, HostStatus) else None, status, is_gone=new is None)
            case PodDisruptionBudget() as budget:
                if new is None:
                    self.snapshot.remove_budget(budget.key)
                else:
                    allowed, disrupted = budget.status.disruptions_allowed, budget.status.disrupted_pods
                    self.snapshot.set_budget(budget.key, budget.spec.selector, allowed, disrupted)
            case PersistentVolumeClaim() as claim:
                self.snapshot.volumes.set_claim(
                    claim.namespace, claim.name, None if new is None else scheduled_claim(claim)
                )
                self._queue.happened((Event.VOLUME_CHANGED,))
            case PersistentVolume() as volume:
                self.snapshot.volumes.set_volume(
                    volume.name, volume if new is not None and docker_volume_of(volume) else None
                )
                self._queue.happened((Event.VOLUME_CHANGED,))
            case StorageClass() as storage_class:
                known = None if new is None else scheduled_class(storage_class)
                self.snapshot.volumes.set_class(storage_class.name, known)
                self._queue.happened((Event.VOLUME_CHANGED,))
            case Service() as service:
                selector = LabelSelector(match_labels=service.spec.selector) if service.spec.selector else None
                self.snapshot.set_workload(service.key, None if new is None else selector)
            case ReplicaSet() | StatefulSet() as workload:
                self.snapshot.set_workload(workload.key, None if new is None else workload.spec.selector)

    def _observe_node(self, old: Node | None, new: Node | None) -> None:
        """What is said of a waiting pod speaks of every host: each change of one is a reason to look again."""
        if new is None or host_events(old, new):
            self._queue.happened(ANY_EVENT)

    def _observe_host(self, old: HostStatus | None, status: HostStatus, *, is_gone: bool) -> None:
        """Of a look at a host only what others run there, and its slice of the network, matter here."""
        before, after = self._foreign.get(status.name, ()), () if is_gone else status.foreign
        if before != after:
            self._foreign[status.name] = after
            self._count_foreign(status.name)
            if frees_room(before, after):
                self._queue.happened((Event.POD_REMOVED,))
        if old is None or is_gone or old.pod_subnet != status.pod_subnet:
            self._queue.happened((Event.HOST_CHANGED,))

    def _count_foreign(self, host: str) -> None:
        """Containers of others use what they use, whether the Node or the look at its host came first."""
        loads = self._foreign.get(host, ())
        if host in self.snapshot.row_of:
            self.snapshot.set_foreign(host, foreign_requests(loads), foreign_ports(loads))

    def _observe_pod(self, old: Pod | None, new: Pod | None) -> None:
        self._addresses.observe(old, new)
        pod = new or old
        assert pod is not None
        waits = new is not None and not new.is_terminating and not new.is_finished
        if not waits or pod.spec.node_name:
            self._queue.forget(pod.key)
        elif old is None or (old.uid, old.spec, old.labels) != (pod.uid, pod.spec, pod.labels):
            self._queue.add(pod.key)
        if waits and pod.spec.node_name and not pod.status.pod_ip:
            self._unaddressed.add(pod.key)
        else:
            self._unaddressed.discard(pod.key)
        events = pod_events(old, new)
        if not events and old is not None and new is not None and old.node_name and old.spec != new.spec:
            events = frozenset((Event.POD_ADDED, Event.POD_REMOVED))
        if events:
            self._queue.happened(events)
        if old is not None and new is not None and _scheduling_facts(old) == _scheduling_facts(new):
            return
        if new is not None and new.spec.node_name:
            self.snapshot.add_pod(new)
        else:
            self.snapshot.remove_pod(pod.uid)

    def ask_again(self) -> None:
        """Try what is pending again although nothing changed: a bug may have kept it, and it has rested."""
        self._queue.happened(ANY_EVENT)

    def place(
        self, view: View, settings: ClusterSpec, now: datetime, *, without: Container[ObjectKey] = ()
    ) -> Iterator[Decision]:
        """Bind what fits, say of the rest why it waits. The caller applies each decision before asking for the next.

        without: pods that are left out. Raises PlacementFailed when all but those that it names were placed.
        """
        for key in sorted(self._unaddressed):
            pod = view.find(key)
            if isinstance(pod, Pod):
                yield from self._bind(view, pod, pod.spec.node_name, now)
        if settings.scheduling != self._settings:
            self._settings = settings.scheduling
            self._scheduler = self._make_scheduler(self._settings)
            self._queue.happened(ANY_EVENT)
        if not self._queue:
            yield from self._deschedule(view, now)
            return
        due = [key for key in sorted(self._queue.due) if key not in without]
        pods = {pod.uid: pod for key in due if isinstance(pod := view.find(key), Pod)}
        for pod in pods.values():
            self._queue.failed(pod.key, ANY_EVENT)
        placements, failed = self._find_places(list(pods.values()))
        # Before any of them is carried out: what is bound in this pass may help those that failed in it.
        for placement in placements:
            if placement.node is None and placement.unschedulable is not None:
                self._queue.failed(pods[placement.uid].key, placement.unschedulable.helped_by)
        for placement in placements:
            try:
                yield from self._carry_out(view, pods[placement.uid], placement, now)
            except Exception as error:  # noqa: BLE001 - raised below, when the others have their places
                failed[pods[placement.uid].key] = error
        if failed:
            is_all = len(failed) == len(pods) > 1
            raise PlacementFailed(() if is_all else [*failed], next(iter(failed.values())))

    def _find_places(self, pods: list[Pod]) -> tuple[list[Placement], dict[ObjectKey, Exception]]:
        """The placements, and why there is none for some: when one raises, the others find their places without it."""
        try:
            return list(self._scheduler.schedule(pods)) if pods else [], {}
        except Exception as error:  # noqa: BLE001 - told of by the caller
            if len(pods) == 1:
                return [], {pods[0].key: error}
        placements: list[Placement] = []
        failed: dict[ObjectKey, Exception] = {}
        for pod in pods:
            found, problem = self._find_places([pod])
            placements += found
            failed |= problem
        return placements, failed

    def _deschedule(self, view: View, now: datetime) -> Iterator[Decision]:
        """Move one pod that would be better off elsewhere, when the Cluster wants that; not more than one a minute."""
        if not self._settings.descheduler or (self._next_descheduling is not None and now < self._next_descheduling):
            return
        self._next_descheduling = now + DESCHEDULING_PAUSE
        for move in find_moves(self._scheduler, most=1):
            occupant = self.snapshot.occupant(move.uid)
            live = view.find(occupant.pod.key) if occupant else None
            if isinstance(live, Pod) and live.uid == move.uid:
                message = f"Moves from {move.node} to {move.better}: {move.reason}"
                yield Put(_disrupted(live, "Descheduled", message, now)), None
                yield Delete(live.key, live.uid), Occurrence(live.key, "Normal", "Descheduled", message)

    def _make_scheduler(self, settings: SchedulingSettings) -> Scheduler:
        profiles, wrong = sound_profiles(settings.profiles, self._rules)
        return Scheduler(self.snapshot, profiles, seed=settings.seed, wrong=wrong)

    def _carry_out(self, view: View, pod: Pod, placement: Placement, now: datetime) -> Iterator[Decision]:
        if placement.node is not None:
            yield from self._bind(view, pod, placement.node, now)
            return
        for uid in placement.victims:
            victim = self.snapshot.occupant(uid)
            live = view.find(victim.pod.key) if victim else None
            if isinstance(live, Pod) and live.uid == uid:
                message = f"Preempted by pod {pod.key} on {placement.nominated_node}"
                yield Put(_disrupted(live, "PreemptionByScheduler", message, now)), None
                yield Delete(live.key, uid), Occurrence(live.key, "Normal", "Preempted", message)
        why = placement.unschedulable
        message = (
            "" if why is None else why.message + (f" (what would help: {'; '.join(why.hints)})" if why.hints else "")
        )
        reason = "SchedulingGated" if pod.spec.scheduling_gates else "Unschedulable"
        waiting = _with_scheduled(pod, "False", reason, message, now)
        nominated = msgspec.structs.replace(waiting.status, nominated_node_name=placement.nominated_node)
        yield (
            Put(msgspec.structs.replace(waiting, status=nominated)),
            Occurrence(pod.key, "Warning", "FailedScheduling", message),
        )

    def _bind(self, view: View, pod: Pod, node: str, now: datetime) -> Iterator[Decision]:
        host, status = view.get(Host, "", node), view.get(HostStatus, "", node)
        if host is None or status is None or not status.pod_subnet:
            if pod.spec.node_name:
                message = f"host {node} " + ("does not exist" if host is None else "was not reached yet")
                yield Put(_with_scheduled(pod, "False", "HostNotReady", message, now)), None
            return
        problem = why_not_on(view, pod, node)
        if problem:
            yield from self._wait_for_claims(pod, problem, now)
            return
        address = host.spec.address if pod.spec.host_network else self._free_address(node, status.pod_subnet)
        if address is None:
            self.snapshot.remove_pod(pod.uid)
            message = f"no free address in {status.pod_subnet} on host {node}"
            yield (
                Put(_with_scheduled(pod, "False", "NoPodAddress", message, now)),
                Occurrence(pod.key, "Warning", "FailedScheduling", message),
            )
            return
        for obj in first_bindings(view, pod, node, now=now):
            yield Put(obj), _said_of_claim(obj, node)
        bound = _with_scheduled(pod, "True", "", "", now)
        pod_status = msgspec.structs.replace(
            bound.status,
            phase=bound.status.phase or "Pending",
            pod_ip=address,
            pod_ips=(PodIP(ip=address),),
            host_ip=host.spec.address,
            start_time=now,
            qos_class=qos_class(pod),
            nominated_node_name="",
        )
        spec = msgspec.structs.replace(pod.spec, node_name=node)
        yield (
            Put(msgspec.structs.replace(bound, spec=spec, status=pod_status)),
            Occurrence(pod.key, "Normal", "Scheduled", f"Successfully assigned {pod.namespace}/{pod.name} to {node}"),
        )

    def _wait_for_claims(self, pod: Pod, problem: str, now: datetime) -> Iterator[Decision]:
        """A claim cannot be had on the host that was chosen: another pod of the same pass was first elsewhere."""
        if not pod.spec.node_name:
            self.snapshot.remove_pod(pod.uid)
        waiting = _with_scheduled(pod, "False", "Unschedulable", problem, now)
        if waiting != pod:
            yield Put(waiting), Occurrence(pod.key, "Warning", "FailedScheduling", problem)
            # Once more with what is known now; a second time in a row would find the same.
            if not pod.spec.node_name:
                self._queue.add(pod.key)

    def _free_address(self, node: str, subnet: str) -> str | None:
        book = self._addresses
        address = choose_address(subnet, book.taken_on(node), after=book.last_on(node))
        if address is not None:
            book.give(node, address)
        return address


def _disrupted(pod: Pod, reason: str, message: str, now: datetime) -> Pod:
    """`pod` with the condition by which everybody knows that it did not fail but had to go."""
    condition = Condition(type="DisruptionTarget", status="True", reason=reason, message=message)
    conditions = with_condition(pod.status.conditions, condition, now=now)
    return msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, conditions=conditions))


def _said_of_claim(obj: KubeObject, node: str) -> Occurrence | None:
    if not isinstance(obj, PersistentVolumeClaim):
        return None
    message = f"Successfully provisioned volume {obj.spec.volume_name} on host {node}"
    return Occurrence(obj.key, "Normal", "ProvisioningSucceeded", message)


def _scheduling_facts(pod: Pod) -> tuple[object, ...]:
    """What of a pod the snapshot counts: its status alone changes nothing there."""
    return pod.spec, pod.labels, pod.is_finished, pod.is_terminating


def _with_scheduled(pod: Pod, claim: str, reason: str, message: str, now: datetime) -> Pod:
    known = find_condition(pod.status.conditions, "PodScheduled")
    if known is not None and (known.status, known.reason, known.message) == (claim, reason, message):
        return pod
    condition = Condition(type="PodScheduled", status=claim, reason=reason, message=message)
    conditions = with_condition(pod.status.conditions, condition, now=now)
    status = msgspec.structs.replace(pod.status, conditions=conditions, phase=pod.status.phase or "Pending")
    return msgspec.structs.replace(pod, status=status)
