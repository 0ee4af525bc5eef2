"""Canaries go through every verb: no output, error or commit message of any holds a value of a Secret.

The verbs are those of the command tree, so a new one without a line here fails.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from reconciler.cli import make_group
from reconciler.cli.frame import leaves_of
from reconciler.cli.verbs import VERBS
from sources.words import Words
from tests.unit.cli.gitops import CLUSTER, WEB, GitOps
from tests.unit.sources.conftest import Remote

CANARY = "s3cr3t-canary/ü\"1'"
BEFORE = "an-earlier-canary"
ENCODED = base64.b64encode(CANARY.encode()).decode()
LOGIN = json.dumps({"auths": {"r.example": {"auth": base64.b64encode(b"me:login-canary").decode()}}})
APPLIED = json.dumps({"kind": "Secret", "data": {"password": base64.b64encode(BEFORE.encode()).decode()}})
SECRETS = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": APPLIED}},
        "stringData": {"password": CANARY, ".dockerconfigjson": LOGIN},
    }
)
BESIDE = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "careless", "annotations": {"note": ENCODED}},
        "data": {"url": f"postgres://app:{CANARY}@db", "log": "login-canary", "long": f"{'word ' * 30}{CANARY}"},
    }
)
FORBIDDEN = ("canary", ENCODED, base64.b64encode(BEFORE.encode()).decode(), base64.b64encode(b"login-canary").decode())

WHAT = {
    "apply": ["--timeout=5s"],
    "plan": ["-o", "json"],
    "validate": ["."],
    "init": ["elsewhere"],
    "get": ["secret,cm", "-o", "yaml"],
    "describe": ["cm"],
    "events": [],
    "hosts list": [],
    "hosts check": [],
    "top hosts": [],
    "top pods": [],
    "explain": ["none"],
    "set image": ["deploy/nginx-deployment", f"nginx=r.example/x:{ENCODED[:8]}"],
    "set env": ["deploy/nginx-deployment", f"URL=postgres://app:{CANARY}@db"],
    "scale": ["deploy/nginx-deployment", "--replicas=2"],
    "autoscale": ["deploy/nginx-deployment", "--min=1", "--max=2"],
    "rollout history": ["deploy/nginx-deployment"],
    "rollout pause": ["deploy/nginx-deployment"],
    "rollout resume": ["deploy/nginx-deployment"],
    "rollout restart": ["deploy/nginx-deployment"],
    "rollout status": ["deploy/nginx-deployment", "--timeout=1s"],
    "rollout undo": ["deploy/nginx-deployment"],
    "create configmap": ["other", f"--from-literal=a={CANARY}", "--app=web"],
    "create secret generic": ["another", f"--from-literal=a={CANARY}", "--app=web"],
    "edit": ["secret/db"],
    "patch": ["secret/db", "-p", json.dumps({"stringData": {"password": "a-later-canary"}})],
    "delete": ["secret/db"],
    "cordon": ["none"],
    "drain": ["none"],
    "uncordon": ["none"],
    "logs": ["none"],
    "version": [],
}
OWN = {
    "run": "the daemon: its streams are those of every verb, its commits are tried in test_status_loop.py",
    "exec": "the terminal of its user: bytes pass as they are",
    "lab": "speaks of the lab on this machine alone",
}


def _commands() -> dict[str, str]:
    """Path of each command that a person can run → its verb."""
    group = make_group()
    context = group.make_context("berth", [], resilient_parsing=True)
    found: dict[str, str] = {}
    for verb in VERBS:
        command = group.get_command(context, verb)
        assert command is not None
        todo = [(verb, command)]
        while todo:
            path, one = todo.pop()
            children = getattr(one, "commands", None)
            if children:
                todo += [(f"{path} {name}", child) for name, child in children.items()]
            else:
                found[path] = verb
        assert leaves_of(command)
    return found


def test_every_command_is_tried() -> None:
    missing = {path for path, verb in _commands().items() if path not in WHAT and verb not in OWN}
    assert missing == set()


@pytest.fixture
def careless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> GitOps:
    remote = Remote(tmp_path / "git")
    files = {"berth.yaml": CLUSTER, "apps/web/web.yaml": WEB}
    remote.push({**files, "apps/web/secrets.json": SECRETS, "apps/web/beside.json": BESIDE})
    return GitOps(remote, tmp_path / "cache", capsys)


@pytest.mark.parametrize("path", list(WHAT))
def test_no_output_holds_a_value(path: str, careless: GitOps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")
    monkeypatch.setenv("BERTH_AUTHOR", "Ada <ada@example.com>")
    monkeypatch.chdir(careless.remote.work)
    ran = careless.berth(*path.split(), *WHAT[path])
    assert [text for text in FORBIDDEN if text in ran.out + ran.err] == [], ran
    messages = careless.remote.in_remote("log", "--all", "--format=%B%N", "--notes=berth")
    assert [text for text in FORBIDDEN if text in messages] == []
    status = careless.remote.in_remote("log", "--patch", "--branches=berth/*", "--notes=berth")
    assert [text for text in FORBIDDEN if text in status] == []


@pytest.mark.parametrize("form", ["yaml", "json", "jsonpath={.items}", "wide", "name", ""])
def test_no_form_of_get_shows_a_value(form: str, careless: GitOps) -> None:
    ran = careless.berth("get", "secret,cm", "-o", form)
    assert ran.code == 0, ran
    assert [text for text in FORBIDDEN if text in ran.out + ran.err] == [], ran


def test_what_is_looked_for_is_there(careless: GitOps, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the boundary the canary is seen: these tests can fail."""
    monkeypatch.setattr(Words, "redactor", None)
    assert "canary" in careless.berth("get", "cm", "-o", "yaml").out
