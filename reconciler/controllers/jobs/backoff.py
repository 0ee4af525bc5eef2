"""How long a Job waits after failed pods before it makes the next. Pure.

10 s after the first failure, doubled with each further one, at most 10 min; a success begins anew. Source: Kubernetes'
job backoff_utils.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from objects.api.meta import EPOCH
from objects.api.pods import Pod

FIRST_DELAY = timedelta(seconds=10)
LONGEST_DELAY = timedelta(minutes=10)

_MAX_DOUBLINGS = 32


def finished_at(pod: Pod) -> datetime:
    """When the last container of a finished pod ended; where that is not known, when the pod was deleted or made."""
    states = [status.state.terminated for status in pod.status.container_statuses]
    ends = [state.finished_at for state in states if state is not None and state.finished_at is not None]
    if ends and len(ends) == len(states):
        return max(ends)
    if pod.metadata.deletion_timestamp is not None:
        return pod.metadata.deletion_timestamp - timedelta(seconds=pod.metadata.deletion_grace_period_seconds or 0)
    return pod.metadata.creation_timestamp or EPOCH


def retry_at(
    failed: Iterable[Pod],
    succeeded: Iterable[Pod],
    *,
    first: timedelta = FIRST_DELAY,
    longest: timedelta = LONGEST_DELAY,
) -> datetime | None:
    """When the next pod may be made; None when no failure is younger than the last success.

    failures since the last success -> wait after the youngest
                                  1     10 s
                                  2     20 s
                                  7     10 min
    """
    last_success = max((finished_at(pod) for pod in succeeded), default=EPOCH)
    ends = [end for pod in failed if (end := finished_at(pod)) > last_success]
    return max(ends) + delay_after(len(ends), first=first, longest=longest) if ends else None


def delay_after(failures: int, *, first: timedelta = FIRST_DELAY, longest: timedelta = LONGEST_DELAY) -> timedelta:
    """The wait after this many failures in a row; none without a failure."""
    if failures <= 0:
        return timedelta()
    doublings = min(failures - 1, _MAX_DOUBLINGS)
    delay: timedelta = first * 2**doublings
    return min(longest, delay)
