"""All SSH links of the process: one per way to a host, jump hosts shared, one watchdog, few handshakes at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from random import Random

from hosts.ssh.link import SshLink
from hosts.ssh.packets import Clock
from hosts.ssh.target import SshTarget
from hosts.ssh.watchdog import Watchdog

CONNECTS_AT_ONCE = 8
"""sshd's MaxStartups begins to drop at 10 unauthenticated connections; a jump host may see all of ours."""


class SshLinks:
    """Thread-safe. Links connect when they are first used, not when they are made."""

    def __init__(self, *, clock: Clock, random: Random, connects_at_once: int = CONNECTS_AT_ONCE) -> None:
        self._clock = clock
        self._random = random
        self._connect_slots = threading.BoundedSemaphore(connects_at_once)
        self._watchdog = Watchdog()
        self._links: dict[SshTarget, SshLink] = {}
        self._lock = threading.RLock()

    def link(self, target: SshTarget) -> SshLink:
        """The link of this target; made on first demand, together with those of its jump hosts."""
        with self._lock:
            link = self._links.get(target)
            if link is None:
                via = self.link(target.jump) if target.jump is not None else None
                link = self._links[target] = SshLink(
                    target,
                    clock=self._clock,
                    random=self._random,
                    connect_slots=self._connect_slots,
                    watchdog=self._watchdog,
                    via=via,
                )
            return link

    def retain(self, targets: Iterable[SshTarget]) -> None:
        """Close every link that is neither one of these nor on the way to one: their Hosts are gone or changed.

        Returns at once: who calls has other hosts to look after.
        """
        self._retain(targets, wait_seconds=0)

    def _retain(self, targets: Iterable[SshTarget], *, wait_seconds: float) -> None:
        wanted: set[SshTarget] = set()
        for target in targets:
            hop: SshTarget | None = target
            while hop is not None:
                wanted.add(hop)
                hop = hop.jump
        with self._lock:
            stale = [self._links.pop(target) for target in [*self._links] if target not in wanted]
        for link in stale:
            link.close(wait_seconds=wait_seconds)

    def close(self) -> None:
        """Close all links and end the watchdog."""
        self._retain((), wait_seconds=2)
        self._watchdog.close()
