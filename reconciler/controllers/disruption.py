"""PodDisruptionBudget: keeps its status current, by which preemption and drains ask before they take a pod."""

from __future__ import annotations

import msgspec

from objects.apps import DaemonSet, Deployment, ReplicaSet, StatefulSet
from objects.conditions import with_condition
from objects.meta import Condition, KubeObject, ObjectKey, controller_of
from objects.pods import Pod
from objects.policy import PodDisruptionBudget, PodDisruptionBudgetStatus
from objects.selectors import selector_matches
from policies.disruption import Budget, budget_of
from reconciler.controllers.base import NOTHING, Context, Controller, Outcome, Put, own_key
from reconciler.controllers.owned_pods import is_active
from reconciler.store import View


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
    matching = [pod for pod in view.all_of(Pod, budget.namespace) if selector_matches(budget.spec.selector, pod.labels)]
    pods = [pod for pod in matching if not pod.is_finished]
    return budget_of(
        budget.spec,
        pods=len(pods),
        asked_for=_asked_for(view, pods),
        healthy=sum(pod.is_ready and is_active(pod) for pod in pods),
    )


def _with_claim(status: PodDisruptionBudgetStatus, found: Budget, context: Context) -> PodDisruptionBudgetStatus:
    is_allowed = found.disruptions_allowed > 0
    claim = Condition(
        type="DisruptionAllowed",
        status="True" if is_allowed else "False",
        reason="SufficientPods" if is_allowed else "InsufficientPods",
        observed_generation=status.observed_generation,
    )
    return msgspec.structs.replace(status, conditions=with_condition(status.conditions, claim, now=context.now))


def _asked_for(view: View, pods: list[Pod]) -> int:
    """The sizes of the workloads of these pods, each counted once; a bare pod counts for itself."""
    sizes: dict[ObjectKey, int] = {}
    for pod in pods:
        workload, size = _workload_of(view, pod)
        sizes[workload] = size
    return sum(sizes.values())


def _workload_of(view: View, pod: Pod) -> tuple[ObjectKey, int]:
    """What asks for the pod, and for how many; the Deployment where there is one, since its revisions share pods."""
    owner = controller_of(pod)
    if owner is None:
        return pod.key, 1
    found = view.find(ObjectKey(owner.kind, pod.namespace, owner.name))
    if isinstance(found, ReplicaSet) and (above := controller_of(found)) is not None:
        found = view.get(Deployment, pod.namespace, above.name) or found
    if isinstance(found, Deployment | ReplicaSet | StatefulSet):
        return found.key, 1 if found.spec.replicas is None else found.spec.replicas
    if isinstance(found, DaemonSet):
        return found.key, found.status.desired_number_scheduled
    return pod.key, 1


def _keys_of_pod(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    return tuple(
        budget.key
        for budget in view.all_of(PodDisruptionBudget, obj.namespace)
        if selector_matches(budget.spec.selector, obj.labels)
    )


def _keys_of_namespace(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    """A workload of another size: its pods' budgets are not found by its own labels, so all of its namespace look."""
    return tuple(budget.key for budget in view.all_of(PodDisruptionBudget, obj.namespace))


CONTROLLER = Controller(
    name="disruption-controller",
    watches={
        PodDisruptionBudget.KIND: own_key,
        Pod.KIND: _keys_of_pod,
        **{kind.KIND: _keys_of_namespace for kind in (Deployment, ReplicaSet, StatefulSet, DaemonSet)},
    },
    reconcile=reconcile,
)
