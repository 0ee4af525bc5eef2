"""Why a pod fits nowhere, in the words that `berth describe` shows."""

from __future__ import annotations

from typing import Any

import pytest

from objects.api.core import Node
from objects.api.meta import Condition, LabelSelector, ObjectMeta
from objects.api.pods import (
    Affinity,
    Container,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSchedulingGate,
    ResourceRequirements,
    Toleration,
    TopologySpreadConstraint,
)
from objects.api.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimStatus,
    PersistentVolumeSpec,
    StorageClass,
    VolumeNodeAffinity,
)
from objects.api.volumes import AWSElasticBlockStoreVolumeSource, PersistentVolumeClaimVolumeSource, Volume
from policies.scheduling.profiles import built_in_predicates
from tests.unit.policies.scheduling.cluster import cluster, host, place, pod, where


def _node_affinity(*requirements: NodeSelectorRequirement) -> Affinity:
    terms = tuple(NodeSelectorTerm(match_expressions=(one,)) for one in requirements)
    return Affinity(
        node_affinity=NodeAffinity(
            required_during_scheduling_ignored_during_execution=NodeSelector(node_selector_terms=terms)
        )
    )


ONE_REASON = [
    pytest.param((), pod("p"), "0/0 hosts fit: the cluster has no hosts", id="no-hosts"),
    pytest.param(
        (host("a", memory="1Gi"), host("b", memory="700Mi")),
        pod("p", requests={"memory": "1300Mi"}),
        "0/2 hosts fit: 2 insufficient memory (short by at least 276Mi)",
        id="memory-nearest-host",
    ),
    pytest.param(
        (host("a", cpu="1", memory="1Gi"),),
        pod("p", requests={"cpu": "1500m", "memory": "2Gi"}),
        "0/1 hosts fit: 1 insufficient cpu (short by 500m), 1 insufficient memory (short by 1Gi)",
        id="two-resources-of-one-host",
    ),
    pytest.param(
        (host("a", pods=1), pod("x", on="a")),
        pod("p"),
        "0/1 hosts fit: 1 too many pods (short by 1)",
        id="pod-count",
    ),
    pytest.param(
        (host("a"),),
        pod("p", requests={"nvidia.com/gpu": "2"}),
        "0/1 hosts fit: 1 insufficient nvidia.com/gpu (short by 2)",
        id="extended-resource-nowhere",
    ),
    pytest.param(
        (host("a"), pod("nginx", on="a", namespace="other", ports=(8080,))),
        pod("p", ports=(8080,)),
        "0/1 hosts fit: 1 host port 8080 taken by other/nginx",
        id="host-port",
    ),
    pytest.param(
        (host("a", taints=("gpu=true:NoSchedule",)), host("b", taints=("gpu=true:NoExecute",))),
        pod("p"),
        "0/2 hosts fit: 2 taint gpu=true",
        id="taints",
    ),
    pytest.param((host("a", unschedulable=True),), pod("p"), "0/1 hosts fit: 1 cordoned", id="cordon"),
    pytest.param(
        (host("a", labels={"disk": "hdd"}),),
        pod("p", node_selector={"disk": "ssd"}),
        "0/1 hosts fit: 1 without label disk=ssd",
        id="node-selector",
    ),
    pytest.param(
        (host("a"),),
        pod("p", affinity=_node_affinity(NodeSelectorRequirement(key="cores", operator="Gt", values=("8",)))),
        "0/1 hosts fit: 1 without label cores Gt 8",
        id="node-affinity",
    ),
    pytest.param(
        (host("a", conditions=(Condition(type="Ready", status="Unknown"),)),),
        pod("p"),
        "0/1 hosts fit: 1 unreachable",
        id="unreachable",
    ),
    pytest.param(
        (host("a", conditions=(Condition(type="MemoryPressure", status="True"),)),),
        pod("p"),
        "0/1 hosts fit: 1 under memory pressure",
        id="memory-pressure-best-effort",
    ),
    pytest.param(
        (host("a"),),
        pod("p", scheduling_gates=(PodSchedulingGate(name="quota"), PodSchedulingGate(name="dns"))),
        "waits for scheduling gates: quota, dns",
        id="gates",
    ),
    pytest.param(
        (host("a"),),
        pod("p", scheduler_name="mine"),
        "no scheduler is named 'mine' (known: default-scheduler)",
        id="unknown-scheduler",
    ),
    pytest.param(
        (host("a"),),
        pod("p", annotations={"scheduler.alpha.kubernetes.io/name": "my-scheduler"}),
        "no scheduler is named 'my-scheduler' (known: default-scheduler)",
        id="unknown-scheduler-by-old-annotation",
    ),
]


