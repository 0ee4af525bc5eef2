"""DaemonSets, StatefulSets with claims, Jobs and CronJobs on real hosts, each from a push, and over a kill of berth.

One cluster and one `berth run` for all tests; host-3 is cordoned from the start.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.cluster import SANDBOX, Cluster, Found, host_yaml
from tests.lab.lab import Lab

STAY = "trap 'exit 0' TERM; while :; do sleep 3600 & wait; done"
MINUTE = 60


def workload(kind: str, name: str, spec: dict[str, Any], *, version: str = "apps/v1") -> str:
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False)


def template(name: str, image: str, command: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "app", "image": image, "command": ["sh", "-c", command], **spec.pop("container", {})}
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 2, "containers": [container], **spec},
    }


def agent(image: str) -> str:
    return workload(
        "DaemonSet",
        "agent",
        {"selector": {"matchLabels": {"app": "agent"}}, "template": template("agent", image, STAY)},
    )


def database(image: str, *, replicas: int = 3, when_scaled: str = "Retain") -> str:
    """Each start of a pod leaves a line in its volume."""
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}], "securityContext": {"runAsUser": 1000}}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return workload(
        "StatefulSet",
        "db",
        {
            "serviceName": "db",
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "db"}},
            "template": template("db", image, f"hostname >>/data/starts; {STAY}", container=mounts),
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": when_scaled},
        },
    )


def job(name: str, command: str, **spec: Any) -> str:
    work = template(name, "sample:v2", command, restartPolicy="Never")
    return workload("Job", name, {"template": work, **spec}, version="batch/v1")


def cron_job(name: str, command: str, **spec: Any) -> str:
    work = {"spec": {"template": template(name, "sample:v2", command, restartPolicy="Never")}}
    return workload("CronJob", name, {"schedule": "* * * * *", "jobTemplate": work, **spec}, version="batch/v1")


JOBS = {
    "sum": job("sum", "sleep 0.2", completions=4, parallelism=2),
    "parts": job("parts", "echo index $JOB_COMPLETION_INDEX", completions=3, parallelism=3, completionMode="Indexed"),
    "broken": job("broken", "exit 3", backoffLimit=1),
    "brief": job("brief", "true", ttlSecondsAfterFinished=2),
}


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("workloads")
    files: dict[str, str | bytes | None] = {
        "hosts/host-3.yaml": host_yaml(lab.hosts[2], unschedulable=True),
        "apps/agent/agent.yaml": agent("web:v1"),
        "apps/db/db.yaml": database("web:v1"),
        "apps/tick/tick.yaml": cron_job("tick", "echo tick"),
        **{f"apps/jobs/{name}.yaml": text for name, text in JOBS.items()},
    }
    return Cluster.create(lab, "workloads", home, files=files)


@pytest.fixture(scope="module", autouse=True)
def _berth(cluster: Cluster) -> Iterator[None]:
    """The tests come in order: each kill of berth is followed by a new one on the same cluster."""
    with cluster.running():
        yield


def details(cluster: Cluster, found: Found) -> dict[str, Any]:
    told: dict[str, Any] = cluster.host(found.host).api().inspect_container(found.id)
    return told


def status_of(cluster: Cluster, kind: str, name: str) -> dict[str, Any]:
    told: dict[str, Any] = cluster.status(kind, name).get("status", {})
    return told


def condition(cluster: Cluster, kind: str, name: str, wanted: str) -> dict[str, Any]:
    """A condition that holds; {} while it does not."""
    conditions = status_of(cluster, kind, name).get("conditions", ())
    return next((one for one in conditions if (one["type"], one["status"]) == (wanted, "True")), {})


# --- DaemonSet ------------------------------------------------------------------------------------------------------


def test_a_daemon_runs_on_every_host_also_on_a_cordoned_one(cluster: Cluster) -> None:
    found = cluster.wait_running("agent-", 3, image="web:v1")
    assert sorted(one.host for one in found) == ["host-1", "host-2", "host-3"]
    others = {one.host for one in cluster.containers() if not one.pod.startswith("agent-")}
    assert "host-3" not in others


def test_a_daemon_is_updated_host_by_host(cluster: Cluster) -> None:
    fewest = 3
    cluster.push("Agent v2", {"apps/agent/agent.yaml": agent("web:v2")})

    def is_updated() -> bool:
        nonlocal fewest
        running = cluster.running_pods("agent-")
        fewest = min(fewest, len(running))
        return sorted((one.host, one.image) for one in running) == [(f"host-{n}", "web:v2") for n in (1, 2, 3)]

    cluster.wait(is_updated, "v2 of the agent on every host", pod="agent-")
    assert fewest >= 2


# --- StatefulSet ----------------------------------------------------------------------------------------------------


def databases(cluster: Cluster) -> dict[str, Found]:
    return {one.pod: one for one in cluster.running_pods("db-")}


def starts(cluster: Cluster) -> dict[str, list[str]]:
    """What the volume of each claim holds, by pod: read on its host, so of pods that are gone too."""
    found: dict[str, list[str]] = {}
    for host in cluster.hosts:
        for volume in host.api().volumes(filters={"name": "berth-claim_default_data-db-"})["Volumes"] or ():
            read = host.exec(["cat", f"{volume['Mountpoint']}/starts"], check=False)
            found[volume["Name"].removeprefix("berth-claim_default_data-")] = read.stdout.decode().splitlines()
    return dict(sorted(found.items()))


def lines(*counts: int) -> dict[str, list[str]]:
    return {f"db-{ordinal}": [f"db-{ordinal}"] * count for ordinal, count in enumerate(counts)}


def places(cluster: Cluster) -> dict[str, str]:
    return {name: one.host for name, one in sorted(databases(cluster).items())}


def test_a_stateful_set_starts_in_order_under_stable_names(cluster: Cluster) -> None:
    cluster.wait_running("db-", 3)
    found = databases(cluster)
    told = [details(cluster, found[f"db-{ordinal}"]) for ordinal in range(3)]
    assert [one["Config"]["Hostname"] for one in told] == ["db-0", "db-1", "db-2"]
    for before, after in itertools.pairwise(told):
        assert before["State"]["StartedAt"] < after["Created"]
    cluster.wait(lambda: starts(cluster) == lines(1, 1, 1), "one start in each volume")


def test_data_outlives_an_update(cluster: Cluster) -> None:
    before = places(cluster)
    cluster.push("Database v2", {"apps/db/db.yaml": database("web:v2")})
    cluster.wait_running("db-", 3, image="web:v2")
    cluster.wait(lambda: starts(cluster) == lines(2, 2, 2), "a second start in each volume")
    assert places(cluster) == before


def test_scale_in_keeps_volumes_and_scale_out_finds_them(cluster: Cluster) -> None:
    before = places(cluster)
    cluster.push("One database", {"apps/db/db.yaml": database("web:v2", replicas=1)})
    cluster.wait_running("db-", 1)
    assert list(databases(cluster)) == ["db-0"]
    assert starts(cluster) == lines(2, 2, 2)
    cluster.push("Three databases", {"apps/db/db.yaml": database("web:v2")})
    cluster.wait_running("db-", 3)
    cluster.wait(lambda: starts(cluster) == lines(2, 3, 3), "starts on the old data")
    assert places(cluster) == before


def test_scale_in_gives_volumes_up_if_the_policy_says_so_and_their_data_stays(cluster: Cluster) -> None:
    dropping = {replicas: database("web:v2", replicas=replicas, when_scaled="Delete") for replicas in (2, 3)}
    cluster.push("Two databases", {"apps/db/db.yaml": dropping[2]})
    cluster.wait_running("db-", 2)
    cluster.push("Three databases, the last one anew", {"apps/db/db.yaml": dropping[3]})
    cluster.wait_running("db-", 3)
    anew = {**lines(2, 3, 3), "db-2_1": ["db-2"]}
    cluster.wait(lambda: starts(cluster) == anew, "a start on nothing, and the old data beside it")


# --- Jobs -----------------------------------------------------------------------------------------------------------


def ended(cluster: Cluster, name: str) -> dict[str, int]:
    """Exit code by pod, of pods of a Job that have ended."""
    pods = [one for one in cluster.containers(pod=f"{name}-", state="exited") if one.container != SANDBOX]
    return {one.pod: details(cluster, one)["State"]["ExitCode"] for one in pods}


def test_a_job_runs_as_often_as_it_has_to(cluster: Cluster) -> None:
    cluster.wait(lambda: condition(cluster, "Job", "sum", "Complete"), "a Job that is complete")
    assert list(ended(cluster, "sum").values()) == [0, 0, 0, 0]
    assert status_of(cluster, "Job", "sum")["succeeded"] == 4


def test_each_index_is_done_once(cluster: Cluster) -> None:
    cluster.wait(lambda: condition(cluster, "Job", "parts", "Complete"), "the indexed Job's end")
    pods = [one for one in cluster.containers(pod="parts-") if one.container != SANDBOX]
    said = sorted(cluster.host(one.host).docker("logs", one.id).strip() for one in pods)
    assert said == ["index 0", "index 1", "index 2"]
    assert status_of(cluster, "Job", "parts")["completedIndexes"] == "0-2"


def test_a_job_that_fails_too_often_has_failed(cluster: Cluster) -> None:
    cluster.wait(lambda: condition(cluster, "Job", "broken", "Failed"), "the Job's failure", timeout_seconds=40)
    assert condition(cluster, "Job", "broken", "Failed")["reason"] == "BackoffLimitExceeded"
    assert list(ended(cluster, "broken").values()) == [3, 3]


def test_pods_of_a_finished_job_go_after_their_time(cluster: Cluster) -> None:
    cluster.wait(lambda: condition(cluster, "Job", "brief", "Complete"), "the brief Job's end")
    cluster.wait(lambda: not cluster.containers(pod="brief-"), "its pods to go", pod="brief-")


# --- all of them, over a kill ---------------------------------------------------------------------------------------


KEPT_JOBS = 3
"""The default of `successfulJobsHistoryLimit`."""


def minutes_of(cluster: Cluster) -> list[int]:
    """The minutes (since 1970) for which the CronJob's pods were made, ascending, with doubles."""
    pods = {one.pod for one in cluster.containers(pod="tick-")}
    return sorted(int(name.split("-")[1]) for name in pods)


