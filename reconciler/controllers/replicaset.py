"""ReplicaSet: keep as many active pods of one template as asked for.

Adopts ownerless pods that match its selector and releases own ones that no longer do. Never deletes a pod that Git
declares: Git would bring it back at once, for ever.
"""

from __future__ import annotations

import msgspec

from objects.api.apps import ReplicaSet, ReplicaSetStatus
from objects.api.meta import ObjectKey, controller_of
from objects.api.pods import Pod
from objects.names import ANNOTATION_TEMPLATE_HASH
from reconciler.controllers.base import (
    NOTHING,
    Context,
    Controller,
    Delete,
    Hold,
    Occurrence,
    Outcome,
    Put,
    own_key,
)
from reconciler.controllers.pods.owned import (
    PodCounts,
    claim_pods,
    claiming_keys,
    count_pods,
    is_active,
)
from reconciler.controllers.pods.ranking import choose_pods_to_delete
from reconciler.controllers.pods.template import fresh_pod_name, pod_from_template
from reconciler.state.store import View


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """One step towards `spec.replicas` pods, or a current status when they are there."""
    replica_set = view.get(ReplicaSet, key.namespace, key.name)
    if replica_set is None or replica_set.is_terminating:
        return NOTHING
    claimed = claim_pods(view, replica_set, replica_set.spec.selector)
    if claimed.changes:
        return Outcome(changes=claimed.changes)
    active = tuple(pod for pod in claimed.pods if is_active(pod))
    wanted = 1 if replica_set.spec.replicas is None else replica_set.spec.replicas
    if len(active) < wanted:
        return _create(view, replica_set, wanted - len(active), context)
    deletable = tuple(pod for pod in active if ANNOTATION_TEMPLATE_HASH not in pod.annotations)
    surplus = min(len(active) - wanted, len(deletable))
    if surplus > 0:
        return _delete(view, replica_set, deletable, surplus, context)
    counts = count_pods(
        claimed.pods,
        now=context.now,
        min_ready_seconds=replica_set.spec.min_ready_seconds,
        template_labels=replica_set.spec.template.metadata.labels,
    )
    return Outcome(
        changes=(Put(msgspec.structs.replace(replica_set, status=status_of(replica_set, counts))),),
        hold=_hold_for_declared_pods(len(active) - wanted),
        again_at=counts.next_available_at,
    )


def status_of(replica_set: ReplicaSet, counts: PodCounts) -> ReplicaSetStatus:
    """The status that `counts` amount to."""
    return ReplicaSetStatus(
        replicas=counts.replicas,
        fully_labeled_replicas=counts.fully_labeled,
        ready_replicas=counts.ready,
        available_replicas=counts.available,
        terminating_replicas=counts.terminating or None,
        observed_generation=replica_set.metadata.generation,
        conditions=replica_set.status.conditions,
    )


def related_pods(view: View, replica_set: ReplicaSet) -> list[Pod]:
    """Active pods of all ReplicaSets with the same controller, the own ones included."""
    owner = controller_of(replica_set)
    siblings = [replica_set] if owner is None else view.owned(ReplicaSet, owner.uid)
    return [pod for sibling in siblings for pod in view.owned(Pod, sibling.uid) if is_active(pod)]


def _create(view: View, replica_set: ReplicaSet, count: int, context: Context) -> Outcome:
    pods: list[Pod] = []
    names: set[str] = set()
    for _ in range(count):
        name = fresh_pod_name(view, replica_set, context.random, taken=names)
        names.add(name)
        pods.append(pod_from_template(replica_set, replica_set.spec.template, name=name, context=context))
    return Outcome(
        changes=tuple(Put(pod) for pod in pods),
        occurrences=tuple(
            Occurrence(replica_set.key, "Normal", "SuccessfulCreate", f"Created pod: {pod.name}") for pod in pods
        ),
    )


def _delete(view: View, replica_set: ReplicaSet, pods: tuple[Pod, ...], count: int, context: Context) -> Outcome:
    chosen = choose_pods_to_delete(
        pods,
        count,
        related=related_pods(view, replica_set),
        now=context.now,
        min_ready_seconds=replica_set.spec.min_ready_seconds,
    )
    return Outcome(
        changes=tuple(Delete(pod.key, pod.uid) for pod in chosen),
        occurrences=tuple(
            Occurrence(replica_set.key, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.name}") for pod in chosen
        ),
    )


def _hold_for_declared_pods(surplus: int) -> Hold | None:
    if surplus <= 0:
        return None
    return Hold("PodsDeclaredInGit", f"{surplus} pods too many, but Git declares them: remove their manifests")


CONTROLLER = Controller(
    name="replicaset-controller",
    watches={ReplicaSet.KIND: own_key, Pod.KIND: claiming_keys(ReplicaSet)},
    reconcile=reconcile,
)
