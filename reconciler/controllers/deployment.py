"""Deployment: moves pods from one template to the next by sizing ReplicaSets, one step a call.

Where the rollout stands is read off the ReplicaSets and their pods each time. This module chooses the step and writes
it down; the numbers are in `rollout/`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.api.apps import Deployment, ReplicaSet
from objects.api.meta import KubeObject, ObjectKey, controller_reference
from objects.names import ANNOTATION_TEMPLATE_HASH
from objects.own.canary import CANARY_CHECKS
from reconciler.controllers.base import (
    NOTHING,
    Change,
    Context,
    Controller,
    Delete,
    Hold,
    Occurrence,
    Outcome,
    Put,
    own_key,
)
from reconciler.controllers.pods.owned import claiming_keys
from reconciler.controllers.rollout.arithmetic import is_rolling
from reconciler.controllers.rollout.checks import Checking, noted_failure, with_failure_noted
from reconciler.controllers.rollout.progress import (
    CANARY_FAILED,
    CANARY_PAUSED,
    deadline_at,
    hold_of,
    is_complete,
    status_of,
)
from reconciler.controllers.rollout.revisions import (
    REVISION,
    Revision,
    Rollout,
    new_replica_set,
    observe_rollout,
    surplus_history,
    with_newest_metadata,
    with_readiness_noted,
    with_size,
)
from reconciler.controllers.rollout.scaling import is_scaling, scaled_sizes
from reconciler.controllers.rollout.stages import Stage, next_staged_sizes, stage_of
from reconciler.controllers.rollout.strategies import (
    Sizes,
    has_old_pods,
    next_recreate_sizes,
    without_excess,
    without_growth_beside_others,
)
from reconciler.figures.pod_metrics import QueryAnswer
from reconciler.state.store import View


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """One step of the rollout, with the status that was observed before it."""
    deployment = view.get(Deployment, key.namespace, key.name)
    if deployment is None or deployment.is_terminating:
        return NOTHING
    if adopted := _adopted(view, deployment):
        return Outcome(changes=adopted)
    observed = observe_rollout(view, deployment, now=context.now)
    rollout = _with_newest(observed, context)
    created = observed.new is None and rollout.new is not None
    if created and rollout.new is not None and view.find(rollout.new.replica_set.key) is not None:
        message = f"ReplicaSet {rollout.new.name} exists already and belongs to another owner"
        return Outcome(hold=Hold("ReplicaSetNameTaken", message))
    stage = stage_of(rollout, Checking(view, context.settings.metrics.prometheus), now=context.now)
    failed = stage.failed if stage is not None else ""
    ended = _ended(rollout, failed)
    rollout = _with_failure(rollout, failed)
    sizes = _next_sizes(rollout, stage, created=created)
    held = stage.held if stage is not None and not sizes else ""
    status = status_of(rollout, created=created, now=context.now, held=held, failed=failed)
    changes, occurrences = _written(observed, rollout, sizes)
    if not sizes and (is_complete(deployment, status) or deployment.spec.paused):
        changes += tuple(Delete(rs.key, rs.uid) for rs in surplus_history(rollout))
    changes += (Put(msgspec.structs.replace(_numbered(deployment, rollout), status=status)),)
    return Outcome(
        changes=changes,
        occurrences=occurrences + ended,
        hold=Hold(CANARY_PAUSED, held, stage.until) if stage is not None and held else hold_of(rollout, status),
        again_at=_earliest(deadline_at(deployment, status.conditions), stage.until if stage is not None else None),
    )


def _with_newest(rollout: Rollout, context: Context) -> Rollout:
    """`rollout` with its newest revision: created when missing and allowed now, its metadata current."""
    if rollout.new is not None:
        replica_set = with_newest_metadata(rollout.new.replica_set, rollout)
        return msgspec.structs.replace(rollout, new=msgspec.structs.replace(rollout.new, replica_set=replica_set))
    must_wait = not is_rolling(rollout.deployment) and has_old_pods(rollout)
    if rollout.deployment.spec.paused or must_wait:
        return rollout
    created = with_newest_metadata(new_replica_set(rollout, now=context.now), rollout)
    return msgspec.structs.replace(rollout, new=Revision(created))


def _with_failure(rollout: Rollout, why: str) -> Rollout:
    """`rollout` whose newest revision carries the mark of a canary that failed, or none."""
    if rollout.new is None:
        return rollout
    replica_set = with_failure_noted(rollout.new.replica_set, rollout, why)
    return msgspec.structs.replace(rollout, new=msgspec.structs.replace(rollout.new, replica_set=replica_set))


def _ended(rollout: Rollout, why: str) -> tuple[Occurrence, ...]:
    """Said once, when a check ends a canary."""
    if not why or noted_failure(rollout):
        return ()
    return (Occurrence(rollout.deployment.key, "Warning", CANARY_FAILED, why),)


def _earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


def _next_sizes(rollout: Rollout, stage: Stage | None, *, created: bool) -> Sizes:
    """The step's sizes. A commit that changes template and size together does not first scale the old template."""
    if rollout.deployment.spec.paused:
        return _scaled_sizes(rollout)
    if not created and is_scaling(rollout) and (sizes := _scaled_sizes(rollout)):
        return sizes
    if sizes := without_excess(rollout):
        return sizes
    return next_staged_sizes(rollout, stage) if is_rolling(rollout.deployment) else next_recreate_sizes(rollout)


