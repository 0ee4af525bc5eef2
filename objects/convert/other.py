"""Old Ingresses, disruption budgets, endpoint slices, volume claims and storage classes."""

from __future__ import annotations

from typing import Any

from objects.convert.raw import Raw, Warnings, mapping_at, mappings_in
from objects.fields import FieldPath

CLAIM_CLASS = "volume.beta.kubernetes.io/storage-class"
DEFAULT_CLASS = "storageclass.beta.kubernetes.io/is-default-class"


def ingress(raw: Raw, warnings: Warnings) -> None:
    """`serviceName`/`servicePort` became a service backend; a path without type is ImplementationSpecific."""
    spec = mapping_at(raw, "spec")
    if spec is None:
        return
    if "backend" in spec:
        warnings.move(("spec", "backend"), ("spec", "defaultBackend"))
        spec["defaultBackend"] = _backend(
            spec.pop("backend"), ("spec", "defaultBackend"), ("spec", "backend"), warnings
        )
    rules = spec.get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else ()):
        paths = (mapping_at(rule, "http") or {}).get("paths") if isinstance(rule, dict) else None
        for number, path in enumerate(paths if isinstance(paths, list) else ()):
            if not isinstance(path, dict):
                continue
            path.setdefault("pathType", "ImplementationSpecific")
            if "backend" in path:
                place = ("spec", "rules", index, "http", "paths", number, "backend")
                path["backend"] = _backend(path["backend"], place, place, warnings)


def _backend(backend: Any, new: FieldPath, old: FieldPath, warnings: Warnings) -> Any:
    if not isinstance(backend, dict) or "serviceName" not in backend:
        return backend
    warnings.move((*old, "serviceName"), (*new, "service", "name"))
    warnings.move((*old, "servicePort"), (*new, "service", "port"))
    rest = {key: value for key, value in backend.items() if key not in ("serviceName", "servicePort")}
    port = backend.get("servicePort")
    if isinstance(port, str) and port.isascii() and port.isdigit():
        port = int(port)
    return {**rest, "service": {"name": backend["serviceName"], "port": {_port_field(port): port}}}


def _port_field(port: object) -> str:
    return "name" if isinstance(port, str) else "number"


def budget(raw: Raw, warnings: Warnings) -> None:
    """policy/v1beta1: an empty selector selected nothing; in policy/v1 it selects everything."""
    spec = mapping_at(raw, "spec")
    if spec is not None and spec.get("selector") == {}:
        del spec["selector"]
        warnings.add("is empty, which selected no pods in policy/v1beta1: kept so", ("spec", "selector"))


def endpoint_slice(raw: Raw, _: Warnings) -> None:
    """discovery.k8s.io/v1beta1: `topology` held what are fields of their own now."""
    for endpoint in mappings_in(raw.get("endpoints")):
        topology = endpoint.pop("topology", None)
        if isinstance(topology, dict):
            endpoint.setdefault("nodeName", topology.get("kubernetes.io/hostname"))
            endpoint.setdefault("zone", topology.get("topology.kubernetes.io/zone"))


def claim_class(raw: Raw, warnings: Warnings) -> None:
    """The class of claims and volumes was an annotation before it became a field."""
    spec, annotations = mapping_at(raw, "spec"), mapping_at(raw, "metadata", "annotations")
    if spec is not None and annotations is not None and CLAIM_CLASS in annotations:
        spec.setdefault("storageClassName", annotations.pop(CLAIM_CLASS))
        old = ("metadata", "annotations", CLAIM_CLASS)
        warnings.move(old, ("spec", "storageClassName"), "is read as spec.storageClassName")


def default_class(raw: Raw, warnings: Warnings) -> None:
    """The mark of the default storage class lost its `beta`."""
    annotations = mapping_at(raw, "metadata", "annotations")
    if annotations is not None and DEFAULT_CLASS in annotations:
        new = "storageclass.kubernetes.io/is-default-class"
        annotations.setdefault(new, annotations.pop(DEFAULT_CLASS))
        warnings.move(("metadata", "annotations", DEFAULT_CLASS), ("metadata", "annotations", new), f"is read as {new}")
