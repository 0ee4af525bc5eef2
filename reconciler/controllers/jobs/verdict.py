"""Whether a Job is over, and why. Pure; the first rule that applies wins. Source: Kubernetes' job controller."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from objects.api.batch import Job
from objects.api.meta import Condition
from objects.conditions import find_condition, is_true
from reconciler.controllers.jobs.accounting import JobState, completions_of, restarts_in_place
from reconciler.controllers.jobs.policies import is_indexed, met_success_rule

COMPLETE = "Complete"
FAILED = "Failed"
FAILURE_TARGET = "FailureTarget"
SUCCESS_CRITERIA_MET = "SuccessCriteriaMet"
SUSPENDED = "Suspended"


class End(msgspec.Struct, frozen=True):
    """How a Job ends: `Complete` or `Failed`, with Kubernetes' reason and a sentence."""

    kind: str
    reason: str
    message: str


def is_finished(job: Job) -> bool:
    """Whether the Job is over and its pods are gone or done."""
    return is_true(job.status.conditions, COMPLETE) or is_true(job.status.conditions, FAILED)


def end_of(job: Job, state: JobState, *, now: datetime) -> End | None:
    """How the Job ends with these pods at this time; None while it goes on. A decision that was made stands."""
    return _decided(job) or _failure(job, state, now) or _success(job, state)


def _decided(job: Job) -> End | None:
    for interim, kind in ((FAILURE_TARGET, FAILED), (SUCCESS_CRITERIA_MET, COMPLETE)):
        condition = find_condition(job.status.conditions, interim)
        if condition is not None and condition.status == "True":
            return End(kind, condition.reason, condition.message)
    return None


def _failure(job: Job, state: JobState, now: datetime) -> End | None:
    if state.fail_message:
        return End(FAILED, "PodFailurePolicy", state.fail_message)
    if _is_past_backoff_limit(job, state):
        return End(FAILED, "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    deadline = deadline_at(job)
    if deadline is not None and deadline <= now:
        return End(FAILED, "DeadlineExceeded", "Job was active longer than specified deadline")
    limit = job.spec.max_failed_indexes
    if limit is not None and len(state.failed_indexes) > limit:
        message = "Job has exceeded the specified maximal number of failed indexes"
        return End(FAILED, "MaxFailedIndexesExceeded", message)
    completions = completions_of(job) or 0
    if state.failed_indexes and len(state.failed_indexes) + len(state.succeeded_indexes) >= completions:
        return End(FAILED, "FailedIndexes", "Job has failed indexes")
    return None


def _is_past_backoff_limit(job: Job, state: JobState) -> bool:
    limit = job.spec.backoff_limit
    if limit is None:
        return False
    if state.failed > limit:
        return True
    if job.spec.template.spec.restart_policy != "OnFailure":
        return False
    restarts = restarts_in_place(state)
    return restarts > 0 if limit == 0 else restarts >= limit


def deadline_at(job: Job) -> datetime | None:
    """When an unfinished Job has run for too long; None without a limit, before the start and while suspended."""
    seconds = job.spec.active_deadline_seconds
    if seconds is None or job.status.start_time is None or job.spec.suspend:
        return None
    return job.status.start_time + timedelta(seconds=seconds)


def _success(job: Job, state: JobState) -> End | None:
    completions = completions_of(job)
    if is_indexed(job):
        rule = met_success_rule(job.spec.success_policy, state.succeeded_indexes)
        if rule:
            return End(COMPLETE, "SuccessPolicy", rule)
    if completions is None:
        is_done = state.succeeded > 0 and not state.active and not state.terminating
    else:
        is_done = state.succeeded >= completions
    return End(COMPLETE, "CompletionsReached", "Reached expected number of succeeded pods") if is_done else None


def conditions_of_end(end: End, *, is_settled: bool) -> tuple[Condition, ...]:
    """The conditions that say so: the interim one at once, the final one when no pod is left running."""
    interim = SUCCESS_CRITERIA_MET if end.kind == COMPLETE else FAILURE_TARGET
    kinds = (interim, end.kind) if is_settled else (interim,)
    return tuple(Condition(type=kind, status="True", reason=end.reason, message=end.message) for kind in kinds)
