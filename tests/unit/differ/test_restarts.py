"""The arithmetic of restarts: counts that live on the host, and Kubernetes' back-off."""

from __future__ import annotations

from datetime import datetime

import pytest

from differ.memory import ContainerMemory
from differ.restarts import backoff_seconds, must_take_over, restart_count, restart_due
from objects.observed import ObservedContainer
from tests.unit.differ.building import after, ago, exited, found, make_pod

POD = make_pod()
NOTHING = ContainerMemory()


@pytest.mark.parametrize(
    ("row", "seconds"), [(0, 0), (1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (7, 300), (5000, 300)]
)
def test_backoff(row: int, seconds: float) -> None:
    assert backoff_seconds(row) == seconds


@pytest.mark.parametrize(
    ("container", "memory", "count"),
    [
        pytest.param(found(POD), NOTHING, 0, id="never"),
        pytest.param(found(POD, attempt=3, restart_count=2), NOTHING, 5, id="ours-and-dockers"),
        pytest.param(exited(POD, state="restarting", restart_count=1), NOTHING, 0, id="pending-does-not-count"),
        pytest.param(
            exited(POD, restart_count=2), ContainerMemory(taken_over_id="id-main"), 1, id="cancelled-does-not-count"
        ),
        pytest.param(exited(POD, restart_count=2), ContainerMemory(taken_over_id="other"), 2, id="of-another"),
        pytest.param(found(POD, name="mine"), ContainerMemory(restarts=4), 4, id="renamed"),
    ],
)
def test_restart_count(container: ObservedContainer, memory: ContainerMemory, count: int) -> None:
    assert restart_count(container, memory) == count


@pytest.mark.parametrize(
    ("container", "memory", "due"),
    [
        pytest.param(exited(POD), NOTHING, None, id="first-at-once"),
        pytest.param(exited(POD, attempt=1, ago_seconds=3), NOTHING, after(7), id="second-after-10"),
        pytest.param(exited(POD, attempt=1, ago_seconds=30), NOTHING, ago(20), id="second-was-due"),
        pytest.param(
            exited(POD, attempt=6, ago_seconds=3), ContainerMemory(streak_base=5), after(7), id="counts-in-a-row-only"
        ),
        pytest.param(exited(POD, attempt=6, after_seconds=600), NOTHING, None, id="a-long-run-ends-the-row"),
        pytest.param(exited(POD, attempt=6, started_at=None, finished_at=None), NOTHING, None, id="never-ran"),
    ],
)
def test_restart_due(container: ObservedContainer, memory: ContainerMemory, due: datetime | None) -> None:
    assert restart_due(container, memory) == due


@pytest.mark.parametrize(
    ("container", "memory", "expected"),
    [
        pytest.param(found(POD, restart_count=5), NOTHING, False, id="it-runs"),
        pytest.param(exited(POD, state="restarting", restart_count=1), NOTHING, False, id="dockers-first"),
        pytest.param(exited(POD, state="restarting", restart_count=2), NOTHING, True, id="dockers-second"),
        pytest.param(
            exited(POD, state="restarting", restart_count=1, attempt=1), NOTHING, True, id="dockers-first-after-ours"
        ),
        pytest.param(
            exited(POD, state="restarting", restart_count=1, attempt=3),
            ContainerMemory(streak_base=3),
            False,
            id="first-of-a-new-row",
        ),
    ],
)
def test_take_over(container: ObservedContainer, memory: ContainerMemory, expected: bool) -> None:
    assert must_take_over(container, memory) is expected
