"""Preemption on random clusters: victims are less important, enough, not one too many, and nobody cheaper is spared."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objects.api.core import Node
from objects.api.pods import Pod
from policies.scheduling.judging.table import HostTable
from policies.scheduling.preemption import PreemptionTable, Victims
from policies.scheduling.profiles import default_profile
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TieBreaker
from tests.properties import reference_scheduler as reference
from tests.properties.reference_scheduler import World
from tests.properties.scheduling_worlds import Worlds, named

INCOMING = 5


def _with_priority(pod: Pod, priority: int) -> Pod:
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, priority=priority))


def _full_world(draw: Worlds) -> tuple[World, Snapshot]:
    """Hosts with as many pods of random priority as fit, and some more: over-committed hosts happen."""
    world, snapshot = World(), Snapshot()
    for index in range(draw.random.randint(1, 5)):
        world.nodes.append(draw.host(f"n{index}"))
        snapshot.set_node(world.nodes[-1])
    for index in range(draw.random.randint(2, 20)):
        host = draw.one(*world.nodes).name
        running = _with_priority(named(draw.template(), f"r{index}", node_name=host), draw.random.randrange(8))
        world.pods.append(running)
        snapshot.add_pod(running)
    return world, snapshot


def _fits_without(world: World, pod: Pod, node: Node, gone: set[str]) -> bool:
    rest = World(world.nodes, [one for one in world.pods if one.uid not in gone], world.namespaces, world.services)
    return not reference.failing(pod, node, rest)


def _check_one_host(world: World, pod: Pod, node: Node, victims: Victims | None) -> None:
    lower = {one.uid for one in world.on(node) if (one.spec.priority or 0) < INCOMING}
    if victims is None:
        assert not lower or not _fits_without(world, pod, node, lower)
        return
    chosen = {one.pod.uid for one in victims.pods}
    assert chosen <= lower
    assert _fits_without(world, pod, node, chosen)
    # Nobody of them could have stayed. (With affinity to a victim one might, together with that one.)
    if pod.spec.affinity is None:
        assert not any(_fits_without(world, pod, node, chosen - {uid}) for uid in chosen)


@pytest.mark.parametrize("theme", ["amounts", "pod affinity"])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_victims_on_every_host(theme: str, seed: int) -> None:
    draw = Worlds(random.Random(seed), theme)
    world, snapshot = _full_world(draw)
    pod = _with_priority(named(draw.template(), "incoming"), INCOMING)
    if reference.feasible(pod, world):
        return
    table = HostTable(snapshot.shapes.shape_of(pod), snapshot, default_profile(), TieBreaker(0).hashes(snapshot))
    costs = PreemptionTable(table)
    before = snapshot.requested.copy()
    by_host = {node.name: costs.victims_on(snapshot.row_of[node.name]) for node in world.nodes}
    for node in world.nodes:
        _check_one_host(world, pod, node, by_host[node.name])
    assert (snapshot.requested == before).all()
    cheapest = costs.cheapest()
    possible = [victims for victims in by_host.values() if victims is not None]
    assert (cheapest is None) == (not possible)
    if cheapest is not None:
        assert cheapest.cost() == min(victims.cost() for victims in possible)
