"""Tables of kube-scheduler's rules about storage."""

from __future__ import annotations

from typing import Any

from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from policies.scheduling.predicates.volumes import DiskConflict, VolumeBinding, VolumeZone
from policies.scheduling.state.snapshot import Snapshot
from tests.kubernetes.clusters import (
    fitting,
    load_node,
    load_nodes,
    load_pod,
    load_pods,
    make_node,
    make_snapshot,
    unbound,
)
from tests.kubernetes.loading import load, load_all
from tests.kubernetes.tables import Case, table

LEFT_OUT = {
    "scheduler_volumebinding/passive_assume_cache__TestAssume": "a cache of Go's informers",
    "scheduler_volumebinding/scorer__TestScore": "no score by free capacity of volumes",
    "scheduler_volumebinding/volume_binding__Test_PreBindPreFlight": "binding is the work of the volume controllers",
}

BETA_ZONE, BETA_REGION = "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"
ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"


def _is_refused(status: Any) -> bool:
    return (status or {}).get("code", 0) in (2, 3)


def _with_claim(snapshot: Snapshot, namespace: str, name: str, volume: str, storage_class: str = "") -> None:
    body = {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"volumeName": volume, "storageClassName": storage_class},
        "status": {"phase": "Bound" if volume else "Pending"},
    }
    snapshot.volumes.set_claim(namespace, name, load(PersistentVolumeClaim, body))


def _with_volume(snapshot: Snapshot, name: str, labels: dict[str, str]) -> None:
    volume = load(PersistentVolume, {"metadata": {"name": name, "labels": labels}})
    snapshot.volumes.set_volume(name, volume)


# --- zones --------------------------------------------------------------------------------------------------------

SINGLE_ZONE = {
    "1": {BETA_ZONE: "us-west1-a"},
    "2": {BETA_REGION: "us-west1", "uselessLabel": "none"},
    "3": {BETA_REGION: "us-west1"},
    "Stable_1": {ZONE: "us-west1-a"},
    "Stable_2": {REGION: "us-west1", "uselessLabel": "none"},
}
MULTI_ZONE = {
    "1": {BETA_ZONE: "us-west1-c"},
    "2": {BETA_ZONE: "us-west1-b", "uselessLabel": "none"},
    "3": {BETA_ZONE: "us-west1-c__us-west1-a"},
    "Stable_1": {ZONE: "us-west1-c"},
    "Stable_2": {ZONE: "us-west1-c__us-west1-a"},
}
"""Volumes that the Go tests make: claim PVC_n is bound to Vol_n."""


def _fits_zone(case: Case, volumes: dict[str, dict[str, str]]) -> bool:
    snapshot = make_snapshot([load_node(case["Node"])])
    for number, labels in volumes.items():
        _with_volume(snapshot, f"Vol_{number}", labels)
        _with_claim(snapshot, "default", f"PVC_{number}", f"Vol_{number}")
    return bool(fitting(VolumeZone(), load_pod(case["Pod"]), snapshot))


@table("scheduler_volumezone/volume_zone__TestSingleZone")
def test_zone(case: Case) -> None:
    assert _fits_zone(case, SINGLE_ZONE) == (not _is_refused(case.get("wantFilterStatus")))


@table("scheduler_volumezone/volume_zone__TestMultiZone")
def test_volume_in_several_zones(case: Case) -> None:
    assert _fits_zone(case, MULTI_ZONE) == (not _is_refused(case.get("wantFilterStatus")))


