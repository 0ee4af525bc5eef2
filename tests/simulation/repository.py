"""What Git holds in a simulated world, and the seeded commits that change it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

import msgspec

from objects.api.core import (
    ConfigMap,
    Namespace,
    Secret,
    Taint,
)
from objects.api.meta import KubeObject, ObjectKey, ObjectMeta
from objects.api.policy import PriorityClass
from objects.defaults import default
from objects.own.config import (
    Cluster,
    ClusterSpec,
    Host,
    HostSpec,
    SyncSettings,
)
from objects.own.taints import NO_EXECUTE, OUT_OF_SERVICE
from objects.secrets import SecretValue
from reconciler.controllers.node.drain import DRAIN
from reconciler.state.messages import Desired
from tests.simulation.kept import SAFE, SAFE_APPLICATION
from tests.simulation.machine import CANARY
from tests.simulation.workloads import PRIORITIES, StatefulWorkload, draw_workloads

ROOM = "3"
"""CPUs of a host in a world where room is short: enough for what the last commit says, not for everything before."""


class HostWish(msgspec.Struct):
    """What Git says about one host."""

    is_cordoned: bool = False
    draining_since: datetime | None = None
    is_out_of_service: bool = False


class Repository:
    """hosts: those that Git knows. keeps: what is gone from here stays deployed. Each `commit_…` changes something and
    says what.
    """

    def __init__(self, source: random.Random, hosts: list[str]) -> None:
        self.random = source
        self.hosts = {name: HostWish() for name in hosts}
        self.workloads = draw_workloads(source)
        self.is_tight = source.random() < 0.3
        self.keeps = False
        for workload in self.workloads:
            if self.is_tight and isinstance(workload, StatefulWorkload):
                # Where room is short, the host with the data may have none.
                workload.has_claims = False
        self.commits = 0
        self.given_up: set[str] = set()
        self._read: Desired | None = None

    def desired(self) -> Desired:
        """A complete reading of the newest commit."""
        if self._read is None:
            objects = tuple(default(obj) for obj in self._objects())
            # What is said once may be read again by the next process, and is by each of them here.
            self._read = Desired(
                commit=f"c{self.commits}",
                objects=objects,
                application=self._applications(),
                given_up=frozenset(self.given_up),
            )
        return self._read

    def commit(self, change: Callable[[], str]) -> str:
        """Let `change` change something, as one commit."""
        said = change()
        self.commits += 1
        self._read = None
        return f"commit c{self.commits}: {said}"

    def commit_workload(self) -> str:
        """One workload is changed, taken out or brought back."""
        return self.commit(lambda: self.random.choice(self.workloads).edit(self.random))

    def commit_host(self, now: datetime) -> str:
        """A host is cordoned, drained, or neither any more."""
        name = self.random.choice(sorted(self.hosts))
        wish = self.hosts[name]

        def change() -> str:
            if wish.is_cordoned:
                wish.is_cordoned, wish.draining_since = False, None
                return f"uncordon {name}"
            wish.is_cordoned = True
            wish.draining_since = now if self.random.random() < 0.5 else None
            return f"{'drain' if wish.draining_since else 'cordon'} {name}"

        return self.commit(change)

    def commit_word(self, volume: str) -> str:
        """A claim's volume is given up by a commit that changes nothing else."""

        def change() -> str:
            self.given_up.add(volume)
            return f"{volume} is given up"

        return self.commit(change)

    def commit_leave(self, name: str) -> str:
        def change() -> str:
            del self.hosts[name]
            return f"{name} leaves"

        return self.commit(change)

    def commit_join(self, name: str) -> str:
        def change() -> str:
            self.hosts[name] = HostWish()
            return f"{name} joins"

        return self.commit(change)

    def commit_service(self, name: str, *, out: bool) -> str:
        def change() -> str:
            self.hosts[name].is_out_of_service = out
            return f"{name} is {'out of' if out else 'in'} service"

        return self.commit(change)

    def commit_good(self) -> str:
        """The last commit: everything that it says can be had."""

        def change() -> str:
            for workload in self.workloads:
                workload.mend(self.random)
            for wish in self.hosts.values():
                wish.is_cordoned, wish.draining_since, wish.is_out_of_service = False, None, False
            return "everything good: " + ", ".join(map(str, self.workloads))

        return self.commit(change)

    def _objects(self) -> list[KubeObject]:
        settings = ClusterSpec(sync=SyncSettings(deletion_budget="100%"))
        objects: list[KubeObject] = [
            Cluster(spec=settings),
            Namespace(metadata=ObjectMeta(name="default")),
            *(PriorityClass(metadata=ObjectMeta(name=name), value=value) for name, value in PRIORITIES.items()),
            ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"mode": str(self.commits)}),
            Secret(
                metadata=ObjectMeta(name="secret", namespace="default"),
                data={"password": SecretValue(CANARY.encode())},
            ),
            *(self._host(name, wish) for name, wish in self.hosts.items()),
        ]
        if self.keeps:
            objects.append(SAFE_APPLICATION)
        for workload in self.workloads:
            if workload.is_there:
                objects += workload.objects()
        return objects

    def _applications(self) -> dict[ObjectKey, str]:
        if not self.keeps:
            return {}
        return {obj.key: SAFE for workload in self.workloads if workload.is_there for obj in workload.objects()}

    def _host(self, name: str, wish: HostWish) -> Host:
        annotations = {DRAIN: wish.draining_since.isoformat()} if wish.draining_since else {}
        taints = (Taint(key=OUT_OF_SERVICE, effect=NO_EXECUTE),) if wish.is_out_of_service else ()
        return Host(
            metadata=ObjectMeta(name=name, annotations=annotations),
            spec=HostSpec(
                address="192.0.2.1",
                host_key="ssh-ed25519 AAAA",
                unschedulable=wish.is_cordoned,
                taints=taints,
                capacity={"cpu": ROOM} if self.is_tight else {},
            ),
        )
