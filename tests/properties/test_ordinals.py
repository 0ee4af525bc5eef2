"""Never two pods of one ordinal, whatever fails: silent hosts, restarts, stale status branches, commits, scalings.

The test keeps, beside the store, what really runs on each host: a host starts what is bound to it and stops what
terminates only while it answers; a silent one goes on running what it runs.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from objects.api.apps import ControllerRevision, StatefulSet
from objects.api.meta import KubeObject, ObjectMeta
from objects.api.pods import Pod
from objects.own.config import Host, HostSpec
from reconciler.state.host_status import HostStatus
from tests.unit.controllers.harness import World
from tests.unit.controllers.manifests import stateful_set

HOSTS = ("n1", "n2", "n3")
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.integers(1, 3)),
        st.tuples(st.just("scale"), st.integers(0, 4)),
        st.tuples(st.just("silence"), st.integers(0, 2)),
        st.tuples(st.just("answer"), st.integers(0, 2)),
        st.tuples(st.just("hosts work"), st.just(0)),
        st.tuples(st.just("hosts work"), st.just(0)),
        st.tuples(st.just("publish"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([1, 400])),
    ),
    max_size=40,
)


class Cluster:
    """A world, what really runs, and what the status branch holds."""

    def __init__(self, *, parallel: bool, seed: int) -> None:
        self.wanted: dict[str, Any] = {"image": "web:1", "replicas": 3, "parallel": parallel}
        self.seed = seed
        self.world = World(seed=seed, shuffled=True)
        self.world.declare(stateful_set(**self.wanted))
        self.runs: dict[str, dict[str, Pod]] = {host: {} for host in HOSTS}
        self.published: tuple[KubeObject, ...] = ()

    def apply(self, operation: str, value: int) -> None:
        match operation:
            case "commit":
                self.wanted["image"] = f"web:{value}"
                self.world.declare(stateful_set(**self.wanted))
            case "scale":
                self.wanted["replicas"] = value
                self.world.declare(stateful_set(**self.wanted))
            case "silence":
                self.world.silence(HOSTS[value])
            case "answer":
                self.answer(HOSTS[value])
            case "hosts work":
                self.work()
            case "publish":
                self.published = (*self.world.store.all_of(Pod), *self.world.store.all_of(ControllerRevision))
            case "restart":
                self.restart()

    def answer(self, host: str) -> None:
        """The host is seen again: pods that the store does not know come into it."""
        self.world.answer(host)
        for pod in self.runs[host].values():
            if self.world.store.find(pod.key) is None:
                self.world.put(pod)

    def work(self) -> None:
        """Hosts that answer stop what terminates, start what is bound to them, and report."""
        self.world.bind_all()
        for pod in self.world.pods():
            host = pod.node_name
            if not host or not self.world.is_answering(host):
                continue
            if pod.is_terminating:
                self.runs[host].pop(pod.uid, None)
                self.world.remove(pod.key)
            else:
                self.world.set_ready(pod)
                self.runs[host][pod.uid] = next(p for p in self.world.pods() if p.uid == pod.uid)

    def restart(self) -> None:
        """A new process: Git, the status branch as last published, and the hosts that answer."""
        self.seed += 10_000  # another process draws other uids
        old, self.world = self.world, World(hosts=(), seed=self.seed, shuffled=True)
        self.world.now = old.now
        for host in HOSTS:
            self.world.declare(Host(metadata=ObjectMeta(name=host), spec=HostSpec(address="192.0.2.1", host_key="k")))
            if old.is_answering(host):
                self.answer(host)
            else:
                self.world.put(HostStatus(metadata=ObjectMeta(name=host), pod_subnet="10.244.1.0/24"))
        silent = [host for host in HOSTS if not old.is_answering(host)]
        self.world.declare(stateful_set(**self.wanted))
        for obj in self.published:
            is_elsewhere = isinstance(obj, Pod) and obj.node_name not in silent
            if self.world.store.find(obj.key) is None and not is_elsewhere:
                self.world.put(obj)

    def check(self) -> None:
        names = sorted(pod.name for host in self.runs.values() for pod in host.values())
        assert len(names) == len(set(names)), f"two pods of one ordinal: {names}"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(operations=OPERATIONS, parallel=st.booleans(), seed=st.integers(0, 1000))
def test_never_two_of_one_ordinal(operations: list[tuple[str, int]], parallel: bool, seed: int) -> None:
    cluster = Cluster(parallel=parallel, seed=seed)
    for operation, value in operations:
        cluster.apply(operation, value)
        cluster.world.settle(value if operation == "wait" else 1)
        cluster.check()
    for host in HOSTS:
        cluster.answer(host)
    for _ in range(30):
        cluster.world.settle(1)
        cluster.work()
        cluster.check()
    cluster.world.settle(1)
    live = cluster.world.store.get(StatefulSet, "default", "db")
    assert live is not None
    assert [(pod.name, pod.spec.containers[0].image) for pod in cluster.world.pods()] == [
        (f"db-{ordinal}", cluster.wanted["image"]) for ordinal in range(cluster.wanted["replicas"])
    ]
