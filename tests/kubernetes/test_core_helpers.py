"""Tables of `apis/core/v1/helper` and `api/v1/pod`: small questions about pods and resources."""

from __future__ import annotations

from datetime import UTC, datetime

from objects.api.meta import Condition, LabelSelectorRequirement
from objects.api.pods import Pod, PodStatus
from objects.api.storage import TopologySelectorTerm
from objects.codec import decode_struct
from objects.conditions import find_condition, is_true, with_condition
from objects.selectors import requirements_match
from objects.validation.resources import is_overcommittable
from reconciler.controllers.pods.owned import is_available
from tests.kubernetes.tables import Case, table

NO_RULES = "restart rules of single containers are refused, so nothing decides by them"
LEFT_OUT = {
    "apis_core_v1_helper/helpers__TestHugePageSizeFromMedium": "huge pages are refused by the runtime",
    "apis_core_v1_helper/helpers__TestHugePageSizeFromResourceName": "huge pages are refused by the runtime",
    "apis_core_v1_helper/helpers__TestHugePageUnitSizeFromByteSize": "huge pages are refused by the runtime",
    "apis_core_v1_helper/helpers__TestNodeSelectorRequirementKeyExistsInNodeSelectorTerms": "for cloud zones",
    "apis_core_v1_helper/helpers__TestTopologySelectorRequirementsAsSelector": "Go-private selectors come out empty",
    "api_v1_pod/util__TestAllContainersCouldRestart": NO_RULES,
    "api_v1_pod/util__TestContainerHasRestartablePolicy": NO_RULES,
    "api_v1_pod/util__TestFindMatchingContainerRestartRule": NO_RULES,
    "api_v1_pod/util__TestIsContainerRestartable": NO_RULES,
    "api_v1_pod/util__TestCalculatePodConditionObservedGeneration": "pods of Berth have one generation",
    "api_v1_pod/util__TestCalculatePodStatusObservedGeneration": "pods of Berth have one generation",
    "api_v1_pod/util__TestGetContainerStatus": "a look-up by name in a tuple",
    "api_v1_pod/util__TestGetIndexOfContainerStatus": "a look-up by name in a tuple",
    "api_v1_pod/util__TestContainerIter": "containers are three tuples; callers join those they mean",
    "api_v1_pod/util__TestVisitContainers": "containers are three tuples; callers join those they mean",
}


@table("apis_core_v1_helper/helpers__TestIsNativeResource")
def test_native_resources(case: Case) -> None:
    # Whatever is not of somebody's domain is native; only huge pages among the native cannot be overcommitted.
    assert is_overcommittable(case["resourceName"]) == case["expectVal"]


@table("apis_core_v1_helper/helpers__TestIsOvercommitAllowed")
def test_overcommit(case: Case) -> None:
    assert is_overcommittable(case["resourceName"]) == case["expectVal"]


@table("apis_core_v1_helper/helpers__TestMatchTopologySelectorTerms")
def test_topology_terms(case: Case) -> None:
    terms = [decode_struct(term, TopologySelectorTerm) for term in case["args"].get("topologySelectorTerms") or ()]
    matches = any(requirements_match(_as_requirements(term), case["args"].get("labels") or {}) for term in terms)
    assert (matches or not terms) == case["want"]


def _as_requirements(term: TopologySelectorTerm) -> list[LabelSelectorRequirement]:
    expressions = term.match_label_expressions
    return [LabelSelectorRequirement(key=one.key, operator="In", values=one.values) for one in expressions]


@table("api_v1_pod/util__TestIsPodTerminal")
def test_finished(case: Case) -> None:
    assert Pod(status=PodStatus(phase=case["podPhase"])).is_finished == case["expected"]


def _conditions(status: Case | None) -> tuple[Condition, ...]:
    return decode_struct(status or {}, PodStatus).conditions


@table("api_v1_pod/util__TestGetContainersReadyCondition")
def test_find_condition(case: Case) -> None:
    expected = case.get("expectedCondition")
    wanted = decode_struct(expected, Condition) if expected else None
    assert find_condition(_conditions(case["podStatus"]), "ContainersReady") == wanted


@table("api_v1_pod/util__TestIsContainersReadyConditionTrue")
def test_condition_is_true(case: Case) -> None:
    assert is_true(_conditions(case["podStatus"]), "ContainersReady") == case["expected"]


@table("api_v1_pod/util__TestUpdatePodCondition")
def test_update_condition(case: Case) -> None:
    before, wanted = _conditions(case["status"]), decode_struct(case["conditions"], Condition)
    after = with_condition(before, wanted, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert (after != before) == case["expected"]


_NOW = datetime(2026, 11, 23, 11, 24, 16, tzinfo=UTC)
"""When the tables were evaluated: their pods became ready some seconds before."""


@table("api_v1_pod/util__TestIsPodAvailable")
def test_available(case: Case) -> None:
    pod = decode_struct({key: value for key, value in case["pod"].items() if key != "spec"}, Pod)
    assert is_available(pod, min_ready_seconds=case["minReadySeconds"], now=_NOW) == case["expected"]
