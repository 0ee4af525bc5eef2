"""The engine: unknown is not absent, restarts double nothing, a second pass changes nothing."""

import random

import msgspec

from objects.api.apps import ReplicaSet
from objects.api.core import ConfigMap
from objects.api.meta import ObjectKey, ObjectMeta
from objects.api.pods import Pod
from objects.names import stable_uid
from objects.own.config import Application, ApplicationSpec
from reconciler.core.health import pod_health
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import Desired, Restored
from tests.unit.reconciler.cluster import FakeCluster, bare_pod, deployment


def test_a_commit_becomes_running_pods_spread_over_the_hosts():
    cluster = FakeCluster("a", "b", "c")
    cluster.settle(cluster.desired(deployment(replicas=6)))
    assert {name: len(pods) for name, pods in cluster.running.items()} == {"a": 2, "b": 2, "c": 2}


def test_a_second_pass_changes_nothing():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(), bare_pod()))
    result = cluster.step(cluster.desired(deployment(), bare_pod()), *map(cluster.report, cluster.hosts))
    assert (result.changed, result.assignments) == ((), {})


def test_nothing_is_done_before_every_host_was_heard_or_found_silent():
    cluster = FakeCluster("a", "b")
    cluster.step(cluster.desired(deployment()))
    assert cluster.step(cluster.report("a")).assignments == {}
    assert cluster.engine.unheard_hosts == ["b"]
    cluster.silent.add("b")
    assert list(cluster.step(cluster.report("b")).assignments) == ["a"]


def test_a_new_image_replaces_all_pods_and_a_revert_brings_the_old_ones_back():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment("web:v1")))
    cluster.settle(cluster.desired(deployment("web:v2"), commit="c2"))
    assert cluster.images == ["web:v2"] * 3
    cluster.settle(cluster.desired(deployment("web:v1"), commit="c3"))
    assert cluster.images == ["web:v1"] * 3
    assert sorted(rs.name for rs in cluster.engine.store.all_of(ReplicaSet)) == ["web-webv1", "web-webv2"]


def test_an_object_that_is_gone_from_git_takes_its_pods_along():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(), bare_pod()))
    cluster.settle(cluster.desired(bare_pod(), commit="c2"))
    assert [name for pods in cluster.running.values() for name in pods] == ["lone"]


def test_a_restarted_reconciler_keeps_every_pod():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(), bare_pod()))
    before = cluster.running_uids
    cluster.restart()
    cluster.settle(cluster.desired(deployment(), bare_pod()))
    assert cluster.running_uids == before


def test_a_reconciler_restarted_in_mid_rollout_goes_on_without_the_status_branch():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment("web:v1")))
    old = cluster.running_uids
    cluster.step(cluster.desired(deployment("web:v2"), commit="c2"))
    cluster.step(*map(cluster.report, cluster.hosts))
    assert len(cluster.running_uids - old) >= 1
    cluster.restart()
    cluster.step(cluster.desired(deployment("web:v2"), commit="c2"))
    for _ in range(12):
        cluster.step(*map(cluster.report, cluster.hosts))
        assert len(cluster.running_uids) >= 3, "maxUnavailable is 0: the old revision was taken for garbage"
    assert cluster.images == ["web:v2"] * 3


def test_a_bare_pod_that_runs_is_found_and_not_bound_a_second_time():
    cluster = FakeCluster("a", "b", "c")
    cluster.settle(cluster.desired(bare_pod()))
    where = cluster.running
    cluster.restart(seed=99)
    cluster.settle(cluster.desired(bare_pod()))
    assert cluster.running == where


def test_a_bare_pod_with_another_spec_is_another_pod():
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(bare_pod("web:v1")))
    cluster.settle(cluster.desired(bare_pod("web:v2"), commit="c2"))
    assert cluster.images == ["web:v2"]


def test_pods_of_a_host_that_falls_silent_stay_in_the_store():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(replicas=4)))
    before = {pod.uid for pod in cluster.pods()}
    cluster.silent.add("b")
    cluster.settle(cluster.report("b"))
    assert {pod.uid for pod in cluster.pods()} == before


