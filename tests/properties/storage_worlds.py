"""Random claims, volumes and classes for the scheduler's properties; see `scheduling_worlds`."""

from __future__ import annotations

import msgspec

from objects.api.meta import LabelSelector, ObjectMeta, ObjectReference
from objects.api.pods import NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from objects.api.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeSpec,
    StorageClass,
    TopologySelectorLabelRequirement,
    TopologySelectorTerm,
    VolumeNodeAffinity,
)
from objects.api.volumes import (
    AWSElasticBlockStoreVolumeSource,
    GCEPersistentDiskVolumeSource,
    PersistentVolumeClaimVolumeSource,
    Volume,
    VolumeResourceRequirements,
)
from tests.properties.scheduling_worlds import Worlds

CLAIMS = ("c1", "c2", "c3", "c4", "c5")
VOLUMES = ("v1", "v2", "v3", "v4")
CLASSES = ("late", "made", "now")
ZONE = "topology.kubernetes.io/zone"


def classes() -> list[StorageClass]:
    """Waits for its pod and finds what is there; is made in two zones; binds at once."""
    where = TopologySelectorLabelRequirement(key=ZONE, values=("z1", "z2"))
    made = StorageClass(
        metadata=ObjectMeta(name="made"),
        provisioner="example.com/disks",
        volume_binding_mode="WaitForFirstConsumer",
        allowed_topologies=(TopologySelectorTerm(match_label_expressions=(where,)),),
    )
    late = msgspec.structs.replace(
        made, metadata=ObjectMeta(name="late"), provisioner="kubernetes.io/no-provisioner", allowed_topologies=()
    )
    now = StorageClass(metadata=ObjectMeta(name="now"), provisioner="example.com/disks")
    return [late, made, now]


def claim(draw: Worlds, namespace: str, name: str) -> PersistentVolumeClaim:
    is_bound = draw.happens(35)
    spec = PersistentVolumeClaimSpec(
        access_modes=(draw.one("ReadWriteOnce", "ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"),),
        storage_class_name=draw.one(*["late"] * 6, "made", "made", "now", "unknown"),
        resources=VolumeResourceRequirements(requests={"storage": draw.one("1Gi", "3Gi")}),
        selector=LabelSelector(match_labels={"disk": "ssd"}) if draw.happens(10) else None,
        volume_name=draw.one(*VOLUMES) if is_bound else "",
    )
    status = PersistentVolumeClaimStatus(phase="Bound" if is_bound else draw.one(*["Pending"] * 9, "Lost"))
    return PersistentVolumeClaim(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec, status=status)


def volume(draw: Worlds, name: str) -> PersistentVolume:
    zones = {draw.one(ZONE, "failure-domain.beta.kubernetes.io/zone"): draw.one("z1", "z2", "z1__z3")}
    labels = (zones if draw.happens(40) else {}) | ({"disk": "ssd"} if draw.happens(50) else {})
    on_host = NodeSelectorRequirement(key="metadata.name", operator="In", values=(f"n{draw.random.randrange(6)}",))
    by_label = NodeSelectorRequirement(key="disk", operator="In", values=("ssd",))
    term = draw.one(NodeSelectorTerm(match_fields=(on_host,)), NodeSelectorTerm(match_expressions=(by_label,)))
    kept_for = ObjectReference(namespace="default", name=draw.one(*CLAIMS)) if draw.happens(20) else None
    disk = AWSElasticBlockStoreVolumeSource(volume_id=draw.one("d1", "d2", "d3"))
    spec = PersistentVolumeSpec(
        capacity={"storage": draw.one("1Gi", "2Gi", "5Gi")},
        access_modes=("ReadWriteOnce", *draw.one((), ("ReadWriteMany", "ReadWriteOncePod"))),
        storage_class_name=draw.one("late", "late", "made"),
        claim_ref=kept_for,
        node_affinity=VolumeNodeAffinity(required=NodeSelector(node_selector_terms=(term,)))
        if draw.happens(50)
        else None,
        aws_elastic_block_store=disk if draw.happens(60) else None,
    )
    return PersistentVolume(metadata=ObjectMeta(name=name, labels=labels), spec=spec)


def mounts(draw: Worlds) -> tuple[Volume, ...]:
    """What a pod mounts: mostly claims, sometimes a disk by its name."""
    chosen = draw.random.sample(CLAIMS, draw.one(0, 1, 2, 2, 3))
    claims = [
        Volume(name=name, persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name=name)) for name in chosen
    ]
    if draw.happens(25):
        disk = AWSElasticBlockStoreVolumeSource(volume_id=draw.one("d1", "d2"), read_only=draw.happens(50))
        claims.append(Volume(name="ebs", aws_elastic_block_store=disk))
    if draw.happens(25):
        shared = GCEPersistentDiskVolumeSource(pd_name=draw.one("g1", "g2"), read_only=draw.happens(60))
        claims.append(Volume(name="gce", gce_persistent_disk=shared))
    return tuple(claims)
