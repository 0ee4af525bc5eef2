"""Claims, volumes and classes as the scheduler sees them, and which volumes claims could get on a host.

Binding is the work of the volume controllers; `choose_volumes` says which volumes a pod's unbound claims should get on
the host that was chosen for it. Rules: kube-scheduler `volumebinding` (tables of the same name).
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeVar

from objects.api.pods import NodeSelector
from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from objects.api.volumes import Volume
from objects.selectors import selector_matches
from objects.values.quantity import value

Key = TypeVar("Key")
Value = TypeVar("Value")

BIND_COMPLETED: Final = "pv.kubernetes.io/bind-completed"
NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"
SINGLE_POD: Final = "ReadWriteOncePod"

_ZONE_LABELS: Final = {
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
"""Labels of a volume that say where it is, and today's name of each."""
_SEVERAL_ZONES: Final = "__"


class VolumeIndex:
    """What is known of storage. version moves with every change."""

    def __init__(self) -> None:
        self.claims: dict[tuple[str, str], PersistentVolumeClaim] = {}
        self.volumes: dict[str, PersistentVolume] = {}
        self.classes: dict[str, StorageClass] = {}
        self.version = 0

    def set_claim(self, namespace: str, name: str, claim: PersistentVolumeClaim | None) -> None:
        """Take over or forget (None) a claim."""
        self._set(self.claims, (namespace, name), claim)

    def set_volume(self, name: str, volume: PersistentVolume | None) -> None:
        self._set(self.volumes, name, volume)

    def set_class(self, name: str, storage_class: StorageClass | None) -> None:
        self._set(self.classes, name, storage_class)

    def _set(self, known: dict[Key, Value], key: Key, new: Value | None) -> None:
        if known.get(key) == new:
            return
        if new is None:
            del known[key]
        else:
            known[key] = new
        self.version += 1

    def problem_of(self, namespace: str, name: str) -> str:
        """Why no host will do for a pod that uses a claim, whatever it has; '' when some may."""
        claim = self.claims.get((namespace, name))
        if claim is None:
            return f'claim "{name}" not found'
        if claim.is_terminating:
            return f'claim "{name}" is being deleted'
        if claim.status.phase == "Lost" or (is_bound(claim) and claim.spec.volume_name not in self.volumes):
            return f'claim "{name}" is bound to volume "{claim.spec.volume_name}", which does not exist'
        if not is_bound(claim) and not self.waits_for_pod(claim):
            return f'claim "{name}" is not bound yet'
        return ""

    def waits_for_pod(self, claim: PersistentVolumeClaim) -> bool:
        """Whether an unbound claim is bound only when its first pod has a host (`WaitForFirstConsumer`)."""
        known = self.classes.get(claim.spec.storage_class_name or "")
        return known is not None and known.volume_binding_mode == "WaitForFirstConsumer"


def is_bound(claim: PersistentVolumeClaim) -> bool:
    return bool(claim.spec.volume_name) and (claim.status.phase == "Bound" or BIND_COMPLETED in claim.annotations)


def required_topology(volume: PersistentVolume) -> NodeSelector | None:
    """The hosts that can reach a volume; None: all."""
    return volume.spec.node_affinity.required if volume.spec.node_affinity else None


def zones_of(volume: PersistentVolume) -> list[tuple[str, str, frozenset[str]]]:
    """Where a volume says it is: label, today's name of that label, and the values that will do."""
    return [
        (key, _ZONE_LABELS[key], frozenset(text.split(_SEVERAL_ZONES)))
        for key, text in sorted(volume.labels.items())
        if key in _ZONE_LABELS
    ]


ZONE_KEYS: Final = tuple(_ZONE_LABELS)


# --- matching unbound claims --------------------------------------------------------------------------------------


