"""The arithmetic of restarts: counts that live on the host, and Kubernetes' back-off."""

from __future__ import annotations

from datetime import datetime

import pytest

from differ.kubelet.containers.restarts import (
    backoff_seconds,
    calm_at,
    crashes_in_a_row,
    learn_restarts,
    must_take_over,
    restart_due,
)
from differ.kubelet.memory import ContainerMemory
from differ.kubelet.run_times import (
    LookTime,
    RunTimes,
    learn_times,
    run_of,
)
from objects.observation.host import ObservedContainer
from tests.unit.differ.building import NOW, after, ago, exited, found, make_pod

POD = make_pod()
NOTHING = ContainerMemory()
LOOK = LookTime(NOW, NOW)
WEB = found(POD)


def after_look(
    container: ObservedContainer, memory: ContainerMemory = NOTHING, look: LookTime = LOOK
) -> ContainerMemory:
    return learn_restarts(container, memory, look)


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
            exited(POD, restart_count=2),
            ContainerMemory(taken_over_run=run_of(exited(POD))),
            1,
            id="cancelled-does-not-count",
        ),
        pytest.param(
            exited(POD, code=137, restart_count=2, after_seconds=0),
            ContainerMemory(restarts=1, taken_over_run=run_of(exited(POD))),
            2,
            id="cancelled-too-late",
        ),
        pytest.param(
            exited(POD, code=3, restart_count=3, after_seconds=0),
            ContainerMemory(restarts=1, taken_over_run=run_of(exited(POD))),
            2,
            id="cancelled-one-run-later",
        ),
        pytest.param(found(POD, name="mine"), ContainerMemory(restarts=4), 4, id="renamed"),
        pytest.param(found(POD, attempt=1), ContainerMemory(restarts=4), 4, id="it-never-falls"),
        pytest.param(
            found(POD, attempt=1, started_at=ago(5)),
            ContainerMemory(restarts=4, times=RunTimes(run=run_of(WEB), began_at=ago(60))),
            5,
            id="started-by-the-engine-itself",
        ),
        pytest.param(
            found(POD, attempt=1, restart_count=4, started_at=ago(5)),
            ContainerMemory(restarts=4, times=RunTimes(run=run_of(WEB), began_at=ago(60))),
            5,
            id="restarted-as-docker-counts",
        ),
        pytest.param(
            found(POD, attempt=5, id="another", started_at=ago(5)),
            ContainerMemory(restarts=4, times=RunTimes(run=run_of(WEB), began_at=ago(60))),
            5,
            id="made-anew",
        ),
        pytest.param(
            found(POD, name="mine", started_at=ago(5)),
            ContainerMemory(restarts=4, times=RunTimes(run=run_of(WEB), began_at=ago(60))),
            5,
            id="renamed-and-started",
        ),
    ],
)
def test_restart_count(container: ObservedContainer, memory: ContainerMemory, count: int) -> None:
    assert after_look(container, memory).restarts == count
    assert after_look(container, after_look(container, memory)).restarts == count


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
        pytest.param(exited(POD, attempt=1, ago_seconds=-7200), NOTHING, after(10), id="clock-set-back"),
    ],
)
def test_restart_due(container: ObservedContainer, memory: ContainerMemory, due: datetime | None) -> None:
    assert restart_due(after_look(container, memory)) == due


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
    assert must_take_over(container, after_look(container, memory)) is expected


@pytest.mark.parametrize(
    ("container", "began_ago", "seen_ago", "row"),
    [
        pytest.param(found(POD, restart_count=4), 599, 1, 4, id="runs-not-yet-for-long"),
        pytest.param(found(POD, restart_count=4), 600, 1, 0, id="runs-for-long"),
        pytest.param(found(POD, restart_count=5, started_at=ago(1)), 700, 60, 1, id="end-of-a-long-run-not-seen"),
        pytest.param(found(POD, restart_count=5, started_at=ago(1)), 700, 101, 5, id="end-of-a-run-too-short"),
    ],
)
def test_what_ends_a_row(container: ObservedContainer, began_ago: float, seen_ago: float, row: int) -> None:
    times = RunTimes(run=run_of(WEB), began_at=ago(began_ago))
    memory = ContainerMemory(restarts=4, times=times)
    learnt = after_look(container, memory, LookTime(NOW, NOW, ago(seen_ago)))
    assert crashes_in_a_row(learnt) == row
    assert (calm_at(learnt) is None) is (row < 2)


@pytest.mark.parametrize(
    ("set_by", "told", "began"),
    [
        pytest.param(0, 0, ago(30), id="never-set"),
        pytest.param(-7200, -7200, ago(30), id="set-back"),
        pytest.param(7200, 7200, ago(30), id="set-forward"),
        pytest.param(-7200, 0, ago(60), id="set-back-and-told-late"),
        pytest.param(7200, 0, NOW, id="set-forward-and-told-late"),
    ],
)
def test_durations_do_not_depend_on_the_hosts_clock(set_by: float, told: float, began: datetime) -> None:
    """A run that begins 30 s before a look and ends 15 s after it, on a host whose clock is set just before."""
    stamps = {"started_at": after(set_by - 30), "finished_at": after(set_by + 15)}
    running = found(POD, started_at=stamps["started_at"])
    first = learn_times(running, None, LookTime(after(told), NOW, before=ago(60)))
    last = learn_times(exited(POD, **stamps), first, LookTime(after(30 + set_by), after(30), before=NOW))
    assert first == RunTimes(run=run_of(running), began_at=began)
    assert last == RunTimes(run=run_of(running), began_at=began, ended_at=after(15))
