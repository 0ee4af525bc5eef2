"""A cluster at rest, simulated: what a full pass over it costs, and what one change in a large one costs.

The engine, the controllers, the scheduler and the pass over each host are the daemon's own; only the hosts are
simulated. CPU time of this process counts, not the clock: other processes do not disturb it.
"""

from __future__ import annotations

import gc
import random
import resource
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from hosts.simulated.host import SimulatedHost
from objects.api.core import Namespace
from objects.api.meta import KubeObject, ObjectMeta
from objects.api.pods import Pod
from objects.defaults import default
from objects.own.config import Cluster, ClusterSpec, NetworkSettings
from reconciler.controllers import CONTROLLERS
from reconciler.core.engine import Engine
from reconciler.plan.simulate import SimulatedClock, SimulatedCluster
from reconciler.state.messages import Desired, HostReport
from tests.bench.case import Settings, main
from tests.bench.figures import Figure, median
from tests.unit.reconciler.cluster import deployment, make_host

START = datetime(2026, 1, 1, tzinfo=UTC)
IMAGE = "web:v1"
PODS_A_DEPLOYMENT = 10
PASSES = 9
CLUSTER = Cluster(spec=ClusterSpec(network=NetworkSettings(pod_cidr="10.0.0.0/8")))
"""The default /16 has slices for 256 hosts."""


def run(settings: Settings) -> Sequence[Figure]:
    settings.say("1,000 pods on 100 hosts")
    figures = _full_pass(hosts=100, pods=1000)
    hosts, pods = (100, 1000) if settings.is_quick else (1000, 10_000)
    settings.say(f"{pods:,} pods on {hosts:,} hosts")
    return [*figures, *_one_change(hosts=hosts, pods=pods)]


def _full_pass(*, hosts: int, pods: int) -> list[Figure]:
    cluster = settled_cluster(hosts=hosts, pods=pods)
    rounds, seconds = [], []
    for _ in range(PASSES):
        began = time.process_time()
        rounds.append(cluster.round())
        seconds.append(time.process_time() - began)
    name = f"converged, {pods:,} pods on {hosts:,} hosts"
    return [
        Figure(f"{name}: a full pass", median(seconds), "s", 0.2, samples=tuple(seconds)),
        Figure(f"{name}: actions", sum(done.actions for done in rounds), "", 0),
        Figure(f"{name}: changes", sum(done.changes for done in rounds), "", 0),
        Figure(f"{name}: peak memory", _peak_megabytes(), "MB"),
    ]


def _one_change(*, hosts: int, pods: int) -> list[Figure]:
    """One pod's status changes, as after a restart, and one is lost, which its ReplicaSet replaces."""
    cluster = settled_cluster(hosts=hosts, pods=pods)
    engine = cluster.engine
    source = random.Random(1)
    gc.collect()
    status, lost = [], []
    for _ in range(20):
        pod = source.choice(engine.store.all_of(Pod))
        status.append(_step_millis(cluster, _report(cluster, pod, is_ready=False)))
        _step_millis(cluster, _report(cluster, pod, is_ready=True))
        lost.append(_step_millis(cluster, _report(cluster, pod, is_gone=True)))
    name = f"one change in {pods:,} pods on {hosts:,} hosts"
    return [
        Figure(f"{name}: a pod not ready", median(status), "ms", 20, samples=tuple(status)),
        Figure(f"{name}: a pod lost and replaced", median(lost), "ms", 20, samples=tuple(lost)),
        Figure(f"{name}: peak memory", _peak_megabytes(), "MB"),
    ]


def settled_cluster(*, hosts: int, pods: int) -> SimulatedCluster:
    """Deployments of ten pods each on hosts that run them, at rest."""
    clock = SimulatedClock(START)
    names = [f"h{number:04}" for number in range(hosts)]
    simulated = {name: SimulatedHost(name, clock=clock, images=[IMAGE]) for name in names}
    cluster = SimulatedCluster(Engine(CONTROLLERS, source=random.Random(0)), simulated, clock)
    objects: list[KubeObject] = [CLUSTER, Namespace(metadata=ObjectMeta(name="default")), *map(make_host, names)]
    objects += [
        deployment(IMAGE, replicas=PODS_A_DEPLOYMENT, name=f"web-{number}")
        for number in range(pods // PODS_A_DEPLOYMENT)
    ]
    if not cluster.run_to_rest(Desired(commit="c1", objects=tuple(default(obj) for obj in objects))):
        raise RuntimeError("the simulated cluster does not come to rest")
    return cluster


def _report(cluster: SimulatedCluster, pod: Pod, *, is_ready: bool = True, is_gone: bool = False) -> HostReport:
    """What the pod's host would say when only this pod had changed."""
    host = pod.spec.node_name
    statuses = {found.uid: found.status for found in cluster.engine.store.pods_on(host)}
    conditions = tuple(
        msgspec.structs.replace(condition, status="True" if is_ready else "False")
        if condition.type in ("Ready", "ContainersReady")
        else condition
        for condition in pod.status.conditions
    )
    statuses[pod.uid] = msgspec.structs.replace(pod.status, conditions=conditions)
    facts = cluster.hosts[host].observe().facts
    return HostReport(host=host, facts=facts, statuses=statuses, gone=(pod.uid,) if is_gone else ())


def _step_millis(cluster: SimulatedCluster, report: HostReport) -> float:
    cluster.clock.now += timedelta(seconds=1)
    began = time.process_time()
    cluster.engine.step((report,), cluster.clock.now)
    return (time.process_time() - began) * 1000


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main("converged", run)
