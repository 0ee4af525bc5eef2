"""A rollout that gets stuck goes back by a commit of berth's own, when the Deployment asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.lab.cluster import Cluster, deployment
from tests.lab.lab import Lab

WEB = "apps/web/web.yaml"


def asking(image: str) -> str:
    document = yaml.safe_load(deployment("web", image=image, imagePullPolicy="Never"))
    document["metadata"]["annotations"] = {"berth.dev/rollback-on-failure": "true"}
    document["spec"]["progressDeadlineSeconds"] = 3
    return f"# The front end.\n{yaml.safe_dump(document, sort_keys=False)}"


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Cluster:
    return Cluster.create(lab, "rollback", tmp_path, files={WEB: asking("web:v1")})


def test_a_stuck_rollout_goes_back_by_a_commit_with_the_reason(cluster: Cluster) -> None:
    with cluster.running():
        before = {found.id for found in cluster.wait_running("web-", 3, image="web:v1")}
        cluster.push("An update that cannot work", {WEB: asking("web:none")})
        cluster.wait(
            lambda: cluster.remote_git("log", "-1", "--format=%s", "main") == "Roll back deployment/web",
            "berth's commit",
        )
        cluster.wait_running("web-", 3, image="web:v1")
        cluster.wait_converged(cluster.remote_git("rev-parse", "main"))
        assert {found.id for found in cluster.containers(pod="web-")} == before
    assert cluster.remote_git("show", f"main:{WEB}") + "\n" == asking("web:v1")
    assert "web:none" in cluster.remote_git("log", "-1", "--format=%b", "main")
