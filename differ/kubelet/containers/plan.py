"""What one container of a living pod needs next: made, started, waited for, put right, or nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from differ.kubelet.actions import (
    Action,
    CreateContainer,
    RemoveContainer,
    RenameContainer,
    ResourceSettings,
    RunHook,
    SignalContainer,
    StartContainer,
    UnpauseContainer,
    UpdateContainer,
)
from differ.kubelet.containers.health import (
    POST_START,
    HealthFailure,
    address_of,
    find_health_failure,
    has_begun,
    post_start_of,
)
from differ.kubelet.containers.limits import held
from differ.kubelet.containers.pulls import image_state
from differ.kubelet.containers.restarts import (
    backoff_seconds,
    calm_at,
    crashes_in_a_row,
    is_looping,
    must_take_over,
    restart_due,
    told_count,
)
from differ.kubelet.containers.spec import (
    ROLE_INIT,
    ROLE_SANDBOX,
    ROLE_SIDECAR,
    SANDBOX_RESOURCES,
    compose_container,
    compose_sandbox,
    container_name,
    docker_restart_policy,
    resource_settings,
    role_of,
)
from differ.kubelet.files.claims import prepared_volumes
from differ.kubelet.identity import own_name
from differ.kubelet.memory import ContainerMemory
from differ.kubelet.planning import (
    NOTHING,
    PodPlanContext,
    Step,
    earliest,
)
from differ.kubelet.probes.handlers import compose_check
from differ.kubelet.run_times import run_of
from differ.kubelet.stopping import Stop, grace_seconds, stop_container
from objects.api.pods import Container, ContainerStateWaiting, Pod
from objects.errors import ContainerConfigError
from objects.names import SANDBOX_CONTAINER
from objects.observation.host import ObservedContainer
from objects.values.image_reference import canonical_image

LOOK_AGAIN_SECONDS = 1.0
"""For states that Docker leaves by itself; an event mostly comes first."""

POST_START_SECONDS = 3600.0
"""Kubernetes sets no limit to a postStart hook; one that hangs for an hour has failed."""

SANDBOX = Container(name=SANDBOX_CONTAINER)
CREATING = ContainerStateWaiting(reason="ContainerCreating")


def plan_container(container: Container, plan_context: PodPlanContext, *, sandbox_id: str = "") -> Step:
    """The next step of one container (SANDBOX for the pod's sandbox). sandbox_id: whose namespaces it joins.

    A container that runs as it should gives NOTHING. After a failed action nothing is tried before its back-off ends.
    """
    found = plan_context.found.current.get(container.name)
    failure = plan_context.memory.container(container.name).failure
    if failure is not None and plan_context.host.now < failure.retry_at:
        waiting = ContainerStateWaiting(reason=failure.reason, message=failure.message)
        is_running = found is not None and found.state == "running"
        return Step(waiting={} if is_running else {container.name: waiting}, wake_at=failure.retry_at)
    if found is None:
        return _create(container, plan_context, sandbox_id)
    if found.state == "removing":
        return Step(wake_at=plan_context.host.after(LOOK_AGAIN_SECONDS))
    if found.state == "exited" and not must_run_again(container, found, plan_context):
        return NOTHING
    if found.state == "dead" or _must_be_replaced(found, container, plan_context, sandbox_id):
        return _create(container, plan_context, sandbox_id, replaced=found)
    if found.state == "created":
        return Step((StartContainer(pod_uid=plan_context.pod.uid, container=container.name, id=found.id),))
    if found.state == "exited":
        return _restart(container, found, plan_context)
    return _tend(container, found, plan_context)


def should_restart(pod: Pod, container: Container, exit_code: int) -> bool:
    """Whether a container that ended is started again: `restartPolicy`, with the rules for init containers."""
    role = role_of_any(pod, container)
    if role in (ROLE_SANDBOX, ROLE_SIDECAR):
        return True
    policy = pod.spec.restart_policy or "Always"
    if role == ROLE_INIT:
        return exit_code != 0 and policy != "Never"
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def must_run_again(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> bool:
    """Whether a container that has exited is to be started again.

    One that we stopped to start it again (a failed probe) is, whatever its exit code, unless the policy is Never.
    """
    stop = plan_context.memory.container(container.name).stop
    if (
        stop is not None
        and stop.restarts
        and stop.run == run_of(found)
        and plan_context.pod.spec.restart_policy != "Never"
    ):
        return True
    return should_restart(plan_context.pod, container, found.exit_code)


def role_of_any(pod: Pod, container: Container) -> str:
    return ROLE_SANDBOX if container.name == SANDBOX_CONTAINER else role_of(pod, container)


def next_attempt(name: str, plan_context: PodPlanContext) -> int:
    """The attempt that the next start of a container counts as."""
    return plan_context.memory.container(name).restarts + 1


def _create(
    container: Container, plan_context: PodPlanContext, sandbox_id: str, *, replaced: ObservedContainer | None = None
) -> Step:
    """Make it, as soon as its image is there and everything it names. replaced: goes first."""
    pod, host, name = plan_context.pod, plan_context.host, container.name
    is_sandbox = name == SANDBOX_CONTAINER
    image = host.assignment.pause_image if is_sandbox else container.image
    policy = "IfNotPresent" if is_sandbox else container.image_pull_policy
    state = image_state(
        name,
        image,
        policy,
        context=plan_context.context,
        memory=plan_context.memory,
        present=host.images,
        failure=host.image_failures.get((pod.uid, image)),
    )
    if not state.is_there:
        waiting = {name: state.waiting} if state.waiting else {}
        return Step(waiting=waiting, wants=(state.want,) if state.want else ())
    attempt = next_attempt(name, plan_context)
    if replaced is not None and replaced.state == "created":
        attempt = max(attempt - 1, 0)  # it never ran
    try:
        if is_sandbox:
            spec = compose_sandbox(plan_context.context, attempt=attempt)
        else:
            spec = compose_container(
                container,
                plan_context.context,
                attempt=attempt,
                sandbox_id=sandbox_id,
                host_memory_bytes=host.facts.memory_bytes,
            )
    except ContainerConfigError as error:
        return Step(waiting={name: ContainerStateWaiting(reason=error.reason, message=str(error))})
    actions: list[Action] = []
    if replaced is not None:
        actions.append(RemoveContainer(pod_uid=pod.uid, container=name, id=replaced.id))
    actions += prepared_volumes(pod, name, spec)
    actions.append(CreateContainer(pod_uid=pod.uid, container=name, spec=spec))
    return Step(tuple(actions))


def _must_be_replaced(
    found: ObservedContainer, container: Container, plan_context: PodPlanContext, sandbox_id: str
) -> bool:
    """Whether no change to the container can make it right: another image, the wrong network, no network, no ports.

    One whose start failed is made anew if it publishes ports: the next start may succeed without them (moby#51758).
    """
    if container.name != SANDBOX_CONTAINER and not _is_same_image(found, container.image):
        return True
    if sandbox_id:
        return found.network_mode != f"container:{sandbox_id}"
    if plan_context.pod.spec.host_network:
        return found.network_mode != "host"
    if found.lacks_host_ports or (found.state == "created" and found.error and found.host_ports):
        return True
    wanted = plan_context.pod.status.pod_ip
    has_other_address = bool(wanted) and found.state == "running" and found.address != wanted
    return found.has_no_network or found.network_mode != plan_context.host.assignment.network.name or has_other_address


def _is_same_image(found: ObservedContainer, image: str) -> bool:
    return found.image == image or canonical_image(found.image) == canonical_image(image)


def _restart(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> Step:
    pod, name = plan_context.pod, container.name
    memory = plan_context.memory.container(name)
    due = restart_due(memory)
    if due is not None and plan_context.host.steady < due:
        seconds = backoff_seconds(crashes_in_a_row(memory))
        message = (
            f"back-off {seconds:.0f}s restarting failed container={name} pod={pod.name}_{pod.namespace}({pod.uid})"
        )
        waiting = ContainerStateWaiting(reason="CrashLoopBackOff", message=message)
        return Step(waiting={name: waiting}, wake_at=plan_context.host.engine_time(due))
    renamed = container_name(pod, name, next_attempt(name, plan_context))
    start = StartContainer(pod_uid=pod.uid, container=name, id=found.id, rename_to=renamed)
    # One that ended well because we stopped it has not completed its work.
    is_done = not should_restart(pod, container, found.exit_code)
    actions: list[Action] = [start]
    if found.restart_policy != "no" and is_looping(memory, more=1):
        # Before the start: one that dies at once would be restarted by Docker before anybody has looked.
        actions.insert(0, UpdateContainer(pod_uid=pod.uid, container=name, id=found.id, restart_policy="no"))
    return Step(tuple(actions), {name: CREATING} if is_done else {})


def _tend(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> Step:
    """Of a container that Docker keeps alive: Docker's restarts, its hook and probes, settings."""
    uid, name = plan_context.pod.uid, container.name
    memory = plan_context.memory.container(name)
    if found.state == "paused" and plan_context.is_left_alone:
        return Step(drift=(f"{_called(name)} is paused",))
    if found.state == "paused":
        return Step((UnpauseContainer(pod_uid=uid, container=name, id=found.id),))
    if must_take_over(found, memory):
        signal = SignalContainer(
            pod_uid=uid, container=name, id=found.id, signal="KILL", stops_restarting=True, run=run_of(found)
        )
        return Step((signal,), {name: ContainerStateWaiting(reason="CrashLoopBackOff")})
    if found.state == "restarting":
        return Step(wake_at=plan_context.host.after(LOOK_AGAIN_SECONDS))
    health_failure = find_health_failure(container, found, plan_context)
    if health_failure is not None:
        return _stop_for_restart(found, health_failure, plan_context)
    hook = _plan_post_start(container, found, plan_context)
    return _plan_settings(container, found, plan_context) if hook is None else hook


def _stop_for_restart(found: ObservedContainer, health_failure: HealthFailure, plan_context: PodPlanContext) -> Step:
    pod = plan_context.pod
    is_last = pod.spec.restart_policy == "Never"
    grace = grace_seconds(pod) if health_failure.grace_seconds is None else health_failure.grace_seconds
    why = health_failure.message if is_last else f"{health_failure.message}, will be restarted"
    return stop_container(found, Stop(grace, why, restarts=True), plan_context)


def _plan_post_start(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> Step | None:
    """Begin the postStart hook, or wait for it; None when it is done, or there is none."""
    handler = post_start_of(container)
    if handler is None or found.started_at is None or has_begun(container, found, plan_context):
        return None
    waiting = {container.name: CREATING}
    fact = plan_context.health.hook(found, POST_START)
    if fact is not None:
        return Step((), waiting, wake_at=plan_context.host.engine_time(fact.ended_at) if fact.ended_at else None)
    try:
        check = compose_check(handler, container, address_of(plan_context))
    except ContainerConfigError as error:
        return Step((), {container.name: ContainerStateWaiting(reason="PostStartHookError", message=str(error))})
    action = RunHook(
        pod_uid=plan_context.pod.uid,
        container=container.name,
        id=found.id,
        kind=POST_START,
        started_at=found.started_at,
        run=run_of(found),
        check=check,
        timeout_seconds=POST_START_SECONDS,
    )
    return Step((action,), waiting)


def _plan_settings(container: Container, found: ObservedContainer, plan_context: PodPlanContext) -> Step:
    """Put right what somebody altered: its name, its limits, its restart policy. Of a pod that is left alone only the
    last: it is part of how we restart containers, so it may be our own doing.
    """
    uid, name = plan_context.pod.uid, container.name
    memory = plan_context.memory.container(name)
    actions: list[Action] = []
    resources = SANDBOX_RESOURCES if name == SANDBOX_CONTAINER else resource_settings(container)
    policy = (
        "no"
        if is_looping(memory)
        else docker_restart_policy(plan_context.pod, role_of_any(plan_context.pod, container))
    )
    wake_at = _calm_again(memory, plan_context)
    is_left = plan_context.is_left_alone
    traits = plan_context.host.facts.traits
    wanted, has = held(resources, traits), held(_settings_of(found), traits)
    drift = tuple(_drift_of(name, found, has, wanted)) if is_left else ()
    told = told_count(found, memory)
    if (told is None or told < memory.restarts) and not is_left:
        given = container_name(plan_context.pod, name, max(memory.restarts - found.restart_count, 0))
        actions.append(RenameContainer(pod_uid=uid, container=name, id=found.id, name=given))
    if (has != wanted and not is_left) or found.restart_policy != policy:
        # An engine that cannot limit takes the setting and drops it: back off instead of asking for ever.
        if memory.update is not None and plan_context.host.now < memory.update.retry_at:
            return Step(tuple(actions), wake_at=earliest((memory.update.retry_at, wake_at)), drift=drift)
        limits = None if is_left else resources
        actions.append(
            UpdateContainer(pod_uid=uid, container=name, id=found.id, restart_policy=policy, resources=limits)
        )
    return Step(tuple(actions), wake_at=wake_at, drift=drift)


def _calm_again(memory: ContainerMemory, plan_context: PodPlanContext) -> datetime | None:
    """When a container that crashed again and again will have run for long enough, by the reconciler's clock."""
    calm = calm_at(memory)
    return None if calm is None else plan_context.host.engine_time(calm)


def _drift_of(name: str, found: ObservedContainer, has: ResourceSettings, wanted: ResourceSettings) -> Iterator[str]:
    """What of a running container is not as it was made, in words."""
    if own_name(found) is None:
        yield f"{_called(name)} was renamed to {found.name}"
    for word, is_now, was in (
        ("CPU shares", has.cpu_shares, wanted.cpu_shares),
        ("CPU quota", has.cpu_quota_micros, wanted.cpu_quota_micros),
        ("memory limit", has.memory_bytes, wanted.memory_bytes),
    ):
        if is_now != was:
            yield f"{_called(name)} has {word} {is_now or 'none'} instead of {was or 'none'}"


def _called(name: str) -> str:
    return "the sandbox" if name == SANDBOX_CONTAINER else f"container {name}"


def _settings_of(found: ObservedContainer) -> ResourceSettings:
    return ResourceSettings(
        cpu_shares=found.cpu_shares, cpu_quota_micros=found.cpu_quota_micros, memory_bytes=found.memory_bytes
    )
