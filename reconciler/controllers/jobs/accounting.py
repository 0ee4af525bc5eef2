"""What a Job's pods amount to: how many run, succeeded, failed, and which indexes are done. Pure.

Finished pods mostly stay until their Job goes. Some go before, with a host that leaves or is drained: the status counts
them on, since it says which of those that are there it counts already. A pod that somebody deleted did not fail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import msgspec

from objects.api.batch import Job
from objects.api.pods import Pod
from reconciler.controllers.jobs.indexes import index_of, parse_indexes
from reconciler.controllers.jobs.policies import FAIL_INDEX, FAIL_JOB, IGNORE, is_indexed, judge_failed_pod


class JobState(msgspec.Struct, frozen=True):
    """Pods by what they do; counts; indexes of an indexed Job.

    failed_pods: those that count. failed_by_index: failures per index. fail_message: why a pod ends the whole Job.
    """

    active: tuple[Pod, ...] = ()
    terminating: tuple[Pod, ...] = ()
    succeeded_pods: tuple[Pod, ...] = ()
    failed_pods: tuple[Pod, ...] = ()
    succeeded: int = 0
    failed: int = 0
    succeeded_indexes: frozenset[int] = frozenset()
    failed_indexes: frozenset[int] = frozenset()
    failed_by_index: dict[int, int] = {}
    fail_message: str = ""


def completions_of(job: Job) -> int | None:
    """How many successes are wanted; None: one success by anybody ends the Job (a work queue)."""
    return job.spec.completions


def account(job: Job, pods: list[Pod]) -> JobState:
    """Sort and count the pods of a Job."""
    judged = [
        (pod, judge_failed_pod(job.spec.pod_failure_policy, pod))
        for pod in pods
        if pod.status.phase == "Failed" and not pod.is_terminating
    ]
    counted = tuple(pod for pod, verdict in judged if verdict.action != IGNORE and _has_place(job, pod))
    succeeded = tuple(pod for pod in pods if pod.status.phase == "Succeeded")
    state = JobState(
        active=tuple(pod for pod in pods if not pod.is_finished and not pod.is_terminating),
        terminating=tuple(pod for pod in pods if pod.is_terminating and not pod.is_finished),
        succeeded_pods=succeeded,
        failed_pods=counted,
        succeeded=_total(job.status.succeeded, job.status.counted_pods, succeeded),
        failed=_total(job.status.failed, job.status.counted_pods, counted),
        fail_message=next((v.message for _, v in judged if v.action == FAIL_JOB), ""),
    )
    if not is_indexed(job):
        return state
    doomed = {index for pod, v in judged if v.action == FAIL_INDEX and (index := index_of(pod)) is not None}
    return _with_indexes(job, state, doomed)


def _total(before: int, known: Collection[str] | None, there: Collection[Pod]) -> int:
    """How many finished so far, with those that are gone again.

    before: as the status says. known: uids of those of them that were there then; None: nobody wrote it down.

    before  known  there  ->
         2   a, b   a, b   2
         2   a, b      b   2   one went
         2   a, b   b, c   3   one went, another finished
         2   None   b, c   2   that cannot be told: nothing is taken back, nothing counted twice
    """
    if known is None:
        return max(before, len(there))
    return before + sum(pod.uid not in known for pod in there)


def _has_place(job: Job, pod: Pod) -> bool:
    """Whether the pod works for the Job at all: in an indexed one only with an index of its own."""
    index = index_of(pod)
    return not is_indexed(job) or (index is not None and index < (completions_of(job) or 0))


def _with_indexes(job: Job, state: JobState, doomed: set[int]) -> JobState:
    below = completions_of(job) or 0
    seen = {index for pod in state.succeeded_pods if (index := index_of(pod)) is not None and index < below}
    done = parse_indexes(job.status.completed_indexes, below=below) | seen
    failures = Counter(index for pod in state.failed_pods if (index := index_of(pod)) is not None and index < below)
    limit = job.spec.backoff_limit_per_index
    lost: frozenset[int] = frozenset()
    if limit is not None:
        over = {index for index, count in failures.items() if count > limit}
        before = parse_indexes(job.status.failed_indexes or "", below=below)
        lost = (before | over | {index for index in doomed if index < below}) - done
    return msgspec.structs.replace(
        state,
        succeeded=len(done),
        succeeded_indexes=frozenset(done),
        failed_indexes=lost,
        failed_by_index=dict(failures),
    )


def restarts_in_place(state: JobState) -> int:
    """Restarts of containers inside running pods: failures of a Job whose pods restart by themselves."""
    return sum(
        status.restart_count
        for pod in state.active
        if pod.status.phase in ("Running", "Pending")
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    )
