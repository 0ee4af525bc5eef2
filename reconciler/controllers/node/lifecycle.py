"""What a node's state does to the pods that are bound to it.

* No Host any more: its pods are gone for certain, and so are those of a host that a person declared out of service.
* A `NoExecute` taint ends the pods that do not tolerate it, or no longer: `tolerationSeconds` after the taint came.
* Not ready or unknown: its pods are not ready (they get no traffic), and nothing else happens to them.
* Its slice of the pod network was given to another host while it was away: pods with addresses of it are ended at once.

Unknown is not absent: a pod that is ended here stays in the store, terminating, until its host shows that it is gone.
Source of the rules: Kubernetes' taint eviction, node lifecycle and pod garbage collection controllers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from objects.api.batch import Job
from objects.api.core import Node, Taint
from objects.api.meta import (
    Condition,
    KubeObject,
    ObjectKey,
    controller_of,
)
from objects.api.pods import Pod, Toleration
from objects.conditions import find_condition, with_condition
from objects.own.config import Host
from objects.own.taints import NO_EXECUTE, OUT_OF_SERVICE
from objects.selectors import tolerates
from reconciler.controllers.base import NOTHING, Change, Context, Controller, Delete, Occurrence, Outcome, Put
from reconciler.controllers.node.nodes import is_node_ready
from reconciler.state.host_status import GIVEN_AWAY, HostStatus
from reconciler.state.store import Index, View


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """Everything that is due now for the pods of one node."""
    if view.get(Host, "", key.name) is None:
        pods = [pod for pod in view.pods_on(key.name) if not _is_record(pod) and not _was_never_there(pod)]
        return Outcome(changes=tuple(Delete(pod.key, pod.uid, 0, is_certain=True) for pod in pods))
    node = view.get(Node, "", key.name)
    if node is None:
        return NOTHING
    executing = tuple(taint for taint in node.spec.taints if taint.effect == NO_EXECUTE)
    if not executing and is_node_ready(node):
        return NOTHING
    verdicts = [_verdict(pod, node, executing, context.now) for pod in view.pods_on(key.name)]
    times = [verdict.again_at for verdict in verdicts if verdict.again_at is not None]
    return Outcome(
        changes=tuple(change for verdict in verdicts for change in verdict.changes),
        occurrences=tuple(occurrence for verdict in verdicts for occurrence in verdict.occurrences),
        again_at=min(times, default=None),
    )


def _was_never_there(pod: Pod) -> bool:
    """Whether a manifest names a host that never existed: its pod waits, or it would be made and deleted for ever."""
    return pod.status.start_time is None


def _is_record(pod: Pod) -> bool:
    """Whether the pod only says that a Job's work was done: it outlives its host, or the work would be done again."""
    owner = controller_of(pod)
    return pod.is_finished and owner is not None and owner.kind == Job.KIND


def is_certainly_gone(view: View, node_name: str) -> bool:
    """Whether whatever was bound to this node runs no more: its Host left Git, or was declared out of service."""
    if view.get(Host, "", node_name) is None:
        return True
    node = view.get(Node, "", node_name)
    return node is not None and _is_out_of_service(node)


def hosts_that_may_hold_unrecorded(view: View) -> list[str]:
    """Those of `hosts_that_may_hold_pods` on which an ordinal or a claim's data may be that nobody wrote down."""
    unseen = ((name, view.get(HostStatus, "", name)) for name in hosts_that_may_hold_pods(view))
    return [name for name, status in unseen if status is None or not status.is_recorded]


def hosts_that_may_hold_pods(view: View) -> list[str]:
    """Hosts that had pods before this process started and were not seen since: what runs there is not known.

    Those that joined since are not among them; nor is any while the status branch shows that no process was before.
    """
    unseen = view.by_index(_UNSEEN, "unseen")
    return [status.name for status in unseen if not is_certainly_gone(view, status.name)]


def _had_pods_unseen(status: HostStatus) -> bool:
    return not status.was_observed and bool(status.pod_subnet or status.may_hold_pods)


_UNSEEN = Index(HostStatus, lambda status: ("unseen",) if _had_pods_unseen(status) else (), _had_pods_unseen)


def may_show_pods(_view: View, old: Node, new: Node) -> bool:
    """Whether a change of a Node may end a wait for what nobody has seen: `hosts_that_may_hold_pods` may be another."""
    return (old.status.node_info is None) != (new.status.node_info is None) or (
        _is_out_of_service(old) != _is_out_of_service(new)
    )


