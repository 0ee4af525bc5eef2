"""A host is cut off: stateless pods soon run elsewhere, stateful ones when it is certain, and nothing is doubled after.

With berth's own defaults; only the Deployment's pods say that they tolerate no absence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.cluster import Cluster, Found, host_yaml
from tests.lab.host import LabHost
from tests.lab.lab import Lab
from tests.lab.test_verbs import Person

DETECT_SECONDS = 10.0
REPLACE_SECONDS = 5.0
"""What is promised of a dead host: noticed so soon, and its pods run elsewhere so soon after their toleration ends."""
LOST = "host-2"
AT_ONCE = [
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0}
    for name in ("unreachable", "not-ready")
]
OUT_OF_SERVICE = {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"}


def workload(
    kind: str, name: str, *, replicas: int, image: str = "web:v1", is_keeping: bool = False, **pod: Any
) -> str:
    """Its pods are spread over the hosts, by the scheduler's default or because they are asked to.

    is_keeping: each of a StatefulSet's has a claim.
    """
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": name}},
    }
    container: dict[str, Any] = {"name": "web", "image": image}
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "topologySpreadConstraints": [spread],
                "containers": [container],
                **pod,
            },
        },
    }
    if kind == "StatefulSet":
        spec |= {"serviceName": name, "podManagementPolicy": "Parallel"}
    if is_keeping:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
        spec["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": claim}]
    document = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("node-loss")
    files: dict[str, str | bytes | None] = {
        "apps/web/web.yaml": workload("Deployment", "web", replicas=6, tolerations=AT_ONCE),
        "apps/db/db.yaml": workload("StatefulSet", "db", replicas=3),
    }
    return Cluster.create(lab, "node-loss", home, files=files)


@pytest.fixture(scope="module")
def images() -> Iterator[str]:
    """One for each test."""
    return iter(("web:v2", "web:v3", "web:v1"))


@pytest.fixture(autouse=True)
def _all_is_well(cluster: Cluster, images: Iterator[str]) -> Iterator[None]:
    """Each test begins with three hosts that answer and ends with the cable plugged in."""
    host, image = cluster.host(LOST), next(images)
    # Another image: so the database is spread again over the hosts.
    database = workload("StatefulSet", "db", replicas=3, image=image)
    cluster.push(f"Three hosts, {image}", {f"hosts/{LOST}.yaml": host_yaml(host), "apps/db/db.yaml": database})
    with cluster.running():
        cluster.wait_running("web-", 6, timeout_seconds=60)
        cluster.wait_running("db-", 3, image=image, timeout_seconds=60)
        try:
            yield
        finally:
            host.restore()


def elsewhere(cluster: Cluster, name: str) -> list[Found]:
    """Running pods on the hosts that are not cut off."""
    return [one for one in cluster.running_pods(name) if one.host != LOST]


def on(host: LabHost, cluster: Cluster, name: str) -> set[str]:
    return {one.uid for one in cluster.containers(pod=name) if one.host == host.name}


def assert_each_once(cluster: Cluster) -> None:
    counted = Counter((one.namespace, one.pod, one.container) for one in cluster.containers())
    assert counted.most_common(1)[0][1] == 1, cluster.picture()


def test_a_lost_host_is_noticed_and_its_stateless_pods_run_elsewhere(cluster: Cluster) -> None:
    host = cluster.host(LOST)
    stale, kept = on(host, cluster, "web-"), on(host, cluster, "db-")
    assert stale
    assert kept
    berth = cluster.berth
    assert berth is not None
    host.cut()
    berth.wait_for(f"host {LOST}:", timeout_seconds=DETECT_SECONDS)
    six = "six pods on the other hosts"
    cluster.wait(lambda: len(elsewhere(cluster, "web-")) == 6, six, timeout_seconds=REPLACE_SECONDS, pod="web-")
    assert {one.uid for one in cluster.containers(pod="db-") if one.host == LOST} == kept
    assert len(elsewhere(cluster, "db-")) == 3 - len(kept)

    host.restore()
    cluster.wait(lambda: not on(host, cluster, "web-") & stale, "the stale pods to go", pod="web-")
    cluster.wait_running("web-", 6)
    cluster.wait_running("db-", 3)
    assert on(host, cluster, "db-") == kept
    assert_each_once(cluster)


def test_an_ordinal_of_a_lost_host_waits_through_a_kill_until_its_host_is_out_of_service(cluster: Cluster) -> None:
    host = cluster.host(LOST)
    kept = on(host, cluster, "db-")
    berth = cluster.berth
    assert berth is not None
    host.cut()
    berth.wait_for(f"host {LOST}:")
    berth.kill()
    with cluster.running(fresh_disk=True) as second:
        cluster.wait(lambda: len(elsewhere(cluster, "web-")) == 6, "six pods on the other hosts", timeout_seconds=60)
        assert len(elsewhere(cluster, "db-")) == 3 - len(kept)
        gone = host_yaml(host, taints=[OUT_OF_SERVICE])
        cluster.push(f"{LOST} is off", {f"hosts/{LOST}.yaml": gone})
        cluster.wait(lambda: len(elsewhere(cluster, "db-")) == 3, "three databases on the other hosts", pod="db-")
        back = {one.pod: one.uid for one in elsewhere(cluster, "db-")}

        host.restore()
        second.wait_for(f"host {LOST}: answers again", timeout_seconds=60)
        cluster.wait(lambda: not on(host, cluster, "db-") and not on(host, cluster, "web-"), "the stale pods to go")
        assert {one.pod: one.uid for one in cluster.running_pods("db-")} == back
        assert_each_once(cluster)


def test_a_host_that_is_removed_from_git_gives_its_ordinals_free(cluster: Cluster) -> None:
    """Those with data wait until somebody gives the data up."""
    host = cluster.host(LOST)
    berth = cluster.berth
    assert berth is not None
    cluster.push("With data", {"apps/db/store.yaml": workload("StatefulSet", "store", replicas=3, is_keeping=True)})
    cluster.wait_running("store-", 3)
    (lost,) = [one.pod for one in cluster.running_pods("store-") if one.host == LOST]
    host.cut()
    berth.wait_for(f"host {LOST}:")
    assert len(elsewhere(cluster, "db-")) < 3
    cluster.push(f"{LOST} is no more", {f"hosts/{LOST}.yaml": None})
    cluster.wait(lambda: len(elsewhere(cluster, "db-")) == 3, "three databases on the other hosts", pod="db-")
    cluster.wait(lambda: len(elsewhere(cluster, "web-")) == 6, "six pods on the other hosts", pod="web-")
    cluster.wait(lambda: f"| {LOST} |" not in cluster.readme, f"a status without {LOST}")
    cluster.wait(lambda: "berth delete pvc" in cluster.readme, "a status that says what to do")
    assert len(elsewhere(cluster, "store-")) == 2
    Person(cluster).berth("delete", "pvc", f"data-{lost}")
    cluster.clone.git("pull", "--quiet", "--rebase", "origin", "main")
    cluster.wait(lambda: len(elsewhere(cluster, "store-")) == 3, "the third one on a fresh volume", pod="store-")
    back = {one.pod: one.uid for name in ("db-", "store-") for one in elsewhere(cluster, name)}

    host.restore()
    cluster.push(f"{LOST} is back", {f"hosts/{LOST}.yaml": host_yaml(host)})
    cluster.wait(lambda: f"| {LOST} | yes |" in cluster.readme, f"a status with {LOST}", timeout_seconds=60)
    cluster.wait(lambda: not on(host, cluster, "db-") and not on(host, cluster, "store-"), "the stale ordinals to go")
    assert {one.pod: one.uid for name in ("db-", "store-") for one in cluster.running_pods(name)} == back
    assert_each_once(cluster)
