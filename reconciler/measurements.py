"""What was measured of pods and other things, as objects in the store: the input of autoscalers.

Internal: written by the engine from what hosts and metric endpoints report, never in a manifest. A measurement says how
long it is good for by its time; a missing one is missing and not 0.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from objects.meta import KubeObject, QuantityLike, ResourceList
from policies.autoscaling.behavior import Memory


class PodMetrics(KubeObject):
    """Of one pod, under its name. containers: name -> usage of cpu and memory; values: custom metrics by name.

    timestamp: end of the window over which CPU was averaged.
    """

    API_VERSION: ClassVar[str] = "metrics.k8s.io/v1beta1"
    KIND: ClassVar[str] = "PodMetrics"

    timestamp: datetime | None = None
    window_seconds: float = 0
    containers: dict[str, ResourceList] = {}
    values: dict[str, QuantityLike] = {}


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
