"""Persistent volumes, claims and storage classes."""

from __future__ import annotations

from collections.abc import Mapping

from objects.api.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeSpec,
    StorageClass,
)
from objects.api.volumes import PersistentVolumeClaimSpec
from objects.fields import FieldPath
from objects.syntax import dns_subdomain_problem, label_key_problem
from objects.validation.found import Found
from objects.validation.metadata import check_selector
from objects.validation.placement import check_node_selector

_ACCESS_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
_NO_SOURCES = frozenset(
    {
        "capacity",
        "access_modes",
        "persistent_volume_reclaim_policy",
        "storage_class_name",
        "volume_mode",
        "mount_options",
        "node_affinity",
        "claim_ref",
        "volume_attributes_class_name",
    }
)
PERSISTENT_SOURCES: Mapping[str, str] = {
    name: wire
    for name, wire in zip(
        PersistentVolumeSpec.__struct_fields__, PersistentVolumeSpec.__struct_encode_fields__, strict=True
    )
    if name not in _NO_SOURCES
}
"""The fields of a PersistentVolumeSpec of which exactly one is set, and how they are written in a file."""


def check_claim(found: Found, obj: PersistentVolumeClaim) -> None:
    check_claim_spec(found, ("spec",), obj.spec)


def check_claim_spec(found: Found, path: FieldPath, spec: PersistentVolumeClaimSpec) -> None:
    """The spec of a claim or claim template."""
    _check_access_modes(found, path, spec.access_modes)
    storage = spec.resources.requests.get("storage")
    if storage is None:
        found.add((*path, "resources", "requests", "storage"), "is required")
    else:
        found.quantity((*path, "resources", "requests", "storage"), storage, positive=True)
    limit = spec.resources.limits.get("storage")
    if limit is not None and found.quantity((*path, "resources", "limits", "storage"), limit) and storage is not None:
        found.at_most((*path, "resources", "requests", "storage"), storage, limit, "limit")
    found.choice((*path, "volumeMode"), spec.volume_mode, ("Filesystem", "Block"))
    if spec.storage_class_name:
        found.text((*path, "storageClassName"), spec.storage_class_name, dns_subdomain_problem)
    check_selector(found, (*path, "selector"), spec.selector)


def _check_access_modes(found: Found, path: FieldPath, modes: tuple[str, ...]) -> None:
    if not modes:
        found.add((*path, "accessModes"), "must have at least one mode", f"allowed: {', '.join(_ACCESS_MODES)}")
    for index, mode in enumerate(modes):
        found.choice((*path, "accessModes", index), mode, _ACCESS_MODES)
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        found.add((*path, "accessModes"), "ReadWriteOncePod cannot be combined with other modes")


def check_persistent_volume(found: Found, obj: PersistentVolume) -> None:
    spec, path = obj.spec, ("spec",)
    _check_access_modes(found, path, spec.access_modes)
    if "storage" not in spec.capacity:
        found.add((*path, "capacity", "storage"), "is required")
    for name, quantity in spec.capacity.items():
        if name != "storage":
            found.add((*path, "capacity", name), "is not allowed: a volume only has storage")
        else:
            found.quantity((*path, "capacity", name), quantity, positive=True)
    sources = [wire for name, wire in PERSISTENT_SOURCES.items() if getattr(spec, name) is not None]
    found.only_one(path, sources, "a source")
    found.choice(
        (*path, "persistentVolumeReclaimPolicy"),
        spec.persistent_volume_reclaim_policy,
        ("Retain", "Delete", "Recycle"),
    )
    found.choice((*path, "volumeMode"), spec.volume_mode, ("Filesystem", "Block"))
    if spec.storage_class_name:
        found.text((*path, "storageClassName"), spec.storage_class_name, dns_subdomain_problem)
    _check_persistent_source(found, path, spec)


def _check_persistent_source(found: Found, path: FieldPath, spec: PersistentVolumeSpec) -> None:
    if spec.host_path is not None:
        if found.require((*path, "hostPath", "path"), spec.host_path.path) and ".." in spec.host_path.path.split("/"):
            found.add((*path, "hostPath", "path"), "must not hold '..'")
        if spec.host_path.path == "/" and spec.persistent_volume_reclaim_policy == "Recycle":
            found.add((*path, "persistentVolumeReclaimPolicy"), "must not be Recycle for the host path '/'")
    if spec.nfs is not None and not spec.nfs.path.startswith("/"):
        found.add((*path, "nfs", "path"), "must be an absolute path")
    required = spec.node_affinity.required if spec.node_affinity else None
    if required is not None:
        check_node_selector(found, (*path, "nodeAffinity", "required"), required)
    if spec.local is not None:
        found.require((*path, "local", "path"), spec.local.path)
        if required is None:
            found.add((*path, "nodeAffinity"), "is required for a local volume: it says which host has it")


def check_storage_class(found: Found, obj: StorageClass) -> None:
    if found.require(("provisioner",), obj.provisioner):
        found.text(("provisioner",), obj.provisioner.lower(), label_key_problem)
    found.choice(("reclaimPolicy",), obj.reclaim_policy, ("Delete", "Retain"))
    found.choice(("volumeBindingMode",), obj.volume_binding_mode, ("Immediate", "WaitForFirstConsumer"))
    for index, term in enumerate(obj.allowed_topologies):
        for number, expression in enumerate(term.match_label_expressions):
            place = ("allowedTopologies", index, "matchLabelExpressions", number)
            found.text((*place, "key"), expression.key, label_key_problem)
            found.require((*place, "values"), expression.values)
