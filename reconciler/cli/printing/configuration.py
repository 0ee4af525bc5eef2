"""Rows of what pods are given: ConfigMap, Secret, accounts, roles, volumes and claims. No secret value is read."""

from __future__ import annotations

from typing import Final

from objects.api.core import ConfigMap, Secret
from objects.api.meta import KubeObject
from objects.api.rbac import ClusterRoleBinding, RoleBinding
from objects.api.services import ServiceAccount
from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from reconciler.cli.printing.durations import age
from reconciler.cli.printing.table import UNSET, Surroundings, TablePrinter, columns

_MODES: Final = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def plain_row(item: KubeObject, around: Surroundings) -> tuple[str, ...]:
    """Name and age: for kinds that have nothing else to tell in a line."""
    return item.name, age(item.metadata.creation_timestamp, around.now)


def _config_map(item: ConfigMap, around: Surroundings) -> tuple[str, ...]:
    count = len(item.data) + len(item.binary_data)
    return item.name, str(count), age(item.metadata.creation_timestamp, around.now)


def _secret(item: Secret, around: Surroundings) -> tuple[str, ...]:
    count = len(item.data.keys() | item.string_data.keys())
    return item.name, item.type or "Opaque", str(count), age(item.metadata.creation_timestamp, around.now)


def _service_account(item: ServiceAccount, around: Surroundings) -> tuple[str, ...]:
    return item.name, str(len(item.secrets)), age(item.metadata.creation_timestamp, around.now)


def _binding(item: RoleBinding | ClusterRoleBinding, around: Surroundings) -> tuple[str, ...]:
    subjects: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in item.subjects:
        named = f"{subject.namespace}/{subject.name}" if subject.kind == "ServiceAccount" else subject.name
        subjects.setdefault(subject.kind, []).append(named)
    return (
        item.name,
        f"{item.role_ref.kind}/{item.role_ref.name}",
        age(item.metadata.creation_timestamp, around.now),
        *(", ".join(subjects[kind]) for kind in ("User", "Group", "ServiceAccount")),
    )


# --- storage -------------------------------------------------------------------------------------------------------


def modes_text(modes: tuple[str, ...]) -> str:
    """`RWO,RWX`, each once."""
    return ",".join(_MODES.get(mode, mode) for mode in dict.fromkeys(modes))


def _volume(item: PersistentVolume, around: Surroundings) -> tuple[str, ...]:
    spec, claim = item.spec, item.spec.claim_ref
    return (
        item.name,
        str(spec.capacity.get("storage", "")),
        modes_text(spec.access_modes),
        spec.persistent_volume_reclaim_policy,
        "Terminating" if item.is_terminating else item.status.phase,
        f"{claim.namespace}/{claim.name}" if claim else "",
        spec.storage_class_name,
        spec.volume_attributes_class_name or UNSET,
        item.status.reason,
        age(item.metadata.creation_timestamp, around.now),
        spec.volume_mode or UNSET,
    )


def _claim(item: PersistentVolumeClaim, around: Surroundings) -> tuple[str, ...]:
    spec, is_bound = item.spec, bool(item.spec.volume_name)
    return (
        item.name,
        "Terminating" if item.is_terminating else item.status.phase,
        spec.volume_name,
        str(item.status.capacity.get("storage", "")) if is_bound else "",
        modes_text(item.status.access_modes) if is_bound else "",
        spec.storage_class_name or "",
        spec.volume_attributes_class_name or UNSET,
        age(item.metadata.creation_timestamp, around.now),
        spec.volume_mode or UNSET,
    )


def _storage_class(item: StorageClass, around: Surroundings) -> tuple[str, ...]:
    is_default = item.annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    return (
        item.name + (" (default)" if is_default else ""),
        item.provisioner,
        item.reclaim_policy or "Delete",
        item.volume_binding_mode or "Immediate",
        str(bool(item.allow_volume_expansion)).lower(),
        age(item.metadata.creation_timestamp, around.now),
    )


_BINDING: Final = TablePrinter(columns("NAME|ROLE|AGE", wide="USERS|GROUPS|SERVICEACCOUNTS"), _binding)
PLAIN_PRINTER: Final = TablePrinter(columns("NAME|AGE"), plain_row)
CONFIGURATION_PRINTERS: Final = {
    ConfigMap.KIND: TablePrinter(columns("NAME|DATA|AGE"), _config_map),
    Secret.KIND: TablePrinter(columns("NAME|TYPE|DATA|AGE"), _secret),
    ServiceAccount.KIND: TablePrinter(columns("NAME|SECRETS|AGE"), _service_account),
    RoleBinding.KIND: _BINDING,
    ClusterRoleBinding.KIND: _BINDING,
    PersistentVolume.KIND: TablePrinter(
        columns(
            "NAME|CAPACITY|ACCESS MODES|RECLAIM POLICY|STATUS|CLAIM|STORAGECLASS|VOLUMEATTRIBUTESCLASS|REASON|AGE",
            wide="VOLUMEMODE",
        ),
        _volume,
    ),
    PersistentVolumeClaim.KIND: TablePrinter(
        columns("NAME|STATUS|VOLUME|CAPACITY|ACCESS MODES|STORAGECLASS|VOLUMEATTRIBUTESCLASS|AGE", wide="VOLUMEMODE"),
        _claim,
    ),
    StorageClass.KIND: TablePrinter(
        columns("NAME|PROVISIONER|RECLAIMPOLICY|VOLUMEBINDINGMODE|ALLOWVOLUMEEXPANSION|AGE"), _storage_class
    ),
}
