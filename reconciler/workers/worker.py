"""One worker a host: observe, plan, perform, report, again and again. The only place where a host is acted on.

The worker decides nothing: `host_pass` does. It owns the host's runtime (and by it the only connection),
keeps the actions of one pod in order, lets pods go side by side in a few lanes, and performs each action once; what
failed is seen by the next plan. A slow or dead host has its own threads and delays nobody.

Looks are what counts. What goes on beside them (measuring, following events, probing) has its own failures, told as
such and tried again with back-off: it never makes a host silent that a look has shown.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

import msgspec

from differ.kubelet import pod_events as pod_events
from differ.kubelet.actions import (
    Action,
    MarkCharge,
    PullImage,
    RemoveImage,
    RemoveVolume,
    pod_lane,
)
from differ.kubelet.assignment import HostAssignment
from differ.kubelet.memory import WorkerMemory
from differ.kubelet.pods import HostPlan
from hosts.runtime.interface import HostRuntime
from objects.api.pods import Pod
from objects.errors import DiskFull, HostError, HostUnreachable
from objects.observation.figures import Measurement
from objects.observation.host import HostObservation
from objects.own.charge import Charge, marker_name
from policies.host_support import refusal_of
from reconciler.charge.holding import InCharge
from reconciler.charge.rules import (
    Go,
    Mark,
    Over,
    Settle,
    next_step,
)
from reconciler.state.failures import message_of
from reconciler.state.messages import (
    HostFailure,
    HostFailures,
    HostMeasured,
    HostReport,
    HostSilent,
    Message,
)
from reconciler.workers.host_pass import plan_pass
from reconciler.workers.measurement_schedule import HostMeter, Question

log = logging.getLogger(__name__)

LANES = 6
"""Pods acted on at the same time per host; an engine is saturated by 2 to 10 parallel calls (docs/architecture.md)."""

PULLS = 3
"""Images fetched at the same time per host, in threads of their own: a slow registry must not keep other pods waiting.
Docker fetches three layers of each at once."""

OBSERVE_PAUSE_SECONDS = 0.05
"""Between two looks while lanes are busy, until the last of them ends: ten finished actions cost one look, not ten."""

RETRY_SECONDS = (0.5, 1, 2, 4, 8)
"""Pauses after a host did not answer; the last one repeats."""

FIRST_FIGURES_SECONDS = 1.0
"""So long the first report waits for what containers of others use: pods must not be put where there is no room."""

UNWATCHED_SECONDS = 10.0
"""Between two looks while events cannot be followed."""

HAND_OVER_SECONDS = 15.0
"""For the last calls of a worker whose host got another one. What hangs for longer hangs on a way that is given up."""

EVENTS, PROBES = "Events", "Probes"
"""Parts of a host that may fail beside the looks; those of measuring are `measurement_schedule.Part`."""

Report = Callable[[Message], None]
MAX_TEXTS = 5
"""Of one silence, so that figures in errors of others make no commit each."""

ActionResult = tuple[Action, HostError | None]


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
        lanes: int = LANES,
        memory: WorkerMemory | None = None,
        in_charge: InCharge | None = None,
        after: Sequence[HostWorker] = (),
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """in_charge: None for those who only look. on_end: called when nothing of this worker goes on any more.

        after: earlier workers of this host, which were stopped: their last calls are waited for, since two that act on
        one host at a time would each see what the other one does half done.
        """
        self._after = tuple(after)
        self._on_end = on_end
        self._has_ended = threading.Event()
        self.host = host
        self._runtime = runtime
        self._report_to = report
        self._speaking = threading.Lock()
        self._clock = clock
        self._relist = timedelta(seconds=relist_seconds)
        self._assignment: HostAssignment | None = None
        self._memory = memory or WorkerMemory()
        self._in_charge = in_charge
        self._marked_at: datetime | None = None
        self._happened: list[pod_events.PodEvent] = []
        self._busy: set[str] = set()
        self._at_work = 0
        self._at_work_lock = threading.Lock()
        self._is_resting = threading.Event()
        self._is_resting.set()
        self._finished: queue.SimpleQueue[tuple[str, list[ActionResult]]] = queue.SimpleQueue()
        self.last_observation: HostObservation | None = None
        self._last_report: HostReport | None = None
        self._last_report_at: datetime | None = None
        self._failures = 0
        self._silent_for = ""
        # Texts of this silence: a host that is refused and not reached in turns is one state, and one commit.
        self._told: list[str] = []
        self._meter = HostMeter(clock(), submit=lambda call: self._lanes.submit(call))
        self._failures_here = self._meter.failures
        self._failures_told: tuple[HostFailure, ...] = ()
        self._answers: queue.SimpleQueue[tuple[Question, Measurement | Exception]] = queue.SimpleQueue()
        self._is_watching = False
        self._look_at = clock()
        self._must_look = threading.Event()
        self._awake = threading.Event()
        self._stopped = threading.Event()
        self._lanes = ThreadPoolExecutor(max_workers=lanes, thread_name_prefix=f"lane-{host}")
        self._pulls = ThreadPoolExecutor(max_workers=PULLS, thread_name_prefix=f"pull-{host}")
        self._measures = ThreadPoolExecutor(max_workers=2, thread_name_prefix=f"measure-{host}")
        self._thread = threading.Thread(target=self._run, name=f"worker-{host}", daemon=True)

    def start(self) -> None:
        self.wake()
        self._thread.start()

    def assign(self, assignment: HostAssignment) -> None:
        """What the host should run from now on; replaces any earlier assignment."""
        if self._assignment is None or self._assignment.measure != assignment.measure:
            self._meter.hasten(self._clock())
        self._assignment = assignment
        self.wake()

    def wake(self) -> None:
        """Something may have happened on the host: look at once."""
        self._must_look.set()
        self._awake.set()

    def stop(self) -> None:
        """Begin to end: no further look, action or word. What the host runs stays as it is. Returns at once."""
        with self._speaking:
            self._stopped.set()
        self._awake.set()
        self._lanes.shutdown(wait=False, cancel_futures=True)
        self._pulls.shutdown(wait=False, cancel_futures=True)
        self._measures.shutdown(wait=False, cancel_futures=True)

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
            self._is_resting.wait(HAND_OVER_SECONDS)
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

    def _report(self, message: Message) -> None:
        """Nothing is said after `stop` has returned: a successor speaks for the host by then."""
        with self._speaking:
            if not self._stopped.is_set():
                self._report_to(message)

    def _turn(self) -> float:
        """What is due: a look, or between two looks only a measurement. Returns seconds until the next turn."""
        now = self._clock()
        must_look = self._must_look.is_set()
        self._must_look.clear()
        self._watch(now)
        if must_look or self.last_observation is None or self._look_at <= now:
            self._look_at = now  # a look that fails is due again
            pause = self._pass()
            self._look_at = self._clock() + timedelta(seconds=pause)
            if self.last_observation is None:
                return pause  # there is nothing to measure before a look counts
        else:
            self._measure(self.last_observation, now)
            for measured in self._take_answers():
                self._report(measured)
        self._tell_failures()
        due = [self._look_at, self._meter.due_at, None if self._is_watching else self._retry_at(EVENTS)]
        return max(0.0, (min(at for at in due if at is not None) - self._clock()).total_seconds())

    # --- beside the looks ----------------------------------------------------------------------------------------

    def _watch(self, now: datetime) -> None:
        """Follow the host's events, if that is not so yet."""
        if self._is_watching or self._failures_here.is_waiting(EVENTS, now):
            return
        try:
            self._runtime.watch(self.wake)
            self._is_watching = True
            self._failures_here.clear(EVENTS)
        except Exception as error:  # noqa: BLE001 - told as what fails on the host; looks go on
            self._failures_here.note(EVENTS, error, now)

    def _measure(self, seen: HostObservation, now: datetime) -> bool:
        """Begin to measure, if it is time to. Returns whether an answer is to be waited for."""
        question = self._meter.next_question(self._assignment, seen, now)
        if question is not None:
            self._measures.submit(self._ask, question)
        return question is not None

    def _ask(self, question: Question) -> None:
        """In a thread of its own."""
        answer: Measurement | Exception
        try:
            answer = self._meter.ask(self._runtime, question)
        except Exception as error:  # noqa: BLE001 - taken in as a failure of measuring
            answer = error
        self._answers.put((question, answer))
        self._awake.set()

    def _take_answers(self, *, wait_seconds: float = 0.0) -> list[HostMeasured]:
        """What is new of the host's figures. wait_seconds: for the first answer, if none is there."""
        told: list[HostMeasured] = []
        while True:
            try:
                question, answer = self._answers.get(block=wait_seconds > 0, timeout=wait_seconds or None)
            except queue.Empty:
                return told
            wait_seconds = 0.0
            now = self._clock()
            if isinstance(answer, Exception):
                if self._meter.fail(question, answer, now):
                    log.warning("host %s: %s: %s", self.host, question.part, message_of(answer))
            elif (news := self._meter.take(question, answer, now)) is not None:
                told.append(news)

    def _retry_at(self, part: str) -> datetime | None:
        failure = self._failures_here.find(part)
        return failure.retry_at if failure is not None else None

    def _tell_failures(self) -> None:
        """What fails beside the looks, when that has changed."""
        found = tuple(
            HostFailure(str(part), one.reason, one.message, one.retry_at)
            for part, one in sorted(self._failures_here.items())
        )
        if found != self._failures_told:
            self._failures_told = found
            self._report(HostFailures(host=self.host, failures=found))

    # --- looks ---------------------------------------------------------------------------------------------------

    def _pass(self) -> float:
        """One look and what follows from it. Returns seconds until the next look, if nothing wakes us before."""
        self._take_finished()
        # Taken before the look: an action that ends during it is planned again only by the next, newer look.
        busy = frozenset(self._busy)
        observation = self._runtime.observe()
        now = self._clock()
        # A mark is an action too. Nothing is to be in charge of on a host that is refused.
        if self._in_charge is not None and refusal_of(observation.facts) is None:
            pause = self._stand_by(self._in_charge, observation.charges, now)
            if pause is not None:
                return pause
        is_asked = self._measure(observation, now)
        is_first = is_asked and not self._meter.has_told
        measured = self._take_answers(wait_seconds=FIRST_FIGURES_SECONDS if is_first else 0.0)
        observation = self.last_observation = self._meter.renewed(observation)
        plan, report = plan_pass(self.host, self._assignment, observation, self._memory, now)
        self._memory = plan.memory
        if self._silent_for:
            self._silent_for = ""
            log.info("host %s: answers again", self.host)
        self._failures = 0
        # A container may be in the making that this look could not show: such a pod is not gone yet.
        gone = tuple(uid for uid in report.gone if pod_lane(uid) not in busy)
        happened, self._happened = (*self._happened, *report.pod_events), []
        report = msgspec.structs.replace(report, foreign=self._meter.foreign(report.foreign))
        self._tell(msgspec.structs.replace(report, gone=gone, pod_events=happened), now)
        for news in measured:
            self._report(news)
        self._keep_probing(plan, now)
        self._submit(plan, busy)
        if self._busy:
            self._is_resting.wait(OBSERVE_PAUSE_SECONDS)
        longest = self._relist if self._is_watching else min(self._relist, timedelta(seconds=UNWATCHED_SECONDS))
        wake_at = now + longest if plan.wake_at is None else min(plan.wake_at, now + longest)
        return max(0.0, (wake_at - self._clock()).total_seconds())

    def _keep_probing(self, plan: HostPlan, now: datetime) -> None:
        try:
            self._runtime.keep_probing(plan.probes)
            self._failures_here.clear(PROBES)
        except Exception as error:  # noqa: BLE001 - told as what fails on the host; tried again by the next look
            self._failures_here.note(PROBES, error, now)

    def _stand_by(self, in_charge: InCharge, found: tuple[Charge, ...], now: datetime) -> float | None:
        """Seconds until the next look while the host is not ours to act on, or not any more; None when it is."""
        own = in_charge.charge
        step = next_step(own, found, marked_at=self._marked_at, now=now)
        if isinstance(step, Mark):
            try:
                self._runtime.perform(MarkCharge(charge=own))
                return 0.0
            except DiskFull as error:
                # What runs must be looked after; the mark is tried again by the next look.
                log.warning("%s: the host cannot be marked as in our charge", error)
            step = next_step(own, (*found, own), marked_at=self._marked_at, now=now)
        if isinstance(step, Over):
            in_charge.end(step.by)
            return self._relist.total_seconds()
        if self._marked_at is None:
            self._marked_at = now
            if isinstance(step, Settle):
                log.info("host %s: another was in charge of it; its last calls are waited for", self.host)
        if isinstance(step, Settle):
            return (step.until - now).total_seconds()
        if isinstance(step, Go):
            self._clear(step.stale)
        return None

    def _clear(self, stale: tuple[Charge, ...]) -> None:
        """Remove marks of earlier charges; one that stays is tried again by the next complete look."""
        for charge in stale:
            try:
                self._runtime.perform(RemoveVolume(volume=marker_name(charge)))
            except HostUnreachable:
                raise
            except HostError as error:
                log.warning("an old mark of who is in charge stays: %s", error)

    def _tell(self, report: HostReport, now: datetime) -> None:
        """Report what is new; facts alone (free memory …) only once per re-list, or as they are measured."""
        last, at = self._last_report, self._last_report_at
        is_recent = at is not None and now - at < self._relist and not report.pod_events
        if last is not None and is_recent and _same_pods(last, report):
            return
        self._last_report, self._last_report_at = report, now
        self._report(report)

    def _fell_silent(self, error: HostError) -> float:
        """Say so once per kind of failure; the pods of the host are unknown now, not absent."""
        if self._stopped.is_set():
            return 0.0
        self._last_report = None
        if self._silent_for != error.reason:
            self._silent_for, self._told = error.reason, []
            log.warning("%s", error)
        self._report(HostSilent(host=self.host, reason=error.reason, message=self._lasting_text(error)))
        pause = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        return float(pause)

    def _lasting_text(self, error: HostError) -> str:
        """Why the host is silent, in words that do not change while it is so: what was told once is not told again."""
        text = error.lasting or str(error)
        if text not in self._told and len(self._told) < MAX_TEXTS:
            self._told.append(text)
        return self._told[-1]

    # --- actions -------------------------------------------------------------------------------------------------

    def _submit(self, plan: HostPlan, busy: frozenset[str]) -> None:
        by_lane: dict[str, list[Action]] = {}
        for action in plan.actions:
            by_lane.setdefault(action.lane, []).append(action)
        for lane, actions in by_lane.items():
            if lane not in busy:
                self._busy.add(lane)
                self._happened += (said for action in actions for said in pod_events.begun(action, self._pods()))
                threads = self._pulls if isinstance(actions[0], PullImage) else self._lanes
                self._count(1)
                try:
                    future = threads.submit(self._perform, lane, actions)
                except RuntimeError:
                    self._count(-1)
                    return  # stopped meanwhile
                future.add_done_callback(self._count_cancelled)

    def _perform(self, lane: str, actions: list[Action]) -> None:
        """In a thread of its own: one lane's actions in order, until one fails."""
        results: list[ActionResult] = []
        for action in actions:
            if self._may_not_act:
                break
            error = self._perform_one(action)
            results.append((action, error))
            if error is not None:
                break
        self._finished.put((lane, results))
        self._count(-1)
        self.wake()

    def _count_cancelled(self, future: Future[None]) -> None:
        if future.cancelled():
            self._count(-1)

    def _count(self, lanes: int) -> None:
        with self._at_work_lock:
            self._at_work += lanes
            if self._at_work:
                self._is_resting.clear()
            else:
                self._is_resting.set()

    @property
    def _may_not_act(self) -> bool:
        return self._stopped.is_set() or (self._in_charge is not None and self._in_charge.is_over)

    def _perform_one(self, action: Action) -> HostError | None:
        try:
            self._runtime.perform(action)
        except HostError as error:
            return error
        except Exception as error:
            # A bug in one action must not take its lane or other pods with it.
            log.exception("action %s on host %s", type(action).__name__, self.host)
            return HostError(f"internal error: {type(error).__name__}: {error}", host=self.host)
        return None

    def _take_finished(self) -> None:
        while True:
            try:
                lane, results = self._finished.get_nowait()
            except queue.Empty:
                return
            self._busy.discard(lane)
            for action, error in results:
                if error is not None:
                    log.warning("%s: %s", type(action).__name__, error)
                self._memory = self._memory.record(action, error, self._clock())
                if isinstance(action, RemoveImage):
                    self._meter.hasten(self._clock())
                seen = self.last_observation
                traits = seen.facts.traits if seen is not None else pod_events.ALL_HELD
                self._happened += pod_events.performed(action, error, self._pods(), traits=traits)

    def _pods(self) -> dict[str, Pod]:
        return {pod.uid: pod for pod in self._assignment.pods} if self._assignment is not None else {}


def _same_pods(before: HostReport, after: HostReport) -> bool:
    """Whether nothing is new but facts, and what happened."""
    return msgspec.structs.replace(before, facts=after.facts, pod_events=after.pod_events) == after
