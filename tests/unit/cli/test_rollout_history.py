"""`berth rollout history` and `undo`: revisions are read from Git, wherever the manifest lay."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.editing.history import CHANGE_CAUSE, Version, number_revisions
from sources.git.revisions import Commit
from tests.unit.cli.gitops import WEB, WEB_FILE, GitOps

DEPLOYMENT = "deployment.apps/nginx-deployment"
NAME = "deploy/nginx-deployment"


def version(subject: str, image: str, cause: str = "") -> Version:
    annotations = {CHANGE_CAUSE: cause} if cause else {}
    manifest = {
        "kind": "Deployment",
        "metadata": {"name": "web", "annotations": annotations},
        "spec": {"template": {"image": image}},
    }
    return Version(Commit("", "", "", "", datetime(2026, 1, 1, tzinfo=UTC), subject), manifest)


@pytest.mark.parametrize(
    ("states", "revisions"),
    [
        pytest.param([("c1", "a")], [(1, "c1")], id="one"),
        pytest.param([("c1", "a"), ("c2", "a"), ("c3", "b")], [(1, "c1"), (2, "c3")], id="the same template"),
        pytest.param(
            [("c1", "a"), ("c2", "b"), ("c3", "c"), ("c4", "b")], [(1, "c1"), (3, "c3"), (4, "c4")], id="one comes back"
        ),
        pytest.param([("c1", "a", "first"), ("c2", "b", "first")], [(1, "first"), (2, "c2")], id="an old annotation"),
        pytest.param([("c1", "a"), ("c2", "b", "why")], [(1, "c1"), (2, "why")], id="an annotation of this change"),
    ],
)
def test_numbers_and_causes(states: list[tuple[str, ...]], revisions: list[tuple[int, str]]) -> None:
    found = number_revisions(iter([version(*state) for state in states]))
    assert [(revision.number, revision.cause) for revision in found] == revisions


def set_image(gitops: GitOps, image: str) -> None:
    gitops.done("set", "image", NAME, f"nginx={image}")


def history(gitops: GitOps) -> list[list[str]]:
    """Rows below the headings: number and cause; each has the commit that it names."""
    head, headings, *rows = gitops.done("rollout", "history", NAME)
    assert (head, headings.split()) == (DEPLOYMENT, ["REVISION", "CHANGE-CAUSE", "COMMIT"])
    found = []
    for row in rows:
        number, _, rest = row.partition(" ")
        cause, _, commit = rest.strip().rpartition(" ")
        assert gitops.remote.in_remote("log", "-1", "--format=%s", commit) == cause.strip()
        found.append([number, cause.strip()])
    return found


def test_the_walkthrough(gitops: GitOps) -> None:
    set_image(gitops, "nginx:1.9.1")
    gitops.done("scale", NAME, "--replicas=5")
    set_image(gitops, "nginx:1.91")
    assert history(gitops) == [
        ["1", "Our cluster"],
        ["2", f"berth set image {DEPLOYMENT} nginx=nginx:1.9.1"],
        ["3", f"berth set image {DEPLOYMENT} nginx=nginx:1.91"],
    ]
    assert gitops.done("rollout", "undo", NAME, "--to-revision=2") == [f"{DEPLOYMENT} rolled back"]
    assert gitops.file(WEB_FILE) == WEB.replace("1.7.9", "1.9.1").replace("replicas: 3", "replicas: 5")
    assert history(gitops) == [
        ["1", "Our cluster"],
        ["3", f"berth set image {DEPLOYMENT} nginx=nginx:1.91"],
        ["4", f"berth rollout undo {DEPLOYMENT} --to-revision=2"],
    ]


def test_undo_goes_one_back_and_twice_is_forth_again(gitops: GitOps) -> None:
    set_image(gitops, "nginx:2")
    gitops.done("rollout", "undo", NAME)
    assert gitops.file(WEB_FILE) == WEB
    gitops.done("rollout", "undo", NAME)
    assert gitops.file(WEB_FILE) == WEB.replace("nginx:1.7.9", "nginx:2")


def test_undo_to_what_is_there_changes_nothing(gitops: GitOps) -> None:
    set_image(gitops, "nginx:2")
    said = gitops.done("rollout", "undo", NAME, "--to-revision=2")
    assert said == [
        f"{DEPLOYMENT} skipped rollback (current template already matches revision 2)",
        "nothing to commit: Git says so already",
    ]


def test_undo_to_a_revision_that_never_was(gitops: GitOps) -> None:
    ran = gitops.berth("rollout", "undo", NAME, "--to-revision=7")
    assert (ran.code, ran.err) == (1, "error: unable to find the specified revision: 7 (there are 1)\n")


def test_a_paused_rollout_is_not_rolled_back(gitops: GitOps) -> None:
    set_image(gitops, "nginx:2")
    gitops.done("rollout", "pause", NAME)
    ran = gitops.berth("rollout", "undo", NAME)
    assert ran.err == f"error: cannot roll back a paused workload (berth rollout resume {DEPLOYMENT})\n"


def moved(gitops: GitOps) -> None:
    gitops.remote.git("pull", "--quiet", "--rebase", "origin", "main")
    gitops.remote.git("mv", WEB_FILE, "apps/web/front.yaml")
    gitops.remote.push(message="move")


def through_a_refused_commit(gitops: GitOps) -> None:
    gitops.push({WEB_FILE: WEB.replace("replicas: 3", "replicas: [")}, message="broken")
    gitops.push({WEB_FILE: gitops.file(WEB_FILE).replace("replicas: [", "replicas: 3")}, message="mended")


def merged(gitops: GitOps) -> None:
    git = gitops.remote.git
    git("pull", "--quiet", "--rebase", "origin", "main")
    git("checkout", "--quiet", "-b", "topic")
    gitops.remote.push({"apps/web/a.yaml": "# a\n"}, branch="topic", message="a")
    git("checkout", "--quiet", "main")
    git("merge", "--quiet", "--no-ff", "-m", "merge", "topic")
    git("push", "--quiet", "origin", "main")


@pytest.mark.parametrize("happens", [moved, through_a_refused_commit, merged])
def test_history_survives(gitops: GitOps, happens: Callable[[GitOps], Any]) -> None:
    happens(gitops)
    set_image(gitops, "nginx:9")
    assert history(gitops) == [["1", "Our cluster"], ["2", f"berth set image {DEPLOYMENT} nginx=nginx:9"]]


def test_a_merged_pull_request_is_one_revision(gitops: GitOps) -> None:
    git = gitops.remote.git
    git("checkout", "--quiet", "-b", "topic")
    for image in ("nginx:2", "nginx:3"):
        gitops.remote.push({WEB_FILE: WEB.replace("nginx:1.7.9", image)}, branch="topic", message=image)
    git("checkout", "--quiet", "main")
    git("merge", "--quiet", "--no-ff", "-m", "Merge the new version", "topic")
    git("push", "--quiet", "origin", "main")
    assert history(gitops) == [["1", "Our cluster"], ["2", "Merge the new version"]]


def test_a_revision_in_detail(gitops: GitOps) -> None:
    set_image(gitops, "nginx:2")
    lines = gitops.done("rollout", "history", NAME, "--revision=1")
    assert lines[:2] == [f"{DEPLOYMENT} with revision #1", "Change-Cause: Our cluster"]
    text = " ".join("\n".join(lines[2:]).split())
    assert "Commit: " in text
    assert "Pod Template: Labels: app=nginx pod-template-hash=" in text
    assert "Containers: nginx: Image: nginx:1.7.9 Ports: 80/TCP" in text


def test_what_is_not_in_git_has_no_history(gitops: GitOps) -> None:
    ran = gitops.berth("rollout", "history", "deploy/other")
    assert (ran.code, ran.err.startswith("error: Deployment default/other is not in commit ")) == (1, True)
