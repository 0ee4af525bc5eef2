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
    PodSituation,
    Step,
    combine,
)
from differ.kubelet.stopping import Stop, grace_seconds, stop_container
from objects.api.pods import Pod
from objects.names import LABEL_CONTAINER, LABEL_ROLE
from objects.observation.host import ObservedContainer

LOOK_AGAIN_SECONDS = 1.0


def plan_termination(situation: PodSituation) -> Step:
    """The next step of a pod that is to go: stop what runs, then remove everything. Nothing left: no actions."""
    containers = situation.found.current.values()
    is_sandbox_alone = all(c.labels.get(LABEL_ROLE) == ROLE_SANDBOX for c in containers if is_alive(c))
    if grace_seconds(situation.pod) > 0 and not is_sandbox_alone:
        stopping = plan_stop(situation, lets_rest=True)
        if stopping.actions or stopping.wake_at is not None:
            return stopping
    return _remove_all(situation)


def plan_stop(situation: PodSituation, *, lets_rest: bool = False) -> Step:
    """Stop what runs of a pod and keep its containers. Empty once nothing runs.

    lets_rest: the containers are about to be removed, so Docker's restart policy does not matter any more.
    """
    containers = (*situation.found.current.values(), *situation.found.surplus)
    alive = [container for container in containers if is_alive(container)]
    if not alive:
        return NOTHING
    rank = min(_stop_rank(container, situation.pod) for container in alive)
    now = [container for container in alive if _stop_rank(container, situation.pod) == rank]
    steps = [_stop_one(container, situation) for container in now]
    if not lets_rest:
        steps = [_forbid_restart(container, situation) for container in now] + steps
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


def _stop_one(container: ObservedContainer, situation: PodSituation) -> Step:
    name = container.labels.get(LABEL_CONTAINER, "")
    stop = Stop(grace_seconds(situation.pod), f"Stopping container {name}", situation.memory.stopping_since)
    return stop_container(container, stop, situation)


def _forbid_restart(container: ObservedContainer, situation: PodSituation) -> Step:
    """With Docker's `always` a reboot would bring back what has ended for good."""
    if container.restart_policy == "no":
        return NOTHING
    name = container.labels.get(LABEL_CONTAINER, "")
    return Step((UpdateContainer(pod_uid=situation.pod.uid, container=name, id=container.id, restart_policy="no"),))


def _remove_all(situation: PodSituation) -> Step:
    """Joined containers first, the sandbox last, then the volumes."""
    uid, memory = situation.pod.uid, situation.memory
    containers = (*situation.found.surplus, *situation.found.current.values())
    ordered = sorted(containers, key=lambda container: _stop_rank(container, situation.pod))
    actions: list[Action] = []
    blocked: list[Step] = []
    for container in ordered:
        name = container.labels.get(LABEL_CONTAINER, "")
        failure = memory.container(name).failure
        if failure is not None and situation.host.now < failure.retry_at:
            blocked.append(Step(wake_at=failure.retry_at))
        elif container.state == "removing":
            blocked.append(Step(wake_at=situation.host.after(LOOK_AGAIN_SECONDS)))
        else:
            actions.append(RemoveContainer(pod_uid=uid, container=name, id=container.id))
    if blocked or memory.are_volumes_removed:
        return combine((Step(tuple(actions)), *blocked))
    if memory.volume_failure is not None and situation.host.now < memory.volume_failure.retry_at:
        return Step(tuple(actions), wake_at=memory.volume_failure.retry_at)
    volumes = own_volume_names(situation.pod)
    return Step((*actions, *(RemoveVolume(pod_uid=uid, volume=volume) for volume in volumes)))
