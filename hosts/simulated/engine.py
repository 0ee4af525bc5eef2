"""Docker Engine in memory, as far as the pod runtime can tell: containers, images, one network, volumes.

It keeps to what a real engine was seen to do (`tests/contract` compares the two): which call conflicts with what, when
Docker restarts a container by itself, what a signal, a reboot or a restart of the engine leaves behind. Time is what
the caller says: nothing happens between two calls but what was due by then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import structs

from differ.kubelet.actions import ContainerSpec, NamespaceSettings, ResourceSettings
from objects.errors import EngineError
from objects.names import LABEL_CLAIM, LABEL_MANAGED
from objects.observation.host import NetworkFact, ObservedContainer
from objects.own.charge import Charge, marker_name
from objects.values.image_reference import canonical_image

RESTART_FIRST_SECONDS = 0.1
RESTART_CALM_SECONDS = 10.0
"""Docker's own restarts: 100 ms, doubling, from the start again after a run of 10 s."""
KILLED = 137


def always_well(_kind: str, _seconds: float) -> str:
    """Passes every probe."""
    return ""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What a container's process does in one run.

    run_seconds: after which it ends by itself with exit_code (None: never). stop_seconds: how long it takes to end
    after SIGTERM, with stop_code (None: it ignores the signal). out_of_memory: the kernel kills it at its end.
    last_words: its termination message. start_error: it cannot be started at all. answer: (kind of probe, seconds since
    the start) → '' when the probe passes, else what it says. hooks: by kind, how many seconds a hook takes and why it
    fails ('' if it does not).
    """

    run_seconds: float | None = None
    exit_code: int = 0
    stop_seconds: float | None = 0.0
    stop_code: int = 0
    out_of_memory: bool = False
    last_words: str = ""
    start_error: str = ""
    answer: Callable[[str, float], str] = always_well
    hooks: Mapping[str, tuple[float, str]] = {}


Programs = Callable[[ObservedContainer, int], Program]
"""(container, number of the run from 0) → what it does then."""


def forever(_: ObservedContainer, __: int) -> Program:
    """Runs until told to stop."""
    return Program()


class _Process(msgspec.Struct, kw_only=True):
    """The part of a container that an observation does not show.

    is_ending: somebody asked it to end, so Docker leaves it down.
    """

    spec: ContainerSpec
    runs: int = 0
    began_at: datetime | None = None
    ends_at: datetime | None = None
    ends_with: int = 0
    restart_at: datetime | None = None
    delay_seconds: float = RESTART_FIRST_SECONDS
    is_ending: bool = False


class SimulatedEngine:
    """Not thread-safe. Every method takes `now`, which never goes back. Errors are EngineErrors with Docker's
    status.
    """

    def __init__(self, host: str, *, programs: Programs = forever) -> None:
        self.host = host
        self.programs = programs
        self.containers: dict[str, ObservedContainer] = {}
        self.network: NetworkFact | None = None
        self.parts: dict[str, str] = {}
        """Of the declared host state: name → digest of what the host has."""
        self.images: dict[str, str] = {}
        self.volumes: set[str] = set()
        self.claim_volumes: set[str] = set()
        self.charges: dict[str, Charge] = {}
        self.ahead = timedelta()
        """What the host's clock was set by: its stamps differ by so much from the time that is given."""
        self.changes = 0
        """Grows with every change, so that callers know when to look anew."""
        self._processes: dict[str, _Process] = {}
        self._made = 0

    # --- time ----------------------------------------------------------------------------------------------------

    def advance(self, now: datetime) -> None:
        """Let everything happen that is due by `now`, in order."""
        while (due := self.next_event()) is not None and due[0] <= now:
            at, container_id = due
            process = self._processes[container_id]
            if process.restart_at is not None:
                process.restart_at = None
                self._run(container_id, at)
            else:
                self._end(container_id, at, process.ends_with)

    def next_event(self) -> tuple[datetime, str] | None:
        """When something happens by itself, and to which container."""
        times = (
            (at, container_id)
            for container_id, process in self._processes.items()
            for at in (process.restart_at or process.ends_at,)
            if at is not None
        )
        return min(times, default=None)

    # --- containers ----------------------------------------------------------------------------------------------

    def create(self, spec: ContainerSpec, now: datetime) -> str:
        """Make a container; returns its id."""
        if any(container.name == spec.name for container in self.containers.values()):
            raise self._error(409, f'Conflict. The container name "/{spec.name}" is already in use')
        if canonical_image(spec.image) not in self.images:
            raise self._error(404, f"No such image: {spec.image}")
        mode = spec.namespaces.network_mode
        container_id = self._next_id()
        self.containers[container_id] = ObservedContainer(
            id=container_id,
            name=spec.name,
            made_as=spec.name,
            image=spec.image,
            image_id=self.images[canonical_image(spec.image)],
            labels=dict(spec.labels),
            created_at=now + self.ahead,
            restart_policy=spec.restart_policy,
            network_mode=mode,
            cpu_shares=spec.resources.cpu_shares,
            cpu_quota_micros=spec.resources.cpu_quota_micros,
            memory_bytes=spec.resources.memory_bytes,
            stop_signal=spec.stop_signal,
            host_ports=tuple(sorted((port.protocol, port.host_ip, port.host_port) for port in spec.namespaces.ports)),
        )
        self._processes[container_id] = _Process(spec=spec)
        for mount in spec.mounts:
            if mount.is_volume:
                (self.claim_volumes if LABEL_CLAIM in mount.labels else self.volumes).add(mount.source)
        self.changes += 1
        return container_id

    def _next_id(self) -> str:
        """Of a copied host the first ids are taken by what it was copied with."""
        while True:
            self._made += 1
            container_id = f"{self._made:064x}"
            if container_id not in self.containers:
                return container_id

    def add_claim_volume(self, name: str) -> None:
        """A volume that outlives what mounts it."""
        self.claim_volumes.add(name)
        self.changes += 1

    def mark_charge(self, charge: Charge) -> None:
        """A volume that says who is in charge; one that is there stays."""
        self.charges.setdefault(marker_name(charge), charge)
        self.changes += 1

    def remove_volume(self, name: str) -> None:
        """Remove a pod's volume or a mark of who is in charge; one that is mounted stays, none there is fine."""
        user = next((key for key, one in self._processes.items() if any(m.source == name for m in one.spec.mounts)), "")
        if user:
            raise self._error(409, f"remove {name}: volume is in use - [{user}]")
        self.volumes.discard(name)
        self.charges.pop(name, None)
        self.changes += 1

    def start(self, reference: str, now: datetime) -> None:
        """Start a container that does not run. A start by the API begins Docker's count of restarts anew."""
        found = self.find(reference)
        if found.state in ("running", "paused"):
            return
        process = self._processes[found.id]
        self._check_start(found, process)
        process.restart_at, process.delay_seconds, process.is_ending = None, RESTART_FIRST_SECONDS, False
        self._change(found.id, restart_count=0)
        self._run(found.id, now)

    def signal(self, reference: str, signal: str, now: datetime) -> None:
        """Send a signal. Docker then restarts the container no more, also when it was about to."""
        found = self.find(reference)
        process = self._processes[found.id]
        if found.state == "restarting":
            process.restart_at = None
            self._change(found.id, state="exited")
            return
        if found.state not in ("running", "paused"):
            raise self._error(409, f"Cannot kill container: {reference}: Container {found.id} is not running")
        process.is_ending = True
        if signal == "KILL":
            self._end(found.id, now, KILLED)
            return
        program = self.programs(found, process.runs - 1)
        if program.stop_seconds is not None:
            self._change(found.id, state="running")
            process.ends_at, process.ends_with = now + timedelta(seconds=program.stop_seconds), program.stop_code
            self.advance(now)

    def remove(self, reference: str) -> None:
        """Remove a container, running or not."""
        found = self.find(reference)
        del self.containers[found.id], self._processes[found.id]
        self.changes += 1

    def rename(self, reference: str, name: str) -> None:
        found = self.find(reference)
        if found.name == name:
            return
        if any(container.name == name for container in self.containers.values()):
            raise self._error(409, f'Conflict. The container name "/{name}" is already in use')
        self._change(found.id, name=name)

    def update(self, reference: str, restart_policy: str, resources: ResourceSettings | None) -> None:
        found = self.find(reference)
        self._change(found.id, restart_policy=restart_policy)
        if resources is not None:
            self._change(
                found.id,
                cpu_shares=resources.cpu_shares,
                cpu_quota_micros=resources.cpu_quota_micros,
                memory_bytes=resources.memory_bytes,
            )

    def limit(self, reference: str, memory_bytes: int) -> None:
        """Change a container's memory limit alone, as `docker update` does."""
        self._change(self.find(reference).id, memory_bytes=memory_bytes)

    def pause(self, reference: str) -> None:
        found = self.find(reference)
        if found.state != "running":
            raise self._error(409, f"Container {found.id} is not running")
        self._change(found.id, state="paused")

    def unpause(self, reference: str) -> None:
        found = self.find(reference)
        if found.state == "paused":
            self._change(found.id, state="running")

    def disconnect(self, reference: str) -> None:
        """Take a container off its network."""
        self._change(self.find(reference).id, address="", has_no_network=True)

    def crash(self, reference: str, now: datetime, exit_code: int = 1) -> None:
        """Let the process end by itself now; Docker's restart policy then applies."""
        self._end(self.find(reference).id, now, exit_code)

    def find(self, reference: str) -> ObservedContainer:
        """By id, else by name."""
        found = self.containers.get(reference)
        found = found or next((c for c in self.containers.values() if c.name == reference), None)
        if found is None:
            raise self._error(404, f"No such container: {reference}")
        return found

    def program_of(self, container_id: str) -> Program | None:
        """What the container does in its present run; None when it does not run."""
        found = self.containers.get(container_id)
        if found is None or found.state != "running":
            return None
        return self.programs(found, self._processes[found.id].runs - 1)

    # --- the host ------------------------------------------------------------------------------------------------

    def restart(self, now: datetime, *, exit_code: int = 0) -> None:
        """The engine is restarted, or the host with it: all processes end, and what has `always` is started again.

        Containers that join another one are started after it, as far as that runs.
        """
        for container in tuple(self.containers.values()):
            if container.state in ("running", "paused", "restarting"):
                self._processes[container.id].is_ending = True
                self._end(container.id, now, exit_code)
        again = [c for c in self.containers.values() if c.restart_policy in ("always", "unless-stopped")]
        for container in sorted(again, key=lambda c: c.network_mode.startswith("container:")):
            if container.started_at is not None:
                self._change(container.id, state="exited", restart_count=0)
                self._start_quietly(container.id, now)

    def adopt(self, containers: Iterable[ObservedContainer]) -> None:
        """Take over containers as they were seen elsewhere, foreign ones included; they go on from there."""
        for container in containers:
            namespaces = NamespaceSettings(network_mode=container.network_mode, address=container.address)
            spec = ContainerSpec(
                name=container.name, image=container.image, labels=container.labels, namespaces=namespaces
            )
            self.containers[container.id] = container
            self._processes[container.id] = _Process(
                spec=spec, runs=0 if container.started_at is None else 1, began_at=container.started_at
            )
            if container.image:
                self.images.setdefault(canonical_image(container.image), container.image_id)
        self.changes += 1

    def add_image(self, name: str) -> None:
        canonical = canonical_image(name)
        self.images[canonical] = f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
        self.changes += 1

    def remove_image(self, image_id: str) -> None:
        """Remove an image under all its names; one that a container was made of stays, and none there is fine."""
        user = next((one for one in self.containers.values() if one.image_id == image_id), None)
        if user is not None:
            raise self._error(409, f"conflict: unable to delete {image_id}: container {user.id} is using it")
        self.images = {name: known for name, known in self.images.items() if known != image_id}
        self.changes += 1

    def set_network(self, name: str, subnet: str, gateway: str) -> None:
        """Make the pod network, or another in its place when nothing hangs on it."""
        fact = NetworkFact(name=name, subnet=subnet, gateway=gateway)
        if self.network is not None and self.network != fact and self._uses(name):
            raise self._error(403, f"error while removing network: network {name} has active endpoints")
        self.network = fact
        self.changes += 1

    def set_part(self, name: str, digest: str) -> None:
        """Somebody sets a part of the declared host state, or takes it away (digest '')."""
        if self.parts.get(name) != digest:
            self.parts[name] = digest
            self.changes += 1

    # --- inside --------------------------------------------------------------------------------------------------

    def _check_start(self, found: ObservedContainer, process: _Process) -> None:
        """What makes Docker refuse a start."""
        mode, name = found.network_mode, found.name
        running = [c for c in self.containers.values() if c.state in ("running", "paused") and c.id != found.id]
        if mode.startswith("container:"):
            owner = self.containers.get(mode.removeprefix("container:"))
            if owner is None or owner.state not in ("running", "paused"):
                raise self._error(409, f"cannot join network of a non running container: {mode}")
        elif mode != "host" and (self.network is None or self.network.name != mode):
            raise self._error(404, f"network {mode} not found")
        taken = {port for other in running for port in other.host_ports}
        conflict = next((port for port in found.host_ports if port in taken), None)
        address = process.spec.namespaces.address
        if conflict is not None:
            message = f"Bind for {conflict[1] or '0.0.0.0'}:{conflict[2]} failed: port is already allocated"
        elif address and any(other.address == address for other in running):
            message = "Address already in use"
        else:
            message = self.programs(found, process.runs).start_error
        if message:
            self._change(found.id, error=message, exit_code=128)
            raise self._error(500, f"{message} ({name})")

    def _start_quietly(self, container_id: str, now: datetime) -> None:
        try:
            self.start(container_id, now)
        except EngineError:
            return  # as the engine after its own start: the error is on the container

    def _run(self, container_id: str, now: datetime) -> None:
        found, process = self.containers[container_id], self._processes[container_id]
        program = self.programs(found, process.runs)
        process.runs += 1
        process.began_at = now
        process.ends_at = None if program.run_seconds is None else now + timedelta(seconds=program.run_seconds)
        process.ends_with = KILLED if program.out_of_memory else program.exit_code
        self._change(
            container_id,
            state="running",
            exit_code=0,
            error="",
            oom_killed=False,
            started_at=now + self.ahead,
            address=process.spec.namespaces.address,
            has_no_network=False,
        )

    def _end(self, container_id: str, now: datetime, exit_code: int) -> None:
        found, process = self.containers[container_id], self._processes[container_id]
        program = self.programs(found, process.runs - 1) if process.runs else Program()
        process.ends_at = process.restart_at = None
        self._change(
            container_id,
            state="exited",
            exit_code=exit_code,
            finished_at=now + self.ahead,
            address="",
            oom_killed=program.out_of_memory and not process.is_ending,
            termination_message=program.last_words,
        )
        restarts = found.restart_policy in ("always", "unless-stopped")
        if process.is_ending or not restarts:
            return
        if process.began_at is not None and (now - process.began_at).total_seconds() >= RESTART_CALM_SECONDS:
            process.delay_seconds = RESTART_FIRST_SECONDS
        process.restart_at = now + timedelta(seconds=process.delay_seconds)
        process.delay_seconds *= 2
        self._change(container_id, state="restarting", restart_count=found.restart_count + 1)

    def _change(self, container_id: str, **fields: object) -> None:
        self.containers[container_id] = structs.replace(self.containers[container_id], **fields)
        self.changes += 1

    def _uses(self, network: str) -> bool:
        return any(c.network_mode == network and c.state in ("running", "paused") for c in self.containers.values())

    def _error(self, status: int, message: str) -> EngineError:
        return EngineError(message, status=status, host=self.host)


def foreign_container(
    name: str, *, host_ports: Sequence[tuple[str, str, int]] = (), labels: Mapping[str, str] | None = None
) -> ObservedContainer:
    """A container of somebody else, running."""
    given = dict(labels or {})
    assert LABEL_MANAGED not in given
    return ObservedContainer(
        id=f"foreign-{name}", name=name, image="other:1", labels=given, state="running", host_ports=tuple(host_ports)
    )