def last_schedule(cluster: Cluster) -> int:
    """The minute for which the CronJob says that it was last due; 0 while it says nothing."""
    told = status_of(cluster, "CronJob", "tick").get("lastScheduleTime", "")
    return int(datetime.fromisoformat(told).timestamp()) // MINUTE if told else 0


def test_nothing_is_done_twice_after_a_kill(cluster: Cluster) -> None:
    """Killed just before a minute begins, back just after: the minute's Job comes late, and once."""
    lasting = ("agent-", "db-", "sum-", "parts-", "broken-", "brief-")
    time.sleep((-time.time() - 2) % MINUTE)
    before = {one for one in cluster.containers() if one.pod.startswith(lasting)}
    data, made = starts(cluster), minutes_of(cluster)
    assert cluster.berth is not None
    cluster.berth.kill()
    cluster.berth = None
    missed = int(time.time()) // MINUTE + 1
    time.sleep(missed * MINUTE + 1 - time.time())

    with cluster.running(fresh_disk=True):
        cluster.wait(lambda: missed in minutes_of(cluster), "the Job of the missed minute", pod="tick-")
        cluster.wait(lambda: last_schedule(cluster) == missed, "a status of the new process")
        assert {one for one in cluster.containers() if one.pod.startswith(lasting)} == before
        due = [*made, missed]
        # Three Jobs are kept: the oldest may be gone already.
        assert minutes_of(cluster) in [due[first:] for first in range(max(1, len(due) - KEPT_JOBS + 1))]
        assert starts(cluster) == data
        cluster.push("Database v3", {"apps/db/db.yaml": database("web:v3")})
        cluster.wait_running("db-", 3, image="web:v3")
        assert places(cluster) == {one.pod: one.host for one in sorted(before) if one.pod.startswith("db-")}
