"""Disruption budgets, priority classes, quotas, limit ranges, roles, bindings and admission policies."""

from __future__ import annotations

from collections.abc import Collection, Set

from objects.api.admission import ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding
from objects.api.policy import (
    LimitRange,
    LimitRangeItem,
    PodDisruptionBudget,
    PriorityClass,
    ResourceQuota,
    ScopeSelectorRequirement,
)
from objects.api.rbac import (
    ClusterRole,
    ClusterRoleBinding,
    Role,
    RoleBinding,
)
from objects.fields import FieldPath
from objects.syntax import dns_subdomain_problem, label_key_problem, path_segment_problem
from objects.validation.found import Found
from objects.validation.metadata import check_selector
from objects.validation.resources import check_resource_name, is_overcommittable
from objects.values.quantity import compare, nano_value

_SPEC: FieldPath = ("spec",)
_RBAC = "rbac.authorization.k8s.io"
_HIGHEST_USER_PRIORITY = 10**9
SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_NANOS = 10**9
_COUNTED = frozenset(
    {
        "pods",
        "services",
        "services.nodeports",
        "services.loadbalancers",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "configmaps",
        "persistentvolumeclaims",
    }
)
"""What quotas count, in whole numbers."""
_COMPUTED = frozenset({"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})
_SUMMED = _COMPUTED | {
    "ephemeral-storage",
    "requests.ephemeral-storage",
    "limits.ephemeral-storage",
    "requests.storage",
}
"""What quotas add up."""
_PICKED = {
    "BestEffort": frozenset({"pods"}),
    "VolumeAttributesClass": frozenset({"persistentvolumeclaims", "requests.storage"}),
}
"""What a scope can narrow, where that is not pods and what they compute with."""
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
        # Kubernetes makes the two itself, as they are here; neither is the default of other pods.
        if SYSTEM_PRIORITIES.get(obj.name) != obj.value or obj.global_default:
            found.add(("metadata", "name"), "names that begin with system- are reserved")
    elif obj.value > _HIGHEST_USER_PRIORITY:
        found.add(("value",), f"must be at most {_HIGHEST_USER_PRIORITY}, not {obj.value}")
    found.number(("value",), obj.value, least=-(2**31), most=2**31 - 1)
    found.choice(("preemptionPolicy",), obj.preemption_policy, ("PreemptLowerPriority", "Never"))


# --- quota and limits ---------------------------------------------------------------------------------------------


def check_quota(found: Found, obj: ResourceQuota) -> None:
    hard = obj.spec.hard
    for name, quantity in hard.items():
        place = (*_SPEC, "hard", name)
        found.text(place, name, _quota_name_problem)
        is_whole = name in _COUNTED or (
            "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")
        )
        if found.quantity(place, quantity) and is_whole and nano_value(quantity) % _NANOS:
            found.add(place, f"must be a whole number, not {quantity}")
    for index, scope in enumerate(obj.spec.scopes):
        found.choice((*_SPEC, "scopes", index), scope, _SCOPES)
        _check_scope(found, (*_SPEC, "scopes", index), scope, hard)
    _check_pairs(found, (*_SPEC, "scopes"), obj.spec.scopes)
    if obj.spec.scope_selector is None:
        return
    requirements = obj.spec.scope_selector.match_expressions
    for index, requirement in enumerate(requirements):
        _check_scope_requirement(found, (*_SPEC, "scopeSelector", "matchExpressions", index), requirement, hard)
    names = [requirement.scope_name for requirement in requirements]
    _check_pairs(found, (*_SPEC, "scopeSelector", "matchExpressions"), names)


def _check_scope_requirement(
    found: Found, place: FieldPath, requirement: ScopeSelectorRequirement, hard: Collection[str]
) -> None:
    scope, operator = requirement.scope_name, requirement.operator
    found.choice((*place, "scopeName"), scope, _SCOPES)
    _check_scope(found, (*place, "scopeName"), scope, hard)
    found.choice((*place, "operator"), operator, ("In", "NotIn", "Exists", "DoesNotExist"))
    if scope in _SCOPES and scope not in ("PriorityClass", "VolumeAttributesClass") and operator != "Exists":
        found.add((*place, "operator"), f"must be Exists with scope {scope}")
    if operator in ("In", "NotIn"):
        found.require((*place, "values"), requirement.values)
    elif requirement.values:
        found.add((*place, "values"), f"must be empty with operator {operator}")


def _check_scope(found: Found, path: FieldPath, scope: str, hard: Collection[str]) -> None:
    """A scope picks pods or claims: of what is not counted by these it can pick none."""
    if scope in _SCOPES:
        picked = _PICKED.get(scope, {"pods", *_COMPUTED})
        for name in sorted((_COUNTED | _SUMMED).intersection(hard) - picked):
            found.add(path, f"{scope} says nothing about {name}")


def _check_pairs(found: Found, path: FieldPath, scopes: Collection[str]) -> None:
    for one, other in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if one in scopes and other in scopes:
            found.add(path, f"may have {one} or {other}, not both")


def _quota_name_problem(name: str) -> str:
    if "/" in name:
        return label_key_problem(name)
    if name in _COUNTED or name in _SUMMED or name.removeprefix("requests.").startswith("hugepages-"):
        return ""
    return f"is not counted by quotas: known are {', '.join(sorted(_COUNTED | _SUMMED))}, count/<resource>.<group> …"


def check_limit_range(found: Found, obj: LimitRange) -> None:
    for index, item in enumerate(obj.spec.limits):
        _check_limit_item(found, (*_SPEC, "limits", index), item)
    types = (((index, "type"), item.type) for index, item in enumerate(obj.spec.limits))
    found.unique((*_SPEC, "limits"), types, "type")


def _check_limit_item(found: Found, path: FieldPath, item: LimitRangeItem) -> None:
    """min <= defaultRequest <= default <= max, resource by resource."""
    if found.require((*path, "type"), item.type):
        if "/" in item.type:
            found.text((*path, "type"), item.type, label_key_problem)
        else:
            found.choice((*path, "type"), item.type, ("Container", "Pod", "PersistentVolumeClaim"))
    if item.type == "Pod" and (item.default or item.default_request):
        found.add(path, "default and defaultRequest are not allowed with type Pod")
    if item.type == "PersistentVolumeClaim" and "storage" not in item.min and "storage" not in item.max:
        found.add(path, "needs storage in min or max with type PersistentVolumeClaim")
    ladder = (
        ("min", item.min),
        ("defaultRequest", item.default_request),
        ("default", item.default),
        ("max", item.max),
    )
    # Defaults may be copies of other fields: a name is judged where it came from.
    fields = {
        "min": item.min,
        "max": item.max,
        "default": item.default,
        "defaultRequest": item.default_request,
        "maxLimitRequestRatio": item.max_limit_request_ratio,
    }
    judged: set[str] = set()
    for field, resources in fields.items():
        for name in resources.keys() - judged:
            _check_limited_name(found, (*path, field, name), name, of_pods=item.type in ("Pod", "Container"))
        judged.update(resources)
    readable = {
        (field, name)
        for field, resources in fields.items()
        for name, quantity in resources.items()
        if found.quantity((*path, field, name), quantity)
    }
    _check_ratios(found, path, item, readable)
    for name, request in item.default_request.items():
        if not is_overcommittable(name) and {("default", name), ("defaultRequest", name)} <= readable:
            limit = item.default[name]
            if compare(request, limit) != 0:
                found.add((*path, "defaultRequest", name), f"must equal the default {limit}: {name} cannot be shared")
    for position, (field, resources) in enumerate(ladder):
        for name, quantity in resources.items():
            for upper_field, upper in ladder[position + 1 :]:
                if (field, name) not in readable or (upper_field, name) not in readable:
                    continue
                if compare(quantity, upper[name]) > 0:
                    found.add((*path, field, name), f"must be at most {upper_field} {upper[name]}, not {quantity}")


def _check_limited_name(found: Found, path: FieldPath, name: str, *, of_pods: bool) -> None:
    if of_pods:
        check_resource_name(found, path, name)
    else:
        found.text(path, name, label_key_problem)


def _check_ratios(found: Found, path: FieldPath, item: LimitRangeItem, readable: Set[tuple[str, str]]) -> None:
    """A limit may be so many times its request: at least once, and not more often than min and max let it."""
    for name, ratio in item.max_limit_request_ratio.items():
        place = (*path, "maxLimitRequestRatio", name)
        if ("maxLimitRequestRatio", name) not in readable:
            continue
        if compare(ratio, 1) < 0:
            found.add(place, f"must be at least 1, not {ratio}")
        if not {("min", name), ("max", name)} <= readable:
            continue
        least, most = nano_value(item.min[name]), nano_value(item.max[name])
        if least and nano_value(ratio) * least > most * _NANOS:
            found.add(place, f"must be at most max divided by min, not {ratio}")


# --- access -------------------------------------------------------------------------------------------------------


def check_role(found: Found, obj: Role | ClusterRole) -> None:
    for index, rule in enumerate(obj.rules):
        place: FieldPath = ("rules", index)
        found.require((*place, "verbs"), rule.verbs)
        if rule.non_resource_urls:
            if isinstance(obj, Role):
                found.add((*place, "nonResourceURLs"), "is not allowed in a Role: only a ClusterRole can have it")
            if rule.resources or rule.api_groups or rule.resource_names:
                found.add(place, "may name resources or nonResourceURLs, not both")
            continue
        found.require((*place, "resources"), rule.resources)
        found.require((*place, "apiGroups"), rule.api_groups)
    if isinstance(obj, ClusterRole) and obj.aggregation_rule is not None:
        place = ("aggregationRule", "clusterRoleSelectors")
        found.require(place, obj.aggregation_rule.cluster_role_selectors)
        for index, selector in enumerate(obj.aggregation_rule.cluster_role_selectors):
            check_selector(found, (*place, index), selector)


def check_binding(found: Found, obj: RoleBinding | ClusterRoleBinding) -> None:
    kinds = ("ClusterRole",) if isinstance(obj, ClusterRoleBinding) else ("Role", "ClusterRole")
    if found.require(("roleRef", "kind"), obj.role_ref.kind):
        found.choice(("roleRef", "kind"), obj.role_ref.kind, kinds)
    if found.require(("roleRef", "name"), obj.role_ref.name):
        found.text(("roleRef", "name"), obj.role_ref.name, path_segment_problem)
    found.choice(("roleRef", "apiGroup"), obj.role_ref.api_group, (_RBAC,))
    for index, subject in enumerate(obj.subjects):
        place: FieldPath = ("subjects", index)
        if found.require((*place, "kind"), subject.kind):
            found.choice((*place, "kind"), subject.kind, ("User", "Group", "ServiceAccount"))
        found.require((*place, "name"), subject.name)
        if subject.kind != "ServiceAccount":
            found.choice((*place, "apiGroup"), subject.api_group, (_RBAC,))
            continue
        if subject.api_group:
            found.add((*place, "apiGroup"), "must be empty for a ServiceAccount")
        if subject.name:
            found.text((*place, "name"), subject.name, dns_subdomain_problem)
        # In a RoleBinding it is the binding's own namespace where nothing is said.
        if isinstance(obj, ClusterRoleBinding):
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
