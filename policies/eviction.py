"""Which pod goes first when a host is short of memory or disk, and who uses more local storage than it may.

Ranks and speaks only: when a host is under pressure is said by its Node's conditions, and evicting is the work of a
controller. Rules and messages: kubelet's eviction manager (tables `kubelet_eviction`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from objects.api.pods import Container, Pod
from objects.pod_resources import pod_limits, pod_requests
from objects.values.quantity import (
    Form,
    Quantity,
    canonical,
    value,
)

MEMORY: Final = "memory"
DISK: Final = "ephemeral-storage"

SYSTEM_CRITICAL_PRIORITY: Final = 2_000_000_000
"""Pods from this priority on (`system-cluster-critical`, `system-node-critical`) are not evicted."""


class ContainerUsage(msgspec.Struct, frozen=True):
    """What a container uses. disk_bytes: its writable layer and its logs."""

    name: str
    memory_bytes: int = 0
    disk_bytes: int = 0


class PodUsage(msgspec.Struct, frozen=True):
    """What a pod uses. memory_bytes: working set. volume_bytes: its local volumes on disk, by name."""

    containers: tuple[ContainerUsage, ...] = ()
    memory_bytes: int = 0
    volume_bytes: Mapping[str, int] = {}

    def of(self, resource: str) -> int:
        """Bytes of MEMORY or DISK."""
        if resource == MEMORY:
            return self.memory_bytes or sum(container.memory_bytes for container in self.containers)
        return sum(container.disk_bytes for container in self.containers) + sum(self.volume_bytes.values())


# --- pressure: who goes first -------------------------------------------------------------------------------------


def rank_for_eviction(pods: Iterable[Pod], usage: Mapping[str, PodUsage], resource: str) -> list[Pod]:
    """Pods in the order in which they are evicted, the first to go first. usage: by uid. resource: MEMORY or DISK.

    Pods of which nothing is known go first, then those above their request; among those alike the least important
    priority, then who uses most above its request. A BestEffort pod requests nothing, so it is above its request at
    once; a Guaranteed pod never is above its memory request for long, since its limit is the same. System critical
    pods, and those that leave already, are not in the list.

        pod  priority  request  usage -> order
        a           0      100    150       1  50 above its request
        b           0        0     30       2  30 above
        c          10        0    500       3  500 above, but more important
        d           0      300    200       4  below its request
    """

    def order(pod: Pod) -> tuple[bool, bool, int, int, str]:
        used = usage.get(pod.uid)
        above = used.of(resource) - requested_bytes(pod, resource) if used is not None else 0
        return used is not None, above <= 0, pod.spec.priority or 0, -above, pod.uid

    return sorted((pod for pod in pods if may_evict(pod)), key=order)


def may_evict(pod: Pod) -> bool:
    return not (pod.is_terminating or pod.is_finished or (pod.spec.priority or 0) >= SYSTEM_CRITICAL_PRIORITY)


def requested_bytes(pod: Pod, resource: str) -> int:
    """What the whole pod requests."""
    return value(pod_requests(pod.spec).get(resource, 0))


def eviction_message(
    pod: Pod,
    used: PodUsage | None,
    resource: str,
    *,
    threshold_bytes: int | None = None,
    available_bytes: int | None = None,
) -> str:
    """Why a pod was evicted, as kubelet puts it into `status.message`; its reason is `Evicted`."""
    parts = [f"The node was low on resource: {resource}. "]
    if threshold_bytes is not None and available_bytes is not None:
        parts.append(f"Threshold quantity: {_binary(threshold_bytes)}, available: {_binary(available_bytes)}. ")
    parts += [
        f"Container {name} was using {_binary(use)}, request is {_binary(request)}, "
        f"has larger consumption of {resource}. "
        for name, use, request in offenders(pod, used, resource)
    ]
    return "".join(parts)


def offenders(pod: Pod, used: PodUsage | None, resource: str) -> list[tuple[str, int, int]]:
    """Containers above their request: name, usage and request in bytes. Ephemeral containers do not count."""
    requests = {container.name: value(container.resources.requests.get(resource, 0)) for container in _containers(pod)}
    found = [
        (container.name, container.memory_bytes if resource == MEMORY else container.disk_bytes)
        for container in (used.containers if used is not None else ())
        if container.name in requests
    ]
    return [(name, use, requests[name]) for name, use in found if use > requests[name]]


def _containers(pod: Pod) -> tuple[Container, ...]:
    return (*pod.spec.init_containers, *pod.spec.containers)


def _binary(amount: int) -> str:
    return canonical(Quantity(amount * 10**9, Form.BINARY))


# --- limits on local storage: who is evicted though the host has enough --------------------------------------------


def has_storage_limit(pod: Pod) -> bool:
    """Whether it matters how much local storage the pod uses, even if its host has enough."""
    volumes = (volume.empty_dir for volume in pod.spec.volumes if volume.empty_dir is not None)
    if any(source.size_limit is not None and source.medium != "Memory" for source in volumes):
        return True
    # Neither the pod as a whole nor overhead can limit it where no container does.
    return any(DISK in container.resources.limits for container in _containers(pod))


def storage_limit_exceeded(pod: Pod, used: PodUsage) -> str:
    """Why a pod has to go for using more local storage than it may; '' when it has not.

    Looked at in kubelet's order: volumes with `emptyDir.sizeLimit`, the limits of all containers together, then each
    container's own limit. Memory-backed volumes are limited by the kernel.
    """
    for volume in pod.spec.volumes:
        limit = volume.empty_dir.size_limit if volume.empty_dir is not None else None
        if limit is not None and 0 < value(limit) < used.volume_bytes.get(volume.name, 0):
            return f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{canonical(limit)}". '
    total = pod_limits(pod.spec).get(DISK)
    if total is not None and used.of(DISK) > value(total):
        return f"Pod ephemeral local storage usage exceeds the total limit of containers {canonical(total)}. "
    limits = {container.name: container.resources.limits.get(DISK) for container in _containers(pod)}
    for container in used.containers:
        own = limits.get(container.name)
        if own is not None and container.disk_bytes > value(own):
            return f'Container {container.name} exceeded its local ephemeral storage limit "{canonical(own)}". '
    return ""
