"""Rows of services, endpoints, ingresses and network policies."""

from __future__ import annotations

from typing import Final

from objects.api.networking import Ingress, IngressClass, NetworkPolicy
from objects.api.services import Endpoints, EndpointSlice, Service
from reconciler.cli.printing.durations import age
from reconciler.cli.printing.table import NONE, UNSET, Surroundings, TablePrinter, columns, joined, labels_text
from reconciler.cli.printing.workloads import selector_text


def _service(item: Service, around: Surroundings) -> tuple[str, ...]:
    spec = item.spec
    ports = (
        f"{port.port}:{port.node_port}/{port.protocol or 'TCP'}"
        if port.node_port
        else f"{port.port}/{port.protocol or 'TCP'}"
        for port in spec.ports
    )
    return (
        item.name,
        spec.type or "ClusterIP",
        spec.cluster_ip or NONE,
        _external(item),
        joined(ports),
        age(item.metadata.creation_timestamp, around.now),
        labels_text(spec.selector),
    )


def _external(item: Service) -> str:
    spec = item.spec
    match spec.type:
        case "ExternalName":
            return spec.external_name
        case "LoadBalancer":
            given = [entry.ip or entry.hostname for entry in item.status.load_balancer.ingress]
            return joined([*given, *spec.external_ips], empty="<pending>")
        case _:
            return joined(spec.external_ips)


def _shortened(texts: list[str]) -> str:
    """Three at most, then how many more."""
    more = f" + {len(texts) - 3} more..." if len(texts) > 3 else ""
    return joined(texts[:3]) + more


def _endpoints(item: Endpoints, around: Surroundings) -> tuple[str, ...]:
    ready: list[str] = []
    for subset in item.subsets:
        if not subset.ports:
            ready += [address.ip for address in subset.addresses]
        ready += [f"{address.ip}:{port.port}" for port in subset.ports for address in subset.addresses]
    return item.name, _shortened(ready), age(item.metadata.creation_timestamp, around.now)


def _slice(item: EndpointSlice, around: Surroundings) -> tuple[str, ...]:
    ports = [UNSET if port.port is None else str(port.port) for port in item.ports]
    addresses = [address for endpoint in item.endpoints for address in endpoint.addresses]
    return (
        item.name,
        item.address_type,
        _shortened(ports) if ports else UNSET,
        _shortened(addresses) if addresses else UNSET,
        age(item.metadata.creation_timestamp, around.now),
    )


def _ingress(item: Ingress, around: Surroundings) -> tuple[str, ...]:
    hosts = [rule.host or "*" for rule in item.spec.rules]
    given = item.status.load_balancer.ingress
    return (
        item.name,
        item.spec.ingress_class_name or NONE,
        _shortened(hosts) if hosts else "*",
        joined((entry.ip or entry.hostname for entry in given), empty=""),
        "80, 443" if item.spec.tls else "80",
        age(item.metadata.creation_timestamp, around.now),
    )


def _ingress_class(item: IngressClass, around: Surroundings) -> tuple[str, ...]:
    given = item.spec.parameters
    parameters = (
        NONE if given is None else f"{given.kind}{f'.{given.api_group}' if given.api_group else ''}/{given.name}"
    )
    return item.name, item.spec.controller, parameters, age(item.metadata.creation_timestamp, around.now)


def _network_policy(item: NetworkPolicy, around: Surroundings) -> tuple[str, ...]:
    return item.name, selector_text(item.spec.pod_selector), age(item.metadata.creation_timestamp, around.now)


NETWORK_PRINTERS: Final = {
    Service.KIND: TablePrinter(columns("NAME|TYPE|CLUSTER-IP|EXTERNAL-IP|PORT(S)|AGE", wide="SELECTOR"), _service),
    Endpoints.KIND: TablePrinter(columns("NAME|ENDPOINTS|AGE"), _endpoints),
    EndpointSlice.KIND: TablePrinter(columns("NAME|ADDRESSTYPE|PORTS|ENDPOINTS|AGE"), _slice),
    Ingress.KIND: TablePrinter(columns("NAME|CLASS|HOSTS|ADDRESS|PORTS|AGE"), _ingress),
    IngressClass.KIND: TablePrinter(columns("NAME|CONTROLLER|PARAMETERS|AGE"), _ingress_class),
    NetworkPolicy.KIND: TablePrinter(columns("NAME|POD-SELECTOR|AGE"), _network_policy),
}
