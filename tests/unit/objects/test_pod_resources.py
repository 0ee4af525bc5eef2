"""What a whole pod needs, may use and is promised."""

from __future__ import annotations

from typing import Any

import pytest

from objects.api.pods import Pod
from objects.pod_resources import pod_limits, pod_requests, qos_class
from tests.unit.objects.manifests import pod, read


def container(name: str, *, sidecar: bool = False, **resources: Any) -> dict[str, Any]:
    restart = {"restartPolicy": "Always"} if sidecar else {}
    return {"name": name, "image": "a:1", "resources": resources, **restart}


def requests(cpu: int) -> dict[str, Any]:
    return {"requests": {"cpu": cpu}}


def read_pod(**spec: Any) -> Pod:
    obj = read(pod(**spec))
    assert isinstance(obj, Pod)
    return obj


ONE_AND_TWO = [container("a", **requests(1)), container("b", **requests(2))]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, {"cpu": "3"}, id="sum"),
        pytest.param({"initContainers": [container("i", **requests(5))]}, {"cpu": "5"}, id="larger-init"),
        pytest.param({"initContainers": [container("i", **requests(2))]}, {"cpu": "3"}, id="smaller-init"),
        pytest.param({"initContainers": [container("s", sidecar=True, **requests(4))]}, {"cpu": "7"}, id="sidecar"),
        pytest.param(
            {"initContainers": [container("s", sidecar=True, **requests(4)), container("i", **requests(5))]},
            {"cpu": "9"},
            id="init-beside-a-sidecar",
        ),
        pytest.param(
            {"initContainers": [container("i", **requests(5)), container("s", sidecar=True, **requests(1))]},
            {"cpu": "5"},
            id="init-before-a-sidecar",
        ),
        pytest.param({"resources": {"requests": {"cpu": 8}}}, {"cpu": "8"}, id="pod-level"),
        pytest.param({"overhead": {"memory": "1Gi"}}, {"cpu": "3", "memory": "1Gi"}, id="overhead"),
    ],
)
def test_requests(spec: dict[str, Any], expected: dict[str, str]) -> None:
    assert pod_requests(read_pod(containers=ONE_AND_TWO, **spec).spec) == expected


def test_overhead_is_only_added_to_limits_that_are_there() -> None:
    spec = read_pod(containers=[container("a", limits={"cpu": 1})], overhead={"cpu": "100m", "memory": "1Gi"}).spec
    assert pod_limits(spec) == {"cpu": "1100m"}
    assert pod_limits(spec, with_overhead=False) == {"cpu": "1"}


BOTH = {"limits": {"cpu": 1, "memory": "1Gi"}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"containers": [container("a")]}, "BestEffort", id="nothing"),
        pytest.param({"containers": [container("a", requests={"cpu": 0})]}, "BestEffort", id="zero-says-nothing"),
        pytest.param({"containers": [container("a", **BOTH)]}, "Guaranteed", id="limits-alone"),
        pytest.param({"containers": [container("a", **requests(1))]}, "Burstable", id="requests-alone"),
        pytest.param({"containers": [container("a", **BOTH), container("b")]}, "Burstable", id="one-without"),
        pytest.param(
            {"containers": [container("a", **BOTH)], "initContainers": [container("i")]}, "Burstable", id="init-without"
        ),
        pytest.param({"containers": [container("a", limits={"memory": "1Gi"})]}, "Burstable", id="memory-alone"),
        pytest.param({"containers": [container("a")], "resources": BOTH}, "Guaranteed", id="pod-level"),
        pytest.param(
            {"containers": [container("a", limits={"example.com/gpu": 1})]}, "BestEffort", id="other-resources"
        ),
    ],
)
def test_quality_of_service(spec: dict[str, Any], expected: str) -> None:
    assert qos_class(read_pod(**spec)) == expected
