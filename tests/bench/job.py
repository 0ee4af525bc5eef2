"""A Job of 50 x `true`, 10 at a time: Berth, the raw floor, Swarm's replicated job, Kubernetes as noted.

Until the fiftieth container has ended, all with 0. Nobody removes them meanwhile: what a Job ran is kept for its logs.
The floor runs the containers that Berth makes for such a Job, each as soon as one of the ten before it has ended.
"""

from __future__ import annotations

import queue
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import yaml

from objects.names import LABEL_POD_NAME
from tests.bench import floor, kubernetes, swarm
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import IMAGES, WAIT_SECONDS, desired_with, new_cluster, running
from tests.bench.eyes import Event, Eyes
from tests.bench.figures import Figure, median
from tests.bench.floor import Floor, Request, open_floor
from tests.lab.cluster import Cluster
from tests.lab.lab import Lab

COMPLETIONS = 50
PARALLELISM = 10
FILE = "apps/job/job.yaml"
COMMAND = ("true",)
Times = dict[str, list[float]]


def job(completions: int) -> str:
    """The Job as Berth and Kubernetes take it."""
    container = {"name": "job", "image": IMAGES[0], "command": [*COMMAND]}
    spec = {
        "completions": completions,
        "parallelism": PARALLELISM,
        "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
    }
    document = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)


def run(settings: Settings) -> Sequence[Figure]:
    times: Times = defaultdict(list)
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        _berth(cluster, defaultdict(list), completions=PARALLELISM)  # makes the pod network, and everything warm
        wanted = desired_with(cluster, {FILE: job(PARALLELISM)})
        (requests,) = floor.requests_of(lab.hosts, wanted)
        with open_floor(wanted) as plain:
            for number in range(settings.rounds):
                _round(lab, cluster, plain, requests, home, times)
                settings.say(f"job, round {number + 1}: " + ", ".join(f"{k} {v[-1]:.2f}" for k, v in times.items()))
    return figures(times)


def _round(lab: Lab, cluster: Cluster, plain: Floor, requests: list[Request], home: Path, times: Times) -> None:
    _berth(cluster, times)
    times["floor"].append(_run_floor(plain, requests))
    plain.remove(floor.containers_on(lab.hosts))
    with swarm.running(lab, home) as stack, Eyes(lab.hosts) as eyes:
        mark, began = eyes.mark, time.monotonic()
        with stack.job(COMPLETIONS, PARALLELISM, IMAGES[0], COMMAND):
            done_at = eyes.wait(
                lambda _: _ended(eyes.events_since(mark), swarm.LABEL_SERVICE) >= COMPLETIONS,
                f"swarm: {COMPLETIONS} tasks",
                timeout_seconds=WAIT_SECONDS,
            )
            times["swarm"].append(done_at - began)


def _berth(cluster: Cluster, times: Times, *, completions: int = COMPLETIONS) -> None:
    with running(cluster) as berth, Eyes(cluster.hosts) as eyes:
        mark = eyes.mark
        pushed_at = berth.push("Job", {FILE: job(completions)})
        done_at = eyes.wait(
            lambda _: _ended(eyes.events_since(mark), LABEL_POD_NAME) >= completions,
            f"{completions} pods of the Job",
            timeout_seconds=WAIT_SECONDS,
        )
        times["berth"].append(done_at - pushed_at)
        berth.settle()
        cluster.wait(lambda: len(cluster.containers(pod="job-")) == completions, f"exactly {completions} containers")
        berth.push("no Job", {FILE: None})
        cluster.wait(
            lambda: not cluster.containers(pod="job-"), "no container of the Job", timeout_seconds=WAIT_SECONDS
        )
        berth.settle()


def _ended(events: Sequence[Event], label: str) -> int:
    """How many containers with this label have ended."""
    return len({event.id for event in events if event.action == "die" and label in event.labels})


def _run_floor(plain: Floor, requests: Sequence[Request]) -> float:
    """Ten at a time; each place (host, address) is taken by the next container once the one before it has ended."""
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(COMPLETIONS):
        numbers.put(number)

    def work(place: Request) -> None:
        while True:
            try:
                number = numbers.get_nowait()
            except queue.Empty:
                return
            plain.run_to_end(replace(place, name=f"{place.name}-{number}"))

    began = time.monotonic()
    with ThreadPoolExecutor(len(requests)) as pool:
        list(pool.map(work, requests))
    return time.monotonic() - began


def figures(times: Times) -> list[Figure]:
    """From the samples of each contender."""
    name, value = f"job: {COMPLETIONS} x true, {PARALLELISM} at a time", median(times["berth"])
    samples = tuple(times["berth"])
    return [
        Figure(name, value, "s", None, "floor", median(times["floor"]), None, samples),
        Figure(name, value, "s", None, "swarm", median(times["swarm"]), None, samples),
        Figure(name, value, "s", None, kubernetes.NAME, kubernetes.JOB_50, 1.0, samples),
    ]


if __name__ == "__main__":
    main("job", run)
