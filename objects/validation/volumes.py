"""Volumes of pods, one source each; claims, persistent volumes and classes of storage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from objects.api.storage import PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec, StorageClass
from objects.api.volumes import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from objects.defaults.pods import VOLUME_SOURCES
from objects.fields import FieldPath
from objects.syntax import config_key_problem, dns_label_problem, dns_subdomain_problem, label_key_problem
from objects.validation.containers import VOLUME_FIELDS, check_field, check_resource_field, inside_path_problem
from objects.validation.found import Found
from objects.validation.metadata import check_selector
from objects.validation.placement import check_node_selector

_MAX_MODE = 0o777
HOST_PATH_TYPES = (
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)
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
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "csi": ("driver", "volume_handle"),
    "iscsi": ("target_portal", "iqn"),
    "rbd": ("monitors", "image"),
    "cephfs": ("monitors",),
    "flex_volume": ("driver",),
    "azure_file": ("secret_name", "share_name"),
    "azure_disk": ("disk_name", "disk_uri"),
    "gce_persistent_disk": ("pd_name",),
    "aws_elastic_block_store": ("volume_id",),
    "cinder": ("volume_id",),
    "glusterfs": ("endpoints", "path"),
    "vsphere_volume": ("volume_path",),
    "photon_persistent_disk": ("pd_id",),
    "portworx_volume": ("volume_id",),
    "quobyte": ("registry", "volume"),
    "scale_io": ("gateway", "system", "volume_name"),
}
"""What a source of another system cannot be without; that system judges the rest."""
_MAX_PARAMETERS = 512
_MAX_PARAMETER_BYTES = 256 * 1024
_WIRE_NAMES: Mapping[str, str] = {
    name: wire
    for name, wire in zip(Volume.__struct_fields__, Volume.__struct_encode_fields__, strict=True)
    if name in VOLUME_SOURCES
}


def check_volumes(found: Found, path: FieldPath, volumes: tuple[Volume, ...]) -> None:
    """path: of the pod's spec."""
    for index, volume in enumerate(volumes):
        place = (*path, "volumes", index)
        found.text((*place, "name"), volume.name, dns_label_problem)
        sources = [wire for name, wire in _WIRE_NAMES.items() if getattr(volume, name) is not None]
        if len(sources) > 1:
            found.only_one(place, sources, "a source")
        for name, check in _CHECKS.items():
            source = getattr(volume, name)
            if source is not None:
                check(found, (*place, _WIRE_NAMES[name]), source)
    names = (((index, "name"), volume.name) for index, volume in enumerate(volumes))
    found.unique((*path, "volumes"), names, "volume name")


def _check_empty_dir(found: Found, path: FieldPath, source: EmptyDirVolumeSource) -> None:
    if source.medium not in ("", "Memory", "HugePages") and not source.medium.startswith("HugePages-"):
        found.add((*path, "medium"), f"'{source.medium}' is not one of Memory, HugePages, HugePages-<size>, or empty")
    if source.size_limit is not None:
        found.quantity((*path, "sizeLimit"), source.size_limit)


def _check_host_path(found: Found, path: FieldPath, source: HostPathVolumeSource) -> None:
    if found.require((*path, "path"), source.path) and ".." in source.path.split("/"):
        found.add((*path, "path"), "must not hold '..'")
    found.choice((*path, "type"), source.type, HOST_PATH_TYPES)


def _check_config_map(found: Found, path: FieldPath, source: ConfigMapVolumeSource) -> None:
    found.require((*path, "name"), source.name)
    _check_items(found, path, source.items)
    found.number((*path, "defaultMode"), source.default_mode, most=_MAX_MODE)


def _check_secret(found: Found, path: FieldPath, source: SecretVolumeSource) -> None:
    found.require((*path, "secretName"), source.secret_name)
    _check_items(found, path, source.items)
    found.number((*path, "defaultMode"), source.default_mode, most=_MAX_MODE)


def _check_items(found: Found, path: FieldPath, items: Iterable[KeyToPath]) -> None:
    for index, item in enumerate(items):
        place = (*path, "items", index)
        found.text((*place, "key"), item.key, config_key_problem)
        _check_file_path(found, (*place, "path"), item.path)
        found.number((*place, "mode"), item.mode, most=_MAX_MODE)


def _check_file_path(found: Found, path: FieldPath, value: str) -> None:
    if not found.require(path, value):
        return
    found.text(path, value, inside_path_problem)
    if value.startswith("..") and not value.startswith("../"):
        found.add(path, "must not begin with '..'")


