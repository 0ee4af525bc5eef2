"""Declared host state on a real host: its parts are read, watched and set over root shells that stay open.

A script in one shell compares every few seconds what the host has with what it had, and says a word when that changed:
so somebody's `iptables -F` is noticed within seconds, and an idle host costs the reconciler nothing. What a part has is
then asked for by the next look, as one digest a part. Where nothing can be done as root, that is what is told.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from differ.kubelet.actions import HostPart
from hosts.ssh.link import SshLink
from hosts.ssh.shell import LastingShell
from objects.errors import AuthenticationRefused, HostError, HostUnreachable

if TYPE_CHECKING:
    from paramiko import Channel

READ_SECONDS = 10.0
APPLY_SECONDS = 20.0
"""iptables waits up to 5 s for others that hold its lock, in each of its calls."""
WITH_SBIN = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin"
"""sudo keeps the PATH of a user, who needs none of root's programs, where its settings have no `secure_path`."""
WATCH_SECONDS = 3
"""Between two comparisons on the host: 5 ms of its time each."""
SIGNS_OF_LIFE = 20
"""After so many comparisons the watching script writes a byte, so that it ends when nobody listens any more."""
REFUSED_AGAIN_SECONDS = 300.0
"""sudo notes each refusal in the host's log, and may mail it."""


class HostStateFact(msgspec.Struct, frozen=True, kw_only=True):
    """digests: by part. root_refused, root_remedy: why nothing can be done as root and what to do about it, '' else.

    has_iptables: None while that is not known.
    """

    digests: dict[str, str] = {}
    root_refused: str = ""
    root_remedy: str = ""
    has_iptables: bool | None = None


class HostState:
    """Of one host. Thread-safe. on_change: called, from any thread, when a look should ask anew; it must be quick."""

    def __init__(self, link: SshLink, *, on_change: Callable[[], None], may_watch: Callable[[], bool]) -> None:
        """may_watch: whether there is a session for it, which there is not where streams to the engine take them."""
        self._link = link
        self._on_change = on_change
        self._may_watch = may_watch
        self._shell = LastingShell(link, as_root=True)
        self._lock = threading.Lock()
        self._parts: dict[str, HostPart] = {}
        self._fact = HostStateFact()
        self._is_stale = True
        self._refused_at: float | None = None
        self._watcher: Channel | None = None

    def invalidate(self) -> None:
        """Ask anew with the next look."""
        self._is_stale = True

    def observe(self) -> HostStateFact:
        """What the host has of the parts that were ever applied. Raises HostUnreachable only: what cannot be read
        stays unknown, and looks go on.
        """
        with self._lock:
            is_quiet = self._watcher is not None and not self._watcher.closed
            if not self._is_stale and (is_quiet or not self._may_watch()):
                return self._fact
            if self._refused_at is not None and self._link.clock() - self._refused_at < REFUSED_AGAIN_SECONDS:
                return self._fact
            self._is_stale = False
            try:
                self._fact = self._read()
                self._watch()
            except HostUnreachable:
                self._is_stale = True
                raise
            except AuthenticationRefused as error:
                self._refused_at = self._link.clock()
                self._fact = HostStateFact(root_refused=error.message, root_remedy=error.hint)
            except HostError:
                # Unknown is not absent: what was read last holds until it can be read again.
                self._is_stale = True
            return self._fact

    def apply(self, part: HostPart) -> None:
        """Make the part so, unless it is. Raises HostError."""
        with self._lock:
            self._refused_at = None  # somebody waits for it
            is_new = self._parts.get(part.name) != part
            self._parts[part.name] = part
            try:
                if self._read().digests.get(part.name) == part.wanted:
                    return
                self._shell.ask(f"{WITH_SBIN}\n{part.apply}", timeout_seconds=APPLY_SECONDS)
                if self._read().digests.get(part.name) != part.wanted:
                    raise HostError(
                        f"{part.name} was set on the host and is not there", host=self._link.host, hint="see its log"
                    )
            finally:
                self._is_stale = True
                if is_new:
                    self._end_watch()

    def close(self) -> None:
        """Let go of the host; what was set stays."""
        with self._lock:
            self._end_watch()
            self._shell.close()

    def _read(self) -> HostStateFact:
        said = self._shell.ask(read_script(self._parts), timeout_seconds=READ_SECONDS)
        return parse_state(said)

    def _watch(self) -> None:
        """Begin to watch, if nobody does. The channel tells by its events that something came: no thread waits."""
        if not self._parts or not self._may_watch() or (self._watcher is not None and not self._watcher.closed):
            return
        line = f"sh -c {shlex.quote(watch_script(self._parts))}"
        by_sudo = self._link.target.user != "root"
        self._watcher = self._link.open_command(f"sudo -n -- {line}" if by_sudo else line, timeout_seconds=READ_SECONDS)
        self._watcher.in_buffer.set_event(_Told(self._changed))

    def _changed(self) -> None:
        self._is_stale = True
        watcher = self._watcher
        if watcher is not None and watcher.closed:
            self._watcher = None
        self._on_change()

    def _end_watch(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.in_buffer.set_event(threading.Event())
            watcher.close()


class _Told(threading.Event):
    """Set by the connection's thread when bytes came or the channel ended. It may not block."""

    def __init__(self, tell: Callable[[], None]) -> None:
        super().__init__()
        self._tell = tell

    def set(self) -> None:
        self._tell()


def read_script(parts: Mapping[str, HostPart]) -> str:
    """A POSIX shell script that writes `part NAME DIGEST` for each part, and `tool iptables`. Pure."""
    lines = [f"echo part {part.name} $( {{ {part.read}\n}} | sha256sum)" for part in parts.values()]
    return "\n".join([WITH_SBIN, *lines, "command -v iptables >/dev/null && echo tool iptables; true"])


def watch_script(parts: Mapping[str, HostPart]) -> str:
    """A POSIX shell script that writes a line whenever what `read_script` says has changed. Pure.

    Signs of life go to the other output: they are nobody's news.
    """
    return (
        f"look() {{\n{read_script(parts)}\n}}\nwas=$(look) n=0\n"
        f"while sleep {WATCH_SECONDS}; do\n"
        '  is=$(look)\n  [ "$is" = "$was" ] || echo changed || exit\n  was=$is n=$((n + 1))\n'
        f"  [ $((n % {SIGNS_OF_LIFE})) != 0 ] || echo >&2 || exit\n"
        "done"
    )


def parse_state(output: str) -> HostStateFact:
    """What `read_script` wrote. Pure."""
    words = [line.split() for line in output.splitlines()]
    digests = {line[1]: line[2] for line in words if len(line) >= 3 and line[0] == "part"}
    return HostStateFact(digests=digests, has_iptables=["tool", "iptables"] in words)
