"""HorizontalPodAutoscaler: sets the size of a workload by what was measured of its pods, or told by a metrics server.

Looks every 15 seconds. Several metrics: the largest wish wins. A metric that cannot be had forbids to shrink, since it
might be the one that asks for more. The arithmetic is in `policies.autoscaling`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, TypeAlias

import msgspec

from objects.api.apps import Deployment, ReplicaSet, StatefulSet
from objects.api.autoscaling import (
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerStatus,
    MetricSpec,
    MetricStatus,
)
from objects.api.meta import (
    Condition,
    KubeObject,
    ObjectKey,
    ObjectMeta,
    controller_reference,
)
from objects.api.pods import Pod
from objects.conditions import find_condition, with_condition
from objects.errors import InvalidInput
from policies.autoscaling.behavior import Limited, limit, pace_of, remember, stabilize, tolerance_of
from reconciler.controllers.autoscaling.metrics import Load, Wish, query_of, wish_of
from reconciler.controllers.autoscaling.steady import steady_metrics
from reconciler.controllers.base import (
    NOTHING,
    Change,
    Context,
    Controller,
    Hold,
    Occurrence,
    Outcome,
    Put,
    own_key,
)
from reconciler.figures.orders import scaled_by
from reconciler.figures.pod_metrics import AutoscalerState, QueryAnswer, find_answer
from reconciler.state.store import View

INTERVAL = timedelta(seconds=15)

Scalable: TypeAlias = Deployment | ReplicaSet | StatefulSet


class Decision(msgspec.Struct, frozen=True):
    """replicas: the size from now on; wish: what metrics asked for, before windows and limits."""

    replicas: int
    wish: int
    reason: str
    limited: Limited
    metrics: tuple[MetricStatus, ...] = ()
    problem: Problem | None = None


class Problem(NamedTuple):
    """Why metrics cannot be had. reason: Kubernetes' name for it, of the first one."""

    reason: str
    message: str


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """Decide the size of the target now and write it down."""
    autoscaler = view.get(HorizontalPodAutoscaler, key.namespace, key.name)
    if autoscaler is None or autoscaler.is_terminating:
        return NOTHING
    again_at = context.now + INTERVAL
    target = scaled_by(view, autoscaler)
    if target is None:
        ref = autoscaler.spec.scale_target_ref
        problem = f"there is no {ref.kind} {ref.name} to scale"
        status = _claimed(autoscaler.status, "AbleToScale", "False", "FailedGetScale", problem, context)
        return Outcome((_written(autoscaler, status),), hold=Hold("FailedGetScale", problem), again_at=again_at)
    current = 1 if target.spec.replicas is None else target.spec.replicas
    if current == 0 and autoscaler.spec.min_replicas != 0:
        return Outcome((_written(autoscaler, _paused(autoscaler, context)),), again_at=again_at)
    state = _state(view, autoscaler)
    if (wait := _wait(autoscaler, state, context) or _wait_for_answer(view, autoscaler, current, context)) is not None:
        return wait
    if not state.memory.wishes:
        # A new process knows no earlier wishes: what runs now is taken for one, so that it does not shrink at once.
        first = remember(state.memory, pace_of(autoscaler.spec.behavior), wish=current, change=0, now=context.now)
        state = msgspec.structs.replace(state, memory=first)
    decision = _decide(view, autoscaler, state, target, current, context)
    return _outcome(autoscaler, state, target, current, decision, context)


def _wait(autoscaler: HorizontalPodAutoscaler, state: AutoscalerState, context: Context) -> Outcome | None:
    """Nothing until the interval is over, unless the spec is new: looking more often would scale more than allowed."""
    last = state.memory.wishes[-1].at if state.memory.wishes else None
    is_new = autoscaler.status.observed_generation != autoscaler.metadata.generation
    if last is None or is_new or last + INTERVAL <= context.now:
        return None
    active = find_condition(autoscaler.status.conditions, "ScalingActive")
    is_stuck = active is not None and active.status == "False"
    hold = Hold(active.reason, active.message) if active is not None and is_stuck else None
    return Outcome(hold=hold, again_at=last + INTERVAL)


