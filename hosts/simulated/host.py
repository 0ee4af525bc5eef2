"""A host in memory that behaves like a real one, faults included. It powers `berth plan` and the simulation tests.

Everything is in the arguments: the clock, the seeded source of faults, what programs do. The same arguments and calls
give the same outcome, so that a failing seed can be run again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import msgspec
from msgspec import structs

from differ.kubelet.actions import (
    Action,
    ApplyHostPart,
    CreateContainer,
    EnsureNetwork,
    MarkCharge,
    PrepareVolume,
    PullImage,
    RemoveContainer,
    RemoveImage,
    RemoveVolume,
    RenameContainer,
    RunHook,
    SignalContainer,
    StartContainer,
    UnpauseContainer,
    UpdateContainer,
    WriteFiles,
)
from differ.kubelet.probes.probing import ProbeOrder
from hosts.simulated.engine import Programs, SimulatedEngine, forever
from hosts.simulated.health import SimulatedHealth
from objects.errors import ChargeInDoubt, EngineError, HostUnreachable, ImagePullFailed
from objects.names import LABEL_CONTAINER, LABEL_POD_UID, LABEL_SPEC_HASH
from objects.observation.figures import ContainerSample, HostVitals, Measurement
from objects.observation.host import (
    HostFacts,
    HostObservation,
    ImageFact,
    ObservedContainer,
)
from objects.observation.metrics import Scrape, Scraped
from objects.values.image_reference import canonical_image

DEFAULT_FACTS = HostFacts(
    hostname="simulated",
    cpus=8,
    memory_bytes=16 << 30,
    memory_available_bytes=15 << 30,
    disk_bytes=100 << 30,
    disk_free_bytes=90 << 30,
    architecture="amd64",
    operating_system="Simulated",
    engine_version="27.0.0",
    api_version="1.46",
    docker_root="/var/lib/docker",
    cgroup_version=2,
    boot_id="boot-1",
)


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Chances per action, 0 … 1.

    lost_replies: it has its effect, but the caller sees the link break. refusals: it has none, the engine answers 500.
    lost_calls: the link breaks before it has any.
    """

    lost_replies: float = 0.0
    refusals: float = 0.0
    lost_calls: float = 0.0


NO_FAULTS = Faults()


Samples = Callable[[ObservedContainer, datetime], ContainerSample]
"""(container, time) -> the counters of a container that runs."""


def idle(_: ObservedContainer, __: datetime) -> ContainerSample:
    """Uses nothing."""
    return ContainerSample(cpu_nanos=0, memory_bytes=0, disk_bytes=0)


