"""What one change costs the engine beside much that did not change, and what it costs to begin: CPU of deciding alone.

Worst cases stand beside the common ones: a budget that speaks of every pod, claims that all report at once.
"""

from __future__ import annotations

import itertools
import resource
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from objects.api.meta import ObjectMeta, OwnerReference
from objects.api.pods import Pod, PodStatus
from objects.observation.figures import (
    ContainerUse,
    HostUse,
    HostVitals,
    PodUse,
)
from objects.observation.host import ImageFact
from reconciler.state.messages import HostMeasured, Message
from reconciler.state.snapshot import SnapshotWriter
from reconciler.state.store import Store
from tests.bench import engine_worlds as worlds
from tests.bench.case import Settings, main
from tests.bench.engine_worlds import FakeCluster
from tests.bench.figures import Figure
from tests.unit.reconciler.cluster import FACTS

ROUNDS = 5


def run(settings: Settings) -> Sequence[Figure]:
    figures: list[Figure] = []
    for measure in (
        _flip,
        _flip_under_one_budget,
        _claims,
        _autoscalers,
        _image,
        _memory,
        _join,
        _publish,
        _first_step,
    ):
        found = measure()
        settings.say(f"{found.name}: {found.value:.3g} {found.unit}")
        figures.append(found)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [*figures, Figure("engine: peak memory of all these", peak, "MB")]


def _repeated(cluster: FakeCluster, messages: Callable[[int], Iterable[Message]]) -> float:
    """Milliseconds of a step with these messages, the least of some."""
    counter = itertools.count()
    for _ in range(2):
        cluster.step(*messages(next(counter)))
    return 1e3 * worlds.least(lambda: worlds.cpu_seconds(cluster, messages(next(counter))), ROUNDS)


def _flipping(cluster: FakeCluster) -> float:
    host = min(cluster.hosts)
    return _repeated(cluster, lambda n: [worlds.with_flipped_pod(worlds.report(cluster, host), is_ready=n % 2 == 0)])


def _flip() -> Figure:
    cluster = worlds.at_rest(120, [*worlds.some_deployments(200, replicas=50), *worlds.some_budgets(200)])
    title = "engine: a pod's readiness beside 200 budgets, 200 Deployments, 10,000 pods"
    return Figure(title, _flipping(cluster), "ms", 5)


def _flip_under_one_budget() -> Figure:
    cluster = worlds.at_rest(120, [*worlds.some_deployments(200, replicas=50), worlds.budget_of_all()])
    return Figure("engine: the same under one budget that speaks of all 10,000 pods", _flipping(cluster), "ms", 10)


def _claims() -> Figure:
    cluster = worlds.make_cluster(50)
    cluster.step(worlds.commit(cluster, *worlds.some_sets_with_claims(25, replicas=100)))
    cluster.step(*map(cluster.report, cluster.hosts))
    seconds = worlds.cpu_seconds(cluster, [*map(cluster.report, cluster.hosts)])
    return Figure("engine: 2,500 pods with claims all report that they run", 1e3 * seconds, "ms", 1000)


def _autoscalers() -> Figure:
    """100 autoscalers of 4,000 pods decide; what is measured arrived before."""
    cluster = worlds.at_rest(50, [*worlds.some_deployments(100, replicas=40), *worlds.some_autoscalers(100)])

    def round_of(_: int) -> Iterable[Message]:
        for host in cluster.hosts:
            uses = {
                pod.uid: PodUse(containers=(ContainerUse(name="c", cpu_millis=5, memory_bytes=2**20),))
                for pod in cluster.engine.store.pods_on(host)
            }
            use = HostUse(at=cluster.now, window_seconds=15, pods=uses)
            cluster.step(HostMeasured(host=host, vitals=_vitals(), use=use))
        cluster.now += worlds.INTERVAL
        return ()

    return Figure("engine: a round of 100 autoscalers over 4,000 pods", _repeated(cluster, round_of), "ms", 50)


def _publish() -> Figure:
    """What readers get of one pod that changed among 50,000 costs as much as one change does."""
    store, writer = Store(), SnapshotWriter()
    owners = [OwnerReference(kind="ReplicaSet", name=f"web-{n}", uid=f"web-{n}", controller=True) for n in range(100)]
    pods = [
        Pod(metadata=ObjectMeta(name=f"pod-{n}", namespace="default", uid=str(n), owner_references=(owners[n % 100],)))
        for n in range(50_000)
    ]
    writer.publish([one for pod in pods if (one := store.put(pod)) is not None], version=store.version)
    changes = 500
    noted = [store.put(msgspec.structs.replace(pod, status=PodStatus(message="x"))) for pod in pods[:changes]]
    began = time.process_time()
    for one in noted:
        assert one is not None
        writer.publish([one], version=one.version)
    each = (time.process_time() - began) / changes
    return Figure("engine: one change among 50,000 pods published", 1e3 * each, "ms", 0.1)


def _image() -> Figure:
    cluster = worlds.at_rest(2000, worlds.some_daemon_sets(5))
    host = min(cluster.hosts)

    def pulled(number: int) -> Iterable[Message]:
        said = worlds.report(cluster, host)
        image = ImageFact(id=f"sha256:{number}", names=(f"new:v{number}",), size_bytes=10**9)
        return [msgspec.structs.replace(said, facts=msgspec.structs.replace(said.facts, images=(image,)))]

    title = "engine: an image comes to one of 2,000 hosts under 5 DaemonSets"
    return Figure(title, _repeated(cluster, pulled), "ms", 20)


def _vitals(less_bytes: int = 0) -> HostVitals:
    return HostVitals(
        memory_available_bytes=FACTS.memory_available_bytes - less_bytes,
        disk_bytes=FACTS.disk_bytes,
        disk_free_bytes=FACTS.disk_free_bytes,
    )


def _memory() -> Figure:
    waiting = worlds.some_deployments(1, replicas=200, cpu="9")
    cluster = worlds.at_rest(5000, waiting)
    said = _repeated(
        cluster, lambda n: [HostMeasured(host=host, vitals=_vitals((n + 1) << 20)) for host in cluster.hosts]
    )
    return Figure("engine: free memory of 5,000 hosts moves, 200 pods wait", said, "ms", 100)


def _join() -> Figure:
    """All hosts are seen for the first time: slices, Nodes, what the scheduler knows."""
    cluster = worlds.make_cluster(5000)
    cluster.step(worlds.commit(cluster))
    seconds = worlds.cpu_seconds(cluster, [*map(cluster.report, cluster.hosts)])
    return Figure("engine: 5,000 hosts are seen for the first time", 1e3 * seconds, "ms", 5000)


def _first_step() -> Figure:
    """A fresh process finds all pods of 500 hosts on them: a tenth of the largest cluster that is thought of."""
    cluster = worlds.at_rest(500, worlds.some_deployments(10, replicas=500))
    cluster.restart()
    found = [*map(cluster.report, cluster.hosts)]
    began = time.process_time()
    cluster.step(worlds.commit(cluster, *worlds.some_deployments(10, replicas=500)), *found)
    seconds = time.process_time() - began
    assert len(cluster.engine.store.all_of(Pod)) == 5000
    return Figure("engine: a fresh process finds 5,000 pods on 500 hosts", 1e3 * seconds, "ms")


if __name__ == "__main__":
    main("engine_cost", run)
