"""The control groups of the lab's hosts, for cgroup v1 and v2.

Each host gets a group and a cgroup namespace rooted in it, so that its engine sees a whole tree of its own.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from tests.lab.processes import wait_until

ROOT = Path("/sys/fs/cgroup")
_V1_CONTROLLERS = frozenset(
    {
        *("cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer"),
        *("hugetlb", "misc", "net_cls", "net_prio", "perf_event", "rdma"),
    }
)


@dataclass(frozen=True)
class Hierarchy:
    """One mounted hierarchy. `options` is what mounts it again inside a host; v2 has none."""

    mount_point: Path
    is_v2: bool
    options: str

    def mount_spec(self) -> str:
        """`directory|type|options`, one word for the host's boot script; directory is relative to /sys/fs/cgroup."""
        directory = self.mount_point.relative_to(ROOT)
        return f"{directory}|{'cgroup2' if self.is_v2 else 'cgroup'}|{self.options or '-'}"


def find_hierarchies() -> list[Hierarchy]:
    """The hierarchies that this machine has mounted below /sys/fs/cgroup."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount_point, kind, options, *_ = line.split()
        if kind not in ("cgroup", "cgroup2") or not Path(mount_point).is_relative_to(ROOT):
            continue
        named = [option for option in options.split(",") if option.startswith("name=")]
        controllers = [option for option in options.split(",") if option in _V1_CONTROLLERS]
        wanted = ["none", *named] if named else controllers
        found.append(Hierarchy(Path(mount_point), kind == "cgroup2", "" if kind == "cgroup2" else ",".join(wanted)))
    return found


def make_group(group: str) -> None:
    """Make the group in every hierarchy. In v2 with the leaf `init`, because a group that hands controllers to its
    children holds no processes itself."""
    for hierarchy in find_hierarchies():
        place = _make_in(hierarchy, group)
        if hierarchy.is_v2:
            (place / "init").mkdir(exist_ok=True)


def join_command(group: str, *, leaf: bool) -> str:
    """Shell commands that put the shell into the group, or into where the host's processes live (`leaf`)."""
    places = [
        hierarchy.mount_point / group / ("init" if leaf and hierarchy.is_v2 else "") for hierarchy in find_hierarchies()
    ]
    return "".join(f"echo 0 >{place / 'cgroup.procs'}; " for place in places)


def remove_group(group: str) -> None:
    """Remove the group and all groups below it, once their last processes are gone."""
    tops = [hierarchy.mount_point / group for hierarchy in find_hierarchies()]

    def is_gone() -> bool:
        for top in tops:
            for directory, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):  # a process that is just dying still counts: tried again
                    Path(directory).rmdir()
        return not any(top.exists() for top in tops)

    wait_until(is_gone, what=f"control group {group} does not empty", timeout_seconds=5)


def remove_if_empty(group: str) -> None:
    for hierarchy in find_hierarchies():
        with contextlib.suppress(OSError):  # another lab is in it
            (hierarchy.mount_point / group).rmdir()


def members(group: str) -> set[int]:
    """Numbers of the processes in the group and the groups below it, as seen from our own pid namespace."""
    pids: set[int] = set()
    for hierarchy in find_hierarchies():
        for file in (hierarchy.mount_point / group).glob("**/cgroup.procs"):
            with contextlib.suppress(OSError):  # the group went while we looked
                # 0 is a process that our pid namespace does not show
                pids |= {int(line) for line in file.read_text().split()} - {0}
    return pids


def limit_memory(group: str, limit_bytes: int) -> None:
    """Let the whole group use no more than this."""
    for hierarchy in find_hierarchies():
        for name in ("memory.max", "memory.limit_in_bytes"):
            if (hierarchy.mount_point / group / name).exists():
                (hierarchy.mount_point / group / name).write_text(str(limit_bytes))


def _make_in(hierarchy: Hierarchy, group: str) -> Path:
    place = hierarchy.mount_point
    for part in Path(group).parts:
        if hierarchy.is_v2:
            _pass_controllers_down(place)
        parent, place = place, place / part
        place.mkdir(exist_ok=True)
        # A v1 cpuset starts out empty and takes no process until it is filled.
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not hierarchy.is_v2 and (place / name).exists() and not (place / name).read_text().strip():
                (place / name).write_text((parent / name).read_text())
    return place


def _pass_controllers_down(place: Path) -> None:
    offered = (place / "cgroup.controllers").read_text().split()
    passed = (place / "cgroup.subtree_control").read_text().split()
    for controller in set(offered) - set(passed):
        # Some can't be handed down (`cpu` beside real-time processes); then the hosts lack it and their engines say so.
        with contextlib.suppress(OSError):
            (place / "cgroup.subtree_control").write_text(f"+{controller}")
