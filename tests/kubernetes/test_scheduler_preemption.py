"""Tables of kube-scheduler `defaultpreemption`: who must leave, and from which host."""

from __future__ import annotations

from typing import Any

from objects.api.core import Node
from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from objects.api.policy import PodDisruptionBudget
from policies.scheduling.judging.table import HostTable
from policies.scheduling.preemption import PreemptionTable, waits_for_victims
from policies.scheduling.profiles import default_profile, make_profiles
from policies.scheduling.scheduler import schedule
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TieBreaker
from tests.kubernetes.clusters import load_nodes, load_pod, load_pods, make_node, make_snapshot
from tests.kubernetes.loading import load
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "scheduler_defaultpreemption/default_preemption__TestCustomOrdering": "the order of victims is a Go function",
    "scheduler_defaultpreemption/default_preemption__TestCustomSelection": "which pods may be victims is a Go function",
    "scheduler_defaultpreemption/default_preemption__TestPreEnqueue": "preemption in goroutines; ours is one decision",
}

VERY_LARGE = {"cpu": "500m", "memory": "500", "pods": 32}
"""The hosts of the Go tests, which the tables do not repeat."""
TIMES_LOST = "the start times of the case differ by nanoseconds, which the data does not have"


def _hosts(names: Any) -> list[Node]:
    """`node-a/zone1` is a host with that zone."""
    found = []
    for text in names:
        name, _, zone = text.partition("/")
        labels = {"hostname": name, "kubernetes.io/hostname": name} | ({"zone": zone} if zone else {})
        found.append(make_node(name, VERY_LARGE, labels=labels))
    return found


def _prepare(pod: Pod, snapshot: Snapshot) -> PreemptionTable:
    ties = TieBreaker(0).hashes(snapshot)
    return PreemptionTable(HostTable(snapshot.shapes.shape_of(pod), snapshot, default_profile(), ties))


def _dry_run(case: Case) -> str:
    if "StartTime" in case["name"]:
        return TIMES_LOST
    if "limits to 2" in case["name"] or "offset" in case["name"]:
        return "Kubernetes looks at some hosts only; Berth at all"
    if case["fakeFilterRC"]:
        return "a predicate of the Go test refuses every host"
    return ""


def _set_budgets(snapshot: Snapshot, budgets: Any) -> None:
    for value in budgets or ():
        budget = load(PodDisruptionBudget, value)
        key = ObjectKey("PodDisruptionBudget", budget.namespace, budget.name)
        disrupted = budget.status.disrupted_pods
        snapshot.set_budget(key, budget.spec.selector, budget.status.disruptions_allowed, disrupted)


@table("scheduler_defaultpreemption/default_preemption__TestDryRunPreemption", leave_out=_dry_run)
def test_victims_on_every_host(case: Case) -> None:
    for value, expected in zip(case["testPods"], case["expected"], strict=True):
        snapshot = make_snapshot(_hosts(case["nodeNames"]), load_pods(case["initPods"]))
        _set_budgets(snapshot, case.get("pdbs"))
        costs = _prepare(load_pod(value), snapshot)
        found = {
            name: (victims.budgets_broken, {occupant.pod.name for occupant in victims.pods})
            for name, row in snapshot.row_of.items()
            if (victims := costs.victims_on(row)) is not None
        }
        assert found == {
            one["name"]: (
                one["victims"]["NumPDBViolations"],
                {pod["metadata"]["name"] for pod in one["victims"]["Pods"]},
            )
            for one in expected
        }


def _times(case: Case) -> str:
    return TIMES_LOST if "start time" in case["name"] else ""


@table("scheduler_defaultpreemption/default_preemption__TestSelectBestCandidate", leave_out=_times)
def test_cheapest_host(case: Case) -> None:
    snapshot = make_snapshot(_hosts(case["nodeNames"]), load_pods(case["pods"]))
    victims = _prepare(load_pod(case["pod"]), snapshot).cheapest()
    assert victims is not None
    assert snapshot.names[victims.row] in case["expected"]


def _extenders(case: Case) -> str:
    return "scheduler extenders are not in scope; plug-ins are Python" if case.get("extenders") else ""


@table("scheduler_defaultpreemption/default_preemption__TestPreempt", leave_out=_extenders)
def test_decision(case: Case) -> None:
    snapshot = make_snapshot(_hosts(case["nodeNames"]), load_pods(case["pods"]))
    # In Go the pod always fails first; here it does when it fits nowhere, so what is free on the hosts is taken.
    (placement,) = schedule([load_pod(case["pod"])], snapshot, make_profiles(()), seed=0)
    victims = {
        case_pod["metadata"]["name"] for case_pod in case["pods"] if case_pod["metadata"]["uid"] in placement.victims
    }
    nominated = (case.get("want") or {}).get("NominatingInfo", {}).get("NominatedNodeName", "")
    assert (placement.nominated_node, victims) == (nominated, set(case.get("expectedPods") or ()))


ARTIFICIAL = "which hosts eviction cannot help is said by the case, not by its hosts and pods"
PLUGIN = "a predicate of the Go test"
GROUPS = "groups of pods placed together are not in scope"


def _post_filter(case: Case) -> str:
    if "respect" in case["name"]:
        return ARTIFICIAL
    if "TestPlugin" in case["name"]:
        return PLUGIN
    if case.get("podGroups") or "SchedulingGroup" in case["name"]:
        return GROUPS
    return _extenders({"extenders": case.get("extender")})


@table("scheduler_defaultpreemption/default_preemption__TestPostFilter", leave_out=_post_filter)
def test_nomination(case: Case) -> None:
    snapshot = make_snapshot(load_nodes(case["nodes"]), load_pods(case["pods"]))
    (placement,) = schedule([load_pod(case["pod"])], snapshot, make_profiles(()), seed=0)
    assert placement.node is None
    assert placement.nominated_node == case["wantResult"]["NominatingInfo"]["NominatedNodeName"]


@table("scheduler_defaultpreemption/default_preemption__TestPodEligibleToPreemptOthers")
def test_who_may_preempt(case: Case) -> None:
    pod = load_pod(case["pod"])
    snapshot = make_snapshot([make_node(name, VERY_LARGE) for name in case["nodes"]], load_pods(case["pods"]))
    row = snapshot.row_of.get(pod.status.nominated_node_name)
    waits = row is not None and waits_for_victims(snapshot, row, pod.spec.priority or 0)
    assert (pod.spec.preemption_policy != "Never" and not waits) == case["expected"]
