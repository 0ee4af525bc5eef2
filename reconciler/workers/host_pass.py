"""One pass over one host, without doing it: from an observation to the report and the actions. Pure.

Shared by the worker (real hosts, threads) and the simulation (no threads, no waiting), so that both do the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from differ.kubelet.actions import RemoveImage
from differ.kubelet.assignment import HostAssignment, PodNetwork
from differ.kubelet.memory import ContainerMemory, PodMemory, WorkerMemory
from differ.kubelet.planning import earliest
from differ.kubelet.pod_containers import group_by_pod
from differ.kubelet.pods import HostPlan, plan_host
from differ.kubelet.usage import foreign_loads
from objects.api.pods import Pod, PodStatus
from objects.conditions import IN_SYNC, find_condition
from objects.observation.host import HostObservation
from policies.host_support import refusal_of
from reconciler.state.failures import message_of
from reconciler.state.messages import HostReport
from reconciler.workers.reclaiming import plan_reclaiming, plan_sweeping

_HELD_SECONDS = 10.0
"""A pod that could not be planned for is tried again at least so soon; what it meets may have changed by then."""


def plan_pass(
    host: str, assignment: HostAssignment | None, observation: HostObservation, memory: WorkerMemory, now: datetime
) -> tuple[HostPlan, HostReport]:
    """What should be done on the host, and what the engine should know of it.

    assignment: None before the engine has said anything: then everything is looked at and left as it is. A pod that
    cannot be planned for, because of a bug, is left as it is and named in `held`; the others of its host go on. A host
    that is refused (`policies.host_support`) is not acted on, and only its facts are told.
    """
    if refusal_of(observation.facts) is not None:
        return _refused_pass(host, observation, memory)
    try:
        return _plan_pass(host, assignment, observation, memory, now)
    except Exception:
        held = _unplannable(host, assignment, observation, memory, now)
        if not held:
            raise
    if assignment is not None:
        pods = tuple(pod for pod in assignment.pods if pod.uid not in held)
        assignment = msgspec.structs.replace(assignment, pods=pods)
    theirs = {one.id for uid, group in group_by_pod(observation.containers).items() if uid in held for one in group}
    containers = tuple(one for one in observation.containers if one.id not in theirs)
    rest = msgspec.structs.replace(observation, containers=containers)
    # Nothing is tidied away meanwhile: volumes and images of a pod that was not looked at would seem to be nobody's.
    plan, report = _plan_pass(host, assignment, rest, memory, now, tidies=False)
    known = {uid: memory.pods[uid] for uid in held if uid in memory.pods}
    memory = msgspec.structs.replace(plan.memory, pods={**plan.memory.pods, **known})
    again_at = now + timedelta(seconds=_HELD_SECONDS)
    wake_at = again_at if plan.wake_at is None else min(plan.wake_at, again_at)
    plan = msgspec.structs.replace(plan, memory=memory, wake_at=wake_at)
    return plan, msgspec.structs.replace(report, held=held)


def _refused_pass(host: str, observation: HostObservation, memory: WorkerMemory) -> tuple[HostPlan, HostReport]:
    """Nothing is done, probed or said of pods; what was learnt of them is kept until the host is in order."""
    plan = HostPlan(actions=(), statuses={}, gone=(), unknown=(), memory=memory, wake_at=None)
    foreign = foreign_loads(observation.containers, None, None)
    return plan, HostReport(host=host, facts=observation.facts, foreign=foreign)


def _unplannable(
    host: str, assignment: HostAssignment | None, observation: HostObservation, memory: WorkerMemory, now: datetime
) -> dict[str, str]:
    """Pods for which a plan alone fails: uid → why. Only asked when a plan for all has failed."""
    assigned = {pod.uid: pod for pod in assignment.pods} if assignment is not None else {}
    groups = dict.fromkeys(assigned, ()) | group_by_pod(observation.containers)
    held: dict[str, str] = {}
    for uid, containers in groups.items():
        pods = (assigned[uid],) if uid in assigned else ()
        alone = msgspec.structs.replace(assignment, pods=pods) if assignment is not None else None
        seen = msgspec.structs.replace(observation, containers=containers)
        try:
            _plan_pass(host, alone, seen, memory, now)
        except Exception as error:  # noqa: BLE001 - said of the pod, which stays as it is
            held[uid] = message_of(error)
    return held


def _plan_pass(
    host: str,
    assignment: HostAssignment | None,
    observation: HostObservation,
    memory: WorkerMemory,
    now: datetime,
    *,
    tidies: bool = True,
) -> tuple[HostPlan, HostReport]:
    is_told = assignment is not None
    assignment = assignment or _nothing_for(host)
    plan = plan_host(assignment, observation, memory, now)
    reclaiming: tuple[RemoveImage, ...] = ()
    if is_told and tidies:
        reclaiming, memory, images_at = plan_reclaiming(assignment, observation, plan.memory, now)
        sweeping, volumes_at = plan_sweeping(assignment, observation, memory, now)
        actions = (*plan.actions, *reclaiming, *sweeping)
        wake_at = earliest((plan.wake_at, images_at, volumes_at))
        plan = msgspec.structs.replace(plan, memory=memory, actions=actions, wake_at=wake_at)
    elif not is_told:
        # What was last said of its pods is needed once they are assigned. What was to be done for an earlier assignment
        # and failed is nothing to try again for a stand-in: its network has no addresses.
        plan = msgspec.structs.replace(plan, memory=memory, actions=(), wake_at=None, network_problem="")
    report = HostReport(
        host=host,
        facts=observation.facts,
        statuses=plan.statuses,
        gone=plan.gone,
        unknown=_with_statuses(plan.unknown, assignment, observation, memory, now),
        pod_subnet=observation.pod_network.subnet if observation.pod_network else "",
        foreign=foreign_loads(observation.containers, None, None),
        pod_events=plan.pod_events,
        network_problem=plan.network_problem,
        is_reclaiming=bool(reclaiming) or _is_clearing(assignment, observation, plan),
    )
    return plan, report


def _is_clearing(assignment: HostAssignment, observation: HostObservation, plan: HostPlan) -> bool:
    """Whether something of an evicted pod is still there."""
    evicted = {pod.uid for pod in assignment.pods if pod.is_evicted}
    if not evicted:
        return False
    left = group_by_pod(observation.containers)
    return not evicted.isdisjoint(left) or any(action.pod_uid in evicted for action in plan.actions)


def has_failures(plan: HostPlan) -> bool:
    """Whether something could not be done on the host, which others may stand in the way of: a port, a name, room."""
    memory = plan.memory
    if plan.network_problem or memory.images or memory.host_parts or memory.image_removals or memory.volume_removals:
        return True
    return any(
        pod.volume_failure is not None or any(one.failure is not None for one in pod.containers.values())
        for pod in memory.pods.values()
    )


def remember(pods: Iterable[Pod]) -> WorkerMemory:
    """The memory of a worker that begins: what was last said of the pods on its host, by an earlier worker or process.

    So that what was ready stays ready until a probe says otherwise, times of conditions stay, and so does how often a
    container was restarted and how its last run ended.
    """
    known = (pod for pod in pods if pod.status.container_statuses)
    return WorkerMemory(pods={pod.uid: _memory_of(pod.status) for pod in known})


def _memory_of(status: PodStatus) -> PodMemory:
    containers: dict[str, ContainerMemory] = {}
    for one in (*status.init_container_statuses, *status.container_statuses):
        ended = one.state.terminated or one.last_state.terminated
        if one.container_id or ended is not None:
            containers[one.name] = ContainerMemory(restarts=one.restart_count, last_termination=ended)
    return PodMemory(status=status, containers=containers)


def _nothing_for(host: str) -> HostAssignment:
    return HostAssignment(host=host, host_ip="", network=PodNetwork(subnet="", cluster_cidr=""), pause_image="")


def _with_statuses(
    pods: tuple[Pod, ...],
    assignment: HostAssignment,
    observation: HostObservation,
    memory: WorkerMemory,
    now: datetime,
) -> tuple[Pod, ...]:
    """Pods that were found, with the status they have now: who adopts them must not take them for starting."""
    if not pods:
        return ()
    as_assigned = msgspec.structs.replace(assignment, pods=pods)
    statuses = plan_host(as_assigned, observation, memory, now).statuses
    return tuple(
        msgspec.structs.replace(pod, status=_with_drift(statuses[pod.uid], memory.pod(pod.uid).status)) for pod in pods
    )


def _with_drift(status: PodStatus, before: PodStatus | None) -> PodStatus:
    """What was last said of drift holds until the pod is assigned: only then it is known whether it is left alone."""
    said = find_condition(before.conditions, IN_SYNC) if before is not None else None
    return msgspec.structs.replace(status, conditions=(*status.conditions, said)) if said is not None else status
