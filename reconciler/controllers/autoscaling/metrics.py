"""What each metric of a HorizontalPodAutoscaler asks for, from the measurements in the store. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from objects.api.autoscaling import (
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
from objects.api.pods import Pod
from objects.errors import InvalidInput
from objects.own.config import PrometheusSettings
from objects.values.quantity import canonical, milli_value
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
from policies.autoscaling.promql import external_query, object_query
from reconciler.figures.pod_metrics import PodMetrics, find_answer
from reconciler.figures.pod_values import scrapes_of
from reconciler.state.store import View

GOOD_FOR = timedelta(minutes=2)
"""Older measurements say nothing any more: a host that is silent must not look idle or busy for ever."""
NO_SERVER = "no metrics server is configured: spec.metrics.prometheus.url of the Cluster names one"


class Load(msgspec.Struct, frozen=True):
    """What an autoscaler looks at. current: replicas asked for now; pods: those of its target.

    prometheus: how the metrics server is asked.
    """

    view: View
    namespace: str
    pods: tuple[Pod, ...]
    current: int
    tolerance: Tolerance
    now: datetime
    prometheus: PrometheusSettings = PrometheusSettings()

    def samples(self, value_of: Callable[[PodMetrics], int | None]) -> dict[str, Sample]:
        """The measurements of the pods that are not too old; pod name -> sample."""
        found: dict[str, Sample] = {}
        oldest = self.now - GOOD_FOR
        windows: dict[float, timedelta] = {}
        for pod in self.pods:
            name = pod.metadata.name
            metrics = self.view.get(PodMetrics, self.namespace, name)
            if metrics is None or metrics.timestamp is None or metrics.timestamp < oldest:
                continue
            millis = value_of(metrics)
            if millis is not None:
                seconds = metrics.window_seconds
                window = windows.get(seconds)
                if window is None:
                    window = windows[seconds] = timedelta(seconds=seconds)
                found[name] = Sample(millis, metrics.timestamp, window)
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

    def ask(self, query: str) -> int:
        """What the metrics server says to a query now, in thousandths. Raises InvalidInput when it does not."""
        if not self.prometheus.url:
            raise InvalidInput(NO_SERVER)
        answer = find_answer(self.view, query)
        if answer is None:
            raise InvalidInput(f"the metrics server was not asked yet for {query}")
        last = answer.looks[-1]
        if last.at < self.now - GOOD_FOR:
            raise InvalidInput(f"the metrics server was not asked for two minutes for {query}")
        if last.value is None:
            raise InvalidInput(f"{answer.problem}: {query}")
        return round(last.value * 1000)


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
    total: int | None = None
    for name, usage in metrics.containers.items():
        if resource in usage and container in ("", name):
            total = (total or 0) + milli_value(usage[resource])
    return total


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
    described, name = source.described_object, source.metric.name
    millis = load.ask(object_query(source, load.namespace, load.prometheus.queries))
    replicas, current = _by_one_value(millis, source.target, load)
    measured = ObjectMetricStatus(metric=source.metric, described_object=described, current=current)
    return Wish(replicas, MetricStatus(type="Object", object=measured), f"{described.kind} metric {name}")


def _of_external(source: ExternalMetricSource, load: Load) -> Wish:
    millis = load.ask(external_query(source, load.prometheus.queries))
    replicas, current = _by_one_value(millis, source.target, load)
    measured = ExternalMetricStatus(metric=source.metric, current=current)
    return Wish(replicas, MetricStatus(type="External", external=measured), f"external metric {source.metric.name}")


def query_of(spec: MetricSpec, namespace: str, server: PrometheusSettings) -> str:
    """What the metrics server is asked for this metric; '' for one that hosts or pods tell."""
    if spec.object is not None:
        return object_query(spec.object, namespace, server.queries)
    return external_query(spec.external, server.queries) if spec.external is not None else ""


def _by_one_value(millis: int, target: MetricTarget, load: Load) -> tuple[int, MetricValueStatus]:
    if target.average_value is not None:
        share = replicas_by_share(
            load.current, value_millis=millis, target_millis=_average(target), tolerance=load.tolerance
        )
        return share, MetricValueStatus(average_value=_text(-(-millis // max(1, load.current))))
    if target.value is None or milli_value(target.value) <= 0:
        raise InvalidInput("its target holds neither a value nor an average value above 0")
    ready = sum(pod.is_ready and pod.status.phase == "Running" for pod in load.pods)
    if load.current > 0 and ready == 0:
        # Kubernetes would multiply by 0 and shrink to the minimum: no pod serves, so the value tells of no load.
        raise InvalidInput("none of its pods is ready")
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
