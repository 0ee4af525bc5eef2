"""What a host is and has, kept for a while: from answers of its engine (`hosts.observe.answers`), and one command.

The command reads what the engine does not tell: free space of Docker's disk, available memory, the boot.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import structs

from hosts.docker.engine import Engine
from hosts.measure.host_resources import parse_vitals, vitals_script
from hosts.observe.answers import (
    IMAGES,
    INFO,
    NETWORKS,
    VERSION,
    VOLUMES,
    NetworkFacts,
    Remembered,
    VolumeFacts,
    read_images,
    read_networks,
    read_object,
    read_volumes,
)
from hosts.observe.traits import compose_traits, try_tcp_forwarding
from hosts.ssh.shell import LastingShell
from objects.errors import HostError, HostUnreachable
from objects.observation.figures import HostVitals
from objects.observation.host import HostFacts, HostTraits, ImageFact
from objects.own.charge import Charge

COMMAND_SECONDS = 15.0
"""A `stat` on a dying disk hangs; nothing else takes longer than 0.3 s."""
MACHINE_SECONDS = 600.0
"""Between two readings of the machine on one connection: what moves of it is measured every few seconds anyway."""


class MachineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one command on the host tells."""

    vitals: HostVitals
    boot_id: str


def machine_script(docker_root: str) -> str:
    """A POSIX shell script whose output `parse_machine` reads. Needs no root; GNU and busybox tools."""
    return f"{vitals_script(docker_root)} && sed 's/^/boot /' /proc/sys/kernel/random/boot_id"


def parse_machine(output: str) -> MachineFacts:
    """Read the output of `machine_script`: what `parse_vitals` reads, and `boot 5a1c…`.

    Raises ValueError when a line is missing or malformed.
    """
    vitals = parse_vitals(output)
    boot_id = next((line.split()[1] for line in output.splitlines() if line.startswith("boot ")), "")
    if not boot_id:
        raise ValueError(f"no 'boot' in {output[:200]!r}")
    return MachineFacts(vitals=vitals, boot_id=boot_id)


class FactsReader:
    """Facts of one host, from what a look has asked its engine. Thread-safe; what rarely changes is asked for rarely.

    shell: for what only the machine knows.
    """

    def __init__(self, engine: Engine, shell: LastingShell) -> None:
        self._engine = engine
        self._shell = shell
        self._clock = engine.link.clock
        self._lock = threading.Lock()
        self._facts: HostFacts | None = None
        self._machine: MachineFacts | None = None
        self._machine_read_at = 0.0
        self._machine_read_on = -1
        self._read_at = 0.0
        self._asked_sshd_on = -1
        self._forwards_tcp: bool | None = None
        self._version = Remembered(read_object)
        self._images = Remembered(read_images)
        self._volumes = Remembered(read_volumes)
        self._networks = Remembered(read_networks)

    def known(self, *, max_age_seconds: float) -> HostFacts | None:
        """What was read last, if it is not older; None when all has to be read."""
        with self._lock:
            is_recent = self._clock() - self._read_at < max_age_seconds
            return self._facts if is_recent else None

    def read(self, told: Mapping[str, bytes]) -> HostFacts:
        """All facts from what was told by path. Raises what the link raises; never gives partial facts.

        What only the machine tells (memory, disk) stays as it was known when sshd or the command refuses: the engine's
        word is what a look needs, and these figures are measured by themselves, which says what is wrong.
        """
        facts = self._read(told)
        with self._lock:
            if facts == self._facts:
                facts = self._facts  # whoever compares them has an easy time
            self._facts, self._read_at = facts, self._clock()
        return facts

    def charges(self, volumes: bytes) -> tuple[Charge, ...]:
        """What a list of volumes says of who left a mark."""
        return self._volumes.of(volumes).charges

    def networks(self, networks: bytes) -> NetworkFacts:
        """What the list of networks says."""
        return self._networks.of(networks)

    def _read(self, told: Mapping[str, bytes]) -> HostFacts:
        info, version = read_object(told[INFO]), self._version.of(told[VERSION])
        machine = self._read_machine(str(info.get("DockerRootDir") or "/var/lib/docker"))
        facts = compose_facts(info, version, self._images.of(told[IMAGES]), machine, self._volumes.of(told[VOLUMES]))
        return structs.replace(facts, traits=self._traits(info, version, self.networks(told[NETWORKS])))

    def _read_machine(self, docker_root: str) -> MachineFacts:
        """A boot ends the connection, so that the machine is asked with a new one, and now and then."""
        link, now = self._engine.link, self._clock()
        known = self._machine
        is_recent = self._machine_read_on == link.connection_number and now - self._machine_read_at < MACHINE_SECONDS
        if known is not None and is_recent:
            return known
        try:
            self._machine = read_machine(self._shell, docker_root, host=self._engine.host)
        except HostUnreachable:
            raise
        except HostError:
            if known is None:
                raise
            return known
        self._machine_read_on, self._machine_read_at = link.connection_number, now
        return self._machine

    def _traits(self, info: dict[str, Any], version: dict[str, Any], networks: NetworkFacts) -> HostTraits:
        link = self._engine.link
        if self._asked_sshd_on != link.connection_number:
            # sshd may be set up anew between two connections, and it notes each refusal in its log.
            self._forwards_tcp, self._asked_sshd_on = try_tcp_forwarding(self._engine), link.connection_number
        return compose_traits(
            info,
            version,
            networks.others,
            forwards_tcp=self._forwards_tcp,
            forwards_sockets=self._engine.forwards_sockets,
        )

    def expire(self) -> None:
        """Read anew next time: an image was pulled, the host was restarted."""
        with self._lock:
            self._facts = None


def read_machine(shell: LastingShell, docker_root: str, *, host: str) -> MachineFacts:
    """What the machine says of itself. Raises HostError."""
    output = shell.ask(machine_script(docker_root), timeout_seconds=COMMAND_SECONDS)
    try:
        return parse_machine(output)
    except ValueError as error:
        raise HostError(f"cannot read disk and memory: {error}", host=host) from error


def compose_facts(
    info: dict[str, Any],
    version: dict[str, Any],
    images: tuple[ImageFact, ...],
    machine: MachineFacts,
    volumes: VolumeFacts,
) -> HostFacts:
    """Put together what `/info`, `/version`, `/images/json`, `/volumes` and the machine said. Pure.

    Architecture is as Go names it (amd64, arm64), like Kubernetes; API version is the engine's newest.
    """
    return HostFacts(
        hostname=str(info.get("Name", "")),
        cpus=int(info.get("NCPU", 0)),
        memory_bytes=int(info.get("MemTotal", 0)),
        **msgspec.structs.asdict(machine.vitals),
        architecture=str(version.get("Arch", "")),
        operating_system=str(info.get("OperatingSystem", "")),
        kernel_version=str(info.get("KernelVersion", "")),
        engine_version=str(version.get("Version", "")),
        api_version=str(version.get("ApiVersion", "")),
        docker_root=str(info.get("DockerRootDir", "")),
        # Engines before 20.10 do not say, and they know version 1 only.
        cgroup_version=int(info.get("CgroupVersion") or 1),
        boot_id=machine.boot_id,
        images=images,
        claim_volumes=volumes.claim_volumes,
        pod_volumes=volumes.pod_volumes,
    )
