"""`/proc/meminfo` of a host with its own memory limit, kept true: what is free follows what its processes really use.

The kernel shows every control group the machine's figures; on such a host the file is ours. What containers on a real
small machine would see is written into it here, a few times a second, from the host's control group.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import cgroups, rootfs
from tests.lab.host import LabHost

INTERVAL_SECONDS = 0.2


@contextmanager
def live_memory(host: LabHost) -> Iterator[None]:
    """While the block lasts, the host's MemFree and MemAvailable are true. Only for hosts with `memory_bytes`."""
    if not host.spec.memory_bytes:
        raise ValueError(f"{host.name} shows the machine's memory; give it memory_bytes")
    stopped = threading.Event()

    def follow() -> None:
        while not stopped.wait(INTERVAL_SECONDS):
            write_memory_info(host)

    write_memory_info(host)
    thread = threading.Thread(target=follow, name=f"meminfo {host.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def write_memory_info(host: LabHost) -> None:
    """Bring the file up to date, in place: it is mounted into the host. Lines keep their lengths."""
    free = f"{max(0, host.spec.memory_bytes - used_bytes(host.names.cgroup)) // 1024:>8} kB"
    path = rootfs.memory_info(host.names)
    lines = path.read_text().splitlines()
    moving = ("MemFree:", "MemAvailable:")
    text = "\n".join(f"{line.split()[0]:<16}{free}" if line.startswith(moving) else line for line in lines) + "\n"
    with path.open("r+b") as file:
        file.write(text.encode())


def used_bytes(group: str) -> int:
    """The working set of a control group and all below it: without file pages that nobody has used lately."""
    for hierarchy in cgroups.find_hierarchies():
        place = hierarchy.mount_point / group
        for usage, inactive in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
            if (place / usage).exists():
                return int((place / usage).read_text()) - _stat(place / "memory.stat", inactive)
    raise FileNotFoundError(f"no memory figures of control group {group}")


def _stat(path: Path, name: str) -> int:
    return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(f"{name} "))
