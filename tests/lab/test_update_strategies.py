"""StatefulSets and DaemonSets that are updated in part, by hand, or out of a bad revision, on real hosts.

One cluster and one `berth run`; each test has an object of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.cluster import Cluster, host_yaml
from tests.lab.lab import Lab

STAY = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"
HOSTS = ("host-1", "host-2", "host-3")


def workload(kind: str, name: str, image: str, strategy: dict[str, Any], **spec: Any) -> dict[str, str | bytes | None]:
    container = {"name": "app", "image": image, "command": ["sh", "-c", STAY]}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 2, "containers": [container]},
    }
    fields = {
        "selector": {"matchLabels": {"app": name}},
        "updateStrategy": strategy,
        "template": template,
        **({"serviceName": name} if kind == "StatefulSet" else {}),
        **spec,
    }
    document = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": fields}
    return {f"apps/{name}/{name}.yaml": yaml.safe_dump(document, sort_keys=False)}


def parted(image: str, *, partition: int = 0) -> dict[str, str | bytes | None]:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}
    return workload("StatefulSet", "parted", image, strategy, replicas=3)


def manual(image: str, *, replicas: int = 3) -> dict[str, str | bytes | None]:
    return workload("StatefulSet", "manual", image, {"type": "OnDelete"}, replicas=replicas)


def stuck(image: str) -> dict[str, str | bytes | None]:
    return workload("StatefulSet", "stuck", image, {"type": "RollingUpdate"}, replicas=3)


def agent(image: str) -> dict[str, str | bytes | None]:
    return workload("DaemonSet", "agent", image, {"type": "OnDelete"})


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("update-strategies")
    files = {**parted("web:v1"), **manual("web:v1"), **stuck("web:v1"), **agent("web:v1")}
    return Cluster.create(lab, "update-strategies", home, files=files)


@pytest.fixture(scope="module", autouse=True)
def _berth(cluster: Cluster) -> Iterator[None]:
    with cluster.running():
        for name in ("parted", "manual", "stuck", "agent"):
            cluster.wait_running(f"{name}-", 3, image="web:v1")
        yield


def images(cluster: Cluster, name: str) -> dict[str, str]:
    """Image by pod, of those that run."""
    return {one.pod: one.image for one in sorted(cluster.running_pods(f"{name}-"))}


def revisions(name: str, *tags: str) -> dict[str, str]:
    return {f"{name}-{ordinal}": f"web:{tag}" for ordinal, tag in enumerate(tags)}


def wait_images(cluster: Cluster, name: str, *tags: str) -> None:
    wanted = revisions(name, *tags)
    cluster.wait(lambda: images(cluster, name) == wanted, f"{name} at {tags}", pod=f"{name}-")


def wait_told(cluster: Cluster, kind: str, name: str, **wanted: object) -> None:
    """Until the status says so; None: the field is not there (0)."""

    def is_told() -> bool:
        status = cluster.status(kind, name).get("status", {})
        return bool(status) and all(status.get(field) == value for field, value in wanted.items())

    cluster.wait(is_told, f"{kind} {name} with {wanted}", pod=f"{name}-")


def test_a_partition_keeps_the_lower_ordinals(cluster: Cluster) -> None:
    cluster.push("Parted v2, the last one first", parted("web:v2", partition=2))
    wait_images(cluster, "parted", "v1", "v1", "v2")
    wait_told(cluster, "StatefulSet", "parted", updatedReplicas=1, readyReplicas=3)
    assert images(cluster, "parted") == revisions("parted", "v1", "v1", "v2")
    cluster.push("Parted v2, all", parted("web:v2"))
    wait_images(cluster, "parted", "v2", "v2", "v2")


def test_a_stateful_set_on_delete_waits_for_the_end_of_each_pod(cluster: Cluster) -> None:
    before = set(cluster.containers(pod="manual-"))
    cluster.push("Manual v2", manual("web:v2"))
    cluster.wait(
        lambda: _update_revision(cluster) != cluster.status("StatefulSet", "manual")["status"]["currentRevision"],
        "a new revision in the status",
    )
    wait_told(cluster, "StatefulSet", "manual", updatedReplicas=None, readyReplicas=3)
    assert set(cluster.containers(pod="manual-")) == before
    cluster.push("Two", manual("web:v2", replicas=2))
    wait_images(cluster, "manual", "v1", "v1")
    cluster.push("Three again", manual("web:v2"))
    wait_images(cluster, "manual", "v1", "v1", "v2")


def _update_revision(cluster: Cluster) -> str:
    return str(cluster.status("StatefulSet", "manual")["status"]["updateRevision"])


def test_a_daemon_on_delete_waits_for_the_end_of_each_pod(cluster: Cluster, lab: Lab) -> None:
    before = set(cluster.containers(pod="agent-"))
    commit = cluster.push("Agent v2", agent("web:v2"))
    cluster.wait(lambda: cluster.trailers().get("Desired-Commit") == commit, "a status of the new commit")
    wait_told(cluster, "DaemonSet", "agent", updatedNumberScheduled=None, numberReady=3)
    assert set(cluster.containers(pod="agent-")) == before
    taint = {"key": "mended", "effect": "NoExecute"}
    cluster.push("Host 3 is mended", {"hosts/host-3.yaml": host_yaml(lab.hosts[2], taints=[taint])})
    cluster.wait(lambda: len(cluster.containers(pod="agent-")) == 2, "the agent to leave host-3", pod="agent-")
    cluster.push("Host 3 is back", {"hosts/host-3.yaml": host_yaml(lab.hosts[2])})

    def by_host() -> dict[str, str]:
        return {one.host: one.image for one in cluster.running_pods("agent-")}

    wanted = dict(zip(HOSTS, ("web:v1", "web:v1", "web:v2"), strict=True))
    cluster.wait(lambda: by_host() == wanted, "the new agent on host-3 alone", pod="agent-")


def test_a_stateful_set_that_is_stuck_recovers_by_a_commit(cluster: Cluster) -> None:
    """Kubernetes waits for a person to delete the pod; a pod that never was ready need not be waited for."""
    cluster.push("Stuck on an image that is not there", stuck("web:v404"))
    cluster.wait(lambda: images(cluster, "stuck") == revisions("stuck", "v1", "v1"), "one to be missing", pod="stuck-")
    cluster.wait(lambda: "web:v404" in cluster.readme or "ImagePull" in cluster.readme, "the reason in the status")
    assert images(cluster, "stuck") == revisions("stuck", "v1", "v1")
    good = cluster.push("Stuck no more", stuck("web:v2"))
    wait_images(cluster, "stuck", "v2", "v2", "v2")
    cluster.wait_converged(good)
