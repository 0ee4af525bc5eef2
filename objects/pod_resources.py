"""Arithmetic over the requests and limits of a whole pod. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from objects import quantity
from objects.meta import QuantityLike
from objects.pods import Pod, ResourceRequirements

QosClass = Literal["Guaranteed", "Burstable", "BestEffort"]
_QOS_RESOURCES = ("cpu", "memory")


def qos_class(pod: Pod) -> QosClass:
    """The quality of service that a pod's requests and limits promise (kubelet's `ComputePodQOS`).

    Guaranteed: every container limits CPU and memory, and requests what it limits. BestEffort: nothing is said at all.
    Resources of the pod as a whole, where given, are looked at instead of the containers'.
    """
    spec = pod.spec
    parts = (spec.resources,) if spec.resources else (c.resources for c in (*spec.init_containers, *spec.containers))
    return _qos_of(tuple(parts))


def _qos_of(parts: tuple[ResourceRequirements, ...]) -> QosClass:
    requests = [_nanos(part.requests, name) for part in parts for name in _QOS_RESOURCES]
    limits = [_nanos(part.limits, name) for part in parts for name in _QOS_RESOURCES]
    if not any((*requests, *limits)):
        return "BestEffort"
    is_guaranteed = all(limits) and all(
        _total(part.requests for part in parts)[name] == _total(part.limits for part in parts)[name]
        for name in _QOS_RESOURCES
    )
    return "Guaranteed" if is_guaranteed else "Burstable"


def _total(lists: Iterable[dict[str, QuantityLike]]) -> dict[str, int]:
    everything = list(lists)
    return {name: sum(_nanos(amounts, name) for amounts in everything) for name in _QOS_RESOURCES}


def _nanos(amounts: dict[str, QuantityLike], name: str) -> int:
    return quantity.nano_value(amounts.get(name, 0))
