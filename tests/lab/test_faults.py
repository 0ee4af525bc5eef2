"""Hosts that are cut off, hang, restart their engine or reboot: unknown is not absent, and all is put right after."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.common.exit_codes import UNREACHABLE
from tests.lab.berth_process import BerthProcess, berth_argv
from tests.lab.cluster import SANDBOX, Cluster, deployment, pod
from tests.lab.lab import Lab

SETTINGS = {"ssh": {"connectTimeoutSeconds": 2, "keepaliveSeconds": 1}}
PAIR = """
nodeName: host-2
terminationGracePeriodSeconds: 2
volumes: [{name: shared, emptyDir: {}}]
containers:
- {name: app, image: web:v1, volumeMounts: [{name: shared, mountPath: /shared}]}
- {name: log, image: sample:v2, volumeMounts: [{name: shared, mountPath: /shared}]}
"""


def web(image: str, replicas: int = 6) -> dict[str, str | bytes | None]:
    return {"apps/web/web.yaml": deployment("web", image=image, replicas=replicas)}


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("faults")
    files = {**web("web:v1"), "apps/pair/pair.yaml": pod("pair", PAIR)}
    return Cluster.create(lab, "faults", home, settings=SETTINGS, files=files)


@pytest.fixture
def berth(cluster: Cluster) -> Iterator[BerthProcess]:
    """A reconciler that has put everything right that the test before left behind."""
    head = cluster.restore(cluster.clone.git("rev-list", "--max-parents=0", "HEAD"))
    with cluster.running() as running:
        settle(cluster, head)
        yield running


def settle(cluster: Cluster, commit: str, image: str = "web:v1", replicas: int = 6) -> None:
    """Wait until exactly what the commit wants runs."""
    cluster.wait_running("web-", replicas, image=image, timeout_seconds=60)
    cluster.wait(lambda: pair_runs(cluster), "the pair and its sandbox", timeout_seconds=60, pod="pair")


def pair_runs(cluster: Cluster) -> bool:
    return sorted(found.container for found in cluster.containers(pod="pair", state="running")) == [
        SANDBOX,
        "app",
        "log",
    ]


def on(cluster: Cluster, host: str) -> set[str]:
    return {found.id for found in cluster.containers() if found.host == host}


def test_a_host_that_is_cut_off_keeps_its_pods_and_holds_up_nobody(cluster: Cluster, berth: BerthProcess) -> None:
    host, before = cluster.host("host-2"), on(cluster, "host-2")
    host.cut()
    berth.wait_for("host host-2:", timeout_seconds=20)
    cluster.push("v2 while host-2 is away", web("web:v2"))
    cluster.wait(
        lambda: len(cluster.running_pods("web-", image="web:v2")) >= 3, "new pods on the hosts that answer", pod="web-"
    )
    cluster.wait(lambda: "| host-2 | no |" in cluster.readme, "a status that calls host-2 not ready")
    assert on(cluster, "host-2") == before
    assert not [found for found in cluster.running_pods("pair") if found.host != "host-2"]

    host.restore()
    head = cluster.clone.git("rev-parse", "HEAD")
    settle(cluster, head, "web:v2")
    names = Counter((found.pod, found.container) for found in cluster.containers())
    assert max(names.values()) == 1, cluster.picture()
    cluster.wait(lambda: "| host-2 | yes |" in cluster.readme, "a status that calls host-2 ready")


def test_an_engine_that_hangs_is_unknown_until_it_answers(cluster: Cluster, berth: BerthProcess) -> None:
    host, before = cluster.host("host-3"), on(cluster, "host-3")
    host.pause_engine()
    try:
        cluster.push("Scaled while an engine hangs", web("web:v1", replicas=8))
        cluster.wait(lambda: "| host-3 | no |" in cluster.readme, "host-3 not ready in the status", timeout_seconds=60)
        said = subprocess.run(berth_argv(*cluster.arguments("hosts")), capture_output=True, text=True, check=False)
    finally:
        host.resume_engine()
    assert said.returncode == UNREACHABLE, said
    assert "host-3 does not answer, its pods are unknown: no answer within 2 s, nor before: " in said.stderr
    cluster.wait_running("web-", 8, timeout_seconds=60)
    assert before <= on(cluster, "host-3")


@pytest.mark.parametrize("fault", ["restart", "kill"])
def test_an_engine_that_was_restarted(cluster: Cluster, berth: BerthProcess, fault: str) -> None:
    uids = {found.uid for found in cluster.containers()}
    host = cluster.host("host-2")
    if fault == "restart":
        host.restart_engine()
    else:
        host.kill_engine()
        host.start_engine()
    settle(cluster, cluster.clone.git("rev-parse", "HEAD"))
    assert {found.uid for found in cluster.containers()} == uids


def test_sshd_that_was_killed(cluster: Cluster, berth: BerthProcess) -> None:
    before = sorted(cluster.containers())
    host = cluster.host("host-1")
    host.kill_sshd()
    berth.wait_for("host host-1:")
    host.start_sshd()
    cluster.push("Scaled afterwards", web("web:v1", replicas=9))
    cluster.wait_running("web-", 9)
    assert set(before) <= set(cluster.containers())


def test_a_host_that_reboots_while_nobody_reconciles(cluster: Cluster, berth: BerthProcess) -> None:
    webs = {found.id for found in cluster.running_pods("web-") if found.host == "host-2"}
    uids = {found.uid for found in cluster.containers()}
    berth.kill()
    cluster.host("host-2").reboot()
    cluster.berth = None
    cluster.wait(
        lambda: webs <= {found.id for found in cluster.running_pods("web-")},
        "the lone containers of host-2, brought back by Docker alone",
    )
    with cluster.running():
        settle(cluster, "")
        assert {found.uid for found in cluster.containers()} == uids
        shared = "wget -q -O - http://127.0.0.1/"
        cluster.wait(
            lambda: (
                cluster.host("host-2").docker("exec", log_container(cluster), "sh", "-c", shared, check=False) == "v1"
            ),
            "the two containers of the pair to reach each other again",
        )


def log_container(cluster: Cluster) -> str:
    return next(found.id for found in cluster.containers(pod="pair", container="log"))