class SimulatedHost:
    """A `HostRuntime` in memory. Thread-safe.

    clock: aware UTC. programs: what processes do. samples: what a running container has used. unpullable: images
    that no registry has. pull_seconds: how long a pull takes, spent by `sleep`. before_action: called with each action
    before its effect; may raise (crash points).
    """

    def __init__(
        self,
        name: str,
        *,
        clock: Callable[[], datetime],
        facts: HostFacts = DEFAULT_FACTS,
        images: Iterable[str] = (),
        unpullable: Iterable[str] = (),
        programs: Programs = forever,
        samples: Samples = idle,
        answers: Callable[[Scrape], str] = lambda _: "",
        faults: Faults = NO_FAULTS,
        random: Random | None = None,
        pull_seconds: float = 0.0,
        sleep: Callable[[float], None] = lambda _: None,
        before_action: Callable[[Action], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.engine = SimulatedEngine(name, programs=programs)
        self.is_reachable = True
        self.performed: list[Action] = []
        self.faults = faults
        self._clock = clock
        self._facts = facts
        self._samples = samples
        self._answers = answers
        self._unpullable = frozenset(canonical_image(image) for image in unpullable)
        self._random = random or Random(0)
        self._pull_seconds = pull_seconds
        self._sleep = sleep
        self._before_action = before_action
        self._lock = threading.RLock()
        self._wake: Callable[[], None] = lambda: None
        self._health = SimulatedHealth(self.engine)
        self._look: tuple[tuple[int, int], HostObservation] | None = None
        self._shown_charges: set[str] = set()
        for image in (*images, *(name for fact in facts.images for name in fact.names)):
            self.engine.add_image(image)
        self._hands: dict[type[Action], Callable[[Any], None]] = {
            EnsureNetwork: self._ensure_network,
            ApplyHostPart: lambda action: self.engine.set_part(action.part.name, action.part.wanted),
            PullImage: self._pull,
            RemoveImage: lambda action: self.engine.remove_image(action.id),
            CreateContainer: self._create,
            StartContainer: self._start,
            SignalContainer: self._signal,
            RemoveContainer: self._remove,
            RenameContainer: lambda action: self.engine.rename(action.id, action.name),
            UpdateContainer: lambda action: self.engine.update(action.id, action.restart_policy, action.resources),
            UnpauseContainer: lambda action: self.engine.unpause(action.id),
            WriteFiles: self._write_files,
            RunHook: self._run_hook,
            PrepareVolume: lambda action: self.engine.add_claim_volume(action.volume),
            RemoveVolume: lambda action: self.engine.remove_volume(action.volume),
            MarkCharge: lambda action: self.engine.mark_charge(action.charge),
        }

    @classmethod
    def from_observation(
        cls, observation: HostObservation, *, clock: Callable[[], datetime], programs: Programs = forever
    ) -> SimulatedHost:
        """A copy of a host as it was seen: what happens to the copy does not happen to the host."""
        host = cls(observation.host, clock=clock, facts=observation.facts, programs=programs)
        host.engine.adopt(observation.containers)
        host.engine.network = observation.pod_network
        host.engine.parts = dict(observation.host_parts)
        for name in observation.facts.claim_volumes:
            host.engine.add_claim_volume(name)
        for charge in observation.charges:
            host.engine.mark_charge(charge)
        host._shown_charges = set(host.engine.charges)
        return host

    def observe(self) -> HostObservation:
        with self._lock:
            self._check_link()
            now = self._clock()
            self._advance(now)
            mark = (self.engine.changes, self._health.changes)
            if self._look is None or self._look[0] != mark:
                self._look = (mark, self._compose(now))
            self._shown_charges = set(self.engine.charges)
            if not self.engine.ahead:
                return structs.replace(self._look[1], now=now)
            return structs.replace(self._look[1], now=now + self.engine.ahead, steady=now)

    def measure(self, *, containers: bool = False, disk: bool = False) -> Measurement:
        with self._lock:
            self._check_link()
            now = self._clock()
            self.engine.advance(now)
            running = [one for one in self.engine.containers.values() if one.state in ("running", "paused")]
            samples = {one.id: self._samples(one, now) for one in running} if containers or disk else {}
            if not disk:
                samples = {name: structs.replace(one, disk_bytes=None) for name, one in samples.items()}
            vitals = HostVitals(**{name: getattr(self._facts, name) for name in HostVitals.__struct_fields__})
            volumes = dict.fromkeys(sorted(self.engine.volumes), 0) if disk else {}
            return Measurement(vitals=vitals, uptime_seconds=now.timestamp(), containers=samples, volumes=volumes)

    def scrape(self, scrapes: Sequence[Scrape]) -> tuple[Scraped, ...]:
        with self._lock:
            self._check_link()
            return tuple(Scraped(scrape=one, text=self._answers(one)) for one in scrapes)

    def perform(self, action: Action) -> tuple[str, ...]:
        with self._lock:
            self._check_link()
            self._check_charges(action)
            self._before_action(action)
            fault = self._random.random()
            limits = (self.faults.lost_calls, self.faults.refusals, self.faults.lost_replies)
            if fault < limits[0]:
                raise HostUnreachable("the link broke", host=self.name)
            if fault < limits[0] + limits[1]:
                raise EngineError("simulated refusal", status=500, host=self.name)
            if isinstance(action, PullImage):
                self._sleep(self._pull_seconds)
            self._advance(self._clock())
            self._hands[type(action)](action)
            self.performed.append(action)
            if fault < sum(limits):
                raise HostUnreachable("the link broke", host=self.name)
        self._wake()
        return ()

    def keep_probing(self, orders: Sequence[ProbeOrder]) -> None:
        with self._lock:
            self._health.probes.keep(orders, self._clock())

    def watch(self, wake: Callable[[], None], wake_later: Callable[[], None]) -> None:  # noqa: ARG002
        self._wake = wake

    def close(self) -> None:
        self._wake = lambda: None

    def happen(self, change: Callable[[SimulatedEngine, datetime], None]) -> None:
        """Let somebody else do something to the host: `host.happen(lambda engine, now: engine.signal(…, now))`."""
        with self._lock:
            now = self._clock()
            self._advance(now)
            change(self.engine, now)
        self._wake()

    def set_clock(self, by: timedelta) -> None:
        """Somebody sets the host's clock; what happens on it goes on as before."""
        with self._lock:
            self._advance(self._clock())
            self.engine.ahead += by
            self.engine.changes += 1

    def next_event(self) -> datetime | None:
        """When something happens on the host by itself."""
        with self._lock:
            event = self.engine.next_event()
            times = (None if event is None else event[0], self._health.next_news(self._clock()))
            return min((at for at in times if at is not None), default=None)

    # --- inside --------------------------------------------------------------------------------------------------

    def _advance(self, now: datetime) -> None:
        """Let everything happen that is due by `now`: what processes do, and what probes then see."""
        while (due_at := self._health.probes.next_due()) is not None and due_at <= now:
            self.engine.advance(due_at)
            self._health.ask(due_at, can_ask=self.is_reachable)
        self.engine.advance(now)

    def _check_link(self) -> None:
        if not self.is_reachable:
            raise HostUnreachable("no answer", host=self.name)

    def _check_charges(self, action: Action) -> None:
        new = self.engine.charges.keys() - self._shown_charges
        if new and not isinstance(action, MarkCharge):
            raise ChargeInDoubt(f"{min(new)} appeared, which nobody has looked at", host=self.name)

    def _compose(self, now: datetime) -> HostObservation:
        images = tuple(ImageFact(id=image_id, names=(name,)) for name, image_id in sorted(self.engine.images.items()))
        return HostObservation(
            host=self.name,
            now=now,
            facts=structs.replace(
                self._facts,
                images=images,
                claim_volumes=tuple(sorted(self.engine.claim_volumes)),
                pod_volumes=tuple(sorted(self.engine.volumes)),
            ),
            containers=tuple(self.engine.containers[key] for key in sorted(self.engine.containers)),
            pod_network=self.engine.network,
            host_parts=dict(self.engine.parts),
            probes=self._health.probes.facts(),
            hooks=self._health.hooks(),
            charges=tuple(sorted(self.engine.charges.values(), key=lambda charge: charge.rank)),
        )

    def _ensure_network(self, action: EnsureNetwork) -> None:
        self.engine.set_network(action.network.name, action.network.subnet, action.network.gateway)

    def _pull(self, action: PullImage) -> None:
        if canonical_image(action.image) in self._unpullable:
            raise ImagePullFailed(f"{action.image}: manifest unknown", host=self.name)
        self.engine.add_image(action.image)

    def _create(self, action: CreateContainer) -> None:
        now = self._clock()
        try:
            container_id = self.engine.create(action.spec, now)
        except EngineError as error:
            if error.status != 409:
                raise
            container_id = self._adopt(action, error).id
        if action.start:
            self.engine.start(container_id, now)

    def _adopt(self, action: CreateContainer, conflict: EngineError) -> ObservedContainer:
        found = self.engine.find(action.spec.name)
        for label in (LABEL_POD_UID, LABEL_CONTAINER, LABEL_SPEC_HASH):
            if found.labels.get(label) != action.spec.labels.get(label):
                raise conflict
        return found

    def _start(self, action: StartContainer) -> None:
        if action.rename_to:
            self.engine.rename(action.id, action.rename_to)
        self.engine.start(action.id, self._clock())

    def _run_hook(self, action: RunHook) -> None:
        self._health.begin_hook(action, self._clock())

    def _write_files(self, action: WriteFiles) -> None:
        self.engine.find(action.id)  # what lies in volumes is not simulated, that there is a way into them is

    def _signal(self, action: SignalContainer) -> None:
        try:
            self.engine.signal(action.id, action.signal, self._clock())
        except EngineError as error:
            _unless(error, 404, 409)

    def _remove(self, action: RemoveContainer) -> None:
        try:
            self.engine.remove(action.id)
        except EngineError as error:
            _unless(error, 404)


def _unless(error: EngineError, *already: int) -> None:
    """Take a refusal for success when it says that things are so already."""
    if error.status not in already:
        raise error
