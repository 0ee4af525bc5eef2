"""A push runs pods on real hosts, another one rolls them, a revert takes them back; status comes back as commits."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.cluster import Cluster, deployment
from tests.lab.lab import Lab

QUIET_SECONDS = 8.0
"""Longer than the pause between two status commits, so that a second, needless one would be seen."""


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("push")
    return Cluster.create(lab, "push", home, files={"apps/web/web.yaml": deployment("web", replicas=6)})


@pytest.fixture(scope="module", autouse=True)
def _berth(cluster: Cluster) -> Iterator[None]:
    with cluster.running():
        yield


def test_push_roll_revert(cluster: Cluster) -> None:
    first = cluster.clone.git("rev-parse", "HEAD")
    started = cluster.wait_running("web-", 6, image="web:v1")
    assert {found.host for found in started} == {"host-1", "host-2", "host-3"}
    cluster.wait_converged(first)

    second = cluster.push("v2", {"apps/web/web.yaml": deployment("web", replicas=6, image="web:v2")})
    cluster.wait_running("web-", 6, image="web:v2")
    cluster.wait_converged(second)

    third = cluster.revert()
    cluster.wait_running("web-", 6, image="web:v1")
    cluster.wait_converged(third)


def pods_of_hosts(cluster: Cluster) -> list[int]:
    """How many pods the overview counts on each of the three hosts; [] while not all of them are ready."""
    found = re.findall(r"^\| host-\d \| yes \| (\d+) \|", cluster.readme, flags=re.MULTILINE)
    return [int(count) for count in found] if len(found) == 3 else []


def test_the_status_branch_is_for_people(cluster: Cluster) -> None:
    head = cluster.clone.git("rev-parse", "HEAD")
    cluster.wait_converged(head)
    assert f"`{head}`" in cluster.readme
    assert "| web | Healthy |" in cluster.readme
    cluster.wait(lambda: sum(pods_of_hosts(cluster)) == 6, "the overview to count what is left when old pods are gone")
    assert all(pods_of_hosts(cluster)), cluster.readme
    status = cluster.status("Deployment", "web")
    assert (status["health"], status["status"]["availableReplicas"]) == ({"status": "Healthy"}, 6)


def test_idle_is_free(cluster: Cluster) -> None:
    cluster.wait_converged(cluster.clone.git("rev-parse", "HEAD"))
    cluster.wait(lambda: sum(pods_of_hosts(cluster)) == 6, "old pods to be gone")
    before = cluster.status_commits, sorted(cluster.containers())
    time.sleep(QUIET_SECONDS)
    assert (cluster.status_commits, sorted(cluster.containers())) == before
