"""What a pod asks of a host, in whole units: CPU in millicores, everything else in bytes or pieces.

Rules: component-helpers `resource.PodRequests` and the scheduler's assumption that a container which asks for nothing
still uses 100m CPU and 200Mi memory (for scores only, never for fitting).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from objects.meta import QuantityLike, ResourceList
from objects.pods import Container, PodSpec
from objects.quantity import milli_value, nano_value, value

CPU: Final = "cpu"
MEMORY: Final = "memory"
EPHEMERAL_STORAGE: Final = "ephemeral-storage"
PODS: Final = "pods"
BASE_RESOURCES: Final = (CPU, MEMORY, EPHEMERAL_STORAGE, PODS)
"""Every snapshot counts these; any other name in a request or a host's capacity is an extended resource."""

ASSUMED_REQUESTS: Final[Mapping[str, QuantityLike]] = {CPU: "100m", MEMORY: "200Mi"}
_NANO = 10**9
_MICRO = 10**6


def whole_units(name: str, quantity: QuantityLike) -> int:
    """A quantity in the unit in which the scheduler counts that resource, rounded up."""
    return milli_value(quantity) if name == CPU else value(quantity)


def whole_resources(resources: ResourceList) -> dict[str, int]:
    return {name: whole_units(name, quantity) for name, quantity in resources.items()}


def pod_requests(spec: PodSpec, *, assumed: Mapping[str, QuantityLike] | None = None) -> dict[str, int]:
    """The effective request of a pod. assumed: taken for what a container leaves unsaid (see ASSUMED_REQUESTS).

    Init containers run one after another, before the others, beside the sidecars started so far:

        containers 1, 2   init 5             -> max(3, 5)         = 5
        containers 1, 2   sidecar 4          -> 1 + 2 + 4         = 7
        containers 1, 2   sidecar 4, init 5  -> max(7, 4 + 5)     = 9

    Pod-level requests replace the sum for the resources they name; overhead is added last.
    """
    running: dict[str, int] = {}
    for container in spec.containers:
        _add(running, _container_requests(container, assumed))
    starting: dict[str, int] = {}
    sidecars: dict[str, int] = {}
    for container in spec.init_containers:
        wanted = _container_requests(container, assumed)
        if container.is_sidecar:
            _add(running, wanted)
            _add(sidecars, wanted)
            wanted = dict(sidecars)
        else:
            _add(wanted, sidecars)
        _raise_to(starting, wanted)
    _raise_to(running, starting)
    if spec.resources is not None:
        running.update({name: nano_value(quantity) for name, quantity in spec.resources.requests.items()})
    _add(running, {name: nano_value(quantity) for name, quantity in spec.overhead.items()})
    return {name: -(-nanos // (_MICRO if name == CPU else _NANO)) for name, nanos in running.items()}


def _container_requests(container: Container, assumed: Mapping[str, QuantityLike] | None) -> dict[str, int]:
    wanted = {name: nano_value(quantity) for name, quantity in container.resources.requests.items()}
    for name, quantity in (assumed or {}).items():
        wanted.setdefault(name, nano_value(quantity))
    return wanted


def _add(totals: dict[str, int], more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        totals[name] = totals.get(name, 0) + amount


def _raise_to(totals: dict[str, int], floor: Mapping[str, int]) -> None:
    for name, amount in floor.items():
        totals[name] = max(totals.get(name, 0), amount)
