"""Puts the parts together: repository, hosts, engine, daemon. The composition root; nothing else knows all rooms.

A session lasts as long as its context. `Session.observe` looks and touches nothing.

What speaks to hosts and what decides (Docker's SDK, paramiko, NumPy) is loaded while the remote is asked for the newest
commit: together they take a third of a second of every command.
"""

from __future__ import annotations

import getpass
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from objects.api.core import Node
from objects.conditions import find_condition
from objects.errors import NotFound, RevisionNotFound, SourceError, Superseded
from objects.own.config import Cluster, Host
from reconciler.charge.holding import InCharge, release_charge, take_charge
from reconciler.charge.rules import CHARGE_PATH, Claimant
from reconciler.desired.commits import CommitReader, read_restored
from reconciler.process.clock import ProcessClock, utc_now
from reconciler.process.options import Options
from reconciler.state.messages import Desired, HostSilent, Restored
from reconciler.state.store import ByName
from sources.git.holder import Holder, held
from sources.git.remotes import Access
from sources.git.repository import Repository
from sources.git.status_branch import StatusBranch
from sources.reading.desired import CommitRefused

if TYPE_CHECKING:
    from hosts.docker.engine import Engine as DockerEngine
    from hosts.runtime.interface import HostRuntime
    from hosts.ssh.links import SshLinks
    from hosts.ssh.target import SshTarget
    from reconciler.core.engine import Engine
    from reconciler.process.daemon import Daemon
    from reconciler.queries.loop import QueryLoop

log = logging.getLogger(__name__)

OBSERVE_SECONDS = 15.0
"""For a first look at all hosts: a connection attempt ends after 10 s by default."""
BACK_SECONDS = 2.0
"""In which a host that did not answer shows that it does again: twice what a look at a host takes."""


