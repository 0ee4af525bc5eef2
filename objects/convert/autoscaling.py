"""HorizontalPodAutoscalers of extensions/v1beta1, autoscaling/v1 and v2beta1, and their metrics in annotations."""

from __future__ import annotations

from typing import Any

from objects.convert.raw import Raw, Warnings, json_annotation, mapping_at, mappings_in
from objects.fields import FieldPath

_V1_CPU: FieldPath = ("spec", "targetCPUUtilizationPercentage")
CUSTOM_METRICS = "alpha/target.custom-metrics.podautoscaler.kubernetes.io"
V1_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
V1_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
OLD_WORKLOAD_VERSIONS = ("extensions/v1beta1", "apps/v1alpha1", "apps/v1beta1", "apps/v1beta2")
_WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet")


def of_extensions(raw: Raw, warnings: Warnings) -> None:
    """`scaleRef` and `cpuUtilization.targetPercentage` of extensions/v1beta1, then as autoscaling/v1."""
    spec = mapping_at(raw, "spec")
    if spec is None:
        return
    reference = spec.pop("scaleRef", None)
    if isinstance(reference, dict):
        # `subresource: scale` and the namespace said what is always so.
        kept = {key: value for key, value in reference.items() if key not in ("subresource", "namespace")}
        spec["scaleTargetRef"] = kept
    cpu = spec.pop("cpuUtilization", None)
    if isinstance(cpu, dict) and "targetPercentage" in cpu:
        spec["targetCPUUtilizationPercentage"] = cpu["targetPercentage"]
    of_v1(raw, warnings)
    old: FieldPath = ("spec", "cpuUtilization", "targetPercentage")
    warnings.moved = {new: old if place == _V1_CPU else place for new, place in warnings.moved.items()}
    warnings.move(("spec", "scaleRef"), ("spec", "scaleTargetRef"))


def of_v1(raw: Raw, warnings: Warnings) -> None:
    """One CPU target as a field, everything else in annotations."""
    spec, metadata = mapping_at(raw, "spec"), mapping_at(raw, "metadata") or {}
    if spec is None:
        return
    metrics: list[Any] = []
    cpu_percent = spec.pop("targetCPUUtilizationPercentage", None)
    if cpu_percent is not None:
        target = {"type": "Utilization", "averageUtilization": cpu_percent}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})
        warnings.move(_V1_CPU, ("spec", "metrics", 0))
        warnings.move(_V1_CPU, ("spec", "metrics", 0, "resource", "target", "averageUtilization"))
    annotated = json_annotation(metadata, V1_METRICS, ("metadata",))
    if annotated is not None:
        metrics += [_metric_of_v2beta1(metric) for metric in mappings_in(annotated)]
        warnings.move(("metadata", "annotations", V1_METRICS), ("spec", "metrics"), "is read as spec.metrics")
    behavior = json_annotation(metadata, V1_BEHAVIOR, ("metadata",))
    if isinstance(behavior, dict):
        spec.setdefault("behavior", {key[0].lower() + key[1:]: value for key, value in behavior.items() if key})
        warnings.move(("metadata", "annotations", V1_BEHAVIOR), ("spec", "behavior"), "is read as spec.behavior")
    if metrics:
        spec["metrics"] = metrics
    any_version(raw, warnings)


def of_v2beta1(raw: Raw, warnings: Warnings) -> None:
    """Targets were fields of the metric itself."""
    spec = mapping_at(raw, "spec")
    if spec is not None and isinstance(spec.get("metrics"), list):
        spec["metrics"] = [_metric_of_v2beta1(one) if isinstance(one, dict) else one for one in spec["metrics"]]
    any_version(raw, warnings)


def any_version(raw: Raw, warnings: Warnings) -> None:
    """What may stand in an autoscaler of every version: the custom metrics annotation, a target of an old version."""
    spec, metadata = mapping_at(raw, "spec"), mapping_at(raw, "metadata") or {}
    if spec is None:
        return
    custom = json_annotation(metadata, CUSTOM_METRICS, ("metadata",))
    if isinstance(custom, dict):
        metrics = [_custom_metric(item) for item in mappings_in(custom.get("items"))]
        spec["metrics"] = [*(spec.get("metrics") or []), *metrics]
        text = "is read as metrics of the pods in spec.metrics"
        warnings.move(("metadata", "annotations", CUSTOM_METRICS), ("spec", "metrics"), text)
    reference = mapping_at(spec, "scaleTargetRef")
    is_workload = reference is not None and reference.get("kind") in _WORKLOADS
    if reference is not None and is_workload and reference.get("apiVersion") in (None, "", *OLD_WORKLOAD_VERSIONS):
        reference["apiVersion"] = "apps/v1"


def needs_conversion(raw: Raw) -> bool:
    """Whether an autoscaler of the current version still has something old in it."""
    annotations = mapping_at(raw, "metadata", "annotations") or {}
    reference = mapping_at(raw, "spec", "scaleTargetRef") or {}
    return CUSTOM_METRICS in annotations or reference.get("apiVersion") in OLD_WORKLOAD_VERSIONS


def _custom_metric(item: Raw) -> Raw:
    target = {"type": "AverageValue", "averageValue": item.get("value")}
    return {"type": "Pods", "pods": {"metric": {"name": item.get("name")}, "target": target}}


def _metric_of_v2beta1(metric: Raw) -> Raw:
    """`{type: Pods, pods: {metricName, targetAverageValue}}` → `{…, pods: {metric: {name}, target: {…}}}`."""
    kind = metric.get("type")
    field = kind[:1].lower() + kind[1:] if isinstance(kind, str) else ""
    source = metric.get(field)
    if not isinstance(source, dict) or ("target" in source and "metric" in source):
        return metric
    rest = dict(source)
    converted: Raw = {}
    if field == "object":
        converted["describedObject"] = rest.pop("target", None)
    if "metricName" in rest:
        converted["metric"] = {"name": rest.pop("metricName")}
        selector = rest.pop("selector", None) or rest.pop("metricSelector", None)
        if selector is not None:
            converted["metric"]["selector"] = selector
    converted["target"] = _target_of_v2beta1(rest)
    return {**metric, field: {**rest, **converted}}


_TARGETS = (
    ("targetAverageUtilization", "Utilization", "averageUtilization"),
    ("targetAverageValue", "AverageValue", "averageValue"),
    ("averageValue", "AverageValue", "averageValue"),
    ("targetValue", "Value", "value"),
)


def _target_of_v2beta1(source: Raw) -> Raw:
    """Take the target fields out of `source`; the first that is set gives the type."""
    found = [(kind, field, source.pop(old)) for old, kind, field in _TARGETS if old in source]
    kept = [one for one in found if one[2] is not None]
    return {"type": kept[0][0], kept[0][1]: kept[0][2]} if kept else {"type": "Utilization"}
