"""The clock of the process: what lasts is counted by it, whatever is done to the machine's clock meanwhile.

It begins with the machine's time and then goes by the monotonic clock. When the machine's clock is set, the process'
clock follows slowly and never goes back, so that no retry, grace period, toleration or deadline comes at once or stands
still. What is due by the calendar goes by the machine's time: `ahead` says how far that is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

log = logging.getLogger(__name__)

FOLLOWED = 1 / 20
"""So much of the time that passes the process' clock goes faster or slower until it shows the machine's time again: a
grace period of 30 s lasts 28.5 to 31.5 s, and a clock that was set by a minute is caught up with after 20."""

AT_ONCE = timedelta(days=1)
"""A machine's clock that is set forward by more than this was plainly wrong before (a machine without a battery, before
it asked for the time): then the times of all objects are, too, and counting on from there would take weeks."""

SET = timedelta(seconds=5)
"""A change of at least this much is worth a line in the log."""


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class ProcessClock:
    """Call it for the time. Thread-safe; never goes back.

    machine's clock           process' clock                            ahead
    set back by 2 h           goes on, 1/20 slower until they agree     -2 h, towards 0
    set forward by 2 h        goes on, 1/20 faster until they agree     2 h, towards 0
    set forward by 3 days     the machine's time                        0
    """

    def __init__(
        self, *, wall: Callable[[], datetime] = utc_now, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._read_at = monotonic()
        self._now = wall()
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        with self._lock:
            read_at = self._monotonic()
            passed = timedelta(seconds=read_at - self._read_at)
            self._read_at = read_at
            self._now += passed
            ahead = self._wall() - self._now
            if abs(ahead - self._ahead) >= SET:
                seconds = (ahead - self._ahead).total_seconds()
                log.warning("this machine's clock was set by %+.0f s; what is under way goes on as before", seconds)
            followed = ahead if ahead > AT_ONCE else max(-FOLLOWED * passed, min(FOLLOWED * passed, ahead))
            self._now += followed
            self._ahead = ahead - followed
            return self._now

    def ahead(self) -> timedelta:
        """How far the machine's time is ahead of this clock; negative: behind."""
        self()
        return self._ahead
