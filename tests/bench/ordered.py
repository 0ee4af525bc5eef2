"""A StatefulSet of 5, one after another: Berth, the raw floor, Kubernetes as noted. Swarm has nothing like it.

From the push until the fifth runs. The floor starts the same five containers on the same hosts, each once the engine
says that the one before it runs.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import yaml

from objects.names import LABEL_POD_NAME
from tests.bench import floor, kubernetes
from tests.bench.case import Settings, bench_lab, main
from tests.bench.contender import IMAGES, WAIT_SECONDS, desired_with, new_cluster, running
from tests.bench.eyes import Eyes, Seen
from tests.bench.figures import Figure, median
from tests.bench.floor import Floor, Request, open_floor
from tests.lab.cluster import Cluster
from tests.lab.errors import LabError
from tests.lab.lab import Lab

REPLICAS = 5
FILE = "apps/db/db.yaml"
Times = dict[str, list[float]]


def stateful_set(replicas: int) -> str:
    """Pods that are ready as soon as they run."""
    spec: dict[str, Any] = {
        "replicas": replicas,
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "db", "image": IMAGES[0]}]},
        },
    }
    document = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)


def run(settings: Settings) -> Sequence[Figure]:
    times: Times = defaultdict(list)
    with bench_lab(settings) as (lab, home):
        cluster = new_cluster(lab, home)
        _berth(cluster, defaultdict(list))
        wanted = desired_with(cluster, {FILE: stateful_set(REPLICAS)})
        (requests,) = floor.requests_of(lab.hosts, wanted)
        requests.sort(key=lambda request: request.body["Labels"][LABEL_POD_NAME])
        with open_floor(wanted) as plain:
            for number in range(settings.rounds):
                _floor(lab, plain, requests, times)
                _berth(cluster, times)
                settings.say(f"ordered, round {number + 1}: " + ", ".join(f"{k} {v[-1]:.2f}" for k, v in times.items()))
    return figures(times)


def _floor(lab: Lab, plain: Floor, requests: Sequence[Request], times: Times) -> None:
    began = time.monotonic()
    for request in requests:
        plain.run_until_running(request)
    times["floor"].append(time.monotonic() - began)
    plain.remove(floor.containers_on(lab.hosts))


def _berth(cluster: Cluster, times: Times) -> None:
    with running(cluster) as berth, Eyes(cluster.hosts) as eyes:
        pushed_at = berth.push("five", {FILE: stateful_set(REPLICAS)})
        done_at = eyes.wait(lambda seen: len(_ours(seen)) == REPLICAS, "five pods", timeout_seconds=WAIT_SECONDS)
        times["berth"].append(done_at - pushed_at)
        pods = [item.labels[LABEL_POD_NAME] for item in sorted(eyes.running(_is_ours), key=lambda item: item.since)]
        if pods != sorted(pods):
            raise LabError(f"not in order: {pods}")
        berth.settle()
        berth.push("none", {FILE: stateful_set(0)})
        eyes.wait(lambda seen: not _ours(seen), "no pod", timeout_seconds=WAIT_SECONDS)
        berth.settle()


def _is_ours(seen: Seen) -> bool:
    return seen.labels.get(LABEL_POD_NAME, "").startswith("db-")


def _ours(seen: list[Seen]) -> list[Seen]:
    return [item for item in seen if _is_ours(item)]


def figures(times: Times) -> list[Figure]:
    """From the samples of both."""
    name, value, samples = f"StatefulSet of {REPLICAS}, in order", median(times["berth"]), tuple(times["berth"])
    return [
        Figure(name, value, "s", None, "floor", median(times["floor"]), None, samples),
        Figure(name, value, "s", None, kubernetes.NAME, kubernetes.ORDERED_5, 1.0, samples),
    ]


if __name__ == "__main__":
    main("ordered", run)
