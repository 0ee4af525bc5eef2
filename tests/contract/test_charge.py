"""Marks of who is in charge, on a simulated host and on a real engine."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from differ.kubelet.actions import MarkCharge, RemoveVolume, SignalContainer
from objects.errors import ChargeInDoubt
from objects.own.charge import Charge, marker_name
from tests.contract.world import Kubelet, World, container, make_pod

WAIT_SECONDS = 10.0
"""For an event of a real engine."""

OURS = Charge(epoch=7, holder="a1", name="berth run of a", since=datetime(2026, 11, 26, tzinfo=UTC))
THEIRS = Charge(epoch=8, holder="b2", name="berth run of b", since=datetime(2026, 11, 27, tzinfo=UTC))


def charges(world: World) -> tuple[Charge, ...]:
    return world.runtime.observe().charges


def test_marks_are_seen_until_they_are_removed(world: World) -> None:
    assert charges(world) == ()
    for charge in (THEIRS, OURS, OURS):
        world.runtime.perform(MarkCharge(charge=charge))
    assert charges(world) == (OURS, THEIRS)
    for _ in range(2):
        world.runtime.perform(RemoveVolume(volume=marker_name(OURS)))
    assert charges(world) == (THEIRS,)


def test_a_mark_of_somebody_else_stops_everything_until_it_was_looked_at(kubelet: Kubelet) -> None:
    world, pod = kubelet.world, make_pod("calm", container("sleeper"))
    kubelet.settle(pod)
    (found,) = world.runtime.observe().containers
    harmless = SignalContainer(pod_uid=pod.uid, container="sleeper", id=found.id, signal="CONT")
    world.runtime.perform(harmless)
    world.mark_charge(THEIRS)
    with pytest.raises(ChargeInDoubt, match="berth-charge-8-b2 appeared"):
        ends = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < ends:
            world.runtime.perform(harmless)
            time.sleep(0.01)
    world.runtime.perform(MarkCharge(charge=OURS))
    assert charges(world) == (OURS, THEIRS)
    world.runtime.perform(harmless)
