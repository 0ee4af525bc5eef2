"""Services, and the endpoints behind them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sized

from objects.api.services import (
    EndpointPort,
    Endpoints,
    EndpointSlice,
    EndpointSlicePort,
    Service,
    ServicePort,
    ServiceSpec,
)
from objects.fields import FieldPath
from objects.syntax import (
    Problem,
    cidr_problem,
    dns_label_problem,
    dns_subdomain_problem,
    ip_problem,
    label_key_problem,
)
from objects.validation.found import Found
from objects.validation.metadata import check_labels

_SPEC: FieldPath = ("spec",)
_PROTOCOLS = ("TCP", "UDP", "SCTP")
NODE_PORTS = range(30000, 32768)
_MAX_AFFINITY_SECONDS = 86400
_MAX_FAMILIES = 2
_MAX_ENDPOINTS = 1000
_MAX_ADDRESSES = 100
_MAX_PORTS = 100
_MAX_TOPOLOGY = 16
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")


# --- Service ------------------------------------------------------------------------------------------------------


def check_service(found: Found, obj: Service) -> None:
    spec = obj.spec
    found.choice((*_SPEC, "type"), spec.type, ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"))
    check_labels(found, (*_SPEC, "selector"), spec.selector)
    _check_service_addresses(found, spec)
    if not spec.ports and not spec.is_headless and spec.type != "ExternalName":
        found.add((*_SPEC, "ports"), "must have at least one port")
    for index, port in enumerate(spec.ports):
        _check_service_port(found, (*_SPEC, "ports", index), port, spec)
    names = (((index, "name"), port.name) for index, port in enumerate(spec.ports) if port.name)
    found.unique((*_SPEC, "ports"), names, "port name")
    numbers = (((index,), f"{port.port}/{port.protocol or 'TCP'}") for index, port in enumerate(spec.ports))
    found.unique((*_SPEC, "ports"), numbers, "port")
    node_ports = (
        ((index, "nodePort"), f"{port.node_port}/{port.protocol or 'TCP'}")
        for index, port in enumerate(spec.ports)
        if port.node_port
    )
    found.unique((*_SPEC, "ports"), node_ports, "node port")
    _check_families(found, spec)
    _check_affinity(found, spec)
    _check_traffic(found, spec)


def _check_service_addresses(found: Found, spec: ServiceSpec) -> None:
    if spec.type == "ExternalName":
        if spec.cluster_ip or spec.cluster_ips:
            found.add((*_SPEC, "clusterIP"), "must be empty for an ExternalName")
        if found.require((*_SPEC, "externalName"), spec.external_name):
            found.text((*_SPEC, "externalName"), spec.external_name.removesuffix("."), dns_subdomain_problem)
    elif spec.is_headless:
        if spec.type in ("NodePort", "LoadBalancer"):
            found.add((*_SPEC, "clusterIP"), f"must not be None for a {spec.type}")
    elif spec.cluster_ip:
        found.text((*_SPEC, "clusterIP"), spec.cluster_ip, ip_problem)
    for index, address in enumerate(spec.external_ips):
        found.text((*_SPEC, "externalIPs", index), address, _reachable_problem)
    for index, network in enumerate(spec.load_balancer_source_ranges):
        found.text((*_SPEC, "loadBalancerSourceRanges", index), network.strip(), cidr_problem)


def _reachable_problem(address: str) -> str:
    """An address that others can reach: neither of this host alone nor of its own link."""
    if problem := ip_problem(address):
        return problem
    parsed = ipaddress.ip_address(address)
    of_link = parsed.is_link_local or any(parsed in network for network in _LINK_MULTICAST)
    return "cannot be reached from outside" if parsed.is_unspecified or parsed.is_loopback or of_link else ""


_LINK_MULTICAST = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))


def _check_families(found: Found, spec: ServiceSpec) -> None:
    """The lists for IPv4 and IPv6 beside `clusterIP`, which is the first of them."""
    if spec.type == "ExternalName":
        for field, value in (("ipFamilies", spec.ip_families), ("ipFamilyPolicy", spec.ip_family_policy)):
            if value:
                found.add((*_SPEC, field), "must be empty for an ExternalName")
        return
    for field, values in (("clusterIPs", spec.cluster_ips), ("ipFamilies", spec.ip_families)):
        if len(values) > _MAX_FAMILIES:
            found.add((*_SPEC, field), f"must have at most {_MAX_FAMILIES} entries")
    if spec.cluster_ips and spec.cluster_ips[0] != spec.cluster_ip:
        found.add((*_SPEC, "clusterIPs", 0), f"must be the same as clusterIP ('{spec.cluster_ip}')")
    if "None" in spec.cluster_ips and len(spec.cluster_ips) > 1:
        found.add((*_SPEC, "clusterIPs"), "must have no other entry beside None")
    for index, address in enumerate(spec.cluster_ips):
        if address != "None" and index:
            found.text((*_SPEC, "clusterIPs", index), address, ip_problem)
    for index, family in enumerate(spec.ip_families):
        found.choice((*_SPEC, "ipFamilies", index), family, ("IPv4", "IPv6"))
    families = (((index,), family) for index, family in enumerate(spec.ip_families))
    found.unique((*_SPEC, "ipFamilies"), families, "family")
    policies = ("SingleStack", "PreferDualStack", "RequireDualStack")
    found.choice((*_SPEC, "ipFamilyPolicy"), spec.ip_family_policy, policies)


def _check_affinity(found: Found, spec: ServiceSpec) -> None:
    found.choice((*_SPEC, "sessionAffinity"), spec.session_affinity, ("None", "ClientIP"))
    config = spec.session_affinity_config
    if config is None:
        return
    if spec.session_affinity == "None":
        found.add((*_SPEC, "sessionAffinityConfig"), "only makes sense with sessionAffinity: ClientIP")
    elif config.client_ip is not None:
        place = (*_SPEC, "sessionAffinityConfig", "clientIP", "timeoutSeconds")
        found.number(place, config.client_ip.timeout_seconds, least=1, most=_MAX_AFFINITY_SECONDS)


def _check_traffic(found: Found, spec: ServiceSpec) -> None:
    """What only some types of services have: policies of outside traffic, settings of load balancers."""
    is_balancer = spec.type == "LoadBalancer"
    if spec.external_traffic_policy:
        found.choice((*_SPEC, "externalTrafficPolicy"), spec.external_traffic_policy, ("Cluster", "Local"))
        if not is_balancer and spec.type != "NodePort" and not (spec.type == "ClusterIP" and spec.external_ips):
            text = "only makes sense with type NodePort or LoadBalancer, or with externalIPs"
            found.add((*_SPEC, "externalTrafficPolicy"), text)
    found.choice((*_SPEC, "internalTrafficPolicy"), spec.internal_traffic_policy, ("Cluster", "Local"))
    found.choice((*_SPEC, "trafficDistribution"), spec.traffic_distribution, _DISTRIBUTIONS)
    if spec.health_check_node_port:
        found.port((*_SPEC, "healthCheckNodePort"), spec.health_check_node_port)
        if not (is_balancer and spec.external_traffic_policy == "Local"):
            text = "only makes sense with type LoadBalancer and externalTrafficPolicy: Local"
            found.add((*_SPEC, "healthCheckNodePort"), text)
    if spec.load_balancer_class is not None:
        found.text((*_SPEC, "loadBalancerClass"), spec.load_balancer_class, label_key_problem)
    for field, value in (
        ("loadBalancerSourceRanges", spec.load_balancer_source_ranges or None),
        ("loadBalancerClass", spec.load_balancer_class),
        ("allocateLoadBalancerNodePorts", spec.allocate_load_balancer_node_ports),
    ):
        if value is not None and not is_balancer:
            found.add((*_SPEC, field), "only makes sense with type LoadBalancer")


def _check_service_port(found: Found, path: FieldPath, port: ServicePort, spec: ServiceSpec) -> None:
    found.port((*path, "port"), port.port)
    found.choice((*path, "protocol"), port.protocol, _PROTOCOLS)
    if port.name:
        found.text((*path, "name"), port.name, dns_label_problem)
    elif len(spec.ports) > 1:
        found.add((*path, "name"), "is required when there are several ports")
    if port.target_port is not None:
        found.port_or_name((*path, "targetPort"), port.target_port)
    if port.app_protocol is not None:
        found.text((*path, "appProtocol"), port.app_protocol, label_key_problem)
    if not port.node_port:
        return
    if spec.type in ("", "ClusterIP"):
        found.add((*path, "nodePort"), "is only allowed with type NodePort or LoadBalancer")
    found.number((*path, "nodePort"), port.node_port, least=NODE_PORTS.start, most=NODE_PORTS.stop - 1)


# --- endpoints ----------------------------------------------------------------------------------------------------


def check_endpoints(found: Found, obj: Endpoints) -> None:
    for index, subset in enumerate(obj.subsets):
        place: FieldPath = ("subsets", index)
        if not subset.addresses and not subset.not_ready_addresses:
            found.add(place, "needs addresses or notReadyAddresses")
        for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for number, address in enumerate(addresses):
                where = (*place, field, number)
                found.text((*where, "ip"), address.ip, _reachable_problem)
                _check_names(found, where, address.hostname, address.node_name)
        for number, port in enumerate(subset.ports):
            where = (*place, "ports", number)
            found.port((*where, "port"), port.port)
            _check_port_words(found, where, port)
            if not port.name and len(subset.ports) > 1:
                found.add((*where, "name"), "is required when there are several ports")


def _check_names(found: Found, path: FieldPath, hostname: str | None, node_name: str | None) -> None:
    if hostname:
        found.text((*path, "hostname"), hostname, dns_label_problem)
    if node_name is not None:
        found.text((*path, "nodeName"), node_name, dns_subdomain_problem)


def _check_port_words(found: Found, path: FieldPath, port: EndpointPort | EndpointSlicePort) -> None:
    if port.name:
        found.text((*path, "name"), port.name, dns_label_problem)
    found.choice((*path, "protocol"), port.protocol, _PROTOCOLS)
    if port.app_protocol is not None:
        found.text((*path, "appProtocol"), port.app_protocol, label_key_problem)


def check_endpoint_slice(found: Found, obj: EndpointSlice) -> None:
    if found.require(("addressType",), obj.address_type):
        found.choice(("addressType",), obj.address_type, tuple(_ADDRESS_RULES))
    rule = _ADDRESS_RULES.get(obj.address_type, _reachable_problem)
    _check_count(found, ("endpoints",), obj.endpoints, _MAX_ENDPOINTS)
    for index, endpoint in enumerate(obj.endpoints):
        place: FieldPath = ("endpoints", index)
        found.require((*place, "addresses"), endpoint.addresses)
        _check_count(found, (*place, "addresses"), endpoint.addresses, _MAX_ADDRESSES)
        for number, address in enumerate(endpoint.addresses):
            found.text((*place, "addresses", number), address, rule)
        _check_names(found, place, endpoint.hostname, endpoint.node_name)
        check_labels(found, (*place, "deprecatedTopology"), endpoint.deprecated_topology)
        _check_count(found, (*place, "deprecatedTopology"), endpoint.deprecated_topology, _MAX_TOPOLOGY)
    _check_count(found, ("ports",), obj.ports, _MAX_PORTS)
    for index, port in enumerate(obj.ports):
        if port.port is not None:
            found.port(("ports", index, "port"), port.port)
        _check_port_words(found, ("ports", index), port)
    found.unique(("ports",), (((index, "name"), port.name or "") for index, port in enumerate(obj.ports)), "port name")


def _check_count(found: Found, path: FieldPath, values: Sized, most: int) -> None:
    if len(values) > most:
        found.add(path, f"must have at most {most} entries, not {len(values)}")


def _ipv4_problem(address: str) -> str:
    return _reachable_problem(address) or ("must be an IPv4 address" if ":" in address else "")


def _ipv6_problem(address: str) -> str:
    return _reachable_problem(address) or ("" if ":" in address else "must be an IPv6 address")


def _domain_problem(address: str) -> str:
    name = address.removesuffix(".")
    return dns_subdomain_problem(name) or ("" if "." in name else "must have at least two parts separated by dots")


_ADDRESS_RULES: Mapping[str, Problem] = {"IPv4": _ipv4_problem, "IPv6": _ipv6_problem, "FQDN": _domain_problem}
