"""Tables of the Job controller: indexes, back-off, policies, and what one look at a Job does."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from objects.api.batch import (
    Job,
    JobSpec,
    JobStatus,
    PodFailurePolicy,
    SuccessPolicy,
)
from objects.api.meta import Condition, ObjectMeta, controller_reference
from objects.api.pods import (
    Container,
    ContainerStatus,
    Pod,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
)
from objects.conditions import find_condition, with_condition
from reconciler.controllers import job as controller
from reconciler.controllers.base import Context, Delete, Put
from reconciler.controllers.jobs.accounting import account
from reconciler.controllers.jobs.backoff import delay_after, finished_at
from reconciler.controllers.jobs.indexes import INDEX_KEY, first_free_indexes, format_indexes, parse_indexes
from reconciler.controllers.jobs.policies import COUNT, FAIL_JOB, IGNORE, judge_failed_pod, met_success_rule
from reconciler.state.store import Store
from tests.kubernetes.loading import load, load_all
from tests.kubernetes.tables import Case, table

_TRACKING = "pods are tracked by finalizers there; here finished pods stay, and counts are read off them"
_GANG = "gang scheduling (alpha) is not in scope"
_CACHES = "caches, queues and expectations of the Go controller"
LEFT_OUT = {
    "controller_job/backoff_utils__TestGetRemainingBackoffTimePerIndex": "counts come from an annotation of a pod",
    "controller_job/backoff_utils__TestNewBackoffRecord": "there is no record: failures are read off the pods",
    "controller_job/indexed_job_utils__TestGetIndexFailureCount": _TRACKING,
    "controller_job/indexed_job_utils__TestGetNewIndexFailureCountValue": _TRACKING,
    "controller_job/indexed_job_utils__TestGetPodsWithDelayedDeletionPerIndex": _TRACKING,
    "controller_job/job_controller__TestGetNewFinshedPods": _TRACKING,
    "controller_job/job_controller__TestGetPodCreationInfoForIndependentIndexes": _TRACKING,
    "controller_job/job_controller__TestGetPodsForJob": "pods of a Job are found by owner, none is adopted",
    "controller_job/job_controller__TestJobPodLookup": "pods of a Job are found by owner",
    "controller_job/job_controller__TestPastDeadlineJobFinished": _CACHES,
    "controller_job/job_controller__TestSyncJobPodSchedulingGroup": _GANG,
    "controller_job/job_controller__TestSyncJobUpdateRequeue": _CACHES,
    "controller_job/job_controller__TestSyncOrphanPod": _TRACKING,
    "controller_job/job_controller__TestTrackJobStatusAndRemoveFinalizers": _TRACKING,
    "controller_job/job_controller__TestUpdateJobRequeue": _CACHES,
    "controller_job/job_controller__TestWatchOrphanPods": _TRACKING,
    "controller_job/job_scheduling_manager__TestBuildPodGroupTemplates": _GANG,
    "controller_job/job_scheduling_manager__TestComputePodGroupName": _GANG,
    "controller_job/job_scheduling_manager__TestComputeWorkloadName": _GANG,
    "controller_job/job_scheduling_manager__TestEnsureWorkloadAndPodGroup": _GANG,
    "controller_job/job_scheduling_manager__TestShouldManageWorkloadForJob": _GANG,
    "controller_job/tracking_utils__TestRecordFinishedPodWithTrackingFinalizer": _TRACKING,
    "controller_job/tracking_utils__TestRecordJobPodFailurePolicyActions": "metrics of the Go controller",
    "controller_job/tracking_utils__TestUIDTrackingExpectations": _TRACKING,
}

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def go_time(value: Any) -> datetime | None:
    return datetime.fromtimestamp(value["ext"] - 62_135_596_800, UTC) if value and value["ext"] else None


def indexed_pod(index: str, phase: str, name: str = "pod") -> Pod:
    """A pod of the tables that say only an index ("-" for none) and a phase."""
    marks = {} if index in ("-", "noIndex") else {INDEX_KEY: index}
    return Pod(metadata=ObjectMeta(name=name, annotations=marks, labels=marks), status=PodStatus(phase=phase))


def indexes_of(intervals: Any) -> set[int]:
    return {index for one in intervals or () for index in range(one["First"], one["Last"] + 1)}


# --- back-off -----------------------------------------------------------------------------------------------------


@table("controller_job/backoff_utils__TestGetFinishedTime")
def test_finished_at(case: Case) -> None:
    assert finished_at(load(Pod, case["pod"])) == go_time(case["wantFinishTime"])


@table("controller_job/backoff_utils__TestGetRemainingBackoffTime")
def test_remaining_backoff(case: Case) -> None:
    record = case["backoffRecord"]
    first, longest = (timedelta(microseconds=case[key] // 1000) for key in ("defaultBackoff", "maxBackoff"))
    delay = delay_after(record["failuresAfterLastSuccess"], first=first, longest=longest)
    last, now = go_time(record.get("lastFailureTime")), go_time(case["currentTime"])
    left = timedelta() if last is None or now is None else max(timedelta(), last + delay - now)
    assert left == timedelta(microseconds=case.get("wantDuration", 0) // 1000)


# --- indexes ------------------------------------------------------------------------------------------------------


@table("controller_job/indexed_job_utils__TestCalculateSucceededIndexes")
def test_succeeded_indexes(case: Case) -> None:
    job = indexed_job(completions=case["completions"], completed=case.get("prevSucceeded") or "")
    pods = [indexed_pod(pod["Index"], pod["Phase"], str(i)) for i, pod in enumerate(case.get("pods") or ())]
    assert account(job, pods).succeeded_indexes == indexes_of(case["wantIntervals"])


@table(
    "controller_job/indexed_job_utils__TestCalculateFailedIndexes",
    leave_out=lambda case: _TRACKING if "finalizer" in case["name"] else "",
)
def test_failed_indexes(case: Case) -> None:
    job = _as_indexed(load(Job, case["job"]))
    pods = [pod for pod in load_all(Pod, case["pods"]) for _ in range(1 + _earlier_failures(pod))]
    assert account(job, pods).failed_indexes == indexes_of(case.get("wantFailedIndexes"))


@table("controller_job/indexed_job_utils__TestIsIndexFailed")
def test_index_failed(case: Case) -> None:
    job, pod = _as_indexed(load(Job, case["job"])), load(Pod, case["pod"])
    assert bool(account(job, [pod] * (1 + _earlier_failures(pod))).failed_indexes) == case["wantResult"]


def _earlier_failures(pod: Pod) -> int:
    """Failures of the same index before this pod: an annotation there, pods here."""
    return int(pod.annotations.get("batch.kubernetes.io/job-index-failure-count", "0"))


@table("controller_job/indexed_job_utils__TestFirstPendingIndexes")
def test_free_indexes(case: Case) -> None:
    active = {int(pod["Index"]) for pod in case.get("activePods") or () if pod["Index"].isdigit()}
    taken = active | indexes_of(case.get("succeededIndexes")) | indexes_of(case.get("failedIndexes"))
    assert first_free_indexes(case["cnt"], completions=case["completions"], taken=taken) == case["want"]


@table("controller_job/indexed_job_utils__TestIntervalsHaveIndex")
def test_has_index(case: Case) -> None:
    text = format_indexes(indexes_of(case.get("intervals")))
    assert (case["index"] in parse_indexes(text, below=1000)) == case["wantHas"]


@table("controller_job/indexed_job_utils__TestAppendDuplicatedIndexPodsForRemoval")
def test_pods_without_a_place_of_their_own_go(case: Case) -> None:
    job = indexed_job(completions=case["completions"], parallelism=len(case["pods"]))
    pods = [indexed_pod(pod["Index"], pod["Phase"], str(i)) for i, pod in enumerate(case["pods"])]
    gone = {pod.name for pod in _sync(job, pods).deleted}
    left = [pod.annotations[INDEX_KEY] for pod in pods if pod.name not in gone]
    assert sorted(left) == sorted(pod["Index"] for pod in case["wantLeft"])
    assert len(gone) == len(case["wantRm"])


@table("controller_job/indexed_job_utils__TestPodGenerateNameWithIndex")
def test_name_with_index(case: Case) -> None:
    job = indexed_job(completions=2, parallelism=2)
    job = msgspec.structs.replace(job, metadata=msgspec.structs.replace(job.metadata, name=case["jobname"]))
    made = _sync(job, []).made[case["index"]]
    # Ours has the same shape; a long name is cut two characters earlier.
    assert made.name[:-5].endswith(f"-{case['index']}-")
    assert case["wantPodGenerateName"].startswith(made.name[:-5].removesuffix(f"-{case['index']}-"))


# --- policies -----------------------------------------------------------------------------------------------------


@table("controller_job/pod_failure_policy__TestMatchPodFailurePolicy")
def test_pod_failure_policy(case: Case) -> None:
    policy = load(PodFailurePolicy, case["podFailurePolicy"]) if case.get("podFailurePolicy") else None
    found = judge_failed_pod(policy, load(Pod, case["failedPod"]))
    assert (found.action != IGNORE) == case["wantCountFailed"]
    assert found.action == (case.get("wantAction") or COUNT)
    assert (found.action == FAIL_JOB) == bool(case.get("wantJobFailureMessage"))
    if case.get("wantJobFailureMessage"):
        assert found.message == case["wantJobFailureMessage"]


@table(
    "controller_job/success_policy__TestMatchSuccessPolicy",
    leave_out=lambda case: "" if case["enableJobSuccessPolicy"] else "Berth has no feature gates",
)
def test_success_policy(case: Case) -> None:
    policy = load(SuccessPolicy, case["successPolicy"]) if case.get("successPolicy") else None
    found = met_success_rule(policy, indexes_of(case.get("succeededIndexes")))
    assert found == (case.get("wantMessage") or "")


# --- one look at a Job --------------------------------------------------------------------------------------------


class Looked(msgspec.Struct):
    """What one call of the controller did."""

    made: list[Pod]
    deleted: list[Pod]
    job: Job


def indexed_job(*, completions: int, parallelism: int = 1, completed: str = "") -> Job:
    template = PodTemplateSpec(spec=PodSpec(containers=(Container(name="c"),), restart_policy="Never"))
    spec = JobSpec(
        template=template, completions=completions, parallelism=parallelism, completion_mode="Indexed", backoff_limit=6
    )
    metadata = ObjectMeta(name="work", namespace="default", uid="1")
    return Job(metadata=metadata, spec=spec, status=JobStatus(completed_indexes=completed))


def _as_indexed(job: Job) -> Job:
    return msgspec.structs.replace(job, spec=msgspec.structs.replace(job.spec, completion_mode="Indexed"))


def _sync(job: Job, pods: list[Pod], now: datetime = NOW) -> Looked:
    store = Store()
    store.put(job)
    for index, pod in enumerate(pods):
        metadata = msgspec.structs.replace(
            pod.metadata,
            name=pod.name or f"mypod-{index}",
            namespace=job.namespace,
            uid=f"{index}",
            owner_references=(controller_reference(job),),
        )
        store.put(msgspec.structs.replace(pod, metadata=metadata))
    outcome = controller.reconcile(store, job.key, Context(now=now, random=random.Random(0)))
    gone = {change.key for change in outcome.changes if isinstance(change, Delete)}
    put = [change.obj for change in outcome.changes if isinstance(change, Put)]
    return Looked(
        made=[obj for obj in put if isinstance(obj, Pod)],
        deleted=[pod for pod in store.all_of(Pod) if pod.key in gone],
        job=next((obj for obj in put if isinstance(obj, Job)), job),
    )


def _sync_left_out(case: Case) -> str:
    if case.get("fakeExpectationAtCreation") or case.get("podControllerError", {}).get("$error"):
        return _CACHES
    if case["deleting"]:
        return "a Job is removed at once: there is no Job that is being deleted"
    if case.get("podLimit"):
        return "pods are made in one write, which has no limit"
    if (case.get("initialStatus") or {}).get("startTime") or case.get("backoffRecord"):
        return "the case's times are moments of the Go test's run; same behaviour: tests/unit/controllers/test_job.py"
    return ""


@table("controller_job/job_controller__TestControllerSyncJob", leave_out=_sync_left_out)
def test_sync(case: Case) -> None:
    pods = _pods_of(case)
    found = _sync(_job_of(case), pods)
    active = sum(not pod.is_finished and not pod.is_terminating for pod in pods)
    assert (len(found.made), len(found.deleted)) == (case["expectedCreations"], case["expectedDeletions"])
    assert active + len(found.made) - len(found.deleted) == case["expectedActive"]
    assert found.job.status.succeeded == case["expectedSucceeded"]
    assert found.job.status.completed_indexes == (case["expectedCompletedIdxs"] or "")
    _check_conditions(case, found.job)


def _check_conditions(case: Case, job: Job) -> None:
    """Ours write the interim condition first, as the newest Kubernetes does; the reason is the same."""
    interim = {"Failed": "FailureTarget", "Complete": "SuccessCriteriaMet"}
    found = {(one.type, one.status): one for one in job.status.conditions}
    for expected in load_all(Condition, case.get("expectedConditions")):
        one = found.get((expected.type, expected.status)) or found[interim[expected.type], expected.status]
        if expected.reason:
            assert (one.reason, one.message) == (expected.reason, expected.message)
    if not case.get("expectedConditions"):
        assert not [one for one in job.status.conditions if one.status == "True"]


def _job_of(case: Case) -> Job:
    completions = case["completions"]
    job = indexed_job(completions=completions, parallelism=case["parallelism"])
    conditions = tuple(load_all(Condition, (case.get("initialStatus") or {}).get("conditions")))
    if case.get("wasSuspended"):
        conditions = (Condition(type="Suspended", status="True", reason="JobSuspended", message="Job suspended"),)
    spec = msgspec.structs.replace(
        job.spec,
        completions=None if completions == -1 else completions,
        completion_mode=case["completionMode"] or "NonIndexed",
        backoff_limit=case["backoffLimit"],
        suspend=case["suspend"],
        pod_replacement_policy=case.get("podReplacementPolicy"),
        pod_failure_policy=load(PodFailurePolicy, case["podFailurePolicy"])
        if case.get("podFailurePolicy") is not None
        else None,
    )
    return msgspec.structs.replace(job, spec=spec, status=JobStatus(conditions=conditions))


def _pods_of(case: Case) -> list[Pod]:
    pods = [indexed_pod(pod["Index"], pod["Phase"], f"i{n}") for n, pod in enumerate(case.get("podsWithIndexes") or ())]
    for field, phase in (
        ("pendingPods", "Pending"),
        ("activePods", "Running"),
        ("succeededPods", "Succeeded"),
        ("failedPods", "Failed"),
    ):
        pods += [indexed_pod("-", phase, f"{field}{n}") for n in range(case.get(field) or 0)]
    return pods + [_deleted(indexed_pod("-", "Running", f"t{n}"), NOW) for n in range(case.get("terminatingPods") or 0)]


def _deleted(pod: Pod, when: datetime) -> Pod:
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, deletion_timestamp=when))


@table("controller_job/job_controller__TestJobBackoffForOnFailure")
def test_restarts_in_place_count(case: Case) -> None:
    job = indexed_job(completions=case["completions"], parallelism=case["parallelism"])
    template = PodTemplateSpec(spec=PodSpec(containers=(Container(name="c"),), restart_policy="OnFailure"))
    spec = msgspec.structs.replace(
        job.spec,
        template=template,
        completion_mode="NonIndexed",
        backoff_limit=case["backoffLimit"],
        suspend=case["suspend"],
    )
    pods = [
        Pod(
            metadata=ObjectMeta(name=f"p{n}"),
            status=PodStatus(
                phase=case["podPhase"], container_statuses=(ContainerStatus(name="c", restart_count=count),)
            ),
        )
        for n, count in enumerate(case["restartCounts"])
    ]
    found = _sync(msgspec.structs.replace(job, spec=spec), pods)
    active = sum(not pod.is_finished for pod in pods) + len(found.made) - len(found.deleted)
    assert (active, found.job.status.succeeded) == (case["expectedActive"], case["expectedSucceeded"])
    _check_conditions(case, found.job)


@table("controller_job/job_controller__TestJobBackoffOnRestartPolicyNever")
def test_failed_pods_count(case: Case) -> None:
    job = indexed_job(completions=case["completions"], parallelism=case["parallelism"])
    spec = msgspec.structs.replace(job.spec, completion_mode="NonIndexed", backoff_limit=case["backoffLimit"])
    pods = [indexed_pod("-", case["activePodsPhase"], f"a{n}") for n in range(case["activePods"])]
    pods += [indexed_pod("-", "Failed", f"f{n}") for n in range(case["failedPods"])]
    found = _sync(msgspec.structs.replace(job, spec=spec), pods)
    active = case["activePods"] + len(found.made) - len(found.deleted)
    assert (active, found.job.status.succeeded, found.job.status.failed) == (
        case["expectedActive"],
        case["expectedSucceeded"],
        case["expectedFailed"],
    )
    _check_conditions(case, found.job)


def _gates(case: Case) -> str:
    """Feature gates that are off there; here everything is on."""
    off = [name for name in ("enableJobSuccessPolicy", "enableJobBackoffLimitPerIndex") if case.get(name) is False]
    return "Berth has no feature gates" if off else ""


@table("controller_job/job_controller__TestSyncJobWithJobSuccessPolicy", leave_out=_gates)
def test_sync_with_success_policy(case: Case) -> None:
    _check_whole_status(case)


@table("controller_job/job_controller__TestSyncJobWithJobBackoffLimitPerIndex", leave_out=_gates)
def test_sync_with_backoff_limit_per_index(case: Case) -> None:
    _check_whole_status(case)


def _check_whole_status(case: Case) -> None:
    wanted = load(JobStatus, {k: v for k, v in case["wantStatus"].items() if k != "startTime"})
    found = _sync(load(Job, case["job"]), _each_failure(load_all(Pod, case["pods"]))).job.status
    assert (found.completed_indexes, found.failed_indexes or "", found.succeeded) == (
        wanted.completed_indexes,
        wanted.failed_indexes or "",
        wanted.succeeded,
    )
    _check_conditions(
        {"expectedConditions": case["wantStatus"].get("conditions")},
        msgspec.structs.replace(load(Job, case["job"]), status=found),
    )


def _each_failure(pods: list[Pod]) -> list[Pod]:
    """An earlier failure of an index is a number in an annotation there, and a failed pod here."""
    earlier = [pod for pod in pods for _ in range(_earlier_failures(pod))]
    copies = [
        msgspec.structs.replace(
            pod,
            metadata=msgspec.structs.replace(pod.metadata, name=f"earlier{n}", deletion_timestamp=None),
            status=PodStatus(phase="Failed"),
        )
        for n, pod in enumerate(earlier)
    ]
    return [*pods, *copies]


@table("controller_job/job_controller__TestSyncJobWithJobPodFailurePolicy")
def test_sync_with_pod_failure_policy(case: Case) -> None:
    job, pods = load(Job, case["job"]), load_all(Pod, case["pods"])
    if job.spec.completion_mode == "Indexed":  # the Go test gives the indexes in code
        pods = [
            msgspec.structs.replace(
                pod, metadata=msgspec.structs.replace(pod.metadata, annotations={INDEX_KEY: str(n)})
            )
            for n, pod in enumerate(pods)
        ]
    found = _sync(job, pods)
    _check_conditions({"expectedConditions": case.get("wantConditions")}, found.job)
    # Pods that the controller itself ends count as failed there, and not here.
    assert (found.job.status.succeeded, found.job.status.failed + len(found.deleted)) == (
        case["wantStatusSucceeded"],
        case["wantStatusFailed"],
    )


@table("controller_job/job_controller__TestSyncJobPastDeadline")
def test_deadline(case: Case) -> None:
    job = indexed_job(completions=case["completions"], parallelism=case["parallelism"])
    spec = msgspec.structs.replace(
        job.spec,
        completion_mode="NonIndexed",
        backoff_limit=case["backoffLimit"],
        suspend=case["suspend"],
        active_deadline_seconds=case["activeDeadlineSeconds"],
    )
    status = JobStatus(start_time=NOW - timedelta(seconds=case["startTime"]))
    pods = [indexed_pod("-", "Running", f"a{n}") for n in range(case["activePods"])]
    pods += [indexed_pod("-", "Succeeded", f"s{n}") for n in range(case["succeededPods"])]
    pods += [indexed_pod("-", "Failed", f"f{n}") for n in range(case["failedPods"])]
    found = _sync(msgspec.structs.replace(job, spec=spec, status=status), pods)
    assert (len(found.deleted), found.job.status.succeeded) == (case["expectedDeletions"], case["expectedSucceeded"])
    assert case["activePods"] + len(found.made) - len(found.deleted) == case["expectedActive"]
    _check_conditions(case, found.job)


@table(
    "controller_job/job_controller__TestSyncJobWhenManagedBy",
    leave_out=lambda case: "" if case["enableJobManagedBy"] else "Berth has no feature gates",
)
def test_managed_by_another(case: Case) -> None:
    job = load(Job, case["job"])
    found = _sync(job, [])
    is_ours = job.spec.managed_by in (None, "kubernetes.io/job-controller")
    assert bool(found.made) == is_ours


@table("controller_job/job_controller__TestEnsureJobConditions")
def test_conditions(case: Case) -> None:
    before = tuple(load_all(Condition, case["haveList"]))
    wanted = Condition(type=case["wantType"], status=case["wantStatus"], reason=case["wantReason"])
    found = with_condition(before, wanted, now=NOW)
    expected = load_all(Condition, case["expectList"])
    if not expected and case["wantStatus"] == "False":
        # Kubernetes does not add a claim that is false and was never made; our controller does not ask for it.
        assert find_condition(before, case["wantType"]) is None
        return
    assert [(one.type, one.status, one.reason) for one in found] == [
        (one.type, one.status, one.reason) for one in expected
    ]
