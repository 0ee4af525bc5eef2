"""Arithmetic over the requests and limits of a whole pod. Pure.

Rules: component-helpers `resource` and `apis/core/v1/helper/qos` (tables of the same names). Resizing a running pod in
place is not supported, so what the spec says is what the pod has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from objects.api.meta import ResourceList
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    ResourceRequirements,
)
from objects.values.quantity import add_resources, max_resources, nano_value

QosClass = Literal["Guaranteed", "Burstable", "BestEffort"]
_QOS_RESOURCES = ("cpu", "memory")


# --- quality of service -------------------------------------------------------------------------------------------


def qos_class(pod: Pod) -> QosClass:
    """The quality of service that a pod's requests and limits promise.

    Guaranteed: every container limits CPU and memory, and requests what it limits. BestEffort: nothing is said at all.
    Resources of the pod as a whole, where given, are looked at instead of the containers'.
    """
    spec = pod.spec
    if spec.resources is not None and _says_something(spec.resources):
        return _qos_of((spec.resources,))
    return _qos_of(tuple(one.resources for one in (*spec.init_containers, *spec.containers)))


def is_best_effort(pod: Pod) -> bool:
    """Whether the quality of service is BestEffort, which takes less to say than which of the others it is."""
    spec = pod.spec
    if spec.resources is not None and _says_something(spec.resources):
        return False
    return not any(_says_something(one.resources) for one in (*spec.containers, *spec.init_containers))


def _qos_of(parts: tuple[ResourceRequirements, ...]) -> QosClass:
    if not any(map(_says_something, parts)):
        return "BestEffort"
    if not all(part.limits for part in parts):
        return "Burstable"
    for name in _QOS_RESOURCES:
        limits = [nano_value(part.limits.get(name, 0)) for part in parts]
        requests = [nano_value(part.requests.get(name, 0)) for part in parts]
        if not all(limits) or sum(requests) != sum(limits):
            return "Burstable"
    return "Guaranteed"


def _says_something(part: ResourceRequirements) -> bool:
    """Whether CPU or memory is asked for or limited; 0 says nothing."""
    return any(nano_value(amounts.get(name, 0)) for amounts in (part.requests, part.limits) for name in _QOS_RESOURCES)


# --- requests and limits ------------------------------------------------------------------------------------------


def pod_requests(spec: PodSpec, *, with_overhead: bool = True) -> ResourceList:
    """What a pod needs of a host, as canonical quantities.

    Init containers run one after another, before the others, beside the sidecars that were started so far:

        containers 1, 2                     -> 3
        containers 1, 2   init 5            -> max(3, 5)     = 5
        containers 1, 2   sidecar 4         -> 1 + 2 + 4     = 7
        containers 1, 2   sidecar 4, init 5 -> max(7, 4 + 5) = 9

    Pod-level requests replace the sum for the resources that they name; overhead comes on top.
    """
    requests = _with_pod_level(_effective(spec, _requests), spec, lambda resources: resources.requests)
    return add_resources(requests, spec.overhead) if with_overhead and spec.overhead else requests


def pod_limits(spec: PodSpec, *, with_overhead: bool = True) -> ResourceList:
    """The most that a pod may use, as canonical quantities; what is not in it is unlimited. As `pod_requests`, but
    overhead is only added to what is limited.
    """
    limits = _with_pod_level(_effective(spec, _limits), spec, lambda resources: resources.limits)
    overhead = {name: quantity for name, quantity in spec.overhead.items() if name in limits}
    return add_resources(limits, overhead) if with_overhead and overhead else limits


def is_pod_level_resource(name: str) -> bool:
    """Whether a pod as a whole can request it: CPU, memory and huge pages."""
    return name in _QOS_RESOURCES or name.startswith("hugepages-")


def has_pod_level_resources(resources: ResourceRequirements | None) -> bool:
    """Whether a pod as a whole requests or limits something that counts."""
    names = (*resources.requests, *resources.limits) if resources is not None else ()
    return any(is_pod_level_resource(name) for name in names)


def _requests(container: Container) -> ResourceList:
    return container.resources.requests


def _limits(container: Container) -> ResourceList:
    return container.resources.limits


def _effective(spec: PodSpec, amounts_of: Callable[[Container], ResourceList]) -> ResourceList:
    if not spec.init_containers:
        return add_resources(*(amounts_of(container) for container in spec.containers))
    sidecars: ResourceList = {}
    starting: ResourceList = {}
    for container in spec.init_containers:
        amounts = add_resources(sidecars, amounts_of(container))
        starting = max_resources(starting, amounts)
        if container.is_sidecar:
            sidecars = amounts
    running = add_resources(*(amounts_of(container) for container in spec.containers), sidecars)
    return max_resources(running, starting)


def _with_pod_level(
    amounts: ResourceList, spec: PodSpec, pick: Callable[[ResourceRequirements], ResourceList]
) -> ResourceList:
    if spec.resources is None:
        return amounts
    named = {name: quantity for name, quantity in pick(spec.resources).items() if is_pod_level_resource(name)}
    return {**amounts, **add_resources(named)}
