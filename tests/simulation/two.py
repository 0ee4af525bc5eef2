"""Two reconcilers of one cluster, each with links of its own to the same hosts: one is superseded while it acts.

The first one's calls may land late, within the time that a host settles; either one's links and the first one's Git
come and go. What must always hold: no two pods of one ordinal run.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from differ.kubelet.actions import Action, MarkCharge, RemoveVolume
from differ.kubelet.probes.probing import ProbeOrder
from hosts.simulated.host import SimulatedHost
from objects.api.core import Namespace
from objects.api.meta import KubeObject, ObjectMeta
from objects.defaults import default
from objects.errors import ChargeInDoubt, DeadlineExceeded, HostError, HostUnreachable
from objects.names import LABEL_POD_NAME, LABEL_POD_UID
from objects.observation.host import HostObservation
from objects.own.charge import Charge, marker_name
from objects.own.config import Cluster
from reconciler.charge.rules import (
    SETTLE_SECONDS,
    Go,
    Mark,
    Over,
    next_step,
)
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.plan.simulate import TICK, SimulatedClock, SimulatedCluster
from reconciler.state.messages import (
    Desired,
    Message,
    Recorded,
    Restored,
)
from reconciler.status.content import render_files, restore
from tests.unit.controllers.manifests import stateful_set
from tests.unit.reconciler.cluster import make_host

START = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = ("h0", "h1", "h2")
IMAGES = ("web:1", "web:2", "web:3")
POLL_SECONDS = 20


class Link:
    """One reconciler's way to one host, with what a worker and a runtime do about charges.

    late: chance that a call is on its way for a while; its caller waits for it, and sees nothing of the host meanwhile.
    """

    def __init__(self, host: SimulatedHost, clock: SimulatedClock, process: Process, late: float) -> None:
        self.host = host
        self.is_up = True
        self._clock = clock
        self._process = process
        self._late = late
        self._marked_at: datetime | None = None
        self._shown: set[str] | None = None
        self._in_flight: list[tuple[datetime, Action]] = []

    def observe(self) -> HostObservation:
        """A look that counts; until then the host is silent, as it is to an engine that is told nothing."""
        self._check()
        if self._in_flight:
            raise HostUnreachable("waiting for an answer", host=self.host.name)
        seen = self.host.observe()
        self._shown = set(self.host.engine.charges)
        step = next_step(self._process.charge, seen.charges, marked_at=self._marked_at, now=self._clock.now)
        if isinstance(step, Mark):
            self.host.perform(MarkCharge(charge=self._process.charge))
            return self.observe()
        if isinstance(step, Over):
            self._process.is_over = True
            self._check()
        self._marked_at = self._marked_at or self._clock.now
        if not isinstance(step, Go):
            raise HostUnreachable("settling", host=self.host.name)
        for stale in step.stale:
            self.host.perform(RemoveVolume(volume=marker_name(stale)))
        return seen

    def perform(self, action: Action) -> tuple[str, ...]:
        self._check()
        if self._shown is not None and self.host.engine.charges.keys() - self._shown:
            raise ChargeInDoubt("look first", host=self.host.name)
        if self._process.random.random() < self._late:
            delay = timedelta(seconds=self._process.random.uniform(0, SETTLE_SECONDS - 0.5))
            self._in_flight.append((self._clock.now + delay, action))
            raise DeadlineExceeded("no answer", host=self.host.name)
        self.host.observe()  # a mark that the caller has seen is no doubt of the host's
        return self.host.perform(action)

    def keep_probing(self, orders: Sequence[ProbeOrder]) -> None:
        if not self._process.is_over:
            self.host.keep_probing(orders)

    def next_event(self) -> datetime | None:
        return self.host.next_event()

    def land(self) -> None:
        """Calls that are due have their effect, whatever became of their caller."""
        due = [action for at, action in self._in_flight if at <= self._clock.now]
        self._in_flight = [(at, action) for at, action in self._in_flight if at > self._clock.now]
        for action in due:
            self.host.observe()
            try:
                self.host.perform(action)
            except HostError:
                continue

    def _check(self) -> None:
        if self._process.is_over or not self.is_up:
            raise HostUnreachable("cut off, or nobody's", host=self.host.name)


class Process:
    """A reconciler: an engine on its links."""

    def __init__(
        self, charge: Charge, hosts: dict[str, SimulatedHost], clock: SimulatedClock, source: random.Random, late: float
    ) -> None:
        self.charge = charge
        self.random = source
        self.is_over = False
        self.has_git = True
        self.links = {name: Link(host, clock, self, late) for name, host in hosts.items()}
        engine = Engine(CONTROLLERS, source=random.Random(source.getrandbits(32)), writes_ahead=True)
        self.cluster = SimulatedCluster(engine, self.links, clock)  # type: ignore[arg-type]
        self.pending: list[Message] = []

    def settle(self) -> bool:
        """Whether every host that answers is settled: before, the daemon's engine knows nothing and waits."""
        waits = False
        for link in self.links.values():
            try:
                link.observe()
            except HostUnreachable as silence:
                waits |= silence.message == "settling"
        return not waits

    def round(self) -> None:
        messages, self.pending = self.pending, []
        if not self.is_over:
            self.cluster.round(*messages)

    def status(self) -> Restored:
        engine = self.cluster.engine
        restored = restore(render_files(engine.store, engine.inventory, is_ahead=engine.is_ahead).items())
        self.pending.append(Recorded(engine.will_record([obj.key for obj in restored.objects])))
        return msgspec.structs.replace(restored, follows=True)


