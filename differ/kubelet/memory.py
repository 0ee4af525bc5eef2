"""What a worker remembers between two plans: back-offs, and what a host itself cannot tell. Pure.

Losing it costs nothing but time: a fresh process waits anew, sends a stop signal once more, pulls once more. Everything
that must not be lost is on the host (names, labels) or in the pod's status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import structs

from differ.kubelet.actions import (
    Action,
    ApplyHostPart,
    CreateContainer,
    EnsureNetwork,
    PrepareVolume,
    PullImage,
    RemoveContainer,
    RemoveImage,
    RemoveVolume,
    RunHook,
    SignalContainer,
    StartContainer,
    UpdateContainer,
    WriteFiles,
)
from differ.kubelet.assignment import DifferStruct
from differ.kubelet.probes.probing import ProbeOrder
from differ.kubelet.run_times import RunTimes
from objects.api.pods import ContainerStateTerminated, Pod, PodStatus
from objects.errors import BerthError, ChargeInDoubt, EngineError, EngineUnavailable, HostUnreachable
from objects.observation.host import ObservedContainer

RETRY_SECONDS = 1.0
PULL_RETRY_SECONDS = 10.0
MAX_RETRY_SECONDS = 300.0
"""Kubernetes' cap for image pulls and crash loops; our own errors follow it."""
CALM_SECONDS = 600.0
"""After this long without a failure the next one counts as the first."""


_REASONS = {"EngineError": "RunContainerError"}
"""What Kubernetes calls it when the engine refuses to make or start a container."""


class Failure(DifferStruct):
    """The last of `count` failures in a row; nothing is tried before retry_at."""

    count: int
    retry_at: datetime
    reason: str
    message: str


class Stopping(DifferStruct):
    """A stop that was begun. run: of which run (`restarts.run_of`). sent_at: of its stop signal; None while a preStop
    hook goes on. restarts: the container alone, which is to be started again.
    """

    run: str
    since: datetime
    sent_at: datetime | None = None
    restarts: bool = False


class ContainerMemory(DifferStruct):
    """restarts: the restart count, so that a container made anew counts on; -1: none was ever seen.

    times: of the run that was seen last. streak_base: restart count at which the present row of crashes began.
    taken_over_run: the run after which Docker's restart was to be cancelled (`restarts.told_count`). stop: the last
    stop that was begun. has_pulled: `imagePullPolicy: Always` is satisfied for the next creation. update: that the last
    change of settings was done; if it does not show, it must not be done for ever. last_termination: of an earlier run.
    """

    restarts: int = -1
    times: RunTimes | None = None
    streak_base: int = 0
    taken_over_run: str = ""
    stop: Stopping | None = None
    has_pulled: bool = False
    failure: Failure | None = None
    update: Failure | None = None
    last_termination: ContainerStateTerminated | None = None


class Settled(DifferStruct):
    """A pod that needed nothing, and all that this depended on: equal inputs give an equal answer."""

    pod: Pod
    containers: tuple[ObservedContainer, ...]
    surroundings: tuple[Any, ...]
    probes: tuple[ProbeOrder, ...] = ()


class PodMemory(DifferStruct):
    """stopping_since: when the pod's stop was begun. files_written: mark of the files last written. status: as last
    planned, so that transition times stay. told: failures of probes and hooks that were told of and still show.
    """

    containers: Mapping[str, ContainerMemory] = {}
    stopping_since: datetime | None = None
    are_volumes_removed: bool = False
    files_written: str = ""
    volume_failure: Failure | None = None
    status: PodStatus | None = None
    told: tuple[tuple[datetime, str, str], ...] = ()
    settled: Settled | None = None

    def container(self, name: str) -> ContainerMemory:
        return self.containers.get(name, _NO_CONTAINER)

    def with_container(self, name: str, **changes: Any) -> PodMemory:
        """A copy in which fields of one container's memory are changed."""
        changed = structs.replace(self.container(name), **changes)
        return structs.replace(self, containers={**self.containers, name: changed})


