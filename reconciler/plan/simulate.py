"""A whole cluster in one thread: the engine on simulated hosts, with a clock that jumps to what happens next.

It runs the same engine, the same passes and the same actions as the daemon, one after another instead of in threads.
`plan` runs it on copies of the live hosts; the simulation tests run it with faults for thousands of steps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from differ.kubelet import pod_events as pod_events
from differ.kubelet.actions import Action
from differ.kubelet.assignment import HostAssignment
from differ.kubelet.memory import WorkerMemory
from differ.kubelet.usage import with_measured
from hosts.simulated.host import SimulatedHost
from objects.errors import HostError
from objects.observation.host import HostObservation
from reconciler.core.engine import Engine
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import HostSilent, Message
from reconciler.workers.host_pass import plan_pass, remember

TICK = timedelta(milliseconds=200)
"""One round of the cluster takes this long: about what a container's start takes."""


class SimulatedClock:
    """Aware UTC time that moves only when told to. ahead: how far the machine's clock is ahead, which somebody set."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return self.now


class Round(msgspec.Struct, frozen=True):
    """One round: how much was changed in the store and done on hosts, and when something is due next."""

    changes: int
    actions: int
    wake_at: datetime | None

    @property
    def is_quiet(self) -> bool:
        return not self.changes and not self.actions


class _Pass(msgspec.Struct, frozen=True):
    """One pass over a host: what it came from, what it told the engine, and when it is due again by the clock."""

    assignment: HostAssignment | None
    observation: HostObservation | None
    message: Message
    performed: int
    wake_at: datetime | None

    def is_still_true(self, assignment: HostAssignment | None, observation: HostObservation) -> bool:
        """Whether another pass would do nothing and tell the same."""
        before = self.observation
        return (
            before is not None
            and not self.performed
            and assignment is self.assignment
            and (self.wake_at is None or observation.now < self.wake_at)
            and msgspec.structs.replace(observation, now=before.now) == before
        )


class SimulatedCluster:
    """hosts: by the names of the engine's Hosts. A restarted reconciler is another one of these on the same hosts."""

    def __init__(self, engine: Engine, hosts: Mapping[str, SimulatedHost], clock: SimulatedClock) -> None:
        self.engine = engine
        self.hosts = hosts
        self.clock = clock
        self._memories: dict[str, WorkerMemory] = {}
        self._passes: dict[str, _Pass] = {}

    def round(self, *messages: Message) -> Round:
        """Every host is looked at, the engine decides, every planned action is performed once; the clock ticks."""
        self._passes.clear()
        return self._round(messages)

    def _round(self, messages: Collection[Message]) -> Round:
        """The same, but hosts of which nothing has changed since their last pass are passed over: in a plan, most."""
        told: list[Message] = list(messages)
        if messages and not self.engine.is_started:
            # As a daemon: what an earlier process said of the pods is known before the first look at them.
            self.engine.step(messages, self.clock.now, ahead=self.clock.ahead)
            told.clear()
        actions = 0
        for name, host in self.hosts.items():
            before = self._passes.get(name)
            done = self._passes[name] = self._pass(name, host, before)
            if done is not before:
                told.append(done.message)
                actions += done.performed
        result = self.engine.step(told, self.clock.now, ahead=self.clock.ahead)
        self.clock.now += TICK
        wakes = (done.wake_at for done in self._passes.values())
        due = [*wakes, result.wake_at, *(host.next_event() for host in self.hosts.values())]
        return Round(len(result.changed), actions, min((at for at in due if at is not None), default=None))

    def run_to_rest(
        self, *messages: Message, max_rounds: int = 500, max_time: timedelta = timedelta(minutes=10)
    ) -> bool:
        """Rounds until nothing changes and nothing is due within `max_time`. Returns whether it came to that."""
        ends = self.clock.now + max_time
        pending = list(messages)
        for _ in range(max_rounds):
            done = self._round(pending)
            pending.clear()
            if not done.is_quiet:
                continue
            if done.wake_at is None or done.wake_at > ends:
                return True
            self.clock.now = max(self.clock.now, done.wake_at)
        return False

    def _pass(self, name: str, host: SimulatedHost, before: _Pass | None) -> _Pass:
        try:
            observation = host.observe()
        except HostError as silence:
            return _Pass(None, None, HostSilent(host=name, reason=silence.reason, message=str(silence)), 0, None)
        assignment = self.engine.assignment(name)
        if before is not None and before.is_still_true(assignment, observation):
            return before
        if name not in self._memories:
            self._memories[name] = remember(self.engine.last_known_pods(name))
        memory = self._memories[name]
        plan, report = plan_pass(name, assignment, observation, memory, self.clock.now)
        memory = plan.memory
        host.keep_probing(plan.probes)
        pods = {pod.uid: pod for pod in assignment.pods} if assignment is not None else {}
        happened = list(report.pod_events)
        failed: set[str] = set()
        performed = 0
        for action in plan.actions:
            if action.lane in failed:
                continue
            happened += pod_events.begun(action, pods)
            error = _perform(host, action)
            performed += 1
            happened += pod_events.performed(action, error, pods, traits=observation.facts.traits)
            memory = memory.record(action, error, self.clock.now)
            if error is not None:
                failed.add(action.lane)
        self._memories[name] = memory
        # Nothing is measured here: containers of others take what was last known of them.
        known = self.engine.store.get(HostStatus, "", name)
        foreign = with_measured(report.foreign, known.foreign if known is not None else ())
        report = msgspec.structs.replace(report, pod_events=tuple(happened), foreign=foreign)
        return _Pass(assignment, observation, report, performed, plan.wake_at)


def _perform(host: SimulatedHost, action: Action) -> HostError | None:
    try:
        host.perform(action)
    except HostError as failure:
        return failure
    return None
