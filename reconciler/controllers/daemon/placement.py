"""On which nodes a DaemonSet's pods belong, and what ties a pod to its node. Pure.

The pod says by node affinity where it belongs and the scheduler binds it there: so a full node is a reason that a
person can read, and a cordoned or pressed node is none. Source: Kubernetes' daemon controller and its util package.
"""

from __future__ import annotations

import msgspec

from objects.api.core import Node
from objects.api.pods import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodSpec,
    Toleration,
)
from objects.own.taints import (
    DISK_PRESSURE,
    MEMORY_PRESSURE,
    NETWORK_UNAVAILABLE,
    NO_EXECUTE,
    NO_SCHEDULE,
    NOT_READY,
    PID_PRESSURE,
    UNREACHABLE,
    UNSCHEDULABLE,
)
from objects.selectors import pod_fits_node_labels, untolerated_taint

_NODE_NAME_FIELD = "metadata.name"


class Belonging(msgspec.Struct, frozen=True):
    """should_run: a pod should be made for the node. may_stay: one that is there should not be taken away."""

    should_run: bool
    may_stay: bool


def belongs_on(spec: PodSpec, node: Node) -> Belonging:
    """Whether pods of this template belong on `node`.

    A node that was never reached shows no labels of its own: nothing is started there and nothing taken away.
    """
    if not was_reached(node):
        return Belonging(should_run=False, may_stay=True)
    if spec.node_name not in ("", node.name):
        return Belonging(should_run=False, may_stay=False)
    if not pod_fits_node_labels(spec, labels=node.labels, name=node.name):
        return Belonging(should_run=False, may_stay=False)
    tolerations = with_daemon_tolerations(spec).tolerations
    is_repelled = untolerated_taint(node.spec.taints, tolerations, effects=(NO_SCHEDULE, NO_EXECUTE)) is not None
    is_expelled = untolerated_taint(node.spec.taints, tolerations, effects=(NO_EXECUTE,)) is not None
    return Belonging(should_run=not is_repelled, may_stay=not is_expelled)


def was_reached(node: Node) -> bool:
    """Whether what the node shows of itself was ever seen."""
    return node.status.node_info is not None or bool(node.status.capacity)


def with_daemon_tolerations(spec: PodSpec) -> PodSpec:
    """`spec` with what every daemon tolerates: it serves its node also when that is cordoned, pressed or unknown."""
    wanted = [
        Toleration(key=NOT_READY, operator="Exists", effect=NO_EXECUTE),
        Toleration(key=UNREACHABLE, operator="Exists", effect=NO_EXECUTE),
        *(
            Toleration(key=key, operator="Exists", effect=NO_SCHEDULE)
            for key in (DISK_PRESSURE, MEMORY_PRESSURE, PID_PRESSURE, UNSCHEDULABLE)
        ),
    ]
    if spec.host_network:
        wanted.append(Toleration(key=NETWORK_UNAVAILABLE, operator="Exists", effect=NO_SCHEDULE))
    missing = tuple(toleration for toleration in wanted if toleration not in spec.tolerations)
    return msgspec.structs.replace(spec, tolerations=(*spec.tolerations, *missing)) if missing else spec


def with_node_affinity(affinity: Affinity | None, node_name: str) -> Affinity:
    """`affinity` that also requires this node: in place of the required terms, which the node was checked against."""
    only = NodeSelector(
        node_selector_terms=(
            NodeSelectorTerm(
                match_fields=(NodeSelectorRequirement(key=_NODE_NAME_FIELD, operator="In", values=(node_name,)),)
            ),
        )
    )
    before = affinity or Affinity()
    node_affinity = msgspec.structs.replace(
        before.node_affinity or NodeAffinity(), required_during_scheduling_ignored_during_execution=only
    )
    return msgspec.structs.replace(before, node_affinity=node_affinity)


def node_of(pod: Pod) -> str:
    """The node that a daemon pod runs on or is meant for; '' when it says neither."""
    if pod.spec.node_name:
        return pod.spec.node_name
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    for term in required.node_selector_terms if required else ():
        for field in term.match_fields:
            if field.key == _NODE_NAME_FIELD and field.operator == "In" and len(field.values) == 1:
                return field.values[0]
    return ""
