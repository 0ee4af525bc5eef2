"""A simulated world for seeded histories: hosts that outlive reconcilers, commits, faults, and what must always hold.

`python -m tests.simulation --seed N --steps M` replays one history and prints each step.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

from differ.actions import Action
from hosts.simulated import Faults, SimulatedHost
from hosts.simulated_engine import SimulatedEngine, foreign_container
from objects.config import Cluster
from objects.core import ConfigMap, Namespace
from objects.defaults import default
from objects.meta import KubeObject, ObjectMeta
from objects.names import LABEL_POD_UID, parse_container_name
from objects.pods import Pod
from reconciler.controllers import CONTROLLERS
from reconciler.engine import Engine
from reconciler.messages import Desired, Message, Restored
from reconciler.simulate import SimulatedClock, SimulatedCluster
from reconciler.status import render_files, restore
from tests.unit.reconciler.cluster import bare_pod, deployment, make_host

START = datetime(2026, 1, 1, tzinfo=UTC)
IMAGES = ("web:v1", "web:v2", "web:v3")


class Crash(BaseException):
    """The reconciler is killed: not an Exception, so that nothing in it can catch and survive it."""


class World:
    """One seeded history. `step` lets something happen and looks; `calm` ends all faults and waits for rest."""

    def __init__(self, seed: int, *, hosts: int = 4) -> None:
        self.random = random.Random(seed)
        self.clock = SimulatedClock(START)
        self._crash_in = 0
        self.hosts = {
            f"h{n}": SimulatedHost(
                f"h{n}",
                clock=self.clock,
                images=IMAGES,
                faults=Faults(lost_replies=0.03, refusals=0.03, lost_calls=0.03),
                random=random.Random(self.random.getrandbits(32)),
                before_action=self._maybe_crash,
            )
            for n in range(hosts)
        }
        for host in self.hosts.values():
            host.happen(lambda engine, now: engine.adopt([foreign_container("somebody-elses")]))
        self.foreign = {name: self._foreign_of(host) for name, host in self.hosts.items()}
        self.replicas = {"web": 5, "api": 3}
        self.image = {"web": "web:v1", "api": "web:v1"}
        self.commits = 0
        self.log: list[str] = []
        self.status = Restored()
        self.restart()

    # --- what happens --------------------------------------------------------------------------------------------

    def restart(self) -> None:
        """A reconciler with an empty memory, on the same hosts."""
        engine = Engine(CONTROLLERS, source=random.Random(self.random.getrandbits(32)))
        self.cluster = SimulatedCluster(engine, self.hosts, self.clock)
        self._pending: list[Message] = [self.status, self.desired()]

    def desired(self) -> Desired:
        """The newest commit."""
        objects: list[KubeObject] = [
            Cluster(),
            Namespace(metadata=ObjectMeta(name="default")),
            ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"mode": str(self.commits)}),
            *map(make_host, self.hosts),
            bare_pod(self.image["web"]),
        ]
        for name, replicas in self.replicas.items():
            objects.append(deployment(self.image[name], replicas=replicas, name=name))
        return Desired(commit=f"c{self.commits}", objects=tuple(default(obj) for obj in objects))

    def step(self) -> None:
        """Perhaps something bad or new happens, then one round. What must always hold is checked."""
        self._happen()
        messages, self._pending = self._pending, []
        try:
            self.cluster.round(*messages)
        except Crash:
            self.log.append("reconciler killed")
            self._crash_in = 0
            self.restart()
        if self.random.random() < 0.1:
            self._write_status()
        self.clock.now += timedelta(seconds=self.random.choice((0, 0, 1, 5)))
        self.check()

    def _write_status(self) -> None:
        """The status branch, which lags behind: written and read back as the daemon does."""
        engine = self.cluster.engine
        if engine.is_started:
            self.status = restore(render_files(engine.store, engine.inventory).items())

    def _happen(self) -> None:
        kind = self.random.random()
        name = self.random.choice(sorted(self.hosts))
        host = self.hosts[name]
        if kind < 0.05:
            app = self.random.choice(sorted(self.replicas))
            self.commits += 1
            self.image[app] = self.random.choice(IMAGES)
            self.replicas[app] = self.random.randint(0, 7)
            self.log.append(f"commit c{self.commits}: {app} {self.image[app]} x {self.replicas[app]}")
            self._pending.append(self.desired())
        elif kind < 0.10:
            self._crash_in = self.random.randint(1, 5)
        elif kind < 0.15:
            host.is_reachable = not host.is_reachable
            self.log.append(f"{name} {'is back' if host.is_reachable else 'is cut off'}")
        elif kind < 0.25:
            self._meddle(name, host)
        elif kind < 0.27:
            self.log.append(f"{name}: the engine restarts")
            host.happen(lambda engine, now: engine.restart(now))

    def _meddle(self, name: str, host: SimulatedHost) -> None:
        """Somebody kills, removes or pauses a container of ours."""
        ours = sorted(c.id for c in host.engine.containers.values() if LABEL_POD_UID in c.labels)
        if not ours:
            return
        victim, deed = self.random.choice(ours), self.random.choice(("kill", "remove"))
        self.log.append(f"{name}: {deed} {victim[:12]}")
        if deed == "kill":
            host.happen(lambda engine, now: engine.signal(victim, "KILL", now) if _runs(engine, victim) else None)
        else:
            host.happen(lambda engine, now: engine.remove(victim))

    def _maybe_crash(self, _action: Action) -> None:
        if self._crash_in:
            self._crash_in -= 1
            if not self._crash_in:
                raise Crash

    # --- what must hold ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """At every moment: nothing of others is touched, no pod has two containers of one name."""
        for name, host in self.hosts.items():
            assert self._foreign_of(host) == self.foreign[name], f"foreign containers on {name} were touched"
            touched = {getattr(action, "id", "") for action in host.performed}
            assert touched.isdisjoint(self.foreign[name]), f"foreign containers on {name} were touched"
            counts = Counter(
                (parts.uid, parts.container)
                for container in host.engine.containers.values()
                if (parts := parse_container_name(container.name)) is not None
            )
            assert not [key for key, count in counts.items() if count > 1], f"two containers of one pod on {name}"

    def calm(self, *, max_rounds: int = 3000) -> None:
        """No more faults: everything must come to what the newest commit says, and stay there."""
        self._crash_in = 0
        for host in self.hosts.values():
            host.is_reachable = True
            host.faults = Faults()
        messages, self._pending = self._pending, []
        assert self.cluster.run_to_rest(*messages, max_rounds=max_rounds), "the cluster does not come to rest"
        wanted = Counter({self.image["web"]: 0})
        for name, replicas in self.replicas.items():
            wanted[self.image[name]] += replicas
        wanted[self.image["web"]] += 1
        assert Counter(self.running_images()) == +wanted
        assert all(pod.is_ready for pod in self.cluster.engine.store.all_of(Pod))
        quiet = self.cluster.round(self.desired())
        assert quiet.is_quiet, f"a second pass did {quiet}"

    def running_images(self) -> list[str]:
        """Images of our containers that run, over all hosts."""
        return [
            container.image
            for host in self.hosts.values()
            for container in host.engine.containers.values()
            if LABEL_POD_UID in container.labels and container.state == "running"
        ]

    def _foreign_of(self, host: SimulatedHost) -> list[str]:
        return sorted(c.id for c in host.engine.containers.values() if LABEL_POD_UID not in c.labels)


def _runs(engine: SimulatedEngine, container_id: str) -> bool:
    found = engine.containers.get(container_id)
    return found is not None and found.state == "running"
