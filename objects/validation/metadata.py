"""Names, labels, annotations, owners and label selectors: what every kind has."""

from __future__ import annotations

from collections.abc import Mapping

from objects.api.meta import (
    KubeObject,
    LabelSelector,
    LabelSelectorRequirement,
    ObjectMeta,
)
from objects.fields import FieldPath
from objects.syntax import (
    Problem,
    dns_label_problem,
    dns_subdomain_problem,
    domain_prefixed_key_problem,
    label_key_problem,
    label_value_problem,
    path_segment_problem,
)
from objects.validation.found import Found

_MAX_ANNOTATION_BYTES = 256 * 1024
_NAMES_OF_LABELS: Mapping[str, Problem] = {
    "Namespace": dns_label_problem,
    "Service": dns_label_problem,
    "StatefulSet": dns_label_problem,
}
_FREE_NAMES = frozenset({"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"})
_MAX_CRON_JOB_NAME = 52
"""A CronJob appends eleven characters to name its jobs."""


def check_metadata(found: Found, obj: KubeObject) -> None:
    """`metadata` of a top-level object."""
    metadata, path = obj.metadata, ("metadata",)
    if not metadata.name:
        hint = "generateName does not suffice: an object in Git is known by its name" if metadata.generate_name else ""
        found.add((*path, "name"), "is required", hint)
    else:
        found.text((*path, "name"), metadata.name, _name_rule(obj.KIND))
    if obj.NAMESPACED and metadata.namespace:
        found.text((*path, "namespace"), metadata.namespace, dns_label_problem)
    check_labels_and_annotations(found, path, metadata)
    for index, finalizer in enumerate(metadata.finalizers):
        found.text((*path, "finalizers", index), finalizer, domain_prefixed_key_problem)
    for index, owner in enumerate(metadata.owner_references):
        place = (*path, "ownerReferences", index)
        for field, value in (
            ("apiVersion", owner.api_version),
            ("kind", owner.kind),
            ("name", owner.name),
            ("uid", owner.uid),
        ):
            found.require((*place, field), value)


def _name_rule(kind: str) -> Problem:
    if kind in _FREE_NAMES:
        return path_segment_problem
    if kind == "CronJob":
        return _cron_job_name_problem
    return _NAMES_OF_LABELS.get(kind, dns_subdomain_problem)


def _cron_job_name_problem(name: str) -> str:
    if len(name) > _MAX_CRON_JOB_NAME:
        return f"must be at most {_MAX_CRON_JOB_NAME} characters long, because jobs get longer names from it"
    return dns_subdomain_problem(name)


def check_labels_and_annotations(found: Found, path: FieldPath, metadata: ObjectMeta) -> None:
    """Labels and annotations of an object or a pod template. path: of the metadata."""
    if metadata.labels:
        check_labels(found, (*path, "labels"), metadata.labels)
    for key in metadata.annotations:
        # Kubernetes lets capitals pass in the keys of annotations, and in theirs only.
        if problem := label_key_problem(key.lower()):
            found.add((*path, "annotations", key), problem)
    size = sum(len(key) + len(value) for key, value in metadata.annotations.items())
    if size > _MAX_ANNOTATION_BYTES:
        found.add((*path, "annotations"), f"must be at most {_MAX_ANNOTATION_BYTES} bytes in all, not {size}")


def check_labels(found: Found, path: FieldPath, labels: Mapping[str, str]) -> None:
    for key, value in labels.items():
        if problem := label_key_problem(key):
            found.add((*path, key), f"key {problem}")
        if problem := label_value_problem(value):
            found.add((*path, key), f"value '{value}' {problem}")


# --- label selectors ----------------------------------------------------------------------------------------------


def check_selector(found: Found, path: FieldPath, selector: LabelSelector | None) -> None:
    """A label selector, where there is one."""
    if selector is None:
        return
    check_labels(found, (*path, "matchLabels"), selector.match_labels)
    for index, requirement in enumerate(selector.match_expressions):
        if problem := requirement_problem(requirement):
            found.add((*path, "matchExpressions", index), problem)


_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def requirement_problem(requirement: LabelSelectorRequirement, *, numeric: bool = False) -> str:
    """What is wrong with one requirement, or ''. numeric: `Gt` and `Lt` are allowed too."""
    operators = (*_OPERATORS, "Gt", "Lt") if numeric else _OPERATORS
    if problem := label_key_problem(requirement.key):
        return f"key '{requirement.key}': {problem}"
    operator, values = requirement.operator, requirement.values
    if operator not in operators:
        return f"operator '{operator}' is not one of {', '.join(operators)}"
    if operator in ("In", "NotIn") and not values:
        return f"operator {operator} needs at least one value"
    if operator in ("Exists", "DoesNotExist") and values:
        return f"operator {operator} takes no values"
    if operator in ("Gt", "Lt") and (len(values) != 1 or not values[0].lstrip("+-").isdecimal()):
        return f"operator {operator} needs one whole number as value"
    for value in values:
        if problem := label_value_problem(value):
            return f"value '{value}' {problem}"
    return ""
