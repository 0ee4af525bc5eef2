"""Autoscalers over measured pods: out, in, windows, missing measurements, several metrics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from objects.api.apps import Deployment
from objects.api.autoscaling import (
    CrossVersionObjectReference,
    ExternalMetricSource,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    HPABehavior,
    HPAScalingRules,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    MetricValueStatus,
    ObjectMetricSource,
    PodsMetricSource,
    ResourceMetricSource,
)
from objects.api.meta import ObjectMeta
from objects.api.pods import ResourceRequirements
from reconciler.figures.pod_metrics import AutoscalerState, PodMetrics
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import deployment

CPU = MetricSpec(
    type="Resource",
    resource=ResourceMetricSource(name="cpu", target=MetricTarget(type="Utilization", average_utilization=50)),
)
REQUESTS = MetricSpec(
    type="Pods",
    pods=PodsMetricSource(
        metric=MetricIdentifier(name="requests"), target=MetricTarget(type="AverageValue", average_value=10)
    ),
)
QUEUE = MetricSpec(
    type="External",
    external=ExternalMetricSource(
        metric=MetricIdentifier(name="queue"), target=MetricTarget(type="AverageValue", average_value=5)
    ),
)


def autoscaler(*metrics: MetricSpec, least: int = 1, most: int = 10, **spec: Any) -> HorizontalPodAutoscaler:
    return HorizontalPodAutoscaler(
        metadata=ObjectMeta(name="web", namespace="default"),
        spec=HorizontalPodAutoscalerSpec(
            scale_target_ref=CrossVersionObjectReference(kind="Deployment", name="web"),
            min_replicas=least,
            max_replicas=most,
            metrics=metrics or (CPU,),
            **spec,
        ),
    )


def serving(*metrics: MetricSpec, replicas: int = 2, **spec: Any) -> World:
    """A Deployment whose pods request 100m CPU each, running for long, with an autoscaler."""
    world = World()
    plain = deployment(replicas=replicas)
    template = plain.spec.template
    container = msgspec.structs.replace(
        template.spec.containers[0], resources=ResourceRequirements(requests={"cpu": "100m"})
    )
    pod = msgspec.structs.replace(template.spec, containers=(container,))
    changed = msgspec.structs.replace(plain.spec, template=msgspec.structs.replace(template, spec=pod))
    world.declare(msgspec.structs.replace(plain, spec=changed))
    world.run()
    world.settle(600)
    world.declare(autoscaler(*metrics, **spec))
    return world


def measure(world: World, millis: int, *, requests: int = 0, only: int | None = None) -> None:
    for pod in world.pods()[:only]:
        world.put(
            PodMetrics(
                metadata=ObjectMeta(name=pod.name, namespace="default"),
                timestamp=world.now,
                window_seconds=15,
                containers={"main": {"cpu": f"{millis}m"}},
                values={"requests": requests},
            )
        )


def size(world: World) -> int:
    live = world.store.get(Deployment, "default", "web")
    assert live is not None
    return live.spec.replicas or 0


def claim(world: World, kind: str) -> tuple[str, str]:
    found = world.store.get(HorizontalPodAutoscaler, "default", "web")
    assert found is not None
    condition = next(one for one in found.status.conditions if one.type == kind)
    return condition.status, condition.reason


@pytest.mark.parametrize(
    ("millis", "expected"),
    [
        pytest.param(50, 2, id="on target"),
        pytest.param(54, 2, id="within the tolerance of a tenth"),
        pytest.param(56, 3, id="just above"),
        pytest.param(100, 4, id="double"),
        pytest.param(1000, 6, id="at most four more at a time"),
    ],
)
def test_size_follows_cpu(millis: int, expected: int) -> None:
    world = serving()
    measure(world, millis)
    world.settle(1)
    assert size(world) == expected


def test_looks_every_fifteen_seconds() -> None:
    world = serving()
    measure(world, 50)
    world.settle(1)
    measure(world, 100)
    world.settle(14)
    assert size(world) == 2
    world.settle(1)
    assert size(world) == 4
    assert world.messages("SuccessfulRescale") == [
        "New size: 4; reason: cpu resource utilization (percentage of request) above target"
    ]


def test_shrinks_only_after_five_minutes_of_less() -> None:
    world = serving(replicas=4)
    for _ in range(20):
        measure(world, 10)
        world.settle(15)
    assert size(world) == 4
    for _ in range(2):
        measure(world, 10)
        world.settle(15)
    assert size(world) == 1


def test_behavior_may_forbid_to_shrink() -> None:
    rules = HPAScalingRules(select_policy="Disabled", stabilization_window_seconds=0)
    world = serving(replicas=4, behavior=HPABehavior(scale_down=rules))
    for _ in range(30):
        measure(world, 10)
        world.settle(15)
    assert size(world) == 4


def test_without_measurements_nothing_moves_and_the_reason_is_told() -> None:
    world = serving()
    world.settle(1)
    assert (size(world), claim(world, "ScalingActive")) == (2, ("False", "FailedGetResourceMetric"))
    key = autoscaler().key
    assert world.holds["horizontal-pod-autoscaler", key].reason == "FailedGetResourceMetric"


def test_old_measurements_are_none() -> None:
    world = serving()
    measure(world, 1000)
    world.settle(300)
    assert size(world) == 2


def test_pods_that_are_not_measured_make_it_careful() -> None:
    world = serving()
    measure(world, 60, only=1)
    world.settle(1)
    assert size(world) == 2


def test_largest_of_several_metrics_wins() -> None:
    world = serving(CPU, REQUESTS, QUEUE)
    world.serve_metrics()
    measure(world, 50, requests=15)
    world.answer_queries(queue=24)
    world.settle(1)
    assert size(world) == 5


def test_metric_that_cannot_be_had_forbids_to_shrink() -> None:
    world = serving(CPU, QUEUE, replicas=4)
    for _ in range(30):
        measure(world, 10)
        world.settle(15)
    assert (size(world), claim(world, "ScalingActive")) == (4, ("False", "FailedGetExternalMetric"))


# --- what a metrics server tells ----------------------------------------------------------------------------------


def hits(**target: Any) -> MetricSpec:
    return MetricSpec(
        type="Object",
        object=ObjectMetricSource(
            described_object=CrossVersionObjectReference(kind="Service", name="front"),
            metric=MetricIdentifier(name="hits"),
            target=MetricTarget(**target),
        ),
    )


def told(world: World) -> HorizontalPodAutoscaler:
    found = world.store.get(HorizontalPodAutoscaler, "default", "web")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("metric", "value", "expected", "current"),
    [
        pytest.param(QUEUE, 24, 5, MetricValueStatus(average_value="12"), id="external, a share each"),
        pytest.param(QUEUE, 10.9, 2, MetricValueStatus(average_value="5450m"), id="external, within the tolerance"),
        pytest.param(
            hits(type="Value", value=10), 25, 5, MetricValueStatus(value="25"), id="object, one value for all pods"
        ),
        pytest.param(
            hits(type="AverageValue", average_value=10), 25, 3, MetricValueStatus(average_value="12500m"), id="object"
        ),
    ],
)
def test_size_follows_what_a_metrics_server_tells(
    metric: MetricSpec, value: float, expected: int, current: MetricValueStatus
) -> None:
    world = serving(metric)
    world.serve_metrics()
    world.answer_queries(_=value)
    world.settle(1)
    (status,) = told(world).status.current_metrics
    source = status.object or status.external
    assert source is not None
    assert (size(world), source.current, claim(world, "ScalingActive")) == (
        expected,
        current,
        ("True", "ValidMetricFound"),
    )


def test_it_shrinks_by_what_a_metrics_server_tells_after_its_window() -> None:
    rules = HPAScalingRules(stabilization_window_seconds=60)
    world = serving(QUEUE, replicas=4, behavior=HPABehavior(scale_down=rules))
    world.serve_metrics()
    seen = []
    for _ in range(6):
        world.answer_queries(queue=5)
        world.settle(15)
        seen.append(size(world))
    assert seen == [4, 4, 4, 4, 1, 1]


def test_until_the_server_was_asked_nothing_is_said_but_bounds_hold() -> None:
    world = serving(QUEUE)
    world.serve_metrics()
    world.settle(1)
    hold = world.holds["horizontal-pod-autoscaler", autoscaler().key]
    assert (hold.reason, told(world).status.conditions) == ("FailedGetExternalMetric", ())
    assert hold.message == "the metrics server was not asked yet for sum(queue{})"
    world = serving(QUEUE, least=3)
    world.serve_metrics()
    world.settle(1)
    assert size(world) == 3


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(QUEUE, "FailedGetExternalMetric", id="external"),
        pytest.param(hits(type="Value", value=10), "FailedGetObjectMetric", id="object"),
    ],
)
def test_a_query_that_fails_is_named_and_nothing_shrinks(metric: MetricSpec, expected: str) -> None:
    rules = HPAScalingRules(stabilization_window_seconds=0)
    world = serving(metric, replicas=4, behavior=HPABehavior(scale_down=rules))
    world.serve_metrics()
    for _ in range(10):
        world.answer_queries(_=None, problem="the query finds nothing")
        world.settle(15)
    assert (size(world), claim(world, "ScalingActive")) == (4, ("False", expected))
    hold = world.holds["horizontal-pod-autoscaler", autoscaler().key]
    assert hold.message.startswith("the query finds nothing: sum(")


def test_without_a_server_the_condition_says_what_to_do() -> None:
    world = serving(QUEUE)
    world.settle(1)
    hold = world.holds["horizontal-pod-autoscaler", autoscaler().key]
    assert claim(world, "ScalingActive") == ("False", "FailedGetExternalMetric")
    assert hold.message == "no metrics server is configured: spec.metrics.prometheus.url of the Cluster names one"


def test_old_answers_are_none() -> None:
    world = serving(QUEUE)
    world.serve_metrics()
    world.answer_queries(queue=24)
    world.settle(1)
    world.settle(180)
    assert (size(world), claim(world, "ScalingActive")) == (5, ("False", "FailedGetExternalMetric"))


def test_a_value_for_all_says_nothing_while_no_pod_is_ready() -> None:
    world = serving(hits(type="Value", value=10), replicas=4)
    world.serve_metrics()
    for pod in world.pods():
        world.set_ready(pod, ready=False)
    world.answer_queries(_=100)
    world.settle(1)
    assert (size(world), claim(world, "ScalingActive")) == (4, ("False", "FailedGetObjectMetric"))


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [pytest.param(5, 10, 5, id="below the minimum"), pytest.param(1, 1, 1, id="above the maximum")],
)
def test_bounds_hold_without_any_metric(least: int, most: int, expected: int) -> None:
    world = serving(least=least, most=most)
    world.settle(1)
    assert size(world) == expected


def test_missing_target_is_named() -> None:
    world = World()
    world.declare(autoscaler())
    world.settle(1)
    hold = world.holds["horizontal-pod-autoscaler", autoscaler().key]
    assert hold.message == "there is no Deployment web to scale"


def test_memory_is_bounded_and_goes_with_its_autoscaler() -> None:
    world = serving()
    for _ in range(100):
        measure(world, 50)
        world.settle(15)
    found = world.store.get(AutoscalerState, "default", "web")
    assert found is not None
    assert all(wish.at > world.now - timedelta(seconds=300) for wish in found.memory.wishes)
    world.remove(autoscaler().key)
    world.settle(1)
    assert world.store.all_of(AutoscalerState) == []
