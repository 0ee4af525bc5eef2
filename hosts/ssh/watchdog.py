"""One thread that cuts connections whose peer fell silent, for all hosts of the process.

It must be apart from the connections' own threads: those may themselves hang in a write to the dead peer, holding the
locks that everybody else waits for. It never sends and takes none of those locks.

Silence is counted in rounds of the watchdog, not read off the clock: while this process stood still (stopped, starved,
its machine suspended) it heard nobody, and that is no fault of the peers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Watched(Protocol):
    """What the watchdog looks at; an `SshTransport`."""

    @property
    def is_silent_too_long(self) -> bool: ...
    @property
    def silent_seconds(self) -> float: ...
    def is_active(self) -> bool: ...
    def count_silence(self, seconds: float) -> None: ...
    def sever(self, why: str) -> None: ...


class Watchdog:
    """Looks at each watched connection every `interval_seconds`. The thread starts with the first one."""

    def __init__(self, *, interval_seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._looked_at = clock()
        self._watched: set[Watched] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, connection: Watched) -> None:
        """Look after it until it is dead."""
        with self._lock:
            self._watched.add(connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ssh-watchdog", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread; connections are left as they are."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_seconds):
            self.look()

    def look(self) -> None:
        """One round: forget the dead, sever the silent."""
        now = self._clock()
        seconds, self._looked_at = now - self._looked_at, now
        if seconds > 2 * self._interval_seconds:
            seconds = 0.0  # we stood still: whoever talked meanwhile has not been read yet
        with self._lock:
            for connection in self._watched:
                connection.count_silence(seconds)
            self._watched = {connection for connection in self._watched if connection.is_active()}
            silent = [connection for connection in self._watched if connection.is_silent_too_long]
        for connection in silent:
            connection.sever(f"silent for {connection.silent_seconds:.0f} s")
