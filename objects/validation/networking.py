"""Ingresses, their classes, and NetworkPolicies."""

from __future__ import annotations

import ipaddress

from objects.api.meta import TypedLocalObjectReference
from objects.api.networking import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressClass,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
)
from objects.fields import FieldPath
from objects.syntax import (
    cidr_problem,
    dns_label_problem,
    dns_subdomain_problem,
    domain_prefixed_path_problem,
    ip_problem,
    path_segment_problem,
    port_name_problem,
)
from objects.validation.found import Found
from objects.validation.metadata import check_selector

_SPEC: FieldPath = ("spec",)
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_BAD_PATH_PARTS = ("//", "/./", "/../", "%2f", "%2F")
_OLD_CLASS = "kubernetes.io/ingress.class"
_MAX_CONTROLLER = 250
_MAX_POLICY_TYPES = 2


# --- Ingress ------------------------------------------------------------------------------------------------------


def check_ingress(found: Found, obj: Ingress) -> None:
    spec = obj.spec
    if spec.default_backend is None and not spec.rules:
        found.add(_SPEC, "needs rules or a defaultBackend")
    if spec.default_backend is not None:
        _check_backend(found, (*_SPEC, "defaultBackend"), spec.default_backend)
    if spec.ingress_class_name is not None:
        found.text((*_SPEC, "ingressClassName"), spec.ingress_class_name, dns_subdomain_problem)
        if obj.annotations.get(_OLD_CLASS, spec.ingress_class_name) != spec.ingress_class_name:
            found.add(("metadata", "annotations", _OLD_CLASS), "must be the same as spec.ingressClassName, or left out")
    for index, rule in enumerate(spec.rules):
        place = (*_SPEC, "rules", index)
        if rule.host and not ip_problem(rule.host):
            found.add((*place, "host"), f"'{rule.host}' must be a name, not an IP address")
        else:
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
    if host:
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
    if backend.resource is not None:
        _check_reference(found, (*path, "resource"), backend.resource)
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


def _check_reference(found: Found, path: FieldPath, reference: TypedLocalObjectReference) -> None:
    if reference.api_group:
        found.text((*path, "apiGroup"), reference.api_group, dns_subdomain_problem)
    found.text((*path, "kind"), reference.kind, path_segment_problem)
    found.text((*path, "name"), reference.name, path_segment_problem)


def check_ingress_class(found: Found, obj: IngressClass) -> None:
    controller = obj.spec.controller
    if found.require((*_SPEC, "controller"), controller):
        found.text((*_SPEC, "controller"), controller, domain_prefixed_path_problem)
        if len(controller) > _MAX_CONTROLLER:
            found.add((*_SPEC, "controller"), f"must be at most {_MAX_CONTROLLER} characters long")
    parameters = obj.spec.parameters
    if parameters is None:
        return
    place = (*_SPEC, "parameters")
    if parameters.api_group is not None:
        found.text((*place, "apiGroup"), parameters.api_group, dns_subdomain_problem)
    found.text((*place, "kind"), parameters.kind, path_segment_problem)
    found.text((*place, "name"), parameters.name, path_segment_problem)
    found.choice((*place, "scope"), parameters.scope, ("Cluster", "Namespace"))
    if parameters.scope == "Namespace":
        if found.require((*place, "namespace"), parameters.namespace):
            found.text((*place, "namespace"), parameters.namespace or "", dns_label_problem)
    elif parameters.namespace is not None:
        found.add((*place, "namespace"), "only makes sense with scope: Namespace")


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
    if len(spec.policy_types) > _MAX_POLICY_TYPES:
        found.add((*_SPEC, "policyTypes"), f"must have at most {_MAX_POLICY_TYPES} entries")
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