def _wait_for_answer(view: View, autoscaler: HorizontalPodAutoscaler, current: int, context: Context) -> Outcome | None:
    """Nothing until the metrics server was asked once: it always is, soon, and a failure is an answer too.

    So a fresh process does not first say that the metric cannot be had. The bounds do not wait.
    """
    server, spec = context.settings.metrics.prometheus, autoscaler.spec
    if not server.url or not (1 if spec.min_replicas is None else spec.min_replicas) <= current <= spec.max_replicas:
        return None
    for metric in spec.metrics:
        query = query_of(metric, autoscaler.namespace, server)
        if query and find_answer(view, query) is None:
            hold = Hold(_reason_of(metric), f"the metrics server was not asked yet for {query}")
            return Outcome(hold=hold, again_at=context.now + INTERVAL)
    return None


def _state(view: View, autoscaler: HorizontalPodAutoscaler) -> AutoscalerState:
    found = view.get(AutoscalerState, autoscaler.namespace, autoscaler.name)
    if found is not None:
        return found
    metadata = ObjectMeta(
        name=autoscaler.name,
        namespace=autoscaler.namespace,
        owner_references=(controller_reference(autoscaler),),
    )
    return AutoscalerState(metadata=metadata)


def _decide(
    view: View,
    autoscaler: HorizontalPodAutoscaler,
    state: AutoscalerState,
    target: Scalable,
    current: int,
    context: Context,
) -> Decision:
    spec = autoscaler.spec
    least, most = 1 if spec.min_replicas is None else spec.min_replicas, spec.max_replicas
    if current > most:
        return Decision(
            most, most, "Current number of replicas above Spec.MaxReplicas", Limited(most, "TooManyReplicas")
        )
    if current < least:
        return Decision(
            least, least, "Current number of replicas below Spec.MinReplicas", Limited(least, "TooFewReplicas")
        )
    pace = pace_of(spec.behavior)
    pods = tuple(view.selected(Pod, target))
    server = context.settings.metrics.prometheus
    load = Load(view, target.namespace, pods, current, tolerance_of(pace), context.now, server)
    wishes, problems = _wishes(autoscaler, load)
    best = max(wishes, key=lambda wish: wish.replicas, default=None)
    problem = Problem(problems[0].reason, "; ".join(one.message for one in problems)) if problems else None
    if best is None or (problems and best.replicas < current):
        return Decision(current, current, "", Limited(current, "DesiredWithinRange"), problem=problem)
    stable = stabilize(best.replicas, current, pace, state.memory, now=context.now)
    limited = limit(stable, current, pace, state.memory, least=least, most=most, now=context.now)
    reason = f"{best.name} above target" if limited.replicas > current else "All metrics below target"
    return Decision(limited.replicas, best.replicas, reason, limited, tuple(wish.status for wish in wishes), problem)


def _wishes(autoscaler: HorizontalPodAutoscaler, load: Load) -> tuple[list[Wish], list[Problem]]:
    wishes: list[Wish] = []
    problems: list[Problem] = []
    for metric in autoscaler.spec.metrics:
        try:
            wishes.append(wish_of(metric, load))
        except InvalidInput as error:
            problems.append(Problem(_reason_of(metric), error.message))
    return wishes, problems


def _reason_of(metric: MetricSpec) -> str:
    """As Kubernetes names what cannot be had: FailedGetExternalMetric …"""
    return f"FailedGet{metric.type}Metric"


