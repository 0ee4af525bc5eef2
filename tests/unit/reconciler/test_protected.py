"""`prune: false` holds beyond the Application itself: removing both together deletes nothing, in no process."""

import msgspec
import pytest

from objects.api.meta import KubeObject, ObjectKey, ObjectMeta
from objects.own.config import Application, ApplicationSpec
from reconciler.state.messages import Restored
from reconciler.status.content import (
    INVENTORY_PATH,
    dump,
    inventory_document,
    restore,
)
from tests.unit.reconciler.cluster import FakeCluster, deployment

WEB = ObjectKey("Deployment", "default", "web")
SHOP = {WEB: "shop"}


def shop(**spec: bool) -> Application:
    return Application(metadata=ObjectMeta(name="shop"), spec=ApplicationSpec(path="apps/shop", **spec))


def memory(cluster: FakeCluster, *kept: KubeObject) -> Restored:
    """What a process that is restarted now finds on the status branch, and in the commits that it names."""
    engine = cluster.engine
    document = inventory_document(engine.store, engine.inventory, engine.deployed.protected, engine.deployed.kept)
    restored = restore([(INVENTORY_PATH, dump(document))])
    commit = engine.desired.commit if engine.desired else ""
    return msgspec.structs.replace(restored, commit=commit, objects=kept)


def after_removal(application: Application, *, restarted: bool) -> FakeCluster:
    """The cluster after a commit that removes an Application and its only object together."""
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(application, deployment(), application=SHOP))
    gone = cluster.desired(commit="c2")
    if restarted:
        told = memory(cluster, deployment())
        cluster.restart()
        cluster.settle(told, gone)
    else:
        cluster.settle(gone)
    return cluster


@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "fresh process"])
@pytest.mark.parametrize(
    ("spec", "pods"),
    [
        pytest.param({"prune": False}, 3, id="prune: false"),
        pytest.param({}, 0, id="ordinary"),
    ],
)
def test_an_application_that_leaves_with_its_objects(spec: dict[str, bool], pods: int, restarted: bool) -> None:
    cluster = after_removal(shop(**spec), restarted=restarted)
    assert len(cluster.running["a"]) == pods
    assert (WEB in cluster.engine.inventory) is (pods > 0)


@pytest.mark.parametrize(("prune", "is_shown"), [(True, False), (False, True)], ids=["pruned", "kept"])
def test_who_only_looks_sees_what_will_be(prune: bool, is_shown: bool) -> None:
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(shop(prune=prune), deployment(), application=SHOP))
    observer = FakeCluster("a", is_observer=True)
    observer.hosts = cluster.hosts
    observer.step(memory(cluster, deployment()), cluster.desired(commit="c2"), observer.report("a"))
    assert (observer.engine.store.find(WEB) is not None) is is_shown
    assert len(observer.engine.store.pods_on("a")) == 3


def test_it_stays_protected_until_git_says_otherwise() -> None:
    cluster = after_removal(shop(prune=False), restarted=False)
    cluster.settle(cluster.desired(commit="c3"))
    assert (len(cluster.running["a"]), cluster.engine.deployed.protected) == (3, {"shop"})
    assert cluster.engine.deployed.kept == {WEB: "c1"}
    cluster.settle(cluster.desired(shop(prune=True), commit="c4"))
    assert (cluster.running["a"], cluster.engine.deployed.protected) == ([], frozenset())


def test_what_is_held_by_the_budget_is_held_by_a_fresh_process_too() -> None:
    cluster = FakeCluster("a")
    names = [f"web{number}" for number in range(12)]
    cluster.settle(cluster.desired(*(deployment(name=name, replicas=1) for name in names)))
    cluster.settle(cluster.desired(commit="c2"))
    assert (len(cluster.running["a"]), set(cluster.engine.deployed.kept.values())) == (12, {"c1"})
    told = memory(cluster, *(deployment(name=name, replicas=1) for name in names))
    cluster.restart()
    cluster.settle(told, cluster.desired(commit="c2"))
    assert (len(cluster.running["a"]), set(cluster.engine.deployed.kept.values())) == (12, {"c1"})
    assert cluster.engine.deployed.held.startswith("12 of ")


def test_a_suspended_application_runs_on_in_a_fresh_process_as_it_was() -> None:
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(shop(), deployment("web:v1"), application=SHOP))
    suspended = cluster.desired(shop(suspend=True), deployment("web:v2"), application=SHOP, commit="c2")
    cluster.settle(suspended)
    assert cluster.engine.deployed.kept == {WEB: "c1"}
    told = memory(cluster, deployment("web:v1"))
    cluster.restart()
    cluster.settle(told, suspended)
    assert cluster.images == ["web:v1"] * 3


def test_what_was_suspended_from_the_start_is_never_taken_for_deployed() -> None:
    cluster = FakeCluster("a")
    suspended = cluster.desired(shop(suspend=True), deployment(), application=SHOP)
    cluster.settle(suspended)
    assert (cluster.running["a"], WEB in cluster.engine.inventory, cluster.engine.deployed.kept) == ([], False, {})
