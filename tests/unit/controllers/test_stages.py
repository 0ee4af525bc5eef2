"""Canary and blue-green: how far a rollout goes, when it rests, and that a restart changes nothing."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from objects.apps import Deployment, ReplicaSet
from objects.canary import CANARY_STEPS, STRATEGY, CanaryStep, parse_canary_steps, strategy_problem
from objects.conditions import find_condition
from objects.errors import InvalidInput
from reconciler.health import HealthStatus, health_of
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import deployment, revision_name

ONE, TWO = revision_name("web:1"), revision_name("web:2")


def staged(image: str, strategy: str, steps: str = "", *, surge: int = 2, unavailable: int = 1) -> Deployment:
    plain = deployment(image, replicas=10, surge=surge, unavailable=unavailable, progress_deadline_seconds=60)
    said = {STRATEGY: strategy, **({CANARY_STEPS: steps} if steps else {})}
    annotations = {**plain.annotations, **said}
    return msgspec.structs.replace(plain, metadata=msgspec.structs.replace(plain.metadata, annotations=annotations))


def sizes(world: World) -> tuple[int, int]:
    """(old, new)."""
    found = {rs.name: rs.spec.replicas or 0 for rs in world.store.all_of(ReplicaSet)}
    return found[ONE], found.get(TWO, 0)


def live(world: World) -> Deployment:
    found = world.store.get(Deployment, "default", "web")
    assert found is not None
    return found


def begun(steps: str, **how: int) -> World:
    world = World()
    world.declare(staged("web:1", "canary", steps, **how))
    world.run()
    world.declare(staged("web:2", "canary", steps, **how))
    world.run(rounds=15)
    return world


@pytest.mark.parametrize(
    ("surge", "unavailable"),
    [pytest.param(2, 1, id="both"), pytest.param(1, 0, id="surge only"), pytest.param(0, 1, id="no surge")],
)
def test_canary_rests_at_its_steps_with_all_pods_that_are_wanted(surge: int, unavailable: int) -> None:
    world = begun("20%:200s, 50%:hold", surge=surge, unavailable=unavailable)
    assert sizes(world) == (8, 2)
    world.settle(200)
    world.run(rounds=15)
    assert sizes(world) == (5, 5)
    world.settle(100_000)
    assert sizes(world) == (5, 5)
    world.declare(staged("web:2", "canary", "20%:1s", surge=surge, unavailable=unavailable))
    world.run()
    assert sizes(world) == (0, 10)


def test_a_resting_canary_is_not_stuck_and_says_what_it_waits_for() -> None:
    world = begun("20%:1h")
    world.settle(600)
    condition = find_condition(live(world).status.conditions, "Progressing")
    assert condition is not None
    assert condition.reason == "CanaryPaused"
    health = health_of(world.store, live(world))
    assert health.status is HealthStatus.SUSPENDED
    assert health.message.startswith("canary: 2 of 10 pods are new (20%); it goes on at ")
    world.touch_everything()
    assert world.settle() == 0


def test_a_canary_that_does_not_come_up_is_stuck_at_its_first_step() -> None:
    world = World()
    world.declare(staged("web:1", "canary", "20%:1h"))
    world.run()
    world.declare(staged("web:2", "canary", "20%:1h"))
    world.run(rounds=15, is_good=lambda pod: pod.spec.containers[0].image != "web:2")
    world.settle(61)
    condition = find_condition(live(world).status.conditions, "Progressing")
    assert condition is not None
    assert (condition.reason, sizes(world)[1]) == ("ProgressDeadlineExceeded", 2)


def test_what_runs_for_the_first_time_goes_in_no_steps() -> None:
    world = World()
    world.declare(staged("web:1", "canary", "20%:hold"))
    world.run()
    assert sizes(world) == (10, 0)


def test_blue_green_keeps_all_old_pods_until_all_new_ones_are_available() -> None:
    world = World()
    world.declare(staged("web:1", "blue-green"))
    world.run()
    world.declare(staged("web:2", "blue-green"))
    world.run(rounds=15, is_good=lambda pod: pod.spec.containers[0].image != "web:2")
    assert sizes(world) == (10, 10)
    world.run()
    assert sizes(world) == (0, 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("10%", (CanaryStep(10),), id="no pause"),
        pytest.param(
            "10%:30s, 50%:5m,80%:hold",
            (
                CanaryStep(10, timedelta(seconds=30)),
                CanaryStep(50, timedelta(minutes=5)),
                CanaryStep(80, None),
            ),
            id="pauses",
        ),
    ],
)
def test_steps_are_read(text: str, expected: tuple[CanaryStep, ...]) -> None:
    assert parse_canary_steps(text) == expected


@pytest.mark.parametrize("text", ["", "10", "0%", "101%", "10%:soon", "50%, 10%", "10%:5"])
def test_malformed_steps_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_canary_steps(text)


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({STRATEGY: "blue-green"}, None, id="blue-green"),
        pytest.param({STRATEGY: "canary", CANARY_STEPS: "10%"}, None, id="canary"),
        pytest.param({STRATEGY: "purple"}, (STRATEGY, "'purple' is not canary or blue-green"), id="unknown"),
        pytest.param({STRATEGY: "canary"}, (STRATEGY, f"a canary needs steps: {CANARY_STEPS}"), id="no steps"),
        pytest.param(
            {CANARY_STEPS: "10%"}, (CANARY_STEPS, f"has no meaning without {STRATEGY}: canary"), id="steps alone"
        ),
        pytest.param(
            {STRATEGY: "canary", CANARY_STEPS: "x"},
            (CANARY_STEPS, "'x' is no step like 10%, 10%:30s or 10%:hold"),
            id="bad",
        ),
    ],
)
def test_what_is_wrong_with_annotations_is_said(annotations: dict[str, str], expected: tuple[str, str] | None) -> None:
    assert strategy_problem(annotations) == expected
