"""Controllers in situations that simulated histories met first."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from objects.api.apps import DaemonSet, Deployment, StatefulSet
from objects.api.meta import Condition, ObjectKey, ObjectMeta
from objects.api.pods import Pod, PodSpec, PodStatus
from reconciler.controllers.pods.owned import PodCounts
from reconciler.controllers.pods.ranking import choose_pods_to_delete
from reconciler.controllers.rollout.revisions import Revision, Rollout, new_replica_set, with_size
from reconciler.controllers.rollout.strategies import next_recreate_sizes, without_excess, without_growth_beside_others
from tests.unit.controllers.harness import START, World
from tests.unit.controllers.manifests import daemon_set, deployment, job, stateful_set


def ready_pod(name: str, *, since_seconds: int, node: str) -> Pod:
    ready = Condition(type="Ready", status="True", last_transition_time=START - timedelta(seconds=since_seconds))
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=name, creation_timestamp=START - timedelta(hours=1)),
        spec=PodSpec(node_name=node),
        status=PodStatus(phase="Running", conditions=(ready,)),
    )


@pytest.mark.parametrize(
    ("min_ready_seconds", "expected"),
    [
        pytest.param(0, "crowded-1", id="all are available: the fuller host gives one"),
        pytest.param(10, "fresh", id="one is not available yet: it goes first"),
    ],
)
def test_a_pod_that_is_not_available_yet_goes_before_one_that_is(min_ready_seconds: int, expected: str) -> None:
    pods = (
        ready_pod("crowded-1", since_seconds=60, node="n1"),
        ready_pod("crowded-2", since_seconds=100, node="n1"),
        ready_pod("fresh", since_seconds=1, node="n2"),
    )
    (chosen,) = choose_pods_to_delete(pods, 1, related=pods, now=START, min_ready_seconds=min_ready_seconds)
    assert chosen.name == expected


def test_a_deployment_may_be_paused_from_the_beginning() -> None:
    world = World()
    world.declare(deployment(paused=True))
    world.settle()
    hold = world.holds["deployment-controller", ObjectKey(Deployment.KIND, "default", "web")]
    assert (hold.reason, world.pods()) == ("DeploymentPaused", [])


def test_a_scale_in_that_meets_a_broken_rollout_leaves_the_pod_that_works() -> None:
    world = World()
    world.declare(deployment("web:1", replicas=1, surge=1, unavailable=0))
    world.settle()
    world.run_kubelets()
    world.settle()
    world.declare(deployment("web:2", replicas=4, surge=1, unavailable=0))
    world.settle()
    world.declare(deployment("web:2", replicas=1, surge=1, unavailable=0, paused=True))
    world.settle()
    pods = [(pod.spec.containers[0].image, pod.is_ready) for pod in world.pods() if not pod.is_terminating]
    assert sorted(pods) == [("web:1", True), ("web:2", False)]


def test_a_set_that_has_to_lose_a_pod_of_a_silent_host_says_what_it_waits_for() -> None:
    world = World()
    world.declare(stateful_set(replicas=2, parallel=True))
    world.settle()
    world.run_kubelets()
    world.settle()
    (last,) = (pod for pod in world.pods() if pod.name == "db-1")
    world.silence(last.node_name)
    world.declare(stateful_set(replicas=1, parallel=True))
    world.settle()
    hold = world.holds["statefulset-controller", ObjectKey(StatefulSet.KIND, "default", "db")]
    assert hold.reason == "HostUnknown"
    assert "pod db-1 may still run" in hold.message


def test_of_two_old_daemons_on_a_node_the_one_that_works_stays() -> None:
    """A surge that failed left an unready pod beside the serving one; then comes the next template."""
    world = World(hosts=("n1",))
    world.declare(daemon_set("web:1", surge=1, unavailable=0))
    world.settle()
    world.run_kubelets()
    (serving,) = world.pods()
    world.declare(daemon_set("web:2", surge=1, unavailable=0))
    world.settle()
    world.bind_all()
    (failed,) = (pod for pod in world.pods() if pod.uid != serving.uid)
    older = msgspec.structs.replace(failed.metadata, creation_timestamp=START - timedelta(hours=1))
    world.put(msgspec.structs.replace(failed, metadata=older))
    world.declare(daemon_set("web:3", surge=1, unavailable=0))
    world.settle()
    assert world.store.get(DaemonSet, "default", "agent") is not None
    assert [pod.uid for pod in world.pods() if pod.is_ready and not pod.is_terminating] == [serving.uid]


def revision(name: str, size: int, available: int, *, terminating: int = 0) -> Revision:
    owner = deployment()
    made = new_replica_set(Rollout(owner, None, ()), now=START)
    named = msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, name=name))
    counts = PodCounts(replicas=size, ready=available, available=available, terminating=terminating)
    return Revision(with_size(named, size, owner), counts)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param((3, 3), (1, 0), {}, id="as many as the surge allows"),
        pytest.param((3, 3), (5, 0), {"new": 1}, id="four too many: new ones that do not serve yet go"),
        pytest.param((3, 1), (2, 2), {"old": 2}, id="one too many: an old one that serves nobody goes first"),
        pytest.param((3, 3), (2, 2), {}, id="all serve: what is too much goes by the rules of availability"),
        pytest.param((2, 0), (4, 1), {"old": 0}, id="no more than is too much"),
    ],
)
def test_pods_above_the_surge_that_serve_nobody_go(
    old: tuple[int, int], new: tuple[int, int], expected: dict[str, int]
) -> None:
    rollout = Rollout(deployment(replicas=3, surge=1), revision("new", *new), (revision("old", *old),))
    assert without_excess(rollout) == expected


def test_a_pod_above_a_lowered_surge_is_not_replaced_when_it_is_lost() -> None:
    """Two revisions stood side by side, as a larger surge allowed, when a host was drained."""
    world = World()
    world.declare(deployment("web:1", replicas=3, surge=3, unavailable=0))
    world.run()
    world.declare(deployment("web:2", replicas=3, surge=3, unavailable=0))
    world.settle()
    world.bind_all()
    world.declare(deployment("web:2", replicas=3, surge=0, unavailable=1))
    lost = next(pod for pod in world.pods() if not pod.is_ready)
    world.delete(lost.key, lost.uid)
    world.settle()
    assert sum(not pod.is_terminating for pod in world.pods()) == 3


def test_a_recreated_deployment_shrinks_although_an_old_pod_is_still_on_its_way_out() -> None:
    old, new = revision("old", 0, 0, terminating=1), revision("new", 2, 2)
    assert next_recreate_sizes(Rollout(deployment(replicas=1, recreate=True), new, (old,))) == {"new": 1}
    assert next_recreate_sizes(Rollout(deployment(replicas=3, recreate=True), new, (old,))) == {}


def test_two_revisions_of_a_recreated_deployment_do_not_meet_when_it_is_paused_and_scaled() -> None:
    old, new = revision("old", 0, 0, terminating=1), revision("new", 1, 1)
    paused = Rollout(deployment(replicas=3, recreate=True), new, (old,))
    assert without_growth_beside_others(paused, {"new": 3}) == {}
    assert without_growth_beside_others(paused, {"new": 0}) == {"new": 0}
    alone = Rollout(deployment(replicas=3, recreate=True), new, (revision("old", 0, 0),))
    assert without_growth_beside_others(alone, {"new": 3}) == {"new": 3}


def test_a_job_that_comes_back_does_its_own_work() -> None:
    """The last one's pod, which has succeeded, is still on its way out of a host that does not answer."""
    world = World()
    world.declare(job())
    world.run()
    (done,) = world.pods()
    world.finish(done)
    world.settle()
    world.silence(done.node_name)
    world.remove(job().key)
    world.settle()
    world.declare(job())
    world.run()
    assert sorted(pod.is_terminating for pod in world.pods()) == [False, True]
