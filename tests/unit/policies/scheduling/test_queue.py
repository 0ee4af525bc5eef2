"""When a pod that found no host is tried again."""

from __future__ import annotations

import msgspec
import pytest

from objects.api.core import Node
from objects.api.meta import Condition, ObjectKey
from objects.api.pods import Pod
from policies.scheduling.queue import ANY_EVENT, SchedulingQueue, host_events, pod_events
from policies.scheduling.rules import Event
from tests.unit.policies.scheduling.cluster import cluster, host, place, pod

P, Q = (ObjectKey("Pod", "default", name) for name in "pq")
SHORT = frozenset((Event.POD_REMOVED, Event.HOST_ADDED))


def test_new_pods_are_due() -> None:
    queue = SchedulingQueue()
    queue.add(P)
    assert (queue.due, bool(queue)) == ({P}, True)


def test_failed_pod_waits_for_what_helps() -> None:
    queue = SchedulingQueue()
    queue.add(P)
    queue.failed(P, SHORT)
    queue.failed(Q, ANY_EVENT)
    assert (queue.due, P in queue, bool(queue)) == (set(), True, True)
    queue.happened([Event.POD_ADDED, Event.HOST_CHANGED])
    assert queue.due == {Q}
    queue.happened([Event.POD_REMOVED])
    assert queue.due == {P, Q}


def test_pod_that_failed_again_waits_for_what_helps_now() -> None:
    queue = SchedulingQueue()
    queue.failed(P, SHORT)
    queue.failed(P, frozenset((Event.VOLUME_CHANGED,)))
    queue.happened([Event.POD_REMOVED])
    assert queue.due == set()
    queue.happened([Event.VOLUME_CHANGED])
    assert queue.due == {P}


def test_forgotten_pod_is_not_there() -> None:
    queue = SchedulingQueue()
    queue.failed(P, SHORT)
    queue.add(Q)
    queue.forget(P)
    queue.forget(Q)
    queue.happened([*Event])
    assert not queue


def _ready(status: str) -> Node:
    return host("a", conditions=(Condition(type="Ready", status=status),))


HOSTS = [
    pytest.param(None, host("a"), {Event.HOST_ADDED}, id="new"),
    pytest.param(host("a"), None, set(), id="gone"),
    pytest.param(host("a"), host("a"), set(), id="same"),
    pytest.param(host("a", cpu="4"), host("a", cpu="8"), {Event.CAPACITY_ADDED}, id="more"),
    pytest.param(host("a", cpu="4"), host("a", cpu="2"), set(), id="less"),
    pytest.param(host("a"), host("a", labels={"x": "1"}), {Event.HOST_CHANGED}, id="label"),
    pytest.param(host("a", unschedulable=True), host("a"), {Event.HOST_CHANGED}, id="uncordoned"),
    pytest.param(_ready("False"), _ready("True"), {Event.HOST_CHANGED}, id="ready"),
]


@pytest.mark.parametrize(("old", "new", "events"), HOSTS)
def test_what_a_change_of_a_host_means(old: Node | None, new: Node | None, events: set[Event]) -> None:
    assert host_events(old, new) == events


def _finished(one: Pod) -> Pod:
    return msgspec.structs.replace(one, status=msgspec.structs.replace(one.status, phase="Failed"))


PODS = [
    pytest.param(None, pod("p", on="a"), {Event.POD_ADDED}, id="bound"),
    pytest.param(pod("p"), pod("p", on="a"), {Event.POD_ADDED}, id="bound-later"),
    pytest.param(pod("p", on="a"), None, {Event.POD_REMOVED}, id="gone"),
    pytest.param(pod("p", on="a"), _finished(pod("p", on="a")), {Event.POD_REMOVED}, id="finished"),
    pytest.param(pod("p"), None, set(), id="never-bound"),
    pytest.param(
        pod("p", on="a"), pod("p", on="a", labels={"x": "1"}), {Event.POD_ADDED, Event.POD_REMOVED}, id="relabelled"
    ),
    pytest.param(pod("p", on="a"), pod("p", on="a"), set(), id="same"),
]


@pytest.mark.parametrize(("old", "new", "events"), PODS)
def test_what_a_change_of_a_pod_means(old: Pod | None, new: Pod | None, events: set[Event]) -> None:
    assert pod_events(old, new) == events


HELP = [
    pytest.param(
        (host("a", cpu="1"),),
        pod("p", requests={"cpu": "2"}),
        {Event.CAPACITY_ADDED, Event.POD_REMOVED},
        ("1 more cpu free on a would do; or request less, or add a host",),
        id="amounts",
    ),
    pytest.param(
        (host("a", unschedulable=True),), pod("p"), {Event.HOST_CHANGED}, ("`berth uncordon a`",), id="cordon"
    ),
    pytest.param(
        (host("a", taints=("gpu=true:NoSchedule",)),),
        pod("p"),
        {Event.HOST_CHANGED},
        ("let the pod tolerate taint gpu=true, or remove it from a",),
        id="taint",
    ),
    pytest.param(
        (host("a"),),
        pod("p", node_selector={"disk": "ssd"}),
        {Event.HOST_CHANGED},
        ("give a host the label disk=ssd, or change what the pod selects",),
        id="label",
    ),
]


@pytest.mark.parametrize(("objects", "wanted", "events", "hints"), HELP)
def test_what_would_help(objects: tuple[Node, ...], wanted: Pod, events: set[Event], hints: tuple[str, ...]) -> None:
    (placement,) = place(cluster(*objects), wanted)
    assert placement.unschedulable is not None
    assert placement.unschedulable.helped_by == events | {Event.HOST_ADDED, Event.POD_CHANGED}
    assert placement.unschedulable.hints == hints
