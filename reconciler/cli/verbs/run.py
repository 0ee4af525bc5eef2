"""`berth run`: the daemon."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from objects.errors import BerthError, InvalidInput
from reconciler.core.engine import Engine
from reconciler.desired.commits import HostUnread, both_said, require_hosts
from reconciler.desired.source_loop import SourceLoop
from reconciler.editing.rollback import FailedRollout, RollbackLoop, RollbackWriter
from reconciler.process.compose import Session, open_session
from reconciler.process.daemon import Daemon
from reconciler.process.options import Options
from reconciler.process.timers import Timers
from reconciler.process.webhook import WebhookServer, build_app
from reconciler.state.messages import Desired
from reconciler.status.loop import Refusal, StatusLoop
from sources.reading.desired import CommitRefused

log = logging.getLogger("berth")

FLUSH_SECONDS = 20.0


@click.command("run", help="Keep the hosts as the repository says, until stopped (the daemon).")
@click.option("--webhook", metavar="ADDRESS:PORT", help="Listen for signed push webhooks, e.g. 0.0.0.0:9080.")
@click.option(
    "--webhook-secret-file",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="File with the secret that the forge signs with.",
)
@click.option("--poll", type=click.FloatRange(min=1), help="Seconds between two looks at the remote.")
@click.option("--take-over", is_flag=True, help="Take charge anew, also from marks on hosts that nobody knows.")
@click.pass_obj
def command(
    options: Options, webhook: str | None, webhook_secret_file: Path | None, poll: float | None, take_over: bool
) -> None:
    """Runs until SIGTERM or SIGINT, then writes the last status commit and ends with 0; hosts keep running.

    The newest one is in charge: an earlier one of the same cluster ends with exit code 7.
    """
    secret = _read_secret(webhook, webhook_secret_file)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    # Their own chatter at INFO (each connection, each job) would drown ours.
    for chatty in ("paramiko", "apscheduler", "uvicorn", "docker", "urllib3", "git"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    stopping = threading.Event()
    with open_session(options) as session, ExitStack() as stack:
        engine = session.make_engine(writes_ahead=True)
        reconciler = Reconciler(session, engine, takes_over=take_over)

        def stop(*_: object) -> None:
            stopping.set()
            reconciler.daemon.tell(None)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        timers = stack.enter_context(Timers())
        if webhook:
            stack.enter_context(_serving(webhook, secret, reconciler))
        reconciler.run(stopping, timers, poll_seconds=poll)


class Reconciler:
    """The daemon with its ways in (repository) and out (status commits)."""

    def __init__(self, session: Session, engine: Engine, *, takes_over: bool = False) -> None:
        self._session = session
        self._takes_over = takes_over
        self.engine = engine
        self.daemon: Daemon = session.make_daemon(engine)
        self._status: StatusLoop | None = None
        self._refusal: Refusal | None = None
        self._has_begun = False
        self._has_told = False
        self._last_commit = ""
        self._untold: Desired | None = None
        self.source = SourceLoop(self._read, on_desired=self._take, on_problem=self._take_problem)
        self._writer = RollbackWriter(session.repository, session.options.branch)
        self._rollbacks = RollbackLoop(self._roll_back, on_commit=self.source.wake)
        self._queries = session.make_query_loop(self.daemon)

    def run(self, stopping: threading.Event, timers: Timers, *, poll_seconds: float | None) -> None:
        """Until `stopping` is set (and the daemon is told something). Raises Superseded."""
        self.source.start()
        self._rollbacks.start()
        self._queries.start()
        poll = poll_seconds or self.engine.settings.sync.poll_seconds
        timers.every(poll, self.source.wake, name="poll")
        try:
            while not stopping.is_set():
                result = self.daemon.run_once()
                self.daemon.require_charge()
                self._rollbacks.note(self.engine.store, result)
                self._queries.note(self.engine, result)
                status = self._status or self._start_status()
                if status is not None:
                    status.refuse(self._refusal)
                    status.note(result)
                wanted = poll_seconds or self.engine.settings.sync.poll_seconds
                if wanted != poll:
                    poll = wanted
                    timers.every(poll, self.source.wake, name="poll")
        finally:
            log.info("stopping; hosts keep running what they run")
            self.daemon.halt()
            self.source.stop()
            self._rollbacks.stop()
            self._queries.stop()
            if self._status is not None:
                self._status.flush(timeout_seconds=FLUSH_SECONDS)
            self.daemon.stop()

    def _roll_back(self, failed: FailedRollout) -> str:
        self.daemon.require_charge()
        return self._writer.roll_back(failed)

    def _start_status(self) -> StatusLoop | None:
        """Once a commit is in force it says where status goes; before, a refused one is said at the usual place."""
        in_charge = self.daemon.in_charge
        if in_charge is None or (self.engine.desired is None and self._refusal is None):
            return None
        branch = self._session.status_branch(self.engine.settings.sync.status_branch)
        self._status = StatusLoop(
            branch,
            self.engine,
            wake_engine=lambda: self.daemon.tell(None),
            in_charge=in_charge,
            on_recorded=self.daemon.tell,
            last_commit=self._last_commit,
        )
        self._status.start()
        return self._status

    def _read(self) -> Desired | None:
        """The next commit to take; before the first one, what an earlier process left on the status branch.

        Both or none: a commit without the memory of what is deployed could not prune. When a fresh process finds the
        newest commit wrong, the one in force before is taken up.
        """
        if self._has_told:
            return self._read_next()
        with self._session.fetched_once():
            if not self._has_begun:
                self._session.begin_from_status()
                self._has_begun = True
            return self._read_next()

    def _read_next(self) -> Desired | None:
        try:
            fresh = self._session.commits.read()
            self._untold = self._untold if fresh is None else both_said(self._untold, fresh)
        except CommitRefused:
            self._be_in_charge()
            # A good one that was read before and could not be told yet is in force until the refused one is mended.
            good = self._untold or (None if self._has_told else self._session.last_good())
            if good is not None:
                if not self._has_told:
                    self._tell_memory(good)
                self._take(good)
            raise
        self._be_in_charge()
        if self._untold is not None and not self._has_told:
            self._tell_memory(self._untold)
        return self._untold

    def _be_in_charge(self) -> None:
        """At first take charge, later see whether we still are."""
        if self.daemon.in_charge is None:
            in_charge = self._session.take_charge("run", takes_over=self._takes_over)
            in_charge.on_end = lambda: self.daemon.tell(None)
            self.daemon.in_charge = in_charge
        else:
            self._session.check_charge(self.daemon.in_charge)

    def _tell_memory(self, desired: Desired) -> None:
        restored = self._session.read_restored(desired)
        require_hosts(restored, desired)
        self._last_commit = restored.commit
        self.daemon.tell(restored)
        self._has_told = True

    def _take(self, desired: Desired) -> None:
        self._untold = None
        log.info("commit %s: %d objects", desired.commit[:10], len(desired.objects))
        for warning in self._session.commits.warnings:
            log.info("%s", warning)
        self.daemon.tell(desired)

    def _take_problem(self, problem: BerthError | None) -> None:
        """Only a wrong commit is said in the repository: a remote that is gone cannot be told so."""
        self._refusal = None
        if isinstance(problem, CommitRefused | HostUnread):
            self._refusal = Refusal(problem.commit, str(problem))
        self.daemon.tell(None)


def _read_secret(webhook: str | None, file: Path | None) -> bytes:
    if webhook is None:
        return b""
    secret = file.read_bytes().strip() if file else b""
    if not secret:
        raise InvalidInput("a webhook needs a secret", hint="name a non-empty file with --webhook-secret-file")
    return secret


@contextmanager
def _serving(webhook: str, secret: bytes, reconciler: Reconciler) -> Iterator[None]:
    address, _, port = webhook.rpartition(":")
    if not port.isdigit():
        raise InvalidInput(f"--webhook {webhook!r} is not ADDRESS:PORT")
    app = build_app(secret=secret, wake=reconciler.source.wake, is_ready=lambda: reconciler.engine.is_started)
    server = WebhookServer(app, address=address.strip("[]") or "0.0.0.0", port=int(port))
    server.start()
    try:
        yield
    finally:
        server.stop()
