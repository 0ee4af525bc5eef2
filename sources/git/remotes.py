"""Which URLs, branches and revisions may reach git's command line, and how a remote is authenticated.

Nearly every advisory about programs that drive git is "an attacker's URL, ref or option reached git". So this is an
allow-list: what does not match is refused, and what matches cannot be read as an option or as a helper's name.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import NamedTuple

from objects.errors import InvalidInput

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_PATH = r"[A-Za-z0-9_.~/][A-Za-z0-9_.~/+@%=,-]*"

_SSH_URL = re.compile(rf"ssh://(?:{_USER}@)?(?P<host>{_HOST})(?::\d{{1,5}})?/{_PATH}")
_SCP_URL = re.compile(rf"{_USER}@(?P<host>{_HOST}):{_PATH}")
_HTTPS_URL = re.compile(rf"(?P<origin>https://(?P<host>{_HOST})(?::\d{{1,5}})?)/{_PATH}")
_LOCAL_PATH = re.compile(r"(?:file://)?(?P<path>/[^\x00-\x1f\x7f]*)")
_CREDENTIALS = re.compile(r"[a-z+]+://[^/@]*:[^/@]*@")

_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@#-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+=@#-]*)*")
_REVISION_STEPS = re.compile(r"(?:[~^]\d{0,6})*")
SHA = re.compile(r"[0-9a-f]{40}")


class RemoteUrl(NamedTuple):
    """A URL that may be given to git. transport: `ssh`, `https` or `file`; origin: `https://host[:port]` or ''."""

    text: str
    transport: str
    host: str = ""
    origin: str = ""


class Access(NamedTuple):
    """How a remote is authenticated. Everything is a path on this machine: values are read at the time of use.

    ssh_key, known_hosts: with a key, only that key is offered and the user's ssh configuration is not read. Host keys
    are always checked. token_file: for HTTPS; the token never appears in an argument, the environment or a log.
    ca_file: certificates that an HTTPS server may show instead of the system's.
    """

    ssh_key: Path | None = None
    known_hosts: Path | None = None
    token_file: Path | None = None
    username: str = "git"
    ca_file: Path | None = None


def parse_url(text: str) -> RemoteUrl:
    """Check a repository's URL against the allow-list. Raises InvalidInput."""
    if _CREDENTIALS.match(text):
        # Not even its start is shown: the password is in it.
        raise InvalidInput("repository URL holds a password", hint="put the token into a file and name that file")
    if match := _SSH_URL.fullmatch(text) or _SCP_URL.fullmatch(text):
        return RemoteUrl(text, "ssh", host=match["host"])
    if match := _HTTPS_URL.fullmatch(text):
        return RemoteUrl(text, "https", host=match["host"], origin=match["origin"])
    if match := _LOCAL_PATH.fullmatch(text):
        return RemoteUrl(match["path"], "file")
    raise InvalidInput(
        f"repository URL {text!r} is not allowed",
        hint="use ssh://user@host/path, user@host:path, https://host/path or an absolute path",
    )


def check_branch(name: str) -> str:
    """Return `name` when it may be a branch. Raises InvalidInput."""
    is_allowed = _BRANCH.fullmatch(name) and ".." not in name and "@{" not in name
    if not is_allowed or name.endswith((".lock", ".")) or ".lock/" in name or "./" in name:
        raise InvalidInput(f"{name!r} is not a branch name that is accepted")
    return name


class Revision(NamedTuple):
    """A revision in parts: `main~2` is name `main` and steps `~2`. is_sha: the name looks like a commit id."""

    name: str
    steps: str

    @property
    def is_sha(self) -> bool:
        return re.fullmatch(r"[0-9a-f]{7,40}", self.name) is not None


def parse_revision(text: str) -> Revision:
    """Split and check a revision that a person typed: a commit id, a branch, each with `~N` and `^N`."""
    cut = min((text.find(mark) for mark in "~^" if mark in text), default=len(text))
    name, steps = text[:cut], text[cut:]
    if not _REVISION_STEPS.fullmatch(steps):
        raise InvalidInput(f"{text!r} is not a revision that is accepted")
    return Revision(check_branch(name), steps)


def ssh_command(access: Access) -> str:
    """The value of GIT_SSH_COMMAND: never asks, always checks host keys, gives up on a silent peer within 25 s."""
    options = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ConnectTimeout=10",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "ForwardAgent=no",
        "ClearAllForwardings=yes",
        "ControlMaster=no",
        "ControlPath=none",
    ]
    words = ["ssh"]
    if access.known_hosts is not None:
        options += [f"UserKnownHostsFile={_ssh_path(access.known_hosts)}", "GlobalKnownHostsFile=/dev/null"]
    if access.ssh_key is not None:
        words += ["-F", "/dev/null", "-i", _ssh_path(access.ssh_key, quoted=False)]
        options += ["IdentitiesOnly=yes", "IdentityAgent=none", "PasswordAuthentication=no"]
    for option in options:
        words += ["-o", option]
    return shlex.join(words)


def _ssh_path(path: Path, *, quoted: bool = True) -> str:
    """A path as ssh's options take it: `%` starts a token there, and in `-o` spaces separate files."""
    text = str(path.absolute()).replace("%", "%%")
    return f'"{text}"' if quoted else text
