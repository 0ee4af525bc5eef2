"""Drain: empties a host that a person wants to take down, no faster than disruption budgets allow.

`berth drain` commits `spec.unschedulable: true` and the annotation `berth.dev/drain` (the time of the request) to the
Host. As long as both are there, whatever may leave is evicted; it starts elsewhere because the host takes nothing new.
What would come back at once stays: pods of DaemonSets, those that tolerate the cordon or are pinned to the host.

Source of the rules: `kubectl drain` and Kubernetes' eviction subresource.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from objects.api.apps import DaemonSet, ReplicaSet, StatefulSet
from objects.api.core import Taint
from objects.api.meta import (
    Condition,
    KubeObject,
    ObjectKey,
    controller_of,
)
from objects.api.pods import Pod
from objects.api.policy import PodDisruptionBudget
from objects.conditions import with_condition
from objects.names import ANNOTATION_PINNED
from objects.own.config import Host
from objects.own.taints import NO_SCHEDULE, UNSCHEDULABLE
from objects.selectors import tolerates
from policies.disruption import Budget
from reconciler.controllers.base import NOTHING, Change, Context, Controller, Delete, Hold, Occurrence, Outcome, Put
from reconciler.controllers.disruption import observe_budget
from reconciler.state.store import Index, View

DRAIN = "berth.dev/drain"
"""On a Host: since when it is to be emptied (RFC 3339). Counts only together with `spec.unschedulable`."""
DRAIN_GRACE_PERIOD = "berth.dev/drain-grace-period-seconds"
"""On a Host: seconds between SIGTERM and SIGKILL for what is evicted, instead of what each pod says."""

_CORDON = Taint(key=UNSCHEDULABLE, effect=NO_SCHEDULE)
_SHOWN = 5
"""Pods named in one hold: the rest is counted."""


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """Evict every pod of one host that may leave now; say which have to wait and for what."""
    host = view.get(Host, "", key.name)
    if host is None or not is_draining(host):
        return NOTHING
    allowances = _Allowances(view)
    evicted: list[Pod] = []
    waiting: list[str] = []
    for pod in view.pods_on(host.name):
        if pod.is_terminating or not must_leave(view, host, pod):
            continue
        blocking = allowances.take(pod)
        if blocking is None:
            evicted.append(pod)
        else:
            waiting.append(f"{pod.namespace}/{pod.name} (budget {blocking} allows no disruption)")
    return Outcome(
        changes=tuple(change for pod in evicted for change in _eviction(host, pod, context.now)),
        occurrences=tuple(
            Occurrence(pod.key, "Normal", "Evicted", f"Evicted: host {host.name} is being drained") for pod in evicted
        ),
        hold=Hold("DrainWaiting", _waiting_message(host, waiting)) if waiting else None,
    )


def is_draining(host: Host) -> bool:
    """Whether a person asked for this host to be emptied, and has not taken it back."""
    return host.spec.unschedulable and DRAIN in host.annotations


def must_leave(view: View, host: Host, pod: Pod) -> bool:
    """Whether a drain ends this pod; one that is ending already included."""
    return not pod.is_finished and not why_it_stays(view, host, pod)


def why_it_stays(view: View, host: Host, pod: Pod) -> str:
    """Why a drain does not end this pod, which would only come back; empty for one that goes."""
    owner = controller_of(pod)
    if owner is not None and owner.kind == DaemonSet.KIND:
        return "it belongs to a DaemonSet"
    if any(tolerates(toleration, _CORDON) for toleration in pod.spec.tolerations):
        return "it tolerates the cordon"
    if owner is None:
        return "its manifest names this host" if ANNOTATION_PINNED in pod.annotations else ""
    found = view.find(ObjectKey(owner.kind, pod.namespace, owner.name))
    is_pinned = isinstance(found, ReplicaSet | StatefulSet) and found.spec.template.spec.node_name == host.name
    return f"the template of its {owner.kind} names this host" if is_pinned else ""


class _Allowances:
    """What each budget still allows while one reconcile takes one pod after another."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._left: dict[ObjectKey, Budget] = {}

    def take(self, pod: Pod) -> str | None:
        """Use up one disruption of every budget of `pod`; or the name of one that allows none, nothing being used."""
        budgets = self._view.selecting(PodDisruptionBudget, pod)
        if not pod.status.phase or pod.status.phase == "Pending":
            return None
        for budget in budgets:
            if not _allows(budget, self._of(budget), pod):
                return budget.name
        if pod.is_ready:
            for budget in budgets:
                left = self._of(budget)
                self._left[budget.key] = msgspec.structs.replace(
                    left, disruptions_allowed=left.disruptions_allowed - 1, current_healthy=left.current_healthy - 1
                )
        return None

    def _of(self, budget: PodDisruptionBudget) -> Budget:
        if budget.key not in self._left:
            self._left[budget.key] = observe_budget(self._view, budget)
        return self._left[budget.key]


def _allows(budget: PodDisruptionBudget, left: Budget, pod: Pod) -> bool:
    """A pod that is not ready serves nobody: it may go when the budget is kept by others, or always if it says so."""
    if pod.is_ready:
        return left.disruptions_allowed > 0
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    return left.disruptions_allowed > 0 or left.current_healthy >= left.desired_healthy > 0


def _eviction(host: Host, pod: Pod, now: datetime) -> Iterator[Change]:
    message = f"host {host.name} is being drained"
    condition = Condition(type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI", message=message)
    conditions = with_condition(pod.status.conditions, condition, now=now)
    yield Put(msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, conditions=conditions)))
    seconds = host.annotations.get(DRAIN_GRACE_PERIOD, "")
    yield Delete(pod.key, pod.uid, int(seconds) if seconds.isascii() and seconds.isdigit() else None)


def _waiting_message(host: Host, waiting: list[str]) -> str:
    shown = ", ".join(waiting[:_SHOWN])
    more = f" and {len(waiting) - _SHOWN} more" if len(waiting) > _SHOWN else ""
    return f"draining {host.name}, waiting for disruption budgets: {shown}{more}"


# --- who is called -------------------------------------------------------------------------------------------------


def _keys_of_host(_view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    return (ObjectKey(Host.KIND, "", obj.name),)


def _keys_of_pod(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    """The pod's own host; and, where a budget speaks of the pod, all: that it became ready may let another one go."""
    draining = _draining_keys(view, obj)
    if not isinstance(obj, Pod) or not draining or view.selecting(PodDisruptionBudget, obj):
        return draining
    own = ObjectKey(Host.KIND, "", obj.node_name)
    return (own,) if own in draining else ()


_DRAINING = Index(
    Host,
    lambda host: ("draining",) if is_draining(host) else (),
    lambda host: (host.spec.unschedulable, host.annotations.get(DRAIN)),
)


def _draining_keys(view: View, _obj: KubeObject) -> tuple[ObjectKey, ...]:
    return tuple(host.key for host in view.by_index(_DRAINING, "draining"))


CONTROLLER = Controller(
    name="drain-controller",
    watches={Host.KIND: _keys_of_host, Pod.KIND: _keys_of_pod, PodDisruptionBudget.KIND: _draining_keys},
    reconcile=reconcile,
)
