"""What each metric of a HorizontalPodAutoscaler asks for, from the measurements in the store. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from objects.autoscaling import (
    ContainerResourceMetricSource,
    ContainerResourceMetricStatus,
    ExternalMetricSource,
    ExternalMetricStatus,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    MetricValueStatus,
    ObjectMetricSource,
    ObjectMetricStatus,
    PodsMetricSource,
    PodsMetricStatus,
    ResourceMetricSource,
    ResourceMetricStatus,
)
from objects.errors import InvalidInput
from objects.pods import Pod
from objects.quantity import canonical, milli_value
from objects.selectors import selector_matches
from policies.autoscaling.calculator import (
    Sample,
    Tolerance,
    group_pods,
    replicas_by_average,
    replicas_by_share,
    replicas_by_total,
    replicas_by_utilization,
    requests_of,
)
from reconciler.measurements import MetricValue, PodMetrics
from reconciler.pod_values import scrapes_of
from reconciler.store import View

GOOD_FOR = timedelta(minutes=2)
"""Older measurements say nothing any more: a host that is silent must not look idle or busy for ever."""

_EPOCH = datetime.fromtimestamp(0, UTC)


class Load(msgspec.Struct, frozen=True):
    """What an autoscaler looks at. current: replicas asked for now; pods: those of its target."""

    view: View
    namespace: str
    pods: tuple[Pod, ...]
    current: int
    tolerance: Tolerance
    now: datetime

    def samples(self, value_of: Callable[[PodMetrics], int | None]) -> dict[str, Sample]:
        """The measurements of the pods that are not too old; pod name -> sample."""
        found: dict[str, Sample] = {}
        for pod in self.pods:
            metrics = self.view.get(PodMetrics, self.namespace, pod.name)
            if metrics is None or metrics.timestamp is None or metrics.timestamp < self.now - GOOD_FOR:
                continue
            millis = value_of(metrics)
            if millis is not None:
                found[pod.name] = Sample(millis, metrics.timestamp, timedelta(seconds=metrics.window_seconds))
        return found

    def why_untold(self, name: str) -> str:
        """Why no pod tells a metric of its own: the first reason that is known, '' when they only are not asked yet."""
        has_endpoint = False
        for pod in self.pods:
            try:
                has_endpoint = has_endpoint or any(scrapes_of(self.view, pod, (name,)))
            except InvalidInput as error:
                return error.message
            metrics = self.view.get(PodMetrics, self.namespace, pod.name)
            if metrics is not None and metrics.problem:
                return f"pod {pod.name}: {metrics.problem}"
        is_running = any(pod.status.phase == "Running" for pod in self.pods)
        return "they declare no endpoint for metrics" if is_running and not has_endpoint else ""


class Wish(msgspec.Struct, frozen=True):
    """What one metric asks for, what was measured, and the metric in words."""

    replicas: int
    status: MetricStatus
    name: str


def wish_of(spec: MetricSpec, load: Load) -> Wish:
    """Raises InvalidInput when the metric cannot be had: its message goes into the autoscaler's status."""
    if spec.resource is not None:
        return _of_resource(spec.resource, load)
    if spec.container_resource is not None:
        return _of_container(spec.container_resource, load)
    if spec.pods is not None:
        return _of_pods(spec.pods, load)
    if spec.object is not None:
        return _of_object(spec.object, load)
    if spec.external is not None:
        return _of_external(spec.external, load)
    raise InvalidInput(f"metric of unknown type '{spec.type}'")


def _of_resource(source: ResourceMetricSource, load: Load) -> Wish:
    replicas, current = _by_usage(source.name, "", source.target, load)
    status = MetricStatus(type="Resource", resource=ResourceMetricStatus(name=source.name, current=current))
    kind = "utilization (percentage of request)" if source.target.type == "Utilization" else "usage"
    return Wish(replicas, status, f"{source.name} resource {kind}")


def _of_container(source: ContainerResourceMetricSource, load: Load) -> Wish:
    replicas, current = _by_usage(source.name, source.container, source.target, load)
    measured = ContainerResourceMetricStatus(name=source.name, container=source.container, current=current)
    status = MetricStatus(type="ContainerResource", container_resource=measured)
    return Wish(replicas, status, f"{source.name} container resource of {source.container}")


