"""Tables of the autoscaler: grouping of pods, replicas by utilisation, windows, limits.

Times of these tables are moments of the Go test's run, as nanoseconds of its monotonic clock; it looked at 14.9 s.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from objects.api.autoscaling import HPABehavior, HPAScalingRules
from objects.api.meta import Condition, ObjectMeta
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
    ResourceRequirements,
)
from objects.errors import InvalidInput
from policies.autoscaling.behavior import Memory, Moment, limit, pace_of, stabilize, tolerance_of
from policies.autoscaling.calculator import (
    Sample,
    Starts,
    Tolerance,
    group_pods,
    replicas_by_utilization,
    requests_of,
)
from tests.kubernetes.loading import load, load_all
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "controller_podautoscaler/horizontal__TestBuildQuantity": "quantities are written by objects/values/quantity.py",
    "controller_podautoscaler/horizontal__TestStoreScaleEvents": (
        "how a Go slice is reused; ours forgets what is older than any rule looks"
    ),
}

BASE = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW = BASE + timedelta(seconds=14.9)


STARTS = Starts(initialization=timedelta(minutes=2), readiness_delay=timedelta(seconds=10))
"""As the Go test sets them."""


def moment(value: Any) -> datetime:
    return BASE + timedelta(microseconds=(value or {}).get("ext", 0) // 1000)


def moments(values: Any, field: str) -> tuple[Moment, ...]:
    return tuple(Moment(moment(one["timestamp"]), one[field]) for one in values or ())


def rules(value: Any) -> HPAScalingRules | None:
    return load(HPAScalingRules, value) if value else None


# --- windows and limits -------------------------------------------------------------------------------------------


@table("controller_podautoscaler/horizontal__TestScalingWithRules")
def test_limits(case: Case) -> None:
    pace = pace_of(HPABehavior(scale_up=rules(case.get("scaleUpRules")), scale_down=rules(case.get("scaleDownRules"))))
    memory = Memory(
        added=moments(case.get("scaleUpEvents"), "replicaChange"),
        removed=moments(case.get("scaleDownEvents"), "replicaChange"),
    )
    found = limit(
        case.get("prenormalizedDesiredReplicas", 0),
        case["currentReplicas"],
        pace,
        memory,
        least=case.get("specMinReplicas", 0),
        most=case["specMaxReplicas"],
        now=NOW,
    )
    assert (found.replicas, found.reason) == (case["expectedReplicas"], case["expectedCondition"])


def _old_limit(case: Case) -> str:
    return (
        "without behavior ours allows +4 or +100 %, as its defaults do"
        if case["expectedCondition"] == "ScaleUpLimit"
        else ""
    )


@table("controller_podautoscaler/horizontal__TestConvertDesiredReplicasWithRules", leave_out=_old_limit)
def test_default_limits(case: Case) -> None:
    found = limit(
        case["expectedDesiredReplicas"],
        case["currentReplicas"],
        pace_of(None),
        Memory(),
        least=case["hpaMinReplicas"],
        most=case["hpaMaxReplicas"],
        now=NOW,
    )
    assert (found.replicas, found.reason) == (case["expectedConvertedDesiredReplicas"], case["expectedCondition"])


@table("controller_podautoscaler/horizontal__TestNormalizeDesiredReplicasWithBehavior")
def test_stabilize(case: Case) -> None:
    behavior = HPABehavior(
        scale_up=HPAScalingRules(stabilization_window_seconds=case["scaleUpStabilizationWindowSeconds"]),
        scale_down=HPAScalingRules(stabilization_window_seconds=case["scaleDownStabilizationWindowSeconds"]),
    )
    memory = Memory(wishes=moments(case.get("recommendations"), "recommendation"))
    wish, current = case["prenormalizedDesiredReplicas"], case["currentReplicas"]
    assert stabilize(wish, current, pace_of(behavior), memory, now=NOW) == case["expectedStabilizedReplicas"]


@table("controller_podautoscaler/horizontal__TestNormalizeDesiredReplicas")
def test_stabilize_by_default(case: Case) -> None:
    memory = Memory(wishes=moments(case.get("recommendations"), "recommendation"))
    # The older form only ever raises the wish: as if more than enough were running.
    found = stabilize(case["prenormalizedDesiredReplicas"], 1000, pace_of(None), memory, now=NOW)
    assert found == case["expectedStabilizedReplicas"]


# --- replicas -----------------------------------------------------------------------------------------------------


@table("controller_podautoscaler/replica_calculator__TestGroupPods")
def test_groups(case: Case) -> None:
    # Pods' times are of the same run, in its wall clock: it looked at this second.
    now = datetime(2026, 11, 23, 11, 13, 57, tzinfo=UTC)
    looked = timedelta(seconds=24.04)
    samples = {
        name: Sample(
            one["Value"],
            now - looked + timedelta(microseconds=(one["Timestamp"].get("ext") or 0) // 1000),
            timedelta(microseconds=one.get("Window", 0) // 1000),
        )
        for name, one in (case.get("metrics") or {}).items()
    }
    found = group_pods(
        load_all(Pod, case.get("pods")), samples, is_cpu=case["resource"] == "cpu", now=now, starts=STARTS
    )
    assert (found.ready, found.unready, found.missing, found.ignored) == (
        case["expectReadyPodCount"],
        set(case.get("expectUnreadyPods") or ()),
        set(case.get("expectMissingPods") or ()),
        set(case.get("expectIgnoredPods") or ()),
    )


@table("controller_podautoscaler/replica_calculator__TestCalculateRequests")
def test_requests(case: Case) -> None:
    pods = load_all(Pod, case["pods"])
    if (case.get("expectedError") or {}).get("$error"):
        with pytest.raises(InvalidInput):
            requests_of(pods, case["resource"], container=case["container"])
        return
    assert requests_of(pods, case["resource"], container=case["container"]) == case["expectedRequests"]


@table("controller_podautoscaler/replica_calculator__TestReplicaCalcConfigurableTolerance")
def test_tolerance(case: Case) -> None:
    inner = case["replicaCalcTestCase"]
    allowed = inner["tolerances"]
    levels = [sum(level) for level in inner["resource"]["levels"]]
    requests = inner["resource"]["requests"]
    tolerance = Tolerance(allowed.get("scaleDown") or 0.0, allowed.get("scaleUp") or 0.0)
    # Each pod has two containers, each with the request.
    found = _by_utilization(inner["currentReplicas"], levels, [(one, one) for one in requests], tolerance, inner)
    assert found == inner["expectedReplicas"]


@table(
    "controller_podautoscaler/horizontal__TestConfigurableTolerance",
    leave_out=lambda case: "" if case.get("configurableToleranceGate") else "Berth has no feature gates",
)
def test_tolerance_of_rules(case: Case) -> None:
    behavior = HPABehavior(scale_up=rules(case.get("scaleUpRules")), scale_down=rules(case.get("scaleDownRules")))
    target = {"resource": {"targetUtilization": 100}}
    found = _by_utilization(
        case["replicas"],
        case["reportedLevels"],
        [(one,) for one in case["reportedCPURequests"]],
        tolerance_of(pace_of(behavior)),
        target,
    )
    assert found == case["expectedDesiredReplicas"]


def _by_utilization(
    current: int, levels: list[int], requests: list[tuple[str, ...]], tolerance: Tolerance, inner: Case
) -> int:
    pods = [
        Pod(
            metadata=ObjectMeta(name=str(n)),
            spec=PodSpec(
                containers=tuple(
                    Container(name=str(c), resources=ResourceRequirements(requests={"cpu": one}))
                    for c, one in enumerate(amounts)
                )
            ),
            status=PodStatus(
                phase="Running",
                start_time=BASE - timedelta(hours=1),
                conditions=(Condition(type="Ready", status="True", last_transition_time=BASE - timedelta(hours=1)),),
            ),
        )
        for n, amounts in enumerate(requests)
    ]
    samples = {str(n): Sample(level, BASE, timedelta(minutes=1)) for n, level in enumerate(levels)}
    groups = group_pods(pods, samples, is_cpu=True, now=BASE)
    percent = inner["resource"]["targetUtilization"]
    proposal = replicas_by_utilization(
        current, groups, samples, requests_of(pods, "cpu"), target_percent=percent, tolerance=tolerance
    )
    return proposal.replicas
