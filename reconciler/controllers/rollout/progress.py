"""Where a rollout stands: a Deployment's status, its conditions, and what a person is told. Pure.

Reasons are Kubernetes' (kubectl and other tools look for them). Progress is any pod more that is updated, ready or
available, or any old one less; without it for `progressDeadlineSeconds` the rollout counts as stuck, and that is all
that happens: it goes on as soon as it can. Source: Kubernetes' progress.go and sync.go.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from objects.api.apps import Deployment, DeploymentStatus
from objects.api.meta import Condition
from objects.conditions import Conditions, find_condition, with_condition, without_condition
from reconciler.controllers.base import Hold
from reconciler.controllers.rollout.arithmetic import desired_replicas, fenceposts_of
from reconciler.controllers.rollout.revisions import Rollout

PROGRESSING = "Progressing"
AVAILABLE = "Available"

CREATED = "NewReplicaSetCreated"
FOUND = "FoundNewReplicaSet"
UPDATED = "ReplicaSetUpdated"
COMPLETE = "NewReplicaSetAvailable"
DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"
CANARY_PAUSED = "CanaryPaused"
"""Ours: a canary rests at one of its steps."""
CANARY_FAILED = "CanaryFailed"
"""Ours: a check has ended a canary; a commit has to say what becomes of it."""

_NO_DEADLINE = 2**31 - 1
"""What `extensions/v1beta1` wrote for "none"."""


def counted_status(rollout: Rollout) -> DeploymentStatus:
    """The numbers of the status; conditions are still those that were."""
    revisions = rollout.revisions
    available = sum(revision.counts.available for revision in revisions)
    return msgspec.structs.replace(
        rollout.deployment.status,
        replicas=sum(revision.counts.replicas for revision in revisions),
        updated_replicas=rollout.new.counts.replicas if rollout.new else 0,
        ready_replicas=sum(revision.counts.ready for revision in revisions),
        available_replicas=available,
        unavailable_replicas=max(0, rollout.total_size - available),
        terminating_replicas=sum(revision.counts.terminating for revision in revisions) or None,
        observed_generation=rollout.deployment.metadata.generation,
    )


def status_of(rollout: Rollout, *, created: bool, now: datetime, held: str = "", failed: str = "") -> DeploymentStatus:
    """The status with all conditions. created: the newest revision's ReplicaSet is being created in this step.

    held: why a canary rests now; '' when it does not. failed: why it has ended before its end.
    """
    status = counted_status(rollout)
    conditions = _with_available(status.conditions, rollout, status, now)
    if failed:
        conditions = _set(conditions, PROGRESSING, "False", CANARY_FAILED, failed, now)
    elif deadline_of(rollout.deployment) is None:
        conditions = without_condition(conditions, PROGRESSING)
    else:
        conditions = _with_pause(conditions, rollout.deployment, held, now)
        if not rollout.deployment.spec.paused and not held:
            conditions = _with_progress(conditions, rollout, status, created=created, now=now)
    return msgspec.structs.replace(status, conditions=conditions)


def deadline_of(deployment: Deployment) -> timedelta | None:
    """How long a rollout may go without progress; None when there is no limit."""
    seconds = deployment.spec.progress_deadline_seconds
    return None if seconds is None or seconds >= _NO_DEADLINE else timedelta(seconds=seconds)


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether all desired pods are of the newest revision and available, and no other pod is left."""
    desired = desired_replicas(deployment)
    return (
        status.updated_replicas == desired
        and status.replicas == desired
        and status.available_replicas == desired
        and status.observed_generation >= deployment.metadata.generation
    )


def has_progressed(before: DeploymentStatus, after: DeploymentStatus) -> bool:
    """Whether a pod more is updated, ready or available, or an old one less is there."""
    return (
        after.updated_replicas > before.updated_replicas
        or after.replicas - after.updated_replicas < before.replicas - before.updated_replicas
        or after.ready_replicas > before.ready_replicas
        or after.available_replicas > before.available_replicas
    )


def deadline_at(deployment: Deployment, conditions: Conditions) -> datetime | None:
    """When a rollout that makes no further progress counts as stuck; None when it cannot (complete, no limit, …)."""
    limit = deadline_of(deployment)
    condition = find_condition(conditions, PROGRESSING)
    if limit is None or condition is None or condition.last_update_time is None:
        return None
    if condition.reason in (COMPLETE, DEADLINE_EXCEEDED, PAUSED, CANARY_PAUSED, CANARY_FAILED):
        return None
    return condition.last_update_time + limit


def is_timed_out(deployment: Deployment, conditions: Conditions, *, now: datetime) -> bool:
    """Whether the deadline has passed without progress."""
    condition = find_condition(conditions, PROGRESSING)
    if condition is not None and condition.reason == DEADLINE_EXCEEDED:
        return True
    at = deadline_at(deployment, conditions)
    return at is not None and at <= now


