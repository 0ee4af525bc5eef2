"""Tables of kube-scheduler's rules about other pods: affinity and anti-affinity, topology spread."""

from __future__ import annotations

from typing import Any

from policies.scheduling.predicates.pod_affinity import PodAffinity
from policies.scheduling.predicates.spread import TopologySpread
from policies.scheduling.priorities.pod_affinity import InterPodAffinity
from policies.scheduling.priorities.spread import TopologySpreadPriority
from policies.scheduling.state.snapshot import Snapshot
from tests.kubernetes.clusters import (
    expected_points,
    fitting,
    load_node,
    load_nodes,
    load_pod,
    load_pods,
    make_snapshot,
    moved,
    points,
    unbound,
)
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "scheduler_podtopologyspread/scoring__TestPreScoreSkip": "no default constraints, so nothing to leave out",
}

TEAMS = {"subteam1.team1": "team1", "subteam2.team1": "team1", "subteam1.team2": "team2", "subteam2.team2": "team2"}
"""The namespaces that the Go tests make, with their label `team`."""


def _snapshot(nodes: Any, pods: Any) -> Snapshot:
    """Pods of these tables may have no host: they are not running, and count for nothing."""
    running = [pod for pod in load_pods(pods) if pod.node_name]
    snapshot = make_snapshot(load_nodes(nodes))
    for namespace, team in TEAMS.items():
        snapshot.set_namespace(namespace, {"team": team})
    for pod in running:
        snapshot.add_pod(pod)
    return snapshot


def _code(status: Any) -> int:
    return (status or {}).get("code", 0)


def _is_refused(status: Any) -> bool:
    return _code(status) in (2, 3)


# --- affinity -----------------------------------------------------------------------------------------------------


def _malformed(case: Case) -> str:
    malformed = (case.get("wantPreFilterStatus") or {}).get("code") in (1, 3)
    return "a malformed selector is refused when it is read (objects.validation)" if malformed else ""


@table("scheduler_interpodaffinity/filtering__TestRequiredAffinitySingleNode", leave_out=_malformed)
def test_required_affinity_on_one_host(case: Case) -> None:
    snapshot = _snapshot([case["node"]], case.get("pods"))
    assert bool(fitting(PodAffinity(), load_pod(case["pod"]), snapshot)) == (
        not _is_refused(case.get("wantFilterStatus"))
    )


@table("scheduler_interpodaffinity/filtering__TestRequiredAffinityMultipleNodes", leave_out=_malformed)
def test_required_affinity_on_several_hosts(case: Case) -> None:
    statuses = case.get("wantFilterStatuses") or []
    names = [load_node(node).name for node in case["nodes"]]
    wanted = {name for name, status in zip(names, statuses, strict=True) if not _is_refused(status)}
    assert fitting(PodAffinity(), load_pod(case["pod"]), _snapshot(case["nodes"], case.get("pods"))) == wanted


def _places(text_counts: Any) -> dict[tuple[str, str], int]:
    """`{"{region r1}": 2}` as {("region", "r1"): 2}."""
    return {tuple(text.strip("{}").split(" ", 1)): number for text, number in (text_counts or {}).items()}  # type: ignore[misc]


@table("scheduler_interpodaffinity/filtering__TestGetTPMapMatchingIncomingAffinityAntiAffinity")
def test_matching_pods_by_place(case: Case) -> None:
    snapshot = _snapshot(case["nodes"], case.get("existingPods"))
    check = PodAffinity().prepare(snapshot.shapes.shape_of(load_pod(case["pod"])), snapshot)
    assert (check.wanted_by_place(), check.unwanted_by_place()) == (
        _places(case["wantAffinityPodsMap"]),
        _places(case["wantAntiAffinityPodsMap"]),
    )


@table("scheduler_interpodaffinity/filtering__TestPreFilterStateAddRemovePod")
def test_counts_follow_a_pod_that_comes_and_goes(case: Case) -> None:
    snapshot = _snapshot(case["nodes"], case.get("existingPods"))
    check = PodAffinity().prepare(snapshot.shapes.shape_of(load_pod(case["pendingPod"])), snapshot)
    before = (check.wanted_by_place(), check.unwanted_by_place())
    added = load_pod(case["addedPod"])
    snapshot.add_pod(added)
    assert check.stale()
    fresh = PodAffinity().prepare(snapshot.shapes.shape_of(load_pod(case["pendingPod"])), snapshot)
    assert (check.wanted_by_place(), check.unwanted_by_place()) == (
        fresh.wanted_by_place(),
        fresh.unwanted_by_place(),
    )
    assert check.wanted_by_place() == _places(case["expectedAffinity"])
    assert check.unwanted_by_place() == _places(case["expectedAntiAffinity"])
    snapshot.remove_pod(added.uid)
    assert check.stale()
    assert (check.wanted_by_place(), check.unwanted_by_place()) == before


def _affinity_points(case: Case, priority: InterPodAffinity) -> None:
    snapshot = _snapshot(case["nodes"], case.get("pods"))
    found = points(priority, load_pod(case["pod"]), snapshot)
    assert found == (expected_points(case.get("expectedList")) or dict.fromkeys(found, 0))


def _malformed_preference(case: Case) -> str:
    return "a malformed selector is refused when it is read" if _code(case.get("wantStatus")) == 1 else ""


@table("scheduler_interpodaffinity/scoring__TestPreferredAffinity", leave_out=_malformed_preference)
def test_preferred_affinity(case: Case) -> None:
    _affinity_points(case, InterPodAffinity(heeds_running=not case["ignorePreferredTermsOfExistingPods"]))


