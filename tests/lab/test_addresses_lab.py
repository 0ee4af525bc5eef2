"""Addresses on real hosts: finished pods give theirs back, and a host that gets none says so."""

from __future__ import annotations

from pathlib import Path

from tests.lab.cluster import Cluster
from tests.lab.lab import Lab

SETTINGS = {"network": {"podCIDR": "10.244.0.0/28", "hostPrefix": 29}}
"""Two slices of five addresses each."""
JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: many, namespace: default}
spec:
  completions: 16
  parallelism: 4
  template:
    spec:
      restartPolicy: Never
      containers: [{name: app, image: busybox, imagePullPolicy: IfNotPresent, command: ["true"]}]
"""


def test_a_job_of_more_pods_than_there_are_addresses_runs_through(lab: Lab, tmp_path: Path) -> None:
    files = {"apps/many/many.yaml": JOB}
    cluster = Cluster.create(lab, "addresses", tmp_path, hosts=lab.hosts[:3], settings=SETTINGS, files=files)
    with cluster.running():
        cluster.wait(lambda: "NoFreePodCIDR" in cluster.words(), "the host without a slice to say so")
        cluster.wait(
            lambda: cluster.status("job", "many").get("status", {}).get("succeeded") == 16,
            "all completions",
            timeout_seconds=120,
        )
