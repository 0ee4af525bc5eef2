"""What would a commit do? The real controllers and scheduler on a copy of the live state, with simulated hosts.

What the plan says is what happens, because nothing here decides: a fork of the observing engine is told the commit and
runs until it rests; the plan is the difference between before and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from random import Random

import msgspec

from differ.documents.objects import comparable, diff_documents
from differ.documents.plan import (
    Capacity,
    ObjectChange,
    Plan,
    PodChange,
    Waiting,
)
from differ.documents.secret_changes import with_changes_marked
from hosts.simulated.engine import Program
from hosts.simulated.host import SimulatedHost
from objects import codec
from objects.api.core import Node, Secret
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.api.storage import PersistentVolume
from objects.names import ANNOTATION_TEMPLATE_HASH, LABEL_ROLE
from objects.observation.host import HostObservation, ObservedContainer
from objects.own.config import Cluster, Host
from objects.values.quantity import milli_value, value
from policies.host_support import LIMITS, NETWORK, PROBES
from policies.scheduling.requests import whole_requests, whole_resources
from reconciler.controllers.volumes.binding import docker_volume_of, host_of, is_given_up
from reconciler.core.engine import Engine
from reconciler.core.named_configuration import root_owner, why_kept
from reconciler.plan.simulate import SimulatedClock, SimulatedCluster
from reconciler.state.foreign import foreign_requests
from reconciler.state.host_status import HostStatus
from reconciler.state.messages import Desired
from reconciler.state.store import View
from reconciler.status.convergence import assess

_CAUSES = frozenset({"Descheduled", "Preempted", "Evicted", "TaintManagerEviction"})
"""Reasons of events that tell why a pod goes although its workload wants it."""


def as_observed(base: Desired | None, target: Desired) -> Desired:
    """What an observer is told before a plan: `base` (None: nothing was deployed yet) with the hosts of both."""
    base = base or Desired(commit="", objects=tuple(obj for obj in target.objects if isinstance(obj, Cluster)))
    known = {obj.key for obj in base.objects}
    joining = tuple(obj for obj in target.objects if isinstance(obj, Host) and obj.key not in known)
    return msgspec.structs.replace(base, objects=(*base.objects, *joining))


def make_plan(
    observer: Engine,
    observations: Mapping[str, HostObservation],
    base: Desired | None,
    desired: Desired,
    *,
    now: datetime,
    warnings: tuple[str, ...] = (),
) -> Plan:
    """The plan for `desired` on what `observer` knows.

    base: what `desired` is compared with (see `as_observed`). observations: the last complete look at each host that
    answers. The same inputs give the same plan.
    """
    clock = SimulatedClock(now)
    engine = observer.fork(Random(0))
    hosts = {
        name: SimulatedHost.from_observation(seen, clock=clock, programs=_as_intended)
        for name, seen in observations.items()
    }
    # Told before the hosts are looked at: a pod that nobody has assigned yet would be taken for one that is found.
    engine.step((desired,), clock.now)
    is_at_rest = SimulatedCluster(engine, hosts, clock).run_to_rest()
    state = assess(engine)
    return Plan(
        from_commit=base.commit if base else "",
        to_commit=desired.commit,
        objects=_object_changes(observer, engine, base, desired),
        pods=_pod_changes(observer.store, engine.store, _taken_away(engine)),
        waiting=tuple(
            Waiting(subject=subject, reason=why)
            for subject, why in (state.failed | state.waiting | state.resting).items()
            if subject != "Deletions"
        )
        + tuple(Waiting(subject=str(key), reason=why_kept(namer)) for key, namer in engine.deployed.named.items()),
        warnings=(*warnings, *_data_given_up(observer.store, engine.store), *_host_problems(observer.store)),
        capacity=_capacity(engine.store),
        unknown_hosts=tuple(status.name for status in observer.store.all_of(HostStatus) if not status.reachable),
        held_deletions=engine.deployed.held,
        is_at_rest=is_at_rest,
    )


def _as_intended(container: ObservedContainer, _run: int) -> Program:
    """A plan takes programs at their word: init containers and jobs succeed, everything else runs."""
    ends = container.labels.get(LABEL_ROLE) == "init" or container.restart_policy in ("no", "on-failure")
    return Program(run_seconds=1.0 if ends and container.labels.get(LABEL_ROLE) != "sandbox" else None)


def _object_changes(
    observer: Engine, engine: Engine, base: Desired | None, desired: Desired
) -> tuple[ObjectChange, ...]:
    """Desired against desired; what goes is what the fork really deleted."""
    before = {obj.key: obj for obj in base.objects} if base else {}
    after = {obj.key: obj for obj in desired.objects}
    changes = []
    for key, obj in after.items():
        application = desired.application.get(key, "")
        old = before.get(key)
        if old is None:
            changes.append(ObjectChange(key=key, action="create", application=application))
        elif old != obj:
            fields = diff_documents(_document(old), _document_after(old, obj))
            if fields:
                changes.append(ObjectChange(key=key, action="update", application=application, fields=fields))
    for key, application in sorted({**dict.fromkeys(before, ""), **observer.inventory}.items()):
        if key not in after and key not in engine.inventory and engine.store.find(key) is None:
            changes.append(ObjectChange(key=key, action="delete", application=application))
    return tuple(changes)


def _document_after(old: KubeObject, obj: KubeObject) -> dict[str, object]:
    document = _document(obj)
    if isinstance(old, Secret) and isinstance(obj, Secret):
        return with_changes_marked(document, old, obj)
    return document


def _document(obj: KubeObject) -> dict[str, object]:
    document = comparable(codec.encode(obj))
    annotations = document["metadata"].get("annotations", {})
    kept = {name: text for name, text in annotations.items() if name != ANNOTATION_TEMPLATE_HASH}
    document["metadata"] = {**document["metadata"], "annotations": kept}
    return document


def _taken_away(engine: Engine) -> dict[ObjectKey, str]:
    """Pods that go for a cause outside their workload → the cause."""
    said = (record.occurrence for record in engine.events)
    return {one.key: one.message for one in said if one.reason in _CAUSES and one.key.kind == Pod.KIND}


def _pod_changes(before: View, after: View, causes: Mapping[ObjectKey, str]) -> tuple[PodChange, ...]:
    old = {pod.uid: pod for pod in before.all_of(Pod)}
    new = {pod.uid: pod for pod in after.all_of(Pod)}
    created = [
        _pod_change(after, pod, "create") for uid, pod in new.items() if uid not in old and not pod.is_terminating
    ]
    deleted = [
        msgspec.structs.replace(_pod_change(before, pod, "delete"), why=causes.get(pod.key, ""))
        for uid, pod in old.items()
        if uid not in new or (new[uid].is_terminating and not pod.is_terminating)
    ]
    placed = [
        _pod_change(after, pod, "place")
        for uid, pod in new.items()
        if uid in old and pod.spec.node_name and not old[uid].spec.node_name
    ]
    return (*created, *placed, *deleted)


def _pod_change(view: View, pod: Pod, action: str) -> PodChange:
    return PodChange(
        name=pod.name, namespace=pod.namespace, action=action, owner=str(root_owner(view, pod)), host=pod.spec.node_name
    )


def _data_given_up(before: View, after: View) -> Iterator[str]:
    """What a retention policy takes from its claims."""
    known = {volume.name for volume in before.all_of(PersistentVolume) if is_given_up(volume)}
    for volume in after.all_of(PersistentVolume):
        claim = volume.spec.claim_ref
        if is_given_up(volume) and volume.name not in known and claim is not None:
            where = f"Docker volume {docker_volume_of(volume)} on host {host_of(volume)}"
            yield f"claim {claim.namespace}/{claim.name} gives its data up: it stays in {where}, and no claim gets it"


_LACKING = frozenset((kind, "True") for kind in (NETWORK, PROBES, LIMITS))


def _host_problems(view: View) -> Iterator[str]:
    """What hosts that answer cannot do."""
    for node in view.all_of(Node):
        status = view.get(HostStatus, "", node.name)
        if status is None or not status.reachable:
            continue
        for one in node.status.conditions:
            if (one.type, one.status) == ("Ready", "False") or (one.type, one.status) in _LACKING:
                yield f"host {node.name}: {one.message}"


def _capacity(view: View) -> tuple[Capacity, ...]:
    """What is taken of each host after the plan, by pods and by containers of others."""
    rows = []
    for host in view.all_of(Host):
        node = view.get(Node, "", host.name)
        if node is None or not node.status.allocatable:
            continue  # never reached: said among the unknown hosts
        pods = [pod for pod in view.pods_on(host.name) if not pod.is_finished]
        status = view.get(HostStatus, "", host.name)
        others = whole_resources(foreign_requests(status.foreign if status else ()))
        requests = [*(whole_requests(pod.spec) for pod in pods), others]
        allocatable = node.status.allocatable
        rows.append(
            Capacity(
                host=host.name,
                cpu_requested=sum(asked.get("cpu", 0) for asked in requests),
                cpu_allocatable=milli_value(allocatable.get("cpu", 0)),
                memory_requested=sum(asked.get("memory", 0) for asked in requests),
                memory_allocatable=value(allocatable.get("memory", 0)),
                pods=len(pods),
                max_pods=host.spec.max_pods,
            )
        )
    return tuple(rows)
