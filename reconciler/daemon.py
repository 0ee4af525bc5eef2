"""The daemon: one thread that owns the engine, a worker per host, and the ways in and out. Conducts, decides nothing.

`berth run` lets it go on for ever, `berth apply` until the cluster is at rest. Everything it is told arrives in one
queue, so the engine sees it in order; everything the engine decides goes out to workers and listeners.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterable
from datetime import datetime

from hosts.runtime import HostRuntime
from objects.config import Host
from objects.errors import BerthError
from objects.observed import HostObservation
from reconciler.engine import Engine, StepResult
from reconciler.host_pass import remember
from reconciler.in_charge import InCharge
from reconciler.messages import HostSilent, Message
from reconciler.worker import HostWorker

log = logging.getLogger(__name__)

RuntimeFactory = Callable[[Host, Engine], HostRuntime]
Listener = Callable[[StepResult], None]

MAX_WAIT_SECONDS = 30.0
"""The engine is called at least this often: a clock that jumped must not stop it."""


class Daemon:
    """`tell` may be called from any thread; everything else from the thread that calls `run_once`."""

    def __init__(
        self,
        engine: Engine,
        *,
        make_runtime: RuntimeFactory,
        clock: Callable[[], datetime],
        listeners: Iterable[Listener] = (),
    ) -> None:
        self.engine = engine
        self.in_charge: InCharge | None = None
        """To be set before any commit is told, by whoever wants to act; without it hosts are only looked at."""
        self._make_runtime = make_runtime
        self._clock = clock
        self._listeners = tuple(listeners)
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._workers: dict[str, tuple[Host, HostWorker]] = {}
        self._unaddressable: dict[str, Host] = {}
        self._wake_at: datetime | None = None

    def tell(self, message: Message | None = None) -> None:
        """Hand over a message; None only wakes."""
        self._inbox.put(message)

    def run_once(self, *, timeout_seconds: float = MAX_WAIT_SECONDS) -> StepResult:
        """Wait for messages or a timer (at most `timeout_seconds`), step the engine, hand out what it decided."""
        result = self.engine.step(self._collect(timeout_seconds), self._clock())
        self._wake_at = result.wake_at
        for source, occurrence in result.occurred:
            if not is_worth_saying(self.engine.events.count(occurrence, source)):
                continue
            level = logging.WARNING if occurrence.type == "Warning" else logging.INFO
            log.log(level, "%s %s: %s (%s)", occurrence.key, occurrence.reason, occurrence.message, source)
        self._match_workers()
        for name, assignment in result.assignments.items():
            if name in self._workers:
                self._workers[name][1].assign(assignment)
        for listener in self._listeners:
            listener(result)
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

    def _match_workers(self) -> None:
        """A worker for each Host; a new one when the Host's address, key or user changed."""
        hosts = {host.name: host for host in self.engine.store.all_of(Host)}
        for name, (host, worker) in list(self._workers.items()):
            if name not in hosts or connection_of(hosts[name]) != connection_of(host):
                log.info("host %s: worker ends (%s)", name, "changed" if name in hosts else "removed from Git")
                worker.stop()
                del self._workers[name]
        for name, host in hosts.items():
            if name not in self._workers:
                self._start_worker(host)

    def _start_worker(self, host: Host) -> None:
        try:
            runtime = self._make_runtime(host, self.engine)
        except BerthError as error:
            # A host that cannot even be addressed is unknown like one that does not answer; tried again at each step.
            if self._unaddressable.get(host.name) != host:
                self._unaddressable[host.name] = host
                self.tell(HostSilent(host=host.name, reason=error.reason, message=str(error)))
            return
        worker = HostWorker(
            host.name,
            runtime,
            report=self.tell,
            clock=self._clock,
            relist_seconds=self.engine.settings.sync.relist_seconds,
            memory=remember(self.engine.last_known_pods(host.name)),
            in_charge=self.in_charge,
        )
        self._workers[host.name] = (host, worker)
        assignment = self.engine.assignment(host.name)
        if assignment is not None:
            worker.assign(assignment)
        worker.start()


def is_worth_saying(count: int) -> bool:
    """Whether the count-th time of the same occurrence is logged: 1st, 2nd, 4th, 8th … A pod may wait for a week."""
    return count & (count - 1) == 0


def connection_of(host: Host) -> tuple[object, ...]:
    """What a connection depends on: when it differs, the host needs another worker."""
    spec = host.spec
    return (spec.address, spec.port, spec.user, spec.key_files, spec.host_key, spec.jump, spec.docker_socket)
