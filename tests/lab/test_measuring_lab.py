"""What a real host says of itself and of what its containers use."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from differ.kubelet.usage import cpu_millis
from hosts.measure.host_figures import HostMeter
from hosts.ssh.shell import LastingShell
from objects.errors import CommandFailed, DeadlineExceeded, HostError
from objects.observation.figures import Measurement
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab
from tests.lab.links import engine_of, link_to
from tests.lab.processes import wait_until
from tests.lab.test_engine_link import AddHost

BUSY = ("sh", "-c", "trap 'exit 0' TERM; head -c 20000000 /dev/zero >/tmp/file; while :; do :; done")
FULL = ("sh", "-c", "trap 'exit 0' TERM; x=$(head -c 60000000 /dev/zero | tr '\\0' a); echo said; read _ <>/run/wait")


@pytest.fixture
def containers(lab: Lab) -> Iterator[tuple[LabHost, str, str]]:
    """A host, and the ids of one container that burns CPU and one that holds memory."""
    host = lab.hosts[0]
    busy = host.docker("run", "-d", "--name", "busy", "--cpu-quota", "30000", "--volume", "data:/tmp", "busybox", *BUSY)
    full = host.docker("run", "-d", "--name", "full", "busybox", *FULL)
    yield host, busy, full
    host.docker("rm", "--force", "--volumes", "busy", "full")


def settled(gauge: HostMeter, container_id: str) -> Measurement:
    """A reading in which the container holds what it took."""
    for _ in range(100):
        reading = gauge.read(containers=True, disk=True)
        if (reading.containers[container_id].memory_bytes or 0) > 60_000_000:
            return reading
        time.sleep(0.1)
    raise AssertionError(f"{container_id} never took its memory: {reading.containers[container_id]}")


def test_containers(containers: tuple[LabHost, str, str]) -> None:
    """What is read lies between what the engine itself says just before and just after; a busy machine gives less."""
    host, busy, full = containers

    def used_millis() -> float:
        stats = host.api().stats(busy, stream=False, one_shot=True)
        return int(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e6

    with engine_of(host) as engine:
        gauge = HostMeter(engine, LastingShell(engine.link))
        settled(gauge, full)
        earliest = used_millis()
        before = gauge.read(containers=True, disk=False)
        early = used_millis()
        wait_until(lambda: used_millis() - early > 100, what="the container is not busy", timeout_seconds=10)
        late = used_millis()
        now = gauge.read(containers=True, disk=False)
        latest = used_millis()
        used = cpu_millis(busy, now, before)
        assert used is not None
        # `used` is rounded to a thousandth of a processor.
        seconds = now.uptime_seconds - before.uptime_seconds
        taken, rounding = used * seconds, seconds
        assert late - early - rounding <= taken <= latest - earliest + rounding
        # The quota gives 30 ms in each 100 ms; what lies between two readings touches up to two periods more than it
        # lasts.
        assert taken <= 30 * (seconds * 10 + 2)
        assert (cpu_millis(full, now, before) or 0) < used
        sample = now.containers[full]
        assert 60_000_000 < (sample.memory_bytes or 0) < 200_000_000
        assert sample.disk_bytes is None
        written = ["exec", "busy", "sh", "-c", "wc -c </tmp/file"]
        wait_until(lambda: host.docker(*written) == "20000000", what="the file is not written", timeout_seconds=20)
        whole = gauge.read(containers=True, disk=True)
        assert whole.volumes["data"] == pytest.approx(20_000_000, abs=100_000)
        assert 0 < (whole.containers[full].disk_bytes or 0) < 10_000


def test_what_the_host_has_left(lab: Lab, extra_host: AddHost) -> None:
    small = extra_host(HostSpec("small", user="deploy", disk_bytes=256 << 20))
    with engine_of(small) as engine:
        gauge = HostMeter(engine, LastingShell(engine.link))
        left = gauge.read(containers=False, disk=False).vitals
        size = int(small.exec(["df", "-B1", "--output=size", "/var/lib/docker"]).stdout.split()[-1])
        assert left.disk_bytes == size < 256 << 20
        assert 0 < left.inodes_free < left.inodes
        assert left.memory_available_bytes > 0
        assert 0 < left.tasks < left.tasks_limit
        small.fill_disk(leave_bytes=1 << 20)
        assert gauge.read(containers=False, disk=True).vitals.disk_free_bytes < 2 << 20
        small.free_disk()


def test_a_shell_that_stays(lab: Lab) -> None:
    host = lab.hosts[0]
    with link_to(host) as link:
        shell = LastingShell(link)
        assert shell.ask("x=1; echo one; cd /tmp", timeout_seconds=30) == "one\n"
        assert shell.ask('echo "$x$(pwd)"; exit 0', timeout_seconds=30) == "/root\n"
        assert shell.ask("printf no-end-of-line", timeout_seconds=30) == "no-end-of-line"
        assert link.channel_count == 1
        with pytest.raises(CommandFailed, match="code 3: it said why"):
            shell.ask("echo it said why; exit 3", timeout_seconds=30)
        with pytest.raises(DeadlineExceeded):
            shell.ask("sleep 30", timeout_seconds=2)
        assert shell.ask("echo again", timeout_seconds=30) == "again\n"
        host.kill_sshd()
        host.start_sshd()
        for _ in range(50):
            try:
                assert shell.ask("echo and again", timeout_seconds=30) == "and again\n"
                break
            except HostError:
                time.sleep(0.2)
        else:
            raise AssertionError("not found again")
        shell.close()