def hold_of(rollout: Rollout, status: DeploymentStatus) -> Hold | None:
    """What the rollout waits for, in the words of `kubectl rollout status`; None when it is complete."""
    deployment = rollout.deployment
    if is_complete(deployment, status):
        return None
    desired = desired_replicas(deployment)
    if deployment.spec.paused:
        return Hold(PAUSED, f"paused: {status.updated_replicas} out of {desired} new replicas have been updated")
    progressing = find_condition(status.conditions, PROGRESSING)
    if progressing is not None and progressing.reason == CANARY_FAILED:
        return Hold(CANARY_FAILED, progressing.message)
    if progressing is not None and progressing.reason == DEADLINE_EXCEEDED:
        return Hold(DEADLINE_EXCEEDED, f"{progressing.message} {waiting_for(status, desired)}")
    return Hold("RolloutInProgress", waiting_for(status, desired), deadline_at(deployment, status.conditions))


def waiting_for(status: DeploymentStatus, desired: int) -> str:
    """What a rollout that is not complete waits for, as `kubectl rollout status` says it."""
    updated, old = status.updated_replicas, status.replicas - status.updated_replicas
    if updated < desired:
        return f"Waiting for rollout to finish: {updated} out of {desired} new replicas have been updated..."
    if old > 0:
        return f"Waiting for rollout to finish: {old} old replicas are pending termination..."
    available = min(status.available_replicas, updated)
    return f"Waiting for rollout to finish: {available} of {updated} updated replicas are available..."


# --- conditions ---------------------------------------------------------------------------------------------------


def _with_available(conditions: Conditions, rollout: Rollout, status: DeploymentStatus, now: datetime) -> Conditions:
    deployment = rollout.deployment
    needed = desired_replicas(deployment) - fenceposts_of(deployment).max_unavailable
    if status.available_replicas >= needed:
        return _set(
            conditions, AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now
        )
    message = "Deployment does not have minimum availability."
    return _set(conditions, AVAILABLE, "False", "MinimumReplicasUnavailable", message, now)


def _with_pause(conditions: Conditions, deployment: Deployment, held: str, now: datetime) -> Conditions:
    """A pause stops the clock of the deadline, and so does its end; a rollout that is stuck already stays so."""
    condition = find_condition(conditions, PROGRESSING)
    reason = condition.reason if condition is not None else ""
    if reason == DEADLINE_EXCEEDED:
        return conditions
    if deployment.spec.paused and reason != PAUSED:
        return _set(conditions, PROGRESSING, "Unknown", PAUSED, "Deployment is paused", now)
    if deployment.spec.paused:
        return conditions
    if held:
        is_other = condition is not None and condition.message != held
        return _set(conditions, PROGRESSING, "Unknown", CANARY_PAUSED, held, now, renew=is_other)
    if reason in (PAUSED, CANARY_PAUSED, CANARY_FAILED):
        return _set(conditions, PROGRESSING, "Unknown", RESUMED, "Deployment is resumed", now)
    return conditions


def _with_progress(
    conditions: Conditions, rollout: Rollout, status: DeploymentStatus, *, created: bool, now: datetime
) -> Conditions:
    deployment = rollout.deployment
    name = f'ReplicaSet "{rollout.new.name}"' if rollout.new is not None else f'Deployment "{deployment.name}"'
    if created:
        return _set(conditions, PROGRESSING, "True", CREATED, f"Created new {name}", now)
    condition = find_condition(conditions, PROGRESSING)
    if condition is None and rollout.new is not None:
        conditions = _set(conditions, PROGRESSING, "True", FOUND, f"Found new {name}", now)
    is_old_news = status.replicas == status.updated_replicas and condition is not None and condition.reason == COMPLETE
    if is_old_news:
        # Pods that are lost later are no rollout: they must not make a finished one look stuck.
        return conditions
    if is_complete(deployment, status):
        return _set(conditions, PROGRESSING, "True", COMPLETE, f"{name} has successfully progressed.", now)
    if has_progressed(deployment.status, status):
        return _set(conditions, PROGRESSING, "True", UPDATED, f"{name} is progressing.", now, renew=True)
    if is_timed_out(deployment, conditions, now=now):
        return _set(conditions, PROGRESSING, "False", DEADLINE_EXCEEDED, f"{name} has timed out progressing.", now)
    return conditions


def _set(
    conditions: Conditions, kind: str, status: str, reason: str, message: str, now: datetime, *, renew: bool = False
) -> Conditions:
    """Set a condition; one that says the same already stays as it is. renew: its update time moves nevertheless."""
    before = find_condition(conditions, kind)
    if not renew and before is not None and (before.status, before.reason) == (status, reason):
        return conditions
    wanted = Condition(type=kind, status=status, reason=reason, message=message, last_update_time=now)
    return with_condition(conditions, wanted, now=now)
