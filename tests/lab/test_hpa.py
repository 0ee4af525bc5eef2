"""Real load scales a workload out, and in again when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.cluster import Cluster
from tests.lab.lab import Lab

LOAD = Path("tmp/load")
"""On the hosts: while the file `on` is there, the pods are busy."""

WORKLOAD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: busy}
spec:
  replicas: 1
  selector: {matchLabels: {app: busy}}
  template:
    metadata: {labels: {app: busy}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{name: load, hostPath: {path: /tmp/load, type: DirectoryOrCreate}}]
      containers:
      - name: app
        image: busybox:1.35
        command: [sh, -c, "while :; do if [ -e /load/on ]; then :; else sleep 0.5; fi; done"]
        resources: {requests: {cpu: 50m, memory: 16Mi}, limits: {cpu: 100m}}
        volumeMounts: [{name: load, mountPath: /load}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: busy}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: busy}
  minReplicas: 1
  maxReplicas: 3
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
"""


TOLD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}, annotations: {}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes: [{name: load, hostPath: {path: /tmp/load, type: DirectoryOrCreate}}, VOLUMES]
      containers:
      - name: app
        image: busybox:1.35
        command: [httpd, -f, -p, "8000", -h, /load]
        volumeMounts: [{name: load, mountPath: /load}]
"""
ANNOTATIONS = 'annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8000", prometheus.io/path: /metrics}'
# As the walkthrough has it: its versions, its annotation, its definition of nginx' status page. But not its bounds:
# each pod tells the same, however many there are, so what is measured is above the target until the bound is reached.
BY_TEXT = (
    TOLD.replace("NAME", "text").replace("annotations: {}", ANNOTATIONS).replace(", VOLUMES", "")
    + """
---
apiVersion: extensions/v1beta1
kind: HorizontalPodAutoscaler
metadata:
  name: text
  annotations:
    alpha/target.custom-metrics.podautoscaler.kubernetes.io: '{"items":[{"name":"qps", "value": "10"}]}'
spec: {scaleRef: {kind: Deployment, name: text, subresource: scale}, minReplicas: 1, maxReplicas: 3}
"""
)
BY_PATTERN = (
    TOLD.replace("NAME", "pattern").replace("VOLUMES", "{name: m, configMap: {name: custom-metrics}}")
    + """
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: pattern}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: pattern}
  maxReplicas: 2
  metrics:
  - {type: Pods, pods: {metric: {name: activeConnections}, target: {type: AverageValue, averageValue: 100}}}
"""
)
PAGES = {"metrics": "# TYPE qps gauge\nqps 25\n", "nginx_status": "Active connections: 175 \nReading: 6 Writing: 1 \n"}


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Cluster:
    return Cluster.create(lab, "autoscaling", tmp_path, files={"apps/demo/busy.yaml": WORKLOAD})


def set_load(cluster: Cluster, *, on: bool) -> None:
    for host in cluster.hosts:
        directory = host.root / LOAD
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "on").touch() if on else (directory / "on").unlink(missing_ok=True)


def status(cluster: Cluster) -> dict[str, Any]:
    found: dict[str, Any] = cluster.status("HorizontalPodAutoscaler", "busy").get("status", {})
    return found


def test_cpu(cluster: Cluster) -> None:
    set_load(cluster, on=False)
    with cluster.running() as berth:
        cluster.wait_running("busy", 1)
        cluster.wait(lambda: status(cluster).get("currentMetrics"), "the load to be measured", timeout_seconds=60)
        set_load(cluster, on=True)
        cluster.wait_running("busy", 3, timeout_seconds=90)
        cluster.wait(lambda: status(cluster).get("desiredReplicas") == 3, "the decision on the status branch")
        assert "New size: 3; reason: cpu resource utilization (percentage of request) above target" in cluster.words()
        commit = cluster.push("Another label", {"apps/demo/busy.yaml": WORKLOAD.replace("16Mi", "17Mi")})
        cluster.wait_converged(commit, timeout_seconds=120)
        before = {found.uid for found in cluster.wait_running("busy", 3)}
        berth.kill()
    with cluster.running(fresh_disk=True):
        cluster.wait(lambda: "7 objects" in cluster.words(), "a fresh process to find its way")
        cluster.wait(lambda: {found.uid for found in cluster.running_pods("busy")} == before, "nothing to change")
        set_load(cluster, on=False)
        cluster.wait_running("busy", 1, timeout_seconds=120)
    assert "All metrics below target" in cluster.words()


def test_metrics_that_pods_tell_themselves(lab: Lab, tmp_path: Path) -> None:
    config = (Path(__file__).parents[1] / "walkthrough/configmap-custom-metrics.yaml").read_text()
    files = {"apps/demo/text.yaml": BY_TEXT, "apps/demo/pattern.yaml": BY_PATTERN, "apps/demo/config.yaml": config}
    cluster = Cluster.create(lab, "metrics", tmp_path, files=files)
    with cluster.running():
        cluster.wait_running("text", 1)
        cluster.wait_running("pattern", 1)

        def said(name: str) -> str:
            conditions = cluster.status("HorizontalPodAutoscaler", name).get("status", {}).get("conditions", ())
            return next((one["message"] for one in conditions if one["type"] == "ScalingActive"), "")

        cluster.wait(lambda: "no pod tells its metric qps: pod text" in said("text"), "the missing page to be told")
        for host in cluster.hosts:
            for page, text in PAGES.items():
                (host.root / LOAD / page).write_text(text)
        cluster.wait_running("text", 3, timeout_seconds=90)
        cluster.wait_running("pattern", 2, timeout_seconds=60)
    assert "New size: 3; reason: pods metric qps above target" in cluster.words()
    assert "New size: 2; reason: pods metric activeConnections above target" in cluster.words()
