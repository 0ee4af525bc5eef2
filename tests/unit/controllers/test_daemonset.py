"""DaemonSets over nodes that come, go, are cordoned, tainted or do not answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from objects.api.apps import DaemonSet, DaemonSetStatus
from objects.api.core import Taint
from objects.api.pods import Toleration
from objects.conditions import find_condition
from objects.own.config import Host
from reconciler.controllers.daemon.placement import node_of
from reconciler.controllers.daemon.update import Allowance, allowance_of
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import daemon_set


def nodes(world: World) -> list[str]:
    return sorted(node_of(pod) for pod in world.pods() if not pod.is_terminating)


def images(world: World) -> dict[str, str]:
    return {node_of(pod): pod.spec.containers[0].image for pod in world.pods() if not pod.is_terminating}


def run_everywhere(world: World, rounds: int = 30, *, bad: str = "") -> None:
    """Like `World.run`, with each daemon pod bound to the node that it asks for."""
    for _ in range(rounds):
        before = world.store.version
        world.settle(1)
        for pod in world.pods():
            if pod.is_terminating and world.is_answering(pod.node_name):
                world.remove(pod.key)
            elif not pod.node_name:
                world.bind(pod, node_of(pod))
        for pod in world.pods():
            if pod.node_name and not pod.is_ready and pod.spec.containers[0].image != bad:
                world.set_ready(pod)
        if world.store.version == before:
            return


@pytest.mark.parametrize(
    ("host", "pod", "expected"),
    [
        pytest.param({}, {}, ["n1", "n2", "n3", "n4"], id="every node"),
        pytest.param({"unschedulable": True}, {}, ["n1", "n2", "n3", "n4"], id="cordoned ones too"),
        pytest.param(
            {"taints": (Taint(key="gpu", effect="NoSchedule"),)}, {}, ["n1", "n2", "n3"], id="not a tainted one"
        ),
        pytest.param(
            {"taints": (Taint(key="gpu", effect="NoSchedule"),)},
            {"tolerations": (Toleration(key="gpu", operator="Exists"),)},
            ["n1", "n2", "n3", "n4"],
            id="a tainted one that is tolerated",
        ),
        pytest.param({}, {"node_selector": {"kubernetes.io/hostname": "n4"}}, ["n4"], id="node selector"),
        pytest.param({}, {"node_selector": {"disk": "ssd"}}, [], id="no node fits"),
    ],
)
def test_runs_where_it_belongs(host: dict[str, Any], pod: dict[str, Any], expected: list[str]) -> None:
    world = World()
    world.add_host("n4", **host)
    world.declare(daemon_set(pod=pod))
    run_everywhere(world)
    assert nodes(world) == expected


def test_joining_and_leaving_nodes() -> None:
    world = World()
    world.declare(daemon_set())
    run_everywhere(world)
    world.add_host("n4")
    host = world.store.get(Host, "", "n1")
    assert host is not None
    world.remove(host.key)
    run_everywhere(world)
    assert nodes(world) == ["n2", "n3", "n4"]


def test_silent_host_keeps_its_daemon_for_ever() -> None:
    world = World()
    world.declare(daemon_set())
    run_everywhere(world)
    world.silence("n2")
    world.settle(3600)
    kept = next(pod for pod in world.pods() if pod.node_name == "n2")
    ready = find_condition(kept.status.conditions, "Ready")
    assert ready is not None
    assert (kept.is_terminating, ready.status, ready.reason) == (False, "False", "NodeNotReady")


def test_status_counts_nodes_and_rests() -> None:
    world = World()
    world.declare(daemon_set())
    run_everywhere(world)
    live = world.store.get(DaemonSet, "default", "agent")
    assert live is not None
    assert live.status == DaemonSetStatus(
        desired_number_scheduled=3,
        current_number_scheduled=3,
        number_ready=3,
        updated_number_scheduled=3,
        number_available=3,
        observed_generation=1,
    )
    world.touch_everything()
    assert (world.settle(), world.holds) == (0, {})


def test_update_takes_one_node_after_the_other() -> None:
    world = World()
    world.declare(daemon_set("web:1"))
    run_everywhere(world)
    world.declare(daemon_set("web:2"))
    fewest = 3
    for _ in range(20):
        world.settle(1)
        fewest = min(fewest, sum(pod.is_ready and not pod.is_terminating for pod in world.pods()))
        run_everywhere(world, rounds=1)
    assert (fewest, images(world)) == (2, {"n1": "web:2", "n2": "web:2", "n3": "web:2"})


def test_surge_starts_the_new_pod_before_the_old_one_goes() -> None:
    world = World()
    world.declare(daemon_set("web:1", surge=1, unavailable=0))
    run_everywhere(world)
    world.declare(daemon_set("web:2", surge=1, unavailable=0))
    world.settle(1)
    assert [pod.spec.containers[0].image for pod in world.pods()].count("web:2") == 1
    assert not any(pod.is_terminating for pod in world.pods())
    run_everywhere(world)
    assert images(world) == {"n1": "web:2", "n2": "web:2", "n3": "web:2"}


def test_bad_update_stops_and_the_next_commit_frees_it() -> None:
    world = World()
    world.declare(daemon_set("web:1"))
    run_everywhere(world)
    world.declare(daemon_set("web:2"))
    run_everywhere(world, bad="web:2")
    assert sorted(images(world).values()) == ["web:1", "web:1", "web:2"]
    world.declare(daemon_set("web:3"))
    run_everywhere(world, bad="web:2")
    assert sorted(images(world).values()) == ["web:3"] * 3


def test_on_delete_updates_only_what_somebody_deletes() -> None:
    world = World()
    world.declare(daemon_set("web:1", strategy="OnDelete"))
    run_everywhere(world)
    world.declare(daemon_set("web:2", strategy="OnDelete"))
    run_everywhere(world)
    world.delete(next(pod for pod in world.pods() if pod.node_name == "n2").key)
    run_everywhere(world)
    assert images(world) == {"n1": "web:1", "n2": "web:2", "n3": "web:1"}


def test_failed_pod_is_replaced_after_a_pause() -> None:
    world = World()
    world.declare(daemon_set())
    run_everywhere(world)
    failed = next(pod for pod in world.pods() if pod.node_name == "n2")
    world.finish(failed, exit_code=1)
    world.settle(9)
    assert world.store.find(failed.key) is not None
    world.settle(1)
    run_everywhere(world)
    assert (nodes(world), world.store.find(failed.key)) == (["n1", "n2", "n3"], None)


@pytest.mark.parametrize(
    ("surge", "unavailable", "desired", "expected"),
    [
        pytest.param(0, 1, 10, Allowance(0, 1), id="defaults"),
        pytest.param("10%", 0, 10, Allowance(1, 0), id="surge only"),
        pytest.param(0, "25%", 10, Allowance(0, 3), id="unavailable rounds up"),
        pytest.param(0, 0, 10, Allowance(0, 1), id="never both nothing"),
        pytest.param(0, "25%", 0, Allowance(0, 0), id="no nodes"),
    ],
)
def test_allowance(surge: int | str, unavailable: int | str, desired: int, expected: Allowance) -> None:
    assert allowance_of(daemon_set(surge=surge, unavailable=unavailable), desired) == expected


def test_rolling_update_without_numbers_allows_one() -> None:
    plain = daemon_set()
    bare = msgspec.structs.replace(
        plain,
        spec=msgspec.structs.replace(
            plain.spec, update_strategy=msgspec.structs.replace(plain.spec.update_strategy, rolling_update=None)
        ),
    )
    assert allowance_of(bare, 5) == Allowance(0, 1)
