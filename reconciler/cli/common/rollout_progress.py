"""How far an update of a workload is, in the words of `kubectl rollout status`. Pure."""

from __future__ import annotations

from typing import NamedTuple

from objects.api.apps import DaemonSet, Deployment, StatefulSet
from objects.api.meta import KubeObject
from objects.conditions import find_condition
from objects.errors import InvalidInput
from reconciler.controllers.rollout.arithmetic import desired_replicas
from reconciler.controllers.rollout.progress import (
    CANARY_FAILED,
    DEADLINE_EXCEEDED,
    PROGRESSING,
    is_complete,
    waiting_for,
)


class RolloutProgress(NamedTuple):
    """line: what is said. is_done: nothing is waited for. failure: why it counts as failed, or ''."""

    line: str
    is_done: bool = False
    failure: str = ""


def progress_of(obj: KubeObject) -> RolloutProgress:
    """Where the update of a Deployment, DaemonSet or StatefulSet is. Raises InvalidInput for `OnDelete`."""
    match obj:
        case Deployment():
            return _deployment(obj)
        case DaemonSet():
            return _daemon_set(obj)
        case StatefulSet():
            return _stateful_set(obj)
    raise InvalidInput(f"a {obj.KIND} has no rollout")


def _deployment(obj: Deployment) -> RolloutProgress:
    if is_complete(obj, obj.status):
        return RolloutProgress(f'deployment "{obj.name}" successfully rolled out', is_done=True)
    line = waiting_for(obj.status, desired_replicas(obj))
    condition = find_condition(obj.status.conditions, PROGRESSING)
    if condition is not None and condition.reason == DEADLINE_EXCEEDED:
        return RolloutProgress(line, failure=f'deployment "{obj.name}" exceeded its progress deadline')
    if condition is not None and condition.reason == CANARY_FAILED:
        return RolloutProgress(line, failure=condition.message)
    return RolloutProgress(line)


def _daemon_set(obj: DaemonSet) -> RolloutProgress:
    _check_strategy(obj.spec.update_strategy.type)
    status, name = obj.status, f'daemon set "{obj.name}"'
    wanted = status.desired_number_scheduled
    if status.updated_number_scheduled < wanted:
        updated = f"{status.updated_number_scheduled} out of {wanted} new pods have been updated..."
        return RolloutProgress(f"Waiting for {name} rollout to finish: {updated}")
    if status.number_available < wanted:
        available = f"{status.number_available} of {wanted} updated pods are available..."
        return RolloutProgress(f"Waiting for {name} rollout to finish: {available}")
    return RolloutProgress(f"{name} successfully rolled out", is_done=True)


def _stateful_set(obj: StatefulSet) -> RolloutProgress:
    _check_strategy(obj.spec.update_strategy.type)
    status = obj.status
    wanted = 1 if obj.spec.replicas is None else obj.spec.replicas
    if status.ready_replicas < wanted:
        return RolloutProgress(f"Waiting for {wanted - status.ready_replicas} pods to be ready...")
    rolling = obj.spec.update_strategy.rolling_update
    partition = (rolling.partition if rolling else None) or 0
    if partition > 0:
        due = max(wanted - partition, 0)
        if status.updated_replicas < due:
            updated = f"{status.updated_replicas} out of {due} new pods have been updated..."
            return RolloutProgress(f"Waiting for partitioned roll out to finish: {updated}")
        line = f"partitioned roll out complete: {status.updated_replicas} new pods have been updated..."
        return RolloutProgress(line, is_done=True)
    if status.updated_replicas < wanted:
        line = (
            f"waiting for statefulset rolling update to complete {status.updated_replicas} pods "
            f"at revision {status.update_revision}..."
        )
        return RolloutProgress(line)
    line = f"statefulset rolling update complete {status.updated_replicas} pods at revision {status.update_revision}..."
    return RolloutProgress(line, is_done=True)


def _check_strategy(strategy: str) -> None:
    if strategy == "OnDelete":
        raise InvalidInput("rollout status is only available for the strategy RollingUpdate")
