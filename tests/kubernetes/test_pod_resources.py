"""Tables of component-helpers `resource` and of the QoS helper: what a pod needs and may use."""

from __future__ import annotations

from objects.api.meta import ResourceList
from objects.api.pods import Pod, PodSpec, ResourceRequirements
from objects.codec import decode_struct
from objects.pod_resources import (
    has_pod_level_resources,
    is_pod_level_resource,
    pod_limits,
    pod_requests,
    qos_class,
)
from objects.values.quantity import resources_equal
from tests.kubernetes.tables import Case, table

LEFT_OUT: dict[str, str] = {}


def _not_for_us(case: Case) -> str:
    options = case.get("options") or case.get("opts") or {}
    if options.get("UseStatusResources"):
        return "running pods are not resized in place, so status adds nothing to spec"
    if options.get("SkipPodLevelResources"):
        return "a switch of Kubernetes' feature gate: pod-level resources always count"
    return ""


def _spec(case: Case) -> PodSpec:
    fields = {
        "containers": case.get("containers") or [],
        "initContainers": case.get("initContainers") or [],
        "overhead": case.get("overhead") or {},
        "resources": case.get("podResources"),
    }
    return decode_struct(fields, PodSpec)


def assert_same(actual: ResourceList, expected: ResourceList) -> None:
    assert resources_equal(actual, expected), (actual, expected)


@table("component-helpers_resource/helpers__TestPodResourceRequests", leave_out=_not_for_us)
def test_requests(case: Case) -> None:
    with_overhead = not case["options"]["ExcludeOverhead"]
    assert_same(pod_requests(_spec(case), with_overhead=with_overhead), case["expectedRequests"])


@table("component-helpers_resource/helpers__TestPodResourceLimits", leave_out=_not_for_us)
def test_limits(case: Case) -> None:
    with_overhead = not case["options"]["ExcludeOverhead"]
    assert_same(pod_limits(_spec(case), with_overhead=with_overhead), case["expectedLimits"])


@table("component-helpers_resource/helpers__TestPodLevelResourceRequests", leave_out=_not_for_us)
def test_pod_level_requests(case: Case) -> None:
    assert_same(pod_requests(_spec(case)), case["expectedRequests"])


@table("component-helpers_resource/helpers__TestAggregateContainerRequestsAndLimits", leave_out=_not_for_us)
def test_containers_together(case: Case) -> None:
    assert_same(pod_requests(_spec(case)), case["expectedRequests"])
    assert_same(pod_limits(_spec(case)), case["expectedLimits"])


@table("component-helpers_resource/helpers__TestPodRequestsAndLimitsWithoutOverhead")
def test_without_overhead(case: Case) -> None:
    spec = decode_struct(case["pod"]["spec"], PodSpec)
    assert_same(pod_requests(spec, with_overhead=False), case["expectedRequests"])
    assert_same(pod_limits(spec, with_overhead=False), case["expectedLimits"])


@table("component-helpers_resource/helpers__TestIsSupportedPodLevelResource")
def test_pod_level_names(case: Case) -> None:
    assert is_pod_level_resource(case["resource"]) == case["expected"]


@table("component-helpers_resource/helpers__TestIsPodLevelResourcesSet")
def test_pod_level_resources_set(case: Case) -> None:
    resources = decode_struct(case.get("podResources") or {}, ResourceRequirements)
    assert has_pod_level_resources(resources) == case["expected"]


@table("component-helpers_resource/helpers__TestIsPodLevelLimitsSet")
def test_pod_level_limits_set(case: Case) -> None:
    limits = (case.get("podResources") or {}).get("limits") or {}
    assert has_pod_level_resources(ResourceRequirements(limits=limits)) == case["expected"]


@table("apis_core_v1_helper_qos/qos__TestComputePodQOS")
def test_qos(case: Case) -> None:
    assert qos_class(decode_struct(_body(case["pod"]), Pod)) == case["expected"]


def _body(pod: Case) -> Case:
    return {key: value for key, value in pod.items() if key in ("metadata", "spec")}
