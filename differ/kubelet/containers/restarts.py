"""When a container is started again, and how often it has been. Pure.

Docker's own `always` restarts the first crash within milliseconds. From the second one in a row on we take over with
Kubernetes' back-off, by two means: a restart that Docker is about to do is cancelled if it can be caught (Docker waits
for 100 ms), and a container that has crashed twice in a row gets the restart policy `no` until it has run for ten
minutes. The second means needs no haste, so the back-off holds at any latency.

Docker's count begins anew at every start by us, and such a start renames the container to the count it then has: so
`attempt in the name + Docker's count` is the restart count, and it lives on the host. Docker's count begins anew too
when the engine or a person starts the container: then it is given the name of what was counted before.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import structs

from differ.kubelet.identity import own_name
from differ.kubelet.memory import ContainerMemory
from differ.kubelet.run_times import (
    LookTime,
    RunTimes,
    learn_times,
    run_of,
)
from objects.observation.host import ObservedContainer

FIRST_BACKOFF_SECONDS = 10.0
MAX_BACKOFF_SECONDS = 300.0
CALM_SECONDS = 600.0
"""A run of this length ends a row of crashes (twice the longest back-off, as in the kubelet)."""
LOOPING_ROW = 2
"""So many crashes in a row, and Docker may not restart the container any more."""
_CALM = timedelta(seconds=CALM_SECONDS)
KILLED = 137
ALIVE = frozenset({"running", "paused", "restarting"})


def is_alive(container: ObservedContainer) -> bool:
    """Whether Docker keeps a process of it, or is about to."""
    return container.state in ALIVE


# --- what a look teaches --------------------------------------------------------------------------------------------


def learn_restarts(container: ObservedContainer, known: ContainerMemory, look: LookTime) -> ContainerMemory:
    """What is remembered of a container after a look at it: how often it was restarted, since which time it runs or
    does not, and at which count its present row of crashes began. `known` itself when nothing is new.
    """
    times = learn_times(container, known.times, look)
    count = _learn_count(container, known)
    base = min(known.streak_base, count)
    if times is not None and times.lasted(look.steady) >= _CALM:
        base = count
    elif _was_calm(times, known.times, look):
        base = max(known.restarts, 0)
    if (times, count, base) == (known.times, known.restarts, known.streak_base):
        return known
    return structs.replace(known, times=times, restarts=count, streak_base=base)


def told_count(container: ObservedContainer, memory: ContainerMemory) -> int | None:
    """The restart count that the host tells; None when somebody renamed the container, so that its attempt is lost.

    Docker counts a restart when it decides on it: one that is pending, or was cancelled by us, has not happened.
    """
    name = own_name(container)
    if name is None:
        return None
    has_not_happened = container.state == "restarting" or _was_cancelled(container, memory)
    return name.attempt + max(0, container.restart_count - (1 if has_not_happened else 0))


def _was_cancelled(container: ObservedContainer, memory: ContainerMemory) -> bool:
    """Whether the last restart that Docker counts was cancelled by us.

    A cancellation that comes late ends a run that Docker has begun meanwhile, and then all that it counts has happened;
    or it cancels the restart after that run, if the run ended by itself.
    """
    if container.state != "exited" or not memory.taken_over_run.startswith(f"{container.id}@"):
        return False
    ended_by_itself = container.exit_code != KILLED or container.oom_killed
    return memory.taken_over_run == run_of(container) or ended_by_itself


def _learn_count(container: ObservedContainer, known: ContainerMemory) -> int:
    """The restart count: it never falls. A run that is new although Docker counts no restart was begun by the engine's
    own start, or by a person.
    """
    told = told_count(container, known)
    is_another_run = (
        known.times is not None
        and known.times.run.startswith(f"{container.id}@")
        and known.times.run != run_of(container)
    )
    if is_another_run and (told is None or told <= known.restarts):
        return known.restarts + 1
    least = 0 if told is None else told
    return max(least, known.restarts)


def _was_calm(times: RunTimes | None, before: RunTimes | None, look: LookTime) -> bool:
    """Whether the run that was seen before this one ended a row of crashes, though nobody saw its end."""
    if before is None or look.before is None or times is None or times.run == before.run:
        return False
    return before.lasted(look.before) >= _CALM


# --- what follows from it -------------------------------------------------------------------------------------------


def crashes_in_a_row(memory: ContainerMemory) -> int:
    """How many restarts the present row of crashes has had."""
    return max(memory.restarts, 0) - memory.streak_base


def is_looping(memory: ContainerMemory, *, more: int = 0) -> bool:
    """Whether Docker may not restart it any more. more: restarts that are about to be."""
    return crashes_in_a_row(memory) + more >= LOOPING_ROW


def calm_at(memory: ContainerMemory) -> datetime | None:
    """When a running container will have ended its row of crashes, by the host's steady clock; None: there is none."""
    return memory.times.began_at + _CALM if memory.times is not None and is_looping(memory) else None


def backoff_seconds(restarts_in_a_row: int) -> float:
    """0 → 0, 1 → 10, 2 → 20, 3 → 40, … at most 300."""
    if restarts_in_a_row <= 0:
        return 0.0
    return min(FIRST_BACKOFF_SECONDS * 2.0 ** min(restarts_in_a_row - 1, 20), MAX_BACKOFF_SECONDS)


def restart_due(memory: ContainerMemory) -> datetime | None:
    """When a dead container may be started again, by the host's steady clock; None: at once."""
    row = crashes_in_a_row(memory)
    if row <= 0 or memory.times is None or memory.times.ended_at is None:
        return None
    return memory.times.ended_at + timedelta(seconds=backoff_seconds(row))


def must_take_over(container: ObservedContainer, memory: ContainerMemory) -> bool:
    """Whether Docker is about to restart a container that has used up its immediate restart."""
    return container.state == "restarting" and crashes_in_a_row(memory) > 0
