"""A table that was brought up to date says what one made anew would say, whatever happened in between."""

from __future__ import annotations

import random

import pytest

from objects.api.meta import LabelSelector, ObjectKey
from objects.api.pods import Toleration
from policies.scheduling.profiles import Profile, make_profiles
from policies.scheduling.shape import PodShape
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.table import HostTable
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
