"""An assignment has parts: each is made and acted on where it changed, and nowhere else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from differ.kubelet.assignment import (
    ALL_PARTS,
    FIELDS,
    HostAssignment,
    MeasureOrder,
    Part,
    PodNetwork,
    changed_parts,
)
from objects.api.autoscaling import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
    PodsMetricSource,
)
from objects.api.core import ConfigMap
from objects.api.meta import ObjectMeta
from objects.api.pods import ConfigMapEnvSource, Container, EnvFromSource, Pod, PodSpec
from objects.api.volumes import ConfigMapVolumeSource, Volume
from reconciler.workers.worker import HostWorker
from tests.unit.reconciler.cluster import START, FakeCluster, bare_pod, deployment
from tests.unit.reconciler.test_worker import SlowCreate

BEFORE = HostAssignment(host="h", host_ip="", network=PodNetwork(subnet="", cluster_cidr=""), pause_image="")


def settings(**data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data=data)


def reader() -> Pod:
    source = EnvFromSource(config_map_ref=ConfigMapEnvSource(name="settings"))
    container = Container(name="c", image="web:v1", env_from=(source,))
    return msgspec.structs.replace(bare_pod(name="reader"), spec=PodSpec(containers=(container,)))


def test_every_field_is_of_one_part() -> None:
    names = [name for fields in FIELDS.values() for name in fields]
    assert sorted(names) == sorted(set(HostAssignment.__struct_fields__) - {"host"})
    assert set(FIELDS) == ALL_PARTS


def test_what_changed() -> None:
    measured = msgspec.structs.replace(BEFORE, measure=MeasureOrder(disk=True))
    assert changed_parts(None, BEFORE) == ALL_PARTS
    assert changed_parts(BEFORE, msgspec.structs.replace(BEFORE, config_maps={})) == frozenset()
    assert changed_parts(BEFORE, measured) == {Part.MEASUREMENTS}
    assert changed_parts(measured, msgspec.structs.replace(BEFORE, host="other")) == ALL_PARTS


def test_a_changed_configuration_leaves_the_other_parts_as_they_were() -> None:
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(reader(), bare_pod(name="other"), settings(COLOUR="red")))
    before = cluster.engine.assignment("a")
    assert before is not None
    fresh = cluster.step(cluster.desired(reader(), bare_pod(name="other"), settings(COLOUR="blue"))).assignments["a"]
    assert changed_parts(before, fresh) == {Part.FILES}
    assert fresh.pods is before.pods
    assert fresh.config_maps["default", "settings"].data == {"COLOUR": "blue"}


@pytest.mark.parametrize(
    ("changed", "looks"),
    [
        pytest.param({"measure": MeasureOrder(disk=True)}, 0, id="measurements"),
        pytest.param({"config_maps": {("default", "settings"): settings(COLOUR="blue")}}, 1, id="files"),
        pytest.param({"pause_image": "pause:3.10", "measure": MeasureOrder(disk=True)}, 1, id="two parts"),
    ],
)
def test_where_only_something_else_is_to_be_measured_nobody_looks(changed: dict[str, Any], looks: int) -> None:
    host = SlowCreate()
    worker = HostWorker("h", host, report=lambda _: None, clock=lambda: START)
    worker.assign(BEFORE)
    worker._turn()
    assert host.looks.acquire(blocking=False)
    worker.assign(msgspec.structs.replace(BEFORE, **changed))
    worker._turn()
    assert [host.looks.acquire(blocking=False) for _ in range(2)] == [looks == 1, False]
    worker.stop()


def test_what_decides_over_measuring_is_told_when_it_changes() -> None:
    """An autoscaler asks pods that run, where a ConfigMap says; neither is a matter of the pods' part."""
    volume = Volume(name="v", config_map=ConfigMapVolumeSource(name="custom-metrics"))
    web = deployment(replicas=1)
    spec = msgspec.structs.replace(web.spec.template.spec, volumes=(volume,))
    template = msgspec.structs.replace(web.spec.template, spec=spec)
    web = msgspec.structs.replace(web, spec=msgspec.structs.replace(web.spec, template=template))
    target = MetricTarget(type="AverageValue", average_value=10)
    metric = MetricSpec(type="Pods", pods=PodsMetricSource(metric=MetricIdentifier(name="qps"), target=target))
    scaled = CrossVersionObjectReference(kind="Deployment", name="web")
    asks = HorizontalPodAutoscalerSpec(scale_target_ref=scaled, max_replicas=3, metrics=(metric,))
    autoscaler = HorizontalPodAutoscaler(metadata=ObjectMeta(name="web", namespace="default"), spec=asks)
    cluster = FakeCluster("a")
    for port in (9100, 9200):
        text = f'{{"endpoint": "http://localhost:{port}/metrics"}}'
        where = ConfigMap(metadata=ObjectMeta(name="custom-metrics", namespace="default"), data={"web.json": text})
        cluster.settle(cluster.desired(web, autoscaler, where))
        told = cluster.engine.assignment("a")
        assert told is not None
        assert [one.endpoint.port for one in told.measure.scrapes] == [port]
