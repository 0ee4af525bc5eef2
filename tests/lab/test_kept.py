"""What is kept lives on when its commit is lost: force-push, gc on the remote, kill -9, an empty cache."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.cluster import Cluster, deployment
from tests.lab.lab import Lab
from tests.lab.processes import run
from tests.lab.test_sync import application

MANY = [f"many-{number}" for number in range(7)]
LOGIN = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: correct-horse}
"""
WITH_LOGIN = """\
apiVersion: v1
kind: Pod
metadata: {name: reader-%s}
spec:
  containers:
    - {name: c, image: %s, envFrom: [{secretRef: {name: login, optional: true}}]}
"""


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Iterator[Cluster]:
    lab.clean()
    yield Cluster.create(lab, "kept", tmp_path, files={"apps/web/web.yaml": deployment("web")})


def rewrite(cluster: Cluster, keep: tuple[str, ...]) -> None:
    """`main` becomes a history of its own with these files, and the remote forgets the old one for good."""
    old = cluster.clone.git("rev-parse", "HEAD")
    cluster.clone.git("checkout", "--quiet", "--orphan", "fresh")
    cluster.clone.git("rm", "-r", "--quiet", "--cached", ".")
    cluster.clone.git("add", "--force", *keep)
    cluster.clone.git("commit", "--quiet", "--message", "From scratch")
    cluster.clone.git("clean", "--quiet", "--force", "-d")
    cluster.clone.push("--force")
    path = str(cluster.lab.git.path(cluster.repository))
    remote = ["git", "-c", "safe.directory=*", "-C", path]
    run([*remote, "reflog", "expire", "--expire=now", "--all"])

    def forgets() -> bool:
        # Not `now`: that takes objects of a push of Berth's that goes on meanwhile, and the remote is damaged.
        run([*remote, "gc", "--quiet", "--prune=10.seconds.ago"])
        return cluster.remote_git("cat-file", "-t", old) == ""

    cluster.wait(forgets, "the remote to forget the old history")


@pytest.mark.parametrize("when", ["held before the kill", "rewritten while nobody looked"])
def test_what_the_budget_holds_outlives_its_commit(cluster: Cluster, when: str) -> None:
    files = {f"apps/many/{name}.yaml": deployment(name, replicas=1) for name in MANY}
    head = cluster.push("Many", {**files})
    with cluster.running() as berth:
        cluster.wait_running("many-", len(MANY))
        cluster.wait_running("web-", 3)
        cluster.wait_converged(head)
        if when == "held before the kill":
            rewrite(cluster, ("berth.yaml", "hosts"))
            cluster.wait(lambda: "**Deletions are held**" in cluster.readme, "a status that says what is held")
        berth.kill()
    before = sorted(cluster.containers())
    if when != "held before the kill":
        rewrite(cluster, ("berth.yaml", "hosts"))
    assert cluster.remote_git("cat-file", "-t", head) == "", "the old commit is gone for good"
    with cluster.running(fresh_disk=True):
        cluster.wait(lambda: "**Deletions are held**" in cluster.readme, "a status that says what is held")
        back = cluster.push("Another", {"apps/more/more.yaml": deployment("more", replicas=1)})
        cluster.wait_running("more-", 1)
        cluster.wait_converged(back)
        assert sorted(found for found in cluster.containers() if not found.pod.startswith("more-")) == before
        # It is looked after as before.
        (host,) = {found.host for found in cluster.containers(pod="many-3-")}
        cluster.host(host).api().remove_container(cluster.containers(pod="many-3-")[0].id, force=True)
        cluster.wait_running("many-", len(MANY))


def test_a_kept_secret_that_no_commit_has_any_more_takes_nothing_from_who_uses_it(cluster: Cluster) -> None:
    image = "web:v1"
    apps = {"apps/safe.yaml": application("safe", prune=False), "apps/web.yaml": application("web")}
    safe = {"apps/safe/login.yaml": LOGIN, "apps/safe/notes": "What is kept\n"}
    head = cluster.push("Safe", {**apps, **safe, "apps/web/a.yaml": WITH_LOGIN % ("a", image)})
    with cluster.running() as berth:
        cluster.wait_running("reader-a", 1)
        cluster.wait_running("web-", 3)
        cluster.wait_converged(head)
        berth.kill()
    before = sorted(cluster.containers())
    rewrite(cluster, ("berth.yaml", "hosts", "apps/safe.yaml", "apps/web.yaml", "apps/web", "apps/safe/notes"))
    with cluster.running(fresh_disk=True):
        cluster.wait(lambda: "**Kept, but not known**" in cluster.readme, "a status that names the Secret")
        assert sorted(cluster.containers()) == before
        cluster.push("Another reader", {"apps/web/b.yaml": WITH_LOGIN % ("b", image)})
        cluster.wait(lambda: "is not known" in str(cluster.status("Pod", "reader-b")), "a pod that says why it waits")
        cluster.push("It is back", {"apps/safe/login.yaml": LOGIN})
        cluster.wait_running("reader-b", 1)
        cluster.wait(lambda: "Kept, but not known" not in cluster.readme, "a status without it")
        assert set(before) <= set(cluster.containers())
        assert cluster.remote_git("grep", "-c", "correct-horse", "berth/status") == ""


def test_a_submodule_in_place_of_an_application_takes_nothing_away(cluster: Cluster) -> None:
    with cluster.running():
        before = sorted(cluster.wait_running("web-", 3))
        head = cluster.clone.git("rev-parse", "HEAD")
        cluster.clone.git("rm", "-r", "--quiet", "apps/web")
        cluster.clone.git("update-index", "--add", "--cacheinfo", f"160000,{head},apps/web")
        cluster.clone.git("commit", "--quiet", "--message", "web is a submodule now")
        cluster.clone.push()
        cluster.wait(lambda: "apps/web: is a submodule" in cluster.readme, "a status that names the submodule")
        assert sorted(cluster.running_pods("web-")) == before
