"""The scheduler's rules about storage once more, plainly: see `reference_scheduler`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from objects.api.core import Node
from objects.api.pods import Pod
from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from objects.selectors import node_term_matches, selector_matches
from objects.values.quantity import value

ZONES = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
OLD_ZONES = {f"failure-domain.beta.kubernetes.io/{key.rpartition('/')[2]}": key for key in ZONES}


@dataclass
class Storage:
    claims: dict[tuple[str, str], PersistentVolumeClaim] = field(default_factory=dict)
    volumes: dict[str, PersistentVolume] = field(default_factory=dict)
    classes: dict[str, StorageClass] = field(default_factory=dict)

    def named_by(self, pod: Pod) -> Iterator[tuple[str, PersistentVolumeClaim | None]]:
        """Names of the claims that a pod mounts, and the claims as far as they exist."""
        for volume in pod.spec.volumes:
            if volume.persistent_volume_claim is not None:
                name = volume.persistent_volume_claim.claim_name
                yield name, self.claims.get((pod.namespace, name))

    def behind(self, pod: Pod) -> list[PersistentVolume]:
        """Volumes that a pod's claims name, as far as they exist."""
        claims = (claim for _, claim in self.named_by(pod) if claim is not None)
        return [self.volumes[claim.spec.volume_name] for claim in claims if claim.spec.volume_name in self.volumes]


# --- CheckVolumeBinding -------------------------------------------------------------------------------------------


def claims_can_be_had(pod: Pod, node: Node, storage: Storage) -> bool:
    waiting = []
    for _, claim in storage.named_by(pod):
        if claim is None or claim.status.phase == "Lost":
            return False
        if claim.spec.volume_name and claim.status.phase == "Bound":
            volume = storage.volumes.get(claim.spec.volume_name)
            if volume is None or not _reaches(volume, node):
                return False
        else:
            known = storage.classes.get(claim.spec.storage_class_name or "")
            if known is None or known.volume_binding_mode != "WaitForFirstConsumer":
                return False
            if claim not in waiting:
                waiting.append(claim)
    taken: set[str] = set()
    return all(_finds_one(claim, node, storage, taken) for claim in sorted(waiting, key=lambda c: (_size(c), c.name)))


def _size(claim: PersistentVolumeClaim) -> int:
    return value(claim.spec.resources.requests.get("storage", 0))


def _capacity(volume: PersistentVolume) -> int:
    return value(volume.spec.capacity.get("storage", 0))


def _reaches(volume: PersistentVolume, node: Node) -> bool:
    required = volume.spec.node_affinity.required if volume.spec.node_affinity is not None else None
    terms = required.node_selector_terms if required is not None else None
    return terms is None or any(node_term_matches(term, labels=node.labels, name=node.name) for term in terms)


def _finds_one(claim: PersistentVolumeClaim, node: Node, storage: Storage, taken: set[str]) -> bool:
    candidates = [
        volume
        for volume in storage.volumes.values()
        if volume.name not in taken and _suits(volume, claim) and _reaches(volume, node)
    ]
    if candidates:
        taken.add(min(candidates, key=lambda v: (v.spec.claim_ref is None, _capacity(v), v.name)).name)
        return True
    known = storage.classes[claim.spec.storage_class_name or ""]
    if known.provisioner in ("", "kubernetes.io/no-provisioner"):
        return False
    topologies = [one.match_label_expressions for one in known.allowed_topologies]
    return not topologies or any(all(node.labels.get(e.key) in e.values for e in one) for one in topologies)


def _suits(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    spec, owner = volume.spec, volume.spec.claim_ref
    if owner is not None and (owner.namespace, owner.name) != (claim.namespace, claim.name):
        return False
    return (
        spec.storage_class_name == (claim.spec.storage_class_name or "")
        and set(claim.spec.access_modes) <= set(spec.access_modes)
        and _capacity(volume) >= _size(claim)
        and (claim.spec.selector is None or selector_matches(claim.spec.selector, volume.labels))
    )


# --- the others ---------------------------------------------------------------------------------------------------


def zones_agree(pod: Pod, node: Node, storage: Storage) -> bool:
    """NoVolumeZoneConflict: a host that says nothing of zones takes all."""
    if not any(key in node.labels for key in (*ZONES, *OLD_ZONES)):
        return True
    for volume in storage.behind(pod):
        for key, text in volume.labels.items():
            if key in ZONES or key in OLD_ZONES:
                here = node.labels.get(key, node.labels.get(OLD_ZONES.get(key, key)))
                if here not in text.split("__"):
                    return False
    return True


def disks_are_free(pod: Pod, node: Node, pods: Iterable[Pod], storage: Storage) -> bool:
    """NoDiskConflict. pods: all that are on hosts."""
    for name, claim in storage.named_by(pod):
        if claim is not None and "ReadWriteOncePod" in claim.spec.access_modes:
            used = (known for one in pods if one.namespace == pod.namespace for known, _ in storage.named_by(one))
            if name in used:
                return False
    held = [disk for one in pods if one.node_name == node.name for disk in _disks(one)]
    return not any(
        (kind, name) == (other_kind, other_name) and (kind == "ebs" or not (read_only and other_read_only))
        for kind, name, read_only in _disks(pod)
        for other_kind, other_name, other_read_only in held
    )


def _disks(pod: Pod) -> Iterator[tuple[str, str, bool]]:
    for volume in pod.spec.volumes:
        if volume.aws_elastic_block_store is not None:
            yield "ebs", volume.aws_elastic_block_store.volume_id, volume.aws_elastic_block_store.read_only
        elif volume.gce_persistent_disk is not None:
            yield "gce", volume.gce_persistent_disk.pd_name, volume.gce_persistent_disk.read_only


def attachments_fit(pod: Pod, node: Node, pods: Iterable[Pod], storage: Storage) -> bool:
    """MaxVolumeCount, for EBS, the one kind that these worlds attach. pods: all that are on hosts."""
    limit = node.status.allocatable.get("attachable-volumes-aws-ebs")
    wanted = _attached((pod,), storage)
    if limit is None or not wanted:
        return True
    return len(wanted | _attached((one for one in pods if one.node_name == node.name), storage)) <= value(limit)


def _attached(pods: Iterable[Pod], storage: Storage) -> set[str]:
    return {
        volume.spec.aws_elastic_block_store.volume_id
        for pod in pods
        for volume in storage.behind(pod)
        if volume.spec.aws_elastic_block_store is not None
    }