class Session:
    """One repository and its cluster. Made by `open_session`."""

    def __init__(self, options: Options, repository: Repository, stack: ExitStack) -> None:
        """stack: closed at the session's end."""
        self.options = options
        self._stack = stack
        self._holder: Holder | None = None
        self._follows: bool | None = None
        self.repository = repository
        self.commits = CommitReader(repository, options.branch)
        self._links: SshLinks | None = None
        self._random = random.SystemRandom()
        self._clock = ProcessClock()

    def close(self) -> None:
        if self._links is not None:
            self._links.close()

    def fetched_once(self) -> AbstractContextManager[None]:
        """In the block the desired branch and the usual status branch are read as they were at its begin."""
        branch = Cluster().spec.sync.status_branch
        return self.repository.fetched_once(self.options.branch, optional=branch, during=_load_what_acts)

    def status_branch(self, name: str) -> StatusBranch:
        return StatusBranch(self.repository, name)

    def open_docker(self, host: Host, engine: Engine) -> DockerEngine:
        """The Docker Engine of a host as its Host object says; connects on first use. Raises InvalidInput."""
        from hosts.docker.engine import Engine as DockerEngine
        from hosts.ssh.links import SshLinks
        from hosts.ssh.target import resolve_target

        if self._links is None:
            self._links = SshLinks(clock=time.monotonic, random=random.Random())
        link = self._links.link(resolve_target(host.name, ByName(engine.store, Host), engine.settings.ssh))
        return DockerEngine(link, socket_path=host.spec.docker_socket)

    def make_runtime(self, host: Host, engine: Engine) -> HostRuntime:
        """The runtime of a host; connects on first use. Raises InvalidInput."""
        from hosts.runtime.docker_runtime import DockerRuntime

        return DockerRuntime(self.open_docker(host, engine), random=random.Random(self._random.getrandbits(64)))

    def make_engine(self, *, is_observer: bool = False, heals_all: bool = False, writes_ahead: bool = False) -> Engine:
        from reconciler.controllers import CONTROLLERS
        from reconciler.core.engine import Engine
        from reconciler.process.plugins import load_rules

        source = random.Random(self._random.getrandbits(64))
        return Engine(
            CONTROLLERS,
            source=source,
            rules=load_rules(),
            is_observer=is_observer,
            heals_all=heals_all,
            writes_ahead=writes_ahead,
        )

    def make_daemon(self, engine: Engine) -> Daemon:
        from reconciler.process.daemon import Daemon

        return Daemon(
            engine,
            make_runtime=self.make_runtime,
            clock=self._clock,
            ahead=self._clock.ahead,
            retain=self.retain_links,
        )

    def retain_links(self, targets: Iterable[SshTarget]) -> None:
        """Close the links of hosts that are gone or are reached in another way now. targets: those still used."""
        if self._links is not None:
            self._links.retain(targets)

    def make_query_loop(self, daemon: Daemon) -> QueryLoop:
        """Asks the metrics server that the Cluster names, for the daemon's engine."""
        from hosts.measure.prometheus import ask_prometheus
        from reconciler.queries.loop import QueryLoop

        return QueryLoop(ask_prometheus, tell=daemon.tell, clock=self._clock)

    def take_charge(self, verb: str, *, takes_over: bool = False) -> InCharge:
        """Be the one who acts on this cluster, before anything is acted on; one commit at most.

        To be called when a commit was read: it says where the status branch is. verb: `run`, which takes over, or
        `apply`. Raises InChargeElsewhere, SourceError.
        """
        name = f"berth {verb} of {_user()}@{socket.gethostname()}"
        if self._holder is None:
            file = self.repository.holder_file(self.options.branch)
            self._holder = self._stack.enter_context(held(file, name=f"{name} (process {os.getpid()})"))
        claimant = Claimant(self._holder.id, name, verb == "run", takes_over, self._holder.other)
        branch = self.status_branch(self.status_branch_name)
        was_fetched = self.commits.status_branch == self.status_branch_name
        seen = branch.known_file(CHARGE_PATH) if was_fetched else branch.fetch_file(CHARGE_PATH)
        in_charge = take_charge(branch, claimant, seen, clock=utc_now)
        self.commits.status_branch = self.status_branch_name
        self._follows = in_charge.follows
        return in_charge

    def check_charge(self, in_charge: InCharge) -> None:
        """Take note of who the status branch, as it was last fetched, says is in charge."""
        in_charge.take_note(self.status_branch(self.commits.status_branch).known_file(CHARGE_PATH).content)

    def release_charge(self, in_charge: InCharge) -> None:
        """Say that nobody acts any more, for those who write no status that says it."""
        try:
            release_charge(self.status_branch(self.commits.status_branch), in_charge)
        except (SourceError, Superseded) as error:
            log.warning("%s", error)

    def read_restored(self, desired: Desired) -> Restored:
        """What an earlier process left on the status branch, for a fresh one that takes up `desired`.

        Whoever is in charge has a record there himself by now: whether somebody was before him is known from then.
        Raises SourceError.
        """
        restored = read_restored(self.status_branch(self.status_branch_name))
        if self._follows is not None:
            restored = msgspec.structs.replace(restored, follows=self._follows)
        return self.commits.with_kept_objects(restored, desired)

    def read_revision(self, revision: str | None) -> Desired:
        """The desired state of a branch or commit, fetched if it is a branch; None is the newest of our branch."""
        if revision is None:
            return self.commits.read_newest()
        return self.commits.read_at(revision)

    def read_base(self, revision: str | None) -> Desired | None:
        """What a plan compares with: a revision, or the commit in force; None when nothing was deployed yet."""
        if revision is None:
            revision = self.status_branch(self.status_branch_name).read().desired_commit
        return self.commits.read_at(revision) if revision else None

    def begin_from_status(self) -> str:
        """Before the first commit is read: what was in force is what it is compared with. Returns that commit, '' for
        none. Raises SourceError.
        """
        snapshot = self.status_branch(self.status_branch_name).read()
        self.commits.status_branch = self.status_branch_name
        if snapshot.desired_commit:
            self.commits.start_from(snapshot.desired_commit, snapshot.files)
        return snapshot.desired_commit

    def last_good(self) -> Desired | None:
        """The commit that was in force when status was last written; None when there is none, or it is gone or would be
        refused today."""
        sha = self.status_branch(self.status_branch_name).read().desired_commit
        try:
            return self.commits.read_at(sha) if sha else None
        except (RevisionNotFound, CommitRefused):
            return None

    def newest_or_in_force(self) -> Desired:
        """The newest commit; when that is refused, the one in force. Raises SourceError or CommitRefused."""
        try:
            return self.commits.read_newest()
        except CommitRefused:
            good = self.last_good()
            if good is None:
                raise
            return good

    @property
    def status_branch_name(self) -> str:
        """As the commit that was read last says."""
        return (self.commits.state.cluster if self.commits.state else Cluster()).spec.sync.status_branch

    @contextmanager
    def observe(self, desired: Desired | None = None, *, timeout_seconds: float = OBSERVE_SECONDS) -> Iterator[Daemon]:
        """A daemon whose engine has seen every host that answers, and that changes nothing anywhere.

        A host that did not answer by the status branch has not long to show that it is back. desired: which hosts and
        objects there are; None is the newest good commit. Raises SourceError, CommitRefused.
        """
        with self.fetched_once():
            desired = desired or self.newest_or_in_force()
            restored = self.read_restored(desired)
        engine = self.make_engine(is_observer=True)
        daemon = self.make_daemon(engine)
        try:
            daemon.tell(restored)
            daemon.tell(desired)
            if not run_until(daemon, lambda: engine.is_started, timeout_seconds=BACK_SECONDS):
                silent = silent_hosts(restored)

                def is_rest_silent() -> bool:
                    return engine.is_started or silent.keys() >= set(engine.unheard_hosts)

                run_until(daemon, is_rest_silent, timeout_seconds=timeout_seconds - BACK_SECONDS)
                for host in silent.keys() & set(engine.unheard_hosts):
                    daemon.tell(silent[host])
                run_until(daemon, lambda: engine.is_started, timeout_seconds=BACK_SECONDS)
            engine.summarise_applications()
            yield daemon
        finally:
            daemon.stop()


