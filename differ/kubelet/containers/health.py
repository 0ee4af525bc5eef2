"""How a running container is: started, ready, or to be stopped because it is not well; and what to ask it. Pure.

Verdicts of probes and hooks are facts of an observation and belong to one run of a container. Where a fact is missing
because this process is fresh, what was last said of the same run holds until a probe says otherwise: a restart of the
reconciler makes no pod unready.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from differ.kubelet.planning import PodPlanContext
from differ.kubelet.probes.handlers import compose_check
from differ.kubelet.probes.probing import (
    LIVENESS,
    READINESS,
    STARTUP,
    ProbeOrder,
)
from objects.api.pods import (
    Container,
    ContainerStatus,
    LifecycleHandler,
    Pod,
    PodStatus,
    Probe,
)
from objects.errors import ContainerConfigError
from objects.observation.host import HookFact, ObservedContainer

POST_START, PRE_STOP = "postStart", "preStop"


class HealthFailure(NamedTuple):
    """Why a running container is to be stopped. grace_seconds: of its own for this; None: the pod's."""

    message: str
    grace_seconds: int | None = None


def find_health_failure(
    container: Container, found: ObservedContainer, plan_context: PodPlanContext
) -> HealthFailure | None:
    """Why this run must not go on: a failed startup or liveness probe, a failed postStart hook."""
    hook = plan_context.health.hook(found, POST_START)
    if hook is not None and hook.error and is_hook_done(hook, plan_context):
        return HealthFailure(f"Container {container.name} failed postStart hook")
    for kind, probe in ((STARTUP, container.startup_probe), (LIVENESS, container.liveness_probe)):
        fact = plan_context.health.probe(found, kind) if probe is not None else None
        if probe is not None and fact is not None and fact.passes is False:
            return HealthFailure(
                f"Container {container.name} failed {kind} probe", probe.termination_grace_period_seconds
            )
    return None


def has_begun(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> bool:
    """Whether it runs and its postStart hook, if it has one, is done: only then it counts as running."""
    if found.state not in ("running", "paused"):
        return False
    if post_start_of(container) is None:
        return True
    hook = plan_context.health.hook(found, POST_START)
    if hook is None:
        return last_status(container, found, plan_context) is not None
    return is_hook_done(hook, plan_context) and not hook.error


def is_started(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> bool:
    """Whether it has begun and its startup probe, if it has one, has passed once in this run."""
    if not has_begun(container, found, plan_context):
        return False
    if container.startup_probe is None:
        return True
    fact = plan_context.health.probe(found, STARTUP)
    if fact is not None and fact.passes is not None:
        return fact.passes
    last = last_status(container, found, plan_context)
    return last is not None and bool(last.started)


def is_ready(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> bool:
    """Whether it is started and its readiness probe, if it has one, passes."""
    if found.state != "running" or not is_started(container, found, plan_context):
        return False
    if container.readiness_probe is None:
        return True
    fact = plan_context.health.probe(found, READINESS)
    if fact is not None and fact.passes is not None:
        return fact.passes
    last = last_status(container, found, plan_context)
    return last is not None and last.ready


def why_unready(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> str:
    """What a probe or hook of a running container says, for a person who waits; '' when it says nothing."""
    for kind in (STARTUP, READINESS):
        fact = plan_context.health.probe(found, kind)
        if fact is not None and fact.error:
            return f"{kind} probe cannot be asked: {fact.error}"
        if fact is not None and fact.message:
            return f"{kind} probe failed: {fact.message}"
    is_waiting = found.state == "running" and not has_begun(container, found, plan_context)
    return "the postStart hook is not done" if is_waiting else ""


def last_status(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> ContainerStatus | None:
    """What was last said of this very run; None when it was not known as running."""
    status = plan_context.memory.status
    return None if status is None else status_of_run(container.name, found, status)


def status_of_run(name: str, found: ObservedContainer, status: PodStatus) -> ContainerStatus | None:
    """The status of a container in `status`, if that speaks of the run that was found."""
    for one in (*status.container_statuses, *status.init_container_statuses):
        running = one.state.running
        if one.name == name and running is not None and one.container_id == f"docker://{found.id}":
            return one if running.started_at == found.started_at else None
    return None


# --- hooks ----------------------------------------------------------------------------------------------------------


def post_start_of(container: Container) -> LifecycleHandler | None:
    return container.lifecycle.post_start if container.lifecycle else None


def pre_stop_of(container: Container) -> LifecycleHandler | None:
    return container.lifecycle.pre_stop if container.lifecycle else None


def is_hook_done(hook: HookFact, plan_context: PodPlanContext) -> bool:
    """Whether it has ended; of a `sleep` the end is known before."""
    return hook.ended_at is not None and hook.ended_at <= plan_context.host.steady


# --- what to ask ----------------------------------------------------------------------------------------------------


def order_probes(plan_context: PodPlanContext) -> tuple[ProbeOrder, ...]:
    """The probes that should be going: until it is started a container's startup probe alone, then the other two.

    A pod that ends is asked for readiness only, as in Kubernetes: nothing is restarted any more.
    """
    return tuple(
        order
        for container in (*plan_context.pod.spec.containers, *_sidecars(plan_context.pod))
        for order in _orders_for(container, plan_context)
    )


def _orders_for(container: Container, plan_context: PodPlanContext) -> Iterator[ProbeOrder]:
    if container.startup_probe is None and container.liveness_probe is None and container.readiness_probe is None:
        return
    found = plan_context.found.current.get(container.name)
    if found is None or found.state != "running" or not has_begun(container, found, plan_context):
        return
    is_ending = plan_context.pod.is_terminating
    if not is_started(container, found, plan_context):
        wanted = [(STARTUP, container.startup_probe)] if not is_ending else []
    elif is_ending:
        wanted = [(READINESS, container.readiness_probe)]
    else:
        wanted = [(LIVENESS, container.liveness_probe), (READINESS, container.readiness_probe)]
    for kind, probe in wanted:
        order = _order(kind, probe, container, found, plan_context) if probe is not None else None
        if order is not None:
            yield order


def _order(
    kind: str, probe: Probe, container: Container, found: ObservedContainer, plan_context: PodPlanContext
) -> ProbeOrder | None:
    times = plan_context.memory.container(container.name).times
    if found.started_at is None or times is None:
        return None
    try:
        check = compose_check(probe, container, address_of(plan_context))
    except ContainerConfigError:
        # Validation refuses such a manifest; one that came past it is never asked, and so never ready.
        return None
    return ProbeOrder(
        container_id=found.id,
        kind=kind,
        started_at=found.started_at,
        began_at=times.began_at,
        check=check,
        probe=probe,
        is_known=last_status(container, found, plan_context) is not None,
    )


def address_of(plan_context: PodPlanContext) -> str:
    """Where the pod's ports are, seen from its host."""
    pod = plan_context.pod
    return plan_context.host.assignment.host_ip if pod.spec.host_network else pod.status.pod_ip


def _sidecars(pod: Pod) -> Iterator[Container]:
    return (init for init in pod.spec.init_containers if init.is_sidecar)


def uses_health(pod: Pod) -> bool:
    """Whether any of its containers has a probe or a hook."""
    return any(
        c.startup_probe or c.liveness_probe or c.readiness_probe or c.lifecycle
        for c in (*pod.spec.containers, *pod.spec.init_containers)
    )
