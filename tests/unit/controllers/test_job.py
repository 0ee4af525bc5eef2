"""Jobs: how many pods run when, what counts, and that a finished Job stays finished."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from objects.api.batch import (
    Job,
    JobStatus,
    PodFailurePolicy,
    PodFailurePolicyOnExitCodes,
    PodFailurePolicyRule,
    SuccessPolicy,
    SuccessPolicyRule,
)
from objects.api.pods import Pod
from objects.own.config import Host
from reconciler.controllers.jobs.backoff import delay_after, finished_at
from reconciler.controllers.jobs.indexes import format_indexes, index_of, parse_indexes
from tests.unit.controllers.harness import START, World
from tests.unit.controllers.manifests import job

ExitCode = Callable[[Pod], int]


def live(world: World) -> Job:
    found = world.store.get(Job, "default", "work")
    assert found is not None
    return found


def run(world: World, rounds: int = 40, *, exit_code: ExitCode = lambda _pod: 0, seconds: float = 1) -> None:
    """Each round the pods that run end, and new ones are bound and run."""
    for _ in range(rounds):
        world.settle(seconds)
        for pod in world.pods():
            if pod.is_terminating:
                world.remove(pod.key)
            elif pod.node_name and not pod.is_finished:
                world.finish(pod, exit_code=exit_code(pod))
        world.bind_all()
    world.settle(seconds)


def ended(world: World) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in live(world).status.conditions}


def started(**how: Any) -> World:
    world = World()
    world.declare(job(**how))
    world.settle(1)
    return world


def test_runs_as_many_at_a_time_as_it_may_until_enough_succeeded() -> None:
    world = started(completions=5, parallelism=2)
    most = 0
    for _ in range(10):
        most = max(most, sum(not pod.is_finished for pod in world.pods()))
        run(world, 1)
    status = live(world).status
    assert (most, status.succeeded, status.active, status.failed) == (2, 5, 0, 0)
    assert ended(world) == {
        "SuccessCriteriaMet": ("True", "CompletionsReached"),
        "Complete": ("True", "CompletionsReached"),
    }
    assert len(world.pods()) == 5


def test_work_queue_ends_when_one_succeeded_and_the_others_are_done() -> None:
    world = started(completions=None, parallelism=3)
    world.bind_all()
    first, *others = world.pods()
    world.finish(first)
    world.settle(1)
    assert (live(world).status.active, ended(world)) == (2, {})
    for pod in others:
        world.finish(pod)
    world.settle(1)
    assert ended(world)["Complete"] == ("True", "CompletionsReached")


def test_finished_job_is_not_run_again_by_a_process_that_knows_nothing() -> None:
    world = started(completions=2, parallelism=2)
    run(world, 5)
    pods = world.pods()
    fresh = World()
    fresh.declare(job(completions=2, parallelism=2))
    for pod in pods:
        fresh.put(pod)
    fresh.settle(1)
    assert [pod.uid for pod in fresh.pods()] == [pod.uid for pod in pods]
    assert ended(fresh)["Complete"] == ("True", "CompletionsReached")


def test_failures_are_retried_with_growing_pauses_up_to_the_limit() -> None:
    world = started(backoff_limit=2)
    run(world, 60, exit_code=lambda _pod: 1)
    pods = sorted(world.pods(), key=lambda pod: pod.metadata.creation_timestamp or START)
    pauses = [(later.metadata.creation_timestamp or START) - finished_at(earlier) for earlier, later in pairwise(pods)]
    assert pauses == [timedelta(seconds=10), timedelta(seconds=20)]
    assert ended(world) == {
        "FailureTarget": ("True", "BackoffLimitExceeded"),
        "Failed": ("True", "BackoffLimitExceeded"),
    }


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (1, 10), (2, 20), (4, 80), (7, 600), (1000, 600)],
)
def test_delay_after_failures(failures: int, seconds: int) -> None:
    assert delay_after(failures) == timedelta(seconds=seconds)


def test_deadline_ends_what_runs() -> None:
    world = started(active_deadline_seconds=30, completions=1)
    world.bind_all()
    world.settle(30)
    assert [pod.is_terminating for pod in world.pods()] == [True]
    assert "Failed" not in ended(world)
    run(world, 1)
    assert ended(world)["Failed"] == ("True", "DeadlineExceeded")


def test_suspend_ends_pods_and_resume_starts_the_clock_anew() -> None:
    world = started(active_deadline_seconds=30)
    world.bind_all()
    world.declare(job(active_deadline_seconds=30, suspend=True))
    world.settle(1)
    assert (ended(world)["Suspended"], live(world).status.start_time) == (("True", "JobSuspended"), None)
    run(world, 2)
    world.settle(100)
    assert (world.pods(), live(world).status.failed) == ([], 0)
    world.declare(job(active_deadline_seconds=30))
    run(world, 3)
    assert ended(world)["Complete"] == ("True", "CompletionsReached")


def test_each_index_is_done_once() -> None:
    world = started(completions=4, parallelism=3, indexed=True)
    run(world, 6)
    assert sorted(index_of(pod) or 0 for pod in world.pods()) == [0, 1, 2, 3]
    assert live(world).status.completed_indexes == "0-3"
    pod = min(world.pods(), key=lambda pod: pod.name)
    assert (pod.spec.hostname, pod.spec.containers[0].env[0].value) == ("work-0", "0")


def test_index_that_keeps_failing_ends_only_itself() -> None:
    world = started(completions=3, parallelism=3, indexed=True, backoff_limit_per_index=1)
    run(world, 60, exit_code=lambda pod: 1 if index_of(pod) == 1 else 0)
    status = live(world).status
    assert (status.completed_indexes, status.failed_indexes) == ("0,2", "1")
    assert ended(world)["Failed"] == ("True", "FailedIndexes")


@pytest.mark.parametrize(
    ("action", "pods", "verdict"),
    [
        pytest.param("FailJob", 1, ("True", "PodFailurePolicy"), id="fail the job at once"),
        pytest.param("Count", 2, ("True", "BackoffLimitExceeded"), id="count as any failure"),
    ],
)
def test_pod_failure_policy(action: str, pods: int, verdict: tuple[str, str]) -> None:
    rule = PodFailurePolicyRule(action=action, on_exit_codes=PodFailurePolicyOnExitCodes(operator="In", values=(42,)))
    world = started(backoff_limit=1, pod_failure_policy=PodFailurePolicy(rules=(rule,)))
    run(world, 40, exit_code=lambda _pod: 42)
    assert (len(world.pods()), ended(world)["Failed"]) == (pods, verdict)


def test_ignored_failures_do_not_count() -> None:
    rule = PodFailurePolicyRule(action="Ignore", on_exit_codes=PodFailurePolicyOnExitCodes(operator="In", values=(42,)))
    world = started(backoff_limit=0, pod_failure_policy=PodFailurePolicy(rules=(rule,)))
    codes = iter([42, 42, 0])
    run(world, 10, exit_code=lambda _pod: next(codes))
    assert (live(world).status.failed, ended(world)["Complete"]) == (0, ("True", "CompletionsReached"))


def test_success_policy_ends_a_job_early() -> None:
    policy = SuccessPolicy(rules=(SuccessPolicyRule(succeeded_indexes="0"),))
    world = started(completions=3, parallelism=3, indexed=True, success_policy=policy)
    world.bind_all()
    leader = next(pod for pod in world.pods() if index_of(pod) == 0)
    world.finish(leader)
    world.settle(1)
    assert ended(world) == {"SuccessCriteriaMet": ("True", "SuccessPolicy")}
    run(world, 2)
    assert ended(world)["Complete"] == ("True", "SuccessPolicy")


def test_work_done_on_a_host_that_left_is_not_done_again() -> None:
    world = started(completions=3, parallelism=1)
    run(world, 3)
    done = [pod for pod in world.pods() if pod.is_finished]
    host = world.store.get(Host, "", done[0].node_name)
    assert host is not None
    world.remove(host.key)
    run(world, 10)
    assert (len(world.pods()), ended(world)["Complete"]) == (3, ("True", "CompletionsReached"))


def test_a_success_counts_also_after_earlier_ones_went_with_their_host() -> None:
    world = started(completions=4, parallelism=1)
    for done in (1, 2, 3):
        world.bind_all()
        (pod,) = world.pods()
        world.finish(pod)
        world.settle(1)
        assert live(world).status.succeeded == done
        world.remove(pod.key)
        world.settle(1)


def test_smaller_parallelism_takes_pods_away_without_counting_them() -> None:
    world = started(completions=10, parallelism=4)
    world.bind_all()
    world.declare(job(completions=10, parallelism=1))
    world.settle(1)
    assert sum(pod.is_terminating for pod in world.pods()) == 3
    assert live(world).status == JobStatus(start_time=live(world).status.start_time, active=1, ready=0, terminating=3)


@pytest.mark.parametrize(
    ("text", "below", "indexes"),
    [
        pytest.param("", 5, set(), id="none"),
        pytest.param("0-2,5", 9, {0, 1, 2, 5}, id="a run and one"),
        pytest.param("0-9", 4, {0, 1, 2, 3}, id="cut at completions"),
        pytest.param("1,x,3", 9, {1}, id="unreadable ends the list"),
    ],
)
def test_parse_indexes(text: str, below: int, indexes: set[int]) -> None:
    assert parse_indexes(text, below=below) == indexes


@pytest.mark.parametrize(
    ("indexes", "text"),
    [(set(), ""), ({3}, "3"), ({0, 1}, "0,1"), ({0, 1, 2, 5, 6}, "0-2,5,6")],
)
def test_format_indexes(indexes: set[int], text: str) -> None:
    assert format_indexes(indexes) == text
