"""An evicted pod leaves nothing on its host, and still no fresh process starts it again."""

from __future__ import annotations

from objects.api.pods import Pod
from objects.observation.figures import (
    ContainerUse,
    HostUse,
    HostVitals,
    PodUse,
)
from reconciler.state.messages import HostMeasured
from reconciler.status.content import render_files, restore
from tests.unit.reconciler.cluster import FACTS, FakeCluster, bare_pod, deployment

SHORT = HostVitals(memory_available_bytes=1, disk_bytes=FACTS.disk_bytes, disk_free_bytes=FACTS.disk_free_bytes)


def evict(cluster: FakeCluster, pod: Pod) -> None:
    """The pod's host is short of memory, and the pod is all that was measured."""
    use = PodUse(containers=(ContainerUse(name="c", memory_bytes=5),))
    for _ in range(3):
        at = cluster.now
        news = HostMeasured(host=pod.node_name, vitals=SHORT, use=HostUse(at=at, pods={pod.uid: use}))
        cluster.step(news)
    cluster.hosts[pod.node_name].pop(pod.uid)


def evicted(cluster: FakeCluster) -> list[str]:
    return [pod.name for pod in cluster.pods() if pod.is_evicted]


def test_a_bare_pod() -> None:
    cluster = FakeCluster("h1")
    cluster.settle(cluster.desired(bare_pod()))
    evict(cluster, *cluster.pods())
    assert evicted(cluster) == ["lone"]
    status = restore(render_files(cluster.engine.store, cluster.engine.inventory).items())
    cluster.restart()
    cluster.step(status, cluster.desired(bare_pod()))
    (report,) = (cluster.report(name) for name in cluster.hosts)
    cluster.step(report)
    assert (evicted(cluster), cluster.running) == (["lone"], {"h1": []})
    assignment = cluster.engine.assignment("h1")
    assert assignment is not None
    assert [(pod.name, pod.is_evicted) for pod in assignment.pods] == [("lone", True)]


def test_another_spec_is_another_pod() -> None:
    cluster = FakeCluster("h1", "h2")
    cluster.settle(cluster.desired(bare_pod()))
    evict(cluster, *cluster.pods())
    cluster.settle(cluster.desired(bare_pod("web:v2"), commit="c2"))
    assert (evicted(cluster), cluster.images) == ([], ["web:v2"])


def test_a_pod_of_a_workload_is_replaced() -> None:
    cluster = FakeCluster("h1", "h2")
    cluster.settle(cluster.desired(deployment(replicas=2)))
    victim = next(pod for pod in cluster.pods() if pod.node_name == "h1")
    evict(cluster, victim)
    cluster.step(cluster.report("h2"))
    assert evicted(cluster) == [victim.name]
    assert sorted(pod.node_name for pod in cluster.pods() if not pod.is_evicted) == ["h2", "h2"]
