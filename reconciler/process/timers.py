"""Timers: the only module that knows APScheduler. Jobs carry nothing and do nothing but wake somebody.

What is late runs once and at once (no misfire is dropped), never twice at a time. Times of CronJobs are not computed
here: they follow from the last scheduled time (see the cronjob controller).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

JITTER_SHARE = 0.1
"""Of the interval: many clusters that watch one Git server must not ask it in the same second."""


class Timers:
    """Periodic wake-ups in a background thread. Use as a context manager."""

    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def __enter__(self) -> Self:
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.shutdown(wait=False)

    def every(self, seconds: float, wake: Callable[[], None], *, name: str) -> None:
        """Call `wake` about every `seconds`; a timer of this name that runs already is replaced."""
        trigger = IntervalTrigger(seconds=seconds, jitter=seconds * JITTER_SHARE)
        self._scheduler.add_job(wake, trigger, id=name, replace_existing=True)
