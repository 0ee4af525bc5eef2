"""The cable of one of three hosts is pulled: until all 30 replicas run on the other two. Berth and Swarm.

Both find it out by themselves. Berth's pods tolerate no absence, as Swarm's tasks do (Kubernetes' default, which Berth
has too, is 300 s). What runs on the host that was cut off goes on there and does not count.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.bench import kubernetes, swarm
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import IMAGES, PODS, WAIT_SECONDS, WEB, is_web, new_cluster, running, web
from tests.bench.eyes import Eyes, Seen
from tests.bench.figures import Figure, median
from tests.lab.cluster import Cluster
from tests.lab.host import LabHost
from tests.lab.lab import Lab

ROUNDS = 2
"""At most: what is measured are time-outs, which differ little from one to the next."""
MOST_SECONDS = 15.0
"""To the first replacement: noticed within 10 s, and 5 s after the toleration, which is 0."""
Times = dict[str, list[float]]


def without_patience(manifest: str) -> str:
    """The Deployment, with pods that are to run elsewhere as soon as their host does not answer."""
    document: dict[str, Any] = yaml.safe_load(manifest)
    document["spec"]["template"]["spec"]["tolerations"] = [
        {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}
        for name in ("unreachable", "not-ready")
    ]
    return yaml.safe_dump(document, sort_keys=False)


def run(settings: Settings) -> Sequence[Figure]:
    times: Times = defaultdict(list)
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        for number in range(min(ROUNDS, settings.rounds)):
            _berth(cluster, times)
            _swarm(lab, home, times)
            settings.say(f"host lost, round {number + 1}: " + ", ".join(f"{k} {v[-1]:.2f}" for k, v in times.items()))
    return figures(times)


def _berth(cluster: Cluster, times: Times) -> None:
    with running(cluster) as berth, Eyes(cluster.hosts) as eyes:
        berth.push("30 pods", {WEB: without_patience(web(PODS))})
        eyes.wait(lambda seen: sum(map(is_web, seen)) == PODS, "30 pods", timeout_seconds=WAIT_SECONDS)
        berth.settle()
        first, last = _lose(cluster.hosts[-1], eyes, is_web)
        times["berth, first"].append(first)
        times["berth"].append(last)
        berth.push("none", {WEB: web(0)})
        cluster.wait(
            lambda: not cluster.containers(), "no pod, also where the cable was out", timeout_seconds=WAIT_SECONDS
        )
        berth.settle()


def _swarm(lab: Lab, home: Path, times: Times) -> None:
    with swarm.running(lab, home) as stack, Eyes(lab.hosts) as eyes:
        stack.deploy(PODS, IMAGES[0])
        first, last = _lose(lab.hosts[-1], eyes, swarm.is_task)  # the last is a worker, not the manager
        times["swarm, first"].append(first)
        times["swarm"].append(last)
        stack.wait_ready(len(lab.hosts))


def _lose(host: LabHost, eyes: Eyes, belongs: Callable[[Seen], bool]) -> tuple[float, float]:
    """Seconds from the cut until the first replacement runs, and until all do. The cable is back afterwards."""

    def elsewhere(seen: list[Seen]) -> list[Seen]:
        return [item for item in seen if belongs(item) and item.host != host.name]

    with _cut(host) as cut_at:
        done_at = eyes.wait(
            lambda seen: len(elsewhere(seen)) == PODS, f"30 without {host.name}", timeout_seconds=WAIT_SECONDS
        )
        first = min(item.since for item in elsewhere(eyes.running(belongs)) if item.since > cut_at)
    return first - cut_at, done_at - cut_at


@contextmanager
def _cut(host: LabHost) -> Iterator[float]:
    host.cut()
    try:
        yield time.monotonic()
    finally:
        host.restore()


def figures(times: Times) -> list[Figure]:
    """From the samples of both."""
    value, first = median(times["berth"]), median(times["berth, first"])
    samples, firsts = tuple(times["berth"]), tuple(times["berth, first"])
    name, swarm_first = f"host cut off: {PODS} running elsewhere", median(times["swarm, first"])
    return [
        Figure("host cut off: first replacement runs", first, "s", MOST_SECONDS, "swarm", swarm_first, None, firsts),
        Figure(name, value, "s", None, "swarm", median(times["swarm"]), None, samples),
        Figure(name, value, "s", None, kubernetes.NAME, kubernetes.HOST_LOST, None, samples),
    ]


if __name__ == "__main__":
    main("node_loss", run)
