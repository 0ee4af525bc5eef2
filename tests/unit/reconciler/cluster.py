"""A cluster for engine tests: an engine, hosts that obey at once, and a clock that ticks a second a step."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from objects.api.apps import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    RollingUpdateDeployment,
)
from objects.api.core import Namespace
from objects.api.meta import (
    Condition,
    KubeObject,
    LabelSelector,
    ObjectMeta,
)
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
    PodTemplateSpec,
)
from objects.names import ANNOTATION_TEMPLATE_HASH
from objects.observation.host import HostFacts
from objects.own.config import Cluster, Host, HostSpec
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine, StepResult
from reconciler.state.messages import (
    Desired,
    HostReport,
    HostSilent,
    Message,
)

GIB = 2**30
FACTS = HostFacts(
    hostname="h",
    cpus=4,
    memory_bytes=8 * GIB,
    memory_available_bytes=6 * GIB,
    disk_bytes=100 * GIB,
    disk_free_bytes=80 * GIB,
    architecture="x86_64",
    operating_system="Debian GNU/Linux 12",
    engine_version="20.10.24",
)
START = datetime(2026, 1, 1, tzinfo=UTC)


def make_host(name: str) -> Host:
    return Host(metadata=ObjectMeta(name=name), spec=HostSpec(address="192.0.2.1", host_key="ssh-ed25519 AAAA"))


def deployment(image: str = "web:v1", *, replicas: int = 3, name: str = "web") -> Deployment:
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": name}), spec=PodSpec(containers=(Container(name="c", image=image),))
    )
    return Deployment(
        metadata=ObjectMeta(
            name=name, namespace="default", annotations={ANNOTATION_TEMPLATE_HASH: image.replace(":", "")}
        ),
        spec=DeploymentSpec(
            replicas=replicas,
            selector=LabelSelector(match_labels={"app": name}),
            strategy=DeploymentStrategy(
                type="RollingUpdate", rolling_update=RollingUpdateDeployment(max_surge=1, max_unavailable=0)
            ),
            template=template,
        ),
    )


def bare_pod(image: str = "web:v1", *, name: str = "lone") -> Pod:
    annotations = {ANNOTATION_TEMPLATE_HASH: image.replace(":", "")}
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", annotations=annotations),
        spec=PodSpec(containers=(Container(name="c", image=image),)),
    )


def ended(phase: str) -> PodStatus:
    return PodStatus(phase=phase, start_time=START)


def running(now: datetime) -> PodStatus:
    return PodStatus(
        phase="Running", conditions=(Condition(type="Ready", status="True", last_transition_time=now),), start_time=now
    )


class FakeCluster:
    """hosts: host → pods that really run there, by uid. A host in `silent` does not answer.

    volumes: host → Docker volumes of claims that lie there; no host ever loses one.
    ends: beginning of a pod's name → the phase in which such pods have ended.
    """

    def __init__(self, *hosts: str, seed: int = 1, is_observer: bool = False) -> None:
        self.engine = Engine(CONTROLLERS, source=random.Random(seed), is_observer=is_observer)
        self.hosts: dict[str, dict[str, Pod]] = {name: {} for name in hosts}
        self.volumes: dict[str, set[str]] = {name: set() for name in hosts}
        self.silent: set[str] = set()
        self.ends: dict[str, str] = {}
        self.now = START

    def desired(self, *objects: KubeObject, commit: str = "c1", **settings: object) -> Desired:
        base = (Cluster(), Namespace(metadata=ObjectMeta(name="default")), *map(make_host, self.hosts))
        return Desired(commit=commit, objects=(*base, *objects), **settings)  # type: ignore[arg-type]

    def step(self, *messages: Message) -> StepResult:
        self.now += timedelta(seconds=1)
        return self.engine.step(messages, self.now)

    def report(self, name: str) -> Message:
        """What the host would say now, having done what it was told."""
        if name in self.silent:
            return HostSilent(host=name, reason="HostUnreachable", message="no route")
        assignment = self.engine.assignment(name)
        here, gone = self.hosts[name], []
        assigned = {pod.uid: pod for pod in assignment.pods} if assignment else {}
        for uid, pod in assigned.items():
            if pod.is_terminating:
                here.pop(uid, None)
                gone.append(uid)
            else:
                here[uid] = pod
        self.volumes[name] |= set(assignment.claim_volumes.values()) if assignment else set()
        facts = msgspec.structs.replace(FACTS, claim_volumes=tuple(sorted(self.volumes[name])))
        unknown = tuple(_found(pod, self._status(pod)) for uid, pod in here.items() if uid not in assigned)
        statuses = {uid: self._status(here[uid]) for uid in assigned if uid in here}
        subnet = assignment.network.subnet if assignment else ""
        return HostReport(
            host=name, facts=facts, statuses=statuses, gone=tuple(gone), unknown=unknown, pod_subnet=subnet
        )

    def _status(self, pod: Pod) -> PodStatus:
        phase = next((phase for start, phase in self.ends.items() if pod.name.startswith(start)), "")
        return ended(phase) if phase else running(self.now)

    def settle(self, *messages: Message, rounds: int = 30) -> int:
        """Tell, then let hosts obey until nothing changes. Returns the rounds that it took; fails when it does not."""
        self.step(*messages)
        for count in range(rounds):
            if not self.step(*(self.report(name) for name in self.hosts)).changed:
                return count
        raise AssertionError(f"not at rest after {rounds} rounds")

    def restart(self, *, seed: int = 2) -> None:
        """The reconciler is killed: another one with an empty memory, the same hosts."""
        self.engine = Engine(CONTROLLERS, source=random.Random(seed))

    @property
    def running(self) -> dict[str, list[str]]:
        """Host → names of the pods that really run there."""
        return {name: sorted(pod.name for pod in pods.values()) for name, pods in self.hosts.items()}

    @property
    def running_uids(self) -> set[str]:
        return {uid for pods in self.hosts.values() for uid in pods}

    @property
    def images(self) -> list[str]:
        return sorted(pod.spec.containers[0].image for pods in self.hosts.values() for pod in pods.values())

    def pods(self) -> Iterable[Pod]:
        return self.engine.store.all_of(Pod)


def _found(pod: Pod, status: PodStatus) -> Pod:
    """A pod as a host finds it again by its labels."""
    status = msgspec.structs.replace(status, pod_ip=pod.status.pod_ip, host_ip=pod.status.host_ip)
    return msgspec.structs.replace(pod, status=status)
