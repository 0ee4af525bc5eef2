"""Where pods may go: node selectors, affinity, tolerations, topology spread."""

from __future__ import annotations

from objects.api.meta import LabelSelector
from objects.api.pods import (
    Affinity,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSpec,
    Toleration,
    TopologySpreadConstraint,
)
from objects.fields import FieldPath
from objects.syntax import dns_label_problem, label_key_problem, label_value_problem
from objects.validation.found import Found
from objects.validation.metadata import check_labels, check_selector

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


def check_placement(found: Found, path: FieldPath, spec: PodSpec) -> None:
    """All fields of a pod's spec that choose its host. path: of the spec."""
    if spec.node_selector:
        check_labels(found, (*path, "nodeSelector"), spec.node_selector)
    if spec.affinity is not None:
        _check_affinity(found, (*path, "affinity"), spec.affinity)
    for index, toleration in enumerate(spec.tolerations):
        _check_toleration(found, (*path, "tolerations", index), toleration)
    for index, constraint in enumerate(spec.topology_spread_constraints):
        _check_spread(found, (*path, "topologySpreadConstraints", index), constraint)
    places = (((i,), (c.topology_key, c.when_unsatisfiable)) for i, c in enumerate(spec.topology_spread_constraints))
    found.unique((*path, "topologySpreadConstraints"), places, "constraint")


# --- node affinity ------------------------------------------------------------------------------------------------


def _check_affinity(found: Found, path: FieldPath, affinity: Affinity) -> None:
    if affinity.node_affinity is not None:
        _check_node_affinity(found, (*path, "nodeAffinity"), affinity.node_affinity)
    if affinity.pod_affinity is not None:
        _check_pod_affinity(found, (*path, "podAffinity"), affinity.pod_affinity)
    if affinity.pod_anti_affinity is not None:
        _check_pod_affinity(found, (*path, "podAntiAffinity"), affinity.pod_anti_affinity)


def _check_node_affinity(found: Found, path: FieldPath, affinity: NodeAffinity) -> None:
    required = affinity.required_during_scheduling_ignored_during_execution
    if required is not None:
        check_node_selector(found, (*path, _REQUIRED), required)
    for index, preferred in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        place = (*path, _PREFERRED, index)
        found.number((*place, "weight"), preferred.weight, least=1, most=100)
        _check_term(found, (*place, "preference"), preferred.preference)


def check_node_selector(found: Found, path: FieldPath, selector: NodeSelector) -> None:
    """At least one term; each requirement well-formed."""
    found.require((*path, "nodeSelectorTerms"), selector.node_selector_terms)
    for index, term in enumerate(selector.node_selector_terms):
        _check_term(found, (*path, "nodeSelectorTerms", index), term)


def _check_term(found: Found, path: FieldPath, term: NodeSelectorTerm) -> None:
    for index, requirement in enumerate(term.match_expressions):
        if problem := node_requirement_problem(requirement):
            found.add((*path, "matchExpressions", index), problem)
    for index, requirement in enumerate(term.match_fields):
        if problem := _field_problem(requirement):
            found.add((*path, "matchFields", index), problem)


def node_requirement_problem(requirement: NodeSelectorRequirement) -> str:
    """What is wrong with a requirement on a node's labels, or ''. Values need not be spelled like labels."""
    operator, values = requirement.operator, requirement.values
    if problem := label_key_problem(requirement.key):
        return f"key '{requirement.key}': {problem}"
    if operator not in _NODE_OPERATORS:
        return f"operator '{operator}' is not one of {', '.join(_NODE_OPERATORS)}"
    if operator in ("In", "NotIn") and not values:
        return f"operator {operator} needs at least one value"
    if operator in ("Exists", "DoesNotExist") and values:
        return f"operator {operator} takes no values"
    if operator in ("Gt", "Lt") and (len(values) != 1 or not values[0].lstrip("+-").isdecimal()):
        return f"operator {operator} needs one whole number as value"
    return next((f"value '{value}' {problem}" for value in values if (problem := label_value_problem(value))), "")


def _field_problem(requirement: NodeSelectorRequirement) -> str:
    if requirement.key != "metadata.name":
        return f"key '{requirement.key}' is not metadata.name, the only field of a node that can be asked for"
    if requirement.operator not in ("In", "NotIn"):
        return f"operator '{requirement.operator}' is not one of In, NotIn"
    return "" if len(requirement.values) == 1 else "must have exactly one value"


