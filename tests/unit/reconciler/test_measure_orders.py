"""What is measured of a host, and for whom."""

from __future__ import annotations

import msgspec
import pytest

from differ.kubelet.assignment import MeasureOrder
from objects.api.apps import Deployment, DeploymentSpec
from objects.api.autoscaling import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    PodsMetricSource,
)
from objects.api.core import Node, NodeStatus
from objects.api.meta import (
    Condition,
    KubeObject,
    LabelSelector,
    ObjectMeta,
)
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
    ResourceRequirements,
)
from objects.api.volumes import EmptyDirVolumeSource, Volume
from objects.observation.metrics import MetricEndpoint, Scrape
from reconciler.figures.orders import order_for
from reconciler.state.store import Store

NOTHING = MeasureOrder()
PODS = MeasureOrder(containers=True)
DISK = MeasureOrder(disk=True)


def pod(**spec: object) -> Pod:
    fields = {"containers": (Container(name="c", image="i"),), "node_name": "n1", **spec}
    return Pod(
        metadata=ObjectMeta(name="p", namespace="default", uid="p", labels={"app": "web"}),
        spec=PodSpec(**fields),  # type: ignore[arg-type]
    )


def with_volume(source: EmptyDirVolumeSource) -> Pod:
    return pod(volumes=(Volume(name="v", empty_dir=source),))


def autoscaler(target: str = "web", kind: str = "Deployment", namespace: str = "default") -> HorizontalPodAutoscaler:
    spec = HorizontalPodAutoscalerSpec(
        scale_target_ref=CrossVersionObjectReference(kind=kind, name=target), max_replicas=3
    )
    return HorizontalPodAutoscaler(metadata=ObjectMeta(name="hpa", namespace=namespace), spec=spec)


def deployment(app: str = "web") -> Deployment:
    labels = {"app": app}
    spec = DeploymentSpec(
        selector=LabelSelector(match_labels=labels), template=PodTemplateSpec(metadata=ObjectMeta(labels=labels))
    )
    return Deployment(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)


def limited(amount: str) -> Pod:
    resources = ResourceRequirements(limits={"ephemeral-storage": amount})
    return pod(containers=(Container(name="c", image="i", resources=resources),))


@pytest.mark.parametrize(
    ("objects", "pressure", "expected"),
    [
        pytest.param((pod(),), "", NOTHING, id="nobody asks"),
        pytest.param((pod(),), "MemoryPressure", MeasureOrder(containers=True, is_pressed=True), id="memory"),
        pytest.param(
            (pod(),), "DiskPressure", MeasureOrder(containers=True, disk=True, is_pressed=True), id="disk pressure"
        ),
        pytest.param((pod(),), "PIDPressure", NOTHING, id="nobody is evicted for processes"),
        pytest.param((pod(), deployment(), autoscaler()), "", PODS, id="autoscaler"),
        pytest.param((pod(), deployment("other"), autoscaler()), "", NOTHING, id="autoscaler of others"),
        pytest.param((pod(), deployment(), autoscaler("other")), "", NOTHING, id="autoscaler of another workload"),
        pytest.param((pod(), deployment(), autoscaler(kind="Job")), "", NOTHING, id="autoscaler of what has no size"),
        pytest.param((pod(), deployment(), autoscaler(namespace="x")), "", NOTHING, id="autoscaler elsewhere"),
        pytest.param((pod(node_name="n2"), deployment(), autoscaler()), "", NOTHING, id="its pods are elsewhere"),
        pytest.param((limited("1Gi"),), "", DISK, id="limit of a container"),
        pytest.param((with_volume(EmptyDirVolumeSource(size_limit="1Gi")),), "", DISK, id="limit of a volume"),
        pytest.param(
            (with_volume(EmptyDirVolumeSource(size_limit="1Gi", medium="Memory")),),
            "",
            NOTHING,
            id="kept by the kernel",
        ),
        pytest.param(
            (msgspec.structs.replace(limited("1Gi"), status=PodStatus(phase="Failed")),), "", NOTHING, id="has ended"
        ),
    ],
)
def test_orders(objects: tuple[KubeObject, ...], pressure: str, expected: MeasureOrder) -> None:
    store = Store()
    for obj in objects:
        store.put(obj)
    conditions = (Condition(type=pressure, status="True"),) if pressure else ()
    node = Node(metadata=ObjectMeta(name="n1"), status=NodeStatus(conditions=conditions))
    assert order_for(store, "n1", node) == expected


def test_a_host_without_a_node_is_not_pressed() -> None:
    assert order_for(Store(), "n1", None) == NOTHING


def test_pods_are_asked_for_what_autoscalers_want() -> None:
    store = Store()
    target = MetricTarget(type="AverageValue", average_value=10)
    metrics = tuple(
        MetricSpec(type="Pods", pods=PodsMetricSource(metric=MetricIdentifier(name=name), target=target))
        for name in ("qps", "hits")
    )
    wanting = autoscaler()
    wanting = msgspec.structs.replace(wanting, spec=msgspec.structs.replace(wanting.spec, metrics=metrics))
    running = pod()
    metadata = msgspec.structs.replace(running.metadata, annotations={"prometheus.io/scrape": "true"})
    status = PodStatus(phase="Running", pod_ip="10.244.1.2")
    for obj in (wanting, deployment(), msgspec.structs.replace(running, metadata=metadata, status=status)):
        store.put(obj)
    scrape = Scrape(pod_uid="p", address="10.244.1.2", endpoint=MetricEndpoint(port=80), names=("hits", "qps"))
    assert order_for(store, "n1", None) == MeasureOrder(containers=True, scrapes=(scrape,))
    broken = msgspec.structs.replace(metadata, annotations=metadata.annotations | {"prometheus.io/port": "x"})
    store.put(msgspec.structs.replace(running, metadata=broken, status=status))
    assert order_for(store, "n1", None) == PODS
