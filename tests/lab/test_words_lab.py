"""No value of a Secret leaves by what engines and containers say: errors of starts, output of probes, last words."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.berth_process import berth_argv
from tests.lab.cluster import Cluster, pod
from tests.lab.lab import Lab

VALUE = 'ca"nary/ü-4e17'
"""With what Go quotes, JSON escapes and YAML spells in its own way."""
PIECES = ("nary/", "-4e17", base64.b64encode(VALUE.encode()).decode())

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login"},
    "stringData": {"password": VALUE},
}
CONTAINER = """\
terminationGracePeriodSeconds: 1
containers:
- name: app
  image: web:v1
  env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: login, key: password}}}]
"""
TALKERS = {
    # The engine quotes the command line in its refusal, and keeps it as the container's State.Error.
    "misspelt": 'command: ["/bin/$(PASSWORD)"]',
    "unready": "readinessProbe: {exec: {command: [sh, -c, 'echo no: $PASSWORD; exit 1']}, periodSeconds: 1}",
    "hooked": "lifecycle: {postStart: {exec: {command: [sh, -c, 'echo hook: $PASSWORD; exit 1']}}}",
    "last-words": (
        "command: [sh, -c, 'echo last: $PASSWORD; exit 1']\n  terminationMessagePolicy: FallbackToLogsOnError"
    ),
}
SAID = {
    "misspelt": "no such file",
    "unready": "no: ***",
    "hooked": "postStart hook failed",
    "last-words": "last: ***",
}
"""What is to be read of each: a test that finds no secret because nothing was said has shown nothing."""


@pytest.fixture
def cluster(lab: Lab, tmp_path: Path) -> Iterator[Cluster]:
    files = {f"apps/talk/{name}.yaml": pod(name, f"{CONTAINER}  {more}\n") for name, more in TALKERS.items()}
    files["apps/talk/login.yaml"] = yaml.safe_dump(SECRET)
    made = Cluster.create(lab, "words", tmp_path, files=files)
    with made.running("--verbose"):
        yield made


def test_what_engines_and_containers_say_holds_no_secret(cluster: Cluster) -> None:
    for name, words in SAID.items():
        cluster.wait(lambda name=name, words=words: words in told_of(cluster, name), f"{words!r} of {name}", pod=name)
    # Of the remote all but the branch that has the Secret: that of the test is not encrypted.
    written = cluster.remote_git("for-each-ref", "--format=%(refname)", "refs/heads/berth", "refs/notes").split()
    assert "refs/heads/berth/status" in written
    outputs = {
        "commits and notes": cluster.remote_git("log", "-p", "--format=%B", *written),
        "log": cluster.words(),
        **{
            " ".join(words): run(cluster, *words)
            for words in (
                ("get", "pods", "-o", "yaml"),
                ("get", "events"),
                ("events",),
                ("describe", "pods"),
                ("plan",),
                ("logs", "last-words"),
            )
        },
    }
    for place, text in outputs.items():
        assert text.strip(), place
    # What a container itself has logged is shown to who asks for it, as kubectl does.
    del outputs["logs last-words"]
    found = {(place, piece) for place, text in outputs.items() for piece in PIECES if piece in text}
    assert not found


def told_of(cluster: Cluster, name: str) -> str:
    """All that the status branch tells of a pod, events too."""
    return f"{cluster.status('Pod', name)}\n{cluster.remote_git('show', 'berth/status:events.yaml')}"


def run(cluster: Cluster, *words: str) -> str:
    done = subprocess.run(
        berth_argv(*cluster.arguments(words[0]), *words[1:]),
        cwd=cluster.home,
        env=cluster.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    return done.stdout + done.stderr
