"""What a living pod needs next: sandbox, init containers one after another, sidecars, then all others. Pure.

Order is Kubernetes': a pod whose sandbox was restarted begins anew (its containers lost their network), unless some of
it already runs in the new one.
"""

from __future__ import annotations

from collections.abc import Iterator

from differ.kubelet.actions import Action, RemoveContainer, SignalContainer
from differ.kubelet.containers.health import is_started
from differ.kubelet.containers.plan import (
    SANDBOX,
    must_run_again,
    plan_container,
    should_restart,
)
from differ.kubelet.containers.restarts import is_alive
from differ.kubelet.containers.spec import has_sandbox
from differ.kubelet.files.claims import missing_claim
from differ.kubelet.files.plan import write_through_itself, write_through_sandbox
from differ.kubelet.planning import PodPlanContext, Step, combine
from differ.kubelet.termination import plan_stop
from objects.api.pods import Container, ContainerStateWaiting
from objects.names import LABEL_CONTAINER
from objects.observation.host import ObservedContainer


def plan_living(plan_context: PodPlanContext) -> Step:
    """The next step of a pod that should run. A finished one keeps its containers for their logs, none of them
    running.
    """
    surplus = tuple(_remove(plan_context, container) for container in plan_context.found.surplus)
    obstacle = plan_context.host.network if not plan_context.pod.spec.host_network else ""
    if not plan_context.found.current:
        obstacle = obstacle or missing_claim(plan_context.pod, plan_context.host.assignment)
    if obstacle and not is_over(plan_context):
        waiting = ContainerStateWaiting(reason="ContainerCreating", message=obstacle)
        return Step(surplus, {c.name: waiting for c in plan_context.pod.spec.containers if not _lives(c, plan_context)})
    step = _plan_sandboxed(plan_context) if has_sandbox(plan_context.pod) else _plan_alone(plan_context)
    return combine((Step(surplus), step))


def _plan_alone(plan_context: PodPlanContext) -> Step:
    (container,) = plan_context.pod.spec.containers
    return write_through_itself(plan_container(container, plan_context), plan_context)


def _plan_sandboxed(plan_context: PodPlanContext) -> Step:
    if is_over(plan_context):
        return plan_stop(plan_context)
    sandbox = plan_context.found.sandbox
    step = plan_container(SANDBOX, plan_context)
    if sandbox is None or sandbox.state != "running" or step.actions:
        return step._replace(waiting=_shown_by_first(step, plan_context))
    lost = tuple(_lost_network(plan_context, sandbox))
    if lost:
        return Step(lost)
    joined = _plan_joined(plan_context, sandbox)
    return write_through_sandbox(combine((step, joined)), plan_context, sandbox)


def _plan_joined(plan_context: PodPlanContext, sandbox: ObservedContainer) -> Step:
    """Containers that join a running sandbox."""
    steps = []
    if not _has_begun(plan_context, sandbox):
        for container in plan_context.pod.spec.init_containers:
            if _is_initialized(container, plan_context, sandbox):
                if container.is_sidecar:
                    steps.append(plan_container(container, plan_context, sandbox_id=sandbox.id))
                continue
            return combine((*steps, _plan_init(container, plan_context, sandbox)))
    else:
        sidecars = (c for c in plan_context.pod.spec.init_containers if c.is_sidecar)
        steps += [plan_container(c, plan_context, sandbox_id=sandbox.id) for c in sidecars]
    steps += [plan_container(c, plan_context, sandbox_id=sandbox.id) for c in plan_context.pod.spec.containers]
    return combine(steps)


def _plan_init(container: Container, plan_context: PodPlanContext, sandbox: ObservedContainer) -> Step:
    """The init container whose turn it is. One that ended well before the sandbox was restarted runs once more; a
    sidecar that ended well has not done its work, but crashed: it is started again as after any other exit code.
    """
    found = plan_context.found.current.get(container.name)
    is_old = found is not None and found.state == "exited" and found.exit_code == 0 and not container.is_sidecar
    if is_old and found is not None:
        removed = Step((_remove(plan_context, found),))
        rest = {name: c for name, c in plan_context.found.current.items() if name != container.name}
        plan_context = plan_context._replace(found=plan_context.found._replace(current=rest))
        return combine((removed, plan_container(container, plan_context, sandbox_id=sandbox.id)))
    return plan_container(container, plan_context, sandbox_id=sandbox.id)


def _has_begun(plan_context: PodPlanContext, sandbox: ObservedContainer) -> bool:
    """Whether a main container was started in this life of the sandbox: then initialization is over for good."""
    for container in plan_context.pod.spec.containers:
        found = plan_context.found.current.get(container.name)
        if found is not None and _joined_after_start(found, sandbox, plan_context):
            return True
    return False


def _is_initialized(container: Container, plan_context: PodPlanContext, sandbox: ObservedContainer) -> bool:
    """Whether the next one may begin: an init container has ended well, a sidecar is started, in this life of the
    sandbox.
    """
    found = plan_context.found.current.get(container.name)
    if found is None or not _joined_after_start(found, sandbox, plan_context):
        return False
    if container.is_sidecar:
        return found.state == "running" and is_started(container, found, plan_context)
    return found.state == "exited" and found.exit_code == 0


def _joined_after_start(found: ObservedContainer, sandbox: ObservedContainer, plan_context: PodPlanContext) -> bool:
    """Whether it was started in this life of the sandbox. Not by their stamps: the host's clock may have been set."""
    if found.network_mode != f"container:{sandbox.id}":
        return False
    return plan_context.has_begun_since(found, sandbox)


def _lost_network(plan_context: PodPlanContext, sandbox: ObservedContainer) -> Iterator[Action]:
    """Stop what still runs in namespaces of an earlier life of the sandbox: it has a loopback only."""
    for name, found in plan_context.found.current.items():
        is_joined = name != SANDBOX.name and found.state in ("running", "paused") and found.started_at is not None
        if is_joined and not _joined_after_start(found, sandbox, plan_context):
            yield SignalContainer(pod_uid=plan_context.pod.uid, container=name, id=found.id, signal="KILL")


def is_over(plan_context: PodPlanContext) -> bool:
    """Whether every container has ended for good, or an init container has failed for good."""
    pod, current = plan_context.pod, plan_context.found.current
    if pod.spec.restart_policy in ("", "Always"):
        return False
    for init in pod.spec.init_containers:
        found = current.get(init.name)
        is_failed = found is not None and found.state == "exited" and found.exit_code != 0
        if is_failed and found is not None and not should_restart(pod, init, found.exit_code):
            return True
    return all(
        (found := current.get(c.name)) is not None
        and found.state == "exited"
        and not must_run_again(c, found, plan_context)
        for c in pod.spec.containers
    )


def _shown_by_first(step: Step, plan_context: PodPlanContext) -> dict[str, ContainerStateWaiting]:
    """What the sandbox waits for is shown by the first init container, or else by all: nobody sees a sandbox."""
    spec, waiting = plan_context.pod.spec, step.waiting.get(SANDBOX.name)
    first = spec.init_containers[:1] or spec.containers
    return {} if waiting is None else {c.name: waiting for c in first if not _lives(c, plan_context)}


def _lives(container: Container, plan_context: PodPlanContext) -> bool:
    found = plan_context.found.current.get(container.name)
    return found is not None and is_alive(found)


def _remove(plan_context: PodPlanContext, found: ObservedContainer) -> RemoveContainer:
    name = found.labels.get(LABEL_CONTAINER, "")
    return RemoveContainer(pod_uid=plan_context.pod.uid, container=name, id=found.id)
