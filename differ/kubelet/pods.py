"""The kubelet as a pure function: what each pod of a host needs next, and how it is.

    assignment + observation + memory + time  ->  actions, statuses, gone, unknown, new memory, when to look again

Actions of one pod are to be performed in order, pods independently of each other; after every performed action its
outcome goes into `memory.record`. A plan holds no action for what is as it should be, so a plan for a settled host is
empty. Foreign containers are never in a plan; pods that are found but not assigned are reported and left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import structs

from differ.kubelet.actions import Action
from differ.kubelet.assignment import DifferStruct, HostAssignment
from differ.kubelet.containers.health import order_probes, uses_health
from differ.kubelet.containers.pulls import plan_pulls, present_images
from differ.kubelet.containers.restarts import learn_restarts
from differ.kubelet.files.volumes import is_file_volume, own_volumes
from differ.kubelet.host.network import has_failed, plan_network
from differ.kubelet.memory import PodMemory, Settled, WorkerMemory
from differ.kubelet.planning import (
    HostPlanContext,
    PodPlanContext,
    Step,
    earliest,
)
from differ.kubelet.pod_containers import (
    PodContainers,
    choose_current,
    group_by_pod,
    rebuild_pod,
)
from differ.kubelet.pod_events import (
    PodEvent,
    back_offs,
    drifts,
    newly_failed,
)
from differ.kubelet.pod_plan import plan_living
from differ.kubelet.pod_status import Ending, compose_status, terminated_state
from differ.kubelet.probes.health_facts import (
    NO_FACTS,
    HealthFacts,
    facts_about,
    group_facts,
)
from differ.kubelet.probes.probing import ProbeOrder
from differ.kubelet.run_times import LookTime
from differ.kubelet.termination import plan_stop, plan_termination
from objects.api.pods import Pod, PodStatus
from objects.observation.host import HostObservation, ObservedContainer

__all__ = ["HostPlan", "WorkerMemory", "plan_host"]


class HostPlan(DifferStruct):
    """actions: in order for each pod. statuses: by uid, of assigned pods. gone: terminating, and nothing is left of
    them.

    unknown: pods on the host that are not assigned. wake_at: plan again then, even if nothing happens; None: no need.
    network_problem: why pods cannot have their network, as was found when it was made; '' while they can.
    probes: those that should be going on now. pod_events: what is worth an event, each in one plan only.
    """

    actions: tuple[Action, ...]
    statuses: Mapping[str, PodStatus]
    gone: tuple[str, ...]
    unknown: tuple[Pod, ...]
    memory: WorkerMemory
    wake_at: datetime | None
    probes: tuple[ProbeOrder, ...] = ()
    pod_events: tuple[PodEvent, ...] = ()
    network_problem: str = ""


class _PodResult(DifferStruct):
    step: Step
    status: PodStatus
    memory: PodMemory
    is_gone: bool = False
    probes: tuple[ProbeOrder, ...] = ()
    pod_events: tuple[PodEvent, ...] = ()


def plan_host(
    assignment: HostAssignment, observation: HostObservation, memory: WorkerMemory, now: datetime
) -> HostPlan:
    """now: the reconciler's clock. What happened on the host is timed by the host's (`differ.kubelet.run_times`)."""
    network_actions, network_problem, network_wake = plan_network(assignment, observation, memory, now)
    host = HostPlanContext(
        assignment=assignment,
        steady=observation.steady_now,
        now=now,
        facts=observation.facts,
        images=present_images(observation.facts),
        image_failures=memory.images,
        network=network_problem,
    )
    groups = group_by_pod(observation.containers)
    facts = group_facts(observation)
    results = {}
    for pod in assignment.pods:
        containers = groups.get(pod.uid, ())
        health = facts_about(containers, facts) if uses_health(pod) else NO_FACTS
        look = LookTime(observation.now, host.steady, _look_before(pod.uid, memory))
        results[pod.uid] = _plan_pod(pod, containers, health, memory.pod(pod.uid), host, look)
    pulls, pull_wake = plan_pulls(
        (want for result in results.values() for want in result.step.wants), memory.images, now
    )
    actions = [*network_actions, *pulls]
    slow = {uid for uid, group in groups.items() if any(map(observation.is_old, group))}
    for uid, result in results.items():
        # What would be planned from an old look at a pod may be done already: it is asked for still.
        actions += () if uid in slow else result.step.actions
    wanted = {(want.pod_uid, want.image) for result in results.values() for want in result.step.wants}
    images = {pull: failure for pull, failure in memory.images.items() if pull in wanted}
    pods = {uid: result.memory for uid, result in results.items()}
    wake_times = (network_wake, pull_wake, *(result.step.wake_at for result in results.values()))
    return HostPlan(
        actions=tuple(actions),
        statuses={uid: result.status for uid, result in results.items()},
        gone=tuple(uid for uid, result in results.items() if result.is_gone),
        unknown=tuple(rebuild_pod(uid, group) for uid, group in groups.items() if uid not in results),
        memory=structs.replace(
            memory,
            pods=pods,
            images=images,
            looked_at=host.steady,
            looks_before={uid: _look_before(uid, memory) for uid in slow if uid in pods},
        ),
        wake_at=earliest(wake_times),
        probes=tuple(order for result in results.values() for order in result.probes),
        pod_events=tuple(happening for result in results.values() for happening in result.pod_events),
        network_problem=network_problem if has_failed(observation, memory) else "",
    )


def _look_before(uid: str, memory: WorkerMemory) -> datetime | None:
    """When the pod's containers were last shown as they then were, by the host's steady clock; None: never."""
    if uid not in memory.pods:
        return None
    return memory.looks_before.get(uid, memory.looked_at)


def _plan_pod(
    pod: Pod,
    containers: tuple[ObservedContainer, ...],
    health: HealthFacts,
    memory: PodMemory,
    host: HostPlanContext,
    look: LookTime,
) -> _PodResult:
    assignment = host.assignment
    files = (assignment.config_maps, assignment.secrets) if any(map(is_file_volume, pod.spec.volumes)) else ()
    is_left_alone = pod.uid in assignment.left_alone
    traits = host.facts.traits
    holds = (traits.limits_memory, traits.limits_cpu, traits.weighs_cpu)
    surroundings = (assignment.network, assignment.host_ip, host.network, files, health, is_left_alone, holds)
    settled = memory.settled
    if (
        settled is not None
        and memory.status is not None
        and (settled.pod is pod or settled.pod == pod)
        and settled.containers == containers
        and settled.surroundings == surroundings
    ):
        return _PodResult(step=Step(), status=memory.status, memory=memory, probes=settled.probes)
    found = choose_current(containers)
    plan_context = PodPlanContext(pod, found, _learn(memory, found, look), host, health)
    if pod.is_terminating:
        result = _plan_terminating(plan_context)
    else:
        result = _plan_assigned(plan_context)
    step, status = result.step, result.status
    failed, told = newly_failed(pod, health, memory.told, steady=host.steady)
    is_settled = not (step.actions or step.wants or step.waiting or step.wake_at or pod.is_terminating)
    kept = Settled(pod=pod, containers=containers, surroundings=surroundings, probes=result.probes)
    remembered = structs.replace(result.memory, status=status, told=told, settled=kept if is_settled else None)
    pod_events = (*failed, *back_offs(pod, memory.status, status), *drifts(pod, memory.status, status))
    return structs.replace(result, memory=remembered, pod_events=pod_events)


def _plan_terminating(plan_context: PodPlanContext) -> _PodResult:
    step = plan_termination(plan_context)
    is_gone = not plan_context.found.current and not step.actions and step.wake_at is None
    is_gone = is_gone and (plan_context.memory.are_volumes_removed or not own_volumes(plan_context.pod))
    status = compose_status(plan_context, step, ending=_ended_before(plan_context))
    probes = order_probes(plan_context) if uses_health(plan_context.pod) else ()
    return _PodResult(step=step, status=status, memory=plan_context.memory, is_gone=is_gone, probes=probes)


def _plan_assigned(plan_context: PodPlanContext) -> _PodResult:
    """A living pod, or one that has ended: by itself, by decision (evicted), or past its deadline."""
    ended = _ended_before(plan_context)
    if ended is not None:
        return _plan_ended(plan_context, ended)
    step = plan_living(plan_context)
    status = compose_status(plan_context, step)
    deadline = _deadline(plan_context)
    if deadline is not None and status.phase in ("Pending", "Running"):
        if plan_context.host.now >= deadline:
            message = "Pod was active on the node longer than the specified deadline"
            return _plan_ended(plan_context, Ending("Failed", "DeadlineExceeded", message))
        step = step._replace(wake_at=earliest((step.wake_at, deadline)))
    probes = order_probes(plan_context) if uses_health(plan_context.pod) else ()
    return _PodResult(step=step, status=status, memory=plan_context.memory, probes=probes)


def _plan_ended(plan_context: PodPlanContext, ending: Ending) -> _PodResult:
    """Phases Succeeded and Failed are for ever, whatever is done to the containers afterwards.

    An evicted pod had to go for the room that it takes: nothing of it stays.
    """
    step = plan_termination(plan_context) if plan_context.pod.is_evicted else plan_stop(plan_context)
    status = compose_status(plan_context, step, ending=ending)
    return _PodResult(step=step, status=status, memory=plan_context.memory)


def _ended_before(plan_context: PodPlanContext) -> Ending | None:
    pod, last = plan_context.pod, plan_context.memory.status
    if pod.status.reason:
        return Ending("Failed", pod.status.reason, pod.status.message)
    for status in (last, pod.status):
        if status is not None and status.phase in ("Succeeded", "Failed"):
            return Ending(status.phase, status.reason, status.message)
    return None


def _deadline(plan_context: PodPlanContext) -> datetime | None:
    seconds = plan_context.pod.spec.active_deadline_seconds
    before = plan_context.memory.status or plan_context.pod.status
    start = before.start_time or plan_context.host.now
    return None if seconds is None else start + timedelta(seconds=seconds)


def _learn(memory: PodMemory, found: PodContainers, look: LookTime) -> PodMemory:
    """Keep what the host will not tell any more once a container is gone or runs again."""
    for name, container in found.current.items():
        before = memory.container(name)
        known = learn_restarts(container, before, look)
        ended = known.last_termination
        if container.state in ("exited", "restarting", "dead") and container.finished_at is not None:
            ended = terminated_state(container)
        if ended != known.last_termination:
            known = structs.replace(known, last_termination=ended)
        if known is not before:
            memory = structs.replace(memory, containers={**memory.containers, name: known})
    return memory
