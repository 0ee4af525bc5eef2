"""Crash back-off of hosts that are far away, or whose clocks are set: the kubelet, simulated, with the way there and
back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from differ.kubelet.actions import StartContainer
from differ.kubelet.memory import WorkerMemory
from differ.kubelet.pods import plan_host
from hosts.simulated.engine import Program
from hosts.simulated.host import SimulatedHost
from objects.api.pods import ExecAction, Pod, Probe
from objects.errors import HostError
from objects.observation.host import ObservedContainer
from tests.unit.differ.building import NETWORK, NOW, assign, container, make_pod, show

WAYS = [pytest.param(delay, id=f"{delay * 1000:.0f}ms") for delay in (0.0, 0.04, 0.15, 0.6)]
BACK_OFF = (0, 10, 20, 40, 80, 160, 300)


class Distant:
    """One pod on a host at a distance: a look shows what was the case `delay` seconds ago, an action comes as late."""

    def __init__(self, pod: Pod, program: Program, delay: float) -> None:
        self.now = NOW
        self.runs: dict[tuple[str, int], datetime] = {}
        self.host = SimulatedHost(
            "h", clock=lambda: self.now, images=("web:v1", "pause:3.9"), programs=self._program(program)
        )
        self.host.engine.set_network(NETWORK.name, NETWORK.subnet, "")
        self.assignment = assign(pod)
        self.pod = pod
        self.watched = (*pod.spec.init_containers, *pod.spec.containers)[0].name
        self.delay = timedelta(seconds=delay)
        self.memory = WorkerMemory()
        self.counts: list[int] = []
        self.shown: list[str] = []

    def _program(self, program: Program) -> Callable[[ObservedContainer, int], Program]:
        def program_of(found: ObservedContainer, run: int) -> Program:
            if found.name.split("_")[1] != self.watched:
                return Program()
            self.runs.setdefault((found.id, run), self.now)
            return program

        return program_of

    def go_on(self, seconds: float) -> None:
        """Looks and actions as a worker has them: woken by what happens, at the latest once a minute."""
        ends = self.now + timedelta(seconds=seconds)
        while self.now < ends:
            seen = self.host.observe()
            self.now += self.delay
            plan = plan_host(self.assignment, seen, self.memory, self.now)
            self.memory = plan.memory
            self.host.keep_probing(plan.probes)
            status = plan.statuses[self.pod.uid]
            self.shown.append(show(status))
            self.counts.append((*status.init_container_statuses, *status.container_statuses)[0].restart_count)
            for action in plan.actions:
                error = None
                self.now += self.delay
                try:
                    self.host.perform(action)
                except HostError as failure:
                    error = failure
                self.now += self.delay
                self.memory = self.memory.record(action, error, self.now)
            if not plan.actions:
                event = self.host.next_event()
                times = [self.now + timedelta(seconds=60), ends]
                times += [plan.wake_at] if plan.wake_at is not None else []
                times += [event + self.delay] if event is not None else []
                self.now = max(self.now + timedelta(milliseconds=1), min(times))

    @property
    def restarts(self) -> int:
        """How many runs there were beyond the first, counted by the programs that ran."""
        return len(self.runs) - 1


def by_the_book(run_seconds: float, seconds: float) -> int:
    """How many restarts Kubernetes' back-off gives a container that always lives for `run_seconds`."""
    at, count = run_seconds, 0
    while True:
        at += BACK_OFF[min(count, len(BACK_OFF) - 1)]
        if at > seconds:
            return count
        count += 1
        at += run_seconds


@pytest.mark.parametrize("delay", WAYS)
@pytest.mark.parametrize("run_seconds", [0.01, 1.0, 15.0, 120.0])
def test_a_crash_loop_slows_down_at_any_distance(run_seconds: float, delay: float) -> None:
    pod = make_pod()
    distant = Distant(pod, Program(run_seconds=run_seconds, exit_code=1), delay)
    distant.go_on(1200)
    most = by_the_book(run_seconds, 1200)
    # Far away Docker may do a few of its own restarts before it is told to do none.
    assert most - 1 <= distant.restarts <= most + (3 if run_seconds < delay * 10 else 1)
    assert distant.counts[-1] == distant.restarts
    assert distant.counts == sorted(distant.counts)


