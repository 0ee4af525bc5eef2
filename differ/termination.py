"""How a pod ends: stop signals, the grace period, SIGKILL, removal. Pure.

Nothing waits inside an action: the signal is sent, and a later plan looks whether it worked or the time is over. Main
containers go first and together, then sidecars in reverse order, the sandbox last.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from differ.actions import Action, RemoveContainer, RemoveVolume, SignalContainer, UpdateContainer
from differ.container_spec import ROLE_SANDBOX, ROLE_SIDECAR
from differ.pod_volumes import own_volume_names
from differ.restarts import is_alive
from differ.situation import NOTHING, PodSituation, Step, combine
from objects.names import LABEL_CONTAINER, LABEL_ROLE
from objects.observed import ObservedContainer
from objects.pods import Pod

DEFAULT_GRACE_SECONDS = 30
LOOK_AGAIN_SECONDS = 1.0
DEFAULT_SIGNAL = "TERM"


def grace_seconds(pod: Pod) -> int:
    """How long its processes may take to end: the deletion's grace period, else the pod's own."""
    chosen = pod.metadata.deletion_grace_period_seconds
    own = pod.spec.termination_grace_period_seconds
    return next((seconds for seconds in (chosen, own) if seconds is not None), DEFAULT_GRACE_SECONDS)


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
    memory, name = situation.memory, container.labels.get(LABEL_CONTAINER, "")
    failure = memory.container(name).failure
    if failure is not None and situation.host.now < failure.retry_at:
        return Step(wake_at=failure.retry_at)
    if container.labels.get(LABEL_ROLE) == ROLE_SANDBOX:
        return _signal(container, situation, "KILL")
    since = memory.stopping_since
    grace = timedelta(seconds=grace_seconds(situation.pod))
    if not grace or (since is not None and situation.host.now >= since + grace):
        return _signal(container, situation, "KILL")
    if not _was_signalled(container, situation):
        return _signal(container, situation, container.stop_signal.removeprefix("SIG") or DEFAULT_SIGNAL)
    return Step(wake_at=_kill_time(since, grace, situation))


def _kill_time(since: datetime | None, grace: timedelta, situation: PodSituation) -> datetime:
    return (since or situation.host.now) + grace


def _was_signalled(container: ObservedContainer, situation: PodSituation) -> bool:
    name = container.labels.get(LABEL_CONTAINER, "")
    return situation.memory.container(name).stop_sent_id == container.id


def _signal(container: ObservedContainer, situation: PodSituation, signal: str) -> Step:
    name = container.labels.get(LABEL_CONTAINER, "")
    return Step((SignalContainer(pod_uid=situation.pod.uid, container=name, id=container.id, signal=signal),))


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
