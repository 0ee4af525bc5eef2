"""Eviction: pods of a host that is short of memory or disk have to go, one at a time, until it is not.

Each is failed with the reason `Evicted`, which lets its host remove it and its controller make another one elsewhere.
The next one follows only when the last one is off the host and somebody looked again. When the disk is short, room that
costs nothing is made first: unused images (the host's worker does that) and pods that have ended. Pods that use more
local storage than they may go at any time.

Order and messages are in `policies.eviction`. Nothing is remembered: what was evicted, and since when, is in the pods.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from objects.api.apps import DaemonSet, ReplicaSet, StatefulSet
from objects.api.core import Node
from objects.api.meta import (
    Condition,
    KubeObject,
    ObjectKey,
    controller_of,
)
from objects.api.pods import EVICTED, Pod
from objects.conditions import find_condition, with_condition
from objects.own.config import Host
from objects.values.quantity import value
from policies.eviction import (
    DISK,
    MEMORY,
    ContainerUsage,
    PodUsage,
    eviction_message,
    has_storage_limit,
    rank_for_eviction,
    storage_limit_exceeded,
)
from policies.host_support import refusal_of
from policies.pressure import Level, levels_of
from reconciler.controllers.base import NOTHING, Change, Context, Controller, Delete, Hold, Occurrence, Outcome, Put
from reconciler.controllers.node.nodes import says_more
from reconciler.figures.pod_metrics import PodMetrics
from reconciler.state.host_status import HostStatus
from reconciler.state.store import View

_FRESH = timedelta(seconds=60)
"""Older figures of a pod decide nothing: its host is silent, or nobody measures it any more."""
_REPLACED = (ReplicaSet.KIND, DaemonSet.KIND, StatefulSet.KIND)
"""Whose ended pods are forgotten anyway. Those of Jobs, and bare ones, tell that something was done."""


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """What has to leave one host now."""
    host, status = view.get(Host, "", key.name), view.get(HostStatus, "", key.name)
    if host is None or status is None or status.facts is None or not status.reachable:
        return NOTHING
    if refusal_of(status.facts) is not None:
        return NOTHING  # nobody would end them there
    pods = view.pods_on(key.name)
    over = [(pod, why) for pod in pods if (why := _over_its_limit(view, pod, context.now))]
    if over:
        return _evict(over, context)
    short = [level for level in levels_of(status.facts, host.spec.eviction) if level.is_short]
    levels = sorted((one for one in short if one.resource in (MEMORY, DISK)), key=lambda one: one.resource != MEMORY)
    if not levels:
        return NOTHING
    level = levels[0]
    if level.resource == DISK and (ended := _ended(pods)):
        return Outcome(changes=tuple(Delete(pod.key, pod.uid) for pod in ended))
    reason = _wait(view, key.name, status, level, pods)
    if reason:
        return Outcome(hold=Hold("EvictionWaits", reason))
    return _evict_first(view, key, pods, level, context)


def _evict_first(view: View, node: ObjectKey, pods: list[Pod], level: Level, context: Context) -> Outcome:
    measured = {pod.uid: usage for pod in pods if (usage := usage_of(view, pod, context.now)) is not None}
    ranked = rank_for_eviction((pod for pod in pods if pod.uid in measured), measured, level.resource)
    said = f"the host is short of {level.figure}"
    if not ranked:
        return Outcome(hold=Hold("NothingToEvict", f"{said}, and no pod on it may be evicted"))
    first = ranked[0]
    message = eviction_message(
        first,
        measured[first.uid],
        level.resource,
        threshold_bytes=level.threshold,
        available_bytes=level.available,
    )
    outcome = _evict([(first, message)], context)
    about_node = Occurrence(node, "Warning", "EvictionThresholdMet", f"Attempting to reclaim {level.resource}")
    return msgspec.structs.replace(outcome, occurrences=(about_node, *outcome.occurrences))


def _wait(view: View, name: str, status: HostStatus, level: Level, pods: Iterable[Pod]) -> str:
    """Why nothing more may be evicted yet; '' when it may."""
    node = view.get(Node, "", name)
    pressure = find_condition(node.status.conditions, level.condition) if node is not None else None
    if pressure is None or pressure.status != "True":
        return "the node does not say yet that it is under pressure"
    if status.is_reclaiming:
        return "room is being made on it first"
    times = [pressure.last_transition_time, status.reclaimed_at]
    for pod in pods:
        if pod.is_evicted or pod.is_terminating:
            if _runs(pod):
                return f"pod {pod.namespace}/{pod.name} is on its way out"
            decided = find_condition(pod.status.conditions, "DisruptionTarget")
            times.append(decided.last_transition_time if decided is not None else None)
    last = max((at for at in times if at is not None), default=None)
    if status.measured_at is None or (last is not None and status.measured_at <= last):
        return "what the host has left is being measured"
    return ""


def _runs(pod: Pod) -> bool:
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    return any(one.state.running is not None for one in statuses)


def _ended(pods: Iterable[Pod]) -> list[Pod]:
    """Pods that only take room: they have ended, and whoever made them has forgotten them."""
    return [
        pod
        for pod in pods
        if pod.is_finished
        and not pod.is_evicted
        and not pod.is_terminating
        and (owner := controller_of(pod)) is not None
        and owner.kind in _REPLACED
    ]


def _over_its_limit(view: View, pod: Pod, now: datetime) -> str:
    if pod.is_finished or pod.is_terminating or not has_storage_limit(pod):
        return ""
    usage = usage_of(view, pod, now)
    return storage_limit_exceeded(pod, usage) if usage is not None else ""


def usage_of(view: View, pod: Pod, now: datetime) -> PodUsage | None:
    """What was measured of a pod lately; None when nothing was."""
    metrics = view.get(PodMetrics, pod.namespace, pod.name)
    if metrics is None or metrics.timestamp is None or metrics.timestamp < now - _FRESH:
        return None
    containers = tuple(
        ContainerUsage(name, memory_bytes=value(used.get(MEMORY, 0)), disk_bytes=value(used.get(DISK, 0)))
        for name, used in metrics.containers.items()
    )
    return PodUsage(containers, volume_bytes=metrics.volumes)


def _evict(pods: Iterable[tuple[Pod, str]], context: Context) -> Outcome:
    changes: list[Change] = []
    said: list[Occurrence] = []
    for pod, message in pods:
        claim = Condition(type="DisruptionTarget", status="True", reason="TerminationByKubelet", message=message)
        status = msgspec.structs.replace(
            pod.status,
            phase="Failed",
            reason=EVICTED,
            message=message,
            conditions=with_condition(pod.status.conditions, claim, now=context.now),
        )
        changes.append(Put(msgspec.structs.replace(pod, status=status)))
        said.append(Occurrence(pod.key, "Warning", EVICTED, message))
    return Outcome(tuple(changes), tuple(said))


def _of_host(_view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    return (ObjectKey(Node.KIND, "", obj.name),)


def _of_pod(_view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    """Only pods on their way out: what the others do is told by their metrics."""
    if not isinstance(obj, Pod) or not obj.node_name or not (obj.is_finished or obj.is_terminating):
        return ()
    return (ObjectKey(Node.KIND, "", obj.node_name),)


def _of_metrics(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    """Metrics of a pod with a limit; under pressure the host's status tells that all were measured."""
    pod = view.get(Pod, obj.namespace, obj.name)
    return (ObjectKey(Node.KIND, "", pod.node_name),) if pod is not None and has_storage_limit(pod) else ()


CONTROLLER = Controller(
    name="eviction-controller",
    watches={
        Host.KIND: _of_host,
        HostStatus.KIND: _of_host,
        Node.KIND: _of_host,
        Pod.KIND: _of_pod,
        PodMetrics.KIND: _of_metrics,
    },
    concerns={HostStatus.KIND: says_more},
    reconcile=reconcile,
)
