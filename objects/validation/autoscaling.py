"""HorizontalPodAutoscalers."""

from __future__ import annotations

from objects.api.autoscaling import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HPAScalingRules,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
)
from objects.fields import FieldPath
from objects.syntax import path_segment_problem
from objects.validation.found import Found
from objects.validation.metadata import check_selector

_SPEC: FieldPath = ("spec",)
_SOURCES = {
    "Resource": "resource",
    "ContainerResource": "container_resource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
_WIRE = {"container_resource": "containerResource"}
_TARGETS = {"Utilization": "averageUtilization", "AverageValue": "averageValue", "Value": "value"}
_ALLOWED_TARGETS = {
    "resource": ("Utilization", "AverageValue"),
    "container_resource": ("Utilization", "AverageValue"),
    "pods": ("AverageValue",),
    "object": ("Value", "AverageValue"),
    "external": ("Value", "AverageValue"),
}
_MAX_WINDOW_SECONDS = 3600
_MAX_PERIOD_SECONDS = 1800


def check_autoscaler(found: Found, obj: HorizontalPodAutoscaler) -> None:
    spec = obj.spec
    found.number((*_SPEC, "minReplicas"), spec.min_replicas, least=1)
    found.number((*_SPEC, "maxReplicas"), spec.max_replicas, least=1)
    if spec.min_replicas is not None and spec.min_replicas > spec.max_replicas:
        found.add((*_SPEC, "maxReplicas"), f"must be at least minReplicas {spec.min_replicas}, not {spec.max_replicas}")
    _check_reference(found, (*_SPEC, "scaleTargetRef"), spec.scale_target_ref)
    for index, metric in enumerate(spec.metrics):
        _check_metric(found, (*_SPEC, "metrics", index), metric)
    if spec.behavior is not None:
        _check_rules(found, (*_SPEC, "behavior", "scaleUp"), spec.behavior.scale_up)
        _check_rules(found, (*_SPEC, "behavior", "scaleDown"), spec.behavior.scale_down)


def _check_reference(found: Found, path: FieldPath, reference: CrossVersionObjectReference) -> None:
    for field, value in (("kind", reference.kind), ("name", reference.name)):
        if found.require((*path, field), value):
            found.text((*path, field), value, path_segment_problem)


def _check_metric(found: Found, path: FieldPath, metric: MetricSpec) -> None:
    found.choice((*path, "type"), metric.type, tuple(_SOURCES))
    given = {field: value for field in _SOURCES.values() if (value := getattr(metric, field)) is not None}
    found.only_one(path, [_WIRE.get(field, field) for field in given], "a source")
    wanted = _SOURCES.get(metric.type)
    if wanted is not None and given and wanted not in given:
        found.add((*path, _WIRE.get(wanted, wanted)), f"is required with type {metric.type}")
    for field, source in given.items():
        place = (*path, _WIRE.get(field, field))
        _check_target(found, (*place, "target"), source.target, _ALLOWED_TARGETS[field])
        described = getattr(source, "described_object", None)
        if isinstance(described, CrossVersionObjectReference):
            _check_reference(found, (*place, "describedObject"), described)
        identifier = getattr(source, "metric", None)
        if isinstance(identifier, MetricIdentifier):
            if found.require((*place, "metric", "name"), identifier.name):
                found.text((*place, "metric", "name"), identifier.name, path_segment_problem)
            check_selector(found, (*place, "metric", "selector"), identifier.selector)
        else:
            found.require((*place, "name"), source.name)
        if field == "container_resource":
            found.require((*place, "container"), source.container)


def _check_target(found: Found, path: FieldPath, target: MetricTarget, allowed: tuple[str, ...]) -> None:
    found.choice((*path, "type"), target.type, tuple(_TARGETS))
    values = {
        "averageUtilization": target.average_utilization,
        "averageValue": target.average_value,
        "value": target.value,
    }
    # As the API server: the value that is there counts, and `type` is not compared with it.
    given = [name for name, value in values.items() if value is not None]
    fitting = [name for name in given if name in {_TARGETS[kind] for kind in allowed}]
    if given and not fitting:
        found.add(
            (*path, given[0]), f"is not for such a metric: give {' or '.join(_TARGETS[kind] for kind in allowed)}"
        )
    else:
        found.only_one(path, given, "a target value")
    found.number((*path, "averageUtilization"), target.average_utilization, least=1)
    for name in ("averageValue", "value"):
        quantity = values[name]
        if quantity is not None:
            found.quantity((*path, name), quantity, positive=True)


def _check_rules(found: Found, path: FieldPath, rules: HPAScalingRules | None) -> None:
    if rules is None:
        return
    window = rules.stabilization_window_seconds
    found.number((*path, "stabilizationWindowSeconds"), window, most=_MAX_WINDOW_SECONDS)
    found.choice((*path, "selectPolicy"), rules.select_policy, ("Max", "Min", "Disabled"))
    if rules.tolerance is not None:
        found.quantity((*path, "tolerance"), rules.tolerance)
    for index, policy in enumerate(rules.policies):
        place = (*path, "policies", index)
        found.choice((*place, "type"), policy.type, ("Pods", "Percent"))
        found.number((*place, "value"), policy.value, least=1)
        found.number((*place, "periodSeconds"), policy.period_seconds, least=1, most=_MAX_PERIOD_SECONDS)
