"""`berth plan` for a branch that is to be merged, on real hosts: in three forms; it touches nothing, and comes true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.common.exit_codes import PLAN_HAS_CHANGES
from tests.lab.cluster import Cluster, deployment
from tests.lab.lab import Lab
from tests.lab.test_verbs import Person

WEB = "apps/web/web.yaml"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: %s}\n"
TOO_MUCH = {"requests": {"memory": "900Gi"}}


@pytest.fixture(scope="module")
def person(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Three pods run; on the branch `proposal` they are four of another image, and one that fits nowhere."""
    home: Path = tmp_path_factory.mktemp("plan")
    files = {WEB: deployment("web"), "apps/web/login.yaml": SECRET % "correct-horse"}
    cluster = Cluster.create(lab, "plan", home, files=files)
    with cluster.running():
        cluster.wait_converged(cluster.remote_git("rev-parse", "main"))
        cluster.clone.commit(
            "Larger",
            {
                WEB: deployment("web", image="web:v2", replicas=4),
                "apps/web/login.yaml": SECRET % "battery-staple",
                "apps/huge/huge.yaml": deployment("huge", replicas=1, resources=TOO_MUCH),
            },
        )
        cluster.clone.push(branch="proposal")
        yield Person(cluster)


def test_nothing_to_do_is_said_by_the_exit_code(person: Person) -> None:
    done = person.run("plan", "--exit-code")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "No changes.")


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_a_plan_says_what_would_be_and_touches_nothing(person: Person, form: str) -> None:
    cluster = person.cluster
    before, told = sorted(cluster.containers()), cluster.status_commits
    done = person.run("plan", "--to", "proposal", "--exit-code", "-o", form)
    assert done.returncode == PLAN_HAS_CHANGES, done.stderr
    expected = {
        "text": [
            "~ Deployment default/web",
            "    ~ spec.replicas: 3 -> 4",
            "+ Deployment default/huge",
            "finds no host",
        ],
        "markdown": ["### Berth plan", "!   spec.replicas: 3 -> 4", "| create | default/huge-", "*no host fits*"],
        "json": ['"path": "spec.replicas"', '"action": "create"'],
    }
    assert [text for text in (*expected[form], "0/3 hosts fit: 3 insufficient memory") if text not in done.stdout] == []
    assert [word for word in ("correct-horse", "battery-staple") if word in done.stdout + done.stderr] == []
    assert (sorted(cluster.containers()), cluster.status_commits) == (before, told)


def test_what_the_plan_says_is_what_happens(person: Person) -> None:
    cluster = person.cluster
    plan = json.loads(person.run("plan", "--to", "proposal", "-o", "json").stdout)
    comes = [pod for pod in plan["pods"] if pod["action"] == "create" and pod["owner"] == "Deployment default/web"]
    goes = {pod["name"] for pod in plan["pods"] if pod["action"] == "delete"}
    assert goes == {found.pod for found in cluster.running_pods("web-")}
    cluster.clone.push()
    found = cluster.wait_running("web-", 4, image="web:v2")
    assert (len(comes), goes & {one.pod for one in found}) == (4, set())
    why = "0/3 hosts fit: 3 insufficient memory"
    cluster.wait(lambda: why in cluster.readme, "the reason of the one that waits", pod="huge")


def test_a_revision_that_is_not_there(person: Person) -> None:
    done = person.run("plan", "--to", "propsal")
    assert done.returncode != 0
    assert "propsal" in done.stderr
