"""Hosts that really are short of memory or disk: who has to go, in which order, and what is tried before."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.lab.cluster import STATUS_BRANCH, Cluster, host_yaml, pod
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.images import build_image
from tests.lab.lab import Lab
from tests.lab.memory_view import live_memory

MIB = 1 << 20
PINNED = {"pool": "small"}
CALM = "resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {cpu: 50m, memory: 64Mi}}"

# `dd` reads its whole block before it writes the first byte of it into a full pipe: it holds that much memory for ever.
GREEDY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: greedy}
spec:
  replicas: 1
  selector: {matchLabels: {app: greedy}}
  template:
    metadata: {labels: {app: greedy}}
    spec:
      terminationGracePeriodSeconds: 1
      affinity:
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - {weight: 100, preference: {matchExpressions: [{key: pool, operator: In, values: [small]}]}}
      containers:
      - name: app
        image: busybox:1.35
        command: [sh, -c, "exec 3<>/run/wait; dd if=/dev/zero of=/run/wait bs=330M count=1"]
"""


def evicted(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    """Pods whose name begins so and that were evicted."""
    pods = [pod for said, pod in cluster.pods_said().items() if said.startswith(name)]
    return [pod for pod in pods if pod["status"].get("reason") == "Evicted"]


def claim(cluster: Cluster, host: str, kind: str) -> str:
    """Status of a condition of a host."""
    node = yaml.safe_load(cluster.remote_git("show", f"{STATUS_BRANCH}:hosts/{host}.yaml") or "{}")
    return next((one["status"] for one in node.get("status", {}).get("conditions", ()) if one["type"] == kind), "")


def test_a_host_short_of_memory(lab: Lab, extra_host: Callable[[HostSpec], LabHost], tmp_path: Path) -> None:
    small, large = extra_host(HostSpec("small", memory_bytes=512 * MIB)), lab.hosts[0]
    thresholds = {"memoryAvailable": "200Mi", "pressureTransitionSeconds": 3}
    calm = pod("calm", f"{{nodeSelector: {PINNED}, containers: [{{name: app, image: 'web:v1', {CALM}}}]}}")
    files = {
        f"hosts/{small.name}.yaml": host_yaml(small, labels=PINNED, eviction=thresholds),
        "apps/demo/calm.yaml": calm,
    }
    cluster = Cluster.create(lab, "memory", tmp_path, hosts=[small, large], files=files)
    with live_memory(small), cluster.running():
        (before,) = cluster.wait_running("calm", 1)
        assert before.host == "small"
        cluster.push("Greedy", {"apps/demo/greedy.yaml": GREEDY})
        cluster.wait(lambda: evicted(cluster, "greedy"), "a greedy pod to be evicted", timeout_seconds=60, pod="greedy")
        (gone,) = evicted(cluster, "greedy")
        assert gone["spec"]["nodeName"] == "small"
        assert gone["status"]["phase"] == "Failed"
        words = gone["status"]["message"]
        assert words.startswith("The node was low on resource: memory. Threshold quantity: 200Mi, available: ")
        assert "Container app was using " in words
        cluster.wait_running("greedy", 1)
        assert [found.host for found in cluster.running_pods("greedy")] == ["host-1"]
        assert (
            small.docker("ps", "--all", "--quiet", "--filter", "label=berth.dev/pod-name=" + gone["metadata"]["name"])
            == ""
        )
        assert [found.id for found in cluster.running_pods("calm")] == [before.id]
        cluster.wait(lambda: claim(cluster, "small", "MemoryPressure") == "False", "the pressure to end")
        assert len(evicted(cluster, "greedy")) == 1


def free_bytes(host: LabHost) -> int:
    return int(host.exec(["df", "-B1", "--output=avail", "/var/lib/docker"]).stdout.split()[-1])


def hog(name: str, size: int) -> str:
    """A pod that writes so much into its volume, and stays."""
    command = f"head -c {size} /dev/zero >/cache/file; sync; trap 'exit 0' TERM; read _ <>/run/wait"
    spec = f"""
        nodeSelector: {{pool: small}}
        volumes: [{{name: cache, emptyDir: {{}}}}]
        containers:
        - name: app
          image: busybox:1.35
          command: [sh, -c, "{command}"]
          volumeMounts: [{{name: cache, mountPath: /cache}}]
    """
    return pod(name, spec)


def test_a_host_short_of_disk_and_a_full_volume(
    lab: Lab, extra_host: Callable[[HostSpec], LabHost], tmp_path: Path
) -> None:
    tight = extra_host(HostSpec("tight", disk_bytes=400 * MIB))
    lab.hosts[0].load(build_image("big:v1", files={"/big": os.urandom(40 * MIB)}, command=["/big"]))
    reference = lab.registry.push("big:v1", through=lab.hosts[0])
    tight.api().pull(reference, auth_config=lab.registry.auth())
    thresholds = {"diskAvailable": "80Mi", "pressureTransitionSeconds": 2}
    thresholds |= {"imageGcHighPercent": 99, "imageGcLowPercent": 98}
    limited = hog("limited", 30 * MIB).replace("emptyDir: {}", "emptyDir: {sizeLimit: 20Mi}")
    files = {
        f"hosts/{tight.name}.yaml": host_yaml(tight, labels=PINNED, eviction=thresholds),
        # Meanwhile, elsewhere: disk use of pods is looked at once a minute.
        "apps/demo/limited.yaml": limited.replace("pool: small", f"kubernetes.io/hostname: {lab.hosts[0].name}"),
    }
    cluster = Cluster.create(lab, "disk", tmp_path, hosts=[tight, lab.hosts[0]], files=files)
    with cluster.running():
        cluster.push("One hog", {"apps/demo/first.yaml": hog("first", free_bytes(tight) - 65 * MIB)})
        cluster.wait(
            lambda: "/big" not in tight.docker("images", "--digests"), "the unused image to go", timeout_seconds=60
        )
        assert free_bytes(tight) > 80 * MIB
        assert "web" in tight.docker("images")  # no registry has it: it would be lost
        cluster.wait_running("first", 1)
        cluster.push("Another", {"apps/demo/second.yaml": hog("second", 40 * MIB)})
        cluster.wait(lambda: evicted(cluster, "first"), "the larger hog to be evicted", timeout_seconds=60)
        (gone,) = evicted(cluster, "first")
        assert gone["status"]["message"].startswith(
            "The node was low on resource: ephemeral-storage. Threshold quantity: 80Mi"
        )
        cluster.wait(lambda: free_bytes(tight) > 200 * MIB, "its volume to be gone")
        cluster.wait_running("second", 1)
        assert evicted(cluster, "second") == []
        cluster.berth.kill()  # type: ignore[union-attr]
    with cluster.running():
        cluster.wait(lambda: claim(cluster, "tight", "DiskPressure") == "False", "the pressure to end")
        cluster.wait(lambda: evicted(cluster, "limited"), "the pod that fills its volume to be evicted")
        (gone,) = evicted(cluster, "limited")
        assert gone["status"]["message"] == 'Usage of EmptyDir volume "cache" exceeds the limit "20Mi". '
        assert [found.pod for found in cluster.running_pods()] == ["second"]
