"""Watches every step of the engine: what it wrote, one write after the other, against what is promised.

Held is what the reconciler itself does. What people and lost hosts do to pods is excluded by its cause (the event that
names it), never by a weaker number. A new engine gets a new Watcher; what outlives engines is in the Ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from objects.api.apps import (
    DaemonSet,
    Deployment,
    ReplicaSet,
    StatefulSet,
)
from objects.api.batch import Job
from objects.api.core import Node
from objects.api.meta import KubeObject, ObjectKey, controller_of
from objects.api.pods import Pod
from objects.api.policy import PodDisruptionBudget
from objects.conditions import find_condition
from objects.own.config import Host
from objects.own.taints import NO_EXECUTE, NO_SCHEDULE, OUT_OF_SERVICE
from objects.pod_resources import pod_requests
from objects.selectors import selector_matches, untolerated_taint
from objects.values.quantity import milli_value
from reconciler.controllers.daemon.placement import belongs_on, node_of
from reconciler.controllers.pods.owned import is_active, is_available
from reconciler.controllers.stateful.identity import ordinal_of
from reconciler.core.engine import Engine, StepResult
from reconciler.state.messages import HostReport, Message, Restored
from reconciler.state.store import Changed
from tests.simulation import promises
from tests.simulation.ledger import Ledger
from tests.simulation.machine import Machine

NOT_BY_ROLLOUT = frozenset({"Preempted", "TaintManagerEviction", "Evicted"})
"""Events of pods that are ended for another reason than a rollout: higher priority, a lost host, a drain."""
BROKEN_HOLDS = frozenset({"InternalError", "LoopBreaker"})


class Watcher:
    """machines: what really runs, by host; Git's and all others."""

    def __init__(self, ledger: Ledger, machines: Mapping[str, Machine]) -> None:
        self._ledger = ledger
        self._machines = machines
        self._objects: dict[ObjectKey, KubeObject] = {}
        self._now = datetime.min
        self._ended_by: dict[ObjectKey, str] = {}
        self._found: set[str] = set()
        self._seen: set[str] = set()
        # Of ReplicaSets that this step wrote: uid -> replicas before it.
        self._sizes_before: dict[str, int] = {}

    def look(self, engine: Engine, messages: Iterable[Message], result: StepResult, now: datetime) -> None:
        """After one step of the engine."""
        self._now = now
        self._ended_by = {said.key: said.reason for _, said in result.occurred if said.reason in NOT_BY_ROLLOUT}
        for message in messages:
            if isinstance(message, HostReport):
                self._found.update(pod.uid for pod in message.unknown)
                self._seen.update(pod.uid for pod in message.unknown)
            elif isinstance(message, Restored):
                self._found.update(obj.uid for obj in message.objects)
        if engine.is_started:
            self._ledger.another_began(self._seen)
            if engine.desired is not None:
                jobs = {obj.key for obj in engine.desired.objects if isinstance(obj, Job)}
                # Who is kept goes on with what it did.
                deployed = engine.inventory.items() if engine.deployed.protected else ()
                kept = {key for key, app in deployed if key.kind == Job.KIND and app in engine.deployed.protected}
                self._ledger.jobs_in_git(jobs | kept)
        made: list[Pod] = []
        self._sizes_before = {}
        for changed in result.changed:
            self._take(changed)
            if isinstance(changed.new, ReplicaSet):
                is_restored = changed.old is None and changed.new.uid in self._found
                before = changed.new if is_restored else changed.old
                size = (before.spec.replicas or 0) if isinstance(before, ReplicaSet) else 0
                self._sizes_before.setdefault(changed.new.uid, size)
            if isinstance(changed.new, Pod) or isinstance(changed.old, Pod):
                self._judge_pod(changed, made)
            elif isinstance(changed.new, Job):
                self._ledger.job_changed(changed.new)
            elif changed.new is None and isinstance(changed.old, Job):
                self._ledger.job_gone(changed.key)
        self._judge_made(made)
        for source, said in result.occurred:
            if (source, said.reason) == ("cronjob-controller", "SuccessfulCreate"):
                self._ledger.tick_made(said.key, said.message.removeprefix("Created job "))
        if engine.is_started:
            self._judge_addresses(result.changed)
            self._judge_reasons(engine)

    def _take(self, changed: Changed) -> None:
        if changed.new is None:
            self._objects.pop(changed.key, None)
        else:
            self._objects[changed.key] = changed.new

    def _pods(self) -> list[Pod]:
        return [obj for obj in self._objects.values() if isinstance(obj, Pod)]

    # --- one write -----------------------------------------------------------------------------------------------

    def _judge_pod(self, changed: Changed, made: list[Pod]) -> None:
        old = changed.old if isinstance(changed.old, Pod) else None
        new = changed.new if isinstance(changed.new, Pod) else None
        if old is not None and (new is None or new.uid != old.uid):
            self._judge_gone(old)
        if old is not None and is_active(old) and (new is None or new.is_terminating):
            self._judge_taken(old)
        if new is None:
            return
        if old is None and new.uid not in self._found and new.uid not in self._ledger.pods:
            made.append(new)
            self._judge_ordinal(new)
        self._ledger.pods.add(new.uid)
        if new.spec.node_name and new.uid not in self._found and (old is None or not old.spec.node_name):
            self._judge_bound(new)

    def _judge_gone(self, pod: Pod) -> None:
        """Unknown is not absent: a pod leaves when nothing is left of it, or a person says that its host is gone."""
        machine = self._machines.get(pod.spec.node_name)
        host = self._objects.get(ObjectKey(Host.KIND, "", pod.spec.node_name))
        is_out = not isinstance(host, Host) or any(taint.key == OUT_OF_SERVICE for taint in host.spec.taints)
        if machine is None or is_out:
            return
        left = [c.name for c in machine.ours() if c.labels["berth.dev/pod-uid"] == pod.uid]
        assert not left, f"pod {pod.name} left the store while {machine.name} has {left}"

    def _judge_taken(self, pod: Pod) -> None:
        """A pod that held a place is ended: if it was available, enough others are."""
        owner = controller_of(pod)
        by = self._ended_by.get(pod.key)
        is_host_there = not pod.node_name or ObjectKey(Host.KIND, "", pod.node_name) in self._objects
        if by is not None or not is_host_there:
            self._ledger.pod_given_up(pod)
        if owner is None or not is_host_there:
            return
        if by == "Evicted":
            self._judge_budget(pod)
        if by is not None:
            return
        match top := self._top_of(pod):
            case Deployment() if self._is_available(pod, top.spec.min_ready_seconds):
                left = sum(self._is_available(p, top.spec.min_ready_seconds) for p in self._of(top))
                least = promises.fewest_available(top)
                assert left >= least, f"{pod.name} was taken: {left} of {top.name} are available, {least} must be"
            case StatefulSet() if self._is_available(pod, top.spec.min_ready_seconds):
                self._judge_stateful(top, pod)
            case DaemonSet() if self._is_available(pod, top.spec.min_ready_seconds):
                self._judge_daemon(top, pod)

    def _judge_stateful(self, stateful_set: StatefulSet, pod: Pod) -> None:
        wanted = promises.ordinals(stateful_set)
        if ordinal_of(stateful_set, pod.name) not in wanted:
            return
        seconds = stateful_set.spec.min_ready_seconds
        there = {ordinal_of(stateful_set, p.name) for p in self._of(stateful_set) if self._is_available(p, seconds)}
        away = sum(ordinal not in there for ordinal in wanted)
        most = promises.most_away(stateful_set)
        assert away <= most, f"{pod.name} was taken: {away} of {stateful_set.name} are away, at most {most} may be"

    def _judge_daemon(self, daemon_set: DaemonSet, pod: Pod) -> None:
        template, seconds = daemon_set.spec.template.spec, daemon_set.spec.min_ready_seconds
        nodes = [obj for obj in self._objects.values() if isinstance(obj, Node)]
        wanted = {node.name for node in nodes if belongs_on(template, node).should_run}
        if pod.node_name not in wanted:
            return
        served = {p.node_name for p in self._of(daemon_set) if self._is_available(p, seconds)}
        most = promises.most_unserved(daemon_set, len(wanted))
        away = wanted - served
        assert pod.node_name in served or len(away) <= most, f"{pod.name} was taken: {away} are without, {most} may be"

    def _judge_budget(self, pod: Pod) -> None:
        if not pod.is_ready:
            return
        for budget in self._objects.values():
            if isinstance(budget, PodDisruptionBudget) and selector_matches(budget.spec.selector, pod.labels):
                healthy = sum(
                    p.is_ready and is_active(p) and selector_matches(budget.spec.selector, p.labels)
                    for p in self._pods()
                )
                least = budget.spec.min_available
                assert isinstance(least, int)
                assert healthy >= least, f"{pod.name} was drained: {healthy} healthy, the budget says {least}"

    def _judge_ordinal(self, pod: Pod) -> None:
        """Ordered: a pod comes only when all before it are ready."""
        owner = controller_of(pod)
        top = self._objects.get(ObjectKey(owner.kind, pod.namespace, owner.name)) if owner else None
        if not isinstance(top, StatefulSet) or top.spec.pod_management_policy == "Parallel":
            return
        own = ordinal_of(top, pod.name)
        before = [ordinal for ordinal in promises.ordinals(top) if own is not None and ordinal < own]
        for ordinal in before:
            other = self._objects.get(ObjectKey(Pod.KIND, pod.namespace, f"{top.name}-{ordinal}"))
            is_there = isinstance(other, Pod) and self._is_available(other, top.spec.min_ready_seconds)
            assert is_there, f"{pod.name} was made before {top.name}-{ordinal} is ready"

    def _judge_bound(self, pod: Pod) -> None:
        """Only to a host that answers, that the pod tolerates, and that has room."""
        machine = self._machines[pod.node_name]
        node = self._objects.get(ObjectKey(Node.KIND, "", pod.node_name))
        assert isinstance(node, Node), f"{pod.name} was bound to {pod.node_name}, which is no node"
        assert machine.is_managed, f"{pod.name} was bound to {pod.node_name}, which is not in Git"
        ready = find_condition(node.status.conditions, "Ready")
        assert ready is not None and ready.status == "True", f"{pod.name} was bound to {pod.node_name}: {ready}"
        taint = untolerated_taint(node.spec.taints, pod.spec.tolerations, effects=(NO_SCHEDULE, NO_EXECUTE))
        assert taint is None, f"{pod.name} was bound to {pod.node_name} in spite of {taint}"
        there = [p for p in self._pods() if p.node_name == pod.node_name and not p.is_finished]
        asked = sum(milli_value(pod_requests(p.spec).get("cpu", 0)) for p in there)
        room = milli_value(node.status.allocatable["cpu"])
        assert asked <= room, f"{pod.name} was bound to {pod.node_name}: {asked}m of {room}m CPU are asked for"

    def _is_available(self, pod: Pod, min_ready_seconds: int) -> bool:
        return is_active(pod) and is_available(pod, min_ready_seconds=min_ready_seconds, now=self._now)

    def _top_of(self, pod: Pod) -> KubeObject | None:
        """The workload that a pod belongs to; for pods of ReplicaSets their Deployment."""
        owner = controller_of(pod)
        top = self._objects.get(ObjectKey(owner.kind, pod.namespace, owner.name)) if owner else None
        above = controller_of(top) if isinstance(top, ReplicaSet) else None
        return top if above is None else self._objects.get(ObjectKey(above.kind, pod.namespace, above.name))

    def _of(self, top: KubeObject) -> list[Pod]:
        """All pods of a workload; of a Deployment those of all its ReplicaSets."""
        owners = {top.uid}
        if isinstance(top, Deployment):
            owners |= {o.uid for o in self._objects.values() if isinstance(o, ReplicaSet) and _owner_uid(o) == top.uid}
        return [pod for pod in self._pods() if _owner_uid(pod) in owners]

    # --- a whole step --------------------------------------------------------------------------------------------

    def _judge_made(self, made: list[Pod]) -> None:
        """Controllers make and delete in any order; what counts is what hosts hear of, which is after the step."""
        by_top: dict[ObjectKey, list[Pod]] = {}
        for pod in made:
            top = self._top_of(pod)
            if top is not None:
                by_top.setdefault(top.key, []).append(pod)
        for key, new in by_top.items():
            top = self._objects[key]
            pods = self._of(top)
            match top:
                case Deployment():
                    self._judge_size(top, new, pods)
                case DaemonSet():
                    self._judge_doubled(top, new, pods)
                case Job():
                    self._ledger.judge_job(top, new, pods)

    def _judge_size(self, deployment: Deployment, made: list[Pod], pods: list[Pod]) -> None:
        size, most = sum(map(is_active, pods)), promises.most_pods(deployment)
        assert size <= most, f"{size} pods of {deployment.name}, at most {most} may be"
        if deployment.spec.strategy.type == "Recreate":
            # What is there already may replace its own, also while an old pod still ends on a host that is silent.
            owners = {_owner_uid(pod) for pod in made if self._has_grown(_owner_uid(pod))}
            old = [pod.name for pod in pods if owners and not pod.is_finished and _owner_uid(pod) not in owners]
            assert not old, f"{deployment.name} is recreated, and beside {made[0].name} there are {old}"

    def _has_grown(self, uid: str) -> bool:
        sizes = {obj.uid: obj.spec.replicas or 0 for obj in self._objects.values() if isinstance(obj, ReplicaSet)}
        return sizes.get(uid, 0) > self._sizes_before.get(uid, sizes.get(uid, 0))

    def _judge_doubled(self, daemon_set: DaemonSet, made: list[Pod], pods: list[Pod]) -> None:
        """What serves has a second one beside it on few nodes at a time; what does not serve is replaced at once."""
        per_node = Counter(node_of(pod) for pod in pods if is_active(pod))
        seconds = daemon_set.spec.min_ready_seconds
        served = {node_of(pod) for pod in pods if self._is_available(pod, seconds)}
        doubled = [node for node, count in per_node.items() if count > 1 and node in served]
        nodes = sum(isinstance(obj, Node) for obj in self._objects.values())
        most = promises.most_doubled(daemon_set, nodes)
        is_by_these = any(node_of(pod) in doubled for pod in made)
        assert not is_by_these or len(doubled) <= most, f"{daemon_set.name} has two on {doubled}, {most} nodes may"
        assert max(per_node.values(), default=0) <= 2, f"{daemon_set.name} has {per_node}"

    def _judge_addresses(self, changes: tuple[Changed, ...]) -> None:
        touched = {c.new.node_name for c in changes if isinstance(c.new, Pod)} - {""}
        holders: dict[tuple[str, str], str] = {}
        for pod in self._pods():
            if pod.node_name in touched and pod.status.pod_ip and not pod.is_finished:
                holder = holders.setdefault((pod.node_name, pod.status.pod_ip), pod.name)
                assert holder == pod.name, f"{holder} and {pod.name} both have {pod.status.pod_ip} on {pod.node_name}"

    def _judge_reasons(self, engine: Engine) -> None:
        """Every wait has a reason that a person can read."""
        for (name, key), hold in engine.holds.items():
            assert hold.message, f"{name} holds {key} and does not say why"
            assert hold.reason not in BROKEN_HOLDS, f"{name} {key}: {hold.message}"
        for obj in self._objects.values():
            if isinstance(obj, Pod) and not obj.spec.node_name and is_active(obj):
                scheduled = find_condition(obj.status.conditions, "PodScheduled")
                assert scheduled is not None and scheduled.message, f"{obj.name} waits for a host and nobody says why"
            elif isinstance(obj, Deployment | StatefulSet | DaemonSet | Job):
                reason = why_not_there(obj, self._of(obj), engine)
                assert reason != "", f"{obj.KIND} {obj.name} is not as desired and nobody says why: {obj.status}"


def why_not_there(workload: KubeObject, pods: list[Pod], engine: Engine) -> str | None:
    """What a workload that is not as desired waits for; None when it is, '' when nobody says."""
    held = [hold.message for (_, key), hold in engine.holds.items() if key == workload.key]
    if isinstance(workload, Job):
        is_over = any(c.type in ("Complete", "Failed") and c.status == "True" for c in workload.status.conditions)
        is_busy = any(not pod.is_finished for pod in pods)
        return None if is_over or is_busy else "".join(held)
    status = workload.status  # type: ignore[attr-defined]
    if isinstance(workload, DaemonSet):
        is_there = status.desired_number_scheduled == status.number_available == status.updated_number_scheduled
    else:
        wanted = workload.spec.replicas  # type: ignore[attr-defined]
        is_there = wanted == status.replicas == status.available_replicas
    return None if is_there else "".join(held)


def _owner_uid(obj: KubeObject) -> str:
    owner = controller_of(obj)
    return owner.uid if owner else ""
