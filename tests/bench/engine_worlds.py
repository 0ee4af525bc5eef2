"""Worlds for the engine's bench: an engine in memory with hosts that obey at once, brought to rest.

The hosts are those of the engine's unit tests; nothing here does I/O, so what is measured is deciding alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import msgspec

from objects.api.apps import (
    DaemonSet,
    DaemonSetSpec,
    Deployment,
    StatefulSet,
    StatefulSetSpec,
)
from objects.api.autoscaling import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from objects.api.meta import KubeObject, LabelSelector, ObjectMeta
from objects.api.pods import (
    Container,
    PodSpec,
    PodTemplateSpec,
    ResourceRequirements,
)
from objects.api.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from objects.api.storage import PersistentVolumeClaim
from objects.api.volumes import PersistentVolumeClaimSpec, VolumeResourceRequirements
from objects.names import ANNOTATION_TEMPLATE_HASH
from objects.own.config import Cluster, ClusterSpec, NetworkSettings
from reconciler.cli import collect_garbage_seldom
from reconciler.controllers.hpa import INTERVAL as INTERVAL
from reconciler.state.messages import Desired, HostReport, Message
from tests.unit.reconciler.cluster import FakeCluster as FakeCluster
from tests.unit.reconciler.cluster import deployment

ALL = "everything"
"""A label of every pod, for what selects them all."""


def make_cluster(hosts: int) -> FakeCluster:
    """An engine that nobody has told anything yet, and hosts for it."""
    collect_garbage_seldom()
    return FakeCluster(*(f"host-{number:04}" for number in range(hosts)))


def commit(cluster: FakeCluster, *objects: KubeObject) -> Desired:
    """The hosts and `objects`, and a pod network that has a slice for each host: the default ends at the 256th."""
    wide = Cluster(spec=ClusterSpec(network=NetworkSettings(pod_cidr="10.0.0.0/8")))
    said = cluster.desired(*objects)
    return msgspec.structs.replace(said, objects=(wide, *said.objects[1:]))


def at_rest(hosts: int, objects: Iterable[KubeObject]) -> FakeCluster:
    """An engine that has these objects running on its hosts."""
    cluster = make_cluster(hosts)
    cluster.settle(commit(cluster, *objects), *(cluster.report(name) for name in cluster.hosts))
    return cluster


def cpu_seconds(cluster: FakeCluster, messages: Iterable[Message]) -> float:
    """CPU time of one step with these messages."""
    told = tuple(messages)
    began = time.process_time()
    cluster.step(*told)
    return time.process_time() - began


def least(measure: Callable[[], float], rounds: int) -> float:
    """The least of some measurements: whatever else the machine does only adds."""
    return min(measure() for _ in range(rounds))


# --- objects ------------------------------------------------------------------------------------------------------


def labelled(number: int) -> dict[str, str]:
    return {"app": f"app-{number}", "part-of": ALL}


def template(number: int, cpu: str = "10m", memory: str = "16Mi") -> PodTemplateSpec:
    resources = ResourceRequirements(requests={"cpu": cpu, "memory": memory})
    spec = PodSpec(containers=(Container(name="c", image=f"app-{number}:v1", resources=resources),))
    return PodTemplateSpec(metadata=ObjectMeta(labels=labelled(number)), spec=spec)


def meta(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="default", annotations={ANNOTATION_TEMPLATE_HASH: "v1"})


def some_deployments(count: int, *, replicas: int, cpu: str = "10m") -> list[Deployment]:
    found = []
    for number in range(count):
        base = deployment(name=f"app-{number}", replicas=replicas)
        selector = LabelSelector(match_labels={"app": f"app-{number}"})
        spec = msgspec.structs.replace(base.spec, template=template(number, cpu), selector=selector)
        found.append(msgspec.structs.replace(base, spec=spec))
    return found


def some_budgets(count: int) -> list[PodDisruptionBudget]:
    return [
        PodDisruptionBudget(
            metadata=ObjectMeta(name=f"app-{number}", namespace="default"),
            spec=PodDisruptionBudgetSpec(
                max_unavailable=1, selector=LabelSelector(match_labels={"app": f"app-{number}"})
            ),
        )
        for number in range(count)
    ]


def budget_of_all() -> PodDisruptionBudget:
    spec = PodDisruptionBudgetSpec(min_available="50%", selector=LabelSelector(match_labels={"part-of": ALL}))
    return PodDisruptionBudget(metadata=ObjectMeta(name="all", namespace="default"), spec=spec)


def some_autoscalers(count: int) -> list[HorizontalPodAutoscaler]:
    target = MetricTarget(type="Utilization", average_utilization=50)
    metric = MetricSpec(type="Resource", resource=ResourceMetricSource(name="cpu", target=target))
    return [
        HorizontalPodAutoscaler(
            metadata=ObjectMeta(name=f"app-{number}", namespace="default"),
            spec=HorizontalPodAutoscalerSpec(
                scale_target_ref=CrossVersionObjectReference(
                    api_version="apps/v1", kind="Deployment", name=f"app-{number}"
                ),
                min_replicas=1,
                max_replicas=1000,
                metrics=(metric,),
            ),
        )
        for number in range(count)
    ]


def some_sets_with_claims(count: int, *, replicas: int) -> list[StatefulSet]:
    claim = PersistentVolumeClaim(
        metadata=ObjectMeta(name="data"),
        spec=PersistentVolumeClaimSpec(
            access_modes=("ReadWriteOnce",), resources=VolumeResourceRequirements(requests={"storage": "1Gi"})
        ),
    )
    return [
        StatefulSet(
            metadata=meta(f"app-{number}"),
            spec=StatefulSetSpec(
                replicas=replicas,
                service_name=f"app-{number}",
                pod_management_policy="Parallel",
                selector=LabelSelector(match_labels={"app": f"app-{number}"}),
                template=template(number),
                volume_claim_templates=(claim,),
            ),
        )
        for number in range(count)
    ]


def some_daemon_sets(count: int) -> list[DaemonSet]:
    return [
        DaemonSet(
            metadata=meta(f"app-{number}"),
            spec=DaemonSetSpec(
                selector=LabelSelector(match_labels={"app": f"app-{number}"}), template=template(number)
            ),
        )
        for number in range(count)
    ]


# --- what hosts say -----------------------------------------------------------------------------------------------


def report(cluster: FakeCluster, host: str) -> HostReport:
    said = cluster.report(host)
    assert isinstance(said, HostReport)
    return said


def with_flipped_pod(said: HostReport, *, is_ready: bool) -> HostReport:
    """`said` with the readiness of its first pod turned round."""
    uid = min(said.statuses)
    status = said.statuses[uid]
    (ready,) = status.conditions
    flipped = msgspec.structs.replace(ready, status="True" if is_ready else "False")
    return msgspec.structs.replace(
        said, statuses={**said.statuses, uid: msgspec.structs.replace(status, conditions=(flipped,))}
    )
