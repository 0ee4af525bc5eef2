"""A GitOps repository on a real Git remote, and `berth` run against it as a person runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from reconciler.cli import make_group
from reconciler.cli.frame import run_command
from tests.unit.sources.conftest import Remote

AUTHOR = "Grace Hopper <grace@example.com>"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJbQVHhhOj2VbeyzHvRkjtFLoUJWGSnRn1mRZ4tRkBsP"

CLUSTER = "apiVersion: berth.dev/v1alpha1\nkind: Cluster\nmetadata: {name: main}\n"
HOST = f"""\
apiVersion: berth.dev/v1alpha1
kind: Host
metadata:
  name: alpha       # rack 1
spec:
  address: 192.0.2.11
  hostKey: {KEY}
"""
WEB = """\
# The front end.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: nginx-deployment
spec:
  replicas: 3          # see the capacity page
  selector:
    matchLabels: {app: nginx}
  template:
    metadata:
      labels: {app: nginx}
    spec:
      containers:
        # the server
        - name: nginx
          image: nginx:1.7.9   # pinned
          ports:
            - containerPort: 80
---
# beside it
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {mode: fast}
"""
FILES = {"berth.yaml": CLUSTER, "hosts/alpha.yaml": HOST, "apps/web/web.yaml": WEB}
WEB_FILE = "apps/web/web.yaml"


class Ran(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class GitOps:
    """remote: where the repository lies, with a person's working copy."""

    def __init__(self, remote: Remote, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.remote = remote
        self._cache = cache
        self._capsys = capsys

    def berth(self, *arguments: str, repo: str = "") -> Ran:
        self._capsys.readouterr()
        code = run_command(
            make_group(), [*arguments, "--repo", repo or self.remote.url, "--cache-dir", str(self._cache), "--no-color"]
        )
        said = self._capsys.readouterr()
        return Ran(code, said.out, said.err)

    def done(self, *arguments: str) -> list[str]:
        """Run a command that has to succeed; what it said but for the line with the commit."""
        ran = self.berth(*arguments)
        assert (ran.code, ran.err) == (0, ""), ran
        return [line for line in ran.lines if not line.startswith("commit ")]

    def file(self, path: str, *, branch: str = "main") -> str:
        return self.remote.in_remote("show", f"{branch}:{path}") + "\n"

    def files(self) -> list[str]:
        return self.remote.in_remote("ls-tree", "-r", "--name-only", "main").splitlines()

    def diff(self) -> list[str]:
        """The changed lines of the newest commit."""
        lines = self.remote.in_remote("show", "--format=", "--unified=0", "main").splitlines()
        return [line for line in lines if line[:1] in "+-" and not line.startswith(("+++", "---"))]

    def subjects(self) -> list[str]:
        """Messages on the branch, newest first."""
        return self.remote.in_remote("log", "--format=%s", "main").splitlines()

    def push(self, files: Mapping[str, str], *, message: str = "change") -> str:
        """What somebody else pushes in between."""
        self.remote.git("pull", "--quiet", "--rebase", "origin", "main")
        return self.remote.push(files, message=message)


def make_gitops(tmp_path: Path, capsys: pytest.CaptureFixture[str], files: Mapping[str, str] | None = None) -> GitOps:
    remote = Remote(tmp_path / "git")
    remote.push({**FILES, **(files or {})}, message="Our cluster")
    return GitOps(remote, tmp_path / "cache", capsys)
