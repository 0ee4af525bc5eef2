"""What the planning of every pod of a host shares, and what the planning of one container gives. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from differ.kubelet.actions import Action
from differ.kubelet.assignment import HostAssignment
from differ.kubelet.containers.environment import PodContext
from differ.kubelet.containers.pulls import ImageWant
from differ.kubelet.memory import Failure, PodMemory
from differ.kubelet.pod_containers import PodContainers
from differ.kubelet.probes.health_facts import NO_FACTS, HealthFacts
from differ.kubelet.run_times import run_of
from objects.api.pods import ContainerStateWaiting, Pod
from objects.names import LABEL_CONTAINER
from objects.observation.host import HostFacts, ObservedContainer


class HostPlanContext(NamedTuple):
    """now: the reconciler's clock; steady: the host's steady clock, which durations on the host are counted on.

    images: canonical references that are present. network: why pods cannot have the pod network yet; '' when they can.
    """

    assignment: HostAssignment
    steady: datetime
    now: datetime
    facts: HostFacts
    images: frozenset[str]
    image_failures: Mapping[tuple[str, str], Failure]
    network: str = ""

    def engine_time(self, steady_time: datetime) -> datetime:
        """A time of the host's steady clock on the reconciler's."""
        return self.now + (steady_time - self.steady)

    def after(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)


class PodPlanContext(NamedTuple):
    """One pod: what is wanted, what is there, what is remembered, what its probes and hooks say."""

    pod: Pod
    found: PodContainers
    memory: PodMemory
    host: HostPlanContext
    health: HealthFacts = NO_FACTS

    def has_begun_since(self, found: ObservedContainer, owner: ObservedContainer) -> bool:
        """Whether the last run of a container of the pod began in the last run of another one, its sandbox.

        Not by their stamps: the host's clock may have been set between them.
        """
        began, since = self._began(found), self._began(owner)
        return began is not None and since is not None and began >= since

    def _began(self, found: ObservedContainer) -> datetime | None:
        times = self.memory.container(found.labels.get(LABEL_CONTAINER, "")).times
        return times.began_at if times is not None and times.run == run_of(found) else None

    @property
    def is_left_alone(self) -> bool:
        """Whether what somebody altered is shown and stays."""
        return self.pod.uid in self.host.assignment.left_alone

    @property
    def context(self) -> PodContext:
        return PodContext(self.pod, self.host.assignment, self.host.facts.docker_root)


class Step(NamedTuple):
    """What one container, or one pod, needs next.

    waiting: why containers do not run, by name. wake_at: when planning again could give something else, although
    nothing happens on the host. drift: what somebody altered and is left so.
    """

    actions: tuple[Action, ...] = ()
    waiting: Mapping[str, ContainerStateWaiting] = {}
    wants: tuple[ImageWant, ...] = ()
    wake_at: datetime | None = None
    drift: tuple[str, ...] = ()


NOTHING = Step()


def combine(steps: Iterable[Step]) -> Step:
    """All of them, in order."""
    every = tuple(steps)
    return Step(
        actions=tuple(action for step in every for action in step.actions),
        waiting={name: state for step in every for name, state in step.waiting.items()},
        wants=tuple(want for step in every for want in step.wants),
        wake_at=earliest(step.wake_at for step in every),
        drift=tuple(drift for step in every for drift in step.drift),
    )


def earliest(times: Iterable[datetime | None]) -> datetime | None:
    return min((time for time in times if time is not None), default=None)
