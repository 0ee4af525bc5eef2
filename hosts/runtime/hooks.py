"""Runs lifecycle hooks of one host's containers: begun by an action, told of by the next looks, woken for at the end.

A hook may take as long as its pod's grace period, so it must not hold one of the worker's lanes: each has a thread of
its own while it goes on, at most AT_ONCE of a host. A `sleep` needs none: its end is known when it begins.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial

from msgspec import structs

from differ.kubelet.actions import RunHook
from differ.kubelet.probes.checks import SleepCheck
from hosts.streams.short_threads import ShortThreads
from objects.errors import EngineUnavailable, HostError, HostUnreachable
from objects.observation.host import HookFact

log = logging.getLogger(__name__)

AT_ONCE = 64
"""A host that is drained ends its pods together; whoever waits for a place loses no more than its grace period."""


class HookRunner:
    """Thread-safe. run: runs a hook to its end and returns why it failed. Times are of the host's steady clock."""

    def __init__(
        self, host: str, *, run: Callable[[RunHook], str], steady_now: Callable[[], datetime], wake: Callable[[], None]
    ) -> None:
        self._run = run
        self._steady_now = steady_now
        self._wake = wake
        self._host = host
        self._lock = threading.Lock()
        self._facts: dict[tuple[str, str], HookFact] = {}
        self._threads = ShortThreads(AT_ONCE, f"hook-{host}")

    def begin(self, action: RunHook) -> None:
        """Begin a hook, unless it was begun in this run of the container already. Returns at once."""
        now = self._steady_now()
        is_sleep = isinstance(action.check, SleepCheck)
        fact = HookFact(container_id=action.id, kind=action.kind, started_at=action.started_at, begun_at=now)
        if isinstance(action.check, SleepCheck):
            fact = structs.replace(fact, ended_at=now + timedelta(seconds=action.check.seconds))
        key = (action.id, action.kind)
        with self._lock:
            known = self._facts.get(key)
            if known is not None and known.started_at == action.started_at:
                return
            self._facts[key] = fact
        if not is_sleep:
            self._threads.submit(partial(self._run_to_end, action, fact))

    def facts(self, container_ids: Collection[str]) -> tuple[HookFact, ...]:
        """How the hooks of these containers go; those of others are forgotten."""
        with self._lock:
            self._facts = {key: fact for key, fact in self._facts.items() if key[0] in container_ids}
            return tuple(self._facts[key] for key in sorted(self._facts))

    def close(self) -> None:
        """Begin no more. What goes on inside containers goes on."""
        self._threads.close()

    def _run_to_end(self, action: RunHook, begun: HookFact) -> None:
        try:
            error = self._run(action)
        except (HostUnreachable, EngineUnavailable):
            # Not the hook's fault: it is begun anew, "at least once".
            self._forget(action, begun)
            return
        except HostError as failure:
            error = str(failure)
        except Exception as failure:
            # A bug met with one hook must not leave its pod waiting.
            log.exception("%s hook on host %s", action.kind, self._host)
            error = f"internal error: {type(failure).__name__}: {failure}"
        ended = structs.replace(begun, ended_at=self._steady_now(), error=error)
        with self._lock:
            if self._facts.get((action.id, action.kind)) == begun:
                self._facts[action.id, action.kind] = ended
        self._wake()

    def _forget(self, action: RunHook, begun: HookFact) -> None:
        with self._lock:
            if self._facts.get((action.id, action.kind)) == begun:
                del self._facts[action.id, action.kind]
        self._wake()
