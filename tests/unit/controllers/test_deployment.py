"""Whole rollouts of a Deployment: what is scaled when, and what its status says."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from objects.api.apps import Deployment, DeploymentStatus, ReplicaSet
from objects.api.pods import Pod
from objects.conditions import find_condition
from reconciler.controllers.base import Hold
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import deployment, revision_name

ONE, TWO, THREE = revision_name("web:1"), revision_name("web:2"), revision_name("web:3")


def live(world: World) -> Deployment:
    found = world.store.get(Deployment, "default", "web")
    assert found is not None
    return found


def sizes(world: World) -> dict[str, int]:
    return {rs.name: rs.spec.replicas or 0 for rs in world.store.all_of(ReplicaSet)}


def images(world: World) -> list[str]:
    return sorted(pod.spec.containers[0].image for pod in world.pods() if not pod.is_terminating)


def is_not(image: str) -> Callable[[Pod], bool]:
    return lambda pod: pod.spec.containers[0].image != image


def rolled_out(image: str = "web:1", **how: object) -> World:
    world = World()
    world.declare(deployment(image, **how))  # type: ignore[arg-type]
    world.run()
    world.occurrences.clear()
    return world


def test_update_scales_in_the_order_of_the_walkthrough() -> None:
    world = World()
    world.declare(deployment("web:1"))
    world.run()
    world.declare(deployment("web:2"))
    world.run()
    assert world.messages("ScalingReplicaSet") == [
        f"Scaled up replica set {ONE} to 3 from 0",
        f"Scaled up replica set {TWO} to 1 from 0",
        f"Scaled down replica set {ONE} to 2 from 3",
        f"Scaled up replica set {TWO} to 2 from 1",
        f"Scaled down replica set {ONE} to 0 from 2",
        f"Scaled up replica set {TWO} to 3 from 2",
    ]
    assert images(world) == ["web:2"] * 3


def test_finished_rollout_counts_and_rests() -> None:
    world = rolled_out()
    numbers = msgspec.structs.replace(live(world).status, conditions=())
    assert numbers == DeploymentStatus(
        replicas=3, updated_replicas=3, ready_replicas=3, available_replicas=3, observed_generation=1
    )
    claims = {condition.type: (condition.status, condition.reason) for condition in live(world).status.conditions}
    assert claims == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    world.touch_everything()
    assert (world.settle(), world.holds) == (0, {})


def test_revert_uses_the_old_replica_set_under_a_new_number() -> None:
    world = rolled_out("web:1")
    world.declare(deployment("web:2"))
    world.run()
    world.declare(deployment("web:1"))
    world.run()
    numbers = {rs.name: rs.annotations["deployment.kubernetes.io/revision"] for rs in world.store.all_of(ReplicaSet)}
    assert (sizes(world), numbers) == ({ONE: 3, TWO: 0}, {ONE: "3", TWO: "2"})


@pytest.mark.parametrize(
    ("surge", "unavailable", "held"),
    [
        pytest.param(1, 1, {ONE: 2, TWO: 2}, id="walkthrough"),
        pytest.param(1, 0, {ONE: 3, TWO: 1}, id="nothing may be missing"),
        pytest.param(0, 1, {ONE: 2, TWO: 1}, id="no surge"),
        pytest.param(2, 2, {ONE: 1, TWO: 3}, id="two and two"),
    ],
)
def test_bad_revision_stops_at_the_fenceposts(surge: int, unavailable: int, held: dict[str, int]) -> None:
    world = rolled_out("web:1", surge=surge, unavailable=unavailable)
    world.declare(deployment("web:2", surge=surge, unavailable=unavailable))
    world.run(is_good=is_not("web:2"))
    assert sizes(world) == held


def test_newer_commit_frees_a_stuck_rollout() -> None:
    world = rolled_out("web:1", surge=1, unavailable=0)
    world.declare(deployment("web:2", surge=1, unavailable=0))
    world.run(is_good=is_not("web:2"))
    world.declare(deployment("web:3", surge=1, unavailable=0))
    world.occurrences.clear()
    world.run(is_good=is_not("web:2"))
    assert world.messages("ScalingReplicaSet")[0] == f"Scaled down replica set {TWO} to 0 from 1"
    assert sizes(world) == {ONE: 0, TWO: 0, THREE: 3}


def test_first_revision_that_never_worked_gives_its_place_at_once() -> None:
    world = World()
    world.declare(deployment("web:1", replicas=1, surge=1, unavailable=0))
    world.run(is_good=is_not("web:1"))
    world.declare(deployment("web:2", replicas=1, surge=1, unavailable=0))
    world.settle(1)
    assert images(world) == ["web:2"]


def test_lost_readiness_is_not_never_ready() -> None:
    world = rolled_out("web:1", replicas=1, surge=1, unavailable=0)
    world.set_ready(world.pods()[0], ready=False)
    world.declare(deployment("web:2", replicas=1, surge=1, unavailable=0))
    world.settle(1)
    assert images(world) == ["web:1", "web:2"]


def test_stuck_rollout_is_named_at_its_deadline_and_goes_on_when_it_can() -> None:
    world = rolled_out("web:1", progress_deadline_seconds=60)
    world.declare(deployment("web:2", progress_deadline_seconds=60))
    world.run(is_good=is_not("web:2"))
    world.settle(61)
    condition = find_condition(live(world).status.conditions, "Progressing")
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "ProgressDeadlineExceeded")
    assert world.holds["deployment-controller", live(world).key] == Hold(
        "ProgressDeadlineExceeded",
        f'ReplicaSet "{TWO}" has timed out progressing. '
        "Waiting for rollout to finish: 2 out of 3 new replicas have been updated...",
    )
    world.run()
    condition = find_condition(live(world).status.conditions, "Progressing")
    assert condition is not None
    assert (condition.status, condition.reason) == ("True", "NewReplicaSetAvailable")


def test_recreate_starts_nothing_before_the_last_old_pod_is_gone() -> None:
    world = rolled_out("web:1", recreate=True)
    world.declare(deployment("web:2", recreate=True))
    world.settle(1)
    assert [pod.is_terminating for pod in world.pods()] == [True] * 3
    first, *others = world.pods()
    for pod in others:
        world.remove(pod.key)
    world.settle(1)
    assert [pod.name for pod in world.pods()] == [first.name]
    world.remove(first.key)
    world.run()
    assert images(world) == ["web:2"] * 3


def test_pause_is_a_canary_and_resume_finishes_it() -> None:
    world = rolled_out("web:1")
    world.declare(deployment("web:2"))
    world.settle(1)
    world.declare(deployment("web:2", paused=True))
    world.run()
    assert images(world) == ["web:1", "web:1", "web:2", "web:2"]
    assert world.holds["deployment-controller", live(world).key].reason == "DeploymentPaused"
    world.declare(deployment("web:2"))
    world.run()
    assert images(world) == ["web:2"] * 3


def test_template_changed_while_paused_creates_nothing() -> None:
    world = rolled_out("web:1", paused=False)
    world.declare(deployment("web:2", paused=True))
    world.run()
    assert sizes(world) == {ONE: 3}


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        pytest.param(20, {ONE: 14, TWO: 9}, id="out"),
        pytest.param(5, {ONE: 3, TWO: 5}, id="in, and the rollout goes on"),
        pytest.param(0, {ONE: 0, TWO: 0}, id="to nothing"),
    ],
)
def test_scaling_in_mid_rollout_is_shared(replicas: int, expected: dict[str, int]) -> None:
    world = rolled_out("web:1", replicas=10, surge=3, unavailable=2)
    world.declare(deployment("web:2", replicas=10, surge=3, unavailable=2))
    world.run(is_good=is_not("web:2"))
    assert sizes(world) == {ONE: 8, TWO: 5}
    world.declare(deployment("web:2", replicas=replicas, surge=3, unavailable=2))
    world.run(is_good=is_not("web:2"))
    assert sizes(world) == expected


def test_new_template_and_new_size_in_one_commit_never_grow_the_old_template() -> None:
    world = rolled_out("web:1", replicas=3)
    world.declare(deployment("web:2", replicas=5))
    world.run()
    assert not [m for m in world.messages("ScalingReplicaSet") if m.startswith(f"Scaled up replica set {ONE}")]
    assert images(world) == ["web:2"] * 5


def test_min_ready_seconds_holds_the_rollout_until_pods_stood_that_long() -> None:
    world = rolled_out("web:1")
    world.declare(deployment("web:2", min_ready_seconds=30))
    world.run(rounds=5)
    assert sizes(world) == {ONE: 2, TWO: 2}
    world.settle(30)
    assert sizes(world) == {ONE: 0, TWO: 3}


def test_history_keeps_as_many_old_revisions_as_asked_for() -> None:
    world = World()
    for number in range(5):
        world.declare(deployment(f"web:{number}", revision_history_limit=2))
        world.run()
    assert sizes(world) == {revision_name("web:2"): 0, revision_name("web:3"): 0, revision_name("web:4"): 3}


def test_deleted_deployment_takes_everything_with_it() -> None:
    world = rolled_out()
    world.remove(live(world).key)
    world.run()
    assert (world.store.all_of(ReplicaSet), world.pods()) == ([], [])


def test_change_cause_is_noted_on_its_revision() -> None:
    world = World()
    cause = {"kubernetes.io/change-cause": "first try"}
    plain = deployment("web:1")
    world.declare(
        msgspec.structs.replace(
            plain, metadata=msgspec.structs.replace(plain.metadata, annotations={**plain.annotations, **cause})
        )
    )
    world.run()
    replica_set = world.store.get(ReplicaSet, "default", ONE)
    assert replica_set is not None
    assert replica_set.annotations == {
        **cause,
        "deployment.kubernetes.io/revision": "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