class WorkerMemory(DifferStruct):
    """Of one host. Keys: pod uid; pod uid and image reference as written; the image's id, twice; the volume's name.

    unused_images: since when an image is seen unused. image_removals, volume_removals: those that could not be removed.
    looked_at: when the last look was taken, by the host's steady clock; None: there was none. looks_before: by pod uid,
    the look before of those that were shown as they were (`HostObservation.unanswered`).
    host_parts: by name, those of the declared host state that could not be set.
    """

    pods: Mapping[str, PodMemory] = {}
    images: Mapping[tuple[str, str], Failure] = {}
    unused_images: Mapping[str, datetime] = {}
    image_removals: Mapping[str, Failure] = {}
    volume_removals: Mapping[str, Failure] = {}
    network_failure: Failure | None = None
    looked_at: datetime | None = None
    looks_before: Mapping[str, datetime | None] = {}
    host_parts: Mapping[str, Failure] = {}

    def pod(self, uid: str) -> PodMemory:
        return self.pods.get(uid, _NO_POD)

    def with_pod(self, uid: str, pod: PodMemory) -> WorkerMemory:
        return structs.replace(self, pods={**self.pods, uid: pod})

    def record(self, action: Action, error: BerthError | None, now: datetime) -> WorkerMemory:
        """The memory after an action was performed. error: None when it succeeded; now: the reconciler's clock.

        To be called for *every* performed action. A host that cannot be reached is not the action's fault, nor
        is a doubt about who is in charge: no back-off.
        """
        if isinstance(error, HostUnreachable | EngineUnavailable | ChargeInDoubt):
            return self
        if isinstance(action, PullImage):
            return _record_pull(self, action, error, now)
        if isinstance(action, RemoveImage):
            failure = _next_failure(self.image_removals.get(action.id), error, now, PULL_RETRY_SECONDS)
            others = {image: kept for image, kept in self.image_removals.items() if image != action.id}
            return structs.replace(self, image_removals=others | ({action.id: failure} if failure else {}))
        if isinstance(action, EnsureNetwork):
            failure = _next_failure(self.network_failure, error, now, RETRY_SECONDS)
            return structs.replace(self, network_failure=failure)
        if isinstance(action, ApplyHostPart):
            name = action.part.name
            failure = _next_failure(self.host_parts.get(name), error, now, RETRY_SECONDS)
            others = {part: kept for part, kept in self.host_parts.items() if part != name}
            return structs.replace(self, host_parts=others | ({name: failure} if failure else {}))
        if isinstance(action, RemoveVolume) and not action.pod_uid:
            failure = _next_failure(self.volume_removals.get(action.volume), error, now, PULL_RETRY_SECONDS)
            rest = {name: kept for name, kept in self.volume_removals.items() if name != action.volume}
            return structs.replace(self, volume_removals=rest | ({action.volume: failure} if failure else {}))
        if not action.pod_uid:
            return self
        return self.with_pod(action.pod_uid, _record_for_pod(self.pod(action.pod_uid), action, error, now))


_NO_CONTAINER = ContainerMemory()
_NO_POD = PodMemory()


def _record_pull(memory: WorkerMemory, action: PullImage, error: BerthError | None, now: datetime) -> WorkerMemory:
    images = dict(memory.images)
    for pull in dict.fromkeys((uid, action.image) for uid, _ in action.waiting):
        failure = _next_failure(images.pop(pull, None), error, now, PULL_RETRY_SECONDS)
        if failure is not None:
            images[pull] = failure
    memory = structs.replace(memory, images=images)
    if error is not None:
        return memory
    pods = dict(memory.pods)
    for uid, container in action.waiting:
        pods[uid] = pods.get(uid, _NO_POD).with_container(container, has_pulled=True)
    return structs.replace(memory, pods=pods)


def _record_for_pod(pod: PodMemory, action: Action, error: BerthError | None, now: datetime) -> PodMemory:
    pod = structs.replace(pod, settled=None)
    if isinstance(action, RemoveVolume):
        failure = _next_failure(pod.volume_failure, error, now, RETRY_SECONDS)
        return structs.replace(pod, volume_failure=failure, are_volumes_removed=error is None)
    container = getattr(action, "container", "")
    if not container:
        return pod
    failure = _next_failure(pod.container(container).failure, error, now, RETRY_SECONDS)
    changes: dict[str, Any] = {"failure": failure}
    if error is None and isinstance(action, CreateContainer | StartContainer):
        changes["taken_over_run"] = ""
        if isinstance(action, CreateContainer):
            changes["has_pulled"] = False
    is_begun = isinstance(action, CreateContainer) and not action.start
    if error is None and (is_begun or isinstance(action, RemoveContainer | WriteFiles | PrepareVolume)):
        # The way to a start, not the start itself: what failed before may fail again.
        changes["failure"] = pod.container(container).failure
    if error is None and isinstance(action, UpdateContainer):
        done = EngineError("the engine took the settings", status=0)
        changes["update"] = _next_failure(pod.container(container).update, done, now, RETRY_SECONDS)
    if error is None and isinstance(action, WriteFiles) and action.mark:
        pod = structs.replace(pod, files_written=action.mark)
    if error is None and isinstance(action, SignalContainer) and action.stops_restarting:
        changes["taken_over_run"] = action.run
    elif error is None and isinstance(action, SignalContainer | RunHook) and _begins_stop(action):
        changes["stop"] = _stopping(action, pod.container(container).stop, now)
        if not action.restarts:
            pod = structs.replace(pod, stopping_since=pod.stopping_since or now)
    return pod.with_container(container, **changes)


def _begins_stop(action: SignalContainer | RunHook) -> bool:
    """Whether a grace period counts from it, or it ends a run that is to be followed by another."""
    if isinstance(action, RunHook):
        return action.kind == "preStop"
    return action.signal != "KILL" or action.restarts


def _stopping(action: SignalContainer | RunHook, last: Stopping | None, now: datetime) -> Stopping:
    since = last.since if last is not None and last.run == action.run else now
    sent_at = now if isinstance(action, SignalContainer) else None
    return Stopping(run=action.run, since=since, sent_at=sent_at, restarts=action.restarts)


def _next_failure(
    last: Failure | None, error: BerthError | None, now: datetime, first_seconds: float
) -> Failure | None:
    if error is None:
        return None
    is_first = last is None or (now - last.retry_at).total_seconds() >= CALM_SECONDS
    count = 1 if is_first or last is None else last.count + 1
    seconds = min(first_seconds * 2 ** min(count - 1, 20), MAX_RETRY_SECONDS)
    return Failure(
        count=count,
        retry_at=now + timedelta(seconds=seconds),
        reason=_REASONS.get(error.reason, error.reason),
        message=str(error),
    )
