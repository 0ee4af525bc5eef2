"""Starts git: the only place that does, with a closed environment, a deadline on every call and no shell.

Our own instead of GitPython's `Git.execute`, because that hands the whole environment of the caller on (a `GIT_DIR` of
a hook that started us would redirect every call) and kills only the children it can list, not those they left behind.
Reading of objects is GitPython's: see `sources.git.object_reader`.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from objects.errors import SourceError, SourceUnreachable
from sources.git.remotes import Access, RemoteUrl, ssh_command

LOCAL_DEADLINE_SECONDS = 60.0
STALL_SECONDS = 120.0
"""How long git may talk to a remote without getting on. ssh and the speed limit notice a dead peer long before."""
TRANSFER_DEADLINE_SECONDS = 6 * 3600.0
"""For a transfer that gets on all the time: a first clone of a large repository over a thin line takes hours."""

_CREDENTIAL_HELPER = (
    '!f() { test "$1" = get || exit 0; printf "username=%s\\n" "$BERTH_GIT_USERNAME"; '
    'printf "password=%s\\n" "$(cat -- "$BERTH_GIT_TOKEN_FILE")"; }; f'
)
"""Answers git with the token; only names of variables are in it, the token goes through a pipe."""

_FIXED_CONFIG = (
    ("core.hooksPath", "/dev/null"),
    ("protocol.allow", "never"),
    ("protocol.ssh.allow", "always"),
    ("protocol.https.allow", "always"),
    ("protocol.file.allow", "always"),
    ("protocol.ext.allow", "never"),
    # A background process would outlive its deadline and keep the cache's lock.
    ("gc.autoDetach", "false"),
    # What a fresh root of the status branch left behind: nobody but us works in the clone, under a lock.
    ("gc.pruneExpire", "1.hour.ago"),
    ("maintenance.autoDetach", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("transfer.fsckObjects", "false"),
    ("advice.detachedHead", "false"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "100"),
    ("http.lowSpeedTime", "25"),
    ("core.logAllRefUpdates", "false"),
)

_PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY")


class GitResult(NamedTuple):
    """What a finished git said. code is 0 on success; stderr is English and never holds a credential."""

    code: int
    stdout: bytes
    stderr: str


def git_environment(git_dir: Path, url: RemoteUrl, access: Access) -> dict[str, str]:
    """The whole environment of our git processes.

    Of the caller's environment only PATH, HOME, the proxies and, when no key is named, the SSH agent are in it.
    """
    config = list(_FIXED_CONFIG)
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/nonexistent"),
        "LC_ALL": "C",
        "GIT_DIR": str(git_dir),
        "GIT_OBJECT_DIRECTORY": str(git_dir / "objects"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": "ssh:https:file",
        "GIT_SSH_COMMAND": ssh_command(access),
        "GIT_SSH_VARIANT": "ssh",
    }
    inherited = [*_PROXY_VARIABLES, *(() if access.ssh_key else ("SSH_AUTH_SOCK",))]
    environment |= {name: os.environ[name] for name in inherited if name in os.environ}
    if url.transport == "https":
        if access.token_file is not None:
            # Bound to the origin: a redirect to another host is never answered with the token.
            config.append((f"credential.{url.origin}.helper", _CREDENTIAL_HELPER))
            environment["BERTH_GIT_USERNAME"] = access.username
            environment["BERTH_GIT_TOKEN_FILE"] = str(access.token_file.absolute())
        if access.ca_file is not None:
            config.append(("http.sslCAInfo", str(access.ca_file.absolute())))
    environment["GIT_CONFIG_COUNT"] = str(len(config))
    for index, (key, value) in enumerate(config):
        environment[f"GIT_CONFIG_KEY_{index}"] = key
        environment[f"GIT_CONFIG_VALUE_{index}"] = value
    return environment


class GitProcess:
    """Runs git commands in one bare repository. Holds no process between calls."""

    def __init__(self, git_dir: Path, environment: dict[str, str]) -> None:
        self._git_dir = git_dir
        self._environment = environment

    def run(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes = b"",
        deadline_seconds: float = LOCAL_DEADLINE_SECONDS,
        stall_seconds: float | None = None,
        keep_open: Sequence[int] = (),
    ) -> GitResult:
        """Run `git <arguments>` and wait for its end.

        stall_seconds: git must show progress (on stderr, by `--progress`) at least this often; without stdin then.
        keep_open: file descriptors that git and its children inherit (the lock of the cache: it must not be free while
        a git that outlived us still writes). Raises SourceUnreachable when the deadline passes or nothing gets on,
        SourceError when git cannot be started. A failure of git itself is a result with a code.
        """
        try:
            process = subprocess.Popen(
                ["git", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                cwd=self._git_dir.parent,
                start_new_session=True,
                pass_fds=tuple(keep_open),
            )
        except OSError as error:
            raise SourceError(f"git cannot be started: {error.strerror}", hint="install git") from error
        try:
            if stall_seconds is None:
                stdout, stderr = process.communicate(stdin, timeout=deadline_seconds)
            else:
                stdout, stderr = _follow(process, arguments[0], deadline_seconds, stall_seconds)
        except subprocess.TimeoutExpired:
            raise SourceUnreachable(f"git {arguments[0]} did not finish in {deadline_seconds:g} s") from None
        finally:
            _end(process)
        return GitResult(process.returncode, stdout, stderr.decode("utf-8", "replace"))


def _follow(
    process: subprocess.Popen[bytes], verb: str, deadline_seconds: float, stall_seconds: float
) -> tuple[bytes, bytes]:
    """What a git wrote to stdout and stderr until its end.

    Raises SourceUnreachable when it writes nothing for too long, TimeoutExpired.
    """
    assert process.stdin and process.stdout and process.stderr
    process.stdin.close()
    process.stdin = None  # `communicate` of whoever has to kill the process would flush it
    written: dict[int, list[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
    until = time.monotonic() + deadline_seconds
    with selectors.DefaultSelector() as selector:
        for descriptor in written:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            left = until - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired(verb, deadline_seconds)
            ready = selector.select(min(left, stall_seconds))
            if not ready and left > stall_seconds:
                raise SourceUnreachable(f"git {verb} did not get on for {stall_seconds:g} s")
            for key, _ in ready:
                chunk = os.read(key.fd, 2**16)
                if chunk:
                    written[key.fd].append(chunk)
                else:
                    selector.unregister(key.fd)
    stdout, stderr = (b"".join(chunks) for chunks in written.values())
    process.stdout.close()
    process.stderr.close()
    process.wait(max(until - time.monotonic(), 1.0))
    return stdout, stderr


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a process and of the helpers it started, and take its exit code."""
    if process.poll() is None:
        # Its own session: the group holds ssh and the transport helpers too.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
