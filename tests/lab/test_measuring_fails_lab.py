"""A host on which nothing can be measured any more is looked after as before, and says what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.cluster import STATUS_BRANCH, Cluster, deployment
from tests.lab.host import LabHost
from tests.lab.lab import Lab


class Sessions:
    """A host's sshd, as it lets people run commands or not."""

    def __init__(self, host: LabHost) -> None:
        self.host = host
        self._path = host.names.root / "etc/ssh/sshd_config"
        self._config = self._path.read_text()

    def refuse(self) -> None:
        """No session any more: the engine's socket is reached as before, no command is run."""
        self._restart(self._config + "MaxSessions 0\n")

    def allow(self) -> None:
        self._restart(self._config)

    def _restart(self, config: str) -> None:
        self._path.write_text(config)
        self.host.kill_sshd()
        self.host.start_sshd()


@pytest.fixture
def sessions(lab: Lab) -> Iterator[Sessions]:
    one = Sessions(lab.hosts[0])
    yield one
    one.allow()


def test_refused_sessions_make_no_host_silent(lab: Lab, sessions: Sessions, tmp_path: Path) -> None:
    path = "apps/web/web.yaml"
    cluster = Cluster.create(
        lab, "narrow", tmp_path, hosts=[sessions.host], files={path: deployment("web", replicas=1)}
    )
    with cluster.running():
        cluster.wait_running("web", 1, image="web:v1")
        sessions.refuse()
        cluster.push("another image, while no command is run", {path: deployment("web", image="web:v2", replicas=1)})
        cluster.wait_running("web", 1, image="web:v2")
        cluster.wait(lambda: condition(cluster, "MetricsUnavailable") == "True", "the Node to say it")
        assert condition(cluster, "Ready") == "True"
        sessions.allow()
        cluster.wait(lambda: condition(cluster, "MetricsUnavailable") == "False", "measurements", timeout_seconds=90)


def condition(cluster: Cluster, kind: str) -> str:
    """The status of a condition of the Node, as the status branch has it; '' when it has none."""
    text = cluster.remote_git("show", f"{STATUS_BRANCH}:hosts/{cluster.hosts[0].name}.yaml")
    found = yaml.safe_load(text)["status"]["conditions"] if text else []
    return next((one["status"] for one in found if one["type"] == kind), "")