@table("scheduler_volumezone/volume_zone__TestWithBinding")
def test_zone_of_claims_that_are_not_bound(case: Case) -> None:
    """Refused for their binding, if at all: both predicates together say what Go's one says."""
    snapshot = make_snapshot([load_node(case["Node"])])
    wait = load(
        StorageClass,
        {"metadata": {"name": "Class_Wait"}, "provisioner": "p", "volumeBindingMode": "WaitForFirstConsumer"},
    )
    snapshot.volumes.set_class("Class_Wait", wait)
    immediate = load(StorageClass, {"metadata": {"name": "Class_Immediate"}, "provisioner": "p"})
    snapshot.volumes.set_class("Class_Immediate", immediate)
    _with_volume(snapshot, "Vol_1", {BETA_ZONE: "us-west1-a"})
    _with_claim(snapshot, "default", "PVC_1", "Vol_1")
    _with_claim(snapshot, "default", "PVC_NoSC", "", "Class_0")
    _with_claim(snapshot, "default", "PVC_ImmediateSC", "", "Class_Immediate")
    _with_claim(snapshot, "default", "PVC_WaitSC", "", "Class_Wait")
    pod = load_pod(case["Pod"])
    fits = fitting(VolumeZone(), pod, snapshot) & fitting(VolumeBinding(), pod, snapshot)
    assert bool(fits) == (not _is_refused(case.get("wantFilterStatus")))


# --- one user -----------------------------------------------------------------------------------------------------


@table("scheduler_volumerestrictions/volume_restrictions__TestISCSIDiskConflicts")
def test_disk_of_a_pod_itself(case: Case) -> None:
    existing = load_pods([entry["Pod"] for entry in case["nodeInfo"].get("Pods") or ()], on="node")
    snapshot = make_snapshot([make_node("node")], existing)
    assert bool(fitting(DiskConflict(), load_pod(case["pod"]), snapshot)) == (not _is_refused(case.get("wantStatus")))


@table("scheduler_volumerestrictions/volume_restrictions__TestAccessModeConflicts")
def test_claim_for_one_pod(case: Case) -> None:
    """A claim that does not exist is refused by the binding predicate, not by this one."""
    snapshot = make_snapshot([make_node("node-1")], load_pods(case["existingPods"]))
    for claim in load_all(PersistentVolumeClaim, case["existingPVCs"]):
        snapshot.volumes.set_claim(claim.namespace, claim.name, claim)
    pod = unbound(load_pod(case["pod"], "incoming"))
    missing = any((pod.namespace, name) not in snapshot.volumes.claims for name in snapshot.shapes.shape_of(pod).claims)
    refused = _is_refused(case.get("wantStatus")) or _is_refused(case.get("preFilterWantStatus"))
    predicate = VolumeBinding() if missing else DiskConflict()
    assert (not fitting(predicate, pod, snapshot)) == refused


# --- binding ------------------------------------------------------------------------------------------------------

CLASSES = {"wait-sc": "WaitForFirstConsumer", "wait-hdd-sc": "WaitForFirstConsumer", "immediate-sc": "Immediate"}
"""Classes that the Go tests make; none of them provisions."""


def _capacities(case: Case) -> str:
    return "CSIStorageCapacity objects are not in scope" if case.get("capacities") else ""


@table("scheduler_volumebinding/volume_binding__TestVolumeBinding", leave_out=_capacities)
def test_binding(case: Case) -> None:
    snapshot = make_snapshot(load_nodes(case["nodes"]))
    for name, mode in CLASSES.items():
        known = load(StorageClass, {"metadata": {"name": name}, "volumeBindingMode": mode})
        snapshot.volumes.set_class(name, known)
    for claim in load_all(PersistentVolumeClaim, case.get("pvcs")):
        snapshot.volumes.set_claim(claim.namespace, claim.name, claim)
    for volume in load_all(PersistentVolume, case.get("pvs")):
        snapshot.volumes.set_volume(volume.name, volume)
    found = fitting(VolumeBinding(), load_pod(case["pod"]), snapshot)
    names = [node.name for node in load_nodes(case["nodes"])]
    if _is_refused(case.get("wantPreFilterStatus")):
        assert found == set()
        return
    statuses = case.get("wantFilterStatus") or [None] * len(names)
    assert found == {name for name, status in zip(names, statuses, strict=True) if not (status or {}).get("code")}