def _check_downward(found: Found, path: FieldPath, source: DownwardAPIVolumeSource) -> None:
    _check_downward_items(found, path, source.items)
    found.number((*path, "defaultMode"), source.default_mode, most=_MAX_MODE)


def _check_downward_items(found: Found, path: FieldPath, items: tuple[DownwardAPIVolumeFile, ...]) -> None:
    for index, item in enumerate(items):
        place = (*path, "items", index)
        _check_file_path(found, (*place, "path"), item.path)
        sources = {"fieldRef": item.field_ref, "resourceFieldRef": item.resource_field_ref}
        found.only_one(place, [name for name, value in sources.items() if value is not None], "a source")
        if item.field_ref is not None:
            check_field(found, (*place, "fieldRef"), item.field_ref, allowed=VOLUME_FIELDS)
        if item.resource_field_ref is not None:
            check_resource_field(found, (*place, "resourceFieldRef"), item.resource_field_ref)
            found.require((*place, "resourceFieldRef", "containerName"), item.resource_field_ref.container_name)
        found.number((*place, "mode"), item.mode, most=_MAX_MODE)


def _check_projected(found: Found, path: FieldPath, source: ProjectedVolumeSource) -> None:
    found.number((*path, "defaultMode"), source.default_mode, most=_MAX_MODE)
    for index, projection in enumerate(source.sources):
        _check_projection(found, (*path, "sources", index), projection)
    found.unique((*path, "sources"), _projected_paths(source), "path")


def _projected_paths(source: ProjectedVolumeSource) -> Iterator[tuple[FieldPath, str]]:
    """Where files come to lie, as far as the manifest says it: place below `sources`, path in the volume."""
    for index, one in enumerate(source.sources):
        paths = {
            "secret": [item.path for item in one.secret.items] if one.secret else [],
            "configMap": [item.path for item in one.config_map.items] if one.config_map else [],
            "downwardAPI": [item.path for item in one.downward_api.items] if one.downward_api else [],
        }
        for name, found in paths.items():
            for number, path in enumerate(found):
                yield (index, name, "items", number, "path"), path


def _check_projection(found: Found, path: FieldPath, projection: VolumeProjection) -> None:
    sources = {
        "secret": projection.secret,
        "configMap": projection.config_map,
        "downwardAPI": projection.downward_api,
        "serviceAccountToken": projection.service_account_token,
        "clusterTrustBundle": projection.cluster_trust_bundle,
        "podCertificate": projection.pod_certificate,
    }
    found.only_one(path, [name for name, value in sources.items() if value is not None], "a source")
    for name, keyed in (("secret", projection.secret), ("configMap", projection.config_map)):
        if keyed is not None:
            found.require((*path, name, "name"), keyed.name)
            _check_items(found, (*path, name), keyed.items)
    if projection.downward_api is not None:
        _check_downward_items(found, (*path, "downwardAPI"), projection.downward_api.items)
    if projection.service_account_token is not None:
        token = projection.service_account_token
        _check_file_path(found, (*path, "serviceAccountToken", "path"), token.path)
        found.number((*path, "serviceAccountToken", "expirationSeconds"), token.expiration_seconds, least=600)


def _check_claim(found: Found, path: FieldPath, source: PersistentVolumeClaimVolumeSource) -> None:
    if found.require((*path, "claimName"), source.claim_name):
        found.text((*path, "claimName"), source.claim_name, dns_subdomain_problem)


def check_nfs(found: Found, path: FieldPath, source: NFSVolumeSource) -> None:
    found.require((*path, "server"), source.server)
    if found.require((*path, "path"), source.path) and not source.path.startswith("/"):
        found.add((*path, "path"), "must be an absolute path")


def _check_ephemeral(found: Found, path: FieldPath, source: EphemeralVolumeSource) -> None:
    if source.volume_claim_template is None:
        found.add((*path, "volumeClaimTemplate"), "is required")
        return
    check_claim_spec(found, (*path, "volumeClaimTemplate", "spec"), source.volume_claim_template.spec)


_CHECKS: Mapping[str, Callable[[Found, FieldPath, Any], None]] = {
    "empty_dir": _check_empty_dir,
    "host_path": _check_host_path,
    "config_map": _check_config_map,
    "secret": _check_secret,
    "downward_api": _check_downward,
    "projected": _check_projected,
    "persistent_volume_claim": _check_claim,
    "nfs": check_nfs,
    "ephemeral": _check_ephemeral,
}


