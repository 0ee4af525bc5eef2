"""Job: pods that run until enough of them succeeded.

A finished Job stays finished: its conditions say so, and its finished pods, which stay until it goes, would say so
again to a process that knows nothing. Pods of a host that does not answer count as running until their toleration ends.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.api.batch import Job, JobStatus
from objects.api.meta import Condition, ObjectKey
from objects.api.pods import Pod
from objects.conditions import Conditions, find_condition, with_condition
from reconciler.controllers.base import (
    NOTHING,
    Change,
    Context,
    Controller,
    Delete,
    Hold,
    Occurrence,
    Outcome,
    Put,
    own_key,
    owner_key,
)
from reconciler.controllers.jobs.accounting import JobState, account
from reconciler.controllers.jobs.indexes import format_indexes
from reconciler.controllers.jobs.policies import is_indexed
from reconciler.controllers.jobs.verdict import (
    COMPLETE,
    SUSPENDED,
    End,
    conditions_of_end,
    deadline_at,
    end_of,
    is_finished,
)
from reconciler.controllers.jobs.work import Work, plan_work, pods_for
from reconciler.state.store import View


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """Count, decide whether it is over, else make or take pods."""
    job = view.get(Job, key.namespace, key.name)
    if job is None or job.is_terminating or job.spec.managed_by not in (None, "kubernetes.io/job-controller"):
        return NOTHING
    pods = view.owned(Pod, job.uid)
    state = account(job, pods)
    if is_finished(job):
        return Outcome(changes=tuple(Delete(pod.key, pod.uid) for pod in state.active))
    job = _started(job, context.now)
    end = end_of(job, state, now=context.now)
    if end is not None:
        return _ending(job, state, end, context.now)
    work = plan_work(job, state, now=context.now)
    made = pods_for(view, job, work, context)
    changes: list[Change] = [Put(msgspec.structs.replace(job, status=_status(job, state)))]
    changes += [Put(pod) for pod in made]
    changes += [Delete(pod.key, pod.uid) for pod in work.delete]
    return Outcome(
        changes=tuple(changes),
        occurrences=(
            *(Occurrence(key, "Normal", "SuccessfulCreate", f"Created pod: {pod.name}") for pod in made),
            *(Occurrence(key, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.name}") for pod in work.delete),
        ),
        hold=_hold(job, work),
        again_at=_earliest(work.retry_at, deadline_at(job)),
    )


def _ending(job: Job, state: JobState, end: End, now: datetime) -> Outcome:
    """Write the verdict; pods that still run are ended, and the Job is over when they are gone."""
    is_settled = not state.active and not state.terminating
    status = _status(job, state)
    conditions = status.conditions
    for condition in conditions_of_end(end, is_settled=is_settled):
        conditions = _with(conditions, condition, now)
    is_complete = end.kind == COMPLETE and is_settled
    status = msgspec.structs.replace(
        status, conditions=conditions, completion_time=now if is_complete else status.completion_time
    )
    said: tuple[Occurrence, ...] = ()
    if is_settled and end.kind == COMPLETE:
        said = (Occurrence(job.key, "Normal", "Completed", "Job completed"),)
    elif is_settled:
        said = (Occurrence(job.key, "Warning", end.reason, end.message),)
    return Outcome(
        changes=(
            Put(msgspec.structs.replace(job, status=status)),
            *(Delete(pod.key, pod.uid) for pod in state.active),
        ),
        occurrences=said,
    )


def _started(job: Job, now: datetime) -> Job:
    """`job` with its start time and what it says about being suspended. A pause begins the deadline anew."""
    status = job.status
    suspended = find_condition(status.conditions, SUSPENDED)
    if job.spec.suspend:
        condition = Condition(type=SUSPENDED, status="True", reason="JobSuspended", message="Job suspended")
        status = msgspec.structs.replace(status, start_time=None, conditions=_with(status.conditions, condition, now))
    elif suspended is not None and suspended.status == "True":
        condition = Condition(type=SUSPENDED, status="False", reason="JobResumed", message="Job resumed")
        status = msgspec.structs.replace(status, start_time=now, conditions=_with(status.conditions, condition, now))
    elif status.start_time is None:
        status = msgspec.structs.replace(status, start_time=now)
    return msgspec.structs.replace(job, status=status)


def _status(job: Job, state: JobState) -> JobStatus:
    indexed = is_indexed(job)
    counted = tuple(sorted(pod.uid for pod in (*state.succeeded_pods, *state.failed_pods)))
    return msgspec.structs.replace(
        job.status,
        active=len(state.active),
        ready=sum(pod.is_ready for pod in state.active),
        terminating=len(state.terminating),
        succeeded=state.succeeded,
        failed=state.failed,
        completed_indexes=format_indexes(state.succeeded_indexes) if indexed else "",
        failed_indexes=format_indexes(state.failed_indexes)
        if indexed and job.spec.backoff_limit_per_index is not None
        else None,
        counted_pods=counted if counted or state.succeeded or state.failed else None,
    )


def _with(conditions: Conditions, condition: Condition, now: datetime) -> Conditions:
    return with_condition(conditions, condition, now=now)


def _hold(job: Job, work: Work) -> Hold | None:
    if job.spec.suspend:
        return Hold("JobSuspended", "suspended: spec.suspend is true")
    if work.retry_at is not None:
        return Hold("BackOff", "waiting before the next pod after a failed one", work.retry_at)
    return None


def _earliest(*times: datetime | None) -> datetime | None:
    return min((time for time in times if time is not None), default=None)


CONTROLLER = Controller(
    name="job-controller", watches={Job.KIND: own_key, Pod.KIND: owner_key(Job.KIND)}, reconcile=reconcile
)
