"""Tables of kube-scheduler's rules about the host itself: name, labels, taints, cordon, ports, images, gates."""

from __future__ import annotations

import numpy as np

from objects.api.core import Node, Taint
from objects.api.meta import LabelSelector, ObjectKey
from objects.api.pods import Pod
from policies.scheduling.predicates.node import HostName, NodeAffinity, Unschedulable
from policies.scheduling.predicates.ports import HostPorts
from policies.scheduling.predicates.taints import KEEPING_AWAY, Taints
from policies.scheduling.priorities.node import ImageLocality, TaintToleration
from policies.scheduling.priorities.node import NodeAffinity as NodeAffinityPriority
from policies.scheduling.profiles import make_profiles
from policies.scheduling.rules import scale_to_greatest
from policies.scheduling.scheduler import schedule
from policies.scheduling.state.workloads import WorkloadIndex
from tests.kubernetes.clusters import (
    ANY_AMOUNT,
    expected_points,
    fitting,
    load_node,
    load_nodes,
    load_pod,
    load_pods,
    make_node,
    make_snapshot,
    points,
    unbound,
)
from tests.kubernetes.loading import load
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "scheduler_helper/podgroup__TestMatchingSchedulingGroup": "groups of pods placed together are not in scope",
}


def _succeeds(case: Case, *fields: str) -> bool:
    """Whether no status of the case says Unschedulable (2) or UnschedulableAndUnresolvable (3)."""
    return all((case.get(field) or {}).get("code", 0) not in (2, 3) for field in fields)


def _named(node: Case) -> Node:
    return load_node({**node, "metadata": {"name": "node", **(node.get("metadata") or {})}})


@table("scheduler_nodename/node_name__TestNodeName")
def test_node_name(case: Case) -> None:
    found = fitting(HostName(), load_pod(case["pod"]), make_snapshot([_named(case["node"])]))
    assert bool(found) == _succeeds(case, "wantStatus")


@table("scheduler_nodeunschedulable/node_unschedulable__TestNodeUnschedulable")
def test_cordon(case: Case) -> None:
    found = fitting(Unschedulable(), load_pod(case["pod"]), make_snapshot([_named(case["node"])]))
    assert bool(found) == _succeeds(case, "wantStatus")


def _added_affinity(case: Case) -> str:
    if "invalid value" in case["name"]:
        return "a malformed term is refused when it is read (objects.validation)"
    if case["args"].get("AddedAffinity"):
        return "affinity that a profile adds to every pod is no setting of Berth's"
    return ""


@table("scheduler_nodeaffinity/node_affinity__TestNodeAffinity", leave_out=_added_affinity)
def test_node_affinity(case: Case) -> None:
    name = case.get("nodeName") or "node"
    node = make_node(name, labels=case.get("labels") or {})
    found = fitting(NodeAffinity(), load_pod(case["pod"]), make_snapshot([node]))
    # Names that the pre-filter rules out are those that the filter would rule out one by one.
    outside = name not in (case.get("wantPreFilterResult") or {}).get("NodeNames", {name: {}})
    assert bool(found) == (_succeeds(case, "wantStatus", "wantPreFilterStatus") and not outside)


def _affinity_priority(case: Case) -> str:
    if (case.get("wantPreScoreStatus") or {}).get("code") == 1:
        return "a malformed term is refused when it is read (objects.validation)"
    return _added_affinity(case)


@table("scheduler_nodeaffinity/node_affinity__TestNodeAffinityPriority", leave_out=_affinity_priority)
def test_node_affinity_priority(case: Case) -> None:
    found = points(NodeAffinityPriority(), load_pod(case["pod"]), make_snapshot(load_nodes(case["nodes"])))
    assert found == (expected_points(case.get("expectedList")) or dict.fromkeys(found, 0))


def _gate_off(case: Case) -> str:
    pod = load(Pod, case["pod"])
    numeric = any(toleration.operator in ("Gt", "Lt") for toleration in pod.spec.tolerations)
    return "Berth has no feature gates" if numeric and not case["enableTaintTolerationComparisonOps"] else ""


@table("scheduler_tainttoleration/taint_toleration__TestTaintTolerationFilter", leave_out=_gate_off)
def test_taints(case: Case) -> None:
    found = fitting(Taints(), load_pod(case["pod"]), make_snapshot([_named(case["node"])]))
    assert bool(found) == _succeeds(case, "wantStatus")


