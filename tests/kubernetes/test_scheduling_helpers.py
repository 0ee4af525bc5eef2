"""Tables of component-helpers `scheduling/corev1` and `nodeaffinity`: taints and node selectors."""

from __future__ import annotations

import msgspec

from objects.api.core import Taint
from objects.api.pods import (
    NodeSelector,
    NodeSelectorRequirement,
    PodSpec,
    PreferredSchedulingTerm,
    Toleration,
)
from objects.selectors import node_selector_matches, pod_fits_node_labels, preferred_terms_score, untolerated_taint
from objects.validation.placement import node_requirement_problem
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "component-helpers_scheduling_corev1/helpers__TestGetAvoidPodsFromNode": "its annotation is gone from Kubernetes",
    "component-helpers_scheduling_corev1/helpers__TestMatchNodeSelectorTermsStateless": "our objects are frozen",
}


def _gate_off(case: Case) -> str:
    numeric = any(toleration.get("operator") in ("Gt", "Lt") for toleration in case["tolerations"] or ())
    return "Berth has no feature gates" if numeric and not case["enableComparisonOperatorsFG"] else ""


@table("component-helpers_scheduling_corev1/helpers__TestFindMatchingUntoleratedTaint", leave_out=_gate_off)
def test_untolerated_taint(case: Case) -> None:
    # The Go filter is not in the data; in these cases it always lets NoSchedule through, and only drops what the case's
    # name says.
    taints = msgspec.convert(case["taints"] or (), tuple[Taint, ...])
    effects = ("NoExecute",) if "no taints apply to the filter" in case["description"] else ()
    tolerations = msgspec.convert(case["tolerations"] or (), tuple[Toleration, ...])
    assert (untolerated_taint(taints, tolerations, effects=effects) is None) == case["expectTolerated"]


@table("component-helpers_scheduling_corev1/helpers__TestPodPriority")
def test_priority(case: Case) -> None:
    assert (case["pod"]["spec"].get("priority") or 0) == case["expectedPriority"]


def _node(node: Case | None) -> tuple[dict[str, str], str]:
    metadata = (node or {}).get("metadata", {})
    return metadata.get("labels") or {}, metadata.get("name", "")


@table("component-helpers_scheduling_corev1/helpers__TestMatchNodeSelectorTerms")
def test_node_selector_terms(case: Case) -> None:
    labels, name = _node(case["args"].get("node"))
    selector = msgspec.convert(case["args"].get("nodeSelector") or {}, NodeSelector)
    assert node_selector_matches(selector, labels=labels, name=name) == case["want"]


@table("component-helpers_scheduling_corev1_nodeaffinity/nodeaffinity__TestNodeSelectorMatch")
def test_node_selector(case: Case) -> None:
    labels, name = _node(case.get("node"))
    terms = case["nodeSelector"]["nodeSelectorTerms"] or []
    selector = msgspec.convert({"nodeSelectorTerms": terms}, NodeSelector)
    assert node_selector_matches(selector, labels=labels, name=name) == case["wantMatch"]


@table("component-helpers_scheduling_corev1_nodeaffinity/nodeaffinity__TestNodeSelectorRequirementsAsSelector")
def test_requirements(case: Case) -> None:
    requirements = msgspec.convert(case.get("in") or (), tuple[NodeSelectorRequirement, ...])
    problems = [node_requirement_problem(requirement) for requirement in requirements]
    assert any(problems) == bool(case.get("wantErr"))


@table("component-helpers_scheduling_corev1_nodeaffinity/nodeaffinity__TestPodMatchesNodeSelectorAndAffinityTerms")
def test_pod_fits_node_labels(case: Case) -> None:
    spec = msgspec.convert(_without_nulls(case["pod"]["spec"]), PodSpec)
    assert pod_fits_node_labels(spec, labels=case.get("labels") or {}, name=case["nodeName"]) == case["want"]


@table(
    "component-helpers_scheduling_corev1_nodeaffinity/nodeaffinity__TestPreferredSchedulingTermsScore",
    leave_out=lambda case: "refused by validation before anything is scored" if case.get("wantErr") else "",
)
def test_preferred_terms(case: Case) -> None:
    labels, name = _node(case.get("node"))
    terms = msgspec.convert(case["prefSchedTerms"] or (), tuple[PreferredSchedulingTerm, ...])
    assert preferred_terms_score(terms, labels=labels, name=name) == case["wantScore"]


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
