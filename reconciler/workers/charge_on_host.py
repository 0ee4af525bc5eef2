"""Whether one host is ours to act on: by the marks of who is in charge that lie on it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from differ.kubelet.actions import MarkCharge, RemoveVolume
from hosts.runtime.interface import HostRuntime
from objects.errors import DiskFull, HostError, HostUnreachable
from objects.own.charge import Charge, marker_name
from reconciler.charge.holding import InCharge
from reconciler.charge.rules import Go, Mark, Over, Settle, next_step

log = logging.getLogger(__name__)


class ChargeOnHost:
    """Owned by the worker's thread. in_charge: None for those who only look."""

    def __init__(self, host: str, runtime: HostRuntime, in_charge: InCharge | None) -> None:
        self._host = host
        self._runtime = runtime
        self._in_charge = in_charge
        self._marked_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether somebody else has taken over."""
        return self._in_charge is not None and self._in_charge.is_over

    def stand_by(self, found: tuple[Charge, ...], now: datetime, *, relist_seconds: float) -> float | None:
        """Seconds until the next look while the host is not ours to act on, or not any more; None when it is.

        found: the marks of a look at `now`.
        """
        if self._in_charge is None:
            return None
        own = self._in_charge.charge
        step = next_step(own, found, marked_at=self._marked_at, now=now)
        if isinstance(step, Mark):
            try:
                self._runtime.perform(MarkCharge(charge=own))
                return 0.0
            except DiskFull as error:
                # What runs must be looked after; the mark is tried again by the next look.
                log.warning("%s: the host cannot be marked as in our charge", error)
            step = next_step(own, (*found, own), marked_at=self._marked_at, now=now)
        if isinstance(step, Over):
            self._in_charge.end(step.by)
            return relist_seconds
        if self._marked_at is None:
            self._marked_at = now
            if isinstance(step, Settle):
                log.info("host %s: another was in charge of it; its last calls are waited for", self._host)
        if isinstance(step, Settle):
            return (step.until - now).total_seconds()
        if isinstance(step, Go):
            self._clear(step.stale)
        return None

    def _clear(self, stale: Iterable[Charge]) -> None:
        """Remove marks of earlier charges; one that stays is tried again by the next complete look."""
        for charge in stale:
            try:
                self._runtime.perform(RemoveVolume(volume=marker_name(charge)))
            except HostUnreachable:
                raise
            except HostError as error:
                log.warning("an old mark of who is in charge stays: %s", error)