@pytest.mark.parametrize(("objects", "wanted", "message"), ONE_REASON)
def test_message_says_why_nothing_fits(objects: tuple[Node | Pod, ...], wanted: Pod, message: str) -> None:
    assert [where(one) for one in place(cluster(*objects), wanted)] == [message]


def claimed(name: str = "data", *, class_name: str = "", volume: str = "", mode: str = "ReadWriteOnce") -> Any:
    return PersistentVolumeClaim(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PersistentVolumeClaimSpec(access_modes=(mode,), storage_class_name=class_name, volume_name=volume),
        status=PersistentVolumeClaimStatus(phase="Bound" if volume else "Pending"),
    )


def volume(name: str, *, on: str = "", labels: dict[str, str] | None = None, disk: str = "") -> PersistentVolume:
    fields = (NodeSelectorRequirement(key="metadata.name", operator="In", values=(on,)),)
    reach = VolumeNodeAffinity(required=NodeSelector(node_selector_terms=(NodeSelectorTerm(match_fields=fields),)))
    source = {"aws_elastic_block_store": AWSElasticBlockStoreVolumeSource(volume_id=disk)} if disk else {}
    spec = PersistentVolumeSpec(node_affinity=reach if on else None, **source)
    return PersistentVolume(metadata=ObjectMeta(name=name, labels=labels or {}), spec=spec)


def using(name: str, *claims: str, on: str = "") -> Pod:
    sources = (PersistentVolumeClaimVolumeSource(claim_name=claim) for claim in claims)
    volumes = tuple(Volume(name=f"v{at}", persistent_volume_claim=one) for at, one in enumerate(sources))
    return pod(name, on=on, volumes=volumes)


def with_disk(name: str, *, on: str = "") -> Pod:
    disk = AWSElasticBlockStoreVolumeSource(volume_id="vol-1")
    return pod(name, on=on, volumes=(Volume(name="v", aws_elastic_block_store=disk),))


def near(kind: str, **labels: str) -> Affinity:
    """kind: together or apart."""
    selector = LabelSelector(match_labels=labels)
    terms = (PodAffinityTerm(topology_key="kubernetes.io/hostname", label_selector=selector),)
    if kind == "together":
        return Affinity(pod_affinity=PodAffinity(required_during_scheduling_ignored_during_execution=terms))
    return Affinity(pod_anti_affinity=PodAntiAffinity(required_during_scheduling_ignored_during_execution=terms))


LATE = StorageClass(
    metadata=ObjectMeta(name="late"),
    provisioner="kubernetes.io/no-provisioner",
    volume_binding_mode="WaitForFirstConsumer",
)
NAMED = {"labels": {"kubernetes.io/hostname": "a"}}
SPREAD = TopologySpreadConstraint(
    max_skew=1,
    topology_key="kubernetes.io/hostname",
    when_unsatisfiable="DoNotSchedule",
    label_selector=LabelSelector(match_labels={"app": "web"}),
    min_domains=2,
)

