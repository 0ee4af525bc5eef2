"""How fast pods are placed: simulated clusters of thousands of hosts, one process, one core, no I/O.

    python -m tests.bench.scheduling [--case basic] [--hosts 5000] [--sweep] [--profile]

The cases are those of kube-scheduler's own performance tests, whose CI floors (pods/s at 5,000 nodes) stand beside
ours. Counted is the time from pending pods to bound ones that the snapshot knows, in passes of some hundred pods as the
engine makes them; hosts and running pods are there before. Churn and victims' departures happen inside the measured
time. It is CPU time of this one process, so that other work on the machine does not blur it; wall time stands beside.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import cProfile
import gc
import pstats
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from objects.api.core import Node, NodeSpec, NodeStatus
from objects.api.meta import LabelSelector, ObjectKey, ObjectMeta
from objects.api.pods import (
    Affinity,
    Container,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSpec,
    ResourceRequirements,
    TopologySpreadConstraint,
)
from policies.scheduling.profiles import make_profiles
from policies.scheduling.scheduler import Scheduler
from policies.scheduling.state.snapshot import Snapshot

ZONE: Final = "topology.kubernetes.io/zone"
HOSTNAME: Final = "kubernetes.io/hostname"
ZONES: Final = 50
PASS: Final = 500
"""Pods a pass: what arrives while the engine is busy with something else."""
CHURN_EVERY: Final = 100
"""Pods between two disturbances; kube-scheduler's case has one a second, that is every 700 pods or so."""
SWEEP: Final = (100, 1000, 5000, 15000)


@dataclass
class Bench:
    """A cluster and what was asked of it. on_pass is called before each pass, inside the measured time."""

    snapshot: Snapshot
    scheduler: Scheduler
    pods: list[Pod]
    on_pass: Callable[[int], None] | None = None
    extra: list[Pod] = field(default_factory=list)
    per_pass: int = PASS


@dataclass(frozen=True)
class Result:
    case: str
    hosts: int
    pods: int
    bound: int
    seconds: float
    wall_seconds: float
    floor: int

    @property
    def rate(self) -> float:
        return self.bound / self.seconds


def make_host(name: str, index: int) -> Node:
    labels = {ZONE: f"zone{index % ZONES}", HOSTNAME: name}
    status = NodeStatus(allocatable={"cpu": "4", "memory": "32Gi", "pods": 110})
    return Node(metadata=ObjectMeta(name=name, labels=labels), spec=NodeSpec(), status=status)


def make_snapshot(hosts: int) -> Snapshot:
    snapshot = Snapshot()
    for index in range(hosts):
        snapshot.set_node(make_host(f"host-{index}", index))
    return snapshot


