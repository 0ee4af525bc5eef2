"""A table that was brought up to date says what one made anew would say, whatever happened in between."""

from __future__ import annotations

import random

import pytest

from objects.api.core import ContainerImage, Node
from objects.api.meta import LabelSelector, ObjectKey
from objects.api.pods import (
    Affinity,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Toleration,
    WeightedPodAffinityTerm,
)
from policies.scheduling.judging.table import HostTable
from policies.scheduling.profiles import Profile, make_profiles
from policies.scheduling.shape import PodShape
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TieBreaker
from tests.unit.policies.scheduling.cluster import cluster, host, pod

HOSTS = 40
ZONE = "topology.kubernetes.io/zone"
KINDS = (
    {"requests": {"cpu": "100m", "memory": "64Mi"}, "labels": {"app": "a"}},
    {"requests": {"cpu": "700m"}, "labels": {"app": "a", "tier": "x"}},
    {"requests": {"cpu": "50m", "memory": "1Gi"}, "labels": {"app": "b"}, "ports": (80,)},
    {"labels": {"app": "c"}},
    {"requests": {"cpu": "300m", "memory": "300Mi"}, "labels": {"app": "d"}, "node_selector": {"disk": "fast"}},
    {"requests": {"cpu": "300m"}, "labels": {"app": "e"}, "tolerations": (Toleration(operator="Exists"),)},
)
"""Few hosts have room for many of the second; the third takes a host port; a service selects the first three only."""


def a_cluster(with_zones: bool) -> Snapshot:
    def labels(number: int) -> dict[str, str]:
        return {ZONE: f"z{number % 3}"} if with_zones and number % 7 else {}

    hosts = [
        host(
            f"h{number}",
            cpu=str(2 + number % 3),
            labels=labels(number) | ({"disk": "fast"} if number % 5 else {}),
            taints=("own=x:NoSchedule",) if number % 8 == 0 else (),
        )
        for number in range(HOSTS)
    ]
    snapshot = cluster(*hosts)
    for app in ("a", "b"):
        snapshot.set_workload(ObjectKey("Service", "default", app), LabelSelector(match_labels={"app": app}))
    return snapshot


def judged_anew(shape: PodShape, snapshot: Snapshot, profile: Profile) -> HostTable:
    return HostTable(shape, snapshot, profile, TieBreaker(1).hashes(snapshot))


@pytest.mark.parametrize("with_zones", [pytest.param(True, id="zones"), pytest.param(False, id="no zones")])
@pytest.mark.parametrize("seed", range(6))
def test_brought_up_to_date_is_as_made_anew(seed: int, with_zones: bool) -> None:
    source, snapshot = random.Random(seed), a_cluster(with_zones)
    profile = make_profiles(())["default-scheduler"]
    pods = [pod(f"p{number}", **source.choice(KINDS)) for number in range(400)]
    shapes = list({snapshot.shapes.shape_of(one): None for one in pods})
    tables = [judged_anew(shape, snapshot, profile) for shape in shapes]
    running: list[str] = []
    for one in pods:
        for _ in range(source.choice((0, 0, 1, 6))):
            if running:
                snapshot.remove_pod(running.pop(source.randrange(len(running))))
        shape = snapshot.shapes.shape_of(one)
        table = tables[shapes.index(shape)]
        table.refresh()
        anew = judged_anew(shape, snapshot, profile)
        assert table.feasible.tolist() == anew.feasible.tolist()
        assert table.order() == anew.order()
        fit = anew.feasible
        assert table.totals()[fit].tolist() == anew.totals()[fit].tolist()
        assert [verdicts.tolist() for verdicts in table.passes] == [verdicts.tolist() for verdicts in anew.passes]
        row = table.best()
        first = anew.order()[0]
        assert row == (first if anew.feasible[first] else None)
        assert all(table.fits(row) == bool(anew.feasible[row]) for row in range(HOSTS))
        if row is not None:
            snapshot.place(one, shape, row)
            running.append(one.uid)
    assert running


def apart_from(app: str) -> Affinity:
    term = PodAffinityTerm(topology_key=ZONE, label_selector=LabelSelector(match_labels={"app": app}))
    return Affinity(pod_anti_affinity=PodAntiAffinity(required_during_scheduling_ignored_during_execution=(term,)))


def beside(app: str) -> Affinity:
    term = PodAffinityTerm(topology_key=ZONE, label_selector=LabelSelector(match_labels={"app": app}))
    wish = WeightedPodAffinityTerm(weight=50, pod_affinity_term=term)
    return Affinity(pod_affinity=PodAffinity(preferred_during_scheduling_ignored_during_execution=(wish,)))


def an_image(name: str) -> Node:
    return host("h3", labels={ZONE: "z0"}, images=(ContainerImage(names=(f"{name}:latest",), size_bytes=900 * 2**20),))


@pytest.mark.parametrize(
    "happens",
    [
        pytest.param(pod("p", on="h3", affinity=apart_from("d")), id="a pod that keeps such pods away"),
        pytest.param(pod("p", on="h3", affinity=beside("d")), id="a pod that wishes for such pods"),
        pytest.param(an_image("app"), id="an image on a host"),
    ],
)
def test_a_rule_that_had_nothing_to_say_is_heard_when_it_has(happens: Pod | Node) -> None:
    snapshot = cluster(*(host(f"h{number}", labels={ZONE: f"z{number % 3}"}) for number in range(9)))
    profile = make_profiles(())["default-scheduler"]
    shape = snapshot.shapes.shape_of(pod("new", labels={"app": "d"}, requests={"cpu": "1"}))
    table = judged_anew(shape, snapshot, profile)
    before = table.order()
    if isinstance(happens, Pod):
        snapshot.add_pod(happens)
    else:
        snapshot.set_node(happens)
    for _ in range(2):
        if not table.is_founded_on(snapshot):
            table.rebuild(TieBreaker(1).hashes(snapshot))
        table.refresh()
        anew = judged_anew(shape, snapshot, profile)
        assert table.order() == anew.order() != before
        assert table.best() == anew.order()[0]
        assert table.feasible.tolist() == anew.feasible.tolist()


def test_shapes_that_request_the_same_share_one_judgement() -> None:
    snapshot, profile = a_cluster(False), make_profiles(())["default-scheduler"]
    amounts = {"cpu": "250m", "memory": "1Gi"}
    shapes = [
        snapshot.shapes.shape_of(pod(f"p{number}", labels={"app": f"x{number}"}, image=f"x{number}", requests=requests))
        for number, requests in enumerate((amounts, amounts, {"cpu": "250m"}))
    ]
    first, second, other = (judged_anew(shape, snapshot, profile)._scores for shape in shapes)
    assert first is second
    assert first is not other