EVERY_PREDICATE = [
    pytest.param(
        "CheckNodeUnschedulable", (host("a", unschedulable=True),), pod("p"), "cordoned", "`berth uncordon a`"
    ),
    pytest.param(
        "CheckNodeCondition",
        (host("a", conditions=(Condition(type="DiskPressure", status="True"),)),),
        pod("p", requests={"memory": "1Mi"}),
        "under disk pressure",
        "`berth describe host a` says what is wrong there",
    ),
    pytest.param(
        "CheckNodeCondition",
        (host("a", conditions=(Condition(type="PIDPressure", status="True"),)),),
        pod("p"),
        "short of process ids",
        "`berth describe host a` says what is wrong there",
    ),
    pytest.param(
        "PodToleratesNodeTaints",
        (host("a", taints=("gpu=true:NoSchedule",)),),
        pod("p"),
        "taint gpu=true",
        "let the pod tolerate taint gpu=true, or remove it from a",
    ),
    pytest.param(
        "MatchNodeSelector",
        (host("a"),),
        pod("p", node_selector={"disk": "ssd"}),
        "without label disk=ssd",
        "give a host the label disk=ssd, or change what the pod selects",
    ),
    pytest.param(
        "CheckVolumeBinding",
        (host("a"),),
        using("p", "data"),
        'claim "data" not found',
        "commit the claim, or let the pod name another one",
    ),
    pytest.param(
        "CheckVolumeBinding",
        (host("a"), claimed(volume="pv"), volume("pv", on="lost")),
        using("p", "data"),
        'the data of claim "data" is on lost, which is gone',
        "bring that host back; if it is lost, so is the data: berth delete pvc, or a claim of another name",
    ),
    pytest.param(
        "CheckVolumeBinding",
        (host("a"), host("b", unschedulable=True), claimed(volume="pv"), volume("pv", on="b")),
        using("p", "data"),
        'the data of claim "data" is on b',
        "`berth uncordon b`",
    ),
    pytest.param(
        "CheckVolumeBinding",
        (host("a"), claimed(class_name="late"), LATE),
        using("p", "data"),
        'no volume there for claim "data"',
        None,
    ),
    pytest.param(
        "NoVolumeZoneConflict",
        (
            host("a", labels={"topology.kubernetes.io/zone": "z1"}),
            claimed(volume="pv"),
            volume("pv", labels={"topology.kubernetes.io/zone": "z2"}),
        ),
        using("p", "data"),
        "in another zone than a volume of the pod",
        "add a host, or room on one, in the zone of the volume",
    ),
    pytest.param(
        "NoDiskConflict",
        (host("a"), with_disk("other", on="a")),
        with_disk("p"),
        "disk vol-1 in use by default/other",
        "stop the pod that has it, or use another volume",
    ),
    pytest.param(
        "NoDiskConflict",
        (host("a"), claimed(volume="pv", mode="ReadWriteOncePod"), volume("pv"), using("other", "data", on="a")),
        using("p", "data"),
        "claim data is for one pod only and in use",
        "stop the pod that has it, or use another volume",
    ),
    pytest.param(
        "MaxVolumeCount",
        (
            host("a", extended={"attachable-volumes-aws-ebs": "1"}),
            *(claimed(name, volume=f"pv-{name}") for name in ("one", "two")),
            *(volume(f"pv-{name}", disk=name) for name in ("one", "two")),
            using("other", "one", on="a"),
        ),
        using("p", "two"),
        "too many aws-ebs volumes (short by 1)",
        "add a host, or raise the limit of host a",
    ),
    pytest.param(
        "PodFitsHostPorts",
        (host("a"), pod("nginx", on="a", namespace="other", ports=(8080,))),
        pod("p", ports=(8080,)),
        "host port 8080 taken by other/nginx",
        "use another host port, or stop what holds it on a",
    ),
    pytest.param(
        "PodFitsResources",
        (host("a", cpu="1", memory="1Gi", extended={"ephemeral-storage": "1Gi"}),),
        pod("p", requests={"cpu": "2", "memory": "2Gi", "ephemeral-storage": "3Gi"}),
        "insufficient cpu (short by 1), 1 insufficient ephemeral-storage (short by 2Gi), "
        "1 insufficient memory (short by 1Gi)",
        "1 more cpu, 2Gi more ephemeral-storage and 1Gi more memory free on a would do; or request less, or add a host",
    ),
    pytest.param(
        "PodFitsResources",
        (host("a", pods=1), pod("x", on="a")),
        pod("p"),
        "too many pods (short by 1)",
        "raise maxPods of host a, or add a host",
    ),
    pytest.param(
        "PodTopologySpread",
        (host("a", **NAMED), pod("x", on="a", labels={"app": "web"})),
        pod("p", labels={"app": "web"}, topology_spread_constraints=(SPREAD,)),
        "too many of its kind in one kubernetes.io/hostname (a has 1, the emptiest 0)",
        "raise maxSkew, say ScheduleAnyway, or add hosts where the fewest pods are",
    ),
    pytest.param(
        "PodTopologySpread",
        (host("a"),),
        pod("p", labels={"app": "web"}, topology_spread_constraints=(SPREAD,)),
        "without label kubernetes.io/hostname, which topology spread needs",
        "raise maxSkew, say ScheduleAnyway, or add hosts where the fewest pods are",
    ),
    pytest.param(
        "MatchInterPodAffinity",
        (host("a", **NAMED),),
        pod("p", affinity=near("together", app="db")),
        "no pod that this one must run beside (kubernetes.io/hostname)",
        "run the pod that this one wants beside it, or only prefer its company",
    ),
    pytest.param(
        "MatchInterPodAffinity",
        (host("a"),),
        pod("p", affinity=near("together", app="db")),
        "without label kubernetes.io/hostname, which pod affinity needs",
        "give a host the label kubernetes.io/hostname",
    ),
    pytest.param(
        "MatchInterPodAffinity",
        (host("a", **NAMED), pod("x", on="a", labels={"app": "db"})),
        pod("p", affinity=near("apart", app="db")),
        "pods that this one avoids (kubernetes.io/hostname)",
        "add a host, or only prefer to stay apart",
    ),
    pytest.param(
        "MatchInterPodAffinity",
        (host("a", **NAMED), pod("x", on="a", affinity=near("apart", app="web"))),
        pod("p", labels={"app": "web"}),
        "pods keep others like this away (kubernetes.io/hostname)",
        "add a host, or only prefer to stay apart",
    ),
]


