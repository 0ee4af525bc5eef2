"""Ingress, IngressClass and NetworkPolicy of networking.k8s.io/v1."""

from __future__ import annotations

from typing import ClassVar

from msgspec import field

from objects.api.meta import (
    IntOrString,
    KubeObject,
    KubeStruct,
    LabelSelector,
    TypedLocalObjectReference,
)
from objects.api.services import LoadBalancerStatus


class ServiceBackendPort(KubeStruct):
    name: str = ""
    number: int = 0


class IngressServiceBackend(KubeStruct):
    name: str
    port: ServiceBackendPort = ServiceBackendPort()


class IngressBackend(KubeStruct):
    service: IngressServiceBackend | None = None
    resource: TypedLocalObjectReference | None = None


class HTTPIngressPath(KubeStruct):
    backend: IngressBackend
    path: str = ""
    path_type: str | None = None


class HTTPIngressRuleValue(KubeStruct):
    paths: tuple[HTTPIngressPath, ...]


class IngressRule(KubeStruct):
    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(KubeStruct):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(KubeStruct):
    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    tls: tuple[IngressTLS, ...] = ()
    rules: tuple[IngressRule, ...] = ()


class IngressStatus(KubeStruct):
    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Ingress(KubeObject):
    API_VERSION: ClassVar[str] = "networking.k8s.io/v1"
    KIND: ClassVar[str] = "Ingress"

    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()


class IngressClassParameters(KubeStruct):
    kind: str
    name: str
    api_group: str | None = None
    scope: str | None = None
    namespace: str | None = None


class IngressClassSpec(KubeStruct):
    controller: str = ""
    parameters: IngressClassParameters | None = None


class IngressClass(KubeObject):
    API_VERSION: ClassVar[str] = "networking.k8s.io/v1"
    KIND: ClassVar[str] = "IngressClass"
    NAMESPACED: ClassVar[bool] = False

    spec: IngressClassSpec = IngressClassSpec()


class NetworkPolicyPort(KubeStruct):
    protocol: str | None = None
    port: IntOrString | None = None
    end_port: int | None = None


class IPBlock(KubeStruct):
    cidr: str
    except_: tuple[str, ...] = field(default=(), name="except")


class NetworkPolicyPeer(KubeStruct):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class NetworkPolicyIngressRule(KubeStruct):
    ports: tuple[NetworkPolicyPort, ...] = ()
    from_: tuple[NetworkPolicyPeer, ...] = field(default=(), name="from")


class NetworkPolicyEgressRule(KubeStruct):
    ports: tuple[NetworkPolicyPort, ...] = ()
    to: tuple[NetworkPolicyPeer, ...] = ()


class NetworkPolicySpec(KubeStruct):
    pod_selector: LabelSelector = LabelSelector()
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    policy_types: tuple[str, ...] = ()


class NetworkPolicy(KubeObject):
    API_VERSION: ClassVar[str] = "networking.k8s.io/v1"
    KIND: ClassVar[str] = "NetworkPolicy"

    spec: NetworkPolicySpec = NetworkPolicySpec()
