"""How fast pods get their hosts through `engine.step`: 5,000 hosts, from the commit that names them to bound pods.

The cases are the worst of the common ones: pods that are spread by their owner's selector, templates in turns, each pod
of a template of its own. Three rates: of the scheduler's own part, the choice of all places; of binding, which is that
choice and all that follows until each pod is in the store with its host (address, claims, indexes, events, whom it
concerns); and of the whole step, in which pods are made and hosts are told of them, too. CPU time of one process,
without I/O.
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
    """seconds: of the whole step. choosing_seconds: of the choice of places alone; binding_seconds: of that and of what
    follows until the pods are bound. digest: of all places.
    """

    pods: int
    seconds: float
    choosing_seconds: float
    binding_seconds: float
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


def of_few_sizes() -> list[KubeObject]:
    """2,000 pods, each with labels and image of its own, that request what many others do."""
    return [_pod(f"pod-{number:04}", number, number % 10) for number in range(2000)]


def _pod(name: str, kind: int, size: int | None = None) -> Pod:
    size = kind if size is None else size
    template = worlds.template(kind, f"{10 + size}m", f"{16 + size}Mi")
    metadata = msgspec.structs.replace(worlds.meta(name), labels=template.metadata.labels)
    return Pod(metadata=metadata, spec=template.spec)


CASES: Final[dict[str, tuple[Callable[[], list[KubeObject]], int]]] = {
    "owned by 10 ReplicaSets": (owned, 20_000),
    "300 templates in turns": (interleaved, 10_000),
    "2,000 templates": (distinct, 8_000),
    "2,000 templates, 10 sizes": (of_few_sizes, 8_000),
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
    engine: Any = cluster.engine
    binding = engine._schedule = _Stopwatch(engine._schedule)
    began = time.process_time()
    cluster.step(told)
    seconds = time.process_time() - began
    pods = cluster.engine.store.all_of(Pod)
    assert pods and all(pod.spec.node_name for pod in pods)
    places = sorted((pod.labels["app"], pod.name, pod.spec.node_name) for pod in pods)
    digest = hashlib.sha256(repr(places).encode()).hexdigest()[:12]
    return Measured(len(pods), seconds, choosing.seconds, binding.seconds, digest)


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
        chosen, bound = found.pods / found.choosing_seconds, found.pods / found.binding_seconds
        print(
            f"{name:26} chosen {chosen:6.0f} pods/s (goal {goal}), bound {bound:6.0f} pods/s, "
            f"the whole step {found.pods / found.seconds:6.0f} pods/s, {found.digest}",
            flush=True,
        )


if __name__ == "__main__":
    main()
