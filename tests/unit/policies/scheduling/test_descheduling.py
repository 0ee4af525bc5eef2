"""Which running pods would be better off elsewhere."""

from __future__ import annotations

import pytest

from objects.api.core import Node
from objects.api.meta import (
    LabelSelector,
    ObjectKey,
    ObjectMeta,
    OwnerReference,
)
from objects.api.pods import (
    Affinity,
    Pod,
    PodAffinityTerm,
    PodAntiAffinity,
)
from objects.api.volumes import EmptyDirVolumeSource, Volume
from policies.scheduling.descheduling import Move, find_moves
from policies.scheduling.profiles import make_profiles
from policies.scheduling.scheduler import Scheduler
from policies.scheduling.state.snapshot import Snapshot
from tests.unit.policies.scheduling.cluster import cluster, host, pod

APART = Affinity(
    pod_anti_affinity=PodAntiAffinity(
        required_during_scheduling_ignored_during_execution=(
            PodAffinityTerm(topology_key="host", label_selector=LabelSelector(match_labels={"app": "web"})),
        )
    )
)
SCRATCH = (Volume(name="scratch", empty_dir=EmptyDirVolumeSource()),)


def _owned(name: str, on: str, *, kind: str = "ReplicaSet", owner: str = "web", **spec: object) -> Pod:
    made = pod(name, on=on, labels={"app": owner}, **spec)
    reference = OwnerReference(kind=kind, name=owner, uid=owner, controller=True)
    metadata = ObjectMeta(
        name=name, namespace="default", uid=made.uid, labels={"app": owner}, owner_references=(reference,)
    )
    return Pod(metadata=metadata, spec=made.spec)


def _moves(snapshot: Snapshot, *, most: int = 10) -> list[Move]:
    return find_moves(Scheduler(snapshot, make_profiles(()), seed=1), most=most)


CASES = [
    pytest.param(
        (host("a"), host("b"), _owned("x", "a"), _owned("y", "a")),
        [Move("uid-y", "a", "b", "2 pods of its kind on a, 0 on b")],
        id="host-came-back-empty",
    ),
    pytest.param((host("a"), host("b"), _owned("x", "a"), _owned("y", "b")), [], id="spread-well"),
    pytest.param(
        (host("a"), host("b", labels={"disk": "ssd"}), _owned("x", "a", node_selector={"disk": "ssd"})),
        [Move("uid-x", "a", "b", "without label disk=ssd")],
        id="label-is-gone",
    ),
    pytest.param((host("a"), _owned("x", "a", node_selector={"disk": "ssd"})), [], id="nowhere-better"),
    pytest.param(
        (host("a", taints=("x=1:NoSchedule",)), host("b"), _owned("x", "a")),
        [Move("uid-x", "a", "b", "taint x=1")],
        id="taint-came",
    ),
    pytest.param((host("a", unschedulable=True), host("b"), _owned("x", "a")), [], id="cordon-is-drain's-work"),
    pytest.param(
        (
            host("a", labels={"host": "a"}),
            host("b", labels={"host": "b"}),
            _owned("x", "a", affinity=APART),
            _owned("y", "a", affinity=APART),
        ),
        [Move("uid-y", "a", "b", "pods keep others like this away (host)")],
        id="two-that-avoid-each-other-one-moves",
    ),
    pytest.param((host("a"), host("b"), pod("x", on="a"), pod("y", on="a")), [], id="bare-pods-stay"),
    pytest.param(
        (host("a"), host("b"), *(_owned(name, "a", kind="DaemonSet") for name in "xy")), [], id="daemons-stay"
    ),
    pytest.param(
        (host("a"), host("b"), *(_owned(name, "a", volumes=SCRATCH) for name in "xy")), [], id="what-is-stored-stays"
    ),
    pytest.param(
        (host("a"), host("b"), *(_owned(name, "a") for name in "vwxyz")),
        [Move("uid-z", "a", "b", "5 pods of its kind on a, 0 on b")],
        id="one-of-a-workload-at-a-time",
    ),
]


@pytest.mark.parametrize(("objects", "moves"), CASES)
def test_moves(objects: tuple[Node | Pod, ...], moves: list[Move]) -> None:
    snapshot = cluster(*objects)
    before = snapshot.requested.copy()
    assert _moves(snapshot) == moves
    assert (snapshot.requested == before).all()


def test_budgets_are_kept() -> None:
    snapshot = cluster(host("a"), host("b"), _owned("x", "a"), _owned("y", "a"))
    key = ObjectKey("PodDisruptionBudget", "default", "web")
    snapshot.set_budget(key, LabelSelector(match_labels={"app": "web"}), 0)
    assert _moves(snapshot) == []


def test_no_more_moves_than_asked() -> None:
    pods = [_owned(f"{owner}{number}", "a", owner=owner) for owner in ("web", "db", "cache") for number in (1, 2)]
    snapshot = cluster(host("a"), host("b"), *pods)
    assert len(_moves(snapshot, most=2)) == 2


def test_moving_ends() -> None:
    """Doing what is said until nothing is said takes as many moves as pods are misplaced."""
    snapshot = cluster(host("a"), host("b"), host("c"), *(_owned(f"p{number}", "a") for number in range(6)))
    done = 0
    while moves := _moves(snapshot):
        (move,) = moves
        snapshot.remove_pod(move.uid)
        snapshot.add_pod(_owned(move.uid.removeprefix("uid-"), move.better))
        done += 1
        assert done <= 6
    assert done == 4
