"""Services, endpoints, Ingresses and NetworkPolicies."""

from __future__ import annotations

import ipaddress

from objects.api.networking import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
)
from objects.api.services import (
    Endpoints,
    EndpointSlice,
    Service,
    ServicePort,
    ServiceSpec,
)
from objects.fields import FieldPath
from objects.syntax import (
    cidr_problem,
    dns_label_problem,
    dns_subdomain_problem,
    ip_problem,
    port_name_problem,
)
from objects.validation.found import Found
from objects.validation.metadata import check_labels, check_selector

_SPEC: FieldPath = ("spec",)
_PROTOCOLS = ("TCP", "UDP", "SCTP")
NODE_PORTS = range(30000, 32768)
_MAX_AFFINITY_SECONDS = 86400
_BAD_PATH_PARTS = ("//", "/./", "/../", "%2f", "%2F")


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
    found.choice((*_SPEC, "sessionAffinity"), spec.session_affinity, ("None", "ClientIP"))
    client = spec.session_affinity_config.client_ip if spec.session_affinity_config else None
    if client is not None:
        place = (*_SPEC, "sessionAffinityConfig", "clientIP", "timeoutSeconds")
        found.number(place, client.timeout_seconds, least=1, most=_MAX_AFFINITY_SECONDS)
    found.choice((*_SPEC, "externalTrafficPolicy"), spec.external_traffic_policy, ("Cluster", "Local"))
    found.choice((*_SPEC, "internalTrafficPolicy"), spec.internal_traffic_policy, ("Cluster", "Local"))


def _check_service_addresses(found: Found, spec: ServiceSpec) -> None:
    if spec.type == "ExternalName":
        if spec.cluster_ip and not spec.is_headless:
            found.add((*_SPEC, "clusterIP"), "must be empty for an ExternalName")
        if found.require((*_SPEC, "externalName"), spec.external_name):
            found.text((*_SPEC, "externalName"), spec.external_name.removesuffix("."), dns_subdomain_problem)
    elif spec.is_headless:
        if spec.type in ("NodePort", "LoadBalancer"):
            found.add((*_SPEC, "clusterIP"), f"must not be None for a {spec.type}")
    elif spec.cluster_ip:
        found.text((*_SPEC, "clusterIP"), spec.cluster_ip, ip_problem)
    for index, address in enumerate(spec.external_ips):
        place = (*_SPEC, "externalIPs", index)
        if problem := ip_problem(address):
            found.add(place, f"'{address}' {problem}")
            continue
        parsed = ipaddress.ip_address(address)
        if parsed.is_unspecified or parsed.is_loopback or parsed.is_link_local or parsed.is_multicast:
            found.add(place, f"'{address}' cannot be reached from outside")
    for index, network in enumerate(spec.load_balancer_source_ranges):
        found.text((*_SPEC, "loadBalancerSourceRanges", index), network.strip(), cidr_problem)


def _check_service_port(found: Found, path: FieldPath, port: ServicePort, spec: ServiceSpec) -> None:
    found.port((*path, "port"), port.port)
    found.choice((*path, "protocol"), port.protocol, _PROTOCOLS)
    if port.name:
        found.text((*path, "name"), port.name, dns_label_problem)
    elif len(spec.ports) > 1:
        found.add((*path, "name"), "is required when there are several ports")
    if port.target_port is not None:
        found.port_or_name((*path, "targetPort"), port.target_port)
    if not port.node_port:
        return
    if spec.type in ("", "ClusterIP", "ExternalName"):
        found.add((*path, "nodePort"), "is only allowed with type NodePort or LoadBalancer")
    found.number((*path, "nodePort"), port.node_port, least=NODE_PORTS.start, most=NODE_PORTS.stop - 1)


def check_endpoints(found: Found, obj: Endpoints) -> None:
    for index, subset in enumerate(obj.subsets):
        for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for number, address in enumerate(addresses):
                found.text(("subsets", index, field, number, "ip"), address.ip, ip_problem)
        for number, port in enumerate(subset.ports):
            found.port(("subsets", index, "ports", number, "port"), port.port)
            found.choice(("subsets", index, "ports", number, "protocol"), port.protocol, _PROTOCOLS)


def check_endpoint_slice(found: Found, obj: EndpointSlice) -> None:
    found.choice(("addressType",), obj.address_type, ("IPv4", "IPv6", "FQDN"))
    for index, endpoint in enumerate(obj.endpoints):
        found.require(("endpoints", index, "addresses"), endpoint.addresses)
        rule = dns_subdomain_problem if obj.address_type == "FQDN" else ip_problem
        for number, address in enumerate(endpoint.addresses):
            found.text(("endpoints", index, "addresses", number), address, rule)
    for index, port in enumerate(obj.ports):
        if port.port is not None:
            found.port(("ports", index, "port"), port.port)


# --- Ingress ------------------------------------------------------------------------------------------------------


