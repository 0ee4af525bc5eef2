"""The verbs that write, on real hosts: each is a commit that the running reconciler carries out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.berth_process import berth_argv
from tests.lab.cluster import Cluster, deployment, pod
from tests.lab.lab import Lab
from tests.lab.processes import SEARCH_PATH

AUTHOR = "Grace Hopper <grace@example.com>"
WEB = "deployment.apps/web"
BUDGET = yaml.safe_dump(
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }
)
LONE = """
terminationGracePeriodSeconds: 1
containers:
- {name: app, image: web:v1}
"""


class Person:
    """Somebody with `berth` at hand."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        home = str(self.cluster.home)
        kept = {name: text for name, text in os.environ.items() if name.startswith(("PYTHON", "COVERAGE"))}
        return subprocess.run(
            berth_argv(*self.cluster.arguments(*arguments)),
            cwd=home,
            env={"PATH": SEARCH_PATH, "HOME": home, "LC_ALL": "C.UTF-8", "BERTH_AUTHOR": AUTHOR, **kept},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )

    def berth(self, *arguments: str) -> list[str]:
        """Lines of a command that has to succeed, without the one that names the commit."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}\n{self.cluster.picture()}"
        return [line for line in done.stdout.splitlines() if not line.startswith("commit ")]


@pytest.fixture(scope="module")
def person(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """One cluster for the module, reconciled all the time; a deployment of three pods runs."""
    home: Path = tmp_path_factory.mktemp("verbs")
    files = {"apps/web/web.yaml": "# the front end\n" + deployment("web", replicas=3)}
    cluster = Cluster.create(lab, "verbs", home, files=files)
    with cluster.running():
        cluster.wait_running("web-", 3)
        yield Person(cluster)


def test_an_image_is_set_rolled_out_and_undone(person: Person) -> None:
    cluster = person.cluster
    assert person.berth("set", "image", "deployment/web", "web=web:v2") == [f"{WEB} image updated"]
    said = person.berth("rollout", "status", "deployment/web", "--timeout=60s")
    assert said[-1] == 'deployment "web" successfully rolled out'
    assert all(line.startswith("Waiting for rollout to finish: ") for line in said[:-1])
    cluster.wait_running("web-", 3, image="web:v2")

    rows = [line.split()[0] for line in person.berth("rollout", "history", "deploy/web")]
    assert rows == [WEB, "REVISION", "1", "2"]
    assert person.berth("rollout", "undo", "deploy/web", "--to-revision=1") == [f"{WEB} rolled back"]
    assert person.berth("rollout", "status", "deploy/web", "--timeout=60s")[-1].endswith("successfully rolled out")
    cluster.wait_running("web-", 3, image="web:v1")
    assert cluster.remote_git("show", "main:apps/web/web.yaml").startswith("# the front end\n")


def test_a_rollout_that_cannot_succeed_ends_in_time(person: Person) -> None:
    person.berth("set", "image", "deploy/web", "web=not/there:v0")
    done = person.run("rollout", "status", "deploy/web", "--timeout=3s")
    assert (done.returncode, "timed out after 3 s" in done.stderr) == (4, True), done
    person.berth("rollout", "undo", "deploy/web")
    person.cluster.wait_running("web-", 3, image="web:v1")


def test_a_workload_is_scaled_and_restarted(person: Person) -> None:
    cluster = person.cluster
    before = {found.id for found in cluster.running_pods("web-")}
    person.berth("scale", "deploy/web", "--replicas=4", "--current-replicas=3")
    cluster.wait_running("web-", 4)
    assert before <= {found.id for found in cluster.running_pods("web-")}
    person.berth("rollout", "restart", "deploy/web")
    assert person.berth("rollout", "status", "deploy/web", "--timeout=60s")[-1].endswith("successfully rolled out")
    assert before.isdisjoint(found.id for found in cluster.wait_running("web-", 4))
    person.berth("scale", "deploy/web", "--replicas=3")
    cluster.wait_running("web-", 3)


def test_a_paused_rollout_waits_until_it_is_resumed(person: Person) -> None:
    cluster = person.cluster
    person.berth("rollout", "pause", "deploy/web")
    person.berth("set", "image", "deploy/web", "web=web:v3")
    (said,) = person.berth("rollout", "status", "deploy/web", "--no-watch")
    assert said == "Waiting for rollout to finish: 0 out of 3 new replicas have been updated..."
    cluster.wait_running("web-", 3, image="web:v1")
    person.berth("rollout", "resume", "deploy/web")
    cluster.wait_running("web-", 3, image="web:v3")


def test_a_configmap_is_created_and_deleted(person: Person, tmp_path: Path) -> None:
    (tmp_path / "mode").write_text("fast\n")
    person.berth("create", "configmap", "flags", f"--from-file={tmp_path}/mode")
    assert "fast" in "\n".join(person.berth("get", "configmap", "flags", "-o", "yaml"))
    person.berth("delete", "configmap", "flags")
    assert person.run("get", "configmap", "flags").returncode == 1


def test_a_host_is_drained_within_the_budget_and_taken_back(person: Person) -> None:
    cluster = person.cluster
    cluster.clone.git("pull", "--quiet", "--rebase", "origin", "main")
    cluster.push("A budget and a bare pod", {"apps/web/budget.yaml": BUDGET, "apps/web/lone.yaml": pod("lone", LONE)})
    (lone,) = cluster.wait_running("lone", 1)
    host = lone.host
    pinned = pod("pinned", f"nodeName: {host}\n{LONE.strip()}")
    cluster.push("A pod that names its host", {"apps/web/pinned.yaml": pinned})
    cluster.wait_running("pinned", 1)
    served = {found.id for found in cluster.running_pods() if found.host == host and found.pod != "pinned"}

    said = person.berth("drain", host, "--timeout=90s", "--grace-period=2")
    assert said[0] == f"host.berth.dev/{host} cordoned, draining"
    assert said[-1] == f"host.berth.dev/{host} drained"
    assert f"evicting pod default/{lone.pod}" in said
    assert "pod/pinned stays: its manifest names this host" in said

    def is_moved() -> bool:
        running = [found for found in cluster.running_pods() if found.pod != "pinned"]
        return len(running) == 4 and all(found.host != host and found.id not in served for found in running)

    cluster.wait(is_moved, f"all four pods on other hosts than {host}")
    assert "SchedulingDisabled" in "\n".join(person.berth("get", "hosts"))

    assert [found.host for found in cluster.running_pods("pinned")] == [host]
    person.berth("delete", "pod", "pinned")

    person.berth("uncordon", host)
    assert "SchedulingDisabled" not in "\n".join(person.berth("get", "hosts"))
    assert yaml.safe_load(cluster.remote_git("show", f"main:hosts/{host}.yaml"))["metadata"] == {"name": host}


def test_how_full_the_hosts_are_and_why_a_pod_is_where_it_is(person: Person) -> None:
    names = [host.name for host in person.cluster.hosts]
    table = person.berth("top", "hosts")
    assert [line.split()[0] for line in table] == ["NAME", *names]
    rows = person.berth("top", "pods", "-l", "app=web")
    assert [row.split()[0].rpartition("-")[0].rpartition("-")[0] for row in rows[1:]] == ["web"] * 3
    assert all(row.split()[1].endswith("m") and row.split()[2].endswith("Mi") for row in rows[1:])

    explained = person.berth("explain", "deploy/web")
    assert explained[0].endswith(": 3/3 hosts fit"), "\n".join(explained)
    (here,) = [line for line in explained if "(here)" in line]
    detail = person.berth("explain", "deploy/web", "--on", here.split()[0])
    assert "PodFitsResources" in "\n".join(detail)


def test_an_owner_goes_alone_and_another_one_takes_its_pods_up(person: Person) -> None:
    """The last test of this module: the Deployment is another one afterwards."""
    cluster = person.cluster
    written = person.cluster.remote_git("show", "main:apps/web/web.yaml")
    before = {found.id for found in cluster.running_pods("web-")}
    person.berth("delete", "deploy/web", "--cascade=orphan")
    commit = cluster.remote_git("rev-parse", "main")
    cluster.wait_converged(commit)
    assert cluster.status("Deployment", "web") == {}
    assert {found.id for found in cluster.running_pods("web-")} == before
    cluster.clone.git("pull", "--quiet", "--rebase", "origin", "main")
    back = cluster.push("Web is back", {"apps/web/web.yaml": written + "\n"})
    cluster.wait_converged(back)
    assert {found.id for found in cluster.running_pods("web-")} == before
    person.berth("delete", "deploy/web")
    cluster.wait(lambda: not cluster.containers(pod="web-"), "the pods to go with their owner")