# --- pod affinity -------------------------------------------------------------------------------------------------


def _check_pod_affinity(found: Found, path: FieldPath, affinity: PodAffinity | PodAntiAffinity) -> None:
    for index, term in enumerate(affinity.required_during_scheduling_ignored_during_execution):
        _check_pod_term(found, (*path, _REQUIRED, index), term)
    for index, weighted in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        place = (*path, _PREFERRED, index)
        found.number((*place, "weight"), weighted.weight, least=1, most=100)
        _check_pod_term(found, (*place, "podAffinityTerm"), weighted.pod_affinity_term)


def _check_pod_term(found: Found, path: FieldPath, term: PodAffinityTerm) -> None:
    if found.require((*path, "topologyKey"), term.topology_key):
        found.text((*path, "topologyKey"), term.topology_key, label_key_problem)
    check_selector(found, (*path, "labelSelector"), term.label_selector)
    check_selector(found, (*path, "namespaceSelector"), term.namespace_selector)
    for index, namespace in enumerate(term.namespaces):
        found.text((*path, "namespaces", index), namespace, dns_label_problem)
    for field, keys in (("matchLabelKeys", term.match_label_keys), ("mismatchLabelKeys", term.mismatch_label_keys)):
        for index, key in enumerate(keys):
            found.text((*path, field, index), key, label_key_problem)
            if term.label_selector is None:
                found.add((*path, field), "needs a labelSelector beside it")
    for key in set(term.match_label_keys).intersection(term.mismatch_label_keys):
        found.add((*path, "matchLabelKeys"), f"'{key}' is in mismatchLabelKeys too")


# --- tolerations and spread ---------------------------------------------------------------------------------------


def _check_toleration(found: Found, path: FieldPath, toleration: Toleration) -> None:
    operator = toleration.operator or "Equal"
    found.choice((*path, "operator"), operator, ("Equal", "Exists", "Lt", "Gt"))
    found.choice((*path, "effect"), toleration.effect, _EFFECTS)
    if toleration.key:
        found.text((*path, "key"), toleration.key, label_key_problem)
    elif operator != "Exists":
        found.add((*path, "operator"), "must be Exists when there is no key")
    if operator == "Exists" and toleration.value:
        found.add((*path, "value"), "must be empty with operator Exists")
    if operator == "Equal" and toleration.value:
        found.text((*path, "value"), toleration.value, label_value_problem)
    if operator in ("Lt", "Gt") and not toleration.value.lstrip("+-").isdecimal():
        found.add((*path, "value"), f"must be a whole number with operator {operator}")
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        found.add((*path, "tolerationSeconds"), "only makes sense with effect NoExecute", "set effect: NoExecute")


def _check_spread(found: Found, path: FieldPath, constraint: TopologySpreadConstraint) -> None:
    found.number((*path, "maxSkew"), constraint.max_skew, least=1)
    found.text((*path, "topologyKey"), constraint.topology_key, label_key_problem)
    if found.require((*path, "whenUnsatisfiable"), constraint.when_unsatisfiable):
        found.choice((*path, "whenUnsatisfiable"), constraint.when_unsatisfiable, ("DoNotSchedule", "ScheduleAnyway"))
    found.number((*path, "minDomains"), constraint.min_domains, least=1)
    if constraint.min_domains is not None and constraint.when_unsatisfiable == "ScheduleAnyway":
        found.add((*path, "minDomains"), "only makes sense with whenUnsatisfiable: DoNotSchedule")
    found.choice((*path, "nodeAffinityPolicy"), constraint.node_affinity_policy, ("Honor", "Ignore"))
    found.choice((*path, "nodeTaintsPolicy"), constraint.node_taints_policy, ("Honor", "Ignore"))
    check_selector(found, (*path, "labelSelector"), constraint.label_selector)
    asked = set() if constraint.label_selector is None else _keys_of(constraint.label_selector)
    for index, key in enumerate(constraint.match_label_keys):
        place = (*path, "matchLabelKeys", index)
        found.text(place, key, label_key_problem)
        if constraint.label_selector is None:
            found.add(place, "needs a labelSelector beside it")
        elif key in asked:
            found.add(place, f"'{key}' is in labelSelector too")


def _keys_of(selector: LabelSelector) -> set[str]:
    return {*selector.match_labels, *(requirement.key for requirement in selector.match_expressions)}
