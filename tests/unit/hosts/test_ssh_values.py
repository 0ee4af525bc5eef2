"""What the link computes without a host: shell lines, verdicts on results, tar streams, the watchdog's round."""

from __future__ import annotations

import io
import tarfile

import pytest

from hosts.runtime.files import FileToWrite, pack_files
from hosts.ssh.commands import (
    CommandResult,
    check_success,
    check_sudo,
    refuses_kill_after,
    shell_line,
)
from hosts.ssh.watchdog import Watchdog
from objects.errors import AuthenticationRefused, BerthError, CommandFailed, DiskFull


@pytest.mark.parametrize(
    ("command", "seconds", "as_root", "line"),
    [
        pytest.param("a; b", 5, False, "timeout -k 2 6 sh -c 'a; b'", id="script"),
        pytest.param(["ls", "a b"], 0.2, False, "timeout -k 2 2 sh -c 'ls '\"'\"'a b'\"'\"''", id="arguments"),
        pytest.param("id", 5, True, "sudo -n -- timeout -k 2 6 sh -c id", id="root"),
    ],
)
def test_shell_lines(command: str | list[str], seconds: float, as_root: bool, line: str) -> None:
    assert shell_line(command, timeout_seconds=seconds, as_root=as_root) == line


BUSYBOX = b"BusyBox v1.33.1 () multi-call binary.\n\nUsage: timeout [-s SIG] SECS PROG ARGS\n"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(CommandResult(1, b"", b"timeout: unrecognized option: k\n" + BUSYBOX), True, id="Alpine 3.14"),
        pytest.param(CommandResult(1, b"", b"timeout: invalid option -- 'k'\n" + BUSYBOX), True, id="with glibc"),
        pytest.param(
            CommandResult(1, b"", b"sudo: unable to resolve host nas\ntimeout: unrecognized option: k\n"),
            True,
            id="by a sudo that warns",
        ),
        pytest.param(CommandResult(1, b"", b"grep: unrecognized option: k\n"), False, id="the command's own word"),
        pytest.param(CommandResult(124, b"", b""), False, id="time is up"),
        pytest.param(CommandResult(0, b"", b"timeout: unrecognized option: k\n"), False, id="success"),
    ],
)
def test_a_timeout_without_kill(result: CommandResult, *, expected: bool) -> None:
    assert refuses_kill_after(result) is expected


@pytest.mark.parametrize(
    ("result", "message"),
    [
        pytest.param(CommandResult(0, b"", b"sudo: a remark"), "", id="success"),
        pytest.param(CommandResult(1, b"", b"grep: no match"), "", id="the command's own failure"),
        pytest.param(
            CommandResult(1, b"", b"sudo: a password is required\n"),
            "sudo refuses user 'ops': sudo: a password is required",
            id="password wanted",
        ),
        pytest.param(
            CommandResult(127, b"", b"sh: 1: sudo: not found\n"),
            "user 'ops' needs sudo and the host has none",
            id="no sudo",
        ),
    ],
)
def test_sudo_verdicts(result: CommandResult, message: str) -> None:
    if not message:
        check_sudo(result, host="h", user="ops")
        return
    with pytest.raises(AuthenticationRefused) as caught:
        check_sudo(result, host="h", user="ops")
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        pytest.param(CommandResult(2, b"", b"oh\n"), CommandFailed, "x failed with code 2: oh", id="says why"),
        pytest.param(CommandResult(2, b"o", b""), CommandFailed, "x failed with code 2: it said nothing", id="silent"),
        pytest.param(
            CommandResult(2, b"", b"tar: No space left on device"),
            DiskFull,
            "x failed: tar: No space left on device",
            id="disk full",
        ),
        pytest.param(
            CommandResult(2, b"", b"tar: pods/x: Wrote only 512 of 10240 bytes"),
            DiskFull,
            "x failed: tar: pods/x: Wrote only 512 of 10240 bytes",
            id="disk full in the midst of a block",
        ),
    ],
)
def test_failed_commands(result: CommandResult, error: type[BerthError], message: str) -> None:
    with pytest.raises(error) as caught:
        check_success(result, "x", host="h")
    assert (type(caught.value), caught.value.message) == (error, message)


def test_files_are_packed_with_owner_and_mode_in_order() -> None:
    files = [
        FileToWrite(path="b/c", content=b"two", mode=0o600, uid=7, gid=8),
        FileToWrite(path="a", content=b"one"),
    ]
    packed = pack_files(files)
    assert packed == pack_files(files[::-1])
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        seen = [(e.name, e.mode, e.uid, e.gid, tar.extractfile(e).read()) for e in tar]  # type: ignore[union-attr]
    assert seen == [("a", 0o644, 0, 0, b"one"), ("b/c", 0o600, 7, 8, b"two")]


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x"])
def test_files_stay_in_their_directory(path: str) -> None:
    with pytest.raises(BerthError):
        pack_files([FileToWrite(path=path, content=b"")])


def test_file_contents_are_not_shown() -> None:
    assert repr(FileToWrite(path="p", content=b"secret")) == "FileToWrite(path='p', 6 bytes)"


class Connection:
    """A connection as the watchdog sees it."""

    def __init__(self, *, active: bool, silent_seconds: float) -> None:
        self.active = active
        self.silent_seconds = silent_seconds
        self.severed: list[str] = []

    @property
    def is_silent_too_long(self) -> bool:
        return self.silent_seconds > 15

    def is_active(self) -> bool:
        return self.active

    def count_silence(self, seconds: float) -> None:
        """Given."""

    def sever(self, why: str) -> None:
        self.severed.append(why)


def test_the_watchdog_counts_only_while_it_looks() -> None:
    times = iter([0.0, 1.0, 2.5, 12.5, 13.5])
    watchdog = Watchdog(interval_seconds=1, clock=lambda: next(times))
    counted: list[float] = []
    connection = Connection(active=True, silent_seconds=0)
    connection.count_silence = counted.append  # type: ignore[method-assign]
    watchdog._watched.add(connection)
    for _ in range(4):
        watchdog.look()
    assert counted == [1.0, 1.5, 0.0, 1.0]


def test_the_watchdog_severs_the_silent_and_forgets_the_dead() -> None:
    watchdog = Watchdog(interval_seconds=3600)
    talking, silent = Connection(active=True, silent_seconds=3), Connection(active=True, silent_seconds=16)
    dead = Connection(active=False, silent_seconds=99)
    for connection in (talking, silent, dead):
        watchdog.watch(connection)
    watchdog.look()
    assert [talking.severed, silent.severed, dead.severed] == [[], ["silent for 16 s"], []]
    dead.active = True
    watchdog.look()
    assert dead.severed == []
    watchdog.close()
