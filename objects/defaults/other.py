"""Defaults of the kinds around workloads: secrets, services, network policies, limits, roles, admission policies."""

from __future__ import annotations

from typing import TypeVar

from objects.api.admission import MatchResources, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding
from objects.api.core import Namespace, Secret
from objects.api.meta import ResourceList
from objects.api.networking import NetworkPolicy, NetworkPolicyPort
from objects.api.policy import LimitRange, LimitRangeItem, PriorityClass
from objects.api.rbac import ClusterRoleBinding, RoleBinding, Subject
from objects.api.services import (
    ClientIPConfig,
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSlicePort,
    EndpointSubset,
    Service,
    ServicePort,
    SessionAffinityConfig,
)
from objects.defaults.fill import change, each, fill

_Binding = TypeVar("_Binding", RoleBinding, ClusterRoleBinding)

_RBAC = "rbac.authorization.k8s.io"
_AFFINITY_SECONDS = 10800


def default_namespace(obj: Namespace) -> Namespace:
    """Each namespace carries its own name as a label, so that selectors can pick it."""
    if obj.labels.get("kubernetes.io/metadata.name") == obj.name or not obj.name:
        return obj
    labels = {**obj.labels, "kubernetes.io/metadata.name": obj.name}
    return change(obj, metadata=change(obj.metadata, labels=labels))


def default_secret(obj: Secret) -> Secret:
    """`stringData` wins over `data` of the same key."""
    if obj.string_data:
        obj = change(obj, data={**obj.data, **obj.string_data}, string_data={})
    return fill(obj, type="Opaque")


# --- services -----------------------------------------------------------------------------------------------------


def default_service(obj: Service) -> Service:
    spec = fill(obj.spec, type="ClusterIP", session_affinity="None")
    spec = change(spec, ports=each(spec.ports, _service_port))
    if spec.session_affinity == "ClientIP":
        config = spec.session_affinity_config or SessionAffinityConfig()
        client = fill(config.client_ip or ClientIPConfig(), timeout_seconds=_AFFINITY_SECONDS)
        spec = change(spec, session_affinity_config=change(config, client_ip=client))
    if spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and spec.external_ips):
        spec = fill(spec, external_traffic_policy="Cluster")
    if spec.type != "ExternalName":
        spec = fill(spec, internal_traffic_policy="Cluster")
    if spec.type == "LoadBalancer":
        spec = fill(spec, allocate_load_balancer_node_ports=True)
    return change(obj, spec=spec)


def _service_port(port: ServicePort) -> ServicePort:
    port = fill(port, protocol="TCP")
    return change(port, target_port=port.port) if port.target_port in (None, 0, "") else port


def default_endpoints(obj: Endpoints) -> Endpoints:
    def subset(one: EndpointSubset) -> EndpointSubset:
        return change(one, ports=each(one.ports, _endpoint_port))

    return change(obj, subsets=each(obj.subsets, subset))


def _endpoint_port(port: EndpointPort) -> EndpointPort:
    return fill(port, protocol="TCP")


def default_endpoint_slice(obj: EndpointSlice) -> EndpointSlice:
    def port(one: EndpointSlicePort) -> EndpointSlicePort:
        one = fill(one, protocol="TCP")
        return one if one.name is not None else change(one, name="")

    return change(obj, ports=each(obj.ports, port))


# --- policies -----------------------------------------------------------------------------------------------------


def default_network_policy(obj: NetworkPolicy) -> NetworkPolicy:
    """A policy is about what comes in, and about what goes out if it has a rule for that."""

    def port(one: NetworkPolicyPort) -> NetworkPolicyPort:
        return fill(one, protocol="TCP")

    spec = change(
        obj.spec,
        ingress=each(obj.spec.ingress, lambda rule: change(rule, ports=each(rule.ports, port))),
        egress=each(obj.spec.egress, lambda rule: change(rule, ports=each(rule.ports, port))),
    )
    if not spec.policy_types:
        spec = change(spec, policy_types=("Ingress", "Egress") if spec.egress else ("Ingress",))
    return change(obj, spec=spec)


def default_priority_class(obj: PriorityClass) -> PriorityClass:
    return fill(obj, preemption_policy="PreemptLowerPriority")


def default_limit_range(obj: LimitRange) -> LimitRange:
    """Of containers: the default limit is the maximum, the default request the default limit, else the minimum."""

    def item(one: LimitRangeItem) -> LimitRangeItem:
        if one.type != "Container":
            return one
        limits = _with(one.default, one.max)
        return change(one, default=limits, default_request=_with(_with(one.default_request, limits), one.min))

    return change(obj, spec=change(obj.spec, limits=each(obj.spec.limits, item)))


def _with(resources: ResourceList, defaults: ResourceList) -> ResourceList:
    missing = {name: quantity for name, quantity in defaults.items() if name not in resources}
    return {**resources, **missing} if missing else resources


def default_binding(obj: _Binding) -> _Binding:
    def subject(one: Subject) -> Subject:
        return fill(one, api_group=_RBAC) if one.kind in ("User", "Group") else one

    return change(obj, role_ref=fill(obj.role_ref, api_group=_RBAC), subjects=each(obj.subjects, subject))


def default_admission_policy(obj: ValidatingAdmissionPolicy) -> ValidatingAdmissionPolicy:
    spec = fill(obj.spec, failure_policy="Fail")
    return change(obj, spec=change(spec, match_constraints=_match_resources(spec.match_constraints)))


def default_admission_binding(obj: ValidatingAdmissionPolicyBinding) -> ValidatingAdmissionPolicyBinding:
    return change(obj, spec=change(obj.spec, match_resources=_match_resources(obj.spec.match_resources)))


def _match_resources(match: MatchResources | None) -> MatchResources | None:
    return None if match is None else fill(match, match_policy="Equivalent")
