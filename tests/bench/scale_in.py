"""30 pods -> 0: Berth, the raw floor, Swarm, Kubernetes as noted. Processes end on SIGTERM, 5 s of grace for all.

From the push (or the command) until the engines have destroyed the last container.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from objects.names import LABEL_POD_NAME
from tests.bench import floor, kubernetes, swarm
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import IMAGES, PODS, WAIT_SECONDS, WEB, desired, is_web, new_cluster, running, web
from tests.bench.eyes import Eyes
from tests.bench.figures import Figure, median
from tests.bench.floor import Floor, Request, open_floor
from tests.lab.cluster import Cluster
from tests.lab.lab import Lab

Times = dict[str, list[float]]


def run(settings: Settings) -> Sequence[Figure]:
    times: Times = defaultdict(list)
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        _berth(cluster, defaultdict(list))
        wanted = desired(cluster, replicas=PODS)
        (requests,) = floor.requests_of(lab.hosts, wanted)
        with open_floor(wanted) as plain:
            for number in range(settings.rounds):
                _round(settings, lab, cluster, plain, requests, home, times)
                settings.say(f"30 to 0, round {number + 1}: " + ", ".join(f"{k} {v[-1]:.2f}" for k, v in times.items()))
    return figures(times)


def _round(
    settings: Settings, lab: Lab, cluster: Cluster, plain: Floor, requests: list[Request], home: Path, times: Times
) -> None:
    before, after = floor.halves(is_quick=settings.is_quick)
    _floor(lab, plain, requests, before, times)
    _berth(cluster, times)
    _floor(lab, plain, requests, after, times)
    with swarm.running(lab, home) as stack, Eyes(lab.hosts) as eyes:
        stack.deploy(PODS, IMAGES[0])
        mark, began = eyes.mark, time.monotonic()
        stack.deploy(0, IMAGES[0])
        times["swarm"].append(_all_destroyed(eyes, mark, swarm.LABEL_SERVICE) - began)


def _floor(lab: Lab, plain: Floor, requests: list[Request], parallels: Sequence[int], times: Times) -> None:
    for parallel in parallels:
        plain.start_all(requests, parallel=parallel)
        times[f"floor {parallel}"].append(plain.end_all(floor.containers_on(lab.hosts), parallel=parallel))


def _berth(cluster: Cluster, times: Times) -> None:
    with running(cluster) as berth, Eyes(cluster.hosts) as eyes:
        berth.push("30 pods", {WEB: web(PODS)})
        eyes.wait(lambda seen: sum(map(is_web, seen)) == PODS, "30 pods", timeout_seconds=WAIT_SECONDS)
        berth.settle()
        mark = eyes.mark
        pushed_at = berth.push("none", {WEB: web(0)})
        times["berth"].append(_all_destroyed(eyes, mark, LABEL_POD_NAME) - pushed_at)
        berth.settle()


def _all_destroyed(eyes: Eyes, mark: int, label: str) -> float:
    """Our monotonic clock when 30 containers with this label have been destroyed since the mark."""

    def is_so(_: object) -> bool:
        return sum(event.action == "destroy" and label in event.labels for event in eyes.events_since(mark)) == PODS

    return eyes.wait(is_so, "30 pods to be gone", timeout_seconds=WAIT_SECONDS)


def figures(times: Times) -> list[Figure]:
    """From the samples of each contender; the floor is its best parallelism, by its median."""
    best = min((name for name in times if name.startswith("floor")), key=lambda name: median(times[name]))
    name, value, samples = f"scale in: {PODS} pods to 0, all gone", median(times["berth"]), tuple(times["berth"])
    return [
        Figure(name, value, "s", None, best, median(times[best]), None, samples),
        Figure(name, value, "s", None, "swarm", median(times["swarm"]), None, samples),
        Figure(name, value, "s", None, kubernetes.NAME, kubernetes.SCALE_IN_30, 1.0, samples),
    ]


if __name__ == "__main__":
    main("scale_in", run)
