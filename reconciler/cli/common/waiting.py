"""Waiting for the cluster: durations as people type them, and a loop over live views that ends in time."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import click

from reconciler.cli.common.viewing import LiveView
from reconciler.cli.verbs.get import COMMIT_SECONDS

_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """Seconds: `90`, `90s`, `5m`, `1h30m`; 0 means no limit."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        if re.fullmatch(r"\d+(?:\.\d+)?", text):
            return float(text)
        if not text or _PARTS.sub("", text):
            self.fail(f"{text!r} is not a duration like 90s, 5m or 1h30m", param, ctx)
        return sum(float(number) * _UNITS[unit] for number, unit in _PARTS.findall(text))


DURATION = Duration()


def looks(live: LiveView, *, timeout_seconds: float) -> Iterator[bool]:
    """Give control back after each change of the cluster, and at least once a second.

    Yields whether time is up (then it ends); 0 means never. Newer commits are taken in.
    """
    begun = commit_at = time.monotonic()
    while True:
        now = time.monotonic()
        is_over = bool(timeout_seconds) and now - begun >= timeout_seconds
        yield is_over
        if is_over:
            return
        if now - commit_at >= COMMIT_SECONDS:
            live.take_newest_commit()
            commit_at = now
        live.daemon.run_once(timeout_seconds=1.0)