@table("scheduler_interpodaffinity/scoring__TestPreferredAffinityWithHardPodAffinitySymmetricWeight")
def test_what_required_affinity_of_others_is_worth(case: Case) -> None:
    _affinity_points(case, InterPodAffinity(case["hardPodAffinityWeight"]))


# --- topology spread ----------------------------------------------------------------------------------------------


def _gates(case: Case) -> str:
    """Berth has no feature gates: what a gate guards is on."""
    constraints = (case.get("pod") or case.get("preemptor"))["spec"].get("topologySpreadConstraints") or ()
    policies = any(one.get("nodeAffinityPolicy") or one.get("nodeTaintsPolicy") for one in constraints)
    keys = any(one.get("matchLabelKeys") for one in constraints)
    if policies and not case.get("enableNodeInclusionPolicy", True):
        return "Berth has no feature gate for node inclusion policies"
    if keys and not case.get("enableMatchLabelKeys", True):
        return "Berth has no feature gate for matchLabelKeys"
    if case.get("defaultConstraints") or (case.get("config") or {}).get("DefaultingType") == "System":
        return "no default constraints: SelectorSpreadPriority does this work"
    if case.get("objs") and not constraints:
        return "no default constraints: SelectorSpreadPriority does this work"
    return ""


def _spread_codes(case: Case) -> None:
    snapshot = _snapshot(case["nodes"], case.get("existingPods"))
    wanted = {name for name, code in case["wantStatusCode"].items() if code not in (2, 3)}
    assert fitting(TopologySpread(), load_pod(case["pod"]), snapshot) == wanted


@table("scheduler_podtopologyspread/filtering__TestSingleConstraint", leave_out=_gates)
def test_one_constraint(case: Case) -> None:
    _spread_codes(case)


@table("scheduler_podtopologyspread/filtering__TestMultipleConstraints", leave_out=_gates)
def test_several_constraints(case: Case) -> None:
    _spread_codes(case)


def _assert_counts(check: Any, want: Any) -> None:
    """TpValueToMatchNum: pods by place; CriticalPaths: the emptiest places first (Go keeps two of them)."""
    if check is None:
        assert not (want or {}).get("TpValueToMatchNum")
        return
    assert check.pods_by_place() == want["TpValueToMatchNum"]
    for said, fewest, places in zip(want["Constraints"], check.fewest(), want["TpValueToMatchNum"], strict=True):
        assert fewest == (min(places.values(), default=0) if len(places) >= said["MinDomains"] else 0)


@table("scheduler_podtopologyspread/filtering__TestPreFilterState", leave_out=_gates)
def test_pods_by_place(case: Case) -> None:
    snapshot = _snapshot(case["nodes"], case.get("existingPods"))
    shape = snapshot.shapes.shape_of(load_pod(case["pod"]))
    _assert_counts(TopologySpread().prepare(shape, snapshot), case.get("want"))


@table("scheduler_podtopologyspread/filtering__TestPreFilterStateAddPod", leave_out=_gates)
def test_pods_by_place_after_one_came(case: Case) -> None:
    snapshot = _snapshot(case["nodes"], case.get("existingPods"))
    check = TopologySpread().prepare(snapshot.shapes.shape_of(load_pod(case["preemptor"])), snapshot)
    host = load_node(case["nodes"][case["nodeIdx"]]).name
    snapshot.add_pod(moved(load_pod(case["addedPod"], "added"), host))
    assert check is not None
    check.stale()
    _assert_counts(check, case["want"])


@table("scheduler_podtopologyspread/filtering__TestPreFilterStateRemovePod", leave_out=_gates)
def test_pods_by_place_after_one_left(case: Case) -> None:
    snapshot = _snapshot(case["nodes"], case.get("existingPods"))
    check = TopologySpread().prepare(snapshot.shapes.shape_of(load_pod(case["preemptor"])), snapshot)
    existing = load_pods(case["existingPods"])
    deleted = load_pod(case["deletedPod"]) if case.get("deletedPod") else None
    if deleted is not None:
        # Go takes a pod off that is not among the existing ones: here one goes that counts alike.
        alike = [(pod.node_name, pod.labels) for pod in existing].index((deleted.node_name, deleted.labels))
        snapshot.remove_pod(existing[alike].uid)
    elif case["deletedPodIdx"] < len(existing):
        snapshot.remove_pod(existing[case["deletedPodIdx"]].uid)
    assert check is not None
    check.stale()
    _assert_counts(check, case["want"])


def _spread_points(case: Case) -> dict[str, int]:
    candidates = [load_node(node).name for node in case["nodes"]]
    snapshot = _snapshot([*case["nodes"], *(case.get("failedNodes") or ())], case.get("existingPods"))
    return points(TopologySpreadPriority(), unbound(load_pod(case["pod"])), snapshot, hosts=candidates)


@table("scheduler_podtopologyspread/scoring__TestPodTopologySpreadScore", leave_out=_gates)
def test_soft_constraints(case: Case) -> None:
    assert _spread_points(case) == expected_points(case["want"])


@table("scheduler_podtopologyspread/scoring__TestPreScoreStateEmptyNodes", leave_out=_gates)
def test_soft_constraints_without_pods(case: Case) -> None:
    """Go compares inner weights; without any pod they show in the scores: hosts that lack a label get 0."""
    ignored = set((case["want"] or {}).get("IgnoredNodes") or {})
    found = _spread_points(case)
    assert {name for name, number in found.items() if number == 0} == ignored
    assert len({number for name, number in found.items() if name not in ignored}) <= 1
