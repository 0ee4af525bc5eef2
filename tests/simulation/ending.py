"""How a simulated world must end: exactly as the last commit says, and nothing more to do for anybody."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from differ.kubelet.actions import Action, UpdateContainer, WriteFiles
from objects.api.apps import DaemonSet, Deployment, StatefulSet
from objects.api.batch import Job
from objects.api.meta import KubeObject, ObjectKey, controller_of
from objects.api.pods import Pod
from objects.conditions import is_true
from objects.names import pod_of_volume
from objects.own.config import Host
from reconciler.assigning.assignments import build_assignment
from tests.simulation.workloads import (
    BarePod,
    DaemonWorkload,
    DeploymentWorkload,
    JobWorkload,
    StatefulWorkload,
    Workload,
)

if TYPE_CHECKING:
    from tests.simulation.world import World


def check_end(world: World) -> None:
    """After rest: workloads, containers, a second pass, and a fresh process."""
    for workload in world.git.workloads:
        _check_workload(world, workload)
    _check_containers(world)
    _check_assignments(world)
    world.write_status()
    quiet = world.cluster.round(world.git.desired())
    assert quiet.is_quiet, f"a second pass did {quiet}"
    _check_fresh_process(world)


def _check_assignments(world: World) -> None:
    """What hosts were told part by part is what one would tell them who knows nothing of before."""
    engine = world.engine
    for host in engine.store.all_of(Host):
        inventory = None if engine.heals_all else engine.inventory
        fresh = build_assignment(engine.store, host, engine.settings, inventory=inventory)
        assert engine.assignment(host.name) == fresh


def _check_workload(world: World, workload: Workload) -> None:
    live = world.engine.store.find(ObjectKey(workload.KIND, "default", workload.name))
    pods = [pod for pod in world.engine.store.all_of(Pod) if pod.labels.get("app") == workload.name]
    running = Counter(
        (pod.spec.containers[0].image, pod.is_ready) for pod in pods if not pod.is_finished and not pod.is_terminating
    )
    expected = _expected_count(world, workload)
    if expected is not None:
        wanted = Counter({(workload.image, True): expected})
        assert running == +wanted, f"{workload}: {running}, expected {+wanted}; {_status(live)}"
    if isinstance(workload, StatefulWorkload):
        names = [f"{workload.name}-{ordinal}" for ordinal in range(workload.replicas)]
        assert sorted(pod.name for pod in pods) == names
    if isinstance(workload, DaemonWorkload):
        assert sorted(pod.node_name for pod in pods) == sorted(world.git.hosts)
    if isinstance(live, Job):
        _check_job(world, live, workload)
    if isinstance(live, Deployment | StatefulSet | DaemonSet):
        assert live.status.observed_generation == live.metadata.generation


def _expected_count(world: World, workload: Workload) -> int | None:
    """Pods that run in the end; None for those that come and go by themselves."""
    if isinstance(workload, DeploymentWorkload | StatefulWorkload):
        return workload.replicas
    if isinstance(workload, DaemonWorkload):
        return len(world.git.hosts)
    return 1 if isinstance(workload, BarePod) else None


def _check_job(world: World, job: Job, workload: Workload) -> None:
    assert isinstance(workload, JobWorkload)
    is_complete, is_failed = (is_true(job.status.conditions, kind) for kind in ("Complete", "Failed"))
    assert is_complete != is_failed, f"{job.name} is not over: {job.status}"
    surplus = job.status.succeeded - workload.completions
    is_exact = 0 <= surplus <= len(world.ledger.given_up[job.key])
    assert is_exact or not is_complete, f"{job.name}: {job.status}"
    worked = len(world.ledger.worked[job.key])
    assert worked >= workload.completions or not is_complete, f"{job.name} is complete: {worked} pods did its work"
    if workload.image == "work:bad" and worked < workload.completions:
        # Who was drained in time ended well: a program that is told to end has not failed.
        assert is_failed, f"{job.name} cannot succeed: {job.status}"


def _check_containers(world: World) -> None:
    """Every pod of the store runs on its host with all its containers, and nothing else of ours does."""
    wanted: Counter[tuple[str, str, str]] = Counter()
    for pod in world.engine.store.all_of(Pod):
        if not pod.is_finished:
            sidecars = (c for c in pod.spec.init_containers if c.restart_policy == "Always")
            wanted.update((pod.node_name, pod.uid, c.name) for c in (*pod.spec.containers, *sidecars))
    there = Counter(
        (machine.name, container.labels["berth.dev/pod-uid"], container.labels["berth.dev/container"])
        for machine in world.machines.values()
        for container in machine.living()
    )
    assert there == wanted, f"runs and should not: {there - wanted}; should run: {wanted - there}"
    nobodys = [
        pod.name
        for pod in world.engine.store.all_of(Pod)
        if controller_of(pod) is None and pod.key not in world.engine.inventory
    ]
    assert not nobodys, f"pods that nobody asked for: {nobodys}"
    known = {pod.uid for pod in world.engine.store.all_of(Pod)}
    left = [c.name for m in world.machines.values() for c in m.ours() if c.labels["berth.dev/pod-uid"] not in known]
    assert not left, f"containers of no pod: {left}"
    orphans = [v for m in world.machines.values() for v in m.engine.volumes if pod_of_volume(v) not in known]
    assert not orphans, f"volumes of no pod: {orphans}"


def _check_fresh_process(world: World) -> None:
    """Killed at rest and started again: nothing is done anywhere, and nothing looks otherwise."""
    before = _meaning(world)
    world.restart()
    messages, world.pending = world.pending, []
    known = {name: len(machine.performed) for name, machine in world.machines.items()}
    for _ in range(5):
        world.cluster.round(*messages)
        messages = []
    done = [a for name, machine in world.machines.items() for a in machine.performed[known[name] :]]
    # What lies in memory is not seen from outside: a process that does not know writes it once more.
    done = [action for action in done if not isinstance(action, WriteFiles) and not _is_due_by_time(action)]
    assert not done, f"a fresh process does {done}"
    after = _meaning(world)
    assert after == before, f"a fresh process sees it otherwise: {_difference(before, after)}"


def _is_due_by_time(action: Action) -> bool:
    """Whether it comes with the time that passes meanwhile: Docker restarts again what has run well for ten minutes."""
    return isinstance(action, UpdateContainer) and action.restart_policy == "always"


def _meaning(world: World) -> dict[ObjectKey, object]:
    """What is said of every object; generations count from the start of a process."""
    meaning: dict[ObjectKey, object] = {}
    for obj in world.engine.store:
        status = getattr(obj, "status", None)
        if hasattr(status, "observed_generation"):
            status = msgspec.structs.replace(status, observed_generation=0)
        meaning[obj.key] = status
    return meaning


def _difference(before: dict[ObjectKey, object], after: dict[ObjectKey, object]) -> str:
    said: list[str] = []
    for key in sorted(before.keys() | after.keys()):
        old, new = (msgspec.to_builtins(one.get(key)) or {} for one in (before, after))
        fields = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
        said += (f"{key} {name}: {old.get(name)} -> {new.get(name)}" for name in fields)
    return "; ".join(said)


def _status(obj: KubeObject | None) -> str:
    return str(getattr(obj, "status", None))
