"""PersistentVolume, PersistentVolumeClaim (core/v1) and StorageClass (storage.k8s.io/v1)."""

from __future__ import annotations

from typing import ClassVar

from objects.meta import Condition, KubeObject, KubeStruct, ResourceList
from objects.volumes import (
    PersistentVolumeClaimSpec,
)


class PersistentVolumeClaimStatus(KubeStruct):
    phase: str = ""
    access_modes: tuple[str, ...] = ()
    capacity: ResourceList = {}
    conditions: tuple[Condition, ...] = ()
    allocated_resources: ResourceList = {}


class PersistentVolumeClaim(KubeObject):
    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "PersistentVolumeClaim"

    spec: PersistentVolumeClaimSpec = PersistentVolumeClaimSpec()
    status: PersistentVolumeClaimStatus = PersistentVolumeClaimStatus()
