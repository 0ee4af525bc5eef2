"""Whatever happens to a host and to the process that looks after it, its pods become what they should be.

Random pods, random mischief by somebody else, lost replies and refusals, a process that forgets everything at any
action: then the faults end, and within a bounded time nothing is left to do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from differ.kubelet.actions import Action, WriteFiles
from differ.kubelet.assignment import HostAssignment, PodNetwork
from differ.kubelet.containers.restarts import is_alive
from differ.kubelet.memory import WorkerMemory
from differ.kubelet.pods import HostPlan, plan_host
from hosts.simulated.engine import Program, SimulatedEngine
from hosts.simulated.host import NO_FAULTS, Faults, SimulatedHost
from objects.api.core import ConfigMap, Secret
from objects.api.meta import LocalObjectReference, ObjectMeta
from objects.api.pods import (
    Container,
    EnvVar,
    EnvVarSource,
    Pod,
    PodSpec,
    PodStatus,
    SecretEnvSource,
    SecretKeySelector,
)
from objects.api.pods import EnvFromSource as EnvFrom
from objects.api.volumes import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    SecretVolumeSource,
    Volume,
)
from objects.errors import HostError
from objects.names import LABEL_CONTAINER, LABEL_MANAGED, LABEL_POD_UID
from objects.observation.host import ObservedContainer
from objects.secrets import SecretValue

CANARY = "canary-4d1f"
NETWORK = PodNetwork(subnet="10.244.1.0/24", cluster_cidr="10.244.0.0/16")
SECRETS = {
    ("default", "s"): Secret(
        metadata=ObjectMeta(name="s", namespace="default"), data={"password": SecretValue(CANARY.encode())}
    ),
    ("default", "pull"): Secret(
        metadata=ObjectMeta(name="pull", namespace="default"),
        data={
            ".dockerconfigjson": SecretValue(
                b'{"auths": {"docker.io": {"username": "u", "password": "%s"}}}' % CANARY.encode()
            )
        },
    ),
}
CONFIG_MAPS = {("default", "c"): ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"k": "v"})}
PROGRAMS = {
    "forever": Program(),
    "stubborn": Program(stop_seconds=None),
    "slow": Program(stop_seconds=3.0),
    "done": Program(run_seconds=1.0),
    "fails": Program(run_seconds=0.5, exit_code=1),
    "memory": Program(run_seconds=2.0, out_of_memory=True),
}
ENDLESS = ("forever", "stubborn", "slow")

secret_reference = EnvVarSource(secret_key_ref=SecretKeySelector(name="s", key="password"))


@st.composite
def containers(draw: st.DrawFn, prefix: str, programs: tuple[str, ...]) -> Container:
    program = draw(st.sampled_from(programs))
    name = f"{program}-{prefix}"
    environment = draw(
        st.sampled_from([(), (EnvVar(name="P", value_from=secret_reference), EnvVar(name="Q", value="x$(P)"))])
    )
    sources = draw(st.sampled_from([(), (EnvFrom(secret_ref=SecretEnvSource(name="s")),)]))
    policy = draw(st.sampled_from(["IfNotPresent", "Always"]))
    image = draw(st.sampled_from(["app:1", "app:2"]))
    arguments = draw(st.sampled_from([(), ("--password=$(P)",)]))
    return Container(
        name=name, image=image, image_pull_policy=policy, env=environment, env_from=sources, args=arguments
    )


@st.composite
def pods(draw: st.DrawFn, number: int) -> Pod:
    policy = draw(st.sampled_from(["Always", "OnFailure", "Never"]))
    mains = tuple(draw(containers(f"m{i}", tuple(PROGRAMS))) for i in range(draw(st.integers(1, 2))))
    inits = tuple(draw(containers(f"i{i}", ("done",))) for i in range(draw(st.integers(0, 2))))
    sidecars = tuple(
        msgspec.structs.replace(draw(containers(f"s{i}", ENDLESS)), restart_policy="Always")
        for i in range(draw(st.integers(0, 1)))
    )
    volumes = draw(
        st.sampled_from(
            [
                (),
                (Volume(name="e", empty_dir=EmptyDirVolumeSource()),),
                (
                    Volume(name="s", secret=SecretVolumeSource(secret_name="s")),
                    Volume(name="c", config_map=ConfigMapVolumeSource(name="c")),
                ),
            ]
        )
    )
    return Pod(
        metadata=ObjectMeta(name=f"pod-{number}", namespace="default", uid=f"uid-{number}"),
        spec=PodSpec(
            containers=mains,
            init_containers=(*sidecars, *inits),
            restart_policy=policy,
            volumes=volumes,
            termination_grace_period_seconds=draw(st.sampled_from([0, 5])),
            image_pull_secrets=draw(st.sampled_from([(), (LocalObjectReference(name="pull"),)])),
        ),
        status=PodStatus(pod_ip=f"10.244.1.{number + 2}"),
    )


@st.composite
def some_pods(draw: st.DrawFn) -> tuple[Pod, ...]:
    return tuple(draw(pods(number)) for number in range(draw(st.integers(1, 3))))


FOREIGN = ObservedContainer(id="foreign", name="database", image="db:1", state="running", labels={"owner": "them"})


class Cluster:
    """One simulated host and the loop that looks after it."""

    def __init__(self, wanted: tuple[Pod, ...], seed: int, faults: Faults) -> None:
        self.time = datetime(2026, 11, 23, tzinfo=UTC)
        self.random = Random(seed)
        self.host = SimulatedHost(
            "h", clock=lambda: self.time, programs=self._program, faults=faults, random=Random(seed + 1)
        )
        self.host.engine.adopt((FOREIGN,))
        self.wanted = wanted
        self.memory = WorkerMemory()
        self.told: list[str] = []

    def _program(self, found: ObservedContainer, _: int) -> Program:
        return PROGRAMS.get(found.labels.get(LABEL_CONTAINER, "").partition("-")[0], Program())

    def assignment(self) -> HostAssignment:
        return HostAssignment(
            host="h",
            host_ip="192.0.2.1",
            network=NETWORK,
            pause_image="pause:1",
            pods=self.wanted,
            secrets=SECRETS,
            config_maps=CONFIG_MAPS,
        )

    def step(self, *, forgets: bool = False) -> HostPlan:
        """One look, and what follows. forgets: the process dies at some action and begins anew."""
        plan = plan_host(self.assignment(), self.host.observe(), self.memory, self.time)
        self.memory = plan.memory
        self.told += [repr(plan.actions), repr(plan.statuses), repr(plan.memory)]
        dies_at = self.random.randrange(len(plan.actions) + 1) if forgets else -1
        failed: set[str] = set()
        for number, action in enumerate(plan.actions):
            if number == dies_at:
                self.memory = WorkerMemory()
                return plan
            if action.lane not in failed and not self._perform(action):
                failed.add(action.lane)
        return plan

    def _perform(self, action: Action) -> bool:
        error: HostError | None = None
        try:
            self.host.perform(action)
        except HostError as caught:
            error = caught
        self.memory = self.memory.record(action, error, self.time)
        return error is None

    def mischief(self) -> None:
        """Somebody else does something to one of our containers, or the engine is restarted."""
        ours = [c for c in self.host.observe().containers if LABEL_MANAGED in c.labels]
        if not ours:
            return
        name = self.random.choice(ours).name
        deed = self.random.choice(DEEDS)
        try:
            self.host.happen(lambda engine, now: deed(engine, name, now))
        except HostError:
            return  # he tried to kill a dead one

    def settle(self, seconds: float = 1800) -> HostPlan:
        """Let time pass until nothing is to be done and nothing awaited; crash loops never come to that, but rest."""
        end = self.time + timedelta(seconds=seconds)
        while True:
            plan = self.step()
            soon = [t for t in (plan.wake_at, self.host.next_event()) if t is not None]
            if not plan.actions and (not soon or self.time > end):
                return plan
            assert self.time < end + timedelta(seconds=seconds), plan.actions
            if not plan.actions:
                self.time = max(min(soon), self.time + timedelta(milliseconds=10))
            else:
                self.time += timedelta(milliseconds=10)


DEEDS = (
    lambda engine, name, now: engine.signal(name, "KILL", now),
    lambda engine, name, now: engine.remove(name),
    lambda engine, name, now: engine.pause(name),
    lambda engine, name, now: engine.limit(name, 1 << 20),
    lambda engine, name, now: engine.rename(name, f"x{now.timestamp()}"),
    lambda engine, name, now: engine.restart(now),
)


def assert_as_it_should_be(cluster: Cluster, plan: HostPlan) -> None:
    engine: SimulatedEngine = cluster.host.engine
    assert engine.containers["foreign"].labels == FOREIGN.labels
    assert all(getattr(action, "id", "") != "foreign" for action in cluster.host.performed)
    ours = [c for c in engine.containers.values() if c.id != "foreign"]
    identities = [(c.labels[LABEL_POD_UID], c.labels[LABEL_CONTAINER]) for c in ours]
    assert len(identities) == len(set(identities))
    for pod in cluster.wanted:
        status = plan.statuses[pod.uid]
        alive = {c.labels[LABEL_CONTAINER] for c in ours if c.labels[LABEL_POD_UID] == pod.uid and is_alive(c)}
        endless = {c.name for c in pod.spec.containers if c.name.startswith(ENDLESS)}
        if status.phase in ("Succeeded", "Failed"):
            assert alive == set()
        elif pod.spec.restart_policy == "Always":
            assert endless <= alive
            assert status.phase == "Running"
        if status.phase == "Running" and all(c.name.startswith(ENDLESS) for c in pod.spec.containers):
            anew = plan_host(cluster.assignment(), cluster.host.observe(), WorkerMemory(), cluster.time)
            left = [a for a in anew.actions if a.pod_uid == pod.uid and not isinstance(a, WriteFiles)]
            assert left == []
    shown = "".join(repr(c.labels) for c in ours) + "".join(cluster.told)
    assert CANARY not in shown


@settings(max_examples=60, deadline=None)
@given(wanted=some_pods(), seed=st.integers(0, 2**32))
def test_pods_become_what_they_should_be(wanted: tuple[Pod, ...], seed: int) -> None:
    cluster = Cluster(wanted, seed, NO_FAULTS)
    assert_as_it_should_be(cluster, cluster.settle())


@settings(max_examples=60, deadline=None)
@given(wanted=some_pods(), seed=st.integers(0, 2**32))
def test_whatever_happens_pods_become_what_they_should_be(wanted: tuple[Pod, ...], seed: int) -> None:
    cluster = Cluster(wanted, seed, Faults(lost_replies=0.15, refusals=0.1, lost_calls=0.1))
    for _ in range(30):
        if cluster.random.random() < 0.3:
            cluster.mischief()
        cluster.step(forgets=cluster.random.random() < 0.2)
        cluster.time += timedelta(seconds=cluster.random.choice([0.01, 0.5, 3, 20]))
    cluster.host.faults = NO_FAULTS
    assert_as_it_should_be(cluster, cluster.settle())


@settings(max_examples=60, deadline=None)
@given(wanted=some_pods(), seed=st.integers(0, 2**32), steps=st.integers(0, 8))
def test_a_deleted_pod_leaves_nothing_behind(wanted: tuple[Pod, ...], seed: int, steps: int) -> None:
    cluster = Cluster(wanted, seed, Faults(lost_replies=0.2, refusals=0.1))
    for _ in range(steps):
        cluster.step(forgets=cluster.random.random() < 0.2)
        cluster.time += timedelta(seconds=0.3)
    cluster.wanted = tuple(
        msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, deletion_timestamp=cluster.time))
        for pod in wanted
    )
    end = cluster.time + timedelta(minutes=30)
    while len((plan := cluster.step(forgets=cluster.random.random() < 0.05)).gone) < len(wanted):
        assert cluster.time < end, plan.actions
        cluster.time += timedelta(seconds=0.5)
    assert (set(cluster.host.engine.containers), cluster.host.engine.volumes) == ({"foreign"}, set())
