"""Berth as its user runs it: a repository behind sshd, `berth run` with a webhook, commits pushed by git.

Time runs from the end of `git push`; the webhook that a forge would send is sent right then.
"""

from __future__ import annotations

import hashlib
import hmac
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from objects.names import LABEL_MANAGED, LABEL_POD_NAME
from reconciler.messages import Desired
from sources.validate import load_path
from tests.bench.eyes import Seen
from tests.lab.berth_process import BerthProcess
from tests.lab.cluster import Cluster
from tests.lab.errors import LabError
from tests.lab.lab import Lab

PODS = 30
SURGE = 10
IMAGES = ("web:v1", "web:v2")
WEB = "apps/web/web.yaml"
WAIT_SECONDS = 120.0
POLL_SECONDS = 3600.0
"""Never within a run: only the webhook tells of a push."""

SECRET = b"bench"


def web(replicas: int, image: str = IMAGES[0]) -> str:
    """The Deployment that all contenders run, each in its own words: one container a pod, ended at once by SIGTERM."""
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": SURGE, "maxUnavailable": 0}}
    document: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": strategy,
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [{"name": "web", "image": image}]},
            },
        },
    }
    return yaml.safe_dump(document, sort_keys=False)


def is_web(seen: Seen) -> bool:
    """A container of that Deployment."""
    return seen.labels.get(LABEL_POD_NAME, "").startswith("web-")


def is_ours(item: dict[str, Any]) -> bool:
    """The same question to what an engine lists."""
    return LABEL_MANAGED in item["Labels"]


@dataclass(frozen=True)
class Contender:
    """A repository of its own and `berth run` on it."""

    cluster: Cluster
    berth: BerthProcess
    port: int

    def push(self, message: str, files: dict[str, str | bytes | None]) -> float:
        """Commit, push, send the webhook. Returns our monotonic clock at the end of the push."""
        self.cluster.clone.commit(message, files)
        return self.push_commits()

    def revert(self) -> float:
        """`git revert` of the last commit, pushed the same way."""
        self.cluster.clone.git("revert", "--no-edit", "HEAD")
        return self.push_commits()

    def push_commits(self) -> float:
        self.cluster.clone.push()
        pushed_at = time.monotonic()
        body = b'{"ref": "refs/heads/main"}'
        signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        url = f"http://127.0.0.1:{self.port}/webhook"
        request = urllib.request.Request(url, body, {"X-Hub-Signature-256": signature})
        with urllib.request.urlopen(request, timeout=10):
            return pushed_at

    def settle(self) -> None:
        """Wait until the status branch calls the newest commit healthy: nothing of ours is at work any more."""
        self.cluster.wait_converged(self.cluster.clone.git("rev-parse", "HEAD"), timeout_seconds=WAIT_SECONDS)


def new_cluster(lab: Lab, home: Path, *, replicas: int = 0) -> Cluster:
    """A repository with all hosts and the Deployment."""
    return Cluster.create(lab, "bench", home, files={WEB: web(replicas)})


@contextmanager
def running(cluster: Cluster, *, poll_seconds: float = POLL_SECONDS) -> Iterator[Contender]:
    """`berth run` on it while the block lasts, from the moment that it is at rest."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    secret = cluster.home / "secret"
    secret.write_bytes(SECRET)
    options = ("--webhook", f"127.0.0.1:{port}", "--webhook-secret-file", str(secret))
    with cluster.running(*options, poll_seconds=poll_seconds) as berth:
        contender = Contender(cluster, berth, port)
        cluster.wait(lambda: _is_ready(port), "berth run to be ready", timeout_seconds=WAIT_SECONDS)
        contender.settle()
        yield contender
        if not berth.is_running:
            raise LabError(f"berth ended by itself: {berth.output[-500:]}")


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False


def desired(cluster: Cluster, *, replicas: int, image: str = IMAGES[0]) -> Desired:
    """What Berth reads from the repository when the Deployment is written so."""
    with TemporaryDirectory(prefix="berth-bench-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(cluster.clone.path, copy, ignore=shutil.ignore_patterns(".git"))
        (copy / WEB).write_text(web(replicas, image))
        state = load_path(copy).require()
    return Desired(commit=image, objects=tuple(state.objects.values()), application=state.application_of)