def make_pods(
    count: int,
    prefix: str,
    *,
    cpu: str = "100m",
    memory: str = "500Mi",
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Iterator[Pod]:
    resources = ResourceRequirements(requests={"cpu": cpu, "memory": memory})
    template = PodSpec(containers=(Container(name="pause", image="pause", resources=resources),), **spec)
    for index in range(count):
        name = f"{prefix}-{index}"
        yield Pod(metadata=ObjectMeta(name=name, namespace="bench", uid=name, labels=labels or {}), spec=template)


def make_bench(hosts: int, pods: Iterator[Pod], *, running: Iterator[Pod]) -> Bench:
    """running: scheduled beforehand, which also warms up."""
    snapshot = make_snapshot(hosts)
    scheduler = Scheduler(snapshot, make_profiles(()), seed=1)
    bench = Bench(snapshot, scheduler, list(pods))
    settle(bench, list(running))
    return bench


def settle(bench: Bench, pods: list[Pod]) -> int:
    """Schedule until nothing moves any more; victims leave between two passes. Returns how many were bound."""
    by_uid = {pod.uid: pod for pod in pods}
    waiting, bound = pods, 0
    for _ in range(4):
        again: list[Pod] = []
        progress = False
        for placement in bench.scheduler.schedule(waiting):
            pod = by_uid[placement.uid]
            if placement.node is not None:
                spec = msgspec.structs.replace(pod.spec, node_name=placement.node)
                bench.snapshot.add_pod(msgspec.structs.replace(pod, spec=spec))
                bound += 1
            else:
                again.append(pod)
                for victim in placement.victims:
                    bench.snapshot.remove_pod(victim)
                progress |= bool(placement.nominated_node)
        waiting = again
        if not progress:
            break
    return bound


# --- the cases ----------------------------------------------------------------------------------------------------


def basic(hosts: int) -> Bench:
    return make_bench(hosts, make_pods(2 * hosts, "pod"), running=make_pods(hosts // 5, "old"))


def topology_spread(hosts: int) -> Bench:
    blue = {"color": "blue"}
    constraint = TopologySpreadConstraint(
        max_skew=5,
        topology_key=ZONE,
        when_unsatisfiable="DoNotSchedule",
        label_selector=LabelSelector(match_labels=blue),
    )
    pods = make_pods(hosts, "pod", labels=blue, topology_spread_constraints=(constraint,))
    return make_bench(hosts, pods, running=make_pods(hosts, "old"))


def node_affinity(hosts: int) -> Bench:
    zones = NodeSelectorRequirement(
        key=ZONE, operator="In", values=tuple(f"zone{index}" for index in range(ZONES // 2))
    )
    required = NodeSelector(node_selector_terms=(NodeSelectorTerm(match_expressions=(zones,)),))
    affinity = Affinity(node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=required))
    return make_bench(hosts, make_pods(2 * hosts, "pod", affinity=affinity), running=make_pods(hosts, "old"))


def _term(labels: dict[str, str], key: str) -> PodAffinityTerm:
    return PodAffinityTerm(topology_key=key, label_selector=LabelSelector(match_labels=labels))


def anti_affinity(hosts: int) -> Bench:
    green = {"color": "green"}
    apart = PodAntiAffinity(required_during_scheduling_ignored_during_execution=(_term(green, HOSTNAME),))
    pods = list(make_pods(3 * hosts // 5, "pod", labels=green, affinity=Affinity(pod_anti_affinity=apart)))
    return make_bench(hosts, iter(pods[hosts // 5 :]), running=iter(pods[: hosts // 5]))


def affinity(hosts: int) -> Bench:
    blue = {"color": "blue"}
    together = PodAffinity(required_during_scheduling_ignored_during_execution=(_term(blue, ZONE),))
    pods = list(
        make_pods(hosts // 2, "pod", cpu="10m", memory="10Mi", labels=blue, affinity=Affinity(pod_affinity=together))
    )
    return make_bench(hosts, iter(pods[hosts // 10 :]), running=iter(pods[: hosts // 10]))


def preemption(hosts: int) -> Bench:
    low = make_pods(4 * hosts, "low", cpu="900m")
    return make_bench(hosts, make_pods(hosts, "high", cpu="3", priority=10), running=low)


def churn(hosts: int) -> Bench:
    """Now and then a host comes and goes, a pod too large for any host comes and goes, a service is made anew."""
    bench = make_bench(hosts, make_pods(2 * hosts, "pod"), running=make_pods(hosts // 5, "old"))
    bench.per_pass = CHURN_EVERY
    large = list(make_pods(2, "large", cpu="9", priority=5))

    def disturb(number: int) -> None:
        name = f"churn-{number}"
        bench.snapshot.set_node(make_host(name, number))
        bench.snapshot.remove_node(f"churn-{number - 1}")
        bench.extra[:] = [large[number % 2]]
        key = ObjectKey("Service", "bench", "churn")
        bench.snapshot.set_workload(key, LabelSelector(match_labels={"app": f"nobody-{number}"}))

    bench.on_pass = disturb
    return bench


def unschedulable(hosts: int) -> Bench:
    """200 pods of higher priority that fit nowhere are tried again with every pass."""
    bench = make_bench(hosts, make_pods(2 * hosts, "pod"), running=make_pods(hosts // 5, "old"))
    bench.extra = list(make_pods(200, "large", cpu="9", priority=5))
    return bench


CASES: Final[dict[str, tuple[Callable[[int], Bench], int]]] = {
    "basic": (basic, 680),
    "topology spread": (topology_spread, 460),
    "node affinity": (node_affinity, 220),
    "required anti-affinity": (anti_affinity, 60),
    "required affinity": (affinity, 35),
    "preemption": (preemption, 570),
    "mixed churn": (churn, 710),
    "unschedulable around": (unschedulable, 590),
}
"""Name, how it is made, and kube-scheduler's CI floor in pods/s at 5,000 nodes."""


# --- measuring ----------------------------------------------------------------------------------------------------


def run(bench: Bench) -> int:
    """Place all pods in passes; returns how many were bound."""
    bound = 0
    for number, first in enumerate(range(0, len(bench.pods), bench.per_pass), start=1):
        if bench.on_pass is not None:
            bench.on_pass(number)
        bound += settle(bench, [*bench.extra, *bench.pods[first : first + bench.per_pass]])
    return bound


def measure(case: str, hosts: int, *, profile: bool = False) -> Result:
    make, floor = CASES[case]
    bench = make(hosts)
    gc.collect()
    profiler = cProfile.Profile() if profile else None
    began, began_wall = time.process_time(), time.perf_counter()
    if profiler is not None:
        profiler.enable()
    bound = run(bench)
    if profiler is not None:
        profiler.disable()
    seconds, wall = time.process_time() - began, time.perf_counter() - began_wall
    if profiler is not None:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(18)
    return Result(case, hosts, len(bench.pods), bound, seconds, wall, floor)


def show(result: Result) -> str:
    bound = max(1, result.bound)
    ratio = f"{result.rate / result.floor:6.1f} x {result.floor}" if result.hosts == 5000 else ""
    return (
        f"{result.case:24} {result.hosts:6} hosts {result.bound:6}/{result.pods:<6} pods"
        f" {result.rate:9.0f} pods/s"
        f" {1e6 * result.seconds / bound:7.0f} us/pod (wall {1e6 * result.wall_seconds / bound:.0f})  {ratio}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--case", choices=[*CASES], action="append", help="only this case (may be repeated)")
    parser.add_argument("--hosts", type=int, default=5000)
    parser.add_argument("--sweep", action="store_true", help=f"basic with {', '.join(map(str, SWEEP))} hosts")
    parser.add_argument("--profile", action="store_true", help="where the time goes (slower)")
    options = parser.parse_args()
    for case in options.case or CASES:
        for hosts in SWEEP if options.sweep else (options.hosts,):
            print(show(measure(case, hosts, profile=options.profile)), flush=True)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