def _scaled_sizes(rollout: Rollout) -> Sizes:
    sizes = scaled_sizes(rollout)
    return sizes if is_rolling(rollout.deployment) else without_growth_beside_others(rollout, sizes)


def _written(observed: Rollout, rollout: Rollout, sizes: Sizes) -> tuple[tuple[Change, ...], tuple[Occurrence, ...]]:
    """The ReplicaSets that differ from what was observed, and what is said about their sizes."""
    before = {revision.name: revision.replica_set for revision in observed.revisions}
    changes: list[Change] = []
    occurrences: list[Occurrence] = []
    for revision in rollout.revisions:
        size = sizes.get(revision.name, revision.size)
        replica_set = with_readiness_noted(revision.replica_set, revision.counts)
        if size > 0 or size != revision.size:
            replica_set = with_size(replica_set, size, rollout.deployment)
        if replica_set != before.get(revision.name):
            changes.append(Put(replica_set))
        if size != revision.size:
            occurrences.append(_scaled(rollout.deployment, revision, size))
    return tuple(changes), tuple(occurrences)


def _scaled(deployment: Deployment, revision: Revision, size: int) -> Occurrence:
    direction = "up" if size > revision.size else "down"
    message = f"Scaled {direction} replica set {revision.name} to {size} from {revision.size}"
    return Occurrence(deployment.key, "Normal", "ScalingReplicaSet", message)


def _numbered(deployment: Deployment, rollout: Rollout) -> Deployment:
    """`deployment` with the revision number of its newest ReplicaSet."""
    if rollout.new is None or deployment.annotations.get(REVISION) == str(rollout.new.number):
        return deployment
    annotations = {**deployment.annotations, REVISION: str(rollout.new.number)}
    metadata = msgspec.structs.replace(deployment.metadata, annotations=annotations)
    return msgspec.structs.replace(deployment, metadata=metadata)


# --- whose ReplicaSets --------------------------------------------------------------------------------------------


def _adopted(view: View, deployment: Deployment) -> tuple[Change, ...]:
    """Ownerless ReplicaSets that match the selector (of a Deployment that was orphaned) become this Deployment's.

    Not those that Git declares: their size is what Git says.
    """
    return tuple(
        Put(
            msgspec.structs.replace(
                replica_set,
                metadata=msgspec.structs.replace(
                    replica_set.metadata,
                    owner_references=(*replica_set.metadata.owner_references, controller_reference(deployment)),
                ),
            )
        )
        for replica_set in view.selected(ReplicaSet, deployment, only_orphans=True)
        if _may_own(deployment, replica_set)
    )


def _may_own(deployment: Deployment, replica_set: ReplicaSet) -> bool:
    selector = deployment.spec.selector
    has_selector = selector is not None and bool(selector.match_labels or selector.match_expressions)
    is_free = not replica_set.is_terminating and ANNOTATION_TEMPLATE_HASH not in replica_set.annotations
    return has_selector and is_free


def _checking_keys(view: View, _answer: KubeObject) -> list[ObjectKey]:
    """The Deployments that may wait for an answer of the metrics server."""
    return [deployment.key for deployment in view.all_of(Deployment) if CANARY_CHECKS in deployment.annotations]


CONTROLLER = Controller(
    name="deployment-controller",
    watches={
        Deployment.KIND: own_key,
        ReplicaSet.KIND: claiming_keys(Deployment),
        QueryAnswer.KIND: _checking_keys,
    },
    reconcile=reconcile,
)
