"""When a container is started again, and how often it has been. Pure.

Docker's own `always` restarts the first crash within milliseconds; from the second one in a row on we take over with
Kubernetes' back-off. Docker's count begins anew at every start by us, and such a start renames the container to the
count it then has: so `attempt in the name + Docker's count` is the restart count, and it lives on the host.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from differ.identity import own_name
from differ.memory import ContainerMemory
from objects.observed import ObservedContainer

FIRST_BACKOFF_SECONDS = 10.0
MAX_BACKOFF_SECONDS = 300.0
CALM_SECONDS = 600.0
"""A run of this length ends a row of crashes (twice the longest back-off, as in the kubelet)."""
ALIVE = frozenset({"running", "paused", "restarting"})


def is_alive(container: ObservedContainer) -> bool:
    """Whether Docker keeps a process of it, or is about to."""
    return container.state in ALIVE


def run_of(container: ObservedContainer) -> str:
    """Names one run: the container keeps its id when it is started again."""
    return f"{container.id}@{container.started_at}"


def restart_count(container: ObservedContainer, memory: ContainerMemory) -> int:
    """How often the container has been started again.

    Docker counts a restart when it decides on it: one that is pending, or was cancelled by us, has not happened.
    A container that somebody renamed has lost its attempt: what was seen before is the least it can be.
    """
    is_pending = container.state == "restarting" or memory.taken_over_id == container.id
    name = own_name(container)
    count = (name.attempt if name else 0) + max(0, container.restart_count - (1 if is_pending else 0))
    return count if name else max(count, memory.restarts, 0)


def last_run_seconds(container: ObservedContainer) -> float:
    """How long it ran the last time; 0 when it never did."""
    if container.started_at is None or container.finished_at is None:
        return 0.0
    return max(0.0, (container.finished_at - container.started_at).total_seconds())


def streak_base(container: ObservedContainer, memory: ContainerMemory) -> int:
    """The restart count at which the present row of crashes began."""
    count = restart_count(container, memory)
    return count if last_run_seconds(container) >= CALM_SECONDS else min(memory.streak_base, count)


def backoff_seconds(restarts_in_a_row: int) -> float:
    """0 → 0, 1 → 10, 2 → 20, 3 → 40, … at most 300."""
    if restarts_in_a_row <= 0:
        return 0.0
    return min(FIRST_BACKOFF_SECONDS * 2.0 ** min(restarts_in_a_row - 1, 20), MAX_BACKOFF_SECONDS)


def restart_due(container: ObservedContainer, memory: ContainerMemory) -> datetime | None:
    """When a dead container may be started again, by the host's clock; None: at once."""
    row = restart_count(container, memory) - streak_base(container, memory)
    if row <= 0 or container.finished_at is None:
        return None
    return container.finished_at + timedelta(seconds=backoff_seconds(row))


def must_take_over(container: ObservedContainer, memory: ContainerMemory) -> bool:
    """Whether Docker is about to restart a container that has used up its immediate restart."""
    return container.state == "restarting" and restart_count(container, memory) > streak_base(container, memory)
