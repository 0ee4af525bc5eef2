"""What a host is short of: its figures against the thresholds of its Host.

Says what is the case now. How long a condition of a Node lasts, and what is done about it, is the work of controllers.
Signals and defaults: kubelet's eviction manager.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from objects.config import EvictionThresholds
from objects.intstr import parse_percent
from objects.meta import QuantityLike
from objects.observed import HostFacts
from objects.quantity import value
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


def threshold_amount(threshold: QuantityLike, *, capacity: int) -> int:
    """A threshold of `Host.spec.eviction` as an amount: a quantity, or a percentage of the capacity.

    threshold  capacity -> amount
        "10%"      1000       100
        "100Mi"       -  104857600
    """
    if isinstance(threshold, str) and threshold.endswith("%"):
        return parse_percent(threshold) * capacity // 100
    return value(threshold)
