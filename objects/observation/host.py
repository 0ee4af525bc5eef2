"""What was observed of a host, as values: facts, containers, images. Written by `hosts/`, read by everybody.

An observation is always of *one* host and either complete or absent: a partial read is never given on. All times are
the host's own clock as the engine reports it, aware UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import dataclass_transform

import msgspec

from objects.own.charge import Charge


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class ObservedStruct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of observations: never part of a manifest."""


class ImageFact(ObservedStruct):
    """An image on a host. names: tags and digests as Docker lists them; size_bytes: on disk, layers included."""

    id: str
    names: tuple[str, ...] = ()
    size_bytes: int = 0


class NetworkRange(ObservedStruct):
    """Addresses that a Docker network of somebody else has, e.g. `172.18.0.0/16`."""

    name: str
    subnet: str


class HostTraits(ObservedStruct):
    """What sort of host it is. What follows from it says `policies.host_support`.

    engine: `Docker`, or what answers in its place (`Podman`). security_options: their names (`seccomp`, `rootless`,
    `userns` …). limits_memory, limits_cpu: whether the kernel holds a container's limit. weighs_cpu: whether it shares
    CPU time by requests. networks: those of others.
    forwards_tcp, forwards_sockets: whether sshd does; None while that is not known. root_refused: why nothing can be
    done as root, '' when it can; root_remedy: what to do about it. has_iptables: None while that is not known.
    """

    engine: str = ""
    security_options: tuple[str, ...] = ()
    limits_memory: bool = True
    limits_cpu: bool = True
    weighs_cpu: bool = True
    has_containerd_images: bool = False
    networks: tuple[NetworkRange, ...] = ()
    forwards_tcp: bool | None = None
    forwards_sockets: bool | None = None
    root_refused: str = ""
    root_remedy: str = ""
    has_iptables: bool | None = None


class HostFacts(ObservedStruct):
    """What a host is and has; changes rarely.

    disk_* and inodes*: the file system that holds Docker's root directory; inodes: 0 where it counts none.
    memory_available_bytes is `MemAvailable`. tasks*: processes and threads, how many there are and may be.
    cpus: logical processors. cgroup_version: 1 or 2. claim_volumes: Docker volumes that hold data of claims.
    pod_volumes: those that were made for one pod and go with it.
    """

    hostname: str = ""
    cpus: int = 0
    memory_bytes: int = 0
    memory_available_bytes: int = 0
    disk_bytes: int = 0
    disk_free_bytes: int = 0
    inodes: int = 0
    inodes_free: int = 0
    tasks: int = 0
    tasks_limit: int = 0
    architecture: str = ""
    operating_system: str = ""
    kernel_version: str = ""
    engine_version: str = ""
    api_version: str = ""
    docker_root: str = ""
    cgroup_version: int = 0
    boot_id: str = ""
    images: tuple[ImageFact, ...] = ()
    claim_volumes: tuple[str, ...] = ()
    pod_volumes: tuple[str, ...] = ()
    traits: HostTraits = HostTraits()


class ObservedContainer(ObservedStruct):
    """One container on a host, ours or foreign.

    state: Docker's `created running paused restarting removing exited dead`. restart_count: Docker's own restarts since
    the last start by the API. address: on the pod network, else ''. restart_policy: `no always unless-stopped
    on-failure`. cpu_shares, cpu_quota_micros, memory_bytes: as `docker inspect` shows them now, 0 when unlimited.
    termination_message: what it left to say at its end, '' when nobody asked or it said nothing.
    host_ports: (protocol, host ip, port) that it publishes. lacks_host_ports: it runs, and of the ports that it was
    made to publish some are not. has_no_network: it runs but hangs on no network (somebody disconnected it).
    stop_signal: what its process wants to be ended with (`SIGQUIT`), '' for SIGTERM. labels: all of them; ours begin
    with `berth.dev/`, also where they came with an image. made_as: the name under which Berth made it, out of the host
    settings of a container, which no image carries; '' for all others, and for what is only listed yet.
    """

    id: str
    name: str
    made_as: str = ""
    image: str = ""
    image_id: str = ""
    labels: dict[str, str] = {}
    state: str = "created"
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    restart_count: int = 0
    restart_policy: str = "no"
    address: str = ""
    network_mode: str = ""
    has_no_network: bool = False
    cpu_shares: int = 0
    cpu_quota_micros: int = 0
    memory_bytes: int = 0
    stop_signal: str = ""
    termination_message: str = ""
    host_ports: tuple[tuple[str, str, int], ...] = ()
    lacks_host_ports: bool = False


class NetworkFact(ObservedStruct):
    """The pod network of a host as Docker has it."""

    name: str
    subnet: str = ""
    gateway: str = ""


class ProbeFact(ObservedStruct):
    """What the probes of one kind say of one run of a container, thresholds applied.

    kind: `startup`, `liveness` or `readiness`. started_at: of the run. passes: None while nothing is decided yet.
    failed_at, message: the first failure of the present row of them; None and '' after a success.
    errored_at, error: since when and why it cannot be asked, which counts for nothing; None and '' after an answer.
    Both times are of the host's steady clock.
    """

    container_id: str
    kind: str
    started_at: datetime | None
    passes: bool | None = None
    failed_at: datetime | None = None
    message: str = ""
    errored_at: datetime | None = None
    error: str = ""


class HookFact(ObservedStruct):
    """A lifecycle hook that was begun in one run of a container.

    kind: `postStart` or `preStop`. begun_at, ended_at: of the host's steady clock; ended_at None while it goes on.
    error: why it failed, '' when it did not.
    """

    container_id: str
    kind: str
    started_at: datetime | None
    begun_at: datetime
    ended_at: datetime | None = None
    error: str = ""


class HostObservation(ObservedStruct):
    """A complete look at one host at one time.

    now: the *host's* clock when the look was taken, so that times of containers compare without skew. steady: the same
    moment by a clock that was set by the host's once and is never set again: what durations are counted on, and what
    the times of probes and hooks are of; None: the host's clock is steady. probes and hooks:
    of those that were asked for, what this process has learnt so far; a fresh one knows nothing. unanswered: ids of
    containers that are shown as they were before, because the engine is slow to answer for them: not to be acted on.
    charges: who left a mark of being in charge.
    """

    host: str
    now: datetime
    facts: HostFacts
    containers: tuple[ObservedContainer, ...] = ()
    unanswered: frozenset[str] = frozenset()
    pod_network: NetworkFact | None = None
    host_parts: dict[str, str] = {}
    probes: tuple[ProbeFact, ...] = ()
    hooks: tuple[HookFact, ...] = ()
    charges: tuple[Charge, ...] = ()
    steady: datetime | None = None

    @property
    def steady_now(self) -> datetime:
        """The host's steady clock when the look was taken."""
        return self.steady or self.now

    def is_old(self, container: ObservedContainer) -> bool:
        """Whether the container is shown as it was in an earlier look."""
        return container.id in self.unanswered
