"""What a host is short of: its figures against the thresholds of its Host.

Says what is the case now. How long a condition of a Node lasts, and what is done about it, is the work of controllers.
Signals and defaults: kubelet's eviction manager.
"""

from __future__ import annotations

import functools
from typing import Final, NamedTuple

from objects.api.meta import QuantityLike
from objects.observation.host import HostFacts
from objects.own.config import EvictionThresholds
from objects.values.intstr import parse_percent
from objects.values.quantity import value
from policies.eviction import DISK, MEMORY

TASKS: Final = "pids"
RELIEF: Final = 1.1
"""Pressure ends at 110 % of the threshold at which it began: what eviction frees must not invite the next pod."""


class Level(NamedTuple):
    """How much of something is left, and below which amount the host is short of it.

    condition: of the Node. resource: what a pod is evicted for. figure: in words.
    """

    condition: str
    resource: str
    figure: str
    available: int
    threshold: int

    @property
    def is_short(self) -> bool:
        return self.available < self.threshold

    @property
    def is_relieved(self) -> bool:
        """Whether there is clearly enough again."""
        return self.available >= self.threshold * RELIEF


def levels_of(facts: HostFacts, limits: EvictionThresholds) -> tuple[Level, ...]:
    """Everything that is watched of a host. What its file system or its reader does not count is left out."""
    bytes_ = (
        Level(
            "MemoryPressure",
            MEMORY,
            "available memory",
            facts.memory_available_bytes,
            threshold_amount(limits.memory_available, capacity=facts.memory_bytes),
        ),
        Level(
            "DiskPressure",
            DISK,
            "free disk space",
            facts.disk_free_bytes,
            threshold_amount(limits.disk_available, capacity=facts.disk_bytes),
        ),
    )
    inodes = Level(
        "DiskPressure",
        DISK,
        "free inodes",
        facts.inodes_free,
        threshold_amount(limits.inodes_free, capacity=facts.inodes),
    )
    tasks = Level(
        "PIDPressure",
        TASKS,
        "PIDs",
        facts.tasks_limit - facts.tasks,
        threshold_amount(limits.pid_available, capacity=facts.tasks_limit),
    )
    return (*bytes_, *((inodes,) if facts.inodes else ()), *((tasks,) if facts.tasks_limit else ()))


def has_plenty(facts: HostFacts, limits: EvictionThresholds) -> bool:
    """Whether every level is relieved: as long as that holds, figures that move change nothing."""
    memory, disk, inodes, tasks = _plenty(limits, facts.memory_bytes, facts.disk_bytes, facts.inodes, facts.tasks_limit)
    return (
        facts.memory_available_bytes >= memory
        and facts.disk_free_bytes >= disk
        and facts.inodes_free >= inodes
        and facts.tasks_limit - facts.tasks >= tasks
    )


@functools.lru_cache(maxsize=1024)
def _plenty(
    limits: EvictionThresholds, memory: int, disk: int, inodes: int, tasks: int
) -> tuple[float, float, float, float]:
    """From which amounts on each level is relieved, for hosts of this size: most hosts of a cluster have the same."""
    return (
        threshold_amount(limits.memory_available, capacity=memory) * RELIEF,
        threshold_amount(limits.disk_available, capacity=disk) * RELIEF,
        threshold_amount(limits.inodes_free, capacity=inodes) * RELIEF if inodes else 0,
        threshold_amount(limits.pid_available, capacity=tasks) * RELIEF if tasks else 0,
    )


def threshold_amount(threshold: QuantityLike, *, capacity: int) -> int:
    """A threshold of `Host.spec.eviction` as an amount: a quantity, or a percentage of the capacity.

    threshold  capacity -> amount
        "10%"      1000       100
        "100Mi"       -  104857600
    """
    if isinstance(threshold, str) and threshold.endswith("%"):
        return parse_percent(threshold) * capacity // 100
    return value(threshold)
