"""A bug met on one object is held there with a reason, is tried again later and later, and stops nobody else."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from objects.api.core import ConfigMap
from objects.api.meta import ObjectKey
from objects.api.pods import Pod
from objects.own.config import Host
from reconciler.assigning.assignments import build_assignment
from reconciler.controllers import CONTROLLERS
from reconciler.controllers.base import NOTHING, Controller, Hold
from reconciler.core import assignment_book, host_reports
from reconciler.core.engine import Engine
from reconciler.core.host_reports import HostReports
from reconciler.core.wanted import Wanted
from reconciler.state import desired
from reconciler.state.pod_state import with_reported_status
from tests.unit.reconciler.cluster import START, FakeCluster, bare_pod


def broken(cluster: FakeCluster) -> dict[tuple[str, ObjectKey], Hold]:
    return {task: hold for task, hold in cluster.engine.holds.items() if hold.reason == "InternalError"}


def events(cluster: FakeCluster) -> list[tuple[str, str]]:
    return [
        (str(one.occurrence.key), one.occurrence.message)
        for one in cluster.engine.events
        if one.occurrence.reason == "InternalError"
    ]


def test_a_watch_that_raises_holds_its_object_only() -> None:
    def watch(_view: object, obj: ConfigMap) -> list[ObjectKey]:
        raise KeyError(obj.name)

    bad = Controller(name="bad", watches={Pod.KIND: watch}, reconcile=lambda *_: NOTHING)  # type: ignore[dict-item]
    cluster = FakeCluster("a")
    cluster.engine = Engine([*CONTROLLERS, bad], source=cluster.engine._random)
    cluster.settle(cluster.desired(bare_pod()))
    assert cluster.running == {"a": ["lone"]}
    assert [task for task, _ in broken(cluster)] == ["watch of bad"]
    assert events(cluster) == [("Pod default/lone", "watch of bad failed: KeyError: 'lone'")]


def test_a_host_whose_assignment_raises_keeps_the_last_one_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster("a", "b")
    real = build_assignment
    tried: list[float] = []

    def build(view, host, *args, **how):  # type: ignore[no-untyped-def]
        if host.name == "a":
            tried.append((cluster.now - START).total_seconds())
            raise ValueError("no colour")
        return real(view, host, *args, **how)

    monkeypatch.setattr(assignment_book, "build_assignment", build)
    cluster.step(cluster.desired(bare_pod(name="one"), bare_pod(name="two"), bare_pod(name="three")))
    for _ in range(40):
        cluster.step(*map(cluster.report, cluster.hosts))
    assert cluster.running["b"]
    pauses = [round(after - before) for before, after in itertools.pairwise(tried)]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 16
    assert list(broken(cluster)) == [("assignment", ObjectKey(Host.KIND, "", "a"))]
    monkeypatch.setattr(assignment_book, "build_assignment", real)
    cluster.now += timedelta(minutes=5)
    cluster.settle()
    assert cluster.running["a"]
    assert broken(cluster) == {}


def test_a_pod_whose_status_cannot_be_taken_in_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster("a")
    real = with_reported_status

    def take(pod, reported):  # type: ignore[no-untyped-def]
        if pod.name == "bad":
            raise ValueError("no colour")
        return real(pod, reported)

    monkeypatch.setattr(host_reports, "with_reported_status", take)
    cluster.step(cluster.desired(bare_pod(name="bad"), bare_pod(name="good")))
    for _ in range(5):
        cluster.step(cluster.report("a"))
    good = cluster.engine.store.get(Pod, "default", "good")
    assert good is not None and good.status.phase == "Running"
    assert [key.name for _, key in broken(cluster)] == ["bad"]


def test_an_object_of_a_commit_that_cannot_be_stored_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster("a")
    real = desired.stored_form

    def stored(view, wanted, *args, **how):  # type: ignore[no-untyped-def]
        if wanted.name == "bad":
            raise ValueError("no colour")
        return real(view, wanted, *args, **how)

    monkeypatch.setattr(desired, "stored_form", stored)
    cluster.settle(cluster.desired(bare_pod(name="bad"), bare_pod(name="good")))
    assert cluster.running == {"a": ["good"]}
    assert events(cluster) == [("Pod default/bad", "desired object failed: ValueError: no colour")]


def test_a_message_that_raises_is_tried_again_until_it_is_taken_in(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster("a", "b")
    cluster.settle(cluster.desired(bare_pod()))
    monkeypatch.setattr(HostReports, "take_report", _raising_once(HostReports.take_report))
    cluster.step(cluster.report("a"))
    assert [task for task, _ in broken(cluster)] == ["message HostReport"]
    for _ in range(3):
        cluster.step()
    assert broken(cluster) == {}


def _raising_once(real: Callable[..., None]) -> Callable[..., None]:
    calls: list[tuple[Any, ...]] = []

    def once(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 1:
            raise ValueError("no colour")
        real(*args)

    return once


def test_pruning_that_raises_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster("a")
    cluster.settle(cluster.desired(bare_pod(name="one"), bare_pod(name="two")))
    monkeypatch.setattr(Wanted, "prune", _raising_once(Wanted.prune))
    cluster.step(cluster.desired(bare_pod(name="one")))
    assert [task for task, _ in broken(cluster)] == ["pruning"]
    cluster.now += timedelta(seconds=5)
    cluster.settle()
    assert (cluster.running, broken(cluster)) == ({"a": ["one"]}, {})
