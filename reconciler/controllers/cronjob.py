"""CronJob: makes a Job for each scheduled time, at most one per time.

The Job's name holds its time and its uid follows from its name: a time that has its Job cannot get a second one,
whoever asks. The last scheduled time is in the status and on the Jobs; the later of both counts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from objects.api.batch import CronJob, CronJobStatus, Job
from objects.api.meta import (
    EPOCH,
    ObjectKey,
    ObjectMeta,
    ObjectReference,
    controller_reference,
)
from objects.conditions import is_true
from objects.errors import InvalidInput
from objects.names import stable_uid
from objects.values.schedule import MANY_MISSED, Schedule, parse_schedule
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
from reconciler.controllers.jobs.verdict import COMPLETE, FAILED, is_finished
from reconciler.state.store import View

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
KEPT_SUCCESSFUL = 3
KEPT_FAILED = 1

_LONGEST_MINUTES = 9
"""Digits: enough until the year 3871."""


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """Make the Job that is due, if one is; tidy up finished ones; say when the next is due."""
    cron_job = view.get(CronJob, key.namespace, key.name)
    if cron_job is None or cron_job.is_terminating:
        return NOTHING
    jobs = view.owned(Job, cron_job.uid)
    tidy = _surplus_history(cron_job, jobs)
    observed = msgspec.structs.replace(cron_job, status=_status(cron_job, jobs))
    try:
        schedule = parse_schedule(cron_job.spec.schedule, cron_job.spec.time_zone)
    except InvalidInput as error:
        said = Occurrence(key, "Warning", "UnparseableSchedule", error.message)
        hold = Hold("UnparseableSchedule", error.message)
        return Outcome(changes=(Put(observed), *tidy), occurrences=(said,), hold=hold)
    if cron_job.spec.suspend:
        return Outcome(changes=(Put(observed), *tidy), hold=Hold("Suspended", "suspended: spec.suspend is true"))
    # An interval lasts, whatever is done to the machine's clock; a time of day is looked up there.
    ahead = timedelta() if schedule.every else context.ahead
    due = _due(view, observed, jobs, schedule, context.now + ahead, created=context.now)
    return msgspec.structs.replace(
        due,
        changes=(*due.changes, *tidy),
        again_at=schedule.next_at(context.now + ahead, after=_counted_from(observed, jobs)) - ahead,
    )


def job_name(cron_job: CronJob, scheduled: datetime) -> str:
    """`<cron job>-<minutes since 1970>`, as Kubernetes names it."""
    return f"{cron_job.name}-{int(scheduled.timestamp()) // 60}"


def scheduled_in_name(name: str) -> tuple[str, datetime | None]:
    """The CronJob and the scheduled time in a name as `job_name` makes it; ("", None) for another name."""
    cron_job, _, minutes = name.rpartition("-")
    is_ours = bool(cron_job) and minutes.isascii() and minutes.isdigit() and len(minutes) <= _LONGEST_MINUTES
    return (cron_job, datetime.fromtimestamp(int(minutes) * 60, UTC)) if is_ours else ("", None)


def _due(
    view: View, cron_job: CronJob, jobs: list[Job], schedule: Schedule, now: datetime, *, created: datetime
) -> Outcome:
    """now: by the clock that the schedule follows."""
    after = _counted_from(cron_job, jobs)
    scheduled = schedule.last_at(now, after=after)
    deadline = cron_job.spec.starting_deadline_seconds
    if scheduled is None or (deadline is not None and scheduled < now - timedelta(seconds=deadline)):
        return Outcome(changes=(Put(cron_job),))
    active = [job for job in jobs if not is_finished(job)]
    if cron_job.spec.concurrency_policy == "Forbid" and active:
        message = f"not started: {active[0].name} still runs and concurrencyPolicy is Forbid"
        return Outcome(changes=(Put(cron_job),), hold=Hold("JobAlreadyActive", message))
    said: list[Occurrence] = []
    if deadline is None and schedule.has_missed_many(now, after=after):
        message = f"more than {MANY_MISSED} times were missed; only the last one is made up for"
        said.append(Occurrence(cron_job.key, "Warning", "TooManyMissedTimes", message))
    replaced = active if cron_job.spec.concurrency_policy == "Replace" else []
    made = job_of(cron_job, scheduled, created)
    changes: list[Change] = [Delete(job.key, job.uid) for job in replaced]
    if view.find(made.key) is None:
        changes.append(Put(made))
        said.append(Occurrence(cron_job.key, "Normal", "SuccessfulCreate", f"Created job {made.name}"))
    still_active = (*(job for job in active if job not in replaced), made)
    status = msgspec.structs.replace(
        cron_job.status,
        last_schedule_time=scheduled,
        active=tuple(_reference(job) for job in sorted(still_active, key=lambda job: job.name)),
    )
    changes.append(Put(msgspec.structs.replace(cron_job, status=status)))
    return Outcome(changes=tuple(changes), occurrences=tuple(said))


def _counted_from(cron_job: CronJob, jobs: list[Job]) -> datetime:
    """The last scheduled time, as the status or the youngest Job says; the creation when there was none."""
    times = [_scheduled_at(job) for job in jobs]
    if cron_job.status.last_schedule_time is not None:
        times.append(cron_job.status.last_schedule_time)
    return max(times, default=None) or cron_job.metadata.creation_timestamp or EPOCH


def _scheduled_at(job: Job) -> datetime:
    text = job.annotations.get(SCHEDULED_AT, "")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return EPOCH


def job_of(cron_job: CronJob, scheduled: datetime, created: datetime | None) -> Job:
    """The Job of one scheduled time, the same whoever makes it."""
    template = cron_job.spec.job_template
    name = job_name(cron_job, scheduled)
    metadata = ObjectMeta(
        name=name,
        namespace=cron_job.namespace,
        uid=stable_uid(ObjectKey(Job.KIND, cron_job.namespace, name)),
        labels=template.metadata.labels,
        annotations={**template.metadata.annotations, SCHEDULED_AT: scheduled.isoformat()},
        creation_timestamp=created,
        owner_references=(controller_reference(cron_job),),
    )
    return Job(metadata=metadata, spec=template.spec)


def _status(cron_job: CronJob, jobs: list[Job]) -> CronJobStatus:
    """Which Jobs run, and when one last succeeded: also known when that Job is gone already."""
    ends = [job.status.completion_time for job in jobs if is_true(job.status.conditions, COMPLETE)]
    ends.append(cron_job.status.last_successful_time)
    return msgspec.structs.replace(
        cron_job.status,
        active=tuple(_reference(job) for job in jobs if not is_finished(job)),
        last_successful_time=max((end for end in ends if end is not None), default=None),
    )


def _reference(job: Job) -> ObjectReference:
    return ObjectReference(
        api_version=Job.API_VERSION, kind=Job.KIND, namespace=job.namespace, name=job.name, uid=job.uid
    )


def _surplus_history(cron_job: CronJob, jobs: list[Job]) -> tuple[Change, ...]:
    """Finished Jobs beyond what is kept, oldest first."""
    limits = (
        (COMPLETE, cron_job.spec.successful_jobs_history_limit, KEPT_SUCCESSFUL),
        (FAILED, cron_job.spec.failed_jobs_history_limit, KEPT_FAILED),
    )
    surplus: list[Job] = []
    for kind, limit, default in limits:
        finished = [job for job in jobs if is_true(job.status.conditions, kind)]
        finished.sort(key=lambda job: (job.status.start_time or EPOCH, job.name))
        surplus += finished[: max(0, len(finished) - (default if limit is None else limit))]
    return tuple(Delete(job.key, job.uid) for job in surplus)


CONTROLLER = Controller(
    name="cronjob-controller", watches={CronJob.KIND: own_key, Job.KIND: owner_key(CronJob.KIND)}, reconcile=reconcile
)
