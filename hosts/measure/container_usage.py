"""What containers use, read from their control groups: one script for all containers of a host, and its parser.

Docker's `stats` takes a call a container, and engines before 23 wait a second in each. The counters lie in files that
everybody may read, in directories named by the container's id, wherever Docker's cgroup driver puts them.
"""

from __future__ import annotations

import re

from objects.observation.figures import ContainerSample

_ID_BEGINS = "[0-9a-f]" * 12
_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")

USAGE_SCRIPT = f"""\
sed 's/ .*//;s/^/uptime /' /proc/uptime
cd /sys/fs/cgroup || exit 0
trees=.
[ -e cgroup.controllers ] || trees='memory cpuacct'
find -H $trees -path '*{_ID_BEGINS}*' '(' -name memory.usage_in_bytes -o -name memory.current -o -name memory.stat \
-o -name cpuacct.usage -o -name cpu.stat ')' \
-exec grep -sHE '^([0-9]+$|total_inactive_file |inactive_file |usage_usec )' {{}} + || true
"""
"""Both versions of control groups; under systemd `cpuacct` is a link, which only `-H` follows. Containers that end
while it runs make `grep` complain: they are simply missing."""


def parse_usage(output: str) -> tuple[float, dict[str, ContainerSample]]:
    """(the host's uptime in seconds, container id -> sample) from the output of `USAGE_SCRIPT`.

    v1  memory.usage_in_bytes - total_inactive_file of memory.stat; cpuacct.usage in nanoseconds
    v2  memory.current - inactive_file of memory.stat; usage_usec of cpu.stat in microseconds

    Raises ValueError when the host's uptime is missing.
    """
    uptime: float | None = None
    figures: dict[str, dict[str, int]] = {}
    for line in output.splitlines():
        if line.startswith("uptime "):
            uptime = float(line.split()[1])
            continue
        path, _, text = line.partition(":")
        found = _ID.search(path)
        *name, amount = text.split() or [""]
        if found is None or not amount.isdigit() or _is_nested(path, found.end()):
            continue
        field = name[0] if name else path.rpartition("/")[2]
        figures.setdefault(found.group(), {})[field] = int(amount)
    if uptime is None:
        raise ValueError(f"no uptime in {output[:200]!r}")
    return uptime, {container: _sample(known) for container, known in figures.items()}


def _is_nested(path: str, end_of_id: int) -> bool:
    """Whether the file belongs to a group that the container made inside its own: counted in the container's already.

    …/<id>/memory.stat is the container's, …/docker-<id>.scope/memory.stat too, …/<id>/init/memory.stat is not.
    """
    return path.count("/", end_of_id) > 1


def _sample(figures: dict[str, int]) -> ContainerSample:
    used = figures.get("memory.usage_in_bytes", figures.get("memory.current"))
    # v1 has both names: only the total counts groups below.
    inactive = figures.get("total_inactive_file", figures.get("inactive_file", 0))
    nanos = figures.get("cpuacct.usage")
    if nanos is None and "usage_usec" in figures:
        nanos = figures["usage_usec"] * 1000
    return ContainerSample(cpu_nanos=nanos, memory_bytes=None if used is None else max(0, used - inactive))
