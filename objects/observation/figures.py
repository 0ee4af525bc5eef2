"""What was measured of a host and of what it runs, as values: figures that move by themselves. Written by `hosts/`.

Apart from `objects.observation.host`, because it is asked for only when somebody needs it, and never decides what a pod
needs next. A figure that was not measured is None or missing, and not 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from objects.observation.host import ObservedStruct


class HostVitals(ObservedStruct):
    """What a host has left. disk_* and inodes*: of the file system that holds Docker's root directory.

    inodes: 0 where the file system counts none. tasks: processes and threads; tasks_limit: as many as there may be.
    """

    memory_available_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    inodes: int = 0
    inodes_free: int = 0
    tasks: int = 0
    tasks_limit: int = 0


class ContainerSample(ObservedStruct):
    """One reading of one container's counters. cpu_nanos: since it was started. memory_bytes: working set.

    disk_bytes: its writable layer and its log; None when it was not asked for.
    """

    cpu_nanos: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None


class Measurement(ObservedStruct):
    """One reading of a host. uptime_seconds: the host's steady clock, for rates between two readings.

    containers: id -> sample, of those that run, ours or not. volumes: name -> bytes, when disk use was asked for.
    """

    vitals: HostVitals
    uptime_seconds: float
    containers: Mapping[str, ContainerSample] = {}
    volumes: Mapping[str, int] = {}


class ContainerUse(ObservedStruct):
    """What a container uses. cpu_millis: thousandths of a processor, averaged over the window of the measurement."""

    name: str
    cpu_millis: int | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None


class PodUse(ObservedStruct):
    """What a pod uses. volumes: its own volumes on disk, by their name in the manifest. values: metrics of its own.

    problem: why values could not be had.
    """

    containers: tuple[ContainerUse, ...] = ()
    volumes: Mapping[str, int] = {}
    values: Mapping[str, float] = {}
    problem: str = ""


class HostUse(ObservedStruct):
    """What the pods of a host use, by uid. at: the reconciler's clock; window_seconds: over which rates are averaged.

    has_disk: disk use was asked for.
    """

    at: datetime
    window_seconds: float = 0.0
    pods: Mapping[str, PodUse] = {}
    has_disk: bool = False


class ForeignLoad(ObservedStruct):
    """What a container of somebody else takes: its limits where it has some, else what it uses.

    ports: (protocol, host ip, port) that it publishes.
    """

    name: str
    cpu_millis: int = 0
    memory_bytes: int = 0
    ports: tuple[tuple[str, str, int], ...] = ()
