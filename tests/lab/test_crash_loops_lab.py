"""Crash loops on a host far away: back-off as in Kubernetes, for containers and sidecars, whatever their end."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.lab.cluster import Cluster, pod
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab

BACK_OFF_SECONDS = 10.0
"""The shortest one: two starts by the worker are further apart than this."""

SIDECAR = "initContainers: [{name: loop, image: web:v1, restartPolicy: Always, %s}]\n"
MAIN = "containers: [{name: main, image: web:v1, command: [sleep, '10000']}]\n"
LOOPS = {
    "crashes": "containers: [{name: loop, image: web:v1, command: [sh, -c, exit 3]}]",
    "ends-at-once": SIDECAR % 'command: ["true"]' + MAIN,
    "never-started": (
        SIDECAR % 'startupProbe: {exec: {command: ["false"]}, periodSeconds: 1, failureThreshold: 2}' + MAIN
    ),
}


def test_what_crashes_on_a_distant_host_backs_off(
    lab: Lab, extra_host: Callable[[HostSpec], LabHost], tmp_path: Path
) -> None:
    host = extra_host(HostSpec("distant", latency_seconds=0.15))
    files = {f"apps/loops/{name}.yaml": pod(name, spec) for name, spec in LOOPS.items()}
    cluster = Cluster.create(lab, "loops", tmp_path, hosts=[host], files=files)
    with cluster.running():
        for name in LOOPS:
            cluster.wait(lambda name=name: is_backing_off(cluster, name), f"back-off of {name}", pod=name)
        begun, before = time.monotonic(), starts(host)
        assert before.keys() == LOOPS.keys()
        time.sleep(BACK_OFF_SECONDS - 1)
        after = starts(host)
        # Said of what was looked at, however long that took on a busy machine.
        rounds = 1 + int((time.monotonic() - begun) / BACK_OFF_SECONDS)
        assert all(after[name] - before[name] <= rounds for name in LOOPS), (before, after)


def is_backing_off(cluster: Cluster, name: str) -> bool:
    return "CrashLoopBackOff" in str(cluster.status("Pod", name).get("status", {}))


def starts(host: LabHost) -> dict[str, int]:
    """Pod → how often its container `loop` was started: by the worker (the last part of its name) and by Docker."""
    found: dict[str, int] = {}
    for item in host.api().containers(all=True):
        kind, container, pod_name, *_, attempt = item["Names"][0].lstrip("/").split("_")
        if (kind, container) == ("berth", "loop"):
            times = 1 + int(attempt) + int(host.api().inspect_container(item["Id"])["RestartCount"])
            found[pod_name] = max(times, found.get(pod_name, 0))
    return found
