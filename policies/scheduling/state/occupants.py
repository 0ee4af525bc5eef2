"""The pods on one host and the host ports that they and foreign containers hold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from objects.api.pods import Pod
from policies.scheduling.shape import HostPort, PodShape


@dataclass(slots=True, eq=False)
class Occupant:
    """A pod that is counted on a host.

    is_nominated: it waits for victims to leave and is not there yet. is_victim: it was chosen to make room. Never
    changed; not frozen, because that would make it four times as dear, and there is one a placement.
    """

    pod: Pod
    shape: PodShape
    row: int
    is_nominated: bool = False
    is_victim: bool = False

    @property
    def is_leaving(self) -> bool:
        """What it holds will be free soon."""
        return self.is_victim or self.pod.metadata.deletion_timestamp is not None

    @property
    def priority(self) -> int:
        return self.shape.priority

    @property
    def importance(self) -> tuple[int, float, str]:
        """Sort key: higher priority first, then who started earlier; who has not started yet is the least important."""
        start = self.pod.status.start_time
        return -self.shape.priority, start.timestamp() if start else math.inf, self.pod.metadata.uid


def is_preemption_victim(pod: Pod) -> bool:
    """Whether a pod's own status says that it was evicted for a more important one (condition DisruptionTarget)."""
    for one in pod.status.conditions:
        if one.type == "DisruptionTarget" and one.status == "True" and one.reason == "PreemptionByScheduler":
            return True
    return False


def count_claim(users: Counter[tuple[str, str]], claim: tuple[str, str], delta: int) -> None:
    """One pod more or less mounts a claim; claims that nobody mounts are not kept."""
    users[claim] += delta
    if not users[claim]:
        del users[claim]


class PortHolder(NamedTuple):
    """Who holds a port. holder: `namespace/pod`, or `foreign container NAME`. uid: '' for a foreign container."""

    port: HostPort
    holder: str
    uid: str


class HostUse:
    """What is on one host. foreign_amounts: whole units that containers of others use. claims: pods that mount each."""

    __slots__ = ("_holders", "claims", "foreign_amounts", "occupants")

    def __init__(self) -> None:
        self.occupants: dict[str, Occupant] = {}
        self.foreign_amounts: dict[str, int] = {}
        self.claims: Counter[tuple[str, str]] = Counter()
        self._holders: list[PortHolder] = []

    def enter(self, occupant: Occupant) -> None:
        pod = occupant.pod
        self.occupants[pod.uid] = occupant
        shape = occupant.shape
        for port in shape.ports:
            self._holders.append(PortHolder(port, f"{pod.namespace}/{pod.name}", pod.uid))
        for claim in shape.claims:
            count_claim(self.claims, (pod.namespace, claim), 1)

    def leave(self, occupant: Occupant) -> None:
        uid = occupant.pod.uid
        self.occupants.pop(uid, None)
        if occupant.shape.ports:
            self._holders = [held for held in self._holders if held.uid != uid]
        for claim in occupant.shape.claims:
            count_claim(self.claims, (occupant.pod.namespace, claim), -1)

    def set_foreign(self, amounts: dict[str, int], ports: Mapping[HostPort, str]) -> None:
        self.foreign_amounts = amounts
        ours = [held for held in self._holders if held.uid]
        theirs = [PortHolder(port, f"foreign container {name}", "") for port, name in ports.items()]
        self._holders = [*ours, *theirs]

    def holder_of(self, ports: Iterable[HostPort]) -> PortHolder | None:
        """The first of `ports` that somebody holds here, with its holder."""
        if not self._holders:
            return None
        for wanted in ports:
            for held in self._holders:
                if wanted.collides(held.port):
                    return held._replace(port=wanted)
        return None
