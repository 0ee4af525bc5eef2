"""Tables of the CronJob and TTL controllers: when a Job is due, forbidden, replaced; when a finished one expires."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from objects.api.batch import (
    CronJob,
    CronJobSpec,
    CronJobStatus,
    Job,
    JobSpec,
    JobStatus,
    JobTemplateSpec,
)
from objects.api.meta import Condition, ObjectMeta, controller_reference
from objects.errors import InvalidInput
from objects.values.schedule import parse_schedule
from reconciler.controllers import cronjob, ttl
from reconciler.controllers.base import Context, Delete, Outcome, Put
from reconciler.state.store import Store
from tests.kubernetes.loading import load, load_all
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "controller_cronjob/cronjob_controllerv2__TestControllerV2GetJobsToBeReconciled": "the store's index by owner",
    "controller_cronjob/cronjob_controllerv2__TestControllerV2UpdateCronJob": "delays of a Go work queue",
    "controller_cronjob/utils__TestByJobStartTime": "the order of Go's sort.Interface; ours is in the history's test",
}

PRIOR_HOUR, HOUR = datetime(2016, 5, 19, 9, tzinfo=UTC), datetime(2016, 5, 19, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NO_DEADLINE = -12345
SLACK = timedelta(milliseconds=100)
"""What Kubernetes adds to the time of its next look."""


def go_time(value: Any) -> datetime | None:
    """A Go `time.Time` of the data: seconds since the year 1; None for its zero."""
    return datetime.fromtimestamp(value["ext"] - 62_135_596_800, UTC) if value and value["ext"] else None


# --- schedules ----------------------------------------------------------------------------------------------------


@table(
    "controller_cronjob/utils__TestMostRecentScheduleTime",
    leave_out={"another complex schedule": "Kubernetes' estimate misses the runs; ours finds the last one"},
)
def test_most_recent(case: Case) -> None:
    subject, now = load(CronJob, case["cj"]), go_time(case["now"])
    assert now is not None
    after = subject.status.last_schedule_time or subject.metadata.creation_timestamp
    assert after is not None
    if case["wantErr"]:
        with pytest.raises(InvalidInput):
            parse_schedule(subject.spec.schedule, subject.spec.time_zone)
        return
    schedule = parse_schedule(subject.spec.schedule, subject.spec.time_zone)
    assert schedule.last_at(now, after=after) == go_time(case.get("expectedRecentTime"))
    assert schedule.has_missed_many(now, after=after) == (case["expectedTooManyMissed"] == 2)


@table("controller_cronjob/utils__TestNextScheduleTimeDuration")
def test_next(case: Case) -> None:
    subject, now = load(CronJob, case["cj"]), go_time(case["now"])
    assert now is not None
    schedule = parse_schedule(subject.spec.schedule, subject.spec.time_zone)
    wait = schedule.next_at(now, after=now) - now
    assert wait + SLACK == timedelta(microseconds=case["expectedDuration"] // 1000)


# --- the controller -----------------------------------------------------------------------------------------------


def sync(cron_job: CronJob, jobs: list[Job], now: datetime) -> Outcome:
    store = Store()
    store.put(cron_job)
    for job in jobs:
        store.put(job)
    return cronjob.reconcile(store, cron_job.key, Context(now=now, random=random.Random(0)))


def _not_ours(case: Case) -> str:
    if case.get("jobCreateError", {}).get("$error") or case.get("jobGetErr", {}).get("$error"):
        return "errors of an API server"
    if case["jobStillNotFoundInLister"] or not case["jobPresentInCJActiveStatus"]:
        return "caches that lag behind: the store never does"
    if go_time(case["now"]) is None:
        return "the case has no time; last successful time: tests/unit/controllers"
    if case["expectErr"] or "bad timezone" in str(case.get("timeZone")):
        return "namespaces do not terminate; a bad zone is refused with the commit"
    if case["schedule"].startswith("@every") and case["ranPreviously"] and go_time(case["lastScheduleTime"]) is None:
        return "the case's last time is not in the data"
    return ""


@table("controller_cronjob/cronjob_controllerv2__TestControllerV2SyncCronJob", leave_out=_not_ours)
def test_sync(case: Case) -> None:
    now = go_time(case["now"])
    assert now is not None
    cron_job, jobs = _situation(case)
    outcome = sync(cron_job, jobs, now)
    made = [change.obj for change in outcome.changes if isinstance(change, Put) and isinstance(change.obj, Job)]
    written = next(c.obj for c in outcome.changes if isinstance(c, Put) and isinstance(c.obj, CronJob))
    running = {job.key for job in jobs if not job.status.conditions}
    deleted = {change.key for change in outcome.changes if isinstance(change, Delete)} & running
    assert isinstance(written, CronJob)
    assert (bool(made), bool(deleted), len(written.status.active)) == (
        case["expectCreate"],
        case["expectDelete"],
        case["expectActive"],
    )
    if case["expectRequeueAfter"]:
        assert outcome.again_at is not None
        wait = outcome.again_at - now
        expected = timedelta(microseconds=case["expectedRequeueDuration"] // 1000)
        assert abs(wait - expected) <= SLACK


def _situation(case: Case) -> tuple[CronJob, list[Job]]:
    """What the Go test builds around a case: created before the (prior) hour, last run after the prior one."""
    ran = case["ranPreviously"]
    created = go_time(case["cronjobCreationTime"]) or ((PRIOR_HOUR if ran else HOUR) - MINUTE)
    last = (go_time(case.get("lastScheduleTime")) or PRIOR_HOUR + MINUTE) if ran else None
    deadline = case.get("deadline", NO_DEADLINE)
    spec = CronJobSpec(
        schedule=case["schedule"],
        job_template=JobTemplateSpec(spec=JobSpec(completions=1)),
        time_zone=case.get("timeZone"),
        concurrency_policy=case["concurrencyPolicy"],
        starting_deadline_seconds=None if deadline == NO_DEADLINE else deadline,
        suspend=case["suspend"],
    )
    metadata = ObjectMeta(name="tick", namespace="default", uid="1", creation_timestamp=created)
    cron_job = CronJob(metadata=metadata, spec=spec, status=CronJobStatus(last_schedule_time=last))
    if not ran:
        return cron_job, []
    start = go_time(case["jobCreationTime"])
    job = Job(
        metadata=ObjectMeta(
            name="tick-earlier",
            namespace="default",
            uid="2",
            creation_timestamp=start,
            owner_references=(controller_reference(cron_job),),
        ),
        status=JobStatus(start_time=start),
    )
    if not case["stillActive"]:
        done = JobStatus(conditions=(Condition(type="Complete", status="True"),), completion_time=start)
        job = msgspec.structs.replace(job, status=done)
    return cron_job, [job]


@table("controller_cronjob/cronjob_controllerv2__TestControllerV2CleanupFinishedJobs")
def test_history(case: Case) -> None:
    now = go_time(case["now"])
    assert now is not None
    cron_job = load(CronJob, case["cronJob"])
    cron_job = msgspec.structs.replace(cron_job, metadata=msgspec.structs.replace(cron_job.metadata, uid="1"))
    jobs = [
        msgspec.structs.replace(
            job,
            metadata=msgspec.structs.replace(
                job.metadata, uid=job.name, namespace="foo-ns", owner_references=(controller_reference(cron_job),)
            ),
            # The Go test marks them finished in code.
            status=msgspec.structs.replace(job.status, conditions=(Condition(type="Complete", status="True"),)),
        )
        for job in load_all(Job, case["finishedJobs"])
    ]
    deleted = [change.key.name for change in sync(cron_job, jobs, now).changes if isinstance(change, Delete)]
    assert sorted(deleted) == sorted(case["expectedDeletedJobs"] or [])


@table("controller_cronjob/utils__TestGetJobFromTemplate2")
def test_job_from_template(case: Case) -> None:
    template = JobTemplateSpec(metadata=ObjectMeta(annotations=case["inputAnnotations"]))
    spec = CronJobSpec(schedule="0 * * * *", job_template=template, time_zone=case.get("timeZone"))
    metadata = ObjectMeta(name="tick", namespace="default", uid="1", creation_timestamp=HOUR - MINUTE)
    outcome = sync(CronJob(metadata=metadata, spec=spec), [], HOUR + MINUTE)
    made = next(change.obj for change in outcome.changes if isinstance(change, Put) and isinstance(change.obj, Job))
    assert len(made.annotations) == case["expectedNumberOfAnnotations"]
    assert datetime.fromisoformat(made.annotations[cronjob.SCHEDULED_AT]) == HOUR


# --- TTL ----------------------------------------------------------------------------------------------------------


@table("controller_ttlafterfinished/ttlafterfinished_controller__TestTimeLeft")
def test_expiry(case: Case) -> None:
    text = case["completionTime"] or case["failedTime"]
    end = datetime.fromisoformat(text)
    kind = "Complete" if case["completionTime"] else "Failed"
    status = JobStatus(conditions=(Condition(type=kind, status="True", last_transition_time=end),))
    job = Job(spec=JobSpec(ttl_seconds_after_finished=case.get("ttl")), status=status)
    expires = ttl.expires_at(job)
    if case["expectErr"]:
        assert expires is None
        return
    # `since` is a moment of the Go test's run; the case's name says how long before it the Job ended.
    since = end + (timedelta(seconds=10) if "10s ago" in case["name"] else timedelta())
    assert expires is not None
    assert expires - since == timedelta(microseconds=case["expectedTimeLeft"] // 1000)
