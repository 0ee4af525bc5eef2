"""Health: from an object's status to one word that a person, a status commit and `berth apply` can go by. Pure.

`Healthy`: as desired. `Progressing`: on the way. `Degraded`: will not get there without a change.
`Suspended`: told not to.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from objects.api.apps import (
    DaemonSet,
    Deployment,
    ReplicaSet,
    StatefulSet,
)
from objects.api.batch import Job
from objects.api.core import Node
from objects.api.meta import Condition, KubeObject, ObjectKey
from objects.api.pods import ContainerStatus, Pod
from objects.api.storage import PersistentVolumeClaim
from objects.conditions import OUT_OF_SYNC, find_condition
from objects.own.config import Application, ApplicationStatus, Host
from policies.host_support import NETWORK
from reconciler.controllers.volumes.binding import bound_volume, host_of, why_never
from reconciler.state.store import Reader


class HealthStatus(enum.IntEnum):
    """Ordered: of several, the worst is the largest."""

    HEALTHY = 0
    SUSPENDED = 1
    PROGRESSING = 2
    DEGRADED = 3

    def __str__(self) -> str:
        return self.name.capitalize()


class Health(msgspec.Struct, frozen=True):
    """message: why it is not Healthy, one line; '' when it is."""

    status: HealthStatus
    message: str = ""


HEALTHY = Health(HealthStatus.HEALTHY)

_ON_THE_WAY = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Reasons of a container that waits for nothing but time; every other one tells of a failure."""


def health_of(view: Reader, obj: KubeObject) -> Health:
    """The health of one object by its own status; kinds without one are Healthy once they are stored.

    One that cannot be judged, because of a bug, is Degraded and says so: the others are told of as always.
    """
    try:
        return _judge(view, obj)
    except Exception as error:  # noqa: BLE001 - see above
        return Health(HealthStatus.DEGRADED, f"{obj.key} cannot be judged: {type(error).__name__}: {error}")


def _judge(view: Reader, obj: KubeObject) -> Health:
    match obj:
        case Deployment():
            return _deployment(view, obj)
        case ReplicaSet():
            return _replicas(obj)
        case DaemonSet():
            return _daemon_set(view, obj)
        case StatefulSet():
            return _stateful_set(view, obj)
        case Job():
            return _job(obj)
        case Pod():
            return pod_health(obj)
        case PersistentVolumeClaim():
            return _claim(view, obj)
        case Host():
            return _host(view, obj)
    return HEALTHY


def worst(healths: Iterable[Health]) -> Health:
    """The worst of several, the first of equals; Healthy when there are none."""
    return max(healths, key=lambda health: health.status, default=HEALTHY)


def application_health(view: Reader, inventory: Mapping[ObjectKey, str]) -> dict[str, Health]:
    """Application → the worst health among its objects, sorted by name."""
    groups: dict[str, list[Health]] = {}
    for key, application in inventory.items():
        obj = view.find(key)
        if obj is not None and not isinstance(obj, Host):
            groups.setdefault(application, []).append(health_of(view, obj))
    return {name: worst(healths) for name, healths in sorted(groups.items())}


def summarised(
    applications: Iterable[Application], healths: Mapping[str, Health], drift: Mapping[str, str], *, commit: str
) -> Iterator[Application]:
    """Applications with their health and revision as their status. drift: see `drift_by_application`."""
    for application in applications:
        health = healths.get(application.name, HEALTHY)
        claim = "True" if health.status is HealthStatus.HEALTHY else "False"
        condition = Condition(type="Healthy", status=claim, reason=str(health.status), message=health.message)
        altered = drift.get(application.name, "")
        synced = Condition(type="Synced", status="True")
        if altered:
            synced = Condition(type="Synced", status="False", reason=OUT_OF_SYNC, message=altered)
        conditions = (condition, synced) if altered or not application.spec.self_heal else (condition,)
        status = ApplicationStatus(revision=commit, health=str(health.status), conditions=conditions)
        yield msgspec.structs.replace(application, status=status)


def pod_health(pod: Pod) -> Health:
    """A pod is Healthy when it is ready or has succeeded."""
    if pod.is_terminating:
        return Health(HealthStatus.PROGRESSING, f"{pod.name} is terminating")
    if pod.status.phase == "Succeeded" or (pod.status.phase == "Running" and pod.is_ready):
        return HEALTHY
    if pod.status.phase == "Failed":
        return Health(
            HealthStatus.DEGRADED, f"{pod.name} failed: {pod.status.reason or 'a container ended with an error'}"
        )
    failing = next(filter(None, map(_failure, _all_statuses(pod))), None)
    if failing:
        return Health(HealthStatus.DEGRADED, f"{pod.name}: {failing}")
    if unplaced := _why_unplaced(pod):
        return Health(HealthStatus.PROGRESSING, unplaced)
    return Health(HealthStatus.PROGRESSING, f"{pod.name} is starting")


def _why_unplaced(pod: Pod) -> str:
    scheduled = find_condition(pod.status.conditions, "PodScheduled")
    if scheduled is None or scheduled.status != "False":
        return ""
    return f"{pod.name} is pending: {scheduled.message}"


def _all_statuses(pod: Pod) -> tuple[ContainerStatus, ...]:
    return (*pod.status.init_container_statuses, *pod.status.container_statuses)


def _failure(status: ContainerStatus) -> str:
    waiting = status.state.waiting
    if waiting is None or waiting.reason in _ON_THE_WAY:
        return ""
    return f"container {status.name}: {waiting.reason}" + (f": {waiting.message}" if waiting.message else "")


