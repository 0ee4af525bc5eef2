"""Git is the interface: prune and its budget, suspension, webhooks, a remote that is gone, others who push too."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.berth_process import BerthProcess
from tests.lab.cluster import STATUS_BRANCH, Cluster, deployment
from tests.lab.errors import LabError
from tests.lab.gitserver import Clone
from tests.lab.lab import Lab

SECRET = b"lab-webhook-secret"
WEB = "apps/web/web.yaml"
LONG_SECONDS = 600.0
"""A poll that never comes during a test."""


@pytest.fixture(scope="module")
def cluster(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("sync")
    return Cluster.create(lab, "sync", home, files={WEB: deployment("web")})


@pytest.fixture
def berth(cluster: Cluster) -> Iterator[BerthProcess]:
    cluster.restore(cluster.clone.git("rev-list", "--max-parents=0", "HEAD"))
    with cluster.running() as running:
        cluster.wait_running("web-", 3, image="web:v1")
        yield running


def config_maps(count: int) -> str:
    line = "{apiVersion: v1, kind: ConfigMap, metadata: {name: map-%d}, data: {key: value}}"
    return "\n---\n".join(line % number for number in range(count)) + "\n"


def application(name: str, **spec: object) -> str:
    fields = ", ".join(f"{key}: {str(value).lower()}" for key, value in {"path": f"apps/{name}", **spec}.items())
    return f"{{apiVersion: berth.dev/v1alpha1, kind: Application, metadata: {{name: {name}}}, spec: {{{fields}}}}}\n"


def test_a_file_that_goes_takes_its_pods_along_and_no_others(cluster: Cluster, berth: BerthProcess) -> None:
    before = sorted(cluster.containers(pod="web-"))
    cluster.push("Two", {"apps/two/two.yaml": deployment("two", replicas=2)})
    cluster.wait_running("two-", 2)
    cluster.push("One again", {"apps/two/two.yaml": None})
    cluster.wait_running("two-", 0)
    assert sorted(cluster.containers()) == before


def test_a_mass_deletion_is_held_until_a_person_confirms(cluster: Cluster, berth: BerthProcess) -> None:
    files = {f"apps/many/{number}.yaml": deployment(f"many-{number}", replicas=1) for number in range(3)}
    cluster.push("Many", {**files, "apps/many/maps.yaml": config_maps(12)})
    cluster.wait_running("many-", 3)
    before = sorted(cluster.containers())
    gone = {**dict.fromkeys(files), "apps/many/maps.yaml": None, WEB: None}
    cluster.push("Oops", gone)
    cluster.wait(lambda: "**Deletions are held**" in cluster.readme, "a status that says what is held")
    (asked,) = re.findall(r"'(Berth-Confirm-Delete: \d+)'", cluster.readme)
    assert sorted(cluster.containers()) == before

    cluster.clone.git("commit", "--quiet", "--allow-empty", "-m", f"I mean it\n\n{asked}")
    cluster.clone.push()
    cluster.wait(lambda: not cluster.containers(), "all pods to go")
    cluster.wait(lambda: "Deletions are held" not in cluster.readme, "a status without held deletions")


def test_a_confirmation_that_came_while_nobody_reconciled_counts(cluster: Cluster, berth: BerthProcess) -> None:
    head = cluster.push("Many", {"apps/many/maps.yaml": config_maps(12), "apps/many/one.yaml": deployment("many")})
    cluster.wait_running("many-", 3)
    cluster.wait_converged(head)
    berth.kill()
    cluster.push("Fewer", {"apps/many/maps.yaml": None, "apps/many/one.yaml": None})
    cluster.clone.git("commit", "--quiet", "--allow-empty", "-m", "I mean it\n\nBerth-Confirm-Delete: many")
    cluster.push("And a note", {"README.md": "Hello\n"})
    with cluster.running():
        cluster.wait_running("many-", 0)


def test_a_suspended_application_is_left_alone(cluster: Cluster, berth: BerthProcess) -> None:
    before = cluster.containers(pod="web-")
    suspended = {"apps/web.yaml": application("web", suspend=True), "apps/two.yaml": application("two")}
    change = {WEB: deployment("web", image="web:v2"), "apps/two/two.yaml": deployment("two", replicas=1)}
    cluster.push("Suspended", {**suspended, **change})
    cluster.wait_running("two-", 1)
    assert sorted(cluster.containers(pod="web-")) == sorted(before)
    cluster.push("Go on", {"apps/web.yaml": application("web")})
    cluster.wait_running("web-", 3, image="web:v2")


def test_without_pruning_what_is_gone_from_git_stays(cluster: Cluster, berth: BerthProcess) -> None:
    apps = {"apps/web.yaml": application("web"), "apps/two.yaml": application("two", prune=False)}
    files = {"apps/two/two.yaml": deployment("two", replicas=1), "apps/two/map.yaml": config_maps(1)}
    cluster.push("Kept", {**apps, **files})
    (kept,) = cluster.wait_running("two-", 1)
    head = cluster.push("Gone, and web changed", {"apps/two/two.yaml": None, WEB: deployment("web", replicas=4)})
    cluster.wait_running("web-", 4)
    cluster.wait_converged(head)
    assert kept in cluster.containers()
    cluster.push("Pruned", {"apps/two.yaml": application("two")})
    cluster.wait_running("two-", 0)


def test_a_webhook_wakes_the_poll_when_it_is_signed(cluster: Cluster, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    port = free_port()
    options = ["--webhook", f"127.0.0.1:{port}", "--webhook-secret-file", str(secret)]
    cluster.restore(cluster.clone.git("rev-list", "--max-parents=0", "HEAD"))
    with cluster.running(*options, poll_seconds=LONG_SECONDS) as berth:
        cluster.wait_running("web-", 3, image="web:v1")
        commit = cluster.push("v2", {WEB: deployment("web", image="web:v2")})
        body = b'{"ref": "refs/heads/main"}'
        assert post(port, body, signature="") == 401
        assert post(port, body, signature="sha256=" + "0" * 64) == 401
        time.sleep(2)
        assert commit[:10] not in berth.output, "an unsigned request must not wake anybody"
        signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        assert post(port, body, signature=signature) == 202
        berth.wait_for(f"commit {commit[:10]}", timeout_seconds=5)
        cluster.wait_running("web-", 3, image="web:v2")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def post(port: int, body: bytes, *, signature: str) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/webhook", data=body, method="POST")
    if signature:
        request.add_header("X-Hub-Signature-256", signature)
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_a_remote_that_is_gone_stops_nothing(cluster: Cluster, berth: BerthProcess, lab: Lab) -> None:
    web = cluster.containers(pod="web-")[0]
    said = len(berth.output)
    lab.git.host.cut()
    try:
        cluster.wait(lambda: "WARNING" in berth.output[said:], "a word about the remote", timeout_seconds=60)
        cluster.host(web.host).docker("rm", "-f", web.id)
        cluster.wait_running("web-", 3)
    finally:
        lab.git.host.restore()
    head = cluster.push("v2 after the outage", {WEB: deployment("web", image="web:v2")})
    cluster.wait_running("web-", 3, image="web:v2", timeout_seconds=60)
    cluster.wait_converged(head, timeout_seconds=60)


def test_people_may_push_to_both_branches_meanwhile(cluster: Cluster, berth: BerthProcess, tmp_path: Path) -> None:
    """Somebody writes notes on the status branch while statuses are written: nobody's commit is lost or forced away."""
    cluster.wait(lambda: cluster.status_commits, "a first status commit")
    notes = cluster.lab.git.clone("sync", tmp_path / "notes")
    notes.git("checkout", "--quiet", "-B", "notes", f"origin/{STATUS_BRANCH}")
    theirs = []
    for number in range(5):
        cluster.push(f"Round {number}", {WEB: deployment("web", replicas=2 + number % 2)})
        theirs.append(push_note(notes, number))
        time.sleep(1.5)
    head = cluster.push("The end", {WEB: deployment("web", replicas=5)})
    cluster.wait_running("web-", 5)
    cluster.wait_converged(head)
    assert set(theirs) <= set(cluster.status_commits)
    assert cluster.remote_git("show", f"{STATUS_BRANCH}:notes/4.txt") == "4"
    assert cluster.remote_git("rev-list", "--merges", STATUS_BRANCH) == ""


def push_note(notes: Clone, number: int) -> str:
    """As a person does: commit, push, and when somebody was faster rebase and push again."""
    notes.commit(f"Note {number}", {f"notes/{number}.txt": f"{number}\n"})
    for _ in range(10):
        try:
            notes.push(branch=STATUS_BRANCH)
        except LabError:
            notes.git("fetch", "--quiet", "origin")
            notes.git("rebase", "--quiet", f"origin/{STATUS_BRANCH}")
        else:
            return notes.git("rev-parse", "HEAD")
    raise LabError("ten times the status was faster")
