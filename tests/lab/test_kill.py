"""kill -9 of the reconciler at random moments while commits come in: it continues, doubles nothing, leaves nothing."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from objects.own.charge import is_marker_name
from tests.lab.cluster import SANDBOX, Cluster, deployment, pod
from tests.lab.lab import Lab

KILLS = 30
SEED = 20261123
MOST_SECONDS = 1.2
"""From a commit's arrival to the kill at most: about as long as what follows from a commit takes."""

EXTRA = "apps/extra/extra.yaml"
PAIR = """
terminationGracePeriodSeconds: 2
volumes: [{name: shared, emptyDir: {}}]
containers:
- {name: app, image: web:v1, volumeMounts: [{name: shared, mountPath: /shared}]}
- {name: log, image: sample:v2, volumeMounts: [{name: shared, mountPath: /shared}], env: [{name: ROUND, value: "%s"}]}
"""


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Cluster:
    return Cluster.create(lab, "kill", tmp_path, files={"apps/web/web.yaml": deployment("web", replicas=3)})


def test_kill_at_random_moments(cluster: Cluster) -> None:
    source = random.Random(SEED)
    for number in range(KILLS):
        cluster.push(f"Round {number}", _random_change(source, number, cluster.clone.path))
        with cluster.running(fresh_disk=source.random() < 0.3) as berth:
            if source.random() < 0.9:
                berth.wait_for("commit ")
            time.sleep(source.uniform(0, MOST_SECONDS))
            berth.kill()
        _assert_no_doubles(cluster)

    end: dict[str, str | None] = {
        "apps/web/web.yaml": deployment("web", image="web:v3", replicas=4),
        "apps/pair/pair.yaml": pod("pair", PAIR % "end"),
    }
    last = cluster.push("The end", end | ({EXTRA: None} if (cluster.clone.path / EXTRA).exists() else {}))
    with cluster.running():
        cluster.wait(lambda: _is_the_end(cluster), "exactly the pods of the last commit", timeout_seconds=90)
        cluster.wait_converged(last)
        assert _is_the_end(cluster), cluster.picture()


def _random_change(source: random.Random, number: int, checkout: Path) -> dict[str, str | None]:
    """Files of a commit that makes, replaces, scales or removes pods."""
    changes: list[dict[str, str | None]] = [
        {"apps/web/web.yaml": deployment("web", image=f"web:v{1 + number // 3 % 3}", replicas=source.randint(1, 6))},
        {"apps/pair/pair.yaml": pod("pair", PAIR % number)},
        {EXTRA: None if (checkout / EXTRA).exists() else deployment("extra", replicas=3)},
    ]
    return changes[number % len(changes)]


def _assert_no_doubles(cluster: Cluster) -> None:
    found = cluster.containers()
    doubles = [key for key, count in Counter((item.uid, item.container) for item in found).items() if count > 1]
    namesakes = {(item.namespace, item.pod, item.uid) for item in found}
    names = Counter((namespace, name) for namespace, name, _ in namesakes)
    # A bare pod that is being replaced has a namesake only once the old one is gone.
    assert (doubles, [name for name, count in names.items() if count > 1]) == ([], []), cluster.picture()


def _is_the_end(cluster: Cluster) -> bool:
    """Four pods of web:v3, the pair of the last commit, nothing else, no volume of a pod that is gone.

    A host has one volume besides: the mark of who is in charge.
    """
    found = cluster.containers()
    webs = [item for item in found if item.pod.startswith("web-")]
    pair = sorted(item.container for item in found if item.pod == "pair" and item.state == "running")
    is_web = len(webs) == 4 and all((item.image, item.state) == ("web:v3", "running") for item in webs)
    every = [volume["Name"] for host in cluster.hosts for volume in host.api().volumes()["Volumes"] or ()]
    volumes = [name for name in every if not is_marker_name(name)]
    if len(every) - len(volumes) != len(cluster.hosts):
        return False
    uids = {item.uid for item in found}
    orphans = [name for name in volumes if name.split("_")[1] not in uids]
    return is_web and pair == [SANDBOX, "app", "log"] and len(found) == 7 and len(volumes) == 1 and not orphans
