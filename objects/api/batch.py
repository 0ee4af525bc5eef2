"""Job and CronJob of batch/v1."""

from __future__ import annotations

from typing import ClassVar

from objects.api.meta import (
    Condition,
    KubeObject,
    KubeStruct,
    LabelSelector,
    ObjectMeta,
    ObjectReference,
    Time,
)
from objects.api.pods import PodTemplateSpec


class PodFailurePolicyOnExitCodes(KubeStruct):
    operator: str
    values: tuple[int, ...] = ()
    container_name: str | None = None


class PodFailurePolicyOnPodCondition(KubeStruct):
    type: str
    status: str = ""


class PodFailurePolicyRule(KubeStruct):
    action: str
    on_exit_codes: PodFailurePolicyOnExitCodes | None = None
    on_pod_conditions: tuple[PodFailurePolicyOnPodCondition, ...] = ()


class PodFailurePolicy(KubeStruct):
    rules: tuple[PodFailurePolicyRule, ...] = ()


class SuccessPolicyRule(KubeStruct):
    succeeded_indexes: str | None = None
    succeeded_count: int | None = None


class SuccessPolicy(KubeStruct):
    rules: tuple[SuccessPolicyRule, ...] = ()


class JobSpec(KubeStruct):
    template: PodTemplateSpec = PodTemplateSpec()
    parallelism: int | None = None
    completions: int | None = None
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None
    backoff_limit_per_index: int | None = None
    max_failed_indexes: int | None = None
    pod_failure_policy: PodFailurePolicy | None = None
    success_policy: SuccessPolicy | None = None
    pod_replacement_policy: str | None = None
    selector: LabelSelector | None = None
    manual_selector: bool | None = None
    ttl_seconds_after_finished: int | None = None
    completion_mode: str | None = None
    suspend: bool | None = None
    managed_by: str | None = None


class UncountedTerminatedPods(KubeStruct):
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class JobStatus(KubeStruct):
    """counted_pods: ours, uids of the finished pods that are still there and are in `succeeded` or `failed`; None where
    that is not known. Kubernetes holds such pods by finalizers until they are counted.
    """

    conditions: tuple[Condition, ...] = ()
    start_time: Time | None = None
    completion_time: Time | None = None
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int | None = None
    ready: int | None = None
    completed_indexes: str = ""
    failed_indexes: str | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None
    counted_pods: tuple[str, ...] | None = None


class Job(KubeObject):
    API_VERSION: ClassVar[str] = "batch/v1"
    KIND: ClassVar[str] = "Job"

    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class JobTemplateSpec(KubeStruct):
    metadata: ObjectMeta = ObjectMeta()
    spec: JobSpec = JobSpec()


class CronJobSpec(KubeStruct):
    """schedule: five cron fields, days of the week from Sunday 0; time_zone: a name of the IANA database, else UTC."""

    schedule: str = ""
    job_template: JobTemplateSpec = JobTemplateSpec()
    time_zone: str | None = None
    starting_deadline_seconds: int | None = None
    concurrency_policy: str = ""
    suspend: bool | None = None
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None


class CronJobStatus(KubeStruct):
    active: tuple[ObjectReference, ...] = ()
    last_schedule_time: Time | None = None
    last_successful_time: Time | None = None


class CronJob(KubeObject):
    API_VERSION: ClassVar[str] = "batch/v1"
    KIND: ClassVar[str] = "CronJob"

    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()