def test_pods_of_a_host_that_is_silent_from_the_start_come_from_the_status_branch():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(replicas=4)))
    restored = Restored(objects=tuple(cluster.pods()), subnets={"b": "10.244.7.0/24"})
    before = cluster.running_uids
    cluster.restart()
    cluster.silent.add("b")
    cluster.settle(restored, cluster.desired(deployment(replicas=4)))
    assert {pod.uid for pod in cluster.pods()} == before
    status = cluster.engine.store.get(HostStatus, "", "b")
    assert status is not None
    assert status.pod_subnet == "10.244.7.0/24"


def test_a_second_pod_of_one_name_is_ended_wherever_it_is_found():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(bare_pod("web:v1")))
    twin_host = "b" if cluster.running["a"] else "a"
    cluster.hosts[twin_host] = {"other-uid": _with_uid(next(iter(cluster.pods())), "other-uid")}
    cluster.settle()
    assert sorted(name for pods in cluster.running.values() for name in pods) == ["lone"]
    assert not cluster.running[twin_host]


def test_a_commit_that_loses_most_of_the_cluster_deletes_nothing_until_it_is_confirmed():
    cluster = FakeCluster("a")
    maps = [ConfigMap(metadata=ObjectMeta(name=f"m{n}", namespace="default")) for n in range(20)]
    cluster.settle(cluster.desired(*maps))
    cluster.settle(cluster.desired(commit="c2"))
    assert len(cluster.engine.store.all_of(ConfigMap)) == 20
    assert cluster.engine.deployed.held.startswith("20 of 23 deployed objects are gone from Git")
    cluster.settle(cluster.desired(commit="c3", confirmations=("20",)))
    assert cluster.engine.store.all_of(ConfigMap) == []
    assert cluster.engine.deployed.held == ""


def test_what_was_deployed_by_an_earlier_process_is_pruned_by_the_next():
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(deployment(), bare_pod()))
    inventory = dict(cluster.engine.inventory)
    cluster.restart()
    cluster.settle(Restored(inventory=inventory), cluster.desired(bare_pod(), commit="c2"))
    assert cluster.running == {"a": ["lone"]}


def test_a_bare_pod_that_no_status_commit_knows_is_pruned_all_the_same():
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(deployment(replicas=1), bare_pod()))
    cluster.restart()
    cluster.settle(cluster.desired(deployment(replicas=1), commit="c2"))
    assert "lone" not in cluster.running["a"]


def test_a_bare_pod_of_an_application_without_pruning_stays_after_a_restart():
    cluster = FakeCluster("a")
    app = Application(metadata=ObjectMeta(name="shop"), spec=ApplicationSpec(path="apps/shop", prune=False))
    cluster.settle(cluster.desired(app, bare_pod(), application={bare_pod().key: "shop"}))
    cluster.restart()
    cluster.settle(cluster.desired(app, commit="c2"))
    assert cluster.running == {"a": ["lone"]}


def test_a_bare_pod_changed_while_nobody_reconciled_never_runs_twice():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(bare_pod("web:v1")))
    cluster.restart()
    cluster.step(cluster.desired(bare_pod("web:v2"), commit="c2"))
    for _ in range(6):
        cluster.step(*map(cluster.report, cluster.hosts))
        assert len(cluster.running_uids) <= 1
    assert cluster.images == ["web:v2"]


def test_a_bare_pod_on_a_host_that_is_silent_from_the_start_is_not_bound_elsewhere():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(bare_pod()))
    restored = Restored(objects=tuple(cluster.pods()))
    (where,) = (name for name, pods in cluster.running.items() if pods)
    cluster.restart(seed=7)
    cluster.silent.add(where)
    cluster.settle(restored, cluster.desired(bare_pod()))
    assert [pod.spec.node_name for pod in cluster.pods()] == [where]


