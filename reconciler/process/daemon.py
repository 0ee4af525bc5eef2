"""The daemon: one thread that owns the engine, a worker per host, and the ways in and out. Conducts, decides nothing.

`berth run` lets it go on for ever, `berth apply` until the cluster is at rest. Everything it is told arrives in one
queue, so the engine sees it in order; everything the engine decides goes out to workers, and to whoever asked.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from hosts.runtime.interface import HostRuntime
from hosts.ssh.target import SshTarget, resolve_target
from objects.errors import BerthError, InvalidInput
from objects.observation.host import HostObservation
from objects.own.config import ClusterSpec, Host, HostSpec
from reconciler.charge.holding import InCharge
from reconciler.core.engine import Engine, StepResult
from reconciler.state.messages import HostSilent, Message
from reconciler.workers.host_pass import remember
from reconciler.workers.lanes import Lanes
from reconciler.workers.worker import HostWorker

log = logging.getLogger(__name__)

RuntimeFactory = Callable[[Host, Engine], HostRuntime]
Retain = Callable[[Iterable[SshTarget]], None]

MAX_WAIT_SECONDS = 30.0
"""The engine is called at least this often: what is due by the calendar follows a clock that was set."""


class Connection(NamedTuple):
    """What a worker's connection depends on: when it differs, the host needs another worker.

    target: with all jump hosts on the way, and what the Cluster's settings say of all; None: it cannot be addressed,
    for which `spec` may be the reason.
    """

    target: SshTarget | None
    docker_socket: str
    spec: HostSpec | None = None


class Daemon:
    """`tell` may be called from any thread; everything else from the thread that calls `run_once`."""

    def __init__(
        self,
        engine: Engine,
        *,
        make_runtime: RuntimeFactory,
        clock: Callable[[], datetime],
        ahead: Callable[[], timedelta] = timedelta,
        retain: Retain = lambda _: None,
    ) -> None:
        """clock: of the process, which nobody sets. ahead: how far the machine's clock is ahead of that.

        retain: told the ways to hosts that are still used, whenever one is not any more: others may be closed."""
        self.engine = engine
        self.in_charge: InCharge | None = None
        """To be set before any commit is told, by whoever wants to act; without it hosts are only looked at."""
        self._make_runtime = make_runtime
        self._clock = clock
        self._ahead = ahead
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._retain = retain
        self._lanes = Lanes()
        self._workers: dict[str, tuple[Connection, HostWorker]] = {}
        self._ways: dict[str, Connection] = {}
        self._settings: ClusterSpec | None = None
        self._ending: list[tuple[str, Connection, HostWorker]] = []
        self._unaddressable: dict[str, Host] = {}
        self._wake_at: datetime | None = None

    def tell(self, message: Message | None = None) -> None:
        """Hand over a message; None only wakes."""
        self._inbox.put(message)

    def run_once(self, *, timeout_seconds: float = MAX_WAIT_SECONDS) -> StepResult:
        """Wait for messages or a timer (at most `timeout_seconds`), step the engine, hand out what it decided."""
        result = self.engine.step(self._collect(timeout_seconds), self._clock(), ahead=self._ahead())
        self._wake_at = result.wake_at
        for source, occurrence in result.occurred:
            if not is_worth_saying(self.engine.events.count(occurrence, source)):
                continue
            level = logging.WARNING if occurrence.type == "Warning" else logging.INFO
            log.log(level, "%s %s: %s (%s)", occurrence.key, occurrence.reason, occurrence.message, source)
        self._match_workers(result)
        for name, assignment in result.assignments.items():
            if name in self._workers:
                self._workers[name][1].assign(assignment)
        return result

    def require_charge(self) -> None:
        """Raises Superseded when somebody else took over from the one who acts here."""
        if self.in_charge is not None:
            self.in_charge.require()

    def halt(self) -> None:
        """Begin no further look or action. Returns at once."""
        for _, worker in self._workers.values():
            worker.stop()

    def stop(self) -> None:
        """End all workers; hosts keep running what they run. Who only looks waits for no answer any more."""
        self.halt()
        for _, worker in self._workers.values() if not self.engine.is_observer else ():
            worker.join()
        self._workers.clear()

    def observations(self) -> dict[str, HostObservation]:
        """The last complete look at each host that answers."""
        known = {name: worker.last_observation for name, (_, worker) in self._workers.items()}
        return {name: seen for name, seen in known.items() if seen is not None}

    def wake_host(self, name: str) -> None:
        if name in self._workers:
            self._workers[name][1].wake()

    def _collect(self, timeout_seconds: float) -> list[Message]:
        if self._wake_at is not None:
            timeout_seconds = min(timeout_seconds, (self._wake_at - self._clock()).total_seconds())
        messages: list[Message] = []
        try:
            first = self._inbox.get(timeout=max(0.0, timeout_seconds))
            messages.extend(() if first is None else (first,))
            while True:
                item = self._inbox.get_nowait()
                messages.extend(() if item is None else (item,))
        except queue.Empty:
            return messages

    def _match_workers(self, result: StepResult) -> None:
        """A worker for each Host; a new one when the way to it changed: its address, a jump host's, the settings."""
        settings = self.engine.settings
        is_news = settings is not self._settings or any(changed.key.kind == Host.KIND for changed in result.changed)
        if is_news:
            hosts = {host.name: host for host in self.engine.store.all_of(Host)}
            self._settings = settings
            self._ways = {name: connection_of(host, hosts, settings) for name, host in hosts.items()}
            for name, (connection, worker) in list(self._workers.items()):
                if self._ways.get(name) != connection:
                    log.info("host %s: worker ends (%s)", name, "changed" if name in hosts else "removed from Git")
                    worker.stop()
                    del self._workers[name]
                    self._ending.append((name, connection, worker))
        if is_news or len(self._workers) < len(self._ways):
            for name, connection in self._ways.items():
                host = self.engine.store.get(Host, "", name) if name not in self._workers else None
                if host is not None:
                    self._start_worker(host, connection)
        self._let_go()

    def _let_go(self) -> None:
        """Close what nobody uses any more, once its worker has really ended."""
        if not self._ending:
            return
        still = [one for one in self._ending if not one[2].has_ended]
        if len(still) < len(self._ending):
            used = [*(one for one, _ in self._workers.values()), *(one for _, one, _ in still)]
            self._retain([one.target for one in used if one.target is not None])
        self._ending = still

    def _start_worker(self, host: Host, connection: Connection) -> None:
        try:
            runtime = self._make_runtime(host, self.engine)
        except BerthError as error:
            self._cannot_address(host, error)
            return
        except Exception as error:
            log.exception("host %s", host.name)
            self._cannot_address(host, BerthError(f"internal error: {type(error).__name__}: {error}", host=host.name))
            return
        self._unaddressable.pop(host.name, None)
        worker = HostWorker(
            host.name,
            runtime,
            report=self.tell,
            clock=self._clock,
            relist_seconds=self.engine.settings.sync.relist_seconds,
            memory=remember(self.engine.last_known_pods(host.name)),
            in_charge=self.in_charge,
            after=[before for name, _, before in self._ending if name == host.name],
            lanes=self._lanes,
            on_end=self.tell,
        )
        self._workers[host.name] = connection, worker
        assignment = self.engine.assignment(host.name)
        if assignment is not None:
            worker.assign(assignment)
        worker.start()

    def _cannot_address(self, host: Host, error: BerthError) -> None:
        """Such a host is unknown like one that does not answer; it is tried again at each step."""
        if self._unaddressable.get(host.name) != host:
            self._unaddressable[host.name] = host
            self.tell(HostSilent(host=host.name, reason=error.reason, message=str(error)))


def is_worth_saying(count: int) -> bool:
    """Whether the count-th time of the same occurrence is logged: 1st, 2nd, 4th, 8th … A pod may wait for a week."""
    return count & (count - 1) == 0


def connection_of(host: Host, hosts: Mapping[str, Host], settings: ClusterSpec) -> Connection:
    """The way to `host`. hosts: all, by name, for jump hosts."""
    try:
        return Connection(resolve_target(host.name, hosts, settings.ssh), host.spec.docker_socket)
    except InvalidInput:
        return Connection(None, host.spec.docker_socket, host.spec)
