"""Which moves of a load are told."""

from __future__ import annotations

import pytest

from objects.api.autoscaling import (
    MetricIdentifier,
    MetricStatus,
    MetricValueStatus,
    PodsMetricStatus,
    ResourceMetricStatus,
)
from reconciler.controllers.autoscaling.steady import steady_metrics


def cpu(percent: int) -> MetricStatus:
    current = MetricValueStatus(average_utilization=percent)
    return MetricStatus(type="Resource", resource=ResourceMetricStatus(name="cpu", current=current))


def pods(name: str, value: str) -> MetricStatus:
    current = MetricValueStatus(average_value=value)
    return MetricStatus(type="Pods", pods=PodsMetricStatus(metric=MetricIdentifier(name=name), current=current))


@pytest.mark.parametrize(
    ("before", "now", "is_told"),
    [
        pytest.param((cpu(50),), (cpu(55),), False, id="a tenth more"),
        pytest.param((cpu(50),), (cpu(45),), False, id="a tenth less"),
        pytest.param((cpu(50),), (cpu(56),), True, id="clearly more"),
        pytest.param((cpu(0),), (cpu(0),), False, id="idle"),
        pytest.param((cpu(0),), (cpu(1),), True, id="not idle any more"),
        pytest.param((), (cpu(0),), True, id="first"),
        pytest.param((cpu(50),), (), True, id="not measured any more"),
        pytest.param((pods("qps", "10"),), (pods("qps", "10500m"),), False, id="a little, in another spelling"),
        pytest.param((pods("qps", "10"),), (pods("hits", "10"),), True, id="another metric"),
        pytest.param((pods("qps", "10"),), (cpu(10),), True, id="another kind"),
        pytest.param((cpu(50), pods("qps", "1")), (cpu(50), pods("qps", "2")), True, id="one of two"),
    ],
)
def test_what_moved(before: tuple[MetricStatus, ...], now: tuple[MetricStatus, ...], is_told: bool) -> None:
    assert steady_metrics(before, now) == (now if is_told else before)
