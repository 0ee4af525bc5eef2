"""The SSH link against real sshds: commands, refusals, dead and half-dead peers, users, ports, jump hosts."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hosts.runtime.files import FileToWrite, write_files
from hosts.ssh.commands import CommandResult
from hosts.ssh.link import SshLink
from hosts.ssh.waited_channel import ChannelRefused
from objects.errors import (
    AuthenticationRefused,
    CommandFailed,
    DeadlineExceeded,
    DiskFull,
    HostKeyMismatch,
    HostUnreachable,
    Needs,
)
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab
from tests.lab.links import link_to, open_links, target_of
from tests.lab.processes import wait_until


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def recovers(link: SshLink) -> None:
    """Wait until the link works again, as the passes of a worker would."""

    def works() -> bool:
        try:
            return link.run("echo back", timeout_seconds=30).stdout == b"back\n"
        except HostUnreachable:
            return False

    wait_until(works, what="the link does not come back", timeout_seconds=25)


@pytest.mark.parametrize(
    ("command", "input_bytes", "expected"),
    [
        pytest.param("echo out; echo err >&2; exit 3", b"", CommandResult(3, b"out\n", b"err\n"), id="script"),
        pytest.param(["printf", "%s|", "a b", "'$HOME'"], b"", CommandResult(0, b"a b|'$HOME'|", b""), id="arguments"),
        pytest.param("cat", b"x" * 5_000_000, CommandResult(0, b"x" * 5_000_000, b""), id="more than a window"),
        pytest.param("head -c 3", b"y" * 5_000_000, CommandResult(0, b"yyy", b""), id="input left unread"),
        pytest.param("cat >&2", b"z" * 3_000_000, CommandResult(0, b"", b"z" * 3_000_000), id="much on stderr"),
        pytest.param("kill -9 $$", b"", CommandResult(-1, b"", b""), id="killed by a signal"),
    ],
)
def test_a_command(lab: Lab, command: str | list[str], input_bytes: bytes, expected: CommandResult) -> None:
    with link_to(lab.hosts[0]) as link:
        assert link.run(command, input=input_bytes, timeout_seconds=20) == expected


def test_a_failed_command_says_what_it_said(lab: Lab) -> None:
    with link_to(lab.hosts[0]) as link, pytest.raises(CommandFailed) as caught:
        link.run("echo no such thing >&2; exit 4", timeout_seconds=30, check=True)
    expected = "host host-1: `echo no such thing >&2; exit 4` failed with code 4: no such thing"
    assert str(caught.value) == expected


def test_a_command_over_its_deadline_ends_on_the_host_too(lab: Lab) -> None:
    host = lab.hosts[0]
    with link_to(host) as link:
        link.run("true", timeout_seconds=30)  # connected: else the deadline may be over before
        with pytest.raises(DeadlineExceeded):
            link.run("sleep 7654", timeout_seconds=3)
        looking = ["pgrep", "-f", "sleep 765[4]"]
        over = lambda: host.exec(looking, check=False).returncode == 1  # noqa: E731
        wait_until(over, what="the command goes on", timeout_seconds=10)


def test_thousand_commands_and_refusals_leave_nothing_open(lab: Lab) -> None:
    host = lab.hosts[0]
    with link_to(host) as link:
        for _ in range(20):
            link.run("true", timeout_seconds=30)
        descriptors = open_descriptors()
        for _ in range(500):
            link.open_tcp(host.address, host.port, timeout_seconds=30).close()
            with pytest.raises(ChannelRefused):
                link.open_unix("/nowhere", timeout_seconds=30)
        assert open_descriptors() == descriptors
        assert link.channel_count == 0


def test_a_changed_host_key_needs_a_person(lab: Lab) -> None:
    host = lab.hosts[1]
    with open_links() as links:
        link = links.link(target_of(host))
        expected = link.target.host_keys[0].fingerprint
        host.change_host_key()
        try:
            shown = target_of(host).host_keys[0].fingerprint
            with pytest.raises(HostKeyMismatch) as caught:
                link.run("true", timeout_seconds=30)
        finally:
            host.restore_host_key()
        assert caught.value.needs is Needs.NEEDS_OPERATOR
        assert caught.value.message == (
            f"the host at {host.address}:22 shows the key {shown} (ssh-ed25519), expected {expected}"
        )
        with pytest.raises(HostKeyMismatch) as again:  # not asked again at once
            link.run("true", timeout_seconds=30)
        assert "next attempt in" in again.value.hint
        link.retry_now()
        assert link.run("true", timeout_seconds=30).is_success


def test_refused_keys(lab: Lab, tmp_path: Path) -> None:
    stranger, locked = tmp_path / "stranger", tmp_path / "locked"
    for path, phrase in ((stranger, ""), (locked, "secret")):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", phrase, "-f", str(path)], check=True)
    with open_links() as links:
        seen = {}
        for path in (stranger, locked, tmp_path / "missing"):
            link = links.link(target_of(lab.hosts[0], key_file=str(path)))
            with pytest.raises(AuthenticationRefused) as caught:
                link.run("true", timeout_seconds=30)
            seen[path.name] = caught.value.message.split(str(tmp_path))[0]
        assert seen == {
            "stranger": "sshd refuses user 'root' with ",
            "locked": "the private key ",
            "missing": "the private key ",
        }


def test_a_cut_host_is_unreachable_and_comes_back(lab: Lab) -> None:
    host = lab.hosts[1]
    with link_to(host) as link:
        link.run("true", timeout_seconds=30)
        host.cut()
        try:
            with pytest.raises(HostUnreachable):
                link.run("true", timeout_seconds=10)
            assert not link.state.connected
        finally:
            host.restore()
        recovers(link)


def test_a_half_open_peer_is_noticed(lab: Lab) -> None:
    host = lab.hosts[1]
    with link_to(host) as link:
        listening = {process.pid for process in host.machine.processes("sshd")}
        link.run("true", timeout_seconds=30)
        sessions = [process.pid for process in host.machine.processes("sshd") if process.pid not in listening]
        assert sessions
        for pid in sessions:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(HostUnreachable):
                link.run("true", timeout_seconds=20)
            recovers(link)
        finally:
            for pid in sessions:
                os.kill(pid, signal.SIGKILL)


def test_a_killed_sshd_comes_back(lab: Lab) -> None:
    host = lab.hosts[1]
    with link_to(host) as link:
        link.run("true", timeout_seconds=30)
        host.kill_sshd()
        try:
            with pytest.raises(HostUnreachable):
                link.run("true", timeout_seconds=30)
            with pytest.raises(HostUnreachable) as at_once:
                link.run("true", timeout_seconds=30)
            assert "next attempt in" in at_once.value.hint
        finally:
            host.start_sshd()
        recovers(link)


def test_a_user_with_sudo_behind_a_jump_host_on_another_port(
    lab: Lab, extra_host: Callable[[HostSpec], LabHost]
) -> None:
    jump = extra_host(HostSpec("jump", has_engine=False))
    host = extra_host(HostSpec("inner", user="deploy", port=2222, behind="jump", disk_bytes=64 << 20))
    with open_links() as links:
        link = links.link(target_of(host))
        assert link.run("id -un", timeout_seconds=10).stdout == b"deploy\n"
        assert link.run("id -un; cat", input=b"in", root=True, timeout_seconds=10).stdout == b"root\nin"
        write_files(link, "/etc/berth-test", [FileToWrite(path="a/b", content=b"secret", mode=0o600)])
        assert host.exec(["stat", "-c", "%U %a", "/etc/berth-test/a/b"]).stdout == b"root 600\n"
        host.fill_disk()
        with pytest.raises(DiskFull):
            write_files(link, "/var/lib/docker/x", [FileToWrite(path="y", content=b"x" * 1_000_000)])
        host.exec(["sh", "-c", "rm -f /etc/sudoers.d/*; sed -i '/NOPASSWD/d' /etc/sudoers"])
        with pytest.raises(AuthenticationRefused, match="sudo refuses user 'deploy'"):
            link.run("true", root=True, timeout_seconds=10)

        jump.kill_sshd()
        with pytest.raises(HostUnreachable):
            link.run("true", timeout_seconds=30)
        link.retry_now()
        with pytest.raises(HostUnreachable, match="through host jump") as caught:
            link.run("true", timeout_seconds=30)
        assert caught.value.host == "inner"
        jump.start_sshd()
        recovers(link)
