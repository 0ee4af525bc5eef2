"""Replicas by one value for all pods. The numbers are those of Kubernetes' replica_calculator_test.go (1.36)."""

from __future__ import annotations

import pytest

from policies.autoscaling.calculator import Tolerance, replicas_by_share, replicas_by_total

TENTH = Tolerance()
EXACT = Tolerance(0.01, 0.01)


@pytest.mark.parametrize(
    ("current", "ready", "value", "target", "tolerance", "expected"),
    [
        pytest.param(3, 3, 20000, 15000, EXACT, 4, id="object up"),
        pytest.param(3, 1, 50000, 10000, EXACT, 5, id="object up, unready pods are ignored"),
        pytest.param(5, 5, 12000, 20000, EXACT, 3, id="object down"),
        pytest.param(3, 3, 20666, 20000, TENTH, 3, id="object within the tolerance"),
        pytest.param(1, 1, 8600, 4400, EXACT, 2, id="external up"),
        pytest.param(3, 1, 8600, 4400, EXACT, 2, id="external, unready pods are ignored"),
        pytest.param(5, 5, 8600, 14334, EXACT, 3, id="external down"),
        pytest.param(3, 3, 8600, 8888, TENTH, 3, id="external within the tolerance"),
        pytest.param(0, 0, 8600, 4400, EXACT, 2, id="from nothing"),
    ],
)
def test_value(current: int, ready: int, value: int, target: int, tolerance: Tolerance, expected: int) -> None:
    found = replicas_by_total(current, ready, value_millis=value, target_millis=target, tolerance=tolerance)
    assert found == expected


@pytest.mark.parametrize(
    ("current", "value", "target", "tolerance", "expected"),
    [
        pytest.param(3, 20000, 5000, EXACT, 4, id="object up"),
        pytest.param(5, 6000, 2000, EXACT, 3, id="object down"),
        pytest.param(4, 20166, 5000, TENTH, 4, id="object within the tolerance"),
        pytest.param(3, 8600, 2150, EXACT, 4, id="external up"),
        pytest.param(5, 8600, 2867, EXACT, 3, id="external down"),
        pytest.param(3, 8600, 2900, TENTH, 3, id="external within the tolerance"),
        pytest.param(0, 8600, 2150, EXACT, 4, id="from nothing"),
    ],
)
def test_average_value(current: int, value: int, target: int, tolerance: Tolerance, expected: int) -> None:
    found = replicas_by_share(current, value_millis=value, target_millis=target, tolerance=tolerance)
    assert found == expected
