"""A daemon at rest with 30 pods on three hosts, polling as by default: CPU, memory, and that it commits nothing.

The CPU of the git and ssh that a poll runs counts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from objects.own.config import SyncSettings
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import PODS, WAIT_SECONDS, WEB, Contender, is_web, new_cluster, running, web
from tests.bench.eyes import Eyes
from tests.bench.figures import Figure

MOST_PERCENT = 1.0


def run(settings: Settings) -> Sequence[Figure]:
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        with running(cluster, poll_seconds=SyncSettings().poll_seconds) as berth:
            with Eyes(cluster.hosts) as eyes:
                berth.push("pods", {WEB: web(PODS)})
                eyes.wait(lambda seen: sum(map(is_web, seen)) == PODS, "30 pods", timeout_seconds=WAIT_SECONDS)
            berth.settle()
            return _watch(settings, berth)


def _watch(settings: Settings, berth: Contender) -> list[Figure]:
    settings.say(f"watching for {settings.seconds:g} s")
    pid, cluster = berth.berth.process.pid, berth.cluster
    commits, containers = cluster.remote_git("rev-list", "--all", "--count"), sorted(cluster.containers())
    cpu, began = berth.cpu_seconds, time.monotonic()
    time.sleep(settings.seconds)
    percent = 100 * (berth.cpu_seconds - cpu) / (time.monotonic() - began)
    new_commits = int(cluster.remote_git("rev-list", "--all", "--count")) - int(commits)
    changed = len(set(containers) ^ set(cluster.containers()))
    name = f"idle, {PODS} pods on {len(cluster.hosts)} hosts"
    return [
        Figure(f"{name}: CPU, share of a core", percent, "%", MOST_PERCENT),
        Figure(f"{name}: commits", new_commits, "", 0),
        Figure(f"{name}: containers changed", changed, "", 0),
        Figure(f"{name}: memory", _status(pid, "VmRSS"), "MB"),
        Figure(f"{name}: peak memory", _status(pid, "VmHWM"), "MB", 150),
        Figure(f"{name}: threads", float(_status(pid, "Threads", unit=1)), ""),
    ]


def _status(pid: int, name: str, *, unit: int = 1024) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / unit


if __name__ == "__main__":
    main("idle", run)
