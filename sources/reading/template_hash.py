"""The hash of a pod template as a person wrote it: decides whether pods are replaced. Pure.

Taken of the file's own words, before conversion and defaulting, so that neither a new Berth version with new defaults
nor a new API version of the same manifest restarts anything. Quantities count by their amount: `1000m` written as `1`
is the same template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from objects.api.meta import KubeObject
from objects.errors import InvalidInput
from objects.hashing import template_hash
from objects.names import ANNOTATION_TEMPLATE_HASH
from objects.values.quantity import (
    Form,
    Quantity,
    canonical,
    nano_value,
)

_TEMPLATE_FIELDS = {
    "Deployment": "template",
    "ReplicaSet": "template",
    "ReplicationController": "template",
    "StatefulSet": "template",
    "PetSet": "template",
    "DaemonSet": "template",
    "Job": "template",
    "CronJob": "jobTemplate",
    "ScheduledJob": "jobTemplate",
}


def hash_as_written(manifest: Mapping[str, Any]) -> str | None:
    """The hash of the template in a manifest, of a bare Pod itself; None for kinds that run nothing.

    A Pod's labels and annotations count as its template's would: changing them in Git makes another pod.
    """
    kind, spec = manifest.get("kind"), manifest.get("spec")
    if kind == "Pod":
        metadata = manifest.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        annotations = metadata.get("annotations")
        if isinstance(annotations, Mapping):
            annotations = {key: text for key, text in annotations.items() if key != ANNOTATION_TEMPLATE_HASH}
        head = {"labels": metadata.get("labels"), "annotations": annotations}
        return template_hash({"metadata": head, "spec": _with_plain_amounts(spec)})
    field = _TEMPLATE_FIELDS.get(kind) if isinstance(kind, str) else None
    if field is None or not isinstance(spec, Mapping):
        return None
    return template_hash(_with_plain_amounts(spec.get(field)))


_QUANTITIES = frozenset({"sizeLimit", "divisor"})
_LISTS_OF_QUANTITIES = frozenset({"limits", "requests", "overhead"})


def _with_plain_amounts(value: Any, key: str = "") -> Any:
    """`value` with each quantity in its canonical text; what cannot be read stays as it is."""
    if isinstance(value, Mapping):
        if key in _LISTS_OF_QUANTITIES:
            return {name: _canonical(amount) for name, amount in value.items()}
        return {name: _with_plain_amounts(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [_with_plain_amounts(part) for part in value]
    return _canonical(value) if key in _QUANTITIES else value


def _canonical(amount: Any) -> Any:
    """One text for an amount, whatever suffix it was written with: the shorter of both forms, decimal when alike.

    So what people mostly write stays as it is, and so does its hash: a new Berth restarts nobody for a spelling.

    64Mi -> 64Mi    1024Mi, 1073741824 -> 1Gi    500M -> 500M    0.5, 500m -> 500m    1, 1000m -> 1
    """
    try:
        if not isinstance(amount, str | int | float):
            return amount
        nanos = nano_value(amount)
        decimal, binary = (canonical(Quantity(nanos, form)) for form in (Form.DECIMAL, Form.BINARY))
        return binary if len(binary) < len(decimal) else decimal
    except InvalidInput:
        return amount


def with_template_hash(obj: KubeObject, hash_text: str | None) -> KubeObject:
    """`obj` with the hash in its annotations, where the controllers look for it."""
    if hash_text is None:
        return obj
    annotations = {**obj.metadata.annotations, ANNOTATION_TEMPLATE_HASH: hash_text}
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, annotations=annotations))
