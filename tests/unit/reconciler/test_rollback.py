"""Automatic rollback: when it is due, which revision it goes back to, and what the commit looks like."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from objects.api.apps import Deployment
from objects.api.meta import ObjectKey, ObjectMeta
from objects.errors import SourceUnreachable
from objects.names import ANNOTATION_TEMPLATE_HASH
from objects.own.canary import (
    CANARY,
    CANARY_CHECKS,
    CANARY_STEPS,
    STRATEGY,
)
from reconciler.core.engine import Engine
from reconciler.editing import rollback
from reconciler.editing.rollback import (
    ROLLBACK_ON_FAILURE,
    FailedRollout,
    RollbackLoop,
    RollbackWriter,
    failed_rollout,
)
from reconciler.state.store import Changed, View
from sources.git.repository import Repository
from sources.reading.desired import DesiredReader
from tests.unit.cli.gitops import FILES, WEB, WEB_FILE
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import deployment
from tests.unit.sources.conftest import Remote

KEY = ObjectKey("Deployment", "default", "nginx-deployment")


# --- when -----------------------------------------------------------------------------------------------------------


def asking(image: str, answer: str = "true", *, paused: bool = False) -> Deployment:
    plain = deployment(image, progress_deadline_seconds=60, paused=paused)
    annotations = {**plain.annotations, ROLLBACK_ON_FAILURE: answer}
    return msgspec.structs.replace(plain, metadata=msgspec.structs.replace(plain.metadata, annotations=annotations))


def stuck(answer: str = "true") -> World:
    """web:1 works, web:2 does not and its deadline has passed."""
    world = World()
    world.declare(asking("web:1", answer))
    world.run()
    world.declare(asking("web:2", answer))
    world.run(is_good=lambda pod: pod.spec.containers[0].image != "web:2")
    world.settle(61)
    return world


def live(world: World) -> Deployment:
    found = world.store.get(Deployment, "default", "web")
    assert found is not None
    return found


def hash_of(image: str) -> str:
    return deployment(image).annotations[ANNOTATION_TEMPLATE_HASH]


def test_stuck_rollout_is_due_with_what_worked_before() -> None:
    world = stuck()
    failed = failed_rollout(world.store, live(world))
    assert failed is not None
    assert (failed.template_hash, failed.good) == (hash_of("web:2"), (hash_of("web:1"),))
    assert failed.reason.startswith('ReplicaSet "web-')


def test_canary_that_a_check_ended_is_due_and_is_not_what_to_go_back_to() -> None:
    steps = {STRATEGY: CANARY, CANARY_STEPS: "10%:1h if errors", CANARY_CHECKS: "errors: sum(errors) < 0.5"}

    def bird(image: str) -> Deployment:
        plain = asking(image)
        metadata = msgspec.structs.replace(plain.metadata, annotations={**plain.annotations, **steps})
        return msgspec.structs.replace(plain, metadata=metadata)

    world = World()
    world.serve_metrics()
    world.declare(bird("web:1"))
    world.run()
    world.declare(bird("web:2"))
    world.run(rounds=10)
    assert failed_rollout(world.store, live(world)) is None
    world.answer_queries(errors=0.75)
    world.run()
    failed = failed_rollout(world.store, live(world))
    assert failed is not None
    assert (failed.template_hash, failed.good) == (hash_of("web:2"), (hash_of("web:1"),))
    assert failed.reason.endswith("check errors failed: 0.75 is not < 0.5")
    world.declare(bird("web:1"))
    world.run()
    assert failed_rollout(world.store, live(world)) is None


@pytest.mark.parametrize("answer", [pytest.param("false", id="said no"), pytest.param("yes", id="said something else")])
def test_nobody_is_rolled_back_who_did_not_ask(answer: str) -> None:
    world = stuck(answer)
    assert failed_rollout(world.store, live(world)) is None


def test_nothing_is_due_before_the_deadline_while_paused_and_after_a_newer_commit() -> None:
    world = World()
    world.declare(asking("web:1"))
    world.run()
    assert failed_rollout(world.store, live(world)) is None
    world = stuck()
    world.declare(asking("web:2", paused=True))
    world.settle()
    assert failed_rollout(world.store, live(world)) is None
    world = stuck()
    world.declare(asking("web:3"))
    assert failed_rollout(world.store, live(world)) is None


# --- the commit -----------------------------------------------------------------------------------------------------


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    made = Remote(tmp_path / "git")
    made.push({**FILES}, message="Our cluster")
    return made


@pytest.fixture
def repository(remote: Remote, tmp_path: Path) -> Iterator[Repository]:
    with Repository(remote.url, tmp_path / "cache") as opened:
        yield opened


def push(remote: Remote, image: str, *, message: str) -> None:
    """Another image in the person's file, with its comments."""
    remote.git("pull", "--quiet", "--rebase", "origin", "main")
    remote.push({WEB_FILE: WEB.replace("nginx:1.7.9", image)}, message=message)


