"""Figures of hosts and pods on their way into the store."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from objects.api.pods import Pod, PodStatus
from objects.observation.figures import (
    ContainerUse,
    ForeignLoad,
    HostUse,
    HostVitals,
    PodUse,
)
from reconciler.figures.pod_metrics import PodMetrics
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import HostMeasured, HostReport
from reconciler.state.pod_state import with_reported_status
from tests.unit.reconciler.cluster import FACTS, START, FakeCluster, bare_pod

LEFT = HostVitals(memory_available_bytes=5, disk_bytes=100, disk_free_bytes=50, inodes=10, inodes_free=5, tasks=3)


def started() -> tuple[FakeCluster, Pod]:
    cluster = FakeCluster("h1")
    cluster.settle(cluster.desired(bare_pod()))
    (pod,) = cluster.pods()
    return cluster, pod


def test_what_was_measured_is_in_the_store() -> None:
    cluster, pod = started()
    at = START + timedelta(seconds=100)
    uses = (
        ContainerUse(name="c", cpu_millis=250, memory_bytes=7, disk_bytes=9),
        ContainerUse(name="new", memory_bytes=8),
    )
    use = PodUse(containers=uses, volumes={"cache": 11}, values={"qps": 2.5})
    foreign = (ForeignLoad(name="database", cpu_millis=5),)
    host_use = HostUse(at=at, window_seconds=10, pods={pod.uid: use, "gone": use})
    cluster.step(HostMeasured(host="h1", vitals=LEFT, use=host_use, foreign=foreign))
    status = cluster.engine.store.get(HostStatus, "", "h1")
    assert status is not None
    assert status.facts == msgspec.structs.replace(FACTS, **msgspec.structs.asdict(LEFT))
    assert (status.foreign, status.measured_at) == (foreign, at)
    (metrics,) = cluster.engine.store.all_of(PodMetrics)
    assert msgspec.structs.replace(metrics, metadata=pod.metadata) == PodMetrics(
        metadata=pod.metadata,
        timestamp=at,
        window_seconds=10,
        containers={"c": {"cpu": "250m", "memory": 7, "ephemeral-storage": 9}, "new": {"memory": 8}},
        volumes={"cache": 11},
        values={"qps": "2500m"},
    )
    assert metrics.key == ("PodMetrics", "default", pod.name)


def test_figures_change_nothing_else_and_equal_ones_nothing() -> None:
    cluster, _ = started()
    news = HostMeasured(host="h1", vitals=LEFT)
    assert {changed.key.kind for changed in cluster.step(news).changed} == {"HostStatus", "Node"}
    assert cluster.step(news).changed == ()


def test_a_host_that_was_never_seen_has_no_figures() -> None:
    cluster = FakeCluster("h1")
    cluster.step(cluster.desired(), HostMeasured(host="h1", vitals=LEFT))
    assert cluster.engine.store.get(HostStatus, "", "h1") is None


def test_metrics_go_with_their_pod() -> None:
    cluster, pod = started()
    use = HostUse(at=START, pods={pod.uid: PodUse(containers=(ContainerUse(name="c", memory_bytes=1),))})
    cluster.step(HostMeasured(host="h1", vitals=LEFT, use=use))
    cluster.settle(cluster.desired(commit="c2"))
    assert cluster.engine.store.all_of(PodMetrics) == []


def test_a_report_keeps_when_pods_were_measured() -> None:
    cluster, _ = started()
    cluster.step(HostMeasured(host="h1", vitals=LEFT, use=HostUse(at=START)))
    report = cluster.report("h1")
    assert isinstance(report, HostReport)
    cluster.step(msgspec.structs.replace(report, foreign=(ForeignLoad(name="x"),)))
    status = cluster.engine.store.get(HostStatus, "", "h1")
    assert status is not None
    assert (status.measured_at, status.foreign) == (START, (ForeignLoad(name="x"),))


def test_a_host_that_does_not_know_yet_revives_no_pod() -> None:
    ended = PodStatus(phase="Failed", reason="Evicted", message="why", pod_ip="10.0.0.1")
    pod = msgspec.structs.replace(bare_pod(), status=ended)
    reported = PodStatus(phase="Running", pod_ip="10.0.0.1", host_ip="192.0.2.1")
    expected = PodStatus(phase="Failed", reason="Evicted", message="why", pod_ip="10.0.0.1", host_ip="192.0.2.1")
    assert with_reported_status(pod, reported).status == expected