@table("scheduler_tainttoleration/taint_toleration__TestTaintTolerationScore", leave_out=_gate_off)
def test_taint_priority(case: Case) -> None:
    found = points(TaintToleration(), load_pod(case["pod"]), make_snapshot(load_nodes(case["nodes"])))
    assert found == expected_points(case["expectedList"])


@table("scheduler_helper/taint__TestDoNotScheduleTaintsFilterFunc")
def test_which_taints_keep_away(case: Case) -> None:
    assert (load(Taint, {"key": "any", **case["taint"]}).effect in KEEPING_AWAY) == case["expected"]


@table("scheduler_helper/normalize_score__TestDefaultNormalizeScore")
def test_scaling_to_the_greatest(case: Case) -> None:
    raw = np.array(case["scores"], dtype=np.int64)
    feasible = np.ones(len(raw), dtype=np.bool_)
    assert scale_to_greatest(raw, feasible, reverse=case["reverse"]).tolist() == case["expectedScores"]


@table("scheduler_nodeports/node_ports__TestNodePorts")
def test_host_ports(case: Case) -> None:
    existing = [entry["Pod"] for entry in case["nodeInfo"].get("Pods") or ()]
    snapshot = make_snapshot([make_node("m1")], load_pods(existing, on="m1"))
    assert bool(fitting(HostPorts(), load_pod(case["pod"]), snapshot)) == _succeeds(case, "wantFilterStatus")


@table("scheduler_nodeports/node_ports__TestFits")
def test_host_ports_fit(case: Case) -> None:
    existing = load_pods([entry["Pod"] for entry in case["existing"].get("Pods") or ()], on="p1")
    snapshot = make_snapshot([make_node("p1")], existing)
    assert bool(fitting(HostPorts(), load_pod(case["pod"]), snapshot)) == case["expect"]


@table("scheduler_imagelocality/image_locality__TestImageLocalityPriority")
def test_image_locality(case: Case) -> None:
    found = points(ImageLocality(), load_pod(case["pod"]), make_snapshot(load_nodes(case["nodes"])))
    assert found == expected_points(case["expectedList"])


@table("scheduler_schedulinggates/scheduling_gates__TestPreEnqueue")
def test_gates(case: Case) -> None:
    snapshot = make_snapshot([make_node("node", ANY_AMOUNT)])
    (placement,) = schedule([unbound(load_pod(case["pod"]))], snapshot, make_profiles(()), seed=0)
    assert (placement.node is not None) == _succeeds(case, "want")


# --- pods that belong together ------------------------------------------------------------------------------------


def _selector_of(pod: Pod, workloads: WorkloadIndex) -> dict[str, str]:
    shape = make_snapshot([]).shapes.shape_of(pod)
    peers = workloads.peers_of(shape)
    return {} if peers is None else {part.key: part.values[0] for part in peers.selector or ()}


@table("scheduler_helper/spread__TestDefaultSelector")
def test_default_selector(case: Case) -> None:
    # The Go functions of the case make a service for the pod's label, and the owner with a label of its own.
    pod, workloads = load_pod(case["pod"]), WorkloadIndex()
    service = LabelSelector(match_labels={"podLabelKey": "podLabelVal"})
    workloads.set(ObjectKey("Service", "test", "test-service"), service)
    for owner in pod.metadata.owner_references:
        own = {key: value for key, value in case["expect"].items() if key != "podLabelKey"}
        workloads.set(ObjectKey(owner.kind, "test", owner.name), LabelSelector(match_labels=own))
    assert _selector_of(pod, workloads) == case["expect"]


@table("scheduler_helper/spread__TestGetPodServices")
def test_services_of_a_pod(case: Case) -> None:
    workloads = WorkloadIndex()
    for number in (1, 2):
        selector = LabelSelector(match_labels={"app": f"test-{number}"})
        workloads.set(ObjectKey("Service", "test", f"service-{number}"), selector)
    workloads.set(ObjectKey("Service", "other", "service-3"), LabelSelector(match_labels={"app": "test-4"}))
    expected = {
        key: value for service in case.get("expect") or () for key, value in service["spec"]["selector"].items()
    }
    assert _selector_of(load_pod(case["pod"]), workloads) == expected
