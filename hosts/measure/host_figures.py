"""The figures of one host that move by themselves: what it has left, and on demand what its containers use.

One question to a lasting shell for all containers together; disk use, which makes the engine walk over files, by one
call to the engine and one command, and only when it is asked for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import structs

from hosts.docker.engine import Engine
from hosts.measure.container_usage import USAGE_SCRIPT, parse_usage
from hosts.measure.host_resources import parse_vitals, vitals_script
from hosts.ssh.shell import LastingShell
from objects.errors import HostError
from objects.observation.figures import ContainerSample, Measurement

ANSWER_SECONDS = 15.0
"""A `stat` on a dying disk hangs; everything else takes milliseconds."""
DISK_SECONDS = 60.0
"""The engine adds up the sizes of all writable layers and volumes."""


class HostMeter:
    """Reads one host. Thread-safe. shell: whoever gives it closes it."""

    def __init__(self, engine: Engine, shell: LastingShell) -> None:
        self._engine = engine
        self._shell = shell
        self._docker_root = ""

    def read(self, *, containers: bool, disk: bool) -> Measurement:
        """containers: what each uses of CPU and memory. disk: and what containers and volumes use of the disk.

        Raises HostError; never gives a part of what was asked for.
        """
        root = self._docker_root = self._docker_root or self._ask_root()
        script = vitals_script(root) + (
            f"\n{USAGE_SCRIPT}" if containers else "\nsed 's/ .*//;s/^/uptime /' /proc/uptime"
        )
        output = self._shell.ask(script, timeout_seconds=ANSWER_SECONDS)
        try:
            vitals, (uptime, samples) = parse_vitals(output), parse_usage(output)
        except ValueError as error:
            raise HostError(f"cannot read what the host has left: {error}", host=self._engine.host) from error
        if not disk:
            return Measurement(vitals=vitals, uptime_seconds=uptime, containers=samples)
        with self._engine.deadline(DISK_SECONDS):
            told = self._ask_disk_use()
        sizes, volumes = parse_disk_use(told, self._log_sizes(root))
        for container, size in sizes.items():
            samples[container] = structs.replace(samples.get(container, ContainerSample()), disk_bytes=size)
        return Measurement(vitals=vitals, uptime_seconds=uptime, containers=samples, volumes=volumes)

    def _ask_root(self) -> str:
        return str(self._engine.api.info().get("DockerRootDir") or "/var/lib/docker")

    def _ask_disk_use(self) -> dict[str, Any]:
        """`GET /system/df` without what nobody reads here; engines that do not know the parameters say all of it.

        From API 1.52 on `verbose` has the answer in the form that stays.
        """
        api = self._engine.api
        params = {"type": ["container", "volume"], "verbose": "1"}
        answer = api.get(api.versioned("/system/df"), params=params, timeout=self._engine.call_seconds)
        api.check(answer)
        told: dict[str, Any] = answer.json()
        return told

    def _log_sizes(self, root: str) -> dict[str, int]:
        """Container id -> bytes of its logs. Needs root; where that cannot be had logs count nothing."""
        find = f"find {shlex.quote(root)}/containers -mindepth 2 -name '*.log*' -exec stat -c '%s %n' {{}} +"
        link = self._engine.link
        if link.target.user == "root":
            return parse_log_sizes(self._shell.ask(f"{find} 2>/dev/null || true", timeout_seconds=ANSWER_SECONDS))
        done = link.run(f"sudo -n {find} 2>/dev/null", timeout_seconds=ANSWER_SECONDS)
        return parse_log_sizes(done.stdout.decode(errors="replace"))


def parse_log_sizes(output: str) -> dict[str, int]:
    """`4096 /var/lib/docker/containers/<id>/<id>-json.log` -> {id: 4096}; rotated logs are added up. Pure."""
    sizes: dict[str, int] = {}
    for line in output.splitlines():
        size, _, path = line.partition(" ")
        container = path.partition("/containers/")[2].partition("/")[0]
        if size.isdigit() and container:
            sizes[container] = sizes.get(container, 0) + int(size)
    return sizes


def parse_disk_use(told: Mapping[str, Any], logs: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """(container id -> bytes, volume name -> bytes) from `GET /system/df` and the sizes of logs. Pure.

    A size of -1 is the engine's "not known": then it is not known here either. Lists stand at the top up to API 1.51,
    and in `ContainerUsage` and `VolumeUsage` from 1.52 on.
    """
    containers = {
        str(one["Id"]): int(one.get("SizeRw") or 0) + logs.get(str(one["Id"]), 0) for one in _items(told, "Container")
    }
    volumes = {
        str(one["Name"]): int(size)
        for one in _items(told, "Volume")
        if (size := (one.get("UsageData") or {}).get("Size", -1)) >= 0
    }
    return containers, volumes


def _items(told: Mapping[str, Any], kind: str) -> Iterable[Mapping[str, Any]]:
    items: Iterable[Mapping[str, Any]] | None = told.get(f"{kind}s")
    return items or (told.get(f"{kind}Usage") or {}).get("Items") or ()
