"""What changes costs what has to do with it: which controllers run, and for how many keys, when one thing changed."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest

from objects.api.apps import DaemonSet, DaemonSetSpec
from objects.api.meta import KubeObject, LabelSelector, ObjectMeta
from objects.api.pods import Container, PodSpec, PodTemplateSpec
from objects.api.policy import PodDisruptionBudget, PodDisruptionBudgetSpec
from objects.observation.host import ImageFact
from reconciler.controllers import CONTROLLERS
from reconciler.controllers.base import Context, Controller, Outcome
from reconciler.core.engine import Engine
from reconciler.state.messages import HostReport
from reconciler.state.store import View
from tests.unit.reconciler.cluster import FakeCluster, deployment

HOSTS = ("h1", "h2", "h3")


def _counted(controller: Controller, ran: Counter[str]) -> Controller:
    def reconcile(view: View, key: object, context: Context) -> Outcome:
        ran[controller.name] += 1
        return controller.reconcile(view, key, context)  # type: ignore[arg-type]

    return msgspec.structs.replace(controller, reconcile=reconcile)


def _cluster(*objects: KubeObject) -> tuple[FakeCluster, Counter[str]]:
    ran: Counter[str] = Counter()
    cluster = FakeCluster(*HOSTS)
    cluster.engine = Engine([_counted(one, ran) for one in CONTROLLERS], source=random.Random(1))
    cluster.settle(cluster.desired(*objects), *map(cluster.report, HOSTS))
    ran.clear()
    return cluster, ran


def _report(cluster: FakeCluster, host: str) -> HostReport:
    said = cluster.report(host)
    assert isinstance(said, HostReport)
    return said


def _budget(name: str) -> PodDisruptionBudget:
    spec = PodDisruptionBudgetSpec(max_unavailable=1, selector=LabelSelector(match_labels={"app": name}))
    return PodDisruptionBudget(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


def _daemon_set(name: str) -> DaemonSet:
    labels = {"app": name}
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=(Container(name="c", image="d:v1"),))
    )
    spec = DaemonSetSpec(selector=LabelSelector(match_labels=labels), template=template)
    return DaemonSet(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


@pytest.mark.parametrize("count", [2, 8])
def test_a_pods_readiness_concerns_its_own_budget_however_many_there_are(count: int) -> None:
    names = [f"app-{number}" for number in range(count)]
    cluster, ran = _cluster(*(deployment(name=name) for name in names), *map(_budget, names))
    said = _report(cluster, "h1")
    uid, status = next(iter(said.statuses.items()))
    (ready,) = status.conditions
    unready = msgspec.structs.replace(status, conditions=(msgspec.structs.replace(ready, status="False"),))
    cluster.step(msgspec.structs.replace(said, statuses={**said.statuses, uid: unready}))
    # The pod, its ReplicaSet and its Deployment are written, one after the other.
    assert ran["disruption-controller"] == 4
    assert ran["deployment-controller"] <= 3


def test_an_image_that_comes_to_a_host_moves_no_daemon() -> None:
    cluster, ran = _cluster(_daemon_set("one"), _daemon_set("two"))
    said = _report(cluster, "h1")
    image = ImageFact(id="sha256:1", names=("new:v1",), size_bytes=10**9)
    result = cluster.step(msgspec.structs.replace(said, facts=msgspec.structs.replace(said.facts, images=(image,))))
    assert [change.key.kind for change in result.changed] == ["HostStatus", "Node"]
    assert ran["daemonset-controller"] == 0


def test_a_taint_that_comes_to_a_host_is_looked_at_by_every_daemon_set() -> None:
    cluster, ran = _cluster(_daemon_set("one"), _daemon_set("two"))
    low = msgspec.structs.replace(_report(cluster, "h1").facts, memory_available_bytes=0)
    cluster.step(msgspec.structs.replace(_report(cluster, "h1"), facts=low))
    assert ran["daemonset-controller"] == 2
