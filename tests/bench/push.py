"""Push → 30 one-container pods running on three hosts, images present: Berth, the raw floor, Swarm, Compose.

And back: 30 → 0, until the engines have destroyed the last container (processes end on SIGTERM, 5 s of grace for all).
All on the same engines, one after another, round after round; the median of each counts. Whatever a contender needs to
be running beforehand (a daemon at rest, a swarm, open connections) is there before its time begins.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from objects.names import LABEL_POD_NAME
from tests.bench import compose, floor, kubernetes, swarm
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import IMAGES, PODS, WAIT_SECONDS, WEB, desired, is_ours, is_web, new_cluster, running, web
from tests.bench.eyes import Eyes
from tests.bench.figures import Figure, median
from tests.bench.floor import Floor, Request, open_floor
from tests.lab.cluster import Cluster
from tests.lab.lab import Lab

MOST_RATIO = 1.3
Times = dict[str, list[float]]


@dataclass(frozen=True)
class Samples:
    """By contender, in seconds: up until 30 run, down until none is left. cpu: of Berth while it goes up."""

    up: Times = field(default_factory=lambda: defaultdict(list))
    down: Times = field(default_factory=lambda: defaultdict(list))
    cpu: list[float] = field(default_factory=list)

    def last(self) -> str:
        """The newest sample of each."""
        up, down = (", ".join(f"{k} {v[-1]:.2f}" for k, v in times.items()) for times in (self.up, self.down))
        return f"up: {up}; down: {down}"


def run(settings: Settings) -> Sequence[Figure]:
    samples = Samples()
    if not compose.is_installed():
        settings.say("Compose is left out: docker-compose is not installed (Debian's package has this name)")
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        _berth(cluster, Samples())  # makes the pod network, and everything warm
        wanted = desired(cluster, replicas=PODS)
        (requests,) = floor.requests_of(lab.hosts, wanted)
        with open_floor(wanted) as plain:
            for number in range(settings.rounds):
                _round(settings, lab, cluster, plain, requests, home, samples)
                settings.say(f"push, round {number + 1}: {samples.last()}")
    return figures(samples)


def _round(
    settings: Settings,
    lab: Lab,
    cluster: Cluster,
    plain: Floor,
    requests: list[Request],
    home: Path,
    samples: Samples,
) -> None:
    before, after = floor.halves(samples.up, is_quick=settings.is_quick)
    _floor(lab, plain, requests, before, samples)
    _berth(cluster, samples)
    _floor(lab, plain, requests, after, samples)
    with swarm.running(lab, home) as stack, Eyes(lab.hosts) as eyes:
        samples.up["swarm"].append(stack.deploy(PODS, IMAGES[0]))
        mark, began = eyes.mark, time.monotonic()
        stack.deploy(0, IMAGES[0])
        samples.down["swarm"].append(_all_destroyed(eyes, mark, swarm.LABEL_SERVICE) - began)
    if compose.is_installed():
        samples.up["compose"].append(compose.measure_up(lab, home, PODS, IMAGES[0]))


def _floor(lab: Lab, plain: Floor, requests: list[Request], parallels: Sequence[int], samples: Samples) -> None:
    for parallel in parallels:
        name = floor.name_of(parallel)
        samples.up[name].append(plain.start_all(requests, parallel=parallel))
        samples.down[name].append(plain.end_all(floor.containers_on(lab.hosts), parallel=parallel))


def _berth(cluster: Cluster, samples: Samples) -> None:
    with running(cluster) as berth, Eyes(cluster.hosts) as eyes:
        cpu = berth.cpu_seconds
        pushed_at = berth.push("30 pods", {WEB: web(PODS)})
        done_at = eyes.wait(lambda seen: sum(map(is_web, seen)) == PODS, "30 pods", timeout_seconds=WAIT_SECONDS)
        samples.up["berth"].append(done_at - pushed_at)
        samples.cpu.append(berth.cpu_seconds - cpu)
        eyes.confirm(is_ours, PODS)
        berth.settle()
        mark = eyes.mark
        pushed_at = berth.push("none", {WEB: web(0)})
        samples.down["berth"].append(_all_destroyed(eyes, mark, LABEL_POD_NAME) - pushed_at)
        berth.settle()


def _all_destroyed(eyes: Eyes, mark: int, label: str) -> float:
    """Our monotonic clock when 30 containers with this label have been destroyed since the mark."""

    def is_so(_: object) -> bool:
        return sum(event.action == "destroy" and label in event.labels for event in eyes.events_since(mark)) == PODS

    return eyes.wait(is_so, "30 pods to be gone", timeout_seconds=WAIT_SECONDS)


def figures(samples: Samples) -> list[Figure]:
    """From the samples of each contender; the floor is its best parallelism, by its median."""
    up, down = samples.up, samples.down
    name, value, all_of = f"push: {PODS} pods running", median(up["berth"]), tuple(up["berth"])
    best = floor.best(up)
    found = [
        Figure(name, value, "s", None, best, median(up[best]), MOST_RATIO, all_of),
        Figure(name, value, "s", None, "swarm", median(up["swarm"]), 1.0, all_of),
        Figure(name, value, "s", None, kubernetes.NAME, kubernetes.PUSH_30, None, all_of),
        Figure(f"{name}: Berth's own CPU", median(samples.cpu), "s", samples=tuple(samples.cpu)),
    ]
    if "compose" in up:
        found.insert(2, Figure(name, value, "s", None, "compose", median(up["compose"]), 1.0, all_of))
    name, value, all_of = f"scale in: {PODS} pods to 0, all gone", median(down["berth"]), tuple(down["berth"])
    best = floor.best(down)
    return [
        *found,
        Figure(name, value, "s", None, best, median(down[best]), None, all_of),
        Figure(name, value, "s", None, "swarm", median(down["swarm"]), None, all_of),
        Figure(name, value, "s", None, kubernetes.NAME, kubernetes.SCALE_IN_30, 1.0, all_of),
    ]


if __name__ == "__main__":
    main("push", run)
