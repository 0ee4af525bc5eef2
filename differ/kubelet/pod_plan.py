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
from differ.kubelet.planning import PodSituation, Step, combine
from differ.kubelet.termination import plan_stop
from objects.api.pods import Container, ContainerStateWaiting
from objects.names import LABEL_CONTAINER
from objects.observation.host import ObservedContainer


def plan_living(situation: PodSituation) -> Step:
    """The next step of a pod that should run. A finished one keeps its containers for their logs, none of them
    running.
    """
    surplus = tuple(_remove(situation, container) for container in situation.found.surplus)
    obstacle = situation.host.network if not situation.pod.spec.host_network else ""
    if not situation.found.current:
        obstacle = obstacle or missing_claim(situation.pod, situation.host.assignment)
    if obstacle and not is_over(situation):
        waiting = ContainerStateWaiting(reason="ContainerCreating", message=obstacle)
        return Step(surplus, {c.name: waiting for c in situation.pod.spec.containers if not _lives(c, situation)})
    step = _plan_sandboxed(situation) if has_sandbox(situation.pod) else _plan_alone(situation)
    return combine((Step(surplus), step))


def _plan_alone(situation: PodSituation) -> Step:
    (container,) = situation.pod.spec.containers
    return write_through_itself(plan_container(container, situation), situation)


def _plan_sandboxed(situation: PodSituation) -> Step:
    if is_over(situation):
        return plan_stop(situation)
    sandbox = situation.found.sandbox
    step = plan_container(SANDBOX, situation)
    if sandbox is None or sandbox.state != "running" or step.actions:
        return step._replace(waiting=_shown_by_first(step, situation))
    lost = tuple(_lost_network(situation, sandbox))
    if lost:
        return Step(lost)
    joined = _plan_joined(situation, sandbox)
    return write_through_sandbox(combine((step, joined)), situation, sandbox)


def _plan_joined(situation: PodSituation, sandbox: ObservedContainer) -> Step:
    """Containers that join a running sandbox."""
    steps = []
    if not _has_begun(situation, sandbox):
        for container in situation.pod.spec.init_containers:
            if _is_initialized(container, situation, sandbox):
                if container.is_sidecar:
                    steps.append(plan_container(container, situation, sandbox_id=sandbox.id))
                continue
            return combine((*steps, _plan_init(container, situation, sandbox)))
    else:
        sidecars = (c for c in situation.pod.spec.init_containers if c.is_sidecar)
        steps += [plan_container(c, situation, sandbox_id=sandbox.id) for c in sidecars]
    steps += [plan_container(c, situation, sandbox_id=sandbox.id) for c in situation.pod.spec.containers]
    return combine(steps)


def _plan_init(container: Container, situation: PodSituation, sandbox: ObservedContainer) -> Step:
    """The init container whose turn it is. One that ended well before the sandbox was restarted runs once more; a
    sidecar that ended well has not done its work, but crashed: it is started again as after any other exit code.
    """
    found = situation.found.current.get(container.name)
    is_old = found is not None and found.state == "exited" and found.exit_code == 0 and not container.is_sidecar
    if is_old and found is not None:
        removed = Step((_remove(situation, found),))
        rest = {name: c for name, c in situation.found.current.items() if name != container.name}
        situation = situation._replace(found=situation.found._replace(current=rest))
        return combine((removed, plan_container(container, situation, sandbox_id=sandbox.id)))
    return plan_container(container, situation, sandbox_id=sandbox.id)


def _has_begun(situation: PodSituation, sandbox: ObservedContainer) -> bool:
    """Whether a main container was started in this life of the sandbox: then initialization is over for good."""
    for container in situation.pod.spec.containers:
        found = situation.found.current.get(container.name)
        if found is not None and _joined_after_start(found, sandbox, situation):
            return True
    return False


def _is_initialized(container: Container, situation: PodSituation, sandbox: ObservedContainer) -> bool:
    """Whether the next one may begin: an init container has ended well, a sidecar is started, in this life of the
    sandbox.
    """
    found = situation.found.current.get(container.name)
    if found is None or not _joined_after_start(found, sandbox, situation):
        return False
    if container.is_sidecar:
        return found.state == "running" and is_started(container, found, situation)
    return found.state == "exited" and found.exit_code == 0


def _joined_after_start(found: ObservedContainer, sandbox: ObservedContainer, situation: PodSituation) -> bool:
    """Whether it was started in this life of the sandbox. Not by their stamps: the host's clock may have been set."""
    if found.network_mode != f"container:{sandbox.id}":
        return False
    return situation.has_begun_since(found, sandbox)


def _lost_network(situation: PodSituation, sandbox: ObservedContainer) -> Iterator[Action]:
    """Stop what still runs in namespaces of an earlier life of the sandbox: it has a loopback only."""
    for name, found in situation.found.current.items():
        is_joined = name != SANDBOX.name and found.state in ("running", "paused") and found.started_at is not None
        if is_joined and not _joined_after_start(found, sandbox, situation):
            yield SignalContainer(pod_uid=situation.pod.uid, container=name, id=found.id, signal="KILL")


def is_over(situation: PodSituation) -> bool:
    """Whether every container has ended for good, or an init container has failed for good."""
    pod, current = situation.pod, situation.found.current
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
        and not must_run_again(c, found, situation)
        for c in pod.spec.containers
    )


def _shown_by_first(step: Step, situation: PodSituation) -> dict[str, ContainerStateWaiting]:
    """What the sandbox waits for is shown by the first init container, or else by all: nobody sees a sandbox."""
    spec, waiting = situation.pod.spec, step.waiting.get(SANDBOX.name)
    first = spec.init_containers[:1] or spec.containers
    return {} if waiting is None else {c.name: waiting for c in first if not _lives(c, situation)}


def _lives(container: Container, situation: PodSituation) -> bool:
    found = situation.found.current.get(container.name)
    return found is not None and is_alive(found)


def _remove(situation: PodSituation, found: ObservedContainer) -> RemoveContainer:
    name = found.labels.get(LABEL_CONTAINER, "")
    return RemoveContainer(pod_uid=situation.pod.uid, container=name, id=found.id)
