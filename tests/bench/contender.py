"""Berth as its user runs it: a repository behind sshd, `berth run` with a webhook, commits pushed by git.

Time runs from the end of `git push`; the webhook that a forge would send is sent right then.
"""

from __future__ import annotations

import hashlib
import hmac
import os
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
from reconciler.state.messages import Desired
from sources.reading.validate import load_path
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
REST_SECONDS = 1.0
REST_SHARE = 0.05
"""A daemon that needs less of a core for so long has nothing left to do of its start or of a change."""
MOST_COMPLAINTS = 5
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
        """Wait until the status branch calls the newest commit healthy and the daemon rests: nothing is at work now."""
        self.cluster.wait_converged(self.cluster.clone.git("rev-parse", "HEAD"), timeout_seconds=WAIT_SECONDS)
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            before = self.cpu_seconds
            time.sleep(REST_SECONDS)
            if self.cpu_seconds - before <= REST_SHARE * REST_SECONDS:
                return
        raise LabError("berth does not come to rest")

    @property
    def cpu_seconds(self) -> float:
        """Of the daemon, and of the git and ssh that it ran and that have ended."""
        stat = Path(f"/proc/{self.berth.process.pid}/stat").read_text()
        fields = stat[stat.rindex(")") + 2 :].split()
        return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def complaints(self) -> list[str]:
        """What it warned of: perhaps why a sample is unlike the others."""
        lines = self.berth.output.splitlines()
        return [line for line in lines if " WARNING " in line or " ERROR " in line][:MOST_COMPLAINTS]


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
        for line in contender.complaints():
            print(f"  berth said: {line}", flush=True)
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
    return desired_with(cluster, {WEB: web(replicas, image)})


def desired_with(cluster: Cluster, files: dict[str, str]) -> Desired:
    """What Berth reads from the repository with these files in it."""
    with TemporaryDirectory(prefix="berth-bench-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(cluster.clone.path, copy, ignore=shutil.ignore_patterns(".git"))
        for name, text in files.items():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_text(text)
        state = load_path(copy).require()
    commit = hashlib.sha256(repr(files).encode()).hexdigest()
    return Desired(commit=commit, objects=tuple(state.objects.values()), application=state.application_of)