def test_a_suspended_application_is_left_as_it_is():
    cluster = FakeCluster("a")
    key = ObjectKey("Deployment", "default", "web")

    def commit(name: str, image: str, *, suspend: bool) -> Desired:
        app = Application(metadata=ObjectMeta(name="shop"), spec=ApplicationSpec(path="apps/shop", suspend=suspend))
        return cluster.desired(app, deployment(image), commit=name, application={key: "shop"})

    cluster.settle(commit("c1", "web:v1", suspend=False))
    cluster.settle(commit("c2", "web:v2", suspend=True))
    assert cluster.images == ["web:v1"] * 3
    cluster.settle(commit("c3", "web:v2", suspend=False))
    assert cluster.images == ["web:v2"] * 3


def test_a_host_that_is_removed_from_git_gives_its_pods_to_others():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment(replicas=4)))
    del cluster.hosts["b"]
    cluster.settle(cluster.desired(deployment(replicas=4), commit="c2"))
    assert len(cluster.running["a"]) == 4
    assert cluster.engine.store.get(HostStatus, "", "b") is None


def test_a_pod_for_a_host_that_does_not_exist_waits_and_says_so():
    cluster = FakeCluster("a")
    lost = bare_pod(name="lost")
    lost = msgspec.structs.replace(lost, spec=msgspec.structs.replace(lost.spec, node_name="z"))
    cluster.settle(cluster.desired(lost, bare_pod()))
    (waiting,) = (pod for pod in cluster.pods() if pod.name == "lost")
    assert cluster.running == {"a": ["lone"]}
    assert pod_health(waiting).message == "lost is pending: host z does not exist"


def test_an_observer_makes_nothing_but_knows_statuses():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment()))
    watcher = FakeCluster("a", "b", is_observer=True)
    watcher.hosts = cluster.hosts
    watcher.settle(watcher.desired(deployment()))
    web = watcher.engine.store.find(ObjectKey("Deployment", "default", "web"))
    assert {pod.uid for pod in watcher.pods()} == cluster.running_uids
    assert web is not None
    assert watcher.engine.assignment("a") is None


def test_a_fork_decides_alike_and_leaves_the_original_alone():
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(deployment("web:v1")))
    before = list(cluster.engine.store)
    twin = cluster.engine.fork(random.Random(5))
    twin.step([cluster.desired(deployment("web:v2"), commit="c2")], cluster.now)
    assert list(cluster.engine.store) == before
    assert any(pod.spec.containers[0].image == "web:v2" for pod in twin.store.all_of(Pod))


def test_uids_of_objects_from_git_are_the_same_in_every_process():
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(deployment()))
    key = ObjectKey("Deployment", "default", "web")
    live = cluster.engine.store.find(key)
    assert live is not None
    assert live.uid == stable_uid(key)


def _with_uid(pod: Pod, uid: str) -> Pod:
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, uid=uid))


def test_until_all_hosts_were_seen_what_comes_is_not_looked_at_twice():
    """All is looked at when the engine starts; before that, to note it for each of 50,000 pods costs seconds."""
    cluster = FakeCluster("a", "b")
    cluster.step(cluster.desired(deployment()), cluster.report("a"))
    assert not cluster.engine.is_started
    assert cluster.engine._writer.loop.is_idle
    cluster.settle()
    assert len([*cluster.pods()]) == 3


def test_a_pod_that_becomes_ready_is_no_work_for_who_tidies_away(monkeypatch):
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(deployment()))
    looked_at = []
    loop = cluster.engine._writer.loop
    run = loop._run_one
    monkeypatch.setattr(loop, "_run_one", lambda task, *rest: looked_at.append(task) or run(task, *rest))
    said = cluster.report("a")
    uid, status = next(iter(said.statuses.items()))
    not_ready = msgspec.structs.replace(status, message="it does not answer", conditions=())
    cluster.step(msgspec.structs.replace(said, statuses={**said.statuses, uid: not_ready}))
    names = {name for name, key in looked_at}
    assert "replicaset-controller" in names
    assert "garbage-collector" not in names
