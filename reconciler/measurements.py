"""What was measured of pods and other things, as objects in the store: the input of autoscalers.

Internal: written by the engine from what hosts and metric endpoints report, never in a manifest. A measurement says how
long it is good for by its time; a missing one is missing and not 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

import msgspec

from objects.measured import ContainerUse, HostUse, PodUse
from objects.meta import KubeObject, ObjectMeta, QuantityLike, ResourceList
from objects.pods import Pod
from policies.autoscaling.behavior import Memory
from reconciler.host_status import HostStatus
from reconciler.messages import HostMeasured
from reconciler.store import View


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


class MetricValue(KubeObject):
    """One value of an object or of something outside. described_*: the object, '' for an external metric.

    labels: by which a metric's selector chooses among external values of one name.
    """

    API_VERSION: ClassVar[str] = "berth.dev/v1alpha1"
    KIND: ClassVar[str] = "MetricValue"

    metric: str = ""
    described_kind: str = ""
    described_name: str = ""
    value: QuantityLike = 0
    timestamp: datetime | None = None


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
