"""How a pod ends: its containers in order, each as `stopping` says, then their removal. Pure.

Main containers go first and together, then sidecars in reverse order, the sandbox last.
"""

from __future__ import annotations

from differ.kubelet.actions import (
    Action,
    RemoveContainer,
    RemoveVolume,
    UpdateContainer,
)
from differ.kubelet.containers.restarts import is_alive
from differ.kubelet.containers.spec import ROLE_SANDBOX, ROLE_SIDECAR
from differ.kubelet.files.volumes import own_volume_names
from differ.kubelet.planning import (
    NOTHING,
    PodPlanContext,
    Step,
    combine,
)
from differ.kubelet.stopping import Stop, grace_seconds, stop_container
from objects.api.pods import Pod
from objects.names import LABEL_CONTAINER, LABEL_ROLE
from objects.observation.host import ObservedContainer

LOOK_AGAIN_SECONDS = 1.0


def plan_termination(plan_context: PodPlanContext) -> Step:
    """The next step of a pod that is to go: stop what runs, then remove everything. Nothing left: no actions."""
    containers = plan_context.found.current.values()
    is_sandbox_alone = all(c.labels.get(LABEL_ROLE) == ROLE_SANDBOX for c in containers if is_alive(c))
    if grace_seconds(plan_context.pod) > 0 and not is_sandbox_alone:
        stopping = plan_stop(plan_context, lets_rest=True)
        if stopping.actions or stopping.wake_at is not None:
            return stopping
    return _remove_all(plan_context)


def plan_stop(plan_context: PodPlanContext, *, lets_rest: bool = False) -> Step:
    """Stop what runs of a pod and keep its containers. Empty once nothing runs.

    lets_rest: the containers are about to be removed, so Docker's restart policy does not matter any more.
    """
    containers = (*plan_context.found.current.values(), *plan_context.found.surplus)
    alive = [container for container in containers if is_alive(container)]
    if not alive:
        return NOTHING
    rank = min(_stop_rank(container, plan_context.pod) for container in alive)
    now = [container for container in alive if _stop_rank(container, plan_context.pod) == rank]
    steps = [_stop_one(container, plan_context) for container in now]
    if not lets_rest:
        steps = [_forbid_restart(container, plan_context) for container in now] + steps
    return combine(steps)


def _stop_rank(container: ObservedContainer, pod: Pod) -> int:
    """Lower ranks stop first: mains and init containers, sidecars from the last to the first, the sandbox."""
    role = container.labels.get(LABEL_ROLE, "")
    if role == ROLE_SANDBOX:
        return len(pod.spec.init_containers) + 1
    if role != ROLE_SIDECAR:
        return 0
    names = [init.name for init in pod.spec.init_containers]
    name = container.labels.get(LABEL_CONTAINER, "")
    return len(names) - names.index(name) if name in names else 0


def _stop_one(container: ObservedContainer, plan_context: PodPlanContext) -> Step:
    name = container.labels.get(LABEL_CONTAINER, "")
    stop = Stop(grace_seconds(plan_context.pod), f"Stopping container {name}", plan_context.memory.stopping_since)
    return stop_container(container, stop, plan_context)


def _forbid_restart(container: ObservedContainer, plan_context: PodPlanContext) -> Step:
    """With Docker's `always` a reboot would bring back what has ended for good."""
    if container.restart_policy == "no":
        return NOTHING
    name = container.labels.get(LABEL_CONTAINER, "")
    return Step((UpdateContainer(pod_uid=plan_context.pod.uid, container=name, id=container.id, restart_policy="no"),))


def _remove_all(plan_context: PodPlanContext) -> Step:
    """Joined containers first, the sandbox last, then the volumes."""
    uid, memory = plan_context.pod.uid, plan_context.memory
    containers = (*plan_context.found.surplus, *plan_context.found.current.values())
    ordered = sorted(containers, key=lambda container: _stop_rank(container, plan_context.pod))
    actions: list[Action] = []
    blocked: list[Step] = []
    for container in ordered:
        name = container.labels.get(LABEL_CONTAINER, "")
        failure = memory.container(name).failure
        if failure is not None and plan_context.host.now < failure.retry_at:
            blocked.append(Step(wake_at=failure.retry_at))
        elif container.state == "removing":
            blocked.append(Step(wake_at=plan_context.host.after(LOOK_AGAIN_SECONDS)))
        else:
            actions.append(RemoveContainer(pod_uid=uid, container=name, id=container.id))
    if blocked or memory.are_volumes_removed:
        return combine((Step(tuple(actions)), *blocked))
    if memory.volume_failure is not None and plan_context.host.now < memory.volume_failure.retry_at:
        return Step(tuple(actions), wake_at=memory.volume_failure.retry_at)
    volumes = own_volume_names(plan_context.pod)
    return Step((*actions, *(RemoveVolume(pod_uid=uid, volume=volume) for volume in volumes)))