def _load_what_acts() -> None:
    """See the module's docstring. Only loaded here; who needs it imports it."""
    import reconciler.process.daemon  # noqa: F401


def silent_hosts(restored: Restored) -> dict[str, HostSilent]:
    """Hosts that do not answer by what the status branch says, and that still do not. Pure."""
    nodes = (obj for obj in restored.objects if isinstance(obj, Node))
    found = ((node.name, find_condition(node.status.conditions, "Ready")) for node in nodes)
    return {
        name: HostSilent(
            host=name,
            reason=ready.reason,
            message=f"no answer within {BACK_SECONDS:g} s, nor before: {ready.message}",
        )
        for name, ready in found
        if ready is not None and ready.status != "True"
    }


def run_until(daemon: Daemon, is_done: Callable[[], bool], *, timeout_seconds: float) -> bool:
    """Let the daemon run until `is_done()`, at most so long. Returns whether it was done in time."""
    ends = time.monotonic() + timeout_seconds
    while not is_done():
        remaining = ends - time.monotonic()
        if remaining <= 0:
            return False
        daemon.run_once(timeout_seconds=min(remaining, 1.0))
    return True


@contextmanager
def open_session(options: Options) -> Iterator[Session]:
    """Open the repository that `options` name; connections are made when they are needed and closed at the end."""
    with ExitStack() as stack:
        access = Access(
            ssh_key=options.ssh_key,
            known_hosts=options.git_known_hosts,
            token_file=options.git_token_file,
            ca_file=options.git_ca_file,
        )
        url, cache_dir = repository_url(options.repo), options.cache_dir.expanduser()
        repository = Repository(url, cache_dir, access, words=options.words)
        stack.callback(repository.close)
        session = Session(options, repository, stack)
        stack.callback(session.close)
        yield session


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())  # a container may run as a user that nobody knows


def repository_url(repo: str, *, start: Path | None = None) -> str:
    """`repo` as git takes it; '' is the checkout around `start` (the working directory). Raises NotFound."""
    if repo and ("://" in repo or ("@" in repo and ":" in repo)):
        return repo
    folder = Path(repo).expanduser().resolve() if repo else (start or Path.cwd()).resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists() or (candidate / "HEAD").is_file():
            return str(candidate)
    raise NotFound(f"{folder} is not in a Git repository", hint="name one with --repo, or run `berth init`")
