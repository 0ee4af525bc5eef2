"""The reconciler: the daemon with its ways in (commits, answers of metrics servers) and out (status, rollbacks).

`berth run` follows the repository with it, `berth apply` takes one commit and waits; what they have in common is all
here, so that one commit means the same for both.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Self

from reconciler.core.engine import Engine
from reconciler.desired.source_loop import SourceLoop
from reconciler.editing.rollback import FailedRollout, RollbackLoop, RollbackWriter
from reconciler.process.compose import Session
from reconciler.process.daemon import MAX_WAIT_SECONDS, Daemon
from reconciler.process.intake import Intake
from reconciler.process.listeners import Listeners
from reconciler.process.timers import Timers
from reconciler.state.messages import Desired
from reconciler.state.store import Changed
from reconciler.status.loop import StatusLoop

log = logging.getLogger(__name__)

FLUSH_SECONDS = 20.0
"""For the last status commit."""


class Reconciler:
    """A context manager. At its end nothing is acted on any more and the last status is written; hosts keep running
    what they run.

    One thread calls; `wake` may be called from any.
    """

    def __init__(
        self,
        session: Session,
        verb: str,
        *,
        takes_over: bool = False,
        heals_all: bool = False,
        is_reluctant: bool = False,
    ) -> None:
        """verb: `run` or `apply`. takes_over: from another reconciler that is in charge, also where the verb does not.

        heals_all: see Engine. is_reluctant: no status is written but what must be recorded before it is done.
        """
        self._session = session
        self._is_reluctant = is_reluctant
        self.engine: Engine = session.make_engine(heals_all=heals_all, writes_ahead=True)
        self.daemon: Daemon = session.make_daemon(self.engine)
        self.intake = Intake(session, self.daemon, verb=verb, takes_over=takes_over)
        self.source = SourceLoop(self.intake.read, on_desired=self.intake.take, on_problem=self.intake.take_problem)
        self._writer = RollbackWriter(session.repository, session.options.branch)
        self._rollbacks = RollbackLoop(self._roll_back, on_commit=self.source.wake)
        self._queries = session.make_query_loop(self.daemon)
        self._status: StatusLoop | None = None
        self._listeners = Listeners(self.engine, wake=self.daemon.tell)
        self._listeners.add("queries", self._queries.note)
        self._listeners.add("status", self._note_status)
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        # What is named first ends last; whatever raises there keeps none of the others from ending.
        self._ends.callback(self.daemon.stop)
        self._ends.callback(self._say_last)
        self._queries.start()
        self._ends.callback(self._queries.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self.daemon.halt()
        self._ends.close()

    def take_newest(self) -> Desired:
        """Take in the newest commit, once. Raises SourceError, CommitRefused, HostUnread, InChargeElsewhere."""
        desired = self.intake.read_newest()
        self.intake.take(desired)
        return desired

    def follow(self, stopping: threading.Event, timers: Timers, *, poll_seconds: float | None) -> None:
        """Follow the repository until `stopping` is set (and the daemon is told something). Raises Superseded.

        poll_seconds: between two looks at the remote; None: as the Cluster says.
        """
        self._listeners.add("rollbacks", self._rollbacks.note)
        for loop in (self._rollbacks, self.source):
            loop.start()
            self._ends.callback(loop.stop)
        poll = 0.0
        try:
            while not stopping.is_set():
                wanted = poll_seconds or self.engine.settings.sync.poll_seconds
                if wanted != poll:
                    poll = wanted
                    timers.every(poll, self.source.wake, name="poll")
                self.turn()
        finally:
            log.info("stopping; hosts keep running what they run")

    def turn(self, *, timeout_seconds: float = MAX_WAIT_SECONDS) -> None:
        """Wait for something to happen, at most so long, and do what follows from it. Raises Superseded."""
        result = self.daemon.run_once(timeout_seconds=timeout_seconds)
        self.daemon.require_charge()
        self._listeners.tell(result.changed)

    def _roll_back(self, failed: FailedRollout) -> str:
        self.daemon.require_charge()
        return self._writer.roll_back(failed)

    def _note_status(self, engine: Engine, changed: Iterable[Changed]) -> None:
        """Once a commit is in force it says where status goes; before, a refused one is said at the usual place."""
        in_charge, refusal = self.daemon.in_charge, self.intake.refusal
        if self._status is None:
            if in_charge is None or (engine.desired is None and refusal is None):
                return
            status = StatusLoop(
                self._session.status_branch(engine.settings.sync.status_branch),
                wake_engine=self.daemon.tell,
                in_charge=in_charge,
                tell=self.daemon.tell,
                is_reluctant=self._is_reluctant,
                last_commit=self.intake.last_commit,
            )
            status.start()
            self._status = status
        self._status.refuse(refusal)
        self._status.note(engine, changed)

    def _say_last(self) -> None:
        """The last status, or else that nobody is in charge any more."""
        if self._status is not None:
            self._status.flush(self.engine, timeout_seconds=FLUSH_SECONDS)
        in_charge = self.daemon.in_charge
        if in_charge is not None and not in_charge.is_over and (self._status is None or self._is_reluctant):
            self._session.release_charge(in_charge)
