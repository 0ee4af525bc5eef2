"""Defaults of claims, persistent volumes and storage classes."""

from __future__ import annotations

from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from objects.defaults.fill import change, fill


def default_claim(obj: PersistentVolumeClaim) -> PersistentVolumeClaim:
    return change(obj, spec=fill(obj.spec, volume_mode="Filesystem"))


def default_volume(obj: PersistentVolume) -> PersistentVolume:
    """Data is kept when its claim is gone, unless the volume says otherwise."""
    spec = fill(obj.spec, volume_mode="Filesystem", persistent_volume_reclaim_policy="Retain")
    if spec.iscsi is not None:
        spec = change(spec, iscsi=fill(spec.iscsi, iscsi_interface="default"))
    if spec.rbd is not None:
        spec = change(spec, rbd=fill(spec.rbd, pool="rbd", user="admin", keyring="/etc/ceph/keyring"))
    return change(obj, spec=spec)


def default_storage_class(obj: StorageClass) -> StorageClass:
    return fill(obj, reclaim_policy="Delete", volume_binding_mode="Immediate")
