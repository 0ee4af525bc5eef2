"""The hash of a pod template as a person wrote it: decides whether pods are replaced. Pure.

Taken of the file's own words, before conversion and defaulting, so that neither a new Berth version with new defaults
nor a new API version of the same manifest restarts anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from objects.hashing import template_hash
from objects.meta import KubeObject
from objects.names import ANNOTATION_TEMPLATE_HASH

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
        return template_hash({"metadata": {"labels": metadata.get("labels"), "annotations": annotations}, "spec": spec})
    field = _TEMPLATE_FIELDS.get(kind) if isinstance(kind, str) else None
    if field is None or not isinstance(spec, Mapping):
        return None
    return template_hash(spec.get(field))


def with_template_hash(obj: KubeObject, hash_text: str | None) -> KubeObject:
    """`obj` with the hash in its annotations, where the controllers look for it."""
    if hash_text is None:
        return obj
    annotations = {**obj.metadata.annotations, ANNOTATION_TEMPLATE_HASH: hash_text}
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, annotations=annotations))