def hash_now(repository: Repository) -> str:
    sha = repository.fetch("main").sha
    return DesiredReader(repository).read(sha).require().objects[KEY].annotations[ANNOTATION_TEMPLATE_HASH]


def failure(repository: Repository, *good: str) -> FailedRollout:
    return FailedRollout(KEY, hash_now(repository), good, "it has timed out progressing: no such image")


def test_the_template_comes_back_and_the_commit_says_why(remote: Remote, repository: Repository) -> None:
    first = hash_now(repository)
    push(remote, "nginx:broken", message="An update")
    failed = failure(repository, first)
    assert RollbackWriter(repository, "main").roll_back(failed)
    assert remote.in_remote("show", f"main:{WEB_FILE}") + "\n" == WEB
    assert remote.in_remote("log", "-1", "--format=%an%n%B", "main").splitlines() == [
        "Berth",
        "Roll back deployment/nginx-deployment",
        "",
        "it has timed out progressing: no such image",
        "",
        f"Berth-Rolled-Back: default/deployment/nginx-deployment {failed.template_hash}",
    ]


def test_revisions_that_never_worked_are_passed_over(remote: Remote, repository: Repository) -> None:
    first = hash_now(repository)
    push(remote, "nginx:broken", message="An update")
    push(remote, "nginx:broken-too", message="A mend that mends nothing")
    assert RollbackWriter(repository, "main").roll_back(failure(repository, first))
    assert hash_now(repository) == first


def test_a_newer_commit_is_left_alone(remote: Remote, repository: Repository) -> None:
    first = hash_now(repository)
    push(remote, "nginx:broken", message="An update")
    failed = failure(repository, first)
    push(remote, "nginx:1.9.1", message="A mend")
    assert RollbackWriter(repository, "main").roll_back(failed) == ""
    assert remote.in_remote("log", "-1", "--format=%s", "main") == "A mend"


def test_a_rollback_that_fails_is_not_rolled_back(remote: Remote, repository: Repository) -> None:
    first = hash_now(repository)
    push(remote, "nginx:1.9.1", message="A good update")
    second = hash_now(repository)
    push(remote, "nginx:broken", message="A bad one")
    writer = RollbackWriter(repository, "main")
    assert writer.roll_back(failure(repository, first, second))
    assert hash_now(repository) == second
    assert writer.roll_back(failure(repository, first)) == ""


def test_without_anything_that_worked_nothing_is_done(remote: Remote, repository: Repository) -> None:
    assert RollbackWriter(repository, "main").roll_back(failure(repository)) == ""
    assert remote.in_remote("log", "-1", "--format=%s", "main") == "Our cluster"


# --- the loop -------------------------------------------------------------------------------------------------------


def told(loop: RollbackLoop, world: World, *others: Deployment) -> Engine:
    """The loop is told that the Deployment changed, and these."""
    engine = Engine((), source=random.Random(0))
    engine._writer.store = world.store
    engine._writer._unpublished = [Changed(obj.key, None, obj) for obj in world.store]
    engine._publish()
    loop.note(engine, [Changed(one.key, None, one) for one in (*others, live(world))])
    return engine


def test_each_failure_is_acted_on_once_and_a_lost_remote_is_tried_again() -> None:
    world, tried, done = stuck(), [], threading.Event()

    def roll_back(failed: FailedRollout) -> str:
        tried.append(failed.template_hash)
        if len(tried) == 1:
            raise SourceUnreachable("the remote is gone")
        return "abc"

    loop = RollbackLoop(roll_back, on_commit=done.set, retry_seconds=(0.01,))
    loop.start()
    told(loop, world)
    told(loop, world)
    assert done.wait(10)
    loop.stop()
    assert tried == [hash_of("web:2")] * 2


def test_a_deployment_that_cannot_be_judged_keeps_no_other_from_its_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    world, tried, done = stuck(), [], threading.Event()
    bad = msgspec.structs.replace(live(world), metadata=ObjectMeta(name="bad", namespace="default", uid="bad"))
    world.store.put(bad)
    real = rollback.failed_rollout

    def judge(view: View, deployment: Deployment) -> FailedRollout | None:
        if deployment.name == "bad":
            raise ValueError("no colour")
        return real(view, deployment)

    def roll_back(failed: FailedRollout) -> str:
        tried.append(failed.key)
        return "abc"

    monkeypatch.setattr(rollback, "failed_rollout", judge)
    loop = RollbackLoop(roll_back, on_commit=done.set)
    loop.start()
    engine = told(loop, world, bad)
    assert done.wait(10)
    loop.stop()
    assert tried == [live(world).key]
    assert [(task, hold.message) for task, hold in engine.holds.items()] == [
        (("rollback", bad.key), "ValueError: no colour")
    ]
