"""Canary and blue-green: how far a rollout goes, when it rests, and that a restart changes nothing."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from objects.api.apps import Deployment, ReplicaSet
from objects.conditions import find_condition
from objects.errors import InvalidInput
from objects.own.canary import (
    CANARY_CHECKS,
    CANARY_STEPS,
    STRATEGY,
    CanaryCheck,
    CanaryStep,
    parse_canary_checks,
    parse_canary_steps,
    strategy_problem,
)
from reconciler.core.health import HealthStatus, health_of
from reconciler.queries.orders import queries_for
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import deployment, revision_name

ONE, TWO = revision_name("web:1"), revision_name("web:2")


def staged(
    image: str, strategy: str, steps: str = "", *, surge: int = 2, unavailable: int = 1, checks: str = ""
) -> Deployment:
    plain = deployment(image, replicas=10, surge=surge, unavailable=unavailable, progress_deadline_seconds=60)
    said = {
        STRATEGY: strategy,
        **({CANARY_STEPS: steps} if steps else {}),
        **({CANARY_CHECKS: checks} if checks else {}),
    }
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


# --- checks ---------------------------------------------------------------------------------------------------------

CHECKS = "errors: sum(errors) < 0.5 for 2 times\nlatency: max(latency) <= 2 for 30s"
STEPS = "20%:10s if errors, 50%:1m if errors and latency"


def checked(steps: str = STEPS, checks: str = CHECKS, *, serve: bool = True) -> World:
    """web:1 runs, web:2 stands at the first step."""
    world = World()
    if serve:
        world.serve_metrics()
    world.declare(staged("web:1", "canary", steps, checks=checks))
    world.run()
    world.declare(staged("web:2", "canary", steps, checks=checks))
    world.run(rounds=15)
    return world


def look(world: World, *, times: int = 1, problem: str = "nobody answers", **values: float | None) -> None:
    """The metrics server is asked so often, 15 s apart, and pods follow."""
    for _ in range(times):
        world.now += timedelta(seconds=15)
        world.answer_queries(problem=problem, **values)
        world.run(rounds=5)


def progressing(world: World) -> tuple[str, str, str]:
    condition = find_condition(live(world).status.conditions, "Progressing")
    assert condition is not None
    return condition.status, condition.reason, condition.message


def test_a_canary_whose_checks_hold_goes_all_the_way() -> None:
    world = checked()
    look(world, errors=0.1, latency=1)
    assert sizes(world) == (8, 2)
    assert progressing(world)[2] == (
        "canary: 2 of 10 pods are new (20%); check errors has to hold: < 0.5, 2 times in a row"
    )
    look(world, errors=0.1, latency=1)
    world.run()
    assert sizes(world) == (5, 5)
    look(world, times=2, errors=0.1, latency=1)
    assert sizes(world) == (5, 5)
    look(world, times=3, errors=0.1, latency=1)
    world.run()
    assert sizes(world) == (0, 10)
    assert health_of(world.store, live(world)).status is HealthStatus.HEALTHY


def test_a_check_that_fails_stops_the_canary_for_good() -> None:
    world = checked()
    look(world, errors=0.1, latency=1)
    look(world, times=2, errors=0.75, latency=1)
    why = "canary: 2 of 10 pods are new (20%); check errors failed: 0.75 is not < 0.5, 2 times in a row"
    assert (sizes(world), progressing(world)) == ((8, 2), ("False", "CanaryFailed", why))
    assert world.messages("CanaryFailed") == [why]
    assert health_of(world.store, live(world)).status is HealthStatus.DEGRADED
    assert queries_for(world.store, world.settings.metrics.prometheus) == frozenset()
    look(world, times=20, errors=0.0, latency=0)
    world.settle(1000)
    world.touch_everything()
    world.settle()
    assert (sizes(world), progressing(world)[1]) == ((8, 2), "CanaryFailed")
    assert world.messages("CanaryFailed") == [why]


def test_a_check_is_watched_during_a_pause_and_while_a_step_is_held() -> None:
    world = checked("20%:hold if errors")
    look(world, times=5, errors=0.1)
    assert (sizes(world), progressing(world)[1]) == ((8, 2), "CanaryPaused")
    look(world, times=2, errors=0.9)
    assert progressing(world)[1] == "CanaryFailed"


@pytest.mark.parametrize(
    ("serve", "values", "expected"),
    [
        pytest.param(
            False,
            {},
            "no metrics server is configured: spec.metrics.prometheus.url of the Cluster names one",
            id="no server",
        ),
        pytest.param(True, {"errors": None}, "nobody answers", id="no answer"),
    ],
)
def test_what_is_not_measured_neither_passes_nor_fails(
    serve: bool, values: dict[str, float | None], expected: str
) -> None:
    world = checked(serve=serve)
    look(world, times=40, **values)
    world.settle(600)
    assert sizes(world) == (8, 2)
    assert progressing(world)[1:] == (
        "CanaryPaused",
        f"canary: 2 of 10 pods are new (20%); check errors cannot be judged: {expected}",
    )
    assert health_of(world.store, live(world)).status is HealthStatus.SUSPENDED


def test_a_commit_that_changes_a_check_or_the_template_tries_anew() -> None:
    world = checked()
    look(world, times=2, errors=0.75)
    loose = CHECKS.replace("0.5", "0.9")
    world.declare(staged("web:2", "canary", STEPS, checks=loose))
    world.run()
    assert progressing(world)[1] == "CanaryPaused"
    look(world, times=2, errors=0.75, latency=1)
    assert sizes(world) == (5, 5)
    world = checked()
    look(world, times=2, errors=0.75)
    world.declare(staged("web:3", "canary", STEPS, checks=CHECKS))
    world.run(rounds=15)
    newest = [rs for rs in world.store.all_of(ReplicaSet) if rs.name == revision_name("web:3")]
    assert ([rs.spec.replicas for rs in newest], progressing(world)[1]) == ([2], "CanaryPaused")


def test_the_way_back_from_a_canary_that_failed_goes_in_no_steps() -> None:
    steps, checks = "20%:1h if errors, 80%:hold", "errors: sum(errors) < 0.5"
    world = checked(steps, checks)
    look(world, errors=1)
    assert progressing(world)[1] == "CanaryFailed"
    world.declare(staged("web:1", "canary", steps, checks=checks))
    world.run()
    assert sizes(world) == (10, 0)
    # And what failed once may be tried again.
    world.declare(staged("web:2", "canary", steps, checks=checks))
    world.run(rounds=15)
    assert (sizes(world), progressing(world)[1]) == ((8, 2), "CanaryPaused")


def test_nothing_is_asked_but_while_a_canary_is_under_way() -> None:
    world = checked()
    server = world.settings.metrics.prometheus
    assert queries_for(world.store, server) == {"sum(errors)", "max(latency)"}
    look(world, times=10, errors=0.1, latency=1)
    world.run()
    assert (sizes(world), queries_for(world.store, server)) == ((0, 10), frozenset())


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
            "10%:30s if errors, 50% if errors  and latency",
            (
                CanaryStep(10, timedelta(seconds=30), ("errors",)),
                CanaryStep(50, timedelta(), ("errors", "latency")),
            ),
            id="checks",
        ),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", {}, id="none"),
        pytest.param("e: up < 1", {"e": CanaryCheck("e", "up", "<", 1)}, id="once"),
        pytest.param(
            'e: sum(x{a!="b"} > 0) / 2 >= -1.5e-3 for 5m\n\n  other-one:y==0 for 3 times',
            {
                "e": CanaryCheck("e", 'sum(x{a!="b"} > 0) / 2', ">=", -0.0015, 1, timedelta(minutes=5)),
                "other-one": CanaryCheck("other-one", "y", "==", 0, 3),
            },
            id="how long, how often",
        ),
    ],
)
def test_checks_are_read(text: str, expected: dict[str, CanaryCheck]) -> None:
    assert parse_canary_checks(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "e",
        "e: up",
        "e: up <",
        "e: up < soon",
        "e: up < 1e",
        "up < 1",
        "E: up < 1",
        ": up < 1",
        "e: up < 1 for 2h",
        "e: up < 1 for 0 times",
        "e: up < 1 for ever",
        "e: up < 1\ne: up < 2",
    ],
)
def test_malformed_checks_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_canary_checks(text)


@pytest.mark.parametrize("text", ["10% if", "10%if errors", "", "10", "0%", "101%", "10%:soon", "50%, 10%", "10%:5"])
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
            (CANARY_STEPS, "'x' is no step like 10%, 10%:30s, 10%:hold or 10%:30s if errors"),
            id="bad",
        ),
        pytest.param(
            {STRATEGY: "canary", CANARY_STEPS: "10% if e", CANARY_CHECKS: "e: up < 1"}, None, id="canary with a check"
        ),
        pytest.param(
            {STRATEGY: "canary", CANARY_STEPS: "10% if e"},
            (CANARY_STEPS, f"there is no check 'e' in {CANARY_CHECKS}"),
            id="missing check",
        ),
        pytest.param(
            {STRATEGY: "canary", CANARY_STEPS: "10%", CANARY_CHECKS: "e: up < 1"},
            (CANARY_CHECKS, "no step asks for check 'e'"),
            id="check that nobody asks for",
        ),
        pytest.param(
            {STRATEGY: "blue-green", CANARY_CHECKS: "e: up < 1"},
            (CANARY_CHECKS, f"has no meaning without {STRATEGY}: canary"),
            id="checks of no canary",
        ),
    ],
)
def test_what_is_wrong_with_annotations_is_said(annotations: dict[str, str], expected: tuple[str, str] | None) -> None:
    assert strategy_problem(annotations) == expected
