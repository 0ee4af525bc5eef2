"""30 pods replaced by 30 others, at most 10 more at a time and never one less: Berth, the raw floor, Swarm.

Forth by a commit, back by `git revert`. Time runs from the end of `git push` (or the command) until all 30 of the new
version run and none of the old one does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.bench import floor, kubernetes, swarm
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import (
    IMAGES,
    PODS,
    SURGE,
    WAIT_SECONDS,
    WEB,
    Contender,
    desired,
    is_ours,
    is_web,
    new_cluster,
    running,
    web,
)
from tests.bench.eyes import Eyes, Seen
from tests.bench.figures import Figure, median
from tests.bench.floor import Floor, Request, open_floor
from tests.lab.cluster import Cluster
from tests.lab.lab import Lab

MOST_RATIO = 1.3
OLD, NEW = IMAGES
Times = dict[str, list[float]]


def run(settings: Settings) -> Sequence[Figure]:
    times: Times = defaultdict(list)
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        _berth(cluster, defaultdict(list))
        stages = [desired(cluster, replicas=PODS, image=image) for image in IMAGES]
        requests = floor.requests_of(lab.hosts, *stages)
        with open_floor(stages[0]) as plain:
            for number in range(settings.rounds):
                _round(settings, lab, cluster, plain, requests, home, times)
                settings.say(f"rollout, round {number + 1}: " + ", ".join(f"{k} {v[-1]:.2f}" for k, v in times.items()))
    return figures(times)


def _round(
    settings: Settings,
    lab: Lab,
    cluster: Cluster,
    plain: Floor,
    requests: list[list[Request]],
    home: Path,
    times: Times,
) -> None:
    before, after = floor.halves(times, is_quick=settings.is_quick)
    _floor(lab, plain, requests, before, times)
    _berth(cluster, times)
    _floor(lab, plain, requests, after, times)
    with swarm.running(lab, home) as stack:
        stack.deploy(PODS, OLD)
        times["swarm"].append(stack.deploy(PODS, NEW))


def _floor(lab: Lab, plain: Floor, requests: list[list[Request]], parallels: Sequence[int], times: Times) -> None:
    old_ones, new_ones = requests
    for parallel in parallels:
        plain.start_all(old_ones, parallel=4)
        old = floor.containers_on(lab.hosts)
        times[floor.name_of(parallel)].append(plain.roll(new_ones, old, surge=SURGE, parallel=parallel))
        plain.remove(floor.containers_on(lab.hosts))


def _berth(cluster: Cluster, times: Times) -> None:
    """Forth by a commit and back by `git revert`, each from rest."""
    with running(cluster) as berth, Eyes(cluster.hosts) as eyes:
        _until(berth.push("old", {WEB: web(PODS, OLD)}), eyes, OLD)
        berth.settle()
        times["update"].append(_until(berth.push("new", {WEB: web(PODS, NEW)}), eyes, NEW))
        eyes.confirm(is_ours, PODS)
        berth.settle()
        times["revert"].append(_until(berth.revert(), eyes, OLD))
        eyes.confirm(is_ours, PODS)
        _clear(berth, eyes)


def _until(pushed_at: float, eyes: Eyes, image: str) -> float:
    """Seconds from `pushed_at` until exactly the pods of this version run."""

    def is_so(seen: list[Seen]) -> bool:
        ours = [item for item in seen if is_web(item)]
        return len(ours) == PODS and all(item.image == image for item in ours)

    return eyes.wait(is_so, f"{PODS} pods of {image}", timeout_seconds=WAIT_SECONDS) - pushed_at


def _clear(berth: Contender, eyes: Eyes) -> None:
    berth.settle()
    berth.push("none", {WEB: web(0, OLD)})
    eyes.wait(lambda seen: not any(map(is_web, seen)), "no pod", timeout_seconds=WAIT_SECONDS)
    berth.settle()


def figures(times: Times) -> list[Figure]:
    """From the samples of each contender; the floor is its best parallelism, by its median."""
    best = floor.best(times)
    found = []
    for name in ("update", "revert"):
        title, value, samples = f"{name}: {PODS} pods replaced", median(times[name]), tuple(times[name])
        found.append(Figure(title, value, "s", None, best, median(times[best]), MOST_RATIO, samples))
        found.append(Figure(title, value, "s", None, "swarm", median(times["swarm"]), 1.0, samples))
        if name == "update":
            found.append(Figure(title, value, "s", None, kubernetes.NAME, kubernetes.UPDATE_30, 1.0, samples))
    return found


if __name__ == "__main__":
    main("rollout", run)
