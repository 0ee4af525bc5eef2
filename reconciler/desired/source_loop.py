"""Watches the repository: asks at each wake-up whether there is a new commit, and says what came of reading it.

A commit that is wrong, or a remote that is gone, changes nothing: the last good commit stays in force. Reading happens
in a thread of its own; the engine is only told results.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from objects.errors import BerthError, Needs, SourceError
from reconciler.state.messages import Desired

log = logging.getLogger(__name__)

RETRY_SECONDS = (2.0, 5.0, 15.0, 30.0)
"""After a remote that does not answer, beside the ordinary poll; the last one repeats."""


class SourceLoop:
    """read: returns the newest commit's desired state, None when that is in force already; raises BerthError, again
    for the same commit as long as it is wrong (a reader caches its verdict).

    on_desired, on_problem: called in this loop's thread. on_problem(None): the last problem is over.
    """

    def __init__(
        self,
        read: Callable[[], Desired | None],
        *,
        on_desired: Callable[[Desired], None],
        on_problem: Callable[[BerthError | None], None],
    ) -> None:
        self._read = read
        self._on_desired = on_desired
        self._on_problem = on_problem
        self._awake = threading.Event()
        self._stopped = threading.Event()
        self._failures = 0
        self._problem: BerthError | None = None
        self._thread = threading.Thread(target=self._run, name="source", daemon=True)

    def start(self) -> None:
        self._awake.set()
        self._thread.start()

    def wake(self) -> None:
        """There may be a new commit: ask at once. From any thread."""
        self._awake.set()

    def stop(self, *, timeout_seconds: float = 5) -> None:
        self._stopped.set()
        self._awake.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            pause = None
            if self._failures:
                pause = RETRY_SECONDS[min(self._failures - 1, len(RETRY_SECONDS) - 1)]
            self._awake.wait(timeout=pause)
            self._awake.clear()
            if not self._stopped.is_set():
                self.read_once()

    def read_once(self) -> None:
        """One look at the repository, with all that follows from it. No error ends it: the next commit may be good."""
        try:
            desired = self._read()
            if desired is not None:
                self._on_desired(desired)
        except BerthError as error:
            self._failures = self._failures + 1 if error.needs is Needs.RETRY else 0
            self._say(error)
            return
        except Exception as error:
            # A bug met by one commit must not end the watching of later ones.
            log.exception("reading the repository")
            self._failures += 1
            self._say(SourceError(f"internal error while reading the repository: {type(error).__name__}: {error}"))
            return
        self._failures = 0
        self._say(None)

    def _say(self, problem: BerthError | None) -> None:
        """Once for each problem: the same one again is no news."""
        if str(problem) == str(self._problem):
            return
        self._problem = problem
        if problem is not None:
            log.warning("%s", problem)
        self._on_problem(problem)
