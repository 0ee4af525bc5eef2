"""Defaults of ReplicaSets, Deployments, DaemonSets, StatefulSets, Jobs, CronJobs and autoscalers."""

from __future__ import annotations

from objects.api.apps import (
    DaemonSet,
    Deployment,
    ReplicaSet,
    ReplicationController,
    RollingUpdateDaemonSet,
    RollingUpdateDeployment,
    RollingUpdateStatefulSet,
    StatefulSet,
    StatefulSetRetentionPolicy,
)
from objects.api.autoscaling import (
    HorizontalPodAutoscaler,
    HPABehavior,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from objects.api.batch import (
    CronJob,
    Job,
    PodFailurePolicy,
    PodFailurePolicyRule,
)
from objects.defaults.fill import change, each, fill
from objects.defaults.pods import default_template
from objects.defaults.storage import default_claim

_UNLIMITED_RETRIES = 2**31 - 1


def default_replica_set(obj: ReplicaSet) -> ReplicaSet:
    return change(obj, spec=fill(change(obj.spec, template=default_template(obj.spec.template)), replicas=1))


def default_replication_controller(obj: ReplicationController) -> ReplicationController:
    spec = fill(change(obj.spec, template=default_template(obj.spec.template)), replicas=1)
    if not spec.selector:
        spec = change(spec, selector=spec.template.metadata.labels)
    return change(obj, spec=spec)


def default_deployment(obj: Deployment) -> Deployment:
    """A quarter more and a quarter fewer pods during an update, ten revisions, ten minutes to make progress."""
    spec = change(obj.spec, template=default_template(obj.spec.template))
    strategy = fill(spec.strategy, type="RollingUpdate")
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update or RollingUpdateDeployment()
        strategy = change(strategy, rolling_update=fill(rolling, max_unavailable="25%", max_surge="25%"))
    spec = fill(change(spec, strategy=strategy), replicas=1, revision_history_limit=10, progress_deadline_seconds=600)
    return change(obj, spec=spec)


def default_daemon_set(obj: DaemonSet) -> DaemonSet:
    spec = change(obj.spec, template=default_template(obj.spec.template))
    strategy = fill(spec.update_strategy, type="RollingUpdate")
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update or RollingUpdateDaemonSet()
        strategy = change(strategy, rolling_update=fill(rolling, max_unavailable=1, max_surge=0))
    return change(obj, spec=fill(change(spec, update_strategy=strategy), revision_history_limit=10))


def default_stateful_set(obj: StatefulSet) -> StatefulSet:
    spec = change(
        obj.spec,
        template=default_template(obj.spec.template),
        volume_claim_templates=each(obj.spec.volume_claim_templates, default_claim),
    )
    strategy = fill(spec.update_strategy, type="RollingUpdate")
    if strategy.type == "RollingUpdate":
        rolling = strategy.rolling_update or RollingUpdateStatefulSet()
        strategy = change(strategy, rolling_update=fill(rolling, partition=0))
    retention = spec.persistent_volume_claim_retention_policy or StatefulSetRetentionPolicy()
    spec = change(
        spec,
        update_strategy=strategy,
        persistent_volume_claim_retention_policy=fill(retention, when_deleted="Retain", when_scaled="Retain"),
    )
    spec = fill(spec, replicas=1, revision_history_limit=10, pod_management_policy="OrderedReady")
    return change(obj, spec=spec)


def default_job(obj: Job) -> Job:
    """One pod, once, six retries. With retries per index the job as a whole retries without end."""
    spec = change(obj.spec, template=default_template(obj.spec.template))
    if spec.completions is None and spec.parallelism is None:
        spec = change(spec, completions=1)
    failure = spec.pod_failure_policy
    if failure is not None:
        spec = change(spec, pod_failure_policy=_default_failure_policy(failure))
    spec = fill(
        spec,
        parallelism=1,
        backoff_limit=6 if spec.backoff_limit_per_index is None else _UNLIMITED_RETRIES,
        completion_mode="NonIndexed",
        suspend=False,
        manual_selector=False,
        pod_replacement_policy="TerminatingOrFailed" if failure is None else "Failed",
    )
    return change(obj, spec=spec)


def _default_failure_policy(policy: PodFailurePolicy) -> PodFailurePolicy:
    def rule(one: PodFailurePolicyRule) -> PodFailurePolicyRule:
        return change(one, on_pod_conditions=each(one.on_pod_conditions, lambda match: fill(match, status="True")))

    return change(policy, rules=each(policy.rules, rule))


def default_cron_job(obj: CronJob) -> CronJob:
    """The job inside stays as written: it gets its defaults when it is created."""
    job = obj.spec.job_template
    job = change(job, spec=change(job.spec, template=default_template(job.spec.template)))
    spec = fill(
        change(obj.spec, job_template=job),
        concurrency_policy="Allow",
        suspend=False,
        successful_jobs_history_limit=3,
        failed_jobs_history_limit=1,
    )
    return change(obj, spec=spec)


# --- autoscaling --------------------------------------------------------------------------------------------------

_CPU_80 = MetricSpec(
    type="Resource",
    resource=ResourceMetricSource(name="cpu", target=MetricTarget(type="Utilization", average_utilization=80)),
)
_DOUBLE = HPAScalingPolicy(type="Percent", value=100, period_seconds=15)
_FOUR_MORE = HPAScalingPolicy(type="Pods", value=4, period_seconds=15)


def default_autoscaler(obj: HorizontalPodAutoscaler) -> HorizontalPodAutoscaler:
    """80 % CPU when nothing is measured; a behaviour that is set is completed, an absent one means the same."""
    spec = fill(obj.spec, min_replicas=1)
    if not spec.metrics:
        spec = change(spec, metrics=(_CPU_80,))
    if spec.behavior is not None:
        spec = change(spec, behavior=_default_behavior(spec.behavior))
    return change(obj, spec=spec)


def _default_behavior(behavior: HPABehavior) -> HPABehavior:
    up = fill(behavior.scale_up or HPAScalingRules(), stabilization_window_seconds=0, select_policy="Max")
    down = fill(behavior.scale_down or HPAScalingRules(), select_policy="Max")
    return change(
        behavior,
        scale_up=up if up.policies else change(up, policies=(_FOUR_MORE, _DOUBLE)),
        scale_down=down if down.policies else change(down, policies=(_DOUBLE,)),
    )
