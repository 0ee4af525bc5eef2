"""Volumes of pods: one source each, and what that source needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from objects.api.volumes import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from objects.defaults.pods import VOLUME_SOURCES
from objects.fields import FieldPath
from objects.syntax import config_key_problem, dns_label_problem, dns_subdomain_problem
from objects.validation.containers import VOLUME_FIELDS, check_field, check_resource_field, inside_path_problem
from objects.validation.found import Found
from objects.validation.storage import check_claim_spec

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
    items = tuple(items)
    for index, item in enumerate(items):
        place = (*path, "items", index)
        found.text((*place, "key"), item.key, config_key_problem)
        _check_file_path(found, (*place, "path"), item.path)
        found.number((*place, "mode"), item.mode, most=_MAX_MODE)
    found.unique((*path, "items"), (((i, "path"), item.path) for i, item in enumerate(items)), "path")


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
