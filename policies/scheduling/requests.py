"""What a pod asks of a host, in whole units: CPU in millicores, everything else in bytes or pieces.

The arithmetic over containers is that of `objects.pod_resources`. For scores, never for fitting, a container that says
nothing is assumed to use 100m CPU and 200Mi memory, as kube-scheduler does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from objects.api.meta import QuantityLike, ResourceList
from objects.api.pods import Container, PodSpec
from objects.pod_resources import pod_requests
from objects.values.quantity import milli_value, value

CPU: Final = "cpu"
MEMORY: Final = "memory"
EPHEMERAL_STORAGE: Final = "ephemeral-storage"
PODS: Final = "pods"
BASE_RESOURCES: Final = (CPU, MEMORY, EPHEMERAL_STORAGE, PODS)
"""Every snapshot counts these; any other name in a request or a host's capacity is an extended resource."""

ASSUMED_REQUESTS: Final[Mapping[str, QuantityLike]] = {CPU: "100m", MEMORY: "200Mi"}


def whole_units(name: str, quantity: QuantityLike) -> int:
    """A quantity in the unit in which the scheduler counts that resource, rounded up."""
    return milli_value(quantity) if name == CPU else value(quantity)


def whole_resources(resources: ResourceList) -> dict[str, int]:
    return {name: whole_units(name, quantity) for name, quantity in resources.items()}


def whole_requests(spec: PodSpec) -> dict[str, int]:
    """The effective request of a pod, as one of its number."""
    if len(spec.containers) == 1 and not (spec.init_containers or spec.overhead or spec.resources):
        # What one container asks for needs no arithmetic over texts.
        return {**whole_resources(spec.containers[0].resources.requests), PODS: 1}
    return {**whole_resources(pod_requests(spec)), PODS: 1}


def says_all(spec: PodSpec) -> bool:
    """Whether every container says what it requests of that for which something would be assumed."""
    for container in (*spec.containers, *spec.init_containers):
        if not ASSUMED_REQUESTS.keys() <= container.resources.requests.keys():
            return False
    return True


def assumed_requests(spec: PodSpec) -> dict[str, int]:
    """The effective request with ASSUMED_REQUESTS for what containers leave unsaid. A request of 0 is said."""
    filled = msgspec.structs.replace(
        spec, containers=_with_assumed(spec.containers), init_containers=_with_assumed(spec.init_containers)
    )
    return whole_resources(pod_requests(filled))


def _with_assumed(containers: Iterable[Container]) -> tuple[Container, ...]:
    return tuple(
        msgspec.structs.replace(
            container,
            resources=msgspec.structs.replace(
                container.resources, requests={**ASSUMED_REQUESTS, **container.resources.requests}
            ),
        )
        for container in containers
    )
