"""Tables of kube-scheduler `noderesources`: what fits, and the scores over amounts."""

from __future__ import annotations

from typing import Any

from policies.scheduling.predicates.resources import Resources
from policies.scheduling.priorities.resources import BalancedAllocation, LeastRequested, MostRequested
from policies.scheduling.queue import gained_what_it_asks
from policies.scheduling.requests import CPU, MEMORY, assumed_requests
from policies.scheduling.rules import Priority
from tests.kubernetes.clusters import (
    expected_points,
    fitting,
    load_node,
    load_nodes,
    load_pod,
    load_pods,
    make_node,
    make_snapshot,
    points,
    reasons,
    unbound,
    uses_dra,
)
from tests.kubernetes.tables import Case, table

NO_DRA = "dynamic resource allocation is not in Berth's scope"
NO_CURVE = "no score by a curve: least and most requested are the two that the walkthrough's scheduler has"
LEFT_OUT = {
    "scheduler_noderesources/fit__TestScorePlacement_Resources": "groups of pods placed together are not in scope",
    "scheduler_noderesources/requested_to_capacity_ratio__TestBrokenLinearFunction": NO_CURVE,
    "scheduler_noderesources/requested_to_capacity_ratio__TestRequestedToCapacityRatioScoringStrategy": NO_CURVE,
    "scheduler_noderesources/requested_to_capacity_ratio__TestResourceBinPackingMultipleExtended": NO_CURVE,
    "scheduler_noderesources/requested_to_capacity_ratio__TestResourceBinPackingSingleExtended": NO_CURVE,
    "scheduler_noderesources/resource_allocation__TestNodeMatchCaching": "a cache of dynamic resource allocation",
    "scheduler_noderesources/resource_allocation__testCalculateResourceAllocatableRequest": NO_DRA,
}

SMALL = {
    "cpu": "10m",
    "memory": "20",
    "pods": 32,
    "example.com/aaa": "5",
    "ephemeral-storage": "20",
    "hugepages-2Mi": "5",
}
"""The host of Kubernetes' fit tests, which the tables do not repeat."""


def _left_out_fit(case: Case) -> str:
    if case.get("args", {}).get("IgnoredResources") or case.get("args", {}).get("IgnoredResourceGroups"):
        return "Berth has no resources that are ignored when fitting"
    return uses_dra(case)


def _reasons_on(case: Case, allocatable: dict[str, Any]) -> list[str]:
    existing = [entry["Pod"] for entry in case["nodeInfo"].get("Pods") or ()]
    snapshot = make_snapshot([make_node("node", allocatable)], load_pods(existing, on="node"))
    return reasons(Resources(), load_pod(case["pod"]), snapshot, "node")


def _wanted(case: Case) -> list[str]:
    texts = (case.get("wantStatus") or {}).get("reasons") or []
    return [text.replace("Too many pods", "too many pods").replace("Insufficient", "insufficient") for text in texts]


@table("scheduler_noderesources/fit__testEnoughRequests", leave_out=_left_out_fit)
def test_enough(case: Case) -> None:
    assert sorted(_reasons_on(case, SMALL)) == sorted(_wanted(case))


@table("scheduler_noderesources/fit__testNotEnoughRequests")
def test_pod_count(case: Case) -> None:
    assert _reasons_on(case, {"cpu": "10m", "memory": "20", "pods": 1}) == _wanted(case)


@table("scheduler_noderesources/fit__testStorageRequests")
def test_storage(case: Case) -> None:
    assert _reasons_on(case, SMALL) == _wanted(case)


@table("scheduler_noderesources/fit__TestIsFit", leave_out={"nil node": "a host is never absent here"})
def test_fits_an_empty_host(case: Case) -> None:
    node = load_node({**case["node"], "metadata": {"name": "node"}})
    assert bool(fitting(Resources(), load_pod(case["pod"]), make_snapshot([node]))) == case["expected"]


