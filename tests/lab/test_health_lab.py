"""Probes and hooks of whole rollouts: an update waits for readiness, a fresh reconciler takes no pod for unready.

What one pod does is in `tests/contract/test_health.py`.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.lab.cluster import Cluster, deployment
from tests.lab.lab import Lab

WEB = "apps/web/web.yaml"
WATCH_SECONDS = 6.0
"""Longer than a look, a report and a status commit take after a start."""


def probed(image: str, path: str) -> str:
    probe = {"httpGet": {"path": path, "port": 80}, "periodSeconds": 1}
    return deployment("web", image=image, replicas=3, readinessProbe=probe)


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Cluster:
    return Cluster.create(lab, "health", tmp_path, files={WEB: probed("web:v1", "/")})


def test_an_update_waits_for_readiness_and_a_restart_makes_nobody_unready(cluster: Cluster) -> None:
    with cluster.running() as berth:
        first = cluster.clone.git("rev-parse", "HEAD")
        cluster.wait_converged(first)
        cluster.push("Never ready", {WEB: probed("web:v2", "/not-there")})
        cluster.wait(lambda: cluster.running_pods("web-", image="web:v2"), "a pod of the new revision")
        time.sleep(WATCH_SECONDS)
        # maxUnavailable 25 % of 3 is none: the old ones stay while the new one is not ready.
        assert len(cluster.running_pods("web-", image="web:v1")) == 3, cluster.picture()
        assert len(cluster.running_pods("web-", image="web:v2")) == 1, cluster.picture()
        assert "Readiness probe failed: HTTP probe failed with statuscode: 404" in cluster.words()
        good = cluster.push("Ready", {WEB: probed("web:v2", "/")})
        cluster.wait_running("web-", 3, image="web:v2")
        cluster.wait_converged(good)
        berth.kill()

    before = {item.name for item in cluster.running_pods("web-")}
    pods = {item.pod: cluster.status("Pod", item.pod)["status"] for item in cluster.running_pods("web-")}
    with cluster.running(fresh_disk=True) as berth:
        berth.wait_for("commit ")
        time.sleep(WATCH_SECONDS)
        assert "Unhealthy" not in cluster.words()
    assert {item.name for item in cluster.running_pods("web-")} == before
    # A pod that had been unready for a moment would show another transition time.
    assert {name: cluster.status("Pod", name)["status"] for name in pods} == pods