def eviction_time(taints: Iterable[Taint], tolerations: Iterable[Toleration]) -> datetime | None:
    """When a pod with these tolerations has to leave; None when it may stay.

    taints: `NoExecute` ones with the time they came. The shortest toleration of a taint counts; a taint that nothing
    tolerates ends the pod at the time it came.
    """
    allowed = tuple(tolerations)
    ends = [end for taint in taints if (end := _end_of_tolerance(taint, allowed)) is not None]
    return min(ends, default=None)


def _end_of_tolerance(taint: Taint, tolerations: tuple[Toleration, ...]) -> datetime | None:
    matching = [toleration for toleration in tolerations if tolerates(toleration, taint)]
    limits = [max(0, one.toleration_seconds) for one in matching if one.toleration_seconds is not None]
    if taint.time_added is None or (matching and not limits):
        return None
    return taint.time_added + timedelta(seconds=min(limits, default=0))


def _is_out_of_service(node: Node) -> bool:
    """Only together with a host that does not answer: nobody believes that a running host is off."""
    return not is_node_ready(node) and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def _verdict(pod: Pod, node: Node, taints: tuple[Taint, ...], now: datetime) -> Outcome:
    if not _is_record(pod) and _is_out_of_service(node) and _must_leave_service(pod, taints):
        return _evicted(pod, node, now, is_certain=True)
    if pod.is_terminating or pod.is_finished:
        return NOTHING
    if _is_slice_given_away(node) and not pod.spec.host_network:
        return _without_addresses(pod, node, now)
    ends = eviction_time(taints, pod.spec.tolerations)
    if ends is not None and ends <= now:
        return _evicted(pod, node, now, is_certain=False)
    changes = () if is_node_ready(node) else _not_ready(pod, now)
    return Outcome(changes=changes, again_at=ends)


def _is_slice_given_away(node: Node) -> bool:
    """By the node's condition: the host has been seen, and so has the other one that has its slice."""
    ready = find_condition(node.status.conditions, "Ready")
    return ready is not None and ready.status == "False" and ready.reason == GIVEN_AWAY


def _without_addresses(pod: Pod, node: Node, now: datetime) -> Outcome:
    """Whatever the pod tolerates: packets to its address go to another host, and the node waits for its end."""
    message = f"Deleting pod {pod.namespace}/{pod.name}: its address is of a slice that node {node.name} has lost"
    condition = Condition(type="DisruptionTarget", status="True", reason=GIVEN_AWAY, message=message)
    return Outcome(
        changes=(*_with_pod_condition(pod, condition, now), Delete(pod.key, pod.uid)),
        occurrences=(Occurrence(pod.key, "Warning", GIVEN_AWAY, message),),
    )


def _must_leave_service(pod: Pod, taints: tuple[Taint, ...]) -> bool:
    out = [taint for taint in taints if taint.key == OUT_OF_SERVICE]
    return any(not any(tolerates(one, taint) for one in pod.spec.tolerations) for taint in out)


def _evicted(pod: Pod, node: Node, now: datetime, *, is_certain: bool) -> Outcome:
    message = f"Deleting pod {pod.namespace}/{pod.name}: it does not tolerate the taints of node {node.name}"
    condition = Condition(type="DisruptionTarget", status="True", reason="DeletionByTaintManager", message=message)
    return Outcome(
        changes=(
            *_with_pod_condition(pod, condition, now),
            Delete(pod.key, pod.uid, 0 if is_certain else None, is_certain=is_certain),
        ),
        occurrences=(Occurrence(pod.key, "Normal", "TaintManagerEviction", message),),
    )


def _not_ready(pod: Pod, now: datetime) -> tuple[Change, ...]:
    if not pod.is_ready:
        return ()
    message = f"node {pod.node_name} is not ready"
    condition = Condition(type="Ready", status="False", reason="NodeNotReady", message=message)
    return _with_pod_condition(pod, condition, now)


def _with_pod_condition(pod: Pod, condition: Condition, now: datetime) -> tuple[Change, ...]:
    conditions = with_condition(pod.status.conditions, condition, now=now)
    return (Put(msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, conditions=conditions))),)


def _keys_of_node(_view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    return (ObjectKey(Node.KIND, "", obj.name),)


def _keys_of_pod(_view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    return (ObjectKey(Node.KIND, "", obj.node_name),) if isinstance(obj, Pod) and obj.node_name else ()


CONTROLLER = Controller(
    name="node-lifecycle-controller",
    watches={Host.KIND: _keys_of_node, Node.KIND: _keys_of_node, Pod.KIND: _keys_of_pod},
    reconcile=reconcile,
)
