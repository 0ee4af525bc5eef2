"""A shell that stays: answers questions about a host in a few milliseconds, where a command of its own costs a login.

For what is asked again and again (memory, disk, what containers use). Runs as the user who logs in, or as
root, and ends with the connection: it reads its questions, so it has no life of its own. It takes one of sshd's
sessions for as long as the connection lasts.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from hosts.ssh.commands import (
    CHUNK_BYTES,
    MAX_OUTPUT_BYTES,
    CommandResult,
    check_success,
    check_sudo,
)
from hosts.ssh.link import SshLink
from hosts.ssh.transport import SshTransport
from objects.errors import AuthenticationRefused, HostError

if TYPE_CHECKING:
    from paramiko import Channel


_STATUS_SECONDS = 1.0
"""sshd tells a command's exit code just after its last output."""


class LastingShell:
    """Thread-safe: one question at a time. Opened when it is needed, and again after anything went wrong."""

    def __init__(self, link: SshLink, *, as_root: bool = False) -> None:
        """as_root: by `sudo -n`, unless root logs in."""
        self._link = link
        self._by_sudo = as_root and link.target.user != "root"
        self._lock = threading.Lock()
        self._channel: Channel | None = None
        self._asked = 0
        self._keep_silent = link.on_short_sessions(self._make_room)

    def ask(self, script: str, *, timeout_seconds: float) -> str:
        """What a POSIX shell script says. It must read no input and leave nothing running.

        Raises CommandFailed, DeadlineExceeded (the shell is then given up) and what the link raises.
        """
        deadline = self._link.clock() + timeout_seconds
        with self._lock:
            channel = self._open(deadline)
            try:
                result = self._exchange(channel, script, deadline)
            except BaseException:
                # Whatever it still says belongs to this question and not to the next one.
                self._drop()
                raise
        check_success(result, f"`{script.strip().splitlines()[0][:80]}`", host=self._link.host)
        return result.stdout.decode(errors="replace")

    def close(self) -> None:
        """End the shell; the link stays."""
        self._keep_silent()
        with self._lock:
            self._drop()

    def _make_room(self) -> bool:
        """Give up the shell if nobody asks right now: another session is wanted more."""
        if self._channel is None or not self._lock.acquire(blocking=False):
            return False
        try:
            is_open = self._channel is not None
            self._drop()
            return is_open
        finally:
            self._lock.release()

    def _open(self, deadline: float) -> Channel:
        channel = self._channel
        if channel is not None and not channel.closed and _transport(channel).is_active():
            return channel
        self._drop()
        seconds = max(0.001, deadline - self._link.clock())
        self._channel = self._link.open_command(
            "exec sudo -n -- sh" if self._by_sudo else "exec sh", timeout_seconds=seconds
        )
        return self._channel

    def _drop(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _exchange(self, channel: Channel, script: str, deadline: float) -> CommandResult:
        self._asked += 1
        end = f"END-OF-ANSWER-{self._asked}-"
        # In a subshell: what the script sets or leaves by `exit` is not there for the next one. Said in one piece: each
        # piece that comes by itself wakes two threads here, and five small programs say five.
        channel.settimeout(max(0.001, deadline - self._link.clock()))
        output = bytearray()
        try:
            asked = f"said=$( (\n{script}\n) </dev/null 2>&1; echo {end}$?- )"
            channel.sendall(f"{asked}; printf '%s\\n' \"$said\"\n".encode())
            while not (found := _split(output, end.encode())):
                channel.settimeout(max(0.001, deadline - self._link.clock()))
                chunk = channel.recv(CHUNK_BYTES)
                if not chunk:
                    raise self._ended(channel)
                output += chunk
                if len(output) > MAX_OUTPUT_BYTES:
                    raise HostError("a question was answered without end", host=self._link.host)
        except TimeoutError as error:
            raise _transport(channel).overdue("the host did not answer a question in time") from error
        except OSError as error:
            raise self._ended(channel) from error
        said, code = found
        return CommandResult(code, said if not code else b"", b"" if not code else said)

    def _ended(self, channel: Channel) -> HostError:
        transport = _transport(channel)
        if not transport.is_active():
            return transport.lost()
        if self._by_sudo and channel.status_event.wait(_STATUS_SECONDS):
            said = b""
            while channel.recv_stderr_ready():
                said += channel.recv_stderr(CHUNK_BYTES)
            result = CommandResult(channel.exit_status, b"", said)
            try:
                check_sudo(result, host=self._link.host, user=self._link.target.user)
            except AuthenticationRefused as error:
                return error
        return HostError("the shell that is kept on the host ended", host=self._link.host)


def _split(output: bytearray, end: bytes) -> tuple[bytes, int] | None:
    """(what was said, exit code) when the end has come."""
    said, mark, rest = bytes(output).rpartition(end)
    code, is_complete, _ = rest.partition(b"-")
    return (said, int(code)) if mark and is_complete else None


def _transport(channel: Channel) -> SshTransport:
    transport = channel.get_transport()
    assert isinstance(transport, SshTransport)
    return transport
