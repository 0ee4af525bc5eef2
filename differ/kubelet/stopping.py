"""One container's way down: preStop hook, stop signal, grace period, SIGKILL. Pure.

Nothing waits inside an action: a hook is begun or a signal sent, and a later plan looks how it went or whether the time
is over. A hook may use up the whole grace period; after its end the process has MIN_GRACE_SECONDS in any case.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from differ.kubelet.actions import RunHook, SignalContainer
from differ.kubelet.containers.health import (
    PRE_STOP,
    address_of,
    is_hook_done,
    pre_stop_of,
)
from differ.kubelet.containers.spec import ROLE_SANDBOX
from differ.kubelet.memory import Stopping
from differ.kubelet.planning import PodPlanContext, Step
from differ.kubelet.probes.handlers import compose_check
from differ.kubelet.run_times import run_of
from objects.api.pods import Container, Pod
from objects.errors import ContainerConfigError
from objects.names import LABEL_CONTAINER, LABEL_ROLE
from objects.observation.host import ObservedContainer

DEFAULT_GRACE_SECONDS = 30
EVICTION_GRACE_SECONDS = 1
"""The host is short now, and its kernel would not ask before it kills."""
MIN_GRACE_SECONDS = 2
"""What a preStop hook leaves of the grace period at least, as in the kubelet."""
DEFAULT_SIGNAL = "TERM"


class Stop(NamedTuple):
    """A container is to be stopped. since: when that was begun, None: not yet. restarts: to be started again. why: for
    an event.
    """

    grace_seconds: int
    why: str
    since: datetime | None = None
    restarts: bool = False


def grace_seconds(pod: Pod) -> int:
    """How long its processes may take to end: the deletion's grace period, else the pod's own; next to nothing when it
    was evicted.
    """
    if pod.is_evicted:
        return EVICTION_GRACE_SECONDS
    chosen = pod.metadata.deletion_grace_period_seconds
    own = pod.spec.termination_grace_period_seconds
    return next((seconds for seconds in (chosen, own) if seconds is not None), DEFAULT_GRACE_SECONDS)


def stop_container(found: ObservedContainer, stop: Stop, plan_context: PodPlanContext) -> Step:
    """The next step on the way down of a container that is alive."""
    name = found.labels.get(LABEL_CONTAINER, "")
    memory = plan_context.memory.container(name)
    now = plan_context.host.now
    if memory.failure is not None and now < memory.failure.retry_at:
        return Step(wake_at=memory.failure.retry_at)
    if found.labels.get(LABEL_ROLE) == ROLE_SANDBOX:
        return _signal(found, "KILL", Stop(0, ""), plan_context)
    begun = memory.stop if memory.stop is not None and memory.stop.run == run_of(found) else None
    since = stop.since or (begun.since if begun else None)
    if not stop.grace_seconds:
        return _signal(found, "KILL", stop, plan_context)
    ends = (since or now) + timedelta(seconds=stop.grace_seconds)
    hook = _hook_step(found, stop, ends, plan_context) if begun is None or begun.sent_at is None else None
    if hook is not None:
        return hook
    if begun is not None and begun.sent_at is not None:
        return _await_end(found, stop, max(ends, _end_after_hook(found, begun, plan_context)), plan_context)
    if since is not None and now >= ends and plan_context.health.hook(found, PRE_STOP) is None:
        return _signal(found, "KILL", stop, plan_context)
    return _signal(found, found.stop_signal.removeprefix("SIG") or DEFAULT_SIGNAL, stop, plan_context)


def _await_end(found: ObservedContainer, stop: Stop, ends: datetime, plan_context: PodPlanContext) -> Step:
    if plan_context.host.now >= ends:
        return _signal(found, "KILL", stop, plan_context)
    return Step(wake_at=ends)


def _end_after_hook(found: ObservedContainer, begun: Stopping, plan_context: PodPlanContext) -> datetime:
    had_hook = plan_context.health.hook(found, PRE_STOP) is not None
    least = MIN_GRACE_SECONDS if had_hook else 0
    return (begun.sent_at or begun.since) + timedelta(seconds=least)


def _hook_step(found: ObservedContainer, stop: Stop, ends: datetime, plan_context: PodPlanContext) -> Step | None:
    """Begin the preStop hook, or wait for it. None when there is none, it is over, or its time is."""
    container = _container_of(found, plan_context.pod)
    handler = pre_stop_of(container) if container is not None else None
    now = plan_context.host.now
    if container is None or handler is None or found.state != "running" or found.started_at is None or now >= ends:
        return None
    fact = plan_context.health.hook(found, PRE_STOP)
    if fact is not None:
        if is_hook_done(fact, plan_context):
            return None
        known_end = plan_context.host.engine_time(fact.ended_at) if fact.ended_at is not None else ends
        return Step(wake_at=min(ends, known_end))
    try:
        check = compose_check(handler, container, address_of(plan_context))
    except ContainerConfigError:
        return None  # validation refuses it; what came past must still be stopped
    action = RunHook(
        pod_uid=plan_context.pod.uid,
        container=container.name,
        id=found.id,
        kind=PRE_STOP,
        started_at=found.started_at,
        run=run_of(found),
        check=check,
        timeout_seconds=(ends - now).total_seconds(),
        restarts=stop.restarts,
        why=stop.why,
    )
    return Step((action,))


def _container_of(found: ObservedContainer, pod: Pod) -> Container | None:
    name = found.labels.get(LABEL_CONTAINER, "")
    return next((c for c in (*pod.spec.containers, *pod.spec.init_containers) if c.name == name), None)


def _signal(found: ObservedContainer, signal: str, stop: Stop, plan_context: PodPlanContext) -> Step:
    """why is told once: where the stop begins."""
    name = found.labels.get(LABEL_CONTAINER, "")
    stopping = plan_context.memory.container(name).stop
    is_begun = stopping is not None and stopping.run == run_of(found)
    action = SignalContainer(
        pod_uid=plan_context.pod.uid,
        container=name,
        id=found.id,
        signal=signal,
        run=run_of(found),
        restarts=stop.restarts,
        why="" if is_begun else stop.why,
    )
    return Step((action,))
