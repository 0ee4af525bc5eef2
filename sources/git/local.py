"""What a person's own git knows: who they are, and where their branch is pushed to. Asks, changes nothing.

Their settings count here, unlike everywhere else in this room: a commit by command is a commit of that person.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from objects.errors import InvalidInput
from sources.git.branch_writer import Identity
from sources.git.remotes import check_branch

AUTHOR_VARIABLE = "BERTH_AUTHOR"
_AUTHOR = re.compile(r"\s*(?P<name>[^<>\n]*[^<>\s])\s*<(?P<email>[^<>\s]+)>\s*")
_DEADLINE_SECONDS = 10.0


def read_author(folder: Path) -> Identity:
    """BERTH_AUTHOR (`Ada <ada@example.com>`), else git's `user.name` and `user.email` as they are in `folder`.

    Raises InvalidInput when neither says it: a commit by nobody helps nobody who reads the history.
    """
    said = os.environ.get(AUTHOR_VARIABLE, "")
    if said:
        match = _AUTHOR.fullmatch(said)
        if match is None:
            raise InvalidInput(f"{AUTHOR_VARIABLE} is {said!r}", hint="write it as 'Ada Lovelace <ada@example.com>'")
        return Identity(match["name"], match["email"])
    name, email = _own("name", folder), _own("email", folder)
    if not name or not email:
        raise InvalidInput(
            "git does not know who you are",
            hint=f"git config --global user.name '…' and user.email '…', or set {AUTHOR_VARIABLE}='Name <address>'",
        )
    return Identity(name, email)


def read_upstream(folder: Path, branch: str) -> str:
    """Name of the remote that `branch` of this repository is pushed to; '' when there is none."""
    return _setting(f"branch.{check_branch(branch)}.remote", folder)


def _own(field: str, folder: Path) -> str:
    return os.environ.get(f"GIT_AUTHOR_{field.upper()}", "") or _setting(f"user.{field}", folder)


def _setting(name: str, folder: Path) -> str:
    """'' when it is not set, or when there is no git to ask."""
    try:
        done = subprocess.run(
            ["git", "config", "--get", name],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_DEADLINE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