@pytest.mark.parametrize(("predicate", "objects", "wanted", "reason", "hint"), EVERY_PREDICATE)
def test_every_predicate_says_why_and_what_would_help(
    predicate: str, objects: tuple[Any, ...], wanted: Pod, reason: str, hint: str | None
) -> None:
    (placement,) = place(cluster(*objects), wanted)
    assert placement.unschedulable is not None
    assert predicate in {one.predicate for one in placement.unschedulable.rejections}
    assert f"1 {reason}" in placement.unschedulable.message
    assert placement.unschedulable.hints == ((hint,) if hint else ())


def test_no_predicate_is_forgotten() -> None:
    shown = {str(case.values[0]) for case in EVERY_PREDICATE}
    # A pod that names its host is not judged, except for a DaemonSet's: those are explained by their controller.
    assert {one.name for one in built_in_predicates()} - shown == {"PodFitsHost"}


FITS = [
    pytest.param((host("a", memory="1Gi"),), pod("p", requests={"memory": "1Gi"}), id="exactly-full"),
    pytest.param(
        (host("a", taints=("gpu=true:NoSchedule",)),),
        pod("p", tolerations=(Toleration(key="gpu", operator="Exists"),)),
        id="tolerated",
    ),
    pytest.param((host("a", taints=("slow=yes:PreferNoSchedule",)),), pod("p"), id="preference-is-no-predicate"),
    pytest.param(
        (host("a", unschedulable=True),),
        pod("p", tolerations=(Toleration(key="node.kubernetes.io/unschedulable", operator="Exists"),)),
        id="cordon-tolerated",
    ),
    pytest.param(
        (host("a", conditions=(Condition(type="MemoryPressure", status="True"),)),),
        pod("p", requests={"memory": "1Mi"}),
        id="memory-pressure-but-something-was-promised",
    ),
    pytest.param((host("a"), pod("x", on="a", ports=(8080,))), pod("p", ports=(8081,)), id="other-port"),
    pytest.param(
        (host("a", memory="1Gi"), pod("x", on="a", requests={"memory": "2Gi"})), pod("p"), id="nothing-asked-over-full"
    ),
]


@pytest.mark.parametrize(("objects", "wanted"), FITS)
def test_fits(objects: tuple[Node | Pod, ...], wanted: Pod) -> None:
    assert [where(one) for one in place(cluster(*objects), wanted)] == ["a"]


def test_pod_is_placed_whole() -> None:
    """The walkthrough's co-scheduling question: App 1G and log collector 0.5G never land on a 1.25G host."""
    containers = (
        Container(name="app", resources=ResourceRequirements(requests={"memory": "1G"})),
        Container(name="log-collector", resources=ResourceRequirements(requests={"memory": "500M"})),
    )
    wanted = pod("app", containers=containers)
    small, large = host("node-a", memory="1250M"), host("node-b", memory="2G")
    assert where(place(cluster(small), wanted)[0]) == "0/1 hosts fit: 1 insufficient memory (short by 250M)"
    assert where(place(cluster(small, large), wanted)[0]) == "node-b"
