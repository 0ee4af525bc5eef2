"""ValidatingAdmissionPolicy and its binding of admissionregistration.k8s.io/v1: rules in CEL that objects must obey."""

from __future__ import annotations

from typing import ClassVar

from objects.api.meta import (
    Condition,
    KubeObject,
    KubeStruct,
    LabelSelector,
)

_API_VERSION = "admissionregistration.k8s.io/v1"


class ParamKind(KubeStruct):
    api_version: str = ""
    kind: str = ""


class NamedRuleWithOperations(KubeStruct):
    operations: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    api_versions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    scope: str | None = None


class MatchResources(KubeStruct):
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    resource_rules: tuple[NamedRuleWithOperations, ...] = ()
    exclude_resource_rules: tuple[NamedRuleWithOperations, ...] = ()
    match_policy: str | None = None


class Validation(KubeStruct):
    expression: str
    message: str = ""
    message_expression: str = ""
    reason: str | None = None


class AuditAnnotation(KubeStruct):
    key: str
    value_expression: str


class MatchCondition(KubeStruct):
    name: str
    expression: str


class Variable(KubeStruct):
    name: str
    expression: str


class ValidatingAdmissionPolicySpec(KubeStruct):
    param_kind: ParamKind | None = None
    match_constraints: MatchResources | None = None
    validations: tuple[Validation, ...] = ()
    failure_policy: str | None = None
    audit_annotations: tuple[AuditAnnotation, ...] = ()
    match_conditions: tuple[MatchCondition, ...] = ()
    variables: tuple[Variable, ...] = ()


class ValidatingAdmissionPolicyStatus(KubeStruct):
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class ValidatingAdmissionPolicy(KubeObject):
    API_VERSION: ClassVar[str] = _API_VERSION
    KIND: ClassVar[str] = "ValidatingAdmissionPolicy"
    NAMESPACED: ClassVar[bool] = False

    spec: ValidatingAdmissionPolicySpec = ValidatingAdmissionPolicySpec()
    status: ValidatingAdmissionPolicyStatus = ValidatingAdmissionPolicyStatus()


class ParamRef(KubeStruct):
    name: str = ""
    namespace: str = ""
    selector: LabelSelector | None = None
    parameter_not_found_action: str | None = None


class ValidatingAdmissionPolicyBindingSpec(KubeStruct):
    policy_name: str = ""
    param_ref: ParamRef | None = None
    match_resources: MatchResources | None = None
    validation_actions: tuple[str, ...] = ()


class ValidatingAdmissionPolicyBinding(KubeObject):
    API_VERSION: ClassVar[str] = _API_VERSION
    KIND: ClassVar[str] = "ValidatingAdmissionPolicyBinding"
    NAMESPACED: ClassVar[bool] = False

    spec: ValidatingAdmissionPolicyBindingSpec = ValidatingAdmissionPolicyBindingSpec()