def _by_usage(resource: str, container: str, target: MetricTarget, load: Load) -> tuple[int, MetricValueStatus]:
    samples = load.samples(lambda metrics: _usage(metrics, resource, container))
    groups = group_pods(load.pods, samples, is_cpu=resource == "cpu", now=load.now)
    if target.average_utilization is not None:
        requests = requests_of(load.pods, resource, container=container)
        found = replicas_by_utilization(
            load.current,
            groups,
            samples,
            requests,
            target_percent=target.average_utilization,
            tolerance=load.tolerance,
        )
        return found.replicas, MetricValueStatus(average_utilization=found.measured)
    found = replicas_by_average(load.current, groups, samples, target_millis=_average(target), tolerance=load.tolerance)
    return found.replicas, MetricValueStatus(average_value=_text(found.measured))


def _usage(metrics: PodMetrics, resource: str, container: str) -> int | None:
    amounts = [
        usage[resource] for name, usage in metrics.containers.items() if resource in usage and container in ("", name)
    ]
    return sum(milli_value(amount) for amount in amounts) if amounts else None


def _of_pods(source: PodsMetricSource, load: Load) -> Wish:
    name = source.metric.name
    samples = load.samples(lambda metrics: milli_value(metrics.values[name]) if name in metrics.values else None)
    if not samples:
        why = load.why_untold(name)
        raise InvalidInput(f"no pod tells its metric {name}" + (f": {why}" if why else ""))
    groups = group_pods(load.pods, samples, is_cpu=False, now=load.now)
    found = replicas_by_average(
        load.current, groups, samples, target_millis=_average(source.target), tolerance=load.tolerance
    )
    measured = PodsMetricStatus(metric=source.metric, current=MetricValueStatus(average_value=_text(found.measured)))
    return Wish(found.replicas, MetricStatus(type="Pods", pods=measured), f"pods metric {name}")


def _of_object(source: ObjectMetricSource, load: Load) -> Wish:
    described = source.described_object
    value = sum(
        milli_value(found.value)
        for found in _values(load, source.metric.name)
        if (found.described_kind, found.described_name) == (described.kind, described.name)
    )
    if not any(found.described_name == described.name for found in _values(load, source.metric.name)):
        raise InvalidInput(f"no value of {source.metric.name} for {described.kind} {described.name}")
    replicas, current = _by_one_value(value, source.target, load)
    measured = ObjectMetricStatus(metric=source.metric, described_object=described, current=current)
    return Wish(replicas, MetricStatus(type="Object", object=measured), f"{described.kind} metric {source.metric.name}")


def _of_external(source: ExternalMetricSource, load: Load) -> Wish:
    selector = source.metric.selector
    found = [
        value
        for value in _values(load, source.metric.name)
        if not value.described_kind and (selector is None or selector_matches(selector, value.labels))
    ]
    if not found:
        raise InvalidInput(f"no value of external metric {source.metric.name}")
    replicas, current = _by_one_value(sum(milli_value(one.value) for one in found), source.target, load)
    measured = ExternalMetricStatus(metric=source.metric, current=current)
    return Wish(replicas, MetricStatus(type="External", external=measured), f"external metric {source.metric.name}")


def _values(load: Load, metric: str) -> list[MetricValue]:
    oldest = load.now - GOOD_FOR
    values = load.view.all_of(MetricValue, load.namespace)
    return [one for one in values if one.metric == metric and (one.timestamp or _EPOCH) >= oldest]


def _by_one_value(millis: int, target: MetricTarget, load: Load) -> tuple[int, MetricValueStatus]:
    if target.average_value is not None:
        share = replicas_by_share(
            load.current, value_millis=millis, target_millis=_average(target), tolerance=load.tolerance
        )
        return share, MetricValueStatus(average_value=_text(-(-millis // max(1, load.current))))
    if target.value is None or milli_value(target.value) <= 0:
        raise InvalidInput("its target holds neither a value nor an average value above 0")
    ready = sum(pod.is_ready for pod in load.pods)
    total = replicas_by_total(
        load.current,
        ready,
        value_millis=millis,
        target_millis=milli_value(target.value),
        tolerance=load.tolerance,
    )
    return total, MetricValueStatus(value=_text(millis))


def _average(target: MetricTarget) -> int:
    if target.average_value is None or milli_value(target.average_value) <= 0:
        raise InvalidInput("its target holds no average value above 0")
    return milli_value(target.average_value)


def _text(millis: int) -> str:
    return canonical(f"{millis}m")
