"""Pods of one template that are placed many at once go where they would go one after another."""

from __future__ import annotations

import random

import pytest

from objects.api.core import Node
from objects.api.meta import LabelSelector, ObjectKey
from objects.api.pods import Pod
from policies.scheduling import scheduler
from policies.scheduling.judging.row_scores import RowScores
from policies.scheduling.profiles import make_profiles
from policies.scheduling.scheduler import Scheduler, queue_order
from policies.scheduling.state.snapshot import Snapshot
from tests.unit.policies.scheduling.cluster import cluster, host, pod

ZONE = "topology.kubernetes.io/zone"
APPS = 4


def hosts_of(kind: str, source: random.Random) -> list[Node]:
    """120 hosts; some of "small" ones are full after a pod or two, some of "tainted" ones are shunned."""
    found = []
    for number in range(120):
        cpu = source.choice(("1", "2", "4")) if kind == "small" else "16"
        labels = {ZONE: f"z{number % 3}"} if kind == "in zones" else {}
        taints = ("own=x:PreferNoSchedule",) if kind == "tainted" and number % 3 else ()
        found.append(host(f"h{number:03}", cpu=cpu, labels=labels, taints=taints))
    return found


def a_cluster(kind: str, seed: int) -> Snapshot:
    source = random.Random(seed)
    snapshot = cluster(*hosts_of(kind, source))
    for app in range(APPS):
        snapshot.set_workload(ObjectKey("Service", "default", f"{app}"), LabelSelector(match_labels={"app": f"{app}"}))
    for number in range(40):
        name, labels = f"old-{number}", {"app": f"{number % APPS}"}
        on, requests = f"h{source.randrange(120):03}", {"cpu": source.choice(("100m", "900m"))}
        snapshot.add_pod(pod(name, on=on, labels=labels, requests=requests))
    return snapshot


def some_pods(seed: int) -> list[Pod]:
    """Of four workloads; more of the first than there are hosts."""
    source = random.Random(seed)
    found = []
    for app, number in enumerate((300, 90, 60, 40)):
        requests = {"cpu": source.choice(("50m", "300m", "1")), "memory": source.choice(("16Mi", "1Gi"))}
        labels = {"app": f"{app}"}
        found += [pod(f"{app}-{one:03}", labels=labels, requests=requests) for one in range(number)]
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("kind", "takes_runs"),
    [
        pytest.param("equal", True, id="equal hosts"),
        pytest.param("small", True, id="hosts that are soon full"),
        pytest.param("tainted", True, id="hosts that are rather not chosen"),
        pytest.param("in zones", False, id="zones"),
    ],
)
def test_many_at_once_go_where_they_go_one_by_one(
    kind: str, takes_runs: bool, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods, profiles = sorted(some_pods(seed), key=queue_order), make_profiles(())
    alone = Scheduler(a_cluster(kind, seed), profiles, seed=seed)
    expected = [alone.schedule([one])[0] for one in pods]
    at_once: list[int] = []
    place_run = RowScores.place_run

    def counted(self: RowScores, *arguments: object) -> list[int]:
        rows = place_run(self, *arguments)  # type: ignore[arg-type]
        at_once.append(len(rows))
        return rows

    monkeypatch.setattr(RowScores, "place_run", counted)
    together = Scheduler(a_cluster(kind, seed), profiles, seed=seed)
    found = together.schedule(pods)
    assert [one.node for one in found] == [one.node for one in expected]
    assert [one.unschedulable for one in found] == [one.unschedulable for one in expected]
    assert together.snapshot.requested.tolist() == alone.snapshot.requested.tolist()
    assert (sum(at_once) > 50) == takes_runs


def a_small_world(seed: int) -> Snapshot:
    """Twelve hosts of all sizes that are shunned more or less, and some pods of the same service on them."""
    source = random.Random(seed)
    hosts = [
        host(
            f"h{number:02}",
            cpu=source.choice(("1", "2", "4", "16")),
            memory=source.choice(("1Gi", "4Gi", "16Gi")),
            taints=tuple(f"k{one}=x:PreferNoSchedule" for one in range(source.randrange(4))),
        )
        for number in range(12)
    ]
    snapshot = cluster(*hosts)
    snapshot.set_workload(ObjectKey("Service", "default", "a"), LabelSelector(match_labels={"app": "a"}))
    for number in range(source.randrange(1, 14)):
        on = f"h{source.randrange(12):02}"
        snapshot.add_pod(pod(f"old-{number}", on=on, labels={"app": "a"}, requests={"cpu": "50m"}))
    return snapshot


@pytest.mark.parametrize("seed", range(30, 80))
def test_a_run_in_which_the_points_of_other_hosts_move_is_not_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pod of two makes its host the one with the most: another host may be the better one then."""
    monkeypatch.setattr(scheduler, "_FIRST_RUN", 2)
    requests = {"cpu": "600m", "memory": "500Mi"}
    pods = [pod(f"p{number}", labels={"app": "a"}, requests=requests) for number in range(9)]
    profiles = make_profiles(())
    alone = Scheduler(a_small_world(seed), profiles, seed=1)
    expected = [alone.schedule([one])[0].node for one in pods]
    assert [one.node for one in Scheduler(a_small_world(seed), profiles, seed=1).schedule(pods)] == expected