def check_ingress(found: Found, obj: Ingress) -> None:
    spec = obj.spec
    if spec.default_backend is None and not spec.rules:
        found.add(_SPEC, "needs rules or a defaultBackend")
    if spec.default_backend is not None:
        _check_backend(found, (*_SPEC, "defaultBackend"), spec.default_backend)
    if spec.ingress_class_name:
        found.text((*_SPEC, "ingressClassName"), spec.ingress_class_name, dns_subdomain_problem)
    for index, rule in enumerate(spec.rules):
        place = (*_SPEC, "rules", index)
        _check_host(found, (*place, "host"), rule.host)
        if rule.http is None:
            continue
        found.require((*place, "http", "paths"), rule.http.paths)
        for number, path in enumerate(rule.http.paths):
            _check_ingress_path(found, (*place, "http", "paths", number), path)
    for index, tls in enumerate(spec.tls):
        for number, host in enumerate(tls.hosts):
            _check_host(found, (*_SPEC, "tls", index, "hosts", number), host)
        if tls.secret_name:
            found.text((*_SPEC, "tls", index, "secretName"), tls.secret_name, dns_subdomain_problem)


def _check_host(found: Found, path: FieldPath, host: str) -> None:
    if not host:
        return
    if not ip_problem(host):
        found.add(path, f"'{host}' must be a name, not an IP address")
    else:
        found.text(path, host.removeprefix("*."), dns_subdomain_problem)


def _check_ingress_path(found: Found, path: FieldPath, rule: HTTPIngressPath) -> None:
    if rule.path_type is None:
        found.add((*path, "pathType"), "is required", "Prefix, Exact or ImplementationSpecific")
    found.choice((*path, "pathType"), rule.path_type, ("Prefix", "Exact", "ImplementationSpecific"))
    must_be_absolute = rule.path_type in ("Prefix", "Exact") or bool(rule.path)
    if must_be_absolute and not rule.path.startswith("/"):
        found.add((*path, "path"), "must be an absolute path")
    if rule.path_type in ("Prefix", "Exact"):
        for part in _BAD_PATH_PARTS:
            if part in rule.path:
                found.add((*path, "path"), f"must not hold '{part}'")
        if rule.path.endswith(("/..", "/.")):
            found.add((*path, "path"), "must not end with '/.' or '/..'")
    _check_backend(found, (*path, "backend"), rule.backend)


def _check_backend(found: Found, path: FieldPath, backend: IngressBackend) -> None:
    given = [name for name, value in (("service", backend.service), ("resource", backend.resource)) if value]
    found.only_one(path, given, "a target")
    if backend.service is None:
        return
    place = (*path, "service")
    found.text((*place, "name"), backend.service.name, dns_label_problem)
    port = backend.service.port
    if bool(port.name) == bool(port.number):
        found.add((*place, "port"), "must have a name or a number" + (", not both" if port.name else ""))
    if port.number:
        found.port((*place, "port", "number"), port.number)
    if port.name:
        found.text((*place, "port", "name"), port.name, port_name_problem)


# --- NetworkPolicy ------------------------------------------------------------------------------------------------


def check_network_policy(found: Found, obj: NetworkPolicy) -> None:
    spec = obj.spec
    check_selector(found, (*_SPEC, "podSelector"), spec.pod_selector)
    for index, rule in enumerate(spec.ingress):
        _check_policy_ports(found, (*_SPEC, "ingress", index), rule.ports)
        for number, peer in enumerate(rule.from_):
            _check_peer(found, (*_SPEC, "ingress", index, "from", number), peer)
    for index, outward in enumerate(spec.egress):
        _check_policy_ports(found, (*_SPEC, "egress", index), outward.ports)
        for number, peer in enumerate(outward.to):
            _check_peer(found, (*_SPEC, "egress", index, "to", number), peer)
    for index, kind in enumerate(spec.policy_types):
        found.choice((*_SPEC, "policyTypes", index), kind, ("Ingress", "Egress"))


def _check_policy_ports(found: Found, path: FieldPath, ports: tuple[NetworkPolicyPort, ...]) -> None:
    for index, port in enumerate(ports):
        place = (*path, "ports", index)
        found.choice((*place, "protocol"), port.protocol, _PROTOCOLS)
        if port.port is not None:
            found.port_or_name((*place, "port"), port.port)
        if port.end_port is None:
            continue
        if not isinstance(port.port, int):
            found.add((*place, "endPort"), "needs a port number as beginning")
        elif not port.port <= port.end_port <= 65535:
            found.add((*place, "endPort"), f"must be between the port {port.port} and 65535, not {port.end_port}")


def _check_peer(found: Found, path: FieldPath, peer: NetworkPolicyPeer) -> None:
    if peer.ip_block is None:
        if peer.pod_selector is None and peer.namespace_selector is None:
            found.add(path, "needs a podSelector, namespaceSelector or ipBlock")
        check_selector(found, (*path, "podSelector"), peer.pod_selector)
        check_selector(found, (*path, "namespaceSelector"), peer.namespace_selector)
        return
    if peer.pod_selector is not None or peer.namespace_selector is not None:
        found.add(path, "may have an ipBlock or selectors, not both")
    place = (*path, "ipBlock")
    found.text((*place, "cidr"), peer.ip_block.cidr, cidr_problem)
    for index, excepted in enumerate(peer.ip_block.except_):
        found.text((*place, "except", index), excepted, cidr_problem)
        if not cidr_problem(excepted) and not cidr_problem(peer.ip_block.cidr):
            inner, outer = ipaddress.ip_network(excepted), ipaddress.ip_network(peer.ip_block.cidr)
            if inner.version != outer.version or not _is_inside(inner, outer) or inner == outer:
                found.add((*place, "except", index), f"'{excepted}' must be a part of {peer.ip_block.cidr}")


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _is_inside(inner: _Network, outer: _Network) -> bool:
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen
