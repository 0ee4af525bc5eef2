"""What was measured of pods and other things, as objects in the store: the input of autoscalers.

Internal: written by the engine from what hosts and metric endpoints report, never in a manifest. A measurement says how
long it is good for by its time; a missing one is missing and not 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from objects.api.meta import (
    KubeObject,
    ObjectKey,
    ObjectMeta,
    QuantityLike,
    ResourceList,
)
from objects.api.pods import Pod
from objects.hashing import content_hash
from objects.observation.figures import ContainerUse, HostUse, PodUse
from objects.own.canary import MAX_LASTING
from policies.autoscaling.behavior import Memory
from policies.canary import Look
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import HostMeasured, QueriesAnswered
from reconciler.state.store import View


class PodMetrics(KubeObject):
    """Of one pod, under its name. containers: name -> usage of cpu, memory and, where it was measured,
    ephemeral-storage; volumes: bytes on disk of its own volumes; values: custom metrics by name.

    timestamp: end of the window over which CPU was averaged. problem: why custom metrics could not be had.
    """

    API_VERSION: ClassVar[str] = "metrics.k8s.io/v1beta1"
    KIND: ClassVar[str] = "PodMetrics"

    timestamp: datetime | None = None
    window_seconds: float = 0
    containers: dict[str, ResourceList] = {}
    volumes: dict[str, int] = {}
    values: dict[str, QuantityLike] = {}
    problem: str = ""


class QueryAnswer(KubeObject):
    """What the metrics server says to one query, under a name that is made of it.

    looks: oldest first, as far back as a canary's check may ask. problem: why the last one has no value.
    """

    API_VERSION: ClassVar[str] = "berth.dev/v1alpha1"
    KIND: ClassVar[str] = "QueryAnswer"
    NAMESPACED: ClassVar[bool] = False

    query: str = ""
    looks: tuple[Look, ...] = ()
    problem: str = ""


class AutoscalerState(KubeObject):
    """What an autoscaler must remember, under its name. Without it (a new process) it only gets more careful."""

    API_VERSION: ClassVar[str] = "berth.dev/v1alpha1"
    KIND: ClassVar[str] = "AutoscalerState"

    memory: Memory = Memory()


def measured_objects(view: View, message: HostMeasured) -> Iterator[KubeObject]:
    """What the store should hold of a host's figures: its status, and the metrics of its pods where these were ordered.

    Nothing of a host that was never observed.
    """
    known = view.get(HostStatus, "", message.host)
    if known is None or known.facts is None:
        return
    facts = msgspec.structs.replace(known.facts, **msgspec.structs.asdict(message.vitals))
    measured_at = message.use.at if message.use is not None else known.measured_at
    yield msgspec.structs.replace(known, facts=facts, foreign=message.foreign, measured_at=measured_at)
    if message.use is None:
        return
    for pod in view.pods_on(message.host):
        use = message.use.pods.get(pod.uid)
        if use is not None:
            yield _metrics_of(pod, use, message.use)


def _metrics_of(pod: Pod, use: PodUse, of_host: HostUse) -> PodMetrics:
    return PodMetrics(
        metadata=ObjectMeta(name=pod.name, namespace=pod.namespace),
        timestamp=of_host.at,
        window_seconds=of_host.window_seconds,
        containers={container.name: _amounts(container) for container in use.containers},
        volumes=dict(use.volumes),
        values={name: f"{round(value * 1000)}m" for name, value in use.values.items()},
        problem=use.problem,
    )


def _amounts(use: ContainerUse) -> ResourceList:
    cpu = None if use.cpu_millis is None else f"{use.cpu_millis}m"
    amounts = {"cpu": cpu, "memory": use.memory_bytes, "ephemeral-storage": use.disk_bytes}
    return {name: amount for name, amount in amounts.items() if amount is not None}


# --- the metrics server -------------------------------------------------------------------------------------------

_KEPT = MAX_LASTING + timedelta(minutes=5)


def find_answer(view: View, query: str) -> QueryAnswer | None:
    """What the metrics server said to a query; None as long as it was not asked."""
    return view.get(QueryAnswer, "", _answer_name(query))


def answer_objects(view: View, message: QueriesAnswered) -> Iterator[QueryAnswer]:
    """What the store should hold of the answers: each with the earlier ones to the same query."""
    for result in message.results:
        known = find_answer(view, result.query)
        earlier = (look for look in (known.looks if known is not None else ()) if look.at > message.at - _KEPT)
        yield QueryAnswer(
            metadata=ObjectMeta(name=_answer_name(result.query)),
            query=result.query,
            looks=(*earlier, Look(message.at, result.value)),
            problem=result.problem,
        )


def outdated_answers(view: View, message: QueriesAnswered) -> Iterator[ObjectKey]:
    """Answers that nobody has asked for since long."""
    for answer in view.all_of(QueryAnswer):
        if not answer.looks or answer.looks[-1].at <= message.at - _KEPT:
            yield answer.key


def _answer_name(query: str) -> str:
    return content_hash(query, length=32)