def _outcome(
    autoscaler: HorizontalPodAutoscaler,
    state: AutoscalerState,
    target: Scalable,
    current: int,
    decision: Decision,
    context: Context,
) -> Outcome:
    change = decision.replicas - current
    memory = remember(
        state.memory, pace_of(autoscaler.spec.behavior), wish=decision.wish, change=change, now=context.now
    )
    changes: list[Change] = [Put(msgspec.structs.replace(state, memory=memory))]
    said: tuple[Occurrence, ...] = ()
    status = _status(autoscaler, current, decision, context)
    if change:
        spec = msgspec.structs.replace(target.spec, replicas=decision.replicas)
        changes.append(Put(msgspec.structs.replace(target, spec=spec)))
        message = f"New size: {decision.replicas}; reason: {decision.reason}"
        said = (Occurrence(autoscaler.key, "Normal", "SuccessfulRescale", message),)
    changes.append(_written(autoscaler, status))
    hold = Hold(decision.problem.reason, decision.problem.message) if decision.problem else None
    return Outcome(tuple(changes), said, hold, context.now + INTERVAL)


def _status(
    autoscaler: HorizontalPodAutoscaler, current: int, decision: Decision, context: Context
) -> HorizontalPodAutoscalerStatus:
    is_rescaled, known = decision.replicas != current, autoscaler.status.current_metrics
    status = msgspec.structs.replace(
        autoscaler.status,
        observed_generation=autoscaler.metadata.generation,
        current_replicas=current,
        desired_replicas=decision.replicas,
        current_metrics=decision.metrics if is_rescaled else steady_metrics(known, decision.metrics),
        last_scale_time=context.now if is_rescaled else autoscaler.status.last_scale_time,
    )
    able = ("SucceededRescale", "the target's size was set") if is_rescaled else ("ReadyForNewScale", "size is kept")
    status = _claimed(status, "AbleToScale", "True", *able, context)
    if decision.problem and not decision.metrics:
        status = _claimed(status, "ScalingActive", "False", *decision.problem, context)
    else:
        status = _claimed(status, "ScalingActive", "True", "ValidMetricFound", "a size follows from metrics", context)
    is_limited = decision.limited.reason != "DesiredWithinRange"
    message = "the desired count is limited" if is_limited else "the desired count is within the acceptable range"
    limited = "True" if is_limited else "False"
    return _claimed(status, "ScalingLimited", limited, decision.limited.reason, message, context)


def _paused(autoscaler: HorizontalPodAutoscaler, context: Context) -> HorizontalPodAutoscalerStatus:
    """Of one whose target a person has set to 0."""
    status = msgspec.structs.replace(
        autoscaler.status,
        observed_generation=autoscaler.metadata.generation,
        current_replicas=0,
        desired_replicas=0,
        current_metrics=(),
    )
    status = _claimed(status, "AbleToScale", "True", "SucceededGetScale", "the target's size is known", context)
    problem = "scaling is disabled since the replica count of the target is zero"
    return _claimed(status, "ScalingActive", "False", "ScalingDisabled", problem, context)


def _claimed(
    status: HorizontalPodAutoscalerStatus, kind: str, value: str, reason: str, message: str, context: Context
) -> HorizontalPodAutoscalerStatus:
    condition = Condition(type=kind, status=value, reason=reason, message=message)
    return msgspec.structs.replace(status, conditions=with_condition(status.conditions, condition, now=context.now))


def _written(autoscaler: HorizontalPodAutoscaler, status: HorizontalPodAutoscalerStatus) -> Put:
    return Put(msgspec.structs.replace(autoscaler, status=status))


def _asking_keys(view: View, _answer: KubeObject) -> list[ObjectKey]:
    """The autoscalers that may wait for an answer of the metrics server."""
    return [
        autoscaler.key
        for autoscaler in view.all_of(HorizontalPodAutoscaler)
        if any(metric.object is not None or metric.external is not None for metric in autoscaler.spec.metrics)
    ]


CONTROLLER = Controller(
    name="horizontal-pod-autoscaler",
    watches={HorizontalPodAutoscaler.KIND: own_key, QueryAnswer.KIND: _asking_keys},
    reconcile=reconcile,
)
