"""Which pods an Application with `selfHeal: false` leaves alone, and what it says of them."""

from __future__ import annotations

import random

import msgspec
import pytest

from differ.kubelet.pods import plan_host
from objects.api.meta import (
    Condition,
    KubeObject,
    ObjectKey,
    ObjectMeta,
)
from objects.api.pods import Pod, PodStatus
from objects.conditions import IN_SYNC, find_condition
from objects.own.config import Application, ApplicationSpec
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.state.drift import drift_by_application
from reconciler.state.pod_state import with_reported_status
from reconciler.workers.host_pass import plan_pass, remember
from tests.unit.differ.building import NO_MEMORY, NOW, assign, found, make_pod, observe
from tests.unit.reconciler.cluster import FakeCluster, bare_pod, deployment

WEB = make_pod()


def shop(**spec: bool) -> Application:
    return Application(metadata=ObjectMeta(name="shop"), spec=ApplicationSpec(path="apps/shop", **spec))


def deployed(
    application: Application, *objects: KubeObject, others: tuple[KubeObject, ...] = (), heals_all: bool = False
) -> FakeCluster:
    cluster = FakeCluster("a")
    cluster.engine = Engine(CONTROLLERS, source=random.Random(1), heals_all=heals_all)
    belongs = {obj.key: "shop" for obj in objects}
    cluster.settle(cluster.desired(application, *objects, *others, application=belongs))
    return cluster


def names_left_alone(cluster: FakeCluster) -> set[str]:
    assignment = cluster.engine.assignment("a")
    assert assignment is not None
    return {pod.name.split("-")[0] for pod in assignment.pods if pod.uid in assignment.left_alone}


@pytest.mark.parametrize(
    ("application", "heals_all", "expected"),
    [
        pytest.param(shop(), False, set(), id="heals"),
        pytest.param(shop(self_heal=False), False, {"web", "lone"}, id="only-shows"),
        pytest.param(shop(self_heal=False), True, set(), id="a-person-asks-for-it"),
    ],
)
def test_pods_of_the_application(application: Application, heals_all: bool, expected: set[str]) -> None:
    others = (bare_pod(name="other"),)
    cluster = deployed(application, deployment(), bare_pod(), others=others, heals_all=heals_all)
    assert names_left_alone(cluster) == expected


def test_a_commit_turns_it_on_again() -> None:
    cluster = deployed(shop(self_heal=False), bare_pod())
    told = cluster.desired(shop(), bare_pod(), commit="c2", application={bare_pod().key: "shop"})
    result = cluster.step(told)
    assert list(result.assignments) == ["a"]
    assert names_left_alone(cluster) == set()


def test_the_application_names_what_is_out_of_sync() -> None:
    cluster = deployed(shop(self_heal=False), bare_pod())
    store = cluster.engine.store
    pod = store.find(ObjectKey("Pod", "default", "lone"))
    assert isinstance(pod, Pod)
    drifted = Condition(type="InSync", status="False", reason="OutOfSync", message="container c is paused")
    status = msgspec.structs.replace(pod.status, conditions=(*pod.status.conditions, drifted))
    store.put(msgspec.structs.replace(pod, status=status))
    said = "pod default/lone: container c is paused"
    assert drift_by_application(store, cluster.engine.inventory) == {"shop": said}
    cluster.engine.summarise_applications()
    application = store.find(shop().key)
    assert isinstance(application, Application)
    synced = find_condition(application.status.conditions, "Synced")
    assert synced is not None
    assert (synced.status, synced.reason, synced.message) == ("False", "OutOfSync", said)


def test_who_only_looks_sees_what_was_last_said_of_drift() -> None:
    there = found(WEB, state="paused")
    said = plan_host(assign(WEB, left_alone=frozenset((WEB.uid,))), observe(there), NO_MEMORY, NOW).statuses[WEB.uid]
    memory = remember([msgspec.structs.replace(WEB, status=said)])
    _, report = plan_pass("host-1", None, observe(there), memory, NOW)
    (pod,) = report.unknown
    assert find_condition(pod.status.conditions, IN_SYNC) == find_condition(said.conditions, IN_SYNC)


def test_what_is_put_right_again_shows_no_drift() -> None:
    drifted = Condition(type=IN_SYNC, status="False", reason="OutOfSync", message="container c is paused")
    gate = Condition(type="example.com/gate", status="True")
    before = msgspec.structs.replace(WEB, status=PodStatus(conditions=(drifted, gate)))
    assert with_reported_status(before, PodStatus()).status.conditions == (gate,)
