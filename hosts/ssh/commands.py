"""Commands over a session channel: input, both outputs, exit code, a deadline that also ends the command on the host.

For what the Docker API cannot do (mounts, files, facts of the machine). A command costs 100 to 250 ms and a process.
"""

from __future__ import annotations

import math
import re
import shlex
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import paramiko

from objects.errors import AuthenticationRefused, CommandFailed, DiskFull, HostError

if TYPE_CHECKING:
    from hosts.ssh.transport import SshTransport

CHUNK_BYTES = 32 * 1024
MAX_OUTPUT_BYTES = 16 * 1024 * 1024
"""More than any command of ours says; a host that sends without end must not fill the reconciler's memory."""

_NO_KILL_AFTER = re.compile(rb"^timeout: (unrecognized option: k|invalid option -- '?k)", re.MULTILINE)
_SHORT_WRITE = re.compile(r"Wrote only \d+ of \d+ bytes")

GRACE_SECONDS = 2
"""Between SIGTERM and SIGKILL for a command that is over its deadline."""


class CommandResult(msgspec.Struct, frozen=True):
    """exit_code: 0 to 255, or -1 when a signal ended the command."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    @property
    def is_success(self) -> bool:
        return self.exit_code == 0


def shell_line(command: str | Sequence[str], *, timeout_seconds: float, as_root: bool, kills_after: bool = True) -> str:
    """What sshd's login shell gets. A string is a POSIX shell script, a sequence is one command with its arguments.

    `timeout` ends the command on the host shortly after we stopped waiting: closing the channel alone would leave it
    running (a `df` on a dead network mount, for ever). kills_after: whether the host's `timeout` can send SIGKILL to
    what SIGTERM did not end.
    """
    script = command if isinstance(command, str) else shlex.join(command)
    seconds = math.ceil(timeout_seconds) + 1
    grace = f"-k {GRACE_SECONDS} " if kills_after else ""
    line = f"timeout {grace}{seconds} sh -c {shlex.quote(script)}"
    return f"sudo -n -- {line}" if as_root else line


def refuses_kill_after(result: CommandResult) -> bool:
    """Whether the host's `timeout` knows no `-k` (BusyBox before 1.34): then the command was not begun."""
    return result.exit_code == 1 and _NO_KILL_AFTER.search(result.stderr) is not None


def run_on_channel(
    transport: SshTransport, channel: paramiko.Channel, line: str, *, input_bytes: bytes, timeout_seconds: float
) -> CommandResult:
    """Run a shell line on a fresh session channel and wait for its end. The caller closes the channel.

    Raises DeadlineExceeded (whether the command had an effect is unknown), HostUnreachable, SessionRefused, or
    HostError when it says more than MAX_OUTPUT_BYTES.
    """
    host, clock = transport.target.name, transport.clock
    deadline = clock() + timeout_seconds
    activity = _Activity()
    channel.in_buffer.set_event(activity)
    channel.in_stderr_buffer.set_event(activity)
    transport.start_command(channel, line, timeout_seconds=timeout_seconds)
    output: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
    unsent = memoryview(input_bytes)
    if not unsent:
        channel.shutdown_write()
    while True:
        activity.reset()
        unsent = _send_some(channel, unsent)
        _receive(channel, output)
        if sum(map(len, output.values())) > MAX_OUTPUT_BYTES:
            raise HostError(f"a command said more than {MAX_OUTPUT_BYTES >> 20} MiB", host=host)
        if channel.closed or (channel.exit_status_ready() and channel.eof_received):
            break
        left = deadline - clock()
        if left <= 0:
            raise transport.overdue(f"a command took longer than {timeout_seconds:.3g} s")
        # A full send window opens without telling `activity`; only while input is left do we look again that soon.
        activity.wait(min(left, 0.02) if unsent else left)
    _receive(channel, output)
    if not channel.status_event.is_set() or (channel.exit_status < 0 and not transport.is_active()):
        raise transport.lost()
    return CommandResult(channel.exit_status, bytes(output["stdout"]), bytes(output["stderr"]))


def _send_some(channel: paramiko.Channel, unsent: memoryview) -> memoryview:
    """Send what fits into the window, without blocking; after the last byte, say that the input is over."""
    while unsent and not channel.closed and channel.send_ready():
        try:
            unsent = unsent[channel.send(bytes(unsent[:CHUNK_BYTES])) :]
        except OSError:
            # The command ended without reading all of its input: its exit code says whether that is wrong.
            return unsent[:0]
        if not unsent:
            channel.shutdown_write()
    return unsent


def _receive(channel: paramiko.Channel, output: dict[str, bytearray]) -> None:
    while channel.recv_ready():
        output["stdout"] += channel.recv(CHUNK_BYTES)
    while channel.recv_stderr_ready():
        output["stderr"] += channel.recv_stderr(CHUNK_BYTES)


class _Activity(threading.Event):
    """Set by paramiko when one of the two outputs gets data or ends.

    It also clears the event when *one* of them is read empty, which says nothing about the other: only `reset` counts.
    """

    def clear(self) -> None:
        """Ignored; see the class."""

    def reset(self) -> None:
        super().clear()


_WARNING = re.compile(r"unable to resolve host|setrlimit\(")


def check_sudo(result: CommandResult, *, host: str, user: str) -> None:
    """Raise AuthenticationRefused when it was sudo that failed, not the command."""
    lines = [line.strip() for line in result.stderr.decode(errors="replace").splitlines()]
    # Warnings of sudo, after which it runs the command: `sudo: unable to resolve host nas: Name or service not known`.
    refusals = [line for line in lines if line.startswith(("sudo:", "sudo :")) and not _WARNING.search(line)]
    if result.exit_code == 1 and refusals and lines[-1] == refusals[-1]:
        said = "; ".join(refusals)
        raise AuthenticationRefused(
            f"sudo refuses user {user!r}: {said}",
            host=host,
            hint=f"allow it without a password: `{user} ALL=(root) NOPASSWD: ALL` in /etc/sudoers.d",
        )
    if result.exit_code == 127 and b"sudo" in result.stderr:
        raise AuthenticationRefused(
            f"user {user!r} needs sudo and the host has none", host=host, hint="install sudo or log in as root"
        )


def check_success(result: CommandResult, what: str, *, host: str) -> None:
    """Raise CommandFailed, or DiskFull, with the last of what the command complained about."""
    if not result.is_success:
        said = result.stderr.decode(errors="replace").strip()[-500:] or "it said nothing"
        # tar says the second where there was room for a part of a block.
        if "No space left on device" in said or _SHORT_WRITE.search(said):
            raise DiskFull(f"{what} failed: {said}", host=host, hint="free space on the host")
        raise CommandFailed(f"{what} failed with code {result.exit_code}: {said}", host=host)
