"""From readings of containers' counters to what pods, and containers of others, use. Pure.

Rates come from two readings: of a container that was started in between, or of which there is one reading only, the CPU
is not known. Sandboxes hold nothing of a pod's and are not counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from differ.kubelet.actions import CPU_PERIOD_MICROS
from differ.kubelet.files.volumes import is_in_memory, own_volumes
from differ.kubelet.identity import is_ours
from differ.kubelet.pod_containers import choose_current, group_by_pod
from objects.api.pods import Pod
from objects.names import SANDBOX_CONTAINER, volume_name
from objects.observation.figures import (
    ContainerSample,
    ContainerUse,
    ForeignLoad,
    Measurement,
    PodUse,
)
from objects.observation.host import ObservedContainer


def pod_uses(
    now: Measurement, before: Measurement | None, pods: Iterable[Pod], containers: Iterable[ObservedContainer]
) -> dict[str, PodUse]:
    """What each of `pods` uses, by uid; those of which nothing was measured are missing. before: an earlier reading."""
    groups = group_by_pod(containers)
    found: dict[str, PodUse] = {}
    for pod in pods:
        current = choose_current(groups.get(pod.uid, ())).current
        uses = tuple(
            _use_of(name, container.id, now, before)
            for name, container in current.items()
            if name != SANDBOX_CONTAINER and container.id in now.containers
        )
        on_disk = (volume for volume in own_volumes(pod) if not is_in_memory(volume))
        volumes = {volume.name: volume_name(pod.uid, volume.name) for volume in on_disk}
        sizes = {name: now.volumes[docker] for name, docker in volumes.items() if docker in now.volumes}
        if uses or sizes:
            found[pod.uid] = PodUse(containers=uses, volumes=sizes)
    return found


def _use_of(name: str, container_id: str, now: Measurement, before: Measurement | None) -> ContainerUse:
    sample = now.containers[container_id]
    return ContainerUse(
        name=name,
        cpu_millis=cpu_millis(container_id, now, before),
        memory_bytes=sample.memory_bytes,
        disk_bytes=sample.disk_bytes,
    )


def cpu_millis(container_id: str, now: Measurement, before: Measurement | None) -> int | None:
    """Thousandths of a processor between two readings; None when they do not tell.

    before  now   seconds -> millis
       2 s  3 s        10       100
       9 s  1 s        10      None   started anew in between
         -  1 s         -      None
    """
    if before is None or now.uptime_seconds <= before.uptime_seconds:
        return None
    used = now.containers.get(container_id, _NOTHING).cpu_nanos
    earlier = before.containers.get(container_id, _NOTHING).cpu_nanos
    if used is None or earlier is None or used < earlier:
        return None
    return round((used - earlier) / 1e6 / (now.uptime_seconds - before.uptime_seconds))


_NOTHING = ContainerSample()


def foreign_loads(
    containers: Iterable[ObservedContainer], now: Measurement | None, before: Measurement | None
) -> tuple[ForeignLoad, ...]:
    """What containers of others take on the host, by name. A limit counts whole, since all of it may be used at once.

    now: None while nothing was measured: what has no limit then counts nothing.
    """
    loads = (_load_of(one, now, before) for one in containers if is_foreign(one))
    return tuple(sorted(loads, key=lambda load: load.name))


def with_measured(found: Iterable[ForeignLoad], measured: Iterable[ForeignLoad]) -> tuple[ForeignLoad, ...]:
    """`found`, each with what was measured of it earlier. Who came since then counts with its limits."""
    known = {load.name: load for load in measured}
    return tuple(known.get(load.name, load) for load in found)


def is_foreign(container: ObservedContainer) -> bool:
    """Whether it runs and is not ours."""
    return container.state in ("running", "paused", "restarting") and not is_ours(container)


def _load_of(container: ObservedContainer, now: Measurement | None, before: Measurement | None) -> ForeignLoad:
    sample = now.containers.get(container.id, _NOTHING) if now is not None else _NOTHING
    limit = container.cpu_quota_micros * 1000 // CPU_PERIOD_MICROS
    used = cpu_millis(container.id, now, before) if now is not None else None
    return ForeignLoad(
        name=container.name,
        cpu_millis=limit or used or 0,
        memory_bytes=container.memory_bytes or sample.memory_bytes or 0,
        ports=container.host_ports,
    )
