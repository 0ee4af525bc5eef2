"""Rows of what makes pods: Deployment, ReplicaSet, DaemonSet, StatefulSet, Job, CronJob, HorizontalPodAutoscaler."""

from __future__ import annotations

from typing import Final

from objects.api.apps import (
    ControllerRevision,
    DaemonSet,
    Deployment,
    ReplicaSet,
    ReplicationController,
    StatefulSet,
)
from objects.api.autoscaling import (
    HorizontalPodAutoscaler,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
)
from objects.api.batch import CronJob, Job
from objects.api.meta import LabelSelector, controller_of
from objects.api.pods import PodTemplateSpec
from objects.conditions import is_true
from objects.selectors import format_selector
from reconciler.cli.printing.durations import age, human_duration
from reconciler.cli.printing.table import NONE, Surroundings, TablePrinter, columns, joined, labels_text


def _wanted(replicas: int | None) -> int:
    return 1 if replicas is None else replicas


def _template(template: PodTemplateSpec) -> tuple[str, str]:
    """CONTAINERS and IMAGES."""
    containers = template.spec.containers
    return joined(item.name for item in containers), joined(item.image for item in containers)


def selector_text(selector: LabelSelector | None) -> str:
    return NONE if selector is None else format_selector(selector) or NONE


def _deployment(item: Deployment, around: Surroundings) -> tuple[str, ...]:
    status = item.status
    return (
        item.name,
        f"{status.ready_replicas}/{_wanted(item.spec.replicas)}",
        str(status.updated_replicas),
        str(status.available_replicas),
        age(item.metadata.creation_timestamp, around.now),
        *_template(item.spec.template),
        selector_text(item.spec.selector),
        str(_wanted(item.spec.replicas)),
        str(status.replicas),
    )


def _replica_set(item: ReplicaSet, around: Surroundings) -> tuple[str, ...]:
    return (
        item.name,
        str(_wanted(item.spec.replicas)),
        str(item.status.replicas),
        str(item.status.ready_replicas),
        age(item.metadata.creation_timestamp, around.now),
        *_template(item.spec.template),
        selector_text(item.spec.selector),
    )


def _replication_controller(item: ReplicationController, around: Surroundings) -> tuple[str, ...]:
    return (
        item.name,
        str(_wanted(item.spec.replicas)),
        str(item.status.replicas),
        str(item.status.ready_replicas),
        age(item.metadata.creation_timestamp, around.now),
        *_template(item.spec.template),
        labels_text(item.spec.selector),
    )


def _daemon_set(item: DaemonSet, around: Surroundings) -> tuple[str, ...]:
    status = item.status
    return (
        item.name,
        str(status.desired_number_scheduled),
        str(status.current_number_scheduled),
        str(status.number_ready),
        str(status.updated_number_scheduled),
        str(status.number_available),
        labels_text(item.spec.template.spec.node_selector),
        age(item.metadata.creation_timestamp, around.now),
        *_template(item.spec.template),
        selector_text(item.spec.selector),
    )


def _stateful_set(item: StatefulSet, around: Surroundings) -> tuple[str, ...]:
    return (
        item.name,
        f"{item.status.ready_replicas}/{_wanted(item.spec.replicas)}",
        age(item.metadata.creation_timestamp, around.now),
        *_template(item.spec.template),
    )


def _revision(item: ControllerRevision, around: Surroundings) -> tuple[str, ...]:
    owner = controller_of(item)
    named = NONE if owner is None else f"{owner.kind.lower()}.{owner.api_version.partition('/')[0]}/{owner.name}"
    return item.name, named, str(item.revision), age(item.metadata.creation_timestamp, around.now)


def _job(item: Job, around: Surroundings) -> tuple[str, ...]:
    return (
        item.name,
        _job_status(item),
        _completions(item),
        _job_duration(item, around),
        age(item.metadata.creation_timestamp, around.now),
        *_template(item.spec.template),
        selector_text(item.spec.selector),
    )


def _job_status(item: Job) -> str:
    for condition, word in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if is_true(item.status.conditions, condition):
            return word
    if item.is_terminating:
        return "Terminating"
    for condition, word in (("FailureTarget", "FailureTarget"), ("SuccessCriteriaMet", "SuccessCriteriaMet")):
        if is_true(item.status.conditions, condition):
            return word
    return "Running"


def _completions(item: Job) -> str:
    if item.spec.completions is not None:
        return f"{item.status.succeeded}/{item.spec.completions}"
    parallelism = item.spec.parallelism or 0
    return f"{item.status.succeeded}/1 of {parallelism}" if parallelism > 1 else f"{item.status.succeeded}/1"


