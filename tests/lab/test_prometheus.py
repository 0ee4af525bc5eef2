"""What a real Prometheus server measures of real pods: it sizes workloads, and it judges canaries.

Pods are scraped by host ports. One commit asks for everything, so that what takes time happens side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.cluster import Cluster, deployment
from tests.lab.lab import Lab
from tests.lab.prometheus import Prometheus, running_prometheus

LOAD = Path("tmp/metrics-load")
"""On the hosts: what the pod `queue` says of itself."""
QUEUE_PORT, GOOD_PORT, BAD_PORT = 8101, 8102, 8103
SERVE = "trap 'kill $!; exit 0' TERM INT; httpd -f -p 8000 -h {directory} & wait $!"


def page(*, waiting: int, hits: int) -> str:
    return (
        "# TYPE queue_length gauge\n"
        f'queue_length{{queue="mail"}} {waiting}\n'
        'queue_length{queue="other"} 1000\n'
        f'hits{{namespace="default",service="front"}} {hits}\n'
    )


def queue() -> str:
    document = yaml.safe_load(deployment("queue", replicas=1))
    pod = document["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "load", "hostPath": {"path": f"/{LOAD}", "type": "DirectoryOrCreate"}}]
    pod["containers"][0] |= {
        "command": ["sh", "-c", SERVE.format(directory="/load")],
        "ports": [{"containerPort": 8000, "hostPort": QUEUE_PORT}],
        "volumeMounts": [{"name": "load", "mountPath": "/load"}],
    }
    return yaml.safe_dump(document, sort_keys=False)


def autoscaler(name: str, metric: dict[str, Any]) -> str:
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "maxReplicas": 2,
        "metrics": [metric],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    }
    head = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}}
    return yaml.safe_dump({**head, "spec": spec}, sort_keys=False)


WAITING = {
    "type": "External",
    "external": {
        "metric": {"name": "queue_length", "selector": {"matchLabels": {"queue": "mail"}}},
        "target": {"type": "AverageValue", "averageValue": "10"},
    },
}
HITS = {
    "type": "Object",
    "object": {
        "describedObject": {"apiVersion": "v1", "kind": "Service", "name": "front"},
        "metric": {"name": "hits"},
        "target": {"type": "Value", "value": "10"},
    },
}


def bird(name: str, image: str, port: int, *, errors: str) -> str:
    """A Deployment with a canary step. errors: the share of errors that its pods tell of themselves."""
    document = yaml.safe_load(deployment(name, image=image, replicas=2))
    document["metadata"]["annotations"] = {
        "berth.dev/strategy": "canary",
        "berth.dev/canary-steps": "50%:2s if errors",
        "berth.dev/canary-checks": f'errors: max(errors_share{{app="{name}"}}) < 0.1 for 3 times\n',
        "berth.dev/rollback-on-failure": "true",
    }
    # A host port is there once on each host: the old pod has to go first.
    document["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    say = f"mkdir -p /tmp/www; echo 'errors_share{{app=\"{name}\"}} {errors}' >/tmp/www/metrics; "
    document["spec"]["template"]["spec"]["containers"][0] |= {
        "command": ["sh", "-c", say + SERVE.format(directory="/tmp/www")],
        "ports": [{"containerPort": 8000, "hostPort": port}],
    }
    return yaml.safe_dump(document, sort_keys=False)


FIRST = {
    "apps/demo/queue.yaml": queue(),
    "apps/demo/worker.yaml": deployment("worker", replicas=1),
    "apps/demo/front.yaml": deployment("front", replicas=1),
    "apps/demo/good.yaml": bird("good", "web:v1", GOOD_PORT, errors="0.01"),
    "apps/demo/bad.yaml": bird("bad", "web:v1", BAD_PORT, errors="0.01"),
}
THEN = {
    "apps/demo/worker-size.yaml": autoscaler("worker", WAITING),
    "apps/demo/front-size.yaml": autoscaler("front", HITS),
    "apps/demo/good.yaml": bird("good", "web:v2", GOOD_PORT, errors="0.02"),
    "apps/demo/bad.yaml": bird("bad", "web:v2", BAD_PORT, errors="0.5"),
}


@pytest.fixture(scope="module")
def prometheus(lab: Lab) -> Iterator[Prometheus]:
    ports = (QUEUE_PORT, GOOD_PORT, BAD_PORT)
    targets = [f"{host.address}:{port}" for host in lab.hosts for port in ports]
    with running_prometheus(lab.hosts[0], targets) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(lab: Lab, prometheus: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    home: Path = tmp_path_factory.mktemp("prometheus")
    settings = {"metrics": {"prometheus": {"url": prometheus.url, "intervalSeconds": 1}}}
    made = Cluster.create(lab, "prometheus", home, settings=settings, files=FIRST)
    write_page(made, waiting=15, hits=15)
    with made.running():
        for name in ("good-", "bad-"):
            made.wait_running(name, 2, timeout_seconds=60)
        made.wait_running("queue-", 1)
        made.wait(lambda: prometheus.ask("queue_length") and prometheus.ask("errors_share"), "pods to be scraped")
        made.push("Sizes by metrics, and canaries", THEN)
        yield made


def write_page(cluster: Cluster, *, waiting: int, hits: int) -> None:
    for host in cluster.hosts:
        directory = host.root / LOAD
        directory.mkdir(parents=True, exist_ok=True)
        # Renamed into place: half a page would be half the truth.
        (directory / "new").write_text(page(waiting=waiting, hits=hits))
        (directory / "new").rename(directory / "metrics")


def condition(cluster: Cluster, name: str, kind: str = "ScalingActive") -> dict[str, Any]:
    conditions = cluster.status("HorizontalPodAutoscaler", name).get("status", {}).get("conditions", ())
    return next((one for one in conditions if one["type"] == kind), {})


def test_a_canary_that_is_bad_goes_back_and_one_that_is_good_goes_through(cluster: Cluster) -> None:
    most = 0

    def is_taken_back() -> bool:
        nonlocal most
        most = max(most, len(cluster.running_pods("bad-", image="web:v2")))
        return cluster.remote_git("log", "-1", "--format=%s", "main") == "Roll back deployment/bad"

    cluster.wait(is_taken_back, "the commit that takes the bad one back", pod="bad-", timeout_seconds=60)
    assert most == 1
    reason = "canary: 1 of 2 pods are new (50%); check errors failed: 0.5 is not < 0.1, 3 times in a row"
    assert reason in cluster.remote_git("log", "-1", "--format=%b", "main")
    cluster.wait_running("bad-", 2, image="web:v1")
    cluster.wait_running("good-", 2, image="web:v2")


def test_sizes_follow_a_metrics_server_and_nothing_shrinks_without_it(cluster: Cluster, prometheus: Prometheus) -> None:
    for name in ("worker", "front"):
        cluster.wait_running(f"{name}-", 2, timeout_seconds=60)
        cluster.wait(lambda name=name: condition(cluster, name).get("status") == "True", "a metric that was found")
    assert "New size: 2; reason: external metric queue_length above target" in cluster.words()
    assert "New size: 2; reason: Service metric hits above target" in cluster.words()

    prometheus.kill()
    write_page(cluster, waiting=5, hits=3)
    for name, reason in (("worker", "FailedGetExternalMetric"), ("front", "FailedGetObjectMetric")):
        cluster.wait(lambda name=name, reason=reason: condition(cluster, name).get("reason") == reason, reason)
        assert condition(cluster, name)["message"].startswith(
            "the metrics server cannot be reached: Connection refused: sum("
        )
        assert len(cluster.running_pods(f"{name}-")) == 2

    prometheus.start()
    for name in ("worker", "front"):
        cluster.wait_running(f"{name}-", 1, timeout_seconds=60)
    assert "All metrics below target" in cluster.words()
