"""Two worlds with the same face: a simulated host, and a real Docker host of the lab.

`Kubelet` drives either as a worker does: look, plan, act, remember. `World` adds what only a test may do: be somebody
else on the host, and let time pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol

from differ.kubelet.actions import Action
from differ.kubelet.assignment import HostAssignment, PodNetwork
from differ.kubelet.pod_events import PodEvent
from differ.kubelet.pods import HostPlan, WorkerMemory, plan_host
from hosts.runtime.docker_runtime import DockerRuntime
from hosts.runtime.interface import HostRuntime
from hosts.simulated.engine import Program, SimulatedEngine
from hosts.simulated.host import SimulatedHost
from objects.api.core import ConfigMap, Secret
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
)
from objects.errors import HostError
from objects.names import LABEL_CHARGE
from objects.observation.host import HostObservation, ObservedContainer
from objects.own.charge import Charge, marker_labels, marker_name
from tests.lab.host import LabHost
from tests.lab.links import engine_of
from tests.lab.processes import slowness, wait_until

NETWORK = PodNetwork(subnet="10.244.9.0/24", cluster_cidr="10.244.0.0/16")
PAUSE = "pause:3.9"
NO_IMAGE = "127.0.0.1:1/no/such:image"
IMAGES = ("busybox", PAUSE, "web:v1", "web:v2")


def _script(begin: str) -> tuple[str, ...]:
    """Does something, then runs until it is told to stop."""
    return ("sh", "-c", f"trap 'exit 0' TERM; {begin}; while :; do sleep 0.1; done")


BEHAVIOURS: dict[str, tuple[tuple[str, ...], Program]] = {
    "sleeper": (("sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"), Program()),
    "stubborn": (("sh", "-c", "trap '' TERM; while :; do sleep 1; done"), Program(stop_seconds=None)),
    "crasher": (("sh", "-c", "exit 3"), Program(run_seconds=0.02, exit_code=3)),
    "done": (("true",), Program(run_seconds=0.02)),
    "short": (("sleep", "1"), Program(run_seconds=1.0, stop_seconds=None)),
    "hungry": (
        ("sh", "-c", "x=abcdefgh; while :; do x=$x$x; done"),
        Program(run_seconds=0.3, out_of_memory=True),
    ),
    "warming": (
        _script("while ! test -f /asked; do sleep 0.1; done; sleep 4; touch /ready"),
        Program(answer=lambda _, seconds: "" if seconds >= 4 else "no /ready"),
    ),
    "flicker": (
        _script("touch /ready; sleep 4; rm /ready"),
        Program(answer=lambda _, seconds: "" if seconds < 4 else "no /ready"),
    ),
    "sick": (
        _script("touch /ready /alive; sleep 1; rm /alive"),
        Program(answer=lambda kind, seconds: "no /alive" if kind == "liveness" and seconds >= 1 else ""),
    ),
    "hooked": (_script(":"), Program(hooks={"postStart": (0.5, ""), "preStop": (0.5, "")})),
    "unhooked": (_script(":"), Program(hooks={"postStart": (0.1, "hook: refused"), "preStop": (0.1, "hook: refused")})),
    "wordy": (
        ("sh", "-c", "echo to the log; echo -n to the file > /words; sleep 0.2; exit 3"),
        Program(run_seconds=0.2, exit_code=3, last_words="to the file"),
    ),
    "loud": (("sh", "-c", "echo to the log; exit 3"), Program(run_seconds=0.1, exit_code=3, last_words="to the log\n")),
    "broken": (("/no/such/program",), Program(start_error="exec: /no/such/program: no such file or directory")),
}
"""What a container does, by the first part of its name (`sleeper-2`): its command for real, its program simulated."""


def container(name: str, **fields: object) -> Container:
    """A container of the manifest that behaves as its name says."""
    command = BEHAVIOURS[name.partition("-")[0]][0]
    return Container(**{"name": name, "image": "busybox", "command": command, **fields})  # type: ignore[arg-type]


def make_pod(name: str, *containers: Container, last_byte: int = 5, **spec: object) -> Pod:
    """A bound pod as an assignment holds it. last_byte: of its address."""
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"),
        spec=PodSpec(containers=containers, **spec),  # type: ignore[arg-type]
        status=PodStatus(pod_ip=f"10.244.9.{last_byte}"),
    )


class World(Protocol):
    """A host and somebody else on it. `other` methods name containers by their Docker name."""

    runtime: HostRuntime

    def now(self) -> datetime: ...
    def pass_time(self, seconds: float) -> None: ...
    def kill(self, name: str) -> None: ...
    def pause(self, name: str) -> None: ...
    def remove(self, name: str) -> None: ...
    def rename(self, name: str, new_name: str) -> None: ...
    def limit(self, name: str, memory_bytes: int) -> None: ...
    def disconnect(self, name: str) -> None: ...
    def run_committed(self, name: str, new_name: str) -> None: ...
    def restart_engine(self) -> None: ...
    def mark_charge(self, charge: Charge) -> None: ...


class SimulatedWorld:
    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
        self.host = SimulatedHost(
            "host-1", clock=lambda: self._now, images=IMAGES, unpullable=(NO_IMAGE,), programs=self._program
        )
        self.runtime: HostRuntime = self.host

    def _program(self, found: ObservedContainer, _: int) -> Program:
        name = found.labels.get("berth.dev/container", "").partition("-")[0]
        return BEHAVIOURS[name][1] if name in BEHAVIOURS else Program()

    def now(self) -> datetime:
        return self._now

    def pass_time(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def kill(self, name: str) -> None:
        self.host.happen(lambda engine, now: engine.signal(name, "KILL", now))

    def pause(self, name: str) -> None:
        self.host.happen(lambda engine, now: engine.pause(name))

    def remove(self, name: str) -> None:
        self.host.happen(lambda engine, now: engine.remove(name))

    def rename(self, name: str, new_name: str) -> None:
        self.host.happen(lambda engine, now: engine.rename(name, new_name))

    def limit(self, name: str, memory_bytes: int) -> None:
        self.host.happen(lambda engine, now: engine.limit(name, memory_bytes))

    def disconnect(self, name: str) -> None:
        self.host.happen(lambda engine, now: engine.disconnect(name))

    def run_committed(self, name: str, new_name: str) -> None:
        def run(engine: SimulatedEngine, now: datetime) -> None:
            found = engine.find(name)
            engine.adopt([ObservedContainer(id="f" * 64, name=new_name, labels=found.labels, state="running")])

        self.host.happen(run)

    def restart_engine(self) -> None:
        self.host.happen(lambda engine, now: engine.restart(now))

    def mark_charge(self, charge: Charge) -> None:
        self.host.happen(lambda engine, now: engine.mark_charge(charge))


class DockerWorld:
    def __init__(self, host: LabHost, runtime: HostRuntime) -> None:
        self._host = host
        self.runtime = runtime
        self._committed: list[tuple[str, str]] = []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def kill(self, name: str) -> None:
        def ended_at() -> str:
            return self._host.docker("inspect", "--format", "{{.State.FinishedAt}}", name)

        before = ended_at()
        self._host.docker("kill", name)
        # Engine 25 and newer may answer before they have noted the end.
        wait_until(lambda: ended_at() != before, what=f"the end of {name} is not noted", timeout_seconds=30)

    def pause(self, name: str) -> None:
        self._host.docker("pause", name)

    def remove(self, name: str) -> None:
        self._host.docker("rm", "-f", name)

    def rename(self, name: str, new_name: str) -> None:
        self._host.docker("rename", name, new_name)

    def limit(self, name: str, memory_bytes: int) -> None:
        self._host.docker("update", "--memory", str(memory_bytes), "--memory-swap", str(memory_bytes), name)

    def disconnect(self, name: str) -> None:
        self._host.docker("network", "disconnect", "-f", NETWORK.name, name)

    def run_committed(self, name: str, new_name: str) -> None:
        image = f"{new_name}:1"
        self._host.docker("commit", name, image)
        self._committed += [(new_name, image)]
        self._host.docker("run", "-d", "--name", new_name, "--restart", "always", image, "sleep", "1000")

    def remove_committed(self) -> None:
        for name, image in self._committed:
            self._host.docker("rm", "-f", name, check=False)
            self._host.docker("rmi", "-f", image, check=False)

    def restart_engine(self) -> None:
        self._host.restart_engine()

    def mark_charge(self, charge: Charge) -> None:
        labels = [word for name, value in marker_labels(charge).items() for word in ("--label", f"{name}={value}")]
        self._host.docker("volume", "create", *labels, marker_name(charge))


def remove_marks(host: LabHost) -> None:
    """Those of reconcilers in earlier tests, too."""
    for name in host.docker("volume", "ls", "-q", "--filter", f"label={LABEL_CHARGE}").split():
        host.docker("volume", "rm", name)


class PatientRuntime(DockerRuntime):
    """Looks until the engine has answered for every container: a test asks once, where a worker is woken again."""

    def observe(self) -> HostObservation:
        while (seen := super().observe()).unanswered:
            time.sleep(0.05)
        return seen


@contextmanager
def docker_world(host: LabHost) -> Iterator[DockerWorld]:
    """A real host, looked at over SSH; watched, as a worker does, so that events keep looks cheap."""
    remove_marks(host)
    with engine_of(host) as engine:
        runtime = PatientRuntime(engine, random=Random(11))
        runtime.watch(lambda: None, lambda: None)
        world = DockerWorld(host, runtime)
        try:
            yield world
        finally:
            runtime.close()
            world.remove_committed()
            for name in host.docker("ps", "-aq", "--filter", "label=berth.dev/managed").split():
                host.docker("rm", "-fv", name)
            remove_marks(host)


class Kubelet:
    """Looks, plans, acts and remembers, until something is as a test wants it."""

    def __init__(self, world: World, *objects: ConfigMap | Secret) -> None:
        self.world = world
        self.objects = objects
        self.memory = WorkerMemory()
        self.actions: list[Action] = []
        self.happened: list[PodEvent] = []
        self.errors: list[HostError] = []

    def forget(self) -> None:
        """As a fresh process."""
        self.memory = WorkerMemory()

    def assign(self, *pods: Pod) -> HostAssignment:
        return HostAssignment(
            host="host-1",
            host_ip="192.0.2.1",
            network=NETWORK,
            pause_image=PAUSE,
            pods=pods,
            config_maps={(o.namespace, o.name): o for o in self.objects if isinstance(o, ConfigMap)},
            secrets={(o.namespace, o.name): o for o in self.objects if isinstance(o, Secret)},
        )

    def step(self, *pods: Pod) -> HostPlan:
        """One look and everything that follows from it."""
        now = self.world.now()
        plan = plan_host(self.assign(*pods), self.world.runtime.observe(), self.memory, now)
        self.memory = plan.memory
        self.happened += plan.pod_events
        self.world.runtime.keep_probing(plan.probes)
        failed: set[str] = set()
        for action in plan.actions:
            if action.lane in failed:
                continue
            error = self._perform(action)
            if error is not None:
                failed.add(action.lane)
            self.memory = self.memory.record(action, error, self.world.now())
        return plan

    def _perform(self, action: Action) -> HostError | None:
        self.actions.append(action)
        try:
            self.world.runtime.perform(action)
        except HostError as error:
            self.errors.append(error)
            return error
        return None

    def _picture(self, plan: HostPlan, seconds: float) -> str:
        statuses = [show(status) for status in plan.statuses.values()]
        return f"not so after {seconds} s: {statuses}; planned: {plan.actions}; errors: {self.errors}"

    def until(self, is_so: Callable[[HostPlan], bool], *pods: Pod, seconds: float = 60) -> HostPlan:
        """Go on until a plan is as wanted. Fails after `seconds` of the world's time, with what there was last.

        seconds: on an idle machine; a busy one has longer.
        """
        begun = self.world.now()
        plan = self.step(*pods)
        while not is_so(plan):
            waited = self.world.now() - begun
            assert waited < timedelta(seconds=seconds * slowness()), self._picture(plan, seconds)
            if not plan.actions:
                self.world.pass_time(0.05)
            plan = self.step(*pods)
        return plan

    def settle(self, *pods: Pod, seconds: float = 60) -> HostPlan:
        """Go on until nothing is left to do, and everything runs or has ended."""
        return self.until(lambda plan: not plan.actions and not is_moving(plan), *pods, seconds=seconds)


def is_moving(plan: HostPlan) -> bool:
    """Whether something is about to change by itself."""
    return any(status.phase == "Pending" for status in plan.statuses.values())


def show(status: PodStatus) -> str:
    """A status in one line, without times and ids: `Running ready [main running r0]`."""
    parts = []
    for one in (*status.init_container_statuses, *status.container_statuses):
        if one.state.running:
            state = "running"
        elif one.state.terminated:
            state = f"{one.state.terminated.reason}({one.state.terminated.exit_code})"
        else:
            state = one.state.waiting.reason if one.state.waiting else "?"
        parts.append(f"{one.name} {state} r{one.restart_count}")
    ready = any(c.type == "Ready" and c.status == "True" for c in status.conditions)
    return f"{status.phase}{' ready' if ready else ''} [{', '.join(parts)}]"
