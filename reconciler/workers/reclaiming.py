"""Room on a host's disk without taking it from pods: unused images, and volumes of pods that are gone. Pure.

A pod's volumes go with it; but a process that is killed between a pod's last container and its volumes leaves them, and
nothing else on the host tells of that pod any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

import msgspec

from differ.kubelet.actions import RemoveImage, RemoveVolume
from differ.kubelet.assignment import HostAssignment
from differ.kubelet.memory import Failure, WorkerMemory
from differ.kubelet.planning import earliest
from differ.kubelet.pod_containers import group_by_pod
from objects.names import pod_of_volume
from objects.observation.host import HostObservation
from policies.image_gc import choose_images, fullness_target, note_unused, unused_images


def plan_reclaiming(
    assignment: HostAssignment, observation: HostObservation, memory: WorkerMemory, now: datetime
) -> tuple[tuple[RemoveImage, ...], WorkerMemory, datetime | None]:
    """The images to remove now, the memory with since when which image is unused, and when to try again.

    Above the Host's high mark the longest unused ones go, down to the low mark; under disk pressure all of them.
    """
    facts, limits = observation.facts, assignment.eviction
    unused = unused_images(facts.images, observation.containers, set(_wanted(assignment)))
    since = note_unused(memory.unused_images, unused, now)
    if since is not memory.unused_images:
        memory = msgspec.structs.replace(memory, unused_images=since)
    target = fullness_target(facts, high_percent=limits.image_gc_high_percent, low_percent=limits.image_gc_low_percent)
    if not target and not assignment.has_disk_pressure:
        return (), memory, None
    chosen = choose_images(unused, since, target_bytes=target, is_pressed=assignment.has_disk_pressure, now=now)
    waiting, again_at = _waiting([image.id for image in chosen], memory.image_removals, now)
    ready = (image for image in chosen if image.id not in waiting)
    return tuple(RemoveImage(id=image.id, names=image.names) for image in ready), memory, again_at


def plan_sweeping(
    assignment: HostAssignment, observation: HostObservation, memory: WorkerMemory, now: datetime
) -> tuple[tuple[RemoveVolume, ...], datetime | None]:
    """The volumes to remove whose pod neither belongs on this host nor has a container there, and when to try again.

    assignment: what the engine said, never a stand-in: before it has spoken, nobody knows which pods belong here.
    """
    known = {pod.uid for pod in assignment.pods} | group_by_pod(observation.containers).keys()
    orphans = [name for name in observation.facts.pod_volumes if pod_of_volume(name) not in known | {""}]
    waiting, again_at = _waiting(orphans, memory.volume_removals, now)
    return tuple(RemoveVolume(volume=name) for name in orphans if name not in waiting), again_at


def _waiting(
    wanted: Collection[str], failures: Mapping[str, Failure], now: datetime
) -> tuple[set[str], datetime | None]:
    """Those that failed and are not tried again yet, and when the first of them is: nothing else may wake anybody."""
    waiting = {one for one in wanted if one in failures and failures[one].retry_at > now}
    return waiting, earliest(failures[one].retry_at for one in waiting)


def _wanted(assignment: HostAssignment) -> Iterator[str]:
    yield assignment.pause_image
    for pod in assignment.pods:
        if not pod.is_finished:
            for container in (*pod.spec.init_containers, *pod.spec.containers):
                yield container.image