def _job_duration(item: Job, around: Surroundings) -> str:
    start = item.status.start_time
    if start is None:
        return ""
    return human_duration(((item.status.completion_time or around.now) - start).total_seconds())


def _cron_job(item: CronJob, around: Surroundings) -> tuple[str, ...]:
    last = item.status.last_schedule_time
    template = item.spec.job_template.spec
    return (
        item.name,
        item.spec.schedule,
        item.spec.time_zone or NONE,
        str(bool(item.spec.suspend)),
        str(len(item.status.active)),
        NONE if last is None else age(last, around.now),
        age(item.metadata.creation_timestamp, around.now),
        *_template(template.template),
        selector_text(template.selector),
    )


# --- autoscaler ----------------------------------------------------------------------------------------------------


def _autoscaler(item: HorizontalPodAutoscaler, around: Surroundings) -> tuple[str, ...]:
    target = item.spec.scale_target_ref
    return (
        item.name,
        f"{target.kind}/{target.name}",
        _targets(item),
        str(_wanted(item.spec.min_replicas)),
        str(item.spec.max_replicas),
        str(item.status.current_replicas),
        age(item.metadata.creation_timestamp, around.now),
    )


def _targets(item: HorizontalPodAutoscaler) -> str:
    """`cpu: 305%/50%`; two at most, then `+ 1 more...`."""
    texts = []
    for index, metric in enumerate(item.spec.metrics):
        known = item.status.current_metrics
        texts.append(_target(metric, known[index] if index < len(known) else None))
    more = f" + {len(texts) - 2} more..." if len(texts) > 2 else ""
    return joined(texts[:2], separator=", ") + more


def _target(metric: MetricSpec, status: MetricStatus | None) -> str:
    resource = metric.resource or metric.container_resource
    if resource is not None:
        found = None if status is None else status.resource or status.container_resource
        return f"{resource.name}: {_amount(found.current if found else None, resource.target)}"
    if metric.pods is not None:
        found_pods = status.pods if status else None
        return _amount(found_pods.current if found_pods else None, metric.pods.target)
    if metric.object is not None:
        found_object = status.object if status else None
        return _amount(found_object.current if found_object else None, metric.object.target)
    if metric.external is not None:
        found_external = status.external if status else None
        return _amount(found_external.current if found_external else None, metric.external.target)
    return "<unknown type>"


def _amount(current: MetricValueStatus | None, target: MetricTarget) -> str:
    if target.average_utilization is not None:
        percent = current.average_utilization if current else None
        return f"{'<unknown>' if percent is None else f'{percent}%'}/{target.average_utilization}%"
    if target.average_value is not None:
        return f"{_or_unknown(current.average_value if current else None)}/{target.average_value} (avg)"
    return f"{_or_unknown(current.value if current else None)}/{target.value}"


def _or_unknown(value: object) -> str:
    return "<unknown>" if value is None else str(value)


_TEMPLATE: Final = "CONTAINERS|IMAGES|SELECTOR"
WORKLOAD_PRINTERS: Final = {
    Deployment.KIND: TablePrinter(
        columns("NAME|READY|UP-TO-DATE|AVAILABLE|AGE", wide=f"{_TEMPLATE}|DESIRED|CURRENT"), _deployment
    ),
    ReplicaSet.KIND: TablePrinter(columns("NAME|DESIRED|CURRENT|READY|AGE", wide=_TEMPLATE), _replica_set),
    ReplicationController.KIND: TablePrinter(
        columns("NAME|DESIRED|CURRENT|READY|AGE", wide=_TEMPLATE), _replication_controller
    ),
    DaemonSet.KIND: TablePrinter(
        columns("NAME|DESIRED|CURRENT|READY|UP-TO-DATE|AVAILABLE|NODE SELECTOR|AGE", wide=_TEMPLATE), _daemon_set
    ),
    StatefulSet.KIND: TablePrinter(columns("NAME|READY|AGE", wide="CONTAINERS|IMAGES"), _stateful_set),
    ControllerRevision.KIND: TablePrinter(columns("NAME|CONTROLLER|REVISION|AGE"), _revision),
    Job.KIND: TablePrinter(columns("NAME|STATUS|COMPLETIONS|DURATION|AGE", wide=_TEMPLATE), _job),
    CronJob.KIND: TablePrinter(
        columns("NAME|SCHEDULE|TIMEZONE|SUSPEND|ACTIVE|LAST SCHEDULE|AGE", wide=_TEMPLATE), _cron_job
    ),
    HorizontalPodAutoscaler.KIND: TablePrinter(
        columns("NAME|REFERENCE|TARGETS|MINPODS|MAXPODS|REPLICAS|AGE"), _autoscaler
    ),
}
