"""How fast pods get their hosts through `engine.step`: 5,000 hosts, from the commit that names them to bound pods.

The cases are the worst of the common ones: pods that are spread by their owner's selector, templates in turns, each pod
of a template of its own. Counted beside the whole step (pods are made, placed, addressed, written, shown to every
controller) is the scheduler's own part: the choice of all places. CPU time of one process, without I/O.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from objects.api.apps import ReplicaSet, ReplicaSetSpec
from objects.api.meta import KubeObject, LabelSelector
from objects.api.pods import Pod
from tests.bench import engine_worlds as worlds
from tests.bench.engine_worlds import FakeCluster

HOSTS: Final = 5000


class Measured(NamedTuple):
    """seconds: of the whole step. choosing_seconds: of the choice of places alone. digest: of all places."""

    pods: int
    seconds: float
    choosing_seconds: float
    digest: str


def owned() -> list[KubeObject]:
    """10,000 pods of 10 ReplicaSets with selectors: spread over the hosts."""
    return [
        ReplicaSet(
            metadata=worlds.meta(f"app-{number}"),
            spec=ReplicaSetSpec(
                replicas=1000,
                selector=LabelSelector(match_labels={"app": f"app-{number}"}),
                template=worlds.template(number),
            ),
        )
        for number in range(10)
    ]


def interleaved() -> list[KubeObject]:
    """3,000 pods of 300 templates in turns: no two pods in a row are alike."""
    return [_pod(f"pod-{number:04}", number % 300) for number in range(3000)]


def distinct() -> list[KubeObject]:
    """2,000 pods, each with labels, image and requests of its own."""
    return [_pod(f"pod-{number:04}", number) for number in range(2000)]


def _pod(name: str, kind: int) -> Pod:
    template = worlds.template(kind, f"{10 + kind}m", f"{16 + kind}Mi")
    metadata = msgspec.structs.replace(worlds.meta(name), labels=template.metadata.labels)
    return Pod(metadata=metadata, spec=template.spec)


CASES: Final[dict[str, tuple[Callable[[], list[KubeObject]], int]]] = {
    "owned by 10 ReplicaSets": (owned, 20_000),
    "300 templates in turns": (interleaved, 10_000),
    "2,000 templates": (distinct, 8_000),
}
"""Name, what is committed, and how many pods a second shall find their hosts."""


def make_cluster(hosts: int = HOSTS) -> FakeCluster:
    """A cluster at rest whose hosts all have room and a slice of the pod network, and no pods yet."""
    cluster = worlds.make_cluster(hosts)
    cluster.step(worlds.commit(cluster), *map(cluster.report, cluster.hosts))
    return cluster


def measure(objects: list[KubeObject], *, hosts: int = HOSTS) -> Measured:
    """Commit them all at once; every pod must have its host at the end of that step."""
    cluster = make_cluster(hosts)
    told = worlds.commit(cluster, *objects)
    scheduling: Any = cluster.engine._writer.scheduling
    choosing = _Stopwatch(scheduling._find_places)
    scheduling._find_places = choosing
    began = time.process_time()
    cluster.step(told)
    seconds = time.process_time() - began
    pods = cluster.engine.store.all_of(Pod)
    assert pods and all(pod.spec.node_name for pod in pods)
    places = sorted((pod.labels["app"], pod.name, pod.spec.node_name) for pod in pods)
    return Measured(len(pods), seconds, choosing.seconds, hashlib.sha256(repr(places).encode()).hexdigest()[:12])


class _Stopwatch:
    """Calls a function and sums up the CPU time that it takes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        began = time.process_time()
        try:
            return self._function(*arguments)
        finally:
            self.seconds += time.process_time() - began


def main() -> None:
    for name, (make, goal) in CASES.items():
        found = measure(make())
        rate, whole = found.pods / found.choosing_seconds, found.pods / found.seconds
        print(
            f"{name:26} {rate:8.0f} pods/s (goal {goal}), the whole step {whole:6.0f} pods/s, {found.digest}",
            flush=True,
        )


if __name__ == "__main__":
    main()
