"""What a host is and has, in one pass: three calls to its engine and one command, kept for a while.

The command reads what the engine does not tell: free space of Docker's disk, available memory, the boot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import structs

from hosts.docker.engine import Engine
from hosts.measure.host_resources import parse_vitals, vitals_script
from hosts.observe.traits import compose_traits, try_tcp_forwarding
from objects.errors import HostError, HostUnreachable
from objects.names import (
    LABEL_CLAIM,
    LABEL_POD_UID,
    claim_volume_generation,
    claim_volume_name,
    pod_of_volume,
)
from objects.observation.figures import HostVitals
from objects.observation.host import HostFacts, HostTraits, ImageFact

COMMAND_SECONDS = 15.0
"""A `stat` on a dying disk hangs; nothing else takes longer than 0.3 s."""


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
    """Facts of one host. Thread-safe; what rarely changes is asked for rarely."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._clock = engine.link.clock
        self._lock = threading.Lock()
        self._facts: HostFacts | None = None
        self._machine: MachineFacts | None = None
        self._read_at = 0.0
        self._asked_sshd_on = -1
        self._forwards_tcp: bool | None = None

    def read(self, *, max_age_seconds: float = 0.0) -> HostFacts:
        """All facts, at most so old. Raises what the engine or the link raise; never gives partial facts.

        What only a command tells (memory, disk) stays as it was known when sshd or the command refuses: the engine's
        word is what a look needs, and these figures are measured by themselves, which says what is wrong.
        """
        with self._lock:
            facts = self._facts
            if facts is not None and self._clock() - self._read_at < max_age_seconds:
                return facts
        facts = self._read()
        with self._lock:
            self._facts, self._read_at = facts, self._clock()
        return facts

    def _read(self) -> HostFacts:
        """Ask the host now. Takes 100 to 300 ms, nearly all of it for the command."""
        info: dict[str, Any] = self._engine.api.info()
        try:
            machine = self._machine = read_machine(self._engine, str(info.get("DockerRootDir") or "/var/lib/docker"))
        except HostUnreachable:
            raise
        except HostError:
            if self._machine is None:
                raise
            machine = self._machine
        api = self._engine.api
        volumes: dict[str, Any] = api.volumes()
        version = api.version()
        facts = compose_facts(info, version, api.images(), machine, volumes.get("Volumes") or [])
        return structs.replace(facts, traits=self._traits(info, version))

    def _traits(self, info: dict[str, Any], version: dict[str, Any]) -> HostTraits:
        link = self._engine.link
        if self._asked_sshd_on != link.connection_number:
            # sshd may be set up anew between two connections, and it notes each refusal in its log.
            self._forwards_tcp, self._asked_sshd_on = try_tcp_forwarding(self._engine), link.connection_number
        return compose_traits(
            info,
            version,
            self._engine.api.networks(),
            forwards_tcp=self._forwards_tcp,
            forwards_sockets=self._engine.forwards_sockets,
        )

    def expire(self) -> None:
        """Read anew next time: an image was pulled, the host was restarted."""
        with self._lock:
            self._facts = None


def read_machine(engine: Engine, docker_root: str) -> MachineFacts:
    """What the machine says of itself, by one command. Raises HostError."""
    result = engine.link.run(machine_script(docker_root), timeout_seconds=COMMAND_SECONDS, check=True)
    try:
        return parse_machine(result.stdout.decode(errors="replace"))
    except ValueError as error:
        raise HostError(f"cannot read disk and memory: {error}", host=engine.host) from error


def compose_facts(
    info: dict[str, Any],
    version: dict[str, Any],
    images: list[dict[str, Any]],
    machine: MachineFacts,
    volumes: list[dict[str, Any]],
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
        images=tuple(sorted((_image_fact(image) for image in images), key=lambda fact: fact.id)),
        claim_volumes=_names_of(volumes, _is_of_claim),
        pod_volumes=_names_of(volumes, _is_of_pod),
    )


def _names_of(volumes: list[dict[str, Any]], is_ours: Callable[[str, dict[str, str]], bool]) -> tuple[str, ...]:
    """The names of those that `is_ours` says so of by name and labels: of a volume of ours the two agree."""
    told = ((str(volume["Name"]), volume.get("Labels") or {}) for volume in volumes)
    return tuple(sorted(name for name, labels in told if is_ours(name, labels)))


def _is_of_pod(name: str, labels: dict[str, str]) -> bool:
    return bool(pod_of_volume(name)) and labels.get(LABEL_POD_UID) == pod_of_volume(name)


def _is_of_claim(name: str, labels: dict[str, str]) -> bool:
    namespace, _, claim = labels.get(LABEL_CLAIM, "").partition("/")
    return bool(claim) and claim_volume_generation(name)[0] == claim_volume_name(namespace, claim)


def _image_fact(image: dict[str, Any]) -> ImageFact:
    names = [*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())]
    return ImageFact(
        id=str(image["Id"]),
        names=tuple(name for name in names if not name.startswith("<none>")),
        size_bytes=int(image.get("Size", 0)),
    )
