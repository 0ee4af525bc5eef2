"""The size of what an autoscaler scales is not fought over, and not forgotten."""

from __future__ import annotations

from datetime import timedelta

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
from objects.conditions import find_condition
from reconciler.state.autoscaled import Size, autoscaled_sizes, with_size
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
    assert autoscaled_sizes(objects, {}) == {web: Size(None)}
    assert autoscaled_sizes(objects, {key: remembered(7)}) == {web: Size(7)}
    assert autoscaled_sizes(objects, {key: remembered(0)}) == {web: Size(None)}
    assert autoscaled_sizes(objects, {key: Remembered(None, None)}) == {web: Size(None)}
    assert autoscaled_sizes((deployment(),), {key: remembered(7)}) == {}
    to_zero = (autoscaler(least=0), deployment())
    decided = Remembered(None, HorizontalPodAutoscalerStatus(observed_generation=1, desired_replicas=0))
    assert autoscaled_sizes(to_zero, {key: remembered(0)}) == {web: Size(None, may_be_zero=True)}
    assert autoscaled_sizes(to_zero, {key: decided}) == {web: Size(0, may_be_zero=True)}


def active(cluster: FakeCluster) -> tuple[str, str]:
    found = cluster.engine.store.get(HorizontalPodAutoscaler, "default", "web")
    assert found is not None
    condition = find_condition(found.status.conditions, "ScalingActive")
    assert condition is not None
    return condition.status, condition.reason


def look_again(cluster: FakeCluster) -> None:
    """Autoscalers look every 15 seconds."""
    cluster.now += timedelta(seconds=15)
    cluster.settle()


PAUSED = ("False", "ScalingDisabled")


def test_zero_in_git_pauses_an_autoscaler_and_another_number_lets_it_go_on() -> None:
    cluster = FakeCluster("h1")
    cluster.settle(cluster.desired(deployment(replicas=0), autoscaler()))
    assert (replicas(cluster), cluster.images, active(cluster)) == (0, [], PAUSED)
    cluster.settle(cluster.desired(deployment(replicas=3), autoscaler(), commit="c2"))
    look_again(cluster)
    assert (replicas(cluster), len(cluster.images)) == (4, 4)
    assert active(cluster) != PAUSED


def test_zero_pauses_an_autoscaler_that_has_scaled() -> None:
    cluster = scaled()
    cluster.settle(cluster.desired(deployment(replicas=0), autoscaler(), commit="c2"))
    look_again(cluster)
    assert (replicas(cluster), cluster.images, active(cluster)) == (0, [], PAUSED)
    cluster.settle(cluster.desired(deployment(replicas=5), autoscaler(), commit="c3"))
    look_again(cluster)
    assert (replicas(cluster), len(cluster.images)) == (5, 5)


def test_a_fresh_process_leaves_it_paused_whatever_is_remembered_or_runs() -> None:
    cluster = scaled()
    status = restore(render_files(cluster.engine.store, cluster.engine.inventory).items())
    paused = cluster.desired(deployment(replicas=0), autoscaler(), commit="c2")
    cluster.restart()
    cluster.settle(status, paused)
    assert (replicas(cluster), cluster.images) == (0, [])
    cluster = scaled()
    cluster.restart()
    cluster.settle(paused)
    assert (replicas(cluster), cluster.images) == (0, [])


def test_an_autoscaler_that_may_go_to_zero_keeps_its_size() -> None:
    sizes = {ObjectKey("Deployment", "default", "web"): Size(0, may_be_zero=True)}
    assert with_size(deployment(replicas=3), None, sizes) == deployment(replicas=0)
    assert with_size(deployment(replicas=3), deployment(replicas=0), sizes) == deployment(replicas=0)
    assert with_size(deployment(replicas=0), deployment(replicas=2), sizes) == deployment(replicas=2)
