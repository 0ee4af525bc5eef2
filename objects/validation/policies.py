"""Disruption budgets, priority classes, quotas, limit ranges, roles, bindings and admission policies."""

from __future__ import annotations

from objects.api.admission import ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding
from objects.api.policy import (
    LimitRange,
    LimitRangeItem,
    PodDisruptionBudget,
    PriorityClass,
    ResourceQuota,
)
from objects.api.rbac import (
    ClusterRole,
    ClusterRoleBinding,
    Role,
    RoleBinding,
)
from objects.fields import FieldPath
from objects.syntax import label_key_problem
from objects.validation.found import Found
from objects.validation.metadata import check_selector
from objects.values.quantity import compare

_SPEC: FieldPath = ("spec",)
_HIGHEST_USER_PRIORITY = 10**9
SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_SCOPES = (
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)


def check_budget(found: Found, obj: PodDisruptionBudget) -> None:
    spec = obj.spec
    if spec.min_available is not None and spec.max_unavailable is not None:
        found.add(_SPEC, "may have minAvailable or maxUnavailable, not both")
    found.amount((*_SPEC, "minAvailable"), spec.min_available)
    found.amount((*_SPEC, "maxUnavailable"), spec.max_unavailable)
    found.choice((*_SPEC, "unhealthyPodEvictionPolicy"), spec.unhealthy_pod_eviction_policy, _UNHEALTHY)
    check_selector(found, (*_SPEC, "selector"), spec.selector)


_UNHEALTHY = ("IfHealthyBudget", "AlwaysAllow")


def check_priority_class(found: Found, obj: PriorityClass) -> None:
    if obj.name.startswith("system-"):
        if SYSTEM_PRIORITIES.get(obj.name) != obj.value:
            found.add(("metadata", "name"), "names that begin with system- are reserved")
    elif obj.value > _HIGHEST_USER_PRIORITY:
        found.add(("value",), f"must be at most {_HIGHEST_USER_PRIORITY}, not {obj.value}")
    found.number(("value",), obj.value, least=-(2**31), most=2**31 - 1)
    found.choice(("preemptionPolicy",), obj.preemption_policy, ("PreemptLowerPriority", "Never"))


# --- quota and limits ---------------------------------------------------------------------------------------------


def check_quota(found: Found, obj: ResourceQuota) -> None:
    for name, quantity in obj.spec.hard.items():
        found.text((*_SPEC, "hard", name), name.removeprefix("requests.").removeprefix("limits."), label_key_problem)
        found.quantity((*_SPEC, "hard", name), quantity)
    for index, scope in enumerate(obj.spec.scopes):
        found.choice((*_SPEC, "scopes", index), scope, _SCOPES)
    if obj.spec.scope_selector is not None:
        for index, requirement in enumerate(obj.spec.scope_selector.match_expressions):
            place = (*_SPEC, "scopeSelector", "matchExpressions", index)
            found.choice((*place, "scopeName"), requirement.scope_name, _SCOPES)
            found.choice((*place, "operator"), requirement.operator, ("In", "NotIn", "Exists", "DoesNotExist"))


def check_limit_range(found: Found, obj: LimitRange) -> None:
    for index, item in enumerate(obj.spec.limits):
        _check_limit_item(found, (*_SPEC, "limits", index), item)


def _check_limit_item(found: Found, path: FieldPath, item: LimitRangeItem) -> None:
    """min <= defaultRequest <= default <= max, resource by resource."""
    found.choice((*path, "type"), item.type, ("Container", "Pod", "PersistentVolumeClaim"))
    if item.type == "Pod" and (item.default or item.default_request):
        found.add(path, "default and defaultRequest are not allowed with type Pod")
    ladder = (
        ("min", item.min),
        ("defaultRequest", item.default_request),
        ("default", item.default),
        ("max", item.max),
    )
    readable = {
        (field, name)
        for field, resources in (*ladder, ("maxLimitRequestRatio", item.max_limit_request_ratio))
        for name, quantity in resources.items()
        if found.quantity((*path, field, name), quantity)
    }
    for position, (field, resources) in enumerate(ladder):
        for name, quantity in resources.items():
            for upper_field, upper in ladder[position + 1 :]:
                if (field, name) not in readable or (upper_field, name) not in readable:
                    continue
                if compare(quantity, upper[name]) > 0:
                    found.add((*path, field, name), f"must be at most {upper_field} {upper[name]}, not {quantity}")


# --- access -------------------------------------------------------------------------------------------------------


def check_role(found: Found, obj: Role | ClusterRole) -> None:
    for index, rule in enumerate(obj.rules):
        place: FieldPath = ("rules", index)
        found.require((*place, "verbs"), rule.verbs)
        if rule.non_resource_urls:
            if isinstance(obj, Role):
                found.add((*place, "nonResourceURLs"), "is not allowed in a Role: only a ClusterRole can have it")
            if rule.resources or rule.api_groups:
                found.add(place, "may name resources or nonResourceURLs, not both")
            continue
        found.require((*place, "resources"), rule.resources)
        found.require((*place, "apiGroups"), rule.api_groups)


def check_binding(found: Found, obj: RoleBinding | ClusterRoleBinding) -> None:
    kinds = ("ClusterRole",) if isinstance(obj, ClusterRoleBinding) else ("Role", "ClusterRole")
    found.choice(("roleRef", "kind"), obj.role_ref.kind, kinds)
    found.require(("roleRef", "name"), obj.role_ref.name)
    for index, subject in enumerate(obj.subjects):
        place: FieldPath = ("subjects", index)
        found.choice((*place, "kind"), subject.kind, ("User", "Group", "ServiceAccount"))
        found.require((*place, "name"), subject.name)
        # In a RoleBinding it is the binding's own namespace where nothing is said.
        if subject.kind == "ServiceAccount" and isinstance(obj, ClusterRoleBinding):
            found.require((*place, "namespace"), subject.namespace)


def check_admission_policy(found: Found, obj: ValidatingAdmissionPolicy) -> None:
    spec = obj.spec
    if not spec.validations and not spec.audit_annotations:
        found.add((*_SPEC, "validations"), "must have at least one rule")
    for index, validation in enumerate(spec.validations):
        if not validation.expression.strip():
            found.add((*_SPEC, "validations", index, "expression"), "is required")
    if spec.match_constraints is None:
        found.add((*_SPEC, "matchConstraints"), "is required")
    elif not spec.match_constraints.resource_rules:
        found.add((*_SPEC, "matchConstraints", "resourceRules"), "must have at least one rule")
    found.choice((*_SPEC, "failurePolicy"), spec.failure_policy, ("Fail", "Ignore"))


def check_admission_binding(found: Found, obj: ValidatingAdmissionPolicyBinding) -> None:
    spec = obj.spec
    found.require((*_SPEC, "policyName"), spec.policy_name)
    found.require((*_SPEC, "validationActions"), spec.validation_actions)
    for index, action in enumerate(spec.validation_actions):
        found.choice((*_SPEC, "validationActions", index), action, ("Deny", "Warn", "Audit"))
    if {"Deny", "Warn"} <= set(spec.validation_actions):
        found.add((*_SPEC, "validationActions"), "may hold Deny or Warn, not both")
