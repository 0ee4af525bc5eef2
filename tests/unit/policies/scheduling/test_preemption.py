"""Who must leave so that a more important pod fits, and what happens until they are gone."""

from __future__ import annotations

import numpy as np
import pytest

from objects.api.core import Node
from objects.api.meta import LabelSelector, ObjectKey
from objects.api.pods import (
    Affinity,
    Pod,
    PodAffinityTerm,
    PodAntiAffinity,
)
from policies.scheduling.judging.table import HostTable
from policies.scheduling.placement import Placement
from policies.scheduling.preemption import PreemptionTable
from policies.scheduling.profiles import default_profile, make_profiles
from policies.scheduling.scheduler import Scheduler
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TieBreaker
from tests.unit.policies.scheduling.cluster import cluster, host, place, pod

BIG = {"cpu": "3"}


def _low(name: str, on: str, cpu: str = "1", priority: int = 0) -> Pod:
    return pod(name, on=on, requests={"cpu": cpu}, priority=priority, labels={"app": name.split("-")[0]})


def _result(placement: Placement) -> tuple[str, set[str]]:
    return placement.nominated_node, {uid.removeprefix("uid-") for uid in placement.victims}


CHOICES = [
    pytest.param(
        (host("a"), host("b"), _low("x", "a", "2"), _low("y", "a", "2"), _low("z", "b", "2", priority=5)),
        ("a", {"x", "y"}),
        id="two-unimportant-rather-than-one-important",
    ),
    pytest.param(
        (host("a"), host("b"), _low("x", "a", "2"), _low("y", "a", "2"), _low("z", "b", "4")),
        ("b", {"z"}),
        id="one-rather-than-two",
    ),
    pytest.param(
        (host("a"), _low("x", "a", "500m"), _low("y", "a", "500m"), _low("z", "a", "3")),
        ("a", {"z"}),
        id="those-that-fit-again-stay",
    ),
    pytest.param(
        (host("a"), host("b", unschedulable=True), _low("x", "a", "4", priority=9), _low("y", "b", "4")),
        ("a", {"x"}),
        id="never-on-a-host-that-will-not-do-anyway",
    ),
    pytest.param((host("a"), _low("x", "a", "4", priority=10)), ("", set()), id="equal-priority-is-safe"),
    pytest.param((host("a", cpu="2"), _low("x", "a", "2")), ("", set()), id="host-too-small-when-empty"),
]


@pytest.mark.parametrize(("objects", "expected"), CHOICES)
def test_smallest_set_of_victims(objects: tuple[Node | Pod, ...], expected: tuple[str, set[str]]) -> None:
    (placement,) = place(cluster(*objects), pod("big", requests=BIG, priority=10))
    assert placement.node is None
    assert _result(placement) == expected


def test_message_says_what_happens_next() -> None:
    (placement,) = place(cluster(host("a"), _low("x", "a", "4")), pod("big", requests=BIG, priority=10))
    assert placement.unschedulable is not None
    assert placement.unschedulable.message == (
        "0/1 hosts fit: 1 insufficient cpu (short by 3); makes 1 less important pod leave a"
    )


def test_pods_that_never_preempt_wait() -> None:
    wanted = pod("big", requests=BIG, priority=10, preemption_policy="Never")
    (placement,) = place(cluster(host("a"), _low("x", "a", "4")), wanted)
    assert _result(placement) == ("", set())


def _with_budget(snapshot: Snapshot, app: str, allowed: int) -> Snapshot:
    key = ObjectKey("PodDisruptionBudget", "default", app)
    snapshot.set_budget(key, LabelSelector(match_labels={"app": app}), allowed)
    return snapshot


def test_budget_is_kept_where_another_host_allows_it() -> None:
    objects = (host("a"), host("b"), _low("x", "a", "4"), _low("y", "b", "4", priority=5))
    wanted = pod("big", requests=BIG, priority=10)
    assert _result(place(_with_budget(cluster(*objects), "x", 1), wanted)[0]) == ("a", {"x"})
    assert _result(place(_with_budget(cluster(*objects), "x", 0), wanted)[0]) == ("b", {"y"})


def test_budget_is_used_up_by_earlier_victims() -> None:
    """Two pods of one budget that allows one: the second preemptor takes the dearer host."""
    objects = (host("a"), host("b"), host("c"), _low("x-1", "a", "4"), _low("x-2", "b", "4"), _low("y", "c", "4", 5))
    snapshot = _with_budget(cluster(*objects), "x", 1)
    wanted = [pod(f"big-{number}", requests=BIG, priority=10) for number in (1, 2)]
    first, second = place(snapshot, *wanted)
    assert len(first.victims) == 1
    assert _result(second) == ("c", {"y"})


