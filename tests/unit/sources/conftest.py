"""Real Git remotes in a folder: a bare repository and a person's working copy that pushes to it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sources.git.repository import Repository

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
}


class Remote:
    """A bare repository `url` and a clone of it in which a person works."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "remote.git"
        self.work = folder / "work"
        folder.mkdir(parents=True, exist_ok=True)
        _git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.path))
        _git(folder, "init", "--quiet", "--initial-branch=main", str(self.work))
        self.git("remote", "add", "origin", str(self.path))

    @property
    def url(self) -> str:
        return str(self.path)

    def git(self, *arguments: str) -> str:
        """Run git in the working copy."""
        return _git(self.work, *arguments)

    def in_remote(self, *arguments: str) -> str:
        """Run git in the bare repository."""
        return _git(self.path, *arguments)

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Put files into the working copy."""
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def push(
        self, files: Mapping[str, str | bytes] | None = None, *, message: str = "change", branch: str = "main"
    ) -> str:
        """Commit the files (and whatever else changed) and push. Returns the commit's id."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        self.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=_ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"git {arguments}: {done.stderr}"
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "git")


@pytest.fixture
def repository(remote: Remote, tmp_path: Path) -> Iterator[Repository]:
    """Our view of `remote`."""
    with Repository(remote.url, tmp_path / "cache") as opened:
        yield opened