def test_who_runs_for_ten_minutes_is_restarted_by_docker_again() -> None:
    distant = Distant(make_pod(), Program(), 0.02)
    distant.go_on(5)
    policies = []
    for _ in range(3):
        (found,) = distant.host.engine.containers.values()
        distant.host.happen(lambda engine, now, found=found: engine.crash(found.id, now))
        distant.go_on(30)
        policies.append(next(iter(distant.host.engine.containers.values())).restart_policy)
    distant.go_on(560)
    policies.append(next(iter(distant.host.engine.containers.values())).restart_policy)
    distant.go_on(60)
    policies.append(next(iter(distant.host.engine.containers.values())).restart_policy)
    assert policies == ["always", "no", "no", "no", "always"]
    assert distant.counts[-1] == 3


@pytest.mark.parametrize("crashes", [0, 1])
def test_without_a_reconciler_a_reboot_brings_back_who_did_not_crash_again_and_again(crashes: int) -> None:
    distant = Distant(make_pod(), Program(), 0.15)
    distant.go_on(5)
    for _ in range(crashes):
        distant.host.happen(lambda engine, now: engine.crash(next(iter(engine.containers)), now))
        distant.go_on(30)
    distant.host.happen(lambda engine, now: engine.restart(now))
    assert [found.state for found in distant.host.engine.containers.values()] == ["running"]


def test_a_restarted_engine_counts_on() -> None:
    distant = Distant(make_pod(), Program(), 0.0)
    distant.go_on(5)
    for restarts in (1, 2, 3):
        distant.host.happen(lambda engine, now: engine.restart(now))
        distant.go_on(700)
        assert distant.counts[-1] == distant.restarts == restarts
    (found,) = distant.host.engine.containers.values()
    assert found.name.endswith("_3")  # it lives on the host
    assert distant.counts == sorted(distant.counts)


@pytest.mark.parametrize("delay", WAYS)
@pytest.mark.parametrize(
    ("program", "probe", "run_seconds"),
    [
        pytest.param(Program(run_seconds=0.05), None, 0.05, id="ends-at-once"),
        pytest.param(
            Program(answer=lambda kind, _: "no" if kind == "startup" else ""),
            Probe(
                exec=ExecAction(command=("false",)),
                period_seconds=1,
                failure_threshold=2,
                timeout_seconds=1,
                success_threshold=1,
            ),
            1.0,
            id="never-started",
        ),
    ],
)
def test_a_sidecar_that_ends_well_backs_off(
    program: Program, probe: Probe | None, run_seconds: float, delay: float
) -> None:
    sidecar = container("proxy", restart_policy="Always", startup_probe=probe)
    distant = Distant(make_pod(init_containers=(sidecar,)), program, delay)
    distant.go_on(600)
    most = by_the_book(run_seconds, 600)
    assert most - 1 <= distant.restarts <= most + 3
    assert any("proxy CrashLoopBackOff: back-off 80s" in shown for shown in distant.shown)


@pytest.mark.parametrize("set_by", [-7200, 7200])
@pytest.mark.parametrize("at", [5, 22, 50])
def test_a_hosts_clock_that_is_set_changes_no_back_off(set_by: int, at: float) -> None:
    """at: set while it runs or waits, for the first or a later time."""
    distant = Distant(make_pod(), Program(run_seconds=15, exit_code=1), 0.02)
    distant.go_on(at)
    distant.host.set_clock(timedelta(seconds=set_by))
    distant.go_on(1200 - at)
    assert abs(distant.restarts - by_the_book(15, 1200)) <= 1
    assert distant.counts[-1] == distant.restarts


def test_containers_that_are_started_after_the_clock_was_set_back_keep_their_network() -> None:
    pod = make_pod(container("a"), container("b"))
    distant = Distant(pod, Program(), 0.02)
    distant.go_on(10)
    distant.host.set_clock(timedelta(hours=-2))
    name = next(found.id for found in distant.host.engine.containers.values() if "_a_" in found.name)
    distant.host.happen(lambda engine, now: engine.crash(name, now))
    distant.host.performed.clear()
    distant.go_on(600)
    assert distant.shown[-1] == "Running ready [a running r1, b running r0]"
    assert not [action for action in distant.host.performed if isinstance(action, StartContainer)]
