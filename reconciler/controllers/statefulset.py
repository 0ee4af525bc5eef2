"""StatefulSet: pods with a number, a name and claims of their own, which come and go in order.

Never two of one ordinal. A pod of the same name in the store blocks its successor, terminating or not, and it leaves
the store only when its host showed it gone, or is gone for certain. A missing pod is not made while a host that had
pods before has not been seen since the process started: it might run there.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.api.apps import ControllerRevision, StatefulSet, StatefulSetStatus
from objects.api.core import Node
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.api.storage import PersistentVolumeClaim
from objects.own.taints import OUT_OF_SERVICE
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
from reconciler.controllers.node.lifecycle import hosts_that_may_hold_unrecorded, may_show_pods
from reconciler.controllers.node.nodes import is_node_ready
from reconciler.controllers.pods.owned import (
    available_at,
    claim_pods,
    claiming_keys,
    count_pods,
)
from reconciler.controllers.stateful.claims import claims_to_put, stale_claims
from reconciler.controllers.stateful.identity import (
    REVISION_LABEL,
    ordinal_of,
    pod_for,
    pod_name,
    pods_by_ordinal,
    replicas_of,
)
from reconciler.controllers.stateful.revisions import (
    find_revisions,
    revision_for,
    surplus_revisions,
    template_of,
)
from reconciler.controllers.stateful.steps import REST, Situation, Step, next_step
from reconciler.state.store import View

WHAT_TO_DO = f"remove the Host from Git if it is gone, or commit the taint {OUT_OF_SERVICE} if it is off"


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """One step: a pod more, a pod less, or the wait for one."""
    stateful_set = view.get(StatefulSet, key.namespace, key.name)
    if stateful_set is None or stateful_set.is_terminating:
        return NOTHING
    claimed = claim_pods(view, stateful_set, stateful_set.spec.selector)
    named = tuple(c for c in claimed.changes if isinstance(c, Put) and ordinal_of(stateful_set, c.obj.name) is not None)
    if named:
        return Outcome(changes=named)
    pods = pods_by_ordinal(stateful_set, claimed.pods)
    revisions = find_revisions(view, stateful_set, pods.values(), now=context.now)
    situation = Situation(stateful_set, pods, revisions, context.now)
    step = _held_back(view, situation, next_step(situation))
    status = status_of(situation)
    changes: list[Change] = []
    if revisions.update not in revisions.known:
        changes.append(Put(revisions.update))
    made = [_pod(situation, ordinal, context) for ordinal in step.create]
    # Also of pods that are there: a process without memory makes their claims again, and these find their volumes.
    for ordinal in (*pods, *step.create):
        changes += claims_to_put(view, stateful_set, ordinal, pods.get(ordinal), now=context.now)
    changes += [Put(pod) for pod in made]
    changes += [Delete(pod.key, pod.uid) for pod in step.delete]
    if step == REST:
        changes += [Delete(old.key, old.uid) for old in surplus_revisions(stateful_set, revisions, pods.values())]
    changes.append(Put(msgspec.structs.replace(stateful_set, status=status)))
    return Outcome(
        changes=tuple(changes),
        occurrences=_occurrences(stateful_set, made, step),
        hold=_explained(view, step.hold, pods),
        again_at=_again_at(situation),
    )


def status_of(situation: Situation) -> StatefulSetStatus:
    """Counts and revisions; the update's revision becomes the current one when every pod is of it and ready."""
    stateful_set, revisions = situation.stateful_set, situation.revisions
    pods = list(situation.pods.values())
    counts = count_pods(pods, now=situation.now, min_ready_seconds=stateful_set.spec.min_ready_seconds)
    updated = _count(pods, revisions.update)
    is_complete = updated == counts.ready == len(pods) == replicas_of(stateful_set)
    current = revisions.update if is_complete else revisions.current
    return msgspec.structs.replace(
        stateful_set.status,
        replicas=len(pods),
        ready_replicas=counts.ready,
        available_replicas=counts.available,
        current_replicas=_count(pods, current),
        updated_replicas=updated,
        current_revision=current.name,
        update_revision=revisions.update.name,
        observed_generation=stateful_set.metadata.generation,
    )


