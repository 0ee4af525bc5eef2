"""A pod's status out of what was observed: phase, conditions, container statuses, in Kubernetes' words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import structs

from differ.kubelet.containers.health import is_ready, is_started, why_unready
from differ.kubelet.containers.spec import ROLE_INIT, role_of
from differ.kubelet.planning import PodPlanContext, Step
from objects.api.meta import Condition
from objects.api.pods import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    Pod,
    PodIP,
    PodStatus,
)
from objects.conditions import IN_SYNC, OUT_OF_SYNC, Conditions, is_true, with_condition
from objects.observation.host import ObservedContainer
from objects.pod_resources import qos_class

SIGNAL_EXIT_BASE = 128
CREATING = ContainerStateWaiting(reason="ContainerCreating")
INITIALIZING = ContainerStateWaiting(reason="PodInitializing")
"""What containers wait for unless something better is known; the second in pods with init containers."""


class Ending(NamedTuple):
    """How a pod has ended for good. reason: of a decision (`Evicted`, `DeadlineExceeded`), '' when it ended by
    itself.
    """

    phase: str
    reason: str = ""
    message: str = ""


def compose_status(plan_context: PodPlanContext, step: Step, *, ending: Ending | None = None) -> PodStatus:
    """The status of a pod. step: what it needs next, which tells why containers wait. ending: it is over."""
    pod, host = plan_context.pod, plan_context.host
    before = plan_context.memory.status or pod.status
    is_over = ending is not None or pod.is_terminating
    inits = tuple(_container_status(c, plan_context, step, is_over=is_over) for c in pod.spec.init_containers)
    mains = tuple(_container_status(c, plan_context, step, is_over=is_over) for c in pod.spec.containers)
    phase = ending.phase if ending else derive_phase(pod, inits, mains)
    pod_ip = host.assignment.host_ip if pod.spec.host_network else pod.status.pod_ip
    has_address = bool(pod_ip) and bool(plan_context.found.current)
    return PodStatus(
        phase=phase,
        conditions=_conditions(plan_context, step, before.conditions, phase, inits, mains),
        reason=ending.reason if ending else "",
        message=ending.message if ending else "",
        host_ip=host.assignment.host_ip,
        host_ips=(HostIP(ip=host.assignment.host_ip),),
        pod_ip=pod_ip if has_address else "",
        pod_ips=(PodIP(ip=pod_ip),) if has_address else (),
        start_time=before.start_time or pod.status.start_time or host.now,
        init_container_statuses=inits,
        container_statuses=mains,
        qos_class=qos_class(pod),
    )


def derive_phase(pod: Pod, inits: tuple[ContainerStatus, ...], mains: tuple[ContainerStatus, ...]) -> str:
    """Pending, Running, Succeeded or Failed, as the kubelet's `getPhase` decides.

    Waiting for a restart counts as ended when the container ran before, as not begun otherwise.
    """
    sidecars = {init.name for init in pod.spec.init_containers if init.is_sidecar}
    regular = [status for status in inits if status.name not in sidecars]
    is_initializing = any(not _has_succeeded(status) for status in regular)
    policy = pod.spec.restart_policy or "Always"
    if is_initializing and not any(status.state.running or _has_ended(status) for status in mains):
        failed = any(status.state.terminated and status.state.terminated.exit_code for status in regular)
        return "Failed" if failed and policy == "Never" else "Pending"
    if any(status.state.waiting and not _has_ended(status) for status in mains):
        return "Pending"
    if any(status.state.running for status in mains) or policy == "Always":
        return "Running"
    if all(_has_succeeded(status) for status in mains):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def _has_ended(status: ContainerStatus) -> bool:
    return status.state.terminated is not None or status.last_state.terminated is not None


def _has_succeeded(status: ContainerStatus) -> bool:
    return status.state.terminated is not None and status.state.terminated.exit_code == 0


def _container_status(
    container: Container, plan_context: PodPlanContext, step: Step, *, is_over: bool
) -> ContainerStatus:
    found = plan_context.found.current.get(container.name)
    memory = plan_context.memory.container(container.name)
    waiting = step.waiting.get(container.name)
    last = ContainerState(terminated=memory.last_termination)
    if found is None or found.state in ("created", "removing"):
        default = INITIALIZING if plan_context.pod.spec.init_containers else CREATING
        # What was removed after its end keeps it; what was never there waits, for whatever.
        has_ended = is_over and memory.last_termination is not None
        return ContainerStatus(
            name=container.name,
            image=container.image,
            restart_count=max(memory.restarts, 0) if memory.last_termination else 0,
            started=False,
            state=last if has_ended else ContainerState(waiting=waiting or default),
            last_state=ContainerState() if has_ended else last,
        )
    ended = terminated_state(found)
    is_running = found.state in ("running", "paused") and not waiting
    if is_running:
        state = ContainerState(running=ContainerStateRunning(started_at=found.started_at))
    elif waiting:
        last = last if found.state == "running" else ContainerState(terminated=ended)
        state = ContainerState(waiting=waiting)
    else:
        state = ContainerState(terminated=ended)
    return ContainerStatus(
        name=container.name,
        image=found.image or container.image,
        image_id=found.image_id,
        container_id=f"docker://{found.id}",
        restart_count=max(memory.restarts, 0),
        ready=_is_ready(container, found, plan_context) and not waiting,
        started=is_running and is_started(container, found, plan_context),
        state=state,
        last_state=last,
    )


def _is_ready(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> bool:
    """A regular init container is ready when it has succeeded, every other when its probe says so."""
    if role_of(plan_context.pod, container) == ROLE_INIT:
        return found.state == "exited" and found.exit_code == 0
    return is_ready(container, found, plan_context)


def terminated_state(found: ObservedContainer) -> ContainerStateTerminated:
    """How the last run of a container ended. Codes above 128 are signals, as shells count."""
    if found.oom_killed:
        reason = "OOMKilled"
    elif found.exit_code == 0:
        reason = "Completed"
    else:
        reason = "StartError" if found.error and found.started_at is None else "Error"
    return ContainerStateTerminated(
        exit_code=found.exit_code,
        signal=found.exit_code - SIGNAL_EXIT_BASE if SIGNAL_EXIT_BASE < found.exit_code < 2 * SIGNAL_EXIT_BASE else 0,
        reason=reason,
        message=found.termination_message or found.error,
        started_at=found.started_at,
        finished_at=found.finished_at,
        container_id=f"docker://{found.id}",
    )


def _conditions(
    plan_context: PodPlanContext,
    step: Step,
    before: Conditions,
    phase: str,
    inits: tuple[ContainerStatus, ...],
    mains: tuple[ContainerStatus, ...],
) -> Conditions:
    pod = plan_context.pod
    sidecars = {init.name for init in pod.spec.init_containers if init.is_sidecar}
    initialized = _initialized(phase, inits, mains, sidecars)
    ready = _containers_ready(phase, [*(s for s in inits if s.name in sidecars), *mains], plan_context)
    wanted = (
        Condition(type="PodScheduled", status="True"),
        initialized,
        structs.replace(ready, type="ContainersReady"),
        _ready(pod, ready),
        *_in_sync(plan_context, step),
    )
    conditions = tuple(c for c in before if c.type in {one.type for one in wanted})
    for condition in wanted:
        conditions = with_condition(conditions, condition, now=plan_context.host.now)
    return conditions


def _in_sync(plan_context: PodPlanContext, step: Step) -> tuple[Condition, ...]:
    """Only of pods that are left alone: with all others drift does not last."""
    if not plan_context.is_left_alone or plan_context.pod.is_terminating:
        return ()
    if not step.drift:
        return (Condition(type=IN_SYNC, status="True"),)
    return (Condition(type=IN_SYNC, status="False", reason=OUT_OF_SYNC, message="; ".join(step.drift)),)


def _initialized(
    phase: str, inits: Iterable[ContainerStatus], mains: Iterable[ContainerStatus], sidecars: set[str]
) -> Condition:
    undone = [s.name for s in inits if not (s.started if s.name in sidecars else _has_succeeded(s))]
    has_begun = any(status.state.running or _has_ended(status) for status in mains)
    if not undone or phase == "Succeeded" or has_begun:
        reason = "PodCompleted" if phase == "Succeeded" else ""
        return Condition(type="Initialized", status="True", reason=reason)
    message = f"containers with incomplete status: [{' '.join(undone)}]"
    return Condition(type="Initialized", status="False", reason="ContainersNotInitialized", message=message)


def _containers_ready(phase: str, statuses: Iterable[ContainerStatus], plan_context: PodPlanContext) -> Condition:
    if phase == "Succeeded":
        return Condition(type="Ready", status="False", reason="PodCompleted")
    if phase == "Failed":
        return Condition(type="Ready", status="False", reason="PodFailed")
    unready = [status.name for status in statuses if not status.ready]
    if not unready:
        return Condition(type="Ready", status="True")
    reasons = [reason for name in unready if (reason := _why_unready(name, plan_context))]
    message = "; ".join((f"containers with unready status: [{' '.join(unready)}]", *reasons))
    return Condition(type="Ready", status="False", reason="ContainersNotReady", message=message)


def _why_unready(name: str, plan_context: PodPlanContext) -> str:
    spec, found = plan_context.pod.spec, plan_context.found.current.get(name)
    container = next((c for c in (*spec.containers, *spec.init_containers) if c.name == name), None)
    if found is None or container is None or found.state != "running":
        return ""
    reason = why_unready(container, found, plan_context)
    return f"{name}: {reason}" if reason else ""


def _ready(pod: Pod, containers_ready: Condition) -> Condition:
    """Readiness gates are conditions that others set: without them the pod is not ready."""
    gates = [gate.condition_type for gate in pod.spec.readiness_gates]
    missing = [gate for gate in gates if not is_true(pod.status.conditions, gate)]
    if containers_ready.status != "True" or not missing:
        return containers_ready
    message = "; ".join(f'corresponding condition of pod readiness gate "{gate}" is not true' for gate in missing)
    return Condition(type="Ready", status="False", reason="ReadinessGatesNotReady", message=message)
