"""How long a run of a container has lasted, whatever is done to the host's clock meanwhile. Pure.

A container's own times (`started_at` …) are stamps of the host's clock: they name a run, but after somebody has set
that clock their differences mean nothing. So the first look that shows a run, or its end, notes the time by the
*steady* clock (`HostObservation.steady_now`), and durations are counted by that alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from differ.kubelet.assignment import DifferStruct
from objects.observation.host import ObservedContainer


def run_of(container: ObservedContainer) -> str:
    """Names one run: the container keeps its id when it is started again."""
    return f"{container.id}@{container.started_at}"


class RunTimes(DifferStruct):
    """On the host's steady clock. run: see `run_of`. ended_at: None while the run goes on."""

    run: str
    began_at: datetime
    ended_at: datetime | None = None

    def lasted(self, until: datetime) -> timedelta:
        """From its beginning to its end, or to `until` when its end is not known."""
        return (self.ended_at or until) - self.began_at


class LookTime(NamedTuple):
    """When a look was taken. host_now: by the host's clock. steady: by its steady clock. before: the look before that
    showed these containers, by the steady clock; None: this is the first.
    """

    host_now: datetime
    steady: datetime
    before: datetime | None = None

    def steady_time(self, stamp: datetime) -> datetime:
        """The steady time of something that this look is the first to show.

        It lies in the time between the two looks. A stamp that does not was made by a clock that was set meanwhile:

        looks   stamp (by host_now)   ->
        0, 60   40                       40
        0, 60   7200                     60   set forward, or back and told late
        0, 60   -7200                     0
        """
        at = self.steady - max(self.host_now - stamp, timedelta())
        return at if self.before is None else max(at, self.before)


def learn_times(container: ObservedContainer, known: RunTimes | None, look: LookTime) -> RunTimes | None:
    """The times of the container's present or last run; None when it never ran."""
    if container.started_at is None:
        return None
    run = run_of(container)
    if known is None or known.run != run:
        known = RunTimes(run=run, began_at=look.steady_time(container.started_at))
    if container.state in ("running", "paused") or known.ended_at is not None or container.finished_at is None:
        return known
    ended_at = max(look.steady_time(container.finished_at), known.began_at)
    return RunTimes(run=run, began_at=known.began_at, ended_at=ended_at)