def suits(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether an available volume fulfils all that a claim asks for, but for where it is."""
    spec, asked = volume.spec, claim.spec
    owner = spec.claim_ref
    if owner is not None and (owner.namespace, owner.name) != (claim.namespace, claim.name):
        return False
    if owner is not None and owner.uid and owner.uid != claim.uid:
        return False
    return (
        not volume.is_terminating
        and volume.status.phase not in ("Released", "Failed")
        and spec.storage_class_name == (asked.storage_class_name or "")
        and (spec.volume_mode or "Filesystem") == (asked.volume_mode or "Filesystem")
        and set(asked.access_modes) <= set(spec.access_modes)
        and value(spec.capacity.get("storage", 0)) >= requested_bytes(claim)
        and (asked.selector is None or selector_matches(asked.selector, volume.labels))
    )


def requested_bytes(claim: PersistentVolumeClaim) -> int:
    return value(claim.spec.resources.requests.get("storage", 0))


def preferred_first(volume: PersistentVolume) -> tuple[bool, int, str]:
    """Sort key: volumes kept for the claim, then the smallest, then by name."""
    return volume.spec.claim_ref is None, value(volume.spec.capacity.get("storage", 0)), volume.name


# --- disks that a pod names itself --------------------------------------------------------------------------------


class Disk(NamedTuple):
    """A disk outside the cluster that a pod mounts without a claim. monitors: of RBD only."""

    kind: str
    name: str
    read_only: bool
    monitors: frozenset[str] = frozenset()

    def conflicts(self, other: Disk) -> bool:
        """Whether both cannot be mounted on one host. EBS has one user at all; the others may share to read."""
        if (self.kind, self.name) != (other.kind, other.name):
            return False
        if self.monitors and not self.monitors & other.monitors:
            return False
        return self.kind == "aws-ebs" or not (self.read_only and other.read_only)


def disks_of(volumes: tuple[Volume, ...]) -> tuple[Disk, ...]:
    return tuple(disk for volume in volumes if (disk := _disk_of(volume)) is not None)


def _disk_of(volume: Volume) -> Disk | None:
    if volume.gce_persistent_disk is not None:
        return Disk("gce-pd", volume.gce_persistent_disk.pd_name, volume.gce_persistent_disk.read_only)
    if volume.aws_elastic_block_store is not None:
        return Disk("aws-ebs", volume.aws_elastic_block_store.volume_id, volume.aws_elastic_block_store.read_only)
    if volume.iscsi is not None:
        return Disk("iscsi", volume.iscsi.iqn, volume.iscsi.read_only)
    if volume.rbd is not None:
        image = f"{volume.rbd.pool or 'rbd'}/{volume.rbd.image}"
        return Disk("rbd", image, volume.rbd.read_only, frozenset(volume.rbd.monitors))
    return None


class Attachment(NamedTuple):
    """A volume that takes one of a host's places for attached volumes. kind: as in `attachable-volumes-KIND`."""

    kind: str
    name: str


def attachment_of(volume: PersistentVolume) -> Attachment | None:
    """How a volume is attached to a host; None when nothing is attached (hostPath, local, NFS …)."""
    spec = volume.spec
    if spec.csi is not None:
        return Attachment(f"csi-{spec.csi.driver}", spec.csi.volume_handle)
    if spec.aws_elastic_block_store is not None:
        return Attachment("aws-ebs", spec.aws_elastic_block_store.volume_id)
    if spec.gce_persistent_disk is not None:
        return Attachment("gce-pd", spec.gce_persistent_disk.pd_name)
    if spec.azure_disk is not None:
        return Attachment("azure-disk", spec.azure_disk.disk_name)
    if spec.cinder is not None:
        return Attachment("cinder", spec.cinder.volume_id)
    if spec.iscsi is not None:
        return Attachment("iscsi", f"{spec.iscsi.iqn}:{spec.iscsi.lun}")
    if spec.rbd is not None:
        return Attachment("rbd", f"{spec.rbd.pool or 'rbd'}/{spec.rbd.image}")
    return None
