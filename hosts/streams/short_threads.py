"""Threads for what has to be waited for now and then on one host: they end as soon as nothing waits for one.

An executor of the standard library keeps each thread that it ever began; with a thousand hosts those are thousands.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

log = logging.getLogger(__name__)


class ShortThreads:
    """Thread-safe. most: calls at the same time; others wait their turn. name: of the threads."""

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = threading.Lock()
        self._waiting: deque[Callable[[], object]] = deque()
        self._is_closed = False
        self.running = 0

    def submit(self, call: Callable[[], object]) -> None:
        """Have `call` run soon; what it raises is logged. Nothing after `close`."""
        with self._lock:
            if self._is_closed:
                return
            self._waiting.append(call)
            if self.running < self._most:
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
                self.running += 1

    def close(self) -> None:
        """Begin nothing more. Returns at once: what runs goes on to its own deadline."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self.running -= 1
                    return
                call = self._waiting.popleft()
            try:
                call()
            except Exception:
                log.exception("in a thread %s", self._name)
