"""What a host has left: memory, disk, inodes, tasks. One cheap script and its parser.

Needs no root; GNU and busybox tools.
"""

from __future__ import annotations

import shlex

from objects.observation.figures import HostVitals


def vitals_script(docker_root: str) -> str:
    """A POSIX shell script whose output `parse_vitals` reads."""
    return (
        f"stat -f -c 'disk %S %b %a %c %d' {shlex.quote(docker_root)}"
        " && sed -n 's/^MemAvailable: */memory /p' /proc/meminfo"
        " && sed 's:^[^/]*/\\([0-9]*\\).*:tasks \\1:' /proc/loadavg"
        " && sed 's/^/limit /' /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max"
    )


def parse_vitals(output: str) -> HostVitals:
    """Read the output of `vitals_script`; lines of other scripts are passed over.

    disk 4096 1000 250 64 32  ->  disk_bytes 4096000, disk_free_bytes 1024000, inodes 64, inodes_free 32
    memory 2048 kB            ->  memory_available_bytes 2097152
    tasks 120                 ->  tasks
    limit 32768, limit 15000  ->  tasks_limit: the smaller one

    Free disk is what unprivileged users may still use. Raises ValueError when a line is missing or malformed.
    """
    words: dict[str, list[list[str]]] = {}
    for line in output.splitlines():
        name, *rest = line.split() or [""]
        words.setdefault(name, []).append(rest)
    try:
        block_bytes, blocks, free_blocks, inodes, inodes_free = (int(word) for word in words["disk"][0])
        return HostVitals(
            memory_available_bytes=int(words["memory"][0][0]) * 1024,
            disk_bytes=block_bytes * blocks,
            disk_free_bytes=block_bytes * free_blocks,
            inodes=inodes,
            inodes_free=inodes_free,
            tasks=int(words["tasks"][0][0]),
            tasks_limit=min(int(limit[0]) for limit in words["limit"]),
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"no {error} in {output[:200]!r}") from error