class TwoReconcilers:
    """One seeded history. The second takes over at step `takes_over_at` of `run`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = SimulatedClock(START)
        self.hosts = {name: SimulatedHost(name, clock=self.clock, images=IMAGES) for name in HOSTS}
        self.image, self.replicas, self.commits = IMAGES[0], 3, 0
        self.is_parallel = self.random.random() < 0.5
        self.first = self._process(1, late=0.1)
        self.first.pending = [Restored(), self.desired()]
        self.second: Process | None = None
        self.has_begun = False
        self.log: list[str] = []
        for _ in range(40):
            self._tick()
        self.status = self.first.status()

    def _process(self, epoch: int, *, late: float = 0.0) -> Process:
        charge = Charge(epoch=epoch, holder=f"p{epoch}")
        return Process(charge, self.hosts, self.clock, random.Random(self.random.getrandbits(32)), late)

    def desired(self) -> Desired:
        objects: list[KubeObject] = [Cluster(), Namespace(metadata=ObjectMeta(name="default"))]
        objects += map(make_host, HOSTS)
        objects.append(stateful_set(self.image, replicas=self.replicas, parallel=self.is_parallel))
        return Desired(commit=f"c{self.commits}", objects=tuple(default(obj) for obj in objects))

    def run(self, steps: int) -> None:
        takes_over_at = self.random.randrange(5, steps)
        for step in range(steps):
            if step == takes_over_at:
                self.log.append("the second takes over")
                self.second = self._process(2)
            self._happen()
            self._tick()

    def calm(self) -> None:
        """Everybody reaches everything: one of them stays, and the newest commit holds."""
        for process in filter(None, (self.first, self.second)):
            process.has_git = True
            for link in process.links.values():
                link.is_up = True
        wanted = [(f"db-{ordinal}", self.image) for ordinal in range(self.replicas)]
        for _ in range(3000):
            self._tick()
            if sorted((pod, image) for pod, image, _ in self._running()) == wanted:
                break
        assert sorted((pod, image) for pod, image, _ in self._running()) == wanted, "\n".join(self.log)
        assert self.second is not None
        assert (self.first.is_over, self.second.is_over) == (True, False)

    def _tick(self) -> None:
        self.clock.now += TICK  # also while nobody has a round
        for link in self.first.links.values():
            link.land()
        self.first.round()
        second = self.second
        # What must be recorded before it is begun, as soon as the process reaches Git and is in charge there.
        if second is None and self.first.has_git and self.first.cluster.engine.withheld and self.random.random() < 0.3:
            self.status = self.first.status()
        if second is not None and self.has_begun and second.cluster.engine.withheld and self.random.random() < 0.3:
            second.status()
        if second is not None and not self.has_begun and second.settle():
            self.has_begun = True
            second.pending = [self.status, self.desired()]
        if second is not None and self.has_begun:
            second.round()
        if second is not None and self.first.has_git and self.random.random() < 0.2 / POLL_SECONDS:
            self.first.is_over = True
        self.check()

    def _happen(self) -> None:
        kind = self.random.random()
        if kind < 0.08:
            self.commits += 1
            self.image, self.replicas = self.random.choice(IMAGES), self.random.randint(1, 5)
            self.log.append(f"c{self.commits}: {self.image} x {self.replicas}")
            if self.first.has_git and self.second is None:
                self.first.pending.append(self.desired())
            if self.second is not None and self.has_begun:
                self.second.pending.append(self.desired())
        elif kind < 0.14:
            self.first.has_git = not self.first.has_git
            self.log.append(f"the first {'has' if self.first.has_git else 'has lost'} Git")
        elif kind < 0.30:
            who = self.random.choice([self.first, *([self.second] if self.second else [])])
            link = who.links[self.random.choice(HOSTS)]
            link.is_up = not link.is_up
            self.log.append(f"{who.charge.holder} {'reaches' if link.is_up else 'does not reach'} {link.host.name}")
        elif kind < 0.40:
            host = self.hosts[self.random.choice(HOSTS)]
            ours = sorted(c.id for c in host.engine.containers.values() if LABEL_POD_UID in c.labels)
            if ours:
                self.log.append(f"{host.name}: a container is removed")
                host.happen(lambda engine, now: engine.remove(ours[0]))
        elif kind < 0.50 and self.first.has_git and self.second is None:
            self.status = self.first.status()

    def check(self) -> None:
        pods: dict[str, set[str]] = defaultdict(set)
        for pod, _, uid in self._running():
            pods[pod].add(uid)
        doubles = {pod: uids for pod, uids in pods.items() if len(uids) > 1}
        assert not doubles, f"two pods of one ordinal: {doubles}\n" + "\n".join(self.log)

    def _running(self) -> list[tuple[str, str, str]]:
        return [
            (c.labels[LABEL_POD_NAME], c.image, c.labels[LABEL_POD_UID])
            for host in self.hosts.values()
            for c in host.engine.containers.values()
            if LABEL_POD_UID in c.labels and c.state == "running"
        ]