def _count(pods: list[Pod], revision: ControllerRevision) -> int:
    return sum(pod.labels.get(REVISION_LABEL) == revision.name and not pod.is_terminating for pod in pods)


def _pod(situation: Situation, ordinal: int, context: Context) -> Pod:
    stateful_set, revisions = situation.stateful_set, situation.revisions
    revision = revision_for(stateful_set, revisions, ordinal)
    template = stateful_set.spec.template if revision == revisions.update else template_of(revision)
    return pod_for(stateful_set, template, ordinal, revision.name, context)


# --- what holds a step back ---------------------------------------------------------------------------------------


def _held_back(view: View, situation: Situation, step: Step) -> Step:
    """`step` without creations while the pods might run on a host that nobody has seen yet, or their claims end."""
    ending = [name for ordinal in step.create for name in stale_claims(view, situation.stateful_set, ordinal)]
    if ending:
        message = f"{', '.join(ending)} has to go with its last pod first, and is still used"
        return msgspec.structs.replace(step, create=(), hold=Hold("ClaimEnding", message))
    unseen = hosts_that_may_hold_unrecorded(view) if step.create else []
    if not unseen:
        return step
    names = ", ".join(pod_name(situation.stateful_set, ordinal) for ordinal in step.create)
    message = f"{names} may still run on {', '.join(unseen)}, not seen since the start: {WHAT_TO_DO}"
    return msgspec.structs.replace(step, create=(), hold=Hold("HostUnknown", message))


def _explained(view: View, hold: Hold | None, pods: dict[int, Pod]) -> Hold | None:
    """`hold`, with what a person can do when a pod's end cannot be seen."""
    if hold is None:
        return None
    for pod in pods.values():
        node = view.get(Node, "", pod.node_name)
        if pod.is_terminating and node is not None and not is_node_ready(node):
            where = f"host {pod.node_name}, which does not answer"
            return Hold("HostUnknown", f"pod {pod.name} may still run on {where}: {WHAT_TO_DO}")
    return hold


def _occurrences(stateful_set: StatefulSet, made: list[Pod], step: Step) -> tuple[Occurrence, ...]:
    def said(reason: str, verb: str, pod: Pod) -> Occurrence:
        message = f"{verb} Pod {pod.name} in StatefulSet {stateful_set.name} successful"
        return Occurrence(stateful_set.key, "Normal", reason, message)

    return (
        *(said("SuccessfulCreate", "create", pod) for pod in made),
        *(said("SuccessfulDelete", "delete", pod) for pod in step.delete),
    )


def _again_at(situation: Situation) -> datetime | None:
    seconds = situation.stateful_set.spec.min_ready_seconds
    times = [at for pod in situation.pods.values() if (at := available_at(pod, seconds)) is not None]
    return min((at for at in times if at > situation.now), default=None)


def _keys_of_node(view: View, _obj: KubeObject) -> tuple[ObjectKey, ...]:
    """A node that is seen for the first time, or leaves, may end a wait."""
    return tuple(stateful_set.key for stateful_set in view.all_of(StatefulSet))


def _keys_of_claim(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    """A claim that is gone may be what a pod waits for."""
    if view.find(obj.key) is not None:
        return ()
    return tuple(one.key for one in view.selecting(StatefulSet, obj))


CONTROLLER = Controller(
    name="statefulset-controller",
    watches={
        StatefulSet.KIND: own_key,
        Pod.KIND: claiming_keys(StatefulSet),
        Node.KIND: _keys_of_node,
        PersistentVolumeClaim.KIND: _keys_of_claim,
    },
    concerns={Node.KIND: may_show_pods},
    reconcile=reconcile,
)
