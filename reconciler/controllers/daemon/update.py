"""How a DaemonSet's pods come to a new template: which old ones go, and where a new one may stand beside an old. Pure.

Holds always: what is decided here takes no available pod away when `maxUnavailable` are missing already, and adds no
second pod to a node when `maxSurge` nodes have one. Source: Kubernetes' daemon controller, update.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from objects.api.apps import DaemonSet
from objects.api.pods import Pod
from objects.values.intstr import scaled_value
from reconciler.controllers.pods.owned import is_available

REVISION_LABEL = "controller-revision-hash"


class Update(msgspec.Struct, frozen=True):
    """delete: old pods that go now. surge_on: nodes on which a new pod starts beside the old one."""

    delete: tuple[Pod, ...] = ()
    surge_on: tuple[str, ...] = ()


class Allowance(msgspec.Struct, frozen=True):
    """Nodes that may be without an available pod, and nodes that may have two, in whole nodes."""

    max_surge: int
    max_unavailable: int


def allowance_of(daemon_set: DaemonSet, desired: int) -> Allowance:
    """Both round up, as shares of the nodes that should run a pod; never both zero: then one may be unavailable.

    desired  surge  unavailable -> surge  unavailable
         10      -            -        0            1   the defaults
         10    10%            0        1            0
         10      0          25%        0            3
    """
    rolling = daemon_set.spec.update_strategy.rolling_update
    surge = rolling.max_surge if rolling is not None else None
    unavailable = rolling.max_unavailable if rolling is not None else None
    max_surge = scaled_value(surge or 0, total=desired, round_up=True)
    max_unavailable = scaled_value(1 if unavailable is None else unavailable, total=desired, round_up=True)
    if desired > 0 and max_surge == 0 and max_unavailable == 0:
        max_unavailable = 1
    return Allowance(max_surge, max_unavailable)


class NodePods(msgspec.Struct, frozen=True):
    """Pods of a node by revision; terminating and finished ones are in neither."""

    new: Pod | None
    old: Pod | None


def pods_by_revision(pods: Sequence[Pod], revision: str) -> NodePods:
    """The oldest new and the oldest old pod that count on one node."""
    active = [pod for pod in pods if not pod.is_terminating and not pod.is_finished]
    new = next((pod for pod in active if is_updated(pod, revision)), None)
    old = next((pod for pod in active if not is_updated(pod, revision)), None)
    return NodePods(new, old)


def is_updated(pod: Pod, revision: str) -> bool:
    """Whether the pod was made from the present template."""
    return pod.labels.get(REVISION_LABEL) == revision


def plan_update(daemon_set: DaemonSet, by_node: Mapping[str, Sequence[Pod]], revision: str, *, now: datetime) -> Update:
    """by_node: for each node that should run a pod, its pods, oldest first."""
    if daemon_set.spec.update_strategy.type == "OnDelete":
        return Update()
    allowance = allowance_of(daemon_set, len(by_node))
    nodes = {name: pods_by_revision(pods, revision) for name, pods in sorted(by_node.items())}
    ready = daemon_set.spec.min_ready_seconds
    available = {
        pod.uid
        for node in nodes.values()
        for pod in (node.new, node.old)
        if pod is not None and is_available(pod, min_ready_seconds=ready, now=now)
    }
    if allowance.max_surge > 0:
        return _with_surge(nodes, available, allowance.max_surge)
    return _without_surge(nodes, available, allowance.max_unavailable)


def _without_surge(nodes: Mapping[str, NodePods], available: set[str], max_unavailable: int) -> Update:
    """Old pods whose node loses nothing go at once; the others only while few enough nodes are without."""
    missing = 0
    useless: list[Pod] = []
    serving: list[Pod] = []
    for node in nodes.values():
        has_new = node.new is not None and node.new.uid in available
        has_old = node.old is not None and node.old.uid in available
        missing += not (has_new or has_old)
        if node.old is not None and (has_new or not has_old):
            useless.append(node.old)
        elif node.old is not None and node.new is None:
            serving.append(node.old)
    return Update(delete=(*useless, *serving[: max(0, max_unavailable - missing)]))


def _with_surge(nodes: Mapping[str, NodePods], available: set[str], max_surge: int) -> Update:
    """A new pod beside an available old one; the old one goes when the new one is available."""
    delete: list[Pod] = []
    at_once: list[str] = []
    candidates: list[str] = []
    surging = 0
    for name, node in nodes.items():
        if node.old is None:
            continue
        if node.new is None:
            (candidates if node.old.uid in available else at_once).append(name)
        elif node.new.uid in available:
            delete.append(node.old)
        else:
            surging += 1
    return Update(delete=tuple(delete), surge_on=(*at_once, *candidates[: max(0, max_surge - surging)]))