# --- claims, persistent volumes, classes --------------------------------------------------------------------------


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
    if limit is not None:
        found.quantity((*path, "resources", "limits", "storage"), limit)
    found.choice((*path, "volumeMode"), spec.volume_mode, ("Filesystem", "Block"))
    if spec.storage_class_name:
        found.text((*path, "storageClassName"), spec.storage_class_name, dns_subdomain_problem)
    if spec.volume_attributes_class_name:
        found.text((*path, "volumeAttributesClassName"), spec.volume_attributes_class_name, dns_subdomain_problem)
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
    for name, needed in _NEEDED.items():
        source = getattr(spec, name)
        if source is not None:
            written = dict(zip(source.__struct_fields__, source.__struct_encode_fields__, strict=True))
            for field in needed:
                found.require((*path, PERSISTENT_SOURCES[name], written[field]), getattr(source, field))
    if spec.host_path is not None:
        _check_host_path(found, (*path, "hostPath"), spec.host_path)
        if spec.host_path.path == "/" and spec.persistent_volume_reclaim_policy == "Recycle":
            found.add((*path, "persistentVolumeReclaimPolicy"), "must not be Recycle for the host path '/'")
    if spec.nfs is not None:
        check_nfs(found, (*path, "nfs"), spec.nfs)
    if spec.csi is not None and spec.csi.driver:
        found.text((*path, "csi", "driver"), spec.csi.driver.lower(), _driver_problem)
    if spec.volume_attributes_class_name is not None and spec.csi is None:
        found.add((*path, "volumeAttributesClassName"), "only makes sense with a csi volume")
    required = spec.node_affinity.required if spec.node_affinity else None
    if required is not None:
        check_node_selector(found, (*path, "nodeAffinity", "required"), required)
    elif spec.node_affinity is not None:
        found.add((*path, "nodeAffinity", "required"), "is required")
    if spec.local is not None:
        if found.require((*path, "local", "path"), spec.local.path) and ".." in spec.local.path.split("/"):
            found.add((*path, "local", "path"), "must not hold '..'")
        if spec.node_affinity is None:
            found.add((*path, "nodeAffinity"), "is required for a local volume: it says which host has it")


def _driver_problem(name: str) -> str:
    return dns_subdomain_problem(name) or ("" if len(name) <= 63 else "must be at most 63 characters long")


def check_storage_class(found: Found, obj: StorageClass) -> None:
    if found.require(("provisioner",), obj.provisioner):
        found.text(("provisioner",), obj.provisioner.lower(), label_key_problem)
    if len(obj.parameters) > _MAX_PARAMETERS:
        found.add(("parameters",), f"must have at most {_MAX_PARAMETERS} entries, not {len(obj.parameters)}")
    if sum(len(key) + len(value) for key, value in obj.parameters.items()) > _MAX_PARAMETER_BYTES:
        found.add(("parameters",), f"must be at most {_MAX_PARAMETER_BYTES} bytes in all")
    if "" in obj.parameters:
        found.add(("parameters",), "must not have an empty key")
    found.choice(("reclaimPolicy",), obj.reclaim_policy, ("Delete", "Retain"))
    found.choice(("volumeBindingMode",), obj.volume_binding_mode, ("Immediate", "WaitForFirstConsumer"))
    for index, term in enumerate(obj.allowed_topologies):
        for number, expression in enumerate(term.match_label_expressions):
            place = ("allowedTopologies", index, "matchLabelExpressions", number)
            found.text((*place, "key"), expression.key, label_key_problem)
            found.require((*place, "values"), expression.values)
            values = (((place_of,), value) for place_of, value in enumerate(expression.values))
            found.unique((*place, "values"), values, "value")
        keys = (((number, "key"), one.key) for number, one in enumerate(term.match_label_expressions))
        found.unique(("allowedTopologies", index, "matchLabelExpressions"), keys, "key")
    found.unique(("allowedTopologies",), _terms(obj), "term")


def _terms(obj: StorageClass) -> Iterator[tuple[FieldPath, object]]:
    """Place and meaning of each topology: the same keys and values in another order mean the same."""
    for index, term in enumerate(obj.allowed_topologies):
        meaning = {(one.key, value) for one in term.match_label_expressions for value in one.values}
        yield (index,), ", ".join(f"{key}={value}" for key, value in sorted(meaning))
