"""The size of what an autoscaler scales is not fought over, and not forgotten."""

from __future__ import annotations

from objects.api.apps import Deployment
from objects.api.autoscaling import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from objects.api.meta import ObjectKey, ObjectMeta
from reconciler.state.autoscaled import autoscaled_sizes
from reconciler.state.messages import Remembered
from reconciler.status.content import render_files, restore
from tests.unit.reconciler.cluster import FakeCluster, deployment


def autoscaler(least: int = 4) -> HorizontalPodAutoscaler:
    """Scales `web` to at least so many; its metric is never measured."""
    target = MetricTarget(type="Utilization", average_utilization=50)
    spec = HorizontalPodAutoscalerSpec(
        scale_target_ref=CrossVersionObjectReference(kind="Deployment", name="web"),
        min_replicas=least,
        max_replicas=9,
        metrics=(MetricSpec(type="Resource", resource=ResourceMetricSource(name="cpu", target=target)),),
    )
    return HorizontalPodAutoscaler(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)


def replicas(cluster: FakeCluster) -> int | None:
    found = cluster.engine.store.get(Deployment, "default", "web")
    assert found is not None
    return found.spec.replicas


def scaled() -> FakeCluster:
    cluster = FakeCluster("h1")
    cluster.settle(cluster.desired(deployment(replicas=2), autoscaler()))
    assert (replicas(cluster), len(cluster.images)) == (4, 4)
    return cluster


def test_a_commit_leaves_the_size_to_the_autoscaler() -> None:
    cluster = scaled()
    cluster.settle(cluster.desired(deployment("web:v2", replicas=1), autoscaler(least=1), commit="c2"))
    assert (replicas(cluster), cluster.images) == (4, ["web:v2"] * 4)


def test_without_its_autoscaler_the_size_is_what_git_says() -> None:
    cluster = scaled()
    cluster.settle(cluster.desired(deployment(replicas=2), commit="c2"))
    assert (replicas(cluster), len(cluster.images)) == (2, 2)


def test_a_fresh_process_takes_up_the_size_that_was_decided() -> None:
    cluster = scaled()
    uids = cluster.running_uids
    status = restore(render_files(cluster.engine.store, cluster.engine.inventory).items())
    cluster.restart()
    cluster.settle(status, cluster.desired(deployment(replicas=2), autoscaler(least=1)))
    assert (replicas(cluster), cluster.running_uids) == (4, uids)


def test_a_process_without_memory_takes_up_what_runs() -> None:
    cluster = scaled()
    uids = cluster.running_uids
    cluster.restart()
    cluster.settle(cluster.desired(deployment(replicas=2), autoscaler(least=1)))
    assert (replicas(cluster), cluster.running_uids) == (4, uids)


def test_sizes() -> None:
    def remembered(size: int) -> Remembered:
        return Remembered(None, HorizontalPodAutoscalerStatus(desired_replicas=size))

    web, key = ObjectKey("Deployment", "default", "web"), autoscaler().key
    objects = (autoscaler(), deployment())
    assert autoscaled_sizes(objects, {}) == {web: None}
    assert autoscaled_sizes(objects, {key: remembered(7)}) == {web: 7}
    assert autoscaled_sizes(objects, {key: remembered(0)}) == {web: None}
    assert autoscaled_sizes(objects, {key: Remembered(None, None)}) == {web: None}
    assert autoscaled_sizes((deployment(),), {key: remembered(7)}) == {}