def test_budget_is_broken_when_nothing_else_helps() -> None:
    snapshot = _with_budget(cluster(host("a"), _low("x", "a", "4")), "x", 0)
    assert _result(place(snapshot, pod("big", requests=BIG, priority=10))[0]) == ("a", {"x"})


class _Story:
    """One scheduler over several passes."""

    def __init__(self, *objects: Node | Pod) -> None:
        self.snapshot = cluster(*objects)
        self.scheduler = Scheduler(self.snapshot, make_profiles(()), seed=1)

    def schedule(self, *pods: Pod) -> list[tuple[str | None, str, set[str]]]:
        return [(one.node, *_result(one)) for one in self.scheduler.schedule(pods)]


def test_from_nomination_to_binding() -> None:
    big, small = pod("big", requests=BIG, priority=10), pod("small", requests={"cpu": "1"}, priority=1)
    story = _Story(host("a"), _low("x", "a", "2"), _low("y", "a", "2"))
    assert story.schedule(big) == [(None, "a", {"x", "y"})]
    # The victims are still there: nobody else is evicted, nobody takes the place, what is left of it is shared.
    assert story.schedule(big, small) == [(None, "a", set()), (None, "a", set())]
    story.snapshot.remove_pod("uid-x")
    assert story.schedule(big, small) == [(None, "a", set()), (None, "a", set())]
    story.snapshot.remove_pod("uid-y")
    assert story.schedule(big, small) == [("a", "", set()), ("a", "", set())]


def test_nominated_pod_gives_way_to_a_more_important_one() -> None:
    big, bigger = pod("big", requests=BIG, priority=10), pod("bigger", requests=BIG, priority=20)
    story = _Story(host("a"), _low("x", "a", "4"))
    assert story.schedule(big) == [(None, "a", {"x"})]
    assert story.schedule(bigger, big) == [(None, "a", set()), (None, "", set())]
    story.snapshot.remove_pod("uid-x")
    assert story.schedule(bigger, big) == [("a", "", set()), (None, "", set())]


def test_nominated_pod_goes_elsewhere_when_room_appears() -> None:
    big = pod("big", requests=BIG, priority=10)
    story = _Story(host("a"), _low("x", "a", "4"))
    assert story.schedule(big) == [(None, "a", {"x"})]
    story.snapshot.set_node(host("b"))
    assert story.schedule(big) == [("b", "", set())]


def test_port_is_freed_by_trial() -> None:
    holder = pod("holder", on="a", ports=(80,))
    snapshot = cluster(host("a"), holder, pod("other", on="a", requests={"cpu": "1"}))
    (placement,) = place(snapshot, pod("web", ports=(80,), priority=5))
    assert _result(placement) == ("a", {"holder"})


def test_anti_affinity_of_others_is_freed_by_trial() -> None:
    apart = PodAntiAffinity(
        required_during_scheduling_ignored_during_execution=(
            PodAffinityTerm(topology_key="zone", label_selector=LabelSelector(match_labels={"app": "web"})),
        )
    )
    hermit = pod("hermit", on="a", affinity=Affinity(pod_anti_affinity=apart))
    snapshot = cluster(host("a", labels={"zone": "z"}), host("b", labels={"zone": "z"}), hermit)
    (placement,) = place(snapshot, pod("web", labels={"app": "web"}, priority=5))
    assert _result(placement) == ("a", {"hermit"})


def test_sums_and_trial_agree() -> None:
    """Where only amounts are short both ways of finding victims give the same ones, and leave nothing changed."""
    running = [_low(f"p-{n}", f"n{n % 3}", f"{300 + 200 * (n % 5)}m", priority=n % 4) for n in range(15)]
    snapshot = cluster(*(host(f"n{n}") for n in range(3)), *running)
    wanted = pod("big", requests={"cpu": "2500m"}, priority=3)
    ties = TieBreaker(0).hashes(snapshot)
    costs = PreemptionTable(HostTable(snapshot.shapes.shape_of(wanted), snapshot, default_profile(), ties))
    before = snapshot.requested.copy()
    by_sums = [costs._victims_by_amounts(row) for row in range(3)]
    by_trial = [costs._victims_by_trial(row) for row in range(3)]
    assert by_sums == by_trial
    assert all(victims is not None and victims.pods for victims in by_sums)
    assert np.array_equal(before, snapshot.requested)
