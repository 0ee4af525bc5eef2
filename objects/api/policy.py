"""PodDisruptionBudget of policy/v1, PriorityClass of scheduling.k8s.io/v1, ResourceQuota and LimitRange of core/v1.

What an operator says about how workloads may use and lose the cluster.
"""

from __future__ import annotations

from typing import ClassVar

from objects.api.meta import (
    Condition,
    IntOrString,
    KubeObject,
    KubeStruct,
    LabelSelector,
    ResourceList,
    Time,
)


class PodDisruptionBudgetSpec(KubeStruct):
    selector: LabelSelector | None = None
    min_available: IntOrString | None = None
    max_unavailable: IntOrString | None = None
    unhealthy_pod_eviction_policy: str | None = None


class PodDisruptionBudgetStatus(KubeStruct):
    observed_generation: int = 0
    disrupted_pods: dict[str, Time] = {}
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    conditions: tuple[Condition, ...] = ()


class PodDisruptionBudget(KubeObject):
    API_VERSION: ClassVar[str] = "policy/v1"
    KIND: ClassVar[str] = "PodDisruptionBudget"

    spec: PodDisruptionBudgetSpec = PodDisruptionBudgetSpec()
    status: PodDisruptionBudgetStatus = PodDisruptionBudgetStatus()


class PriorityClass(KubeObject):
    API_VERSION: ClassVar[str] = "scheduling.k8s.io/v1"
    KIND: ClassVar[str] = "PriorityClass"
    NAMESPACED: ClassVar[bool] = False

    value: int = 0
    global_default: bool = False
    description: str = ""
    preemption_policy: str | None = None


class ScopeSelectorRequirement(KubeStruct):
    scope_name: str
    operator: str
    values: tuple[str, ...] = ()


class ScopeSelector(KubeStruct):
    match_expressions: tuple[ScopeSelectorRequirement, ...] = ()


class ResourceQuotaSpec(KubeStruct):
    hard: ResourceList = {}
    scopes: tuple[str, ...] = ()
    scope_selector: ScopeSelector | None = None


class ResourceQuotaStatus(KubeStruct):
    hard: ResourceList = {}
    used: ResourceList = {}


class ResourceQuota(KubeObject):
    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "ResourceQuota"

    spec: ResourceQuotaSpec = ResourceQuotaSpec()
    status: ResourceQuotaStatus = ResourceQuotaStatus()


class LimitRangeItem(KubeStruct):
    type: str
    max: ResourceList = {}
    min: ResourceList = {}
    default: ResourceList = {}
    default_request: ResourceList = {}
    max_limit_request_ratio: ResourceList = {}


class LimitRangeSpec(KubeStruct):
    limits: tuple[LimitRangeItem, ...] = ()


class LimitRange(KubeObject):
    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "LimitRange"

    spec: LimitRangeSpec = LimitRangeSpec()
