"""HorizontalPodAutoscaler of autoscaling/v2."""

from __future__ import annotations

from typing import ClassVar

from objects.api.meta import (
    Condition,
    KubeObject,
    KubeStruct,
    LabelSelector,
    QuantityLike,
    Time,
)


class CrossVersionObjectReference(KubeStruct):
    kind: str
    name: str
    api_version: str = ""


class MetricIdentifier(KubeStruct):
    name: str
    selector: LabelSelector | None = None


class MetricTarget(KubeStruct):
    type: str
    value: QuantityLike | None = None
    average_value: QuantityLike | None = None
    average_utilization: int | None = None


class ObjectMetricSource(KubeStruct):
    described_object: CrossVersionObjectReference
    metric: MetricIdentifier
    target: MetricTarget


class PodsMetricSource(KubeStruct):
    metric: MetricIdentifier
    target: MetricTarget


class ResourceMetricSource(KubeStruct):
    name: str
    target: MetricTarget


class ContainerResourceMetricSource(KubeStruct):
    name: str
    container: str
    target: MetricTarget


class ExternalMetricSource(KubeStruct):
    metric: MetricIdentifier
    target: MetricTarget


class MetricSpec(KubeStruct):
    type: str
    resource: ResourceMetricSource | None = None
    container_resource: ContainerResourceMetricSource | None = None
    pods: PodsMetricSource | None = None
    object: ObjectMetricSource | None = None
    external: ExternalMetricSource | None = None


class HPAScalingPolicy(KubeStruct):
    type: str
    value: int
    period_seconds: int


class HPAScalingRules(KubeStruct):
    stabilization_window_seconds: int | None = None
    select_policy: str | None = None
    policies: tuple[HPAScalingPolicy, ...] = ()
    tolerance: QuantityLike | None = None


class HPABehavior(KubeStruct):
    scale_up: HPAScalingRules | None = None
    scale_down: HPAScalingRules | None = None


class HorizontalPodAutoscalerSpec(KubeStruct):
    scale_target_ref: CrossVersionObjectReference
    max_replicas: int
    min_replicas: int | None = None
    metrics: tuple[MetricSpec, ...] = ()
    behavior: HPABehavior | None = None


class MetricValueStatus(KubeStruct):
    value: QuantityLike | None = None
    average_value: QuantityLike | None = None
    average_utilization: int | None = None


class ResourceMetricStatus(KubeStruct):
    name: str
    current: MetricValueStatus


class ContainerResourceMetricStatus(KubeStruct):
    name: str
    container: str
    current: MetricValueStatus


class PodsMetricStatus(KubeStruct):
    metric: MetricIdentifier
    current: MetricValueStatus


class ObjectMetricStatus(KubeStruct):
    metric: MetricIdentifier
    current: MetricValueStatus
    described_object: CrossVersionObjectReference


class ExternalMetricStatus(KubeStruct):
    metric: MetricIdentifier
    current: MetricValueStatus


class MetricStatus(KubeStruct):
    type: str
    resource: ResourceMetricStatus | None = None
    container_resource: ContainerResourceMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    object: ObjectMetricStatus | None = None
    external: ExternalMetricStatus | None = None


class HorizontalPodAutoscalerStatus(KubeStruct):
    observed_generation: int | None = None
    last_scale_time: Time | None = None
    current_replicas: int = 0
    desired_replicas: int = 0
    current_metrics: tuple[MetricStatus, ...] = ()
    conditions: tuple[Condition, ...] = ()


class HorizontalPodAutoscaler(KubeObject, kw_only=True):
    API_VERSION: ClassVar[str] = "autoscaling/v2"
    KIND: ClassVar[str] = "HorizontalPodAutoscaler"

    spec: HorizontalPodAutoscalerSpec
    status: HorizontalPodAutoscalerStatus = HorizontalPodAutoscalerStatus()
