"""Pods leave a host that is short of something: one at a time, each after a look at what the last one freed."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from objects.api.meta import ObjectMeta, QuantityLike
from objects.api.pods import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStatus,
    Pod,
    PodSpec,
    PodStatus,
    ResourceRequirements,
)
from objects.api.volumes import EmptyDirVolumeSource, Volume
from reconciler.controllers.base import Hold
from reconciler.figures.pod_metrics import PodMetrics
from reconciler.state.host_status import HostStatus
from tests.unit.controllers.harness import FACTS, World
from tests.unit.controllers.manifests import deployment

MIB = 2**20
SHORT = {"memory_available_bytes": 50 * MIB}
FULL = {"disk_free_bytes": 1 << 30}


@dataclasses.dataclass
class Cluster:
    """One host and the pods on it."""

    world: World

    @classmethod
    def create(cls) -> Cluster:
        world = World(hosts=("n1",))
        world.settle()
        return cls(world)

    def run_pod(self, name: str, *, priority: int = 0, request: QuantityLike = 0, **spec: object) -> None:
        resources = ResourceRequirements(requests={"memory": request} if request else {})
        running = ContainerState(running=ContainerStateRunning(started_at=self.world.now))
        pod = Pod(
            metadata=ObjectMeta(name=name, namespace="default", uid=name),
            spec=PodSpec(
                containers=(Container(name="c", image="i", resources=resources),),
                node_name="n1",
                priority=priority,
                **spec,  # type: ignore[arg-type]
            ),
            status=PodStatus(
                phase="Running",
                container_statuses=(ContainerStatus(name="c", state=running),),
                start_time=self.world.now,
            ),
        )
        self.world.put(pod)

    def pod(self, name: str) -> Pod:
        found = self.world.store.get(Pod, "default", name)
        assert found is not None
        return found

    def measure(self, figures: dict[str, int], **used: int) -> list[str]:
        """A second passes, and this is measured. Returns the pods that are evicted then.

        used: pod -> MiB of memory and of disk.
        """
        self.world.settle(1)
        now = self.world.now
        for name, mebibytes in used.items():
            amounts: dict[str, QuantityLike] = dict.fromkeys(("memory", "ephemeral-storage"), mebibytes * MIB)
            self.world.put(
                PodMetrics(
                    metadata=ObjectMeta(name=name, namespace="default"), timestamp=now, containers={"c": amounts}
                )
            )
        facts = msgspec.structs.replace(FACTS, **figures)
        self.put_status(facts=facts, **({"measured_at": now} if used else {}))
        return self.evicted

    def clear(self, name: str) -> None:
        """The host stops the pod and removes what it left; the engine then forgets what was measured before."""
        self.put_status(is_reclaiming=True, measured_at=None)
        ended = ContainerState(terminated=ContainerStateTerminated(exit_code=137, finished_at=self.world.now))
        pod = self.pod(name)
        statuses = (ContainerStatus(name="c", state=ended),)
        self.world.put(
            msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, container_statuses=statuses))
        )
        self.world.settle()
        self.put_status(is_reclaiming=False)

    def put_status(self, **status: object) -> None:
        known = self.world.store.get(HostStatus, "", "n1")
        assert known is not None
        self.world.put(msgspec.structs.replace(known, **status))
        self.world.settle()

    @property
    def evicted(self) -> list[str]:
        return [pod.name for pod in self.world.pods() if pod.is_evicted]

    @property
    def hold(self) -> Hold | None:
        return next((hold for (name, _), hold in self.world.holds.items() if name == "eviction-controller"), None)


@pytest.fixture
def cluster() -> Cluster:
    found = Cluster.create()
    found.run_pod("a", request="100Mi")
    found.run_pod("b", request="100Mi")
    found.run_pod("c", request="100Mi", priority=10)
    return found


def test_one_at_a_time_until_there_is_enough(cluster: Cluster) -> None:
    assert cluster.measure(SHORT) == []  # the pressure is known now, what pods use is not
    assert cluster.measure(SHORT, a=150, b=200, c=900) == ["b"]
    assert cluster.measure(SHORT, a=150, c=900) == ["b"]  # b is still there
    cluster.clear("b")
    assert cluster.evicted == ["b"]  # nobody has looked since
    assert cluster.measure(SHORT, a=150, c=900) == ["a", "b"]
    cluster.clear("a")
    assert cluster.measure({}, c=900) == ["a", "b"]
    assert cluster.measure({}, c=900) == ["a", "b"]


def test_what_is_said_of_an_evicted_pod(cluster: Cluster) -> None:
    cluster.measure(SHORT)
    cluster.measure(SHORT, a=150, b=90, c=90)
    status = cluster.pod("a").status
    message = (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container c was using 150Mi, request is 100Mi, has larger consumption of memory. "
    )
    assert (status.phase, status.reason, status.message) == ("Failed", "Evicted", message)
    claim = next(one for one in status.conditions if one.type == "DisruptionTarget")
    assert (claim.status, claim.reason, claim.message) == ("True", "TerminationByKubelet", message)
    said = [(one.key.name, one.type, one.reason) for one in cluster.world.occurrences]
    assert said[-2:] == [("n1", "Warning", "EvictionThresholdMet"), ("a", "Warning", "Evicted")]


def test_a_workload_makes_another_pod_elsewhere() -> None:
    world = World(hosts=("n1", "n2"))
    world.declare(deployment(replicas=2))
    world.run()
    cluster = Cluster(world)
    victim = next(pod for pod in world.pods() if pod.node_name == "n1")
    cluster.measure(SHORT)
    assert cluster.measure(SHORT, **{victim.name: 10}) == [victim.name]
    world.run()
    assert [(pod.node_name, pod.is_ready) for pod in world.pods() if not pod.is_evicted] == [("n2", True)] * 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param({"is_reclaiming": True}, "room is being made on it first", id="images"),
        pytest.param({}, "what the host has left is being measured", id="not measured"),
    ],
)
def test_what_is_waited_for_is_said(cluster: Cluster, status: dict[str, object], reason: str) -> None:
    cluster.put_status(facts=msgspec.structs.replace(FACTS, **FULL), **status)
    assert (cluster.evicted, cluster.hold) == ([], Hold("EvictionWaits", reason))


def test_a_reading_that_was_begun_before_room_was_made_evicts_nobody(cluster: Cluster) -> None:
    cluster.put_status(facts=msgspec.structs.replace(FACTS, **FULL), is_reclaiming=True)
    cluster.world.settle(1)
    begun_at = cluster.world.now
    cluster.world.settle(1)
    cluster.put_status(is_reclaiming=False, reclaimed_at=cluster.world.now)
    cluster.measure(FULL)
    cluster.put_status(measured_at=begun_at)
    assert (cluster.evicted, cluster.hold) == ([], Hold("EvictionWaits", "what the host has left is being measured"))


def test_an_evicted_pod_that_does_not_end_is_named(cluster: Cluster) -> None:
    cluster.measure(SHORT)
    cluster.measure(SHORT, a=200)
    assert cluster.hold == Hold("EvictionWaits", "pod default/a is on its way out")


def test_nobody_left_to_evict_is_said() -> None:
    cluster = Cluster.create()
    cluster.run_pod("critical", priority=2_000_000_000)
    cluster.measure(SHORT)
    assert cluster.measure(SHORT, critical=900) == []
    message = "the host is short of available memory, and no pod on it may be evicted"
    assert cluster.hold == Hold("NothingToEvict", message)


def test_pods_of_which_nothing_is_known_stay(cluster: Cluster) -> None:
    cluster.measure(SHORT)
    assert cluster.measure(SHORT, b=1) == ["b"]


def test_a_full_disk_costs_ended_pods_first() -> None:
    world = World(hosts=("n1",))
    world.declare(deployment(replicas=2))
    world.run()
    cluster = Cluster(world)
    old, living = world.pods()
    world.finish(old, exit_code=1)
    world.run()
    cluster.run_pod("bare")
    world.finish(cluster.pod("bare"), exit_code=1)
    cluster.measure(FULL)
    assert [pod.name for pod in world.pods() if pod.is_terminating] == [old.name]
    assert cluster.evicted == []
    world.remove(old.key)
    assert cluster.measure(FULL, **{living.name: 10}) == [living.name]


def test_memory_is_looked_at_before_the_disk(cluster: Cluster) -> None:
    cluster.measure(SHORT | FULL)
    cluster.measure(SHORT | FULL, a=200)
    assert "low on resource: memory" in cluster.pod("a").status.message


def test_a_pod_that_fills_its_volume_goes_though_the_host_has_enough(cluster: Cluster) -> None:
    volume = Volume(name="cache", empty_dir=EmptyDirVolumeSource(size_limit="10Mi"))
    cluster.run_pod("greedy", volumes=(volume,))
    cluster.run_pod("modest", volumes=(volume,))
    for name, used in (("greedy", 11), ("modest", 10)):
        cluster.world.put(
            PodMetrics(
                metadata=ObjectMeta(name=name, namespace="default"),
                timestamp=cluster.world.now,
                volumes={"cache": used * MIB},
            )
        )
    cluster.world.settle()
    assert cluster.evicted == ["greedy"]
    message = 'Usage of EmptyDir volume "cache" exceeds the limit "10Mi". '
    assert cluster.pod("greedy").status.message == message


def test_old_figures_decide_nothing(cluster: Cluster) -> None:
    cluster.measure(SHORT)
    cluster.world.settle(30)
    cluster.measure({}, a=200)
    cluster.world.settle(61)
    cluster.measure(SHORT)
    assert cluster.evicted == []


def test_a_silent_host_evicts_nobody(cluster: Cluster) -> None:
    cluster.measure(SHORT)
    cluster.world.silence("n1")
    assert cluster.measure(SHORT, a=200) == []
