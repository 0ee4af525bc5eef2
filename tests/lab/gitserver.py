"""A Git remote behind a real sshd on a host of its own, and clones of it for tests that push."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lab import sshd
from tests.lab.errors import LabError
from tests.lab.host import LabHost
from tests.lab.processes import SEARCH_PATH, run
from tests.lab.rootfs import USER_ID

USER = "git"
DIRECTORY = "srv/git"


@dataclass(frozen=True)
class GitServer:
    """host: the machine it runs on; `host.cut()` and `host.kill_sshd()` make the remote go away."""

    host: LabHost

    def url(self, repository: str) -> str:
        return f"ssh://{USER}@{self.host.address}:{self.host.port}/{DIRECTORY}/{repository}.git"

    def path(self, repository: str) -> Path:
        """The bare repository as seen from outside, to look at without ssh."""
        return self.host.root / DIRECTORY / f"{repository}.git"

    def create(self, repository: str) -> str:
        """An empty bare repository with `main` as its branch; an existing one is replaced. Returns its URL."""
        path = self.path(repository)
        run(["rm", "-rf", str(path)])
        run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)])
        run(["chown", "-R", f"{USER_ID}:{USER_ID}", str(path.parent)])
        return self.url(repository)

    def known_hosts_line(self) -> str:
        return sshd.known_hosts_line(self.host.address, self.host.port, self.host.host_key)

    def environment(self) -> dict[str, str]:
        """Variables with which any `git` reaches the remote: explicit key, strict host key, no personal settings."""
        return {
            "PATH": SEARCH_PATH,
            "GIT_SSH_COMMAND": " ".join(["ssh", *self.host.ssh_options()]),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Lab",
            "GIT_AUTHOR_EMAIL": "lab@example.com",
            "GIT_COMMITTER_NAME": "Lab",
            "GIT_COMMITTER_EMAIL": "lab@example.com",
        }

    def clone(self, repository: str, into: Path) -> Clone:
        clone = Clone(into, self.environment())
        into.mkdir(parents=True, exist_ok=True)
        clone.git("clone", "--quiet", self.url(repository), ".")
        clone.git("symbolic-ref", "HEAD", "refs/heads/main")
        return clone


@dataclass(frozen=True)
class Clone:
    """A working copy, as a person has it."""

    path: Path
    environment: Mapping[str, str]

    def git(self, *arguments: str, timeout_seconds: float = 60) -> str:
        """Output of `git <arguments>` here. Raises LabError with git's own words."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout_seconds,
        )
        if done.returncode != 0:
            raise LabError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace").strip()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Write files by their path in the repository; None removes one."""
        for name, content in files.items():
            path = self.path / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str, files: Mapping[str, str | bytes | None] | None = None) -> str:
        """Write the files, commit everything that changed, return the commit's full hash."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, *options: str, branch: str = "main") -> None:
        self.git("push", "--quiet", *options, "origin", f"HEAD:refs/heads/{branch}")

    def commit_and_push(self, message: str, files: Mapping[str, str | bytes | None] | None = None) -> str:
        commit = self.commit(message, files)
        self.push()
        return commit
