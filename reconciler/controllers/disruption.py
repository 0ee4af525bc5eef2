"""PodDisruptionBudget: keeps its status current, by which preemption and drains ask before they take a pod."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from objects.api.apps import (
    DaemonSet,
    Deployment,
    ReplicaSet,
    StatefulSet,
)
from objects.api.meta import (
    Condition,
    KubeObject,
    ObjectKey,
    controller_of,
)
from objects.api.pods import Pod
from objects.api.policy import PodDisruptionBudget, PodDisruptionBudgetStatus
from objects.conditions import with_condition
from policies.disruption import Budget, budget_of
from reconciler.controllers.base import NOTHING, Context, Controller, Outcome, Put, own_key
from reconciler.controllers.pods.owned import is_active
from reconciler.state.store import View


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """Count the budget's pods and write what it allows."""
    budget = view.get(PodDisruptionBudget, key.namespace, key.name)
    if budget is None:
        return NOTHING
    found = observe_budget(view, budget)
    status = msgspec.structs.replace(
        budget.status,
        observed_generation=budget.metadata.generation,
        disruptions_allowed=found.disruptions_allowed,
        current_healthy=found.current_healthy,
        desired_healthy=found.desired_healthy,
        expected_pods=found.expected,
    )
    status = _with_claim(status, found, context)
    return Outcome(changes=(Put(msgspec.structs.replace(budget, status=status)),))


def observe_budget(view: View, budget: PodDisruptionBudget) -> Budget:
    """What a budget allows now, counted from its pods: the status lags behind what this step has decided."""
    parts = [*view.selected_summaries(Pod, budget, _tally)]
    pods: Counter[ObjectKey | None] = Counter()
    for part in parts:
        pods.update(part.pods)
    return budget_of(
        budget.spec,
        pods=pods.total(),
        asked_for=_asked_for(view, pods),
        healthy=sum(part.healthy for part in parts),
    )


class _Tally(msgspec.Struct, frozen=True):
    """Pods that have not ended: how many of each controller (None: of nobody), and how many of all are healthy."""

    pods: Mapping[ObjectKey | None, int]
    healthy: int


def _tally(pods: Iterable[Pod]) -> _Tally:
    """A part of a budget's pods: remembered by the store until one of them changes."""
    counted: dict[ObjectKey | None, int] = {}
    healthy = 0
    for pod in pods:
        if pod.is_finished:
            continue
        healthy += pod.is_ready and is_active(pod)
        owner = controller_of(pod)
        of = None if owner is None else ObjectKey(owner.kind, pod.namespace, owner.name)
        counted[of] = counted.get(of, 0) + 1
    return _Tally(counted, healthy)


def _with_claim(status: PodDisruptionBudgetStatus, found: Budget, context: Context) -> PodDisruptionBudgetStatus:
    is_allowed = found.disruptions_allowed > 0
    claim = Condition(
        type="DisruptionAllowed",
        status="True" if is_allowed else "False",
        reason="SufficientPods" if is_allowed else "InsufficientPods",
        observed_generation=status.observed_generation,
    )
    return msgspec.structs.replace(status, conditions=with_condition(status.conditions, claim, now=context.now))


def _asked_for(view: View, pods: Mapping[ObjectKey | None, int]) -> int:
    """The sizes of the workloads of these pods, each counted once; a pod of none counts for itself.

    pods: how many of each controller; None: of nobody.
    """
    sizes: dict[ObjectKey, int] = {}
    alone = 0
    for owner, number in pods.items():
        workload = None if owner is None else _workload_of(view, owner)
        if workload is None:
            alone += number
        else:
            sizes[workload[0]] = workload[1]
    return alone + sum(sizes.values())


def _workload_of(view: View, owner: ObjectKey) -> tuple[ObjectKey, int] | None:
    """What asks for the pods of a controller, and for how many; None when nothing does that has a size.

    The Deployment where there is one, since its revisions share pods.
    """
    found = view.find(owner)
    if isinstance(found, ReplicaSet) and (above := controller_of(found)) is not None:
        found = view.get(Deployment, owner.namespace, above.name) or found
    if isinstance(found, Deployment | ReplicaSet | StatefulSet):
        return found.key, 1 if found.spec.replicas is None else found.spec.replicas
    if isinstance(found, DaemonSet):
        return found.key, found.status.desired_number_scheduled
    return None


def _keys_of_pod(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    return tuple(budget.key for budget in view.selecting(PodDisruptionBudget, obj))


def _keys_of_workload(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    """A workload of another size: the budgets of its pods look."""
    return tuple(budget.key for budget in view.selecting_beside(PodDisruptionBudget, obj))


CONTROLLER = Controller(
    name="disruption-controller",
    watches={
        PodDisruptionBudget.KIND: own_key,
        Pod.KIND: _keys_of_pod,
        **{kind.KIND: _keys_of_workload for kind in (Deployment, ReplicaSet, StatefulSet, DaemonSet)},
    },
    reconcile=reconcile,
)
