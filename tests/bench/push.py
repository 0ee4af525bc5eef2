"""Push → 30 one-container pods running on three hosts, images present: Berth, the raw floor, Swarm, Compose.

All on the same engines, one after another, round after round; the median of each counts. Whatever a contender needs to
be running beforehand (a daemon at rest, a swarm, open connections) is there before its time begins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.bench import compose, floor, kubernetes, swarm
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import IMAGES, PODS, WAIT_SECONDS, WEB, desired, is_ours, is_web, new_cluster, running, web
from tests.bench.eyes import Eyes
from tests.bench.figures import Figure, median
from tests.bench.floor import Floor, Request, open_floor
from tests.lab.cluster import Cluster
from tests.lab.lab import Lab

MOST_RATIO = 1.3
CPU = "berth's CPU"
Times = dict[str, list[float]]


def run(settings: Settings) -> Sequence[Figure]:
    times: Times = defaultdict(list)
    if not compose.is_installed():
        settings.say("Compose is left out: docker-compose is not installed (Debian's package has this name)")
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        _berth(cluster, defaultdict(list))  # makes the pod network, and everything warm
        wanted = desired(cluster, replicas=PODS)
        (requests,) = floor.requests_of(lab.hosts, wanted)
        with open_floor(wanted) as plain:
            for number in range(settings.rounds):
                _round(settings, lab, cluster, plain, requests, home, times)
                settings.say(f"push, round {number + 1}: " + ", ".join(f"{k} {v[-1]:.2f}" for k, v in times.items()))
    return figures(times)


def _round(
    settings: Settings, lab: Lab, cluster: Cluster, plain: Floor, requests: list[Request], home: Path, times: Times
) -> None:
    before, after = floor.halves(is_quick=settings.is_quick)
    _floor(lab, plain, requests, before, times)
    _berth(cluster, times)
    _floor(lab, plain, requests, after, times)
    with swarm.running(lab, home) as stack:
        times["swarm"].append(stack.deploy(PODS, IMAGES[0]))
    if compose.is_installed():
        times["compose"].append(compose.measure_up(lab, home, PODS, IMAGES[0]))


def _floor(lab: Lab, plain: Floor, requests: list[Request], parallels: Sequence[int], times: Times) -> None:
    for parallel in parallels:
        times[f"floor {parallel}"].append(plain.start_all(requests, parallel=parallel))
        plain.remove(floor.containers_on(lab.hosts))


def _berth(cluster: Cluster, times: Times) -> None:
    with running(cluster) as berth, Eyes(cluster.hosts) as eyes:
        cpu = berth.cpu_seconds
        pushed_at = berth.push("30 pods", {WEB: web(PODS)})
        done_at = eyes.wait(lambda seen: sum(map(is_web, seen)) == PODS, "30 pods", timeout_seconds=WAIT_SECONDS)
        times["berth"].append(done_at - pushed_at)
        times[CPU].append(berth.cpu_seconds - cpu)
        eyes.confirm(is_ours, PODS)
        berth.settle()
        berth.push("none", {WEB: web(0)})
        eyes.wait(lambda seen: not any(map(is_web, seen)), "no pod", timeout_seconds=WAIT_SECONDS)
        berth.settle()


def figures(times: Times) -> list[Figure]:
    """From the samples of each contender; the floor is its best parallelism, by its median."""
    best = min((name for name in times if name.startswith("floor")), key=lambda name: median(times[name]))
    name, value, samples = f"push: {PODS} pods running", median(times["berth"]), tuple(times["berth"])
    found = [
        Figure(name, value, "s", None, best, median(times[best]), MOST_RATIO, samples),
        Figure(name, value, "s", None, "swarm", median(times["swarm"]), 1.0, samples),
        Figure(name, value, "s", None, kubernetes.NAME, kubernetes.PUSH_30, None, samples),
        Figure(
            f"{name}: Berth's own CPU, git's and ssh's included", median(times[CPU]), "s", samples=tuple(times[CPU])
        ),
    ]
    if "compose" in times:
        found.append(Figure(name, value, "s", None, "compose", median(times["compose"]), 1.0, samples))
    return found


if __name__ == "__main__":
    main("push", run)
