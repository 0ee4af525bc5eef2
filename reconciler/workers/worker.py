"""One worker a host: observe, plan, perform, report, again and again. The only place where a host is acted on.

The worker decides nothing: `host_pass` does. It owns the host's runtime (and by it the only connection); what it
begins goes on beside it, in threads that all hosts share (`lanes`): actions (`action_lanes`), measuring (`measuring`).
A slow or dead host delays nobody else.

Looks are what counts. What goes on beside them (measuring, following events, probing) has its own failures, told as
such and tried again with back-off: it never makes a host silent that a look has shown.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from differ.kubelet import pod_events as pod_events
from differ.kubelet.actions import RemoveImage, pod_lane
from differ.kubelet.assignment import HostAssignment, Part, changed_parts
from differ.kubelet.memory import WorkerMemory
from differ.kubelet.pods import HostPlan
from hosts.runtime.interface import HostRuntime
from objects.api.pods import Pod
from objects.errors import HostError
from objects.observation.host import HostObservation
from policies.host_support import refusal_of
from reconciler.charge.holding import InCharge
from reconciler.workers.action_lanes import ActionLanes
from reconciler.workers.charge_on_host import ChargeOnHost
from reconciler.workers.host_pass import has_failures, plan_pass
from reconciler.workers.lanes import Lanes
from reconciler.workers.measuring import Measuring
from reconciler.workers.reporting import Report, Reporter

log = logging.getLogger(__name__)

OBSERVE_PAUSE_SECONDS = 0.05
"""Between two looks while lanes are busy, until the last of them ends: ten finished actions cost one look, not ten."""

RETRY_SECONDS = (0.5, 1, 2, 4, 8)
"""Pauses after a host did not answer; the last one repeats."""

FIRST_FIGURES_SECONDS = 1.0
"""So long the first report waits for what containers of others use: pods must not be put where there is no room."""

OTHERS_SECONDS = 5.0
"""What happens to containers of others is merged over so long: a build server next door starts ten a second."""

UNWATCHED_SECONDS = 10.0
"""Between two looks while events cannot be followed."""

HAND_OVER_SECONDS = 15.0
"""For the last calls of a worker whose host got another one. What hangs for longer hangs on a way that is given up."""

EVENTS, PROBES = "Events", "Probes"
"""Parts of a host that may fail beside the looks; those of measuring are `measurement_schedule.Part`."""


class HostWorker:
    """Runs until `stop`. `assign` and `wake` may be called from any thread and return at once."""

    def __init__(
        self,
        host: str,
        runtime: HostRuntime,
        *,
        report: Report,
        clock: Callable[[], datetime],
        relist_seconds: float = 60,
        memory: WorkerMemory | None = None,
        in_charge: InCharge | None = None,
        after: Sequence[HostWorker] = (),
        lanes: Lanes | None = None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """in_charge: None for those who only look. on_end: called when nothing of this worker goes on any more.

        after: earlier workers of this host, which were stopped: their last calls are waited for, since two that act on
        one host at a time would each see what the other one does half done. lanes: those that all workers share; None:
        of its own.
        """
        self._after = tuple(after)
        self._on_end = on_end
        self._has_ended = threading.Event()
        self.host = host
        self._runtime = runtime
        self._clock = clock
        self._relist = timedelta(seconds=relist_seconds)
        self._assignment: HostAssignment | None = None
        self._memory = memory or WorkerMemory()
        self._happened: list[pod_events.PodEvent] = []
        self.last_observation: HostObservation | None = None
        self._failures = 0
        self._is_watching = False
        self._look_at = clock()
        self._is_look_asked = False  # set by others' threads, cleared by the look
        self.waits_for_others = False
        self._must_look = threading.Event()
        self._awake = threading.Event()
        self._stopped = threading.Event()
        self._charge = ChargeOnHost(host, runtime, in_charge)
        self._reporter = Reporter(host, report=report, relist=self._relist)
        self._lanes = (lanes or Lanes()).of_host(host)
        self._actions = ActionLanes(host, runtime, lanes=self._lanes, may_act=self._may_act, wake=self.wake)
        self._measuring = Measuring(host, runtime, lanes=self._lanes, clock=clock, wake=self._awake.set)
        self._failures_here = self._measuring.failures
        self._thread = threading.Thread(target=self._run, name=f"worker-{host}", daemon=True)

    def start(self) -> None:
        self.wake()
        self._thread.start()

    def assign(self, assignment: HostAssignment) -> None:
        """What the host should run from now on; replaces any earlier assignment.

        Where only something else is to be measured there is nothing to look for.
        """
        changed = changed_parts(self._assignment, assignment)
        self._assignment = assignment
        if Part.MEASUREMENTS in changed:
            self._measuring.hasten()
            self._awake.set()
        if changed != {Part.MEASUREMENTS}:
            self.wake()

    def wake(self) -> None:
        """Something may have happened on the host: look at once."""
        self._must_look.set()
        self._awake.set()

    def wake_later(self) -> None:
        """Something of others has changed on the host: look within OTHERS_SECONDS. At once where that may help."""
        if self.waits_for_others:
            self.wake()
        elif not self._is_look_asked:
            self._is_look_asked = True
            self._awake.set()

    def stop(self) -> None:
        """Begin to end: no further look, action or word. What the host runs stays as it is. Returns at once."""
        self._reporter.stop()
        self._stopped.set()
        self._awake.set()
        self._lanes.close()

    def join(self, *, timeout_seconds: float = 5) -> None:
        """Wait for the end after `stop`, at most so long: a call that hangs on a dead host keeps nobody."""
        self._thread.join(timeout_seconds)

    # --- the loop ------------------------------------------------------------------------------------------------

    @property
    def has_ended(self) -> bool:
        """Whether nothing of this worker goes on any more: no look, no action, no stream."""
        return self._has_ended.is_set()

    def wait_for_end(self, timeout_seconds: float) -> bool:
        """Wait at most so long. Returns whether it has ended."""
        return self._has_ended.wait(timeout_seconds)

    def _run(self) -> None:
        try:
            self._take_over()
            self._observe_until_stopped()
        finally:
            self._runtime.close()
            self._actions.wait_for_rest(HAND_OVER_SECONDS)
            self._has_ended.set()
            self._on_end()

    def _take_over(self) -> None:
        """Wait for the last calls of earlier workers of this host, as long as calls to a host may take."""
        ends = time.monotonic() + HAND_OVER_SECONDS
        for before in self._after:
            while not self._stopped.is_set() and time.monotonic() < ends and not before.wait_for_end(0.1):
                pass
        self._after = ()

    def _observe_until_stopped(self) -> None:
        pause = 0.0
        while not self._stopped.is_set():
            self._awake.wait(timeout=pause)
            self._awake.clear()
            if self._stopped.is_set():
                return
            try:
                pause = self._turn()
            except HostError as error:
                pause = self._fell_silent(error)
            except Exception as error:
                if self._stopped.is_set():
                    return
                # A bug met on one host must neither end the others nor go unsaid.
                log.exception("worker of host %s", self.host)
                pause = self._fell_silent(HostError(f"internal error: {type(error).__name__}: {error}", host=self.host))

    def _turn(self) -> float:
        """What is due: a look, or between two looks only a measurement. Returns seconds until the next turn."""
        now = self._clock()
        must_look = self._must_look.is_set()
        self._must_look.clear()
        if self._is_look_asked:
            self._look_at = min(self._look_at, now + timedelta(seconds=OTHERS_SECONDS))
        self._watch(now)
        if must_look or self.last_observation is None or self._look_at <= now:
            self._look_at = now  # a look that fails is due again
            pause = self._pass()
            self._look_at = self._clock() + timedelta(seconds=pause)
            if self.last_observation is None:
                return pause  # there is nothing to measure before a look counts
        else:
            self._measuring.begin(self._assignment, self.last_observation, now)
            for measured in self._measuring.take_answers():
                self._reporter.say(measured)
        self._reporter.tell_failures(self._failures_here)
        due = [self._look_at, self._measuring.due_at, None if self._is_watching else self._retry_at(EVENTS)]
        return max(0.0, (min(at for at in due if at is not None) - self._clock()).total_seconds())

    # --- beside the looks ----------------------------------------------------------------------------------------

    def _watch(self, now: datetime) -> None:
        """Follow the host's events, if that is not so yet."""
        if self._is_watching or self._failures_here.is_waiting(EVENTS, now):
            return
        try:
            self._runtime.watch(self.wake, self.wake_later)
            self._is_watching = True
            self._failures_here.clear(EVENTS)
        except Exception as error:  # noqa: BLE001 - told as what fails on the host; looks go on
            self._failures_here.note(EVENTS, error, now)

    def _retry_at(self, part: str) -> datetime | None:
        failure = self._failures_here.find(part)
        return failure.retry_at if failure is not None else None

    # --- looks ---------------------------------------------------------------------------------------------------

    def _pass(self) -> float:
        """One look and what follows from it. Returns seconds until the next look, if nothing wakes us before."""
        self._is_look_asked = False
        self._take_finished()
        # Taken before the look: an action that ends during it is planned again only by the next, newer look.
        busy = self._actions.busy
        observation = self._runtime.observe()
        now = self._clock()
        # A mark is an action too. Nothing is to be in charge of on a host that is refused.
        if refusal_of(observation.facts) is None:
            pause = self._charge.stand_by(observation.charges, now, relist_seconds=self._relist.total_seconds())
            if pause is not None:
                return pause
        is_asked = self._measuring.begin(self._assignment, observation, now)
        is_first = is_asked and not self._measuring.has_told
        measured = self._measuring.take_answers(wait_seconds=FIRST_FIGURES_SECONDS if is_first else 0.0)
        observation = self.last_observation = self._measuring.renewed(observation)
        plan, report = plan_pass(self.host, self._assignment, observation, self._memory, now)
        self._memory = plan.memory
        self.waits_for_others = has_failures(plan)
        self._reporter.answers()
        self._failures = 0
        # A container may be in the making that this look could not show: such a pod is not gone yet.
        gone = tuple(uid for uid in report.gone if pod_lane(uid) not in busy)
        happened, self._happened = (*self._happened, *report.pod_events), []
        report = msgspec.structs.replace(report, foreign=self._measuring.foreign(report.foreign))
        self._reporter.tell(msgspec.structs.replace(report, gone=gone, pod_events=happened), now)
        for news in measured:
            self._reporter.say(news)
        self._keep_probing(plan, now)
        begun = self._actions.begin(plan.actions, busy=busy)
        self._happened += (said for action in begun for said in pod_events.begun(action, self._pods()))
        if self._actions.busy:
            self._actions.wait_for_rest(OBSERVE_PAUSE_SECONDS)
        longest = self._relist if self._is_watching else min(self._relist, timedelta(seconds=UNWATCHED_SECONDS))
        wake_at = now + longest if plan.wake_at is None else min(plan.wake_at, now + longest)
        return max(0.0, (wake_at - self._clock()).total_seconds())

    def _keep_probing(self, plan: HostPlan, now: datetime) -> None:
        try:
            self._runtime.keep_probing(plan.probes)
            self._failures_here.clear(PROBES)
        except Exception as error:  # noqa: BLE001 - told as what fails on the host; tried again by the next look
            self._failures_here.note(PROBES, error, now)

    def _fell_silent(self, error: HostError) -> float:
        """Seconds until the next look at a host that did not answer."""
        if self._stopped.is_set():
            return 0.0
        self._reporter.fell_silent(error)
        pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        return float(pause)

    # --- actions -------------------------------------------------------------------------------------------------

    def _may_act(self) -> bool:
        return not self._stopped.is_set() and not self._charge.is_over

    def _take_finished(self) -> None:
        for action, error, warnings in self._actions.take_finished():
            if error is not None:
                log.warning("%s: %s", type(action).__name__, error)
            self._memory = self._memory.record(action, error, self._clock())
            if isinstance(action, RemoveImage):
                self._measuring.hasten()
            seen = self.last_observation
            traits = seen.facts.traits if seen is not None else pod_events.ALL_HELD
            self._happened += pod_events.performed(action, error, self._pods(), traits=traits, warnings=warnings)

    def _pods(self) -> dict[str, Pod]:
        return {pod.uid: pod for pod in self._assignment.pods} if self._assignment is not None else {}