def _without_sidecars(case: Case) -> str:
    return "" if case["enableSidecarContainers"] else "sidecars are always on in Berth"


@table("scheduler_noderesources/fit__testRestartableInitContainers", leave_out=_without_sidecars)
def test_sidecars(case: Case) -> None:
    node = make_node("node", {"cpu": "2m", "memory": "0", "pods": 1, "ephemeral-storage": "0"})
    failed = bool((case.get("wantFilterStatus") or {}).get("code"))
    assert bool(reasons(Resources(), load_pod(case["pod"]), make_snapshot([node]), "node")) == failed


@table("scheduler_noderesources/fit__testHaveAnyRequestedResourcesIncreased", leave_out=uses_dra)
def test_whether_a_change_of_the_host_may_help(case: Case) -> None:
    old, new = load_node(case["originalNode"]), load_node(case["modifiedNode"])
    assert gained_what_it_asks(load_pod(case["pod"]), old, new) == case["expected"]


@table("scheduler_noderesources/resource_allocation__TestResourceAllocationScorerCalculateRequests")
def test_assumed_requests(case: Case) -> None:
    found = assumed_requests(load_pod(case["pod"]).spec)
    assert {name: found.get(name, 0) for name in case["expected"]} == case["expected"]


# --- scores -------------------------------------------------------------------------------------------------------


def _weights(listed: Any) -> dict[str, int]:
    return {entry["Name"]: entry["Weight"] for entry in listed or ()}


def _invalid_weights(case: Case) -> str:
    return "weights by resource are not a setting of Berth's, so none can be wrong" if case.get("wantErrs") else ""


def _points(case: Case, priority: Priority) -> dict[str, int]:
    nodes = load_nodes(case["nodes"])
    pods = load_pods(case.get("existingPods"), on="nowhere")
    return points(priority, unbound(load_pod(case["requestedPod"])), make_snapshot(nodes, pods))


@table("scheduler_noderesources/least_allocated__TestLeastAllocatedScoringStrategy", leave_out=_invalid_weights)
def test_least_requested(case: Case) -> None:
    assert _points(case, LeastRequested(_weights(case.get("resources")))) == expected_points(case["expectedScores"])


@table("scheduler_noderesources/most_allocated__TestMostAllocatedScoringStrategy", leave_out=_invalid_weights)
def test_most_requested(case: Case) -> None:
    assert _points(case, MostRequested(_weights(case.get("resources")))) == expected_points(case["expectedScores"])


def _not_ours(case: Case) -> str:
    strategy = case["nodeResourcesFitArgs"]["ScoringStrategy"]["Type"]
    return "no score by a curve in Berth" if strategy == "RequestedToCapacityRatio" else uses_dra(case)


@table("scheduler_noderesources/fit__testFitScore", leave_out=_not_ours)
def test_fit_score(case: Case) -> None:
    strategy = case["nodeResourcesFitArgs"]["ScoringStrategy"]
    kind = {"LeastAllocated": LeastRequested, "MostAllocated": MostRequested}[strategy["Type"]]
    assert _points(case, kind(_weights(strategy["Resources"]))) == expected_points(case["expectedPriorities"])


@table("scheduler_noderesources/balanced_allocation__testNodeResourcesBalancedAllocation", leave_out=uses_dra)
def test_balanced(case: Case) -> None:
    names = tuple(entry["Name"] for entry in case["args"]["Resources"])
    found = _points(case, BalancedAllocation(names))
    assert found == (expected_points(case.get("expectedScores")) or dict.fromkeys(found, 0))


def test_assumptions_are_for_containers_only() -> None:
    """A pod without containers is assumed to use nothing."""
    assert assumed_requests(load_pod({"spec": {"containers": None}}).spec).get(CPU, 0) == 0
    assert assumed_requests(load_pod({"spec": {"containers": [{"name": "a"}]}}).spec) == {CPU: 100, MEMORY: 209715200}
