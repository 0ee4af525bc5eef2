"""Role, ClusterRole and their bindings of rbac.authorization.k8s.io/v1."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from objects.api.meta import KubeObject, KubeStruct, LabelSelector

_API_VERSION = "rbac.authorization.k8s.io/v1"


class PolicyRule(KubeStruct):
    verbs: tuple[str, ...]
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = field(default=(), name="nonResourceURLs")


class Role(KubeObject):
    API_VERSION: ClassVar[str] = _API_VERSION
    KIND: ClassVar[str] = "Role"

    rules: tuple[PolicyRule, ...] = ()


class AggregationRule(KubeStruct):
    cluster_role_selectors: tuple[LabelSelector, ...] = ()


class ClusterRole(KubeObject):
    API_VERSION: ClassVar[str] = _API_VERSION
    KIND: ClassVar[str] = "ClusterRole"
    NAMESPACED: ClassVar[bool] = False

    rules: tuple[PolicyRule, ...] = ()
    aggregation_rule: AggregationRule | None = None


class Subject(KubeStruct):
    kind: str
    name: str
    api_group: str = ""
    namespace: str = ""


class RoleRef(KubeStruct):
    kind: str
    name: str
    api_group: str = ""


class RoleBinding(KubeObject, kw_only=True):
    API_VERSION: ClassVar[str] = _API_VERSION
    KIND: ClassVar[str] = "RoleBinding"

    role_ref: RoleRef
    subjects: tuple[Subject, ...] = ()


class ClusterRoleBinding(KubeObject, kw_only=True):
    API_VERSION: ClassVar[str] = _API_VERSION
    KIND: ClassVar[str] = "ClusterRoleBinding"
    NAMESPACED: ClassVar[bool] = False

    role_ref: RoleRef
    subjects: tuple[Subject, ...] = ()
