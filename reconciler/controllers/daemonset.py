"""DaemonSet: one pod on every node that fits, cordoned ones included.

A pod that still terminates holds its node: two daemons of one set never meet on a host (a surge asks for it). Finished
pods (evicted, exited) are replaced after a pause.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from objects.api.apps import DaemonSet, DaemonSetStatus
from objects.api.core import Node
from objects.api.meta import EPOCH, KubeObject, ObjectKey
from objects.api.pods import Pod
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
from reconciler.controllers.daemon.placement import (
    Belonging,
    belongs_on,
    node_of,
    was_reached,
    with_daemon_tolerations,
    with_node_affinity,
)
from reconciler.controllers.daemon.update import REVISION_LABEL, is_updated, plan_update
from reconciler.controllers.pods.owned import (
    available_at,
    claim_pods,
    claiming_keys,
    is_available,
)
from reconciler.controllers.pods.template import fresh_pod_name, hash_of_template, pod_from_template
from reconciler.state.store import View

FAILED_POD_PAUSE = timedelta(seconds=10)
"""Between the end of a pod and its successor: what makes a daemon fail at once must not keep its host busy."""


class Placement(msgspec.Struct, frozen=True):
    """A DaemonSet over the nodes. belonging: by node; pods: by node, oldest first, terminating ones included."""

    belonging: Mapping[str, Belonging]
    pods: Mapping[str, list[Pod]]

    @property
    def wanted(self) -> list[str]:
        return [name for name, belonging in self.belonging.items() if belonging.should_run]


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """One step: misplaced and doubled pods go, missing ones come, then the update goes on."""
    daemon_set = view.get(DaemonSet, key.namespace, key.name)
    if daemon_set is None or daemon_set.is_terminating:
        return NOTHING
    claimed = claim_pods(view, daemon_set, daemon_set.spec.selector)
    if claimed.changes:
        return Outcome(changes=claimed.changes)
    revision = hash_of_template(daemon_set, daemon_set.spec.template)
    placement = _place(view, daemon_set, claimed.pods)
    delete = list(_superfluous(placement, revision, context.now))
    create = [name for name in placement.wanted if not placement.pods[name]]
    if not delete and not create:
        update = plan_update(
            daemon_set, {name: placement.pods[name] for name in placement.wanted}, revision, now=context.now
        )
        delete, create = list(update.delete), list(update.surge_on)
    made = [_pod_for(view, daemon_set, name, revision, context) for name in create]
    status = status_of(daemon_set, placement, revision, now=context.now)
    changes: list[Change] = [Delete(pod.key, pod.uid) for pod in delete]
    changes += [Put(pod) for pod in made]
    changes.append(Put(msgspec.structs.replace(daemon_set, status=status)))
    return Outcome(
        changes=tuple(changes),
        occurrences=(
            *(Occurrence(key, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.name}") for pod in delete),
            *(Occurrence(key, "Normal", "SuccessfulCreate", f"Created pod: {pod.name}") for pod in made),
        ),
        hold=_hold(status),
        again_at=_again_at(daemon_set, placement, context.now),
    )


def status_of(daemon_set: DaemonSet, placement: Placement, revision: str, *, now: datetime) -> DaemonSetStatus:
    """Counted in nodes: the oldest pod of a node speaks for it."""
    wanted = placement.wanted
    first = [placement.pods[name][0] for name in wanted if placement.pods[name]]
    ready = [pod for pod in first if pod.is_ready]
    minimum = daemon_set.spec.min_ready_seconds
    available = sum(is_available(pod, min_ready_seconds=minimum, now=now) for pod in ready)
    misplaced = [name for name, pods in placement.pods.items() if pods and name not in set(wanted)]
    return DaemonSetStatus(
        desired_number_scheduled=len(wanted),
        current_number_scheduled=len(first),
        number_misscheduled=len(misplaced),
        number_ready=len(ready),
        updated_number_scheduled=sum(
            any(is_updated(pod, revision) and not pod.is_terminating for pod in placement.pods[name]) for name in wanted
        ),
        number_available=available,
        number_unavailable=len(wanted) - available,
        observed_generation=daemon_set.metadata.generation,
        conditions=daemon_set.status.conditions,
    )


def _place(view: View, daemon_set: DaemonSet, pods: tuple[Pod, ...]) -> Placement:
    by_node: defaultdict[str, list[Pod]] = defaultdict(list)
    for pod in sorted(pods, key=lambda pod: (pod.metadata.creation_timestamp or EPOCH, pod.name)):
        by_node[node_of(pod)].append(pod)
    template = daemon_set.spec.template.spec
    belonging = {node.name: belongs_on(template, node) for node in view.all_of(Node)}
    return Placement(belonging, {name: by_node.get(name, []) for name in (*belonging, *by_node)})


def _superfluous(placement: Placement, revision: str, now: datetime) -> Iterator[Pod]:
    """Pods on nodes where none belongs, second ones of the same revision, and finished ones whose pause is over."""
    for name, pods in placement.pods.items():
        if not name:
            continue  # adopted, and the scheduler has not said yet where it goes
        belonging = placement.belonging.get(name)
        standing: set[bool] = set()
        # Of two old ones the ready one stays: a surge that failed is no reason to lose what works.
        for pod in sorted(pods, key=lambda pod: not pod.is_ready):
            if pod.is_terminating:
                continue
            if belonging is None or not belonging.may_stay:
                yield pod
            elif pod.is_finished:
                if _replaced_at(pod) <= now:
                    yield pod
            elif is_updated(pod, revision) in standing:
                yield pod
            else:
                standing.add(is_updated(pod, revision))


def _replaced_at(pod: Pod) -> datetime:
    """When a finished pod makes room for its successor."""
    ends = [
        status.state.terminated.finished_at
        for status in pod.status.container_statuses
        if status.state.terminated is not None and status.state.terminated.finished_at is not None
    ]
    return max(ends, default=pod.metadata.creation_timestamp or EPOCH) + FAILED_POD_PAUSE


def _pod_for(view: View, daemon_set: DaemonSet, node_name: str, revision: str, context: Context) -> Pod:
    template = daemon_set.spec.template
    labels = {**template.metadata.labels, REVISION_LABEL: revision}
    spec = with_daemon_tolerations(template.spec)
    spec = msgspec.structs.replace(spec, affinity=with_node_affinity(spec.affinity, node_name))
    named = msgspec.structs.replace(
        template, metadata=msgspec.structs.replace(template.metadata, labels=labels), spec=spec
    )
    name = fresh_pod_name(view, daemon_set, context.random, taken=set())
    return pod_from_template(daemon_set, named, name=name, context=context)


def _hold(status: DaemonSetStatus) -> Hold | None:
    updated, desired, available = (
        status.updated_number_scheduled,
        status.desired_number_scheduled,
        status.number_available,
    )
    if updated < desired:
        return Hold("RolloutInProgress", f"Waiting: {updated} out of {desired} new pods have been updated...")
    if available < desired:
        return Hold("RolloutInProgress", f"Waiting: {available} of {desired} updated pods are available...")
    return None


def _again_at(daemon_set: DaemonSet, placement: Placement, now: datetime) -> datetime | None:
    times = [
        _replaced_at(pod)
        for pods in placement.pods.values()
        for pod in pods
        if pod.is_finished and not pod.is_terminating
    ]
    for pods in placement.pods.values():
        times += [at for pod in pods if (at := available_at(pod, daemon_set.spec.min_ready_seconds)) is not None]
    return min((time for time in times if time > now), default=None)


def _keys_of_node(view: View, _obj: KubeObject) -> tuple[ObjectKey, ...]:
    return tuple(daemon_set.key for daemon_set in view.all_of(DaemonSet))


def _belongs_otherwise(_view: View, old: Node, new: Node) -> bool:
    """Whether a node changed in what says if pods belong there: not its images, figures or addresses."""
    return old.labels != new.labels or old.spec.taints != new.spec.taints or was_reached(old) != was_reached(new)


CONTROLLER = Controller(
    name="daemonset-controller",
    watches={
        DaemonSet.KIND: own_key,
        Pod.KIND: claiming_keys(DaemonSet),
        Node.KIND: _keys_of_node,
    },
    concerns={Node.KIND: _belongs_otherwise},
    reconcile=reconcile,
)
