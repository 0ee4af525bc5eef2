"""The start-up rule: a fresh process takes in what an earlier one left and a commit, both or none.

A commit without the memory of what is deployed could not prune, and would begin again what runs; a memory without a
commit says nothing of what is wanted. So nothing is told until both were read, whatever fails in between, and before
anything is told this process is in charge of the cluster.
"""

from __future__ import annotations

import logging

from objects.errors import BerthError
from reconciler.desired.commits import HostUnread, both_said, require_hosts
from reconciler.process.compose import Session
from reconciler.process.daemon import Daemon
from reconciler.state.messages import Desired
from reconciler.status.batch import Refusal
from sources.reading.desired import CommitRefused

log = logging.getLogger(__name__)


class Intake:
    """Owned by one thread: the source loop's, or that of a command that reads once."""

    def __init__(self, session: Session, daemon: Daemon, *, verb: str, takes_over: bool = False) -> None:
        """verb: `run` or `apply`, which others are told when this process is in charge. takes_over: from anybody."""
        self._session = session
        self._daemon = daemon
        self._verb = verb
        self._takes_over = takes_over
        self._has_begun = False
        self._has_told = False
        self._untold: Desired | None = None
        self.last_commit = ""
        """The commit that an earlier process had in force, by the status branch."""
        self.refusal: Refusal | None = None
        """Why the newest commit is not in force."""

    def read(self) -> Desired | None:
        """The next commit to `take`, None when nothing is new; the memory is told before the first one.

        When a fresh process finds the newest commit wrong, the one in force before is taken up. Raises SourceError,
        CommitRefused, HostUnread, InChargeElsewhere; then nothing is told, and the next call begins where this one
        ended.
        """
        return self._read(takes_up_last=True)

    def read_newest(self) -> Desired:
        """As `read` of a fresh process, but the newest commit or none. Raises as `read`."""
        desired = self._read(takes_up_last=False)
        assert desired is not None, "the first reading of a branch tells something or raises"
        return desired

    def take(self, desired: Desired) -> None:
        """Hand a commit that was read to the engine."""
        self._untold = None
        log.info("commit %s: %d objects", desired.commit[:10], len(desired.objects))
        for warning in self._session.commits.warnings:
            log.info("%s", warning)
        self._daemon.tell(desired)

    def take_problem(self, problem: BerthError | None) -> None:
        """What came of reading. Only a wrong commit is said in the repository: a remote that is gone cannot be told."""
        self.refusal = None
        if isinstance(problem, CommitRefused | HostUnread):
            self.refusal = Refusal(problem.commit, str(problem))
        self._daemon.tell(None)

    def _read(self, *, takes_up_last: bool) -> Desired | None:
        if self._has_told:
            return self._read_next(takes_up_last)
        with self._session.fetched_once():
            if not self._has_begun:
                self.last_commit = self._session.begin_from_status()
                self._has_begun = True
            return self._read_next(takes_up_last)

    def _read_next(self, takes_up_last: bool) -> Desired | None:
        try:
            fresh = self._session.commits.read()
        except CommitRefused:
            if takes_up_last:
                self._be_in_charge()
                self._take_last_good()
            raise
        self._untold = self._untold if fresh is None else both_said(self._untold, fresh)
        self._be_in_charge()
        if self._untold is not None:
            self._tell_memory(self._untold)
        return self._untold

    def _take_last_good(self) -> None:
        """A good commit that was read before and could not be told yet, or that an earlier process had in force."""
        good = self._untold or (None if self._has_told else self._session.last_good())
        if good is not None:
            self._tell_memory(good)
            self.take(good)

    def _be_in_charge(self) -> None:
        """At first take charge, later see whether we still are."""
        if self._daemon.in_charge is None:
            in_charge = self._session.take_charge(self._verb, takes_over=self._takes_over)
            in_charge.on_end = lambda: self._daemon.tell(None)
            self._daemon.in_charge = in_charge
        else:
            self._session.check_charge(self._daemon.in_charge)

    def _tell_memory(self, desired: Desired) -> None:
        if self._has_told:
            return
        restored = self._session.read_restored(desired)
        require_hosts(restored, desired)
        self.last_commit = restored.commit
        self._daemon.tell(restored)
        self._has_told = True
