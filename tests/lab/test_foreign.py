"""Containers of others on a host keep their ports and their memory, and pods go elsewhere or wait and say for whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.cluster import Cluster, deployment
from tests.lab.host import LabHost
from tests.lab.lab import Lab

WITH_PORT = deployment("port", replicas=2, ports=[{"containerPort": 80, "hostPort": 8090}])


@pytest.fixture
def other(lab: Lab) -> Iterator[LabHost]:
    """A host on which somebody else runs something already."""
    host = lab.hosts[0]
    host.docker("run", "-d", "--name", "legacy", "--memory", "64m", "-p", "8090:80", "web:v1")
    yield host
    host.docker("rm", "--force", "legacy", check=False)


def test_ports_of_others(lab: Lab, other: LabHost, tmp_path: Path) -> None:
    files = {"apps/demo/port.yaml": WITH_PORT}
    cluster = Cluster.create(lab, "foreign", tmp_path, hosts=lab.hosts[:2], files=files)
    with cluster.running():
        cluster.wait(
            lambda: "8090 taken by foreign container legacy" in cluster.words(), "the reason of a pod that waits"
        )
        cluster.wait(lambda: cluster.running_pods("port"), "the other pod to run")
        assert [found.host for found in cluster.running_pods("port")] == ["host-2"]
        other.docker("rm", "--force", "legacy")
        cluster.wait_running("port", 2)
        assert {found.host for found in cluster.running_pods("port")} == {"host-1", "host-2"}