def _deployment(view: Reader, deployment: Deployment) -> Health:
    status, wanted = deployment.status, deployment.spec.replicas
    wanted = 1 if wanted is None else wanted
    if deployment.spec.paused:
        return Health(HealthStatus.SUSPENDED, "rollout is paused")
    if status.observed_generation < deployment.metadata.generation:
        return Health(HealthStatus.PROGRESSING, "waiting for the new spec to be observed")
    if status.updated_replicas == wanted == status.replicas == status.available_replicas:
        return HEALTHY
    progressing = find_condition(deployment.status.conditions, "Progressing")
    if progressing is not None and progressing.reason == "CanaryPaused":
        return Health(HealthStatus.SUSPENDED, progressing.message)
    if progressing is not None and progressing.reason == "CanaryFailed":
        return Health(HealthStatus.DEGRADED, progressing.message)
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        return Health(HealthStatus.DEGRADED, f"{progressing.message.removesuffix('.')}{_why(view, deployment)}")
    return _failing_or(
        _pods_of(view, deployment),
        f"{status.updated_replicas} of {wanted} updated, {status.available_replicas} available"
        + (f", {status.replicas - status.updated_replicas} old" if status.replicas > status.updated_replicas else ""),
    )


def _pods_of(view: Reader, deployment: Deployment) -> list[Pod]:
    replica_sets = view.owned(ReplicaSet, deployment.uid)
    return [pod for replica_set in replica_sets for pod in view.owned(Pod, replica_set.uid)]


def _why(view: Reader, deployment: Deployment) -> str:
    health = worst(map(pod_health, _pods_of(view, deployment)))
    return f": {health.message}" if health.message else ""


def _replicas(replica_set: ReplicaSet) -> Health:
    wanted = 1 if replica_set.spec.replicas is None else replica_set.spec.replicas
    if replica_set.status.available_replicas == wanted == replica_set.status.replicas:
        return HEALTHY
    return Health(HealthStatus.PROGRESSING, f"{replica_set.status.available_replicas} of {wanted} available")


def _daemon_set(view: Reader, daemon_set: DaemonSet) -> Health:
    status = daemon_set.status
    if status.observed_generation < daemon_set.metadata.generation:
        return Health(HealthStatus.PROGRESSING, "waiting for the new spec to be observed")
    wanted = status.desired_number_scheduled
    updates_by_itself = daemon_set.spec.update_strategy.type != "OnDelete"
    updated = status.updated_number_scheduled if updates_by_itself else wanted
    if updated == wanted == status.number_available:
        return HEALTHY
    return _failing_or(
        view.owned(Pod, daemon_set.uid), f"{updated} of {wanted} updated, {status.number_available} available"
    )


def _stateful_set(view: Reader, stateful_set: StatefulSet) -> Health:
    status, spec = stateful_set.status, stateful_set.spec
    if status.observed_generation < stateful_set.metadata.generation:
        return Health(HealthStatus.PROGRESSING, "waiting for the new spec to be observed")
    wanted = 1 if spec.replicas is None else spec.replicas
    rolling = spec.update_strategy.rolling_update
    partition = rolling.partition or 0 if rolling else 0
    must_update = 0 if spec.update_strategy.type == "OnDelete" else max(0, wanted - partition)
    if status.replicas == wanted == status.available_replicas and status.updated_replicas >= must_update:
        return HEALTHY
    message = f"{status.updated_replicas} of {wanted} updated, {status.available_replicas} available"
    return _failing_or(view.owned(Pod, stateful_set.uid), message)


def _failing_or(pods: list[Pod], message: str) -> Health:
    """Degraded by the worst of `pods`, else on the way with `message` and why one finds no place."""
    failing = worst(map(pod_health, pods))
    if failing.status is HealthStatus.DEGRADED:
        return failing
    unplaced = next(filter(None, map(_why_unplaced, pods)), "")
    return Health(HealthStatus.PROGRESSING, message + (f"; {unplaced}" if unplaced else ""))


def _job(job: Job) -> Health:
    if job.spec.suspend:
        return Health(HealthStatus.SUSPENDED, "the job is suspended")
    failed = find_condition(job.status.conditions, "Failed")
    if failed is not None and failed.status == "True":
        return Health(HealthStatus.DEGRADED, f"the job failed: {failed.message or failed.reason}")
    complete = find_condition(job.status.conditions, "Complete")
    if complete is not None and complete.status == "True":
        return HEALTHY
    return Health(HealthStatus.PROGRESSING, f"{job.status.succeeded} succeeded, {job.status.active} active")


def _claim(view: Reader, claim: PersistentVolumeClaim) -> Health:
    """One that waits for its first pod is as it should be."""
    volume = bound_volume(view, claim)
    if volume is not None:
        host = host_of(volume)
        if not host or view.get(Host, "", host) is not None:
            return HEALTHY
        return Health(
            HealthStatus.DEGRADED,
            f"the data of claim {claim.name} is on host {host}, which is not in Git; its pods wait:"
            f" bring that host back, or, if it is lost: berth delete pvc {claim.name}, or a claim of another name",
        )
    never = why_never(view, claim)
    return Health(HealthStatus.DEGRADED, f"claim {claim.name}: {never}") if never else HEALTHY


def _host(view: Reader, host: Host) -> Health:
    node = view.get(Node, "", host.name)
    ready = find_condition(node.status.conditions, "Ready") if node else None
    if node is not None and ready is not None and ready.status == "True":
        # What a host cannot do (its network, probes) is said though it is ready; its network is missed by all pods.
        lacking = [one for one in node.status.conditions if one.type.endswith("Unavailable") and one.status == "True"]
        status = HealthStatus.DEGRADED if any(one.type == NETWORK for one in lacking) else HealthStatus.HEALTHY
        return Health(status, "; ".join(f"{one.type}: {one.message}" for one in lacking))
    return Health(HealthStatus.DEGRADED, f"host {host.name} is not ready" + (f": {ready.message}" if ready else ""))
