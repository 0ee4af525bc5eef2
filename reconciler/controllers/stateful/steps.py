"""The next step of a StatefulSet: which ordinal comes or goes now, and what is waited for. Pure.

`OrderedReady`: one pod at a time, each waits for all before it. `Parallel`: creation and removal at once. Either way an
update goes from the highest ordinal down, at most `maxUnavailable` away at a time. A pod that is not ready and of
another revision than it should be is replaced wherever it stands: so a new commit frees a set that is stuck on a bad
one, which Kubernetes leaves to a person (kubernetes#67250). Source of the rest: Kubernetes' stateful_set_control.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.api.apps import StatefulSet
from objects.api.pods import Pod
from objects.values.intstr import scaled_value
from reconciler.controllers.base import Hold
from reconciler.controllers.pods.owned import is_available
from reconciler.controllers.stateful.identity import REVISION_LABEL, replicas_of, wanted_ordinals
from reconciler.controllers.stateful.revisions import Revisions, revision_for


class Step(msgspec.Struct, frozen=True):
    """create: ordinals whose pod comes now; delete: pods that go now; hold: what is waited for."""

    create: tuple[int, ...] = ()
    delete: tuple[Pod, ...] = ()
    hold: Hold | None = None


REST = Step()


class Situation(msgspec.Struct, frozen=True):
    """A StatefulSet, its pods by ordinal and its revisions, at a time."""

    stateful_set: StatefulSet
    pods: dict[int, Pod]
    revisions: Revisions
    now: datetime

    def is_healthy(self, pod: Pod) -> bool:
        """Whether the pod does its work: ready long enough and meant to stay."""
        seconds = self.stateful_set.spec.min_ready_seconds
        return not pod.is_terminating and is_available(pod, min_ready_seconds=seconds, now=self.now)

    def is_misfit(self, ordinal: int, pod: Pod) -> bool:
        """Whether an update should replace the pod."""
        if self.stateful_set.spec.update_strategy.type == "OnDelete":
            return False
        return pod.labels.get(REVISION_LABEL) != revision_for(self.stateful_set, self.revisions, ordinal).name


def next_step(situation: Situation) -> Step:
    """What to do now; `REST` when everything is as it should be."""
    if situation.stateful_set.spec.pod_management_policy == "Parallel":
        step = _parallel_step(situation)
    else:
        step = _ordered_step(situation)
    return step if step != REST else _update_step(situation)


def _ordered_step(situation: Situation) -> Step:
    for ordinal in wanted_ordinals(situation.stateful_set):
        pod = situation.pods.get(ordinal)
        if pod is None:
            return Step(create=(ordinal,))
        if pod.is_terminating:
            return Step(hold=_waits("terminate", pod))
        if pod.is_finished or (not pod.is_ready and situation.is_misfit(ordinal, pod)):
            return Step(delete=(pod,))
        if not situation.is_healthy(pod):
            return Step(hold=_waits("be ready", pod))
    for pod in _condemned(situation):
        return Step(hold=_waits("terminate", pod)) if pod.is_terminating else Step(delete=(pod,))
    return REST


def _parallel_step(situation: Situation) -> Step:
    wanted = wanted_ordinals(situation.stateful_set)
    missing = tuple(ordinal for ordinal in wanted if ordinal not in situation.pods)
    useless = tuple(
        pod
        for ordinal, pod in situation.pods.items()
        if not pod.is_terminating
        and (ordinal not in wanted or pod.is_finished or (not pod.is_ready and situation.is_misfit(ordinal, pod)))
    )
    return Step(create=missing, delete=useless)


def _condemned(situation: Situation) -> list[Pod]:
    """Pods of ordinals that are not wanted, the highest first."""
    wanted = wanted_ordinals(situation.stateful_set)
    return [pod for ordinal, pod in sorted(situation.pods.items(), reverse=True) if ordinal not in wanted]


def _update_step(situation: Situation) -> Step:
    """Replace misfits from the highest ordinal down while few enough pods are away."""
    wanted = [ordinal for ordinal in wanted_ordinals(situation.stateful_set) if ordinal in situation.pods]
    away = [ordinal for ordinal in wanted if not situation.is_healthy(situation.pods[ordinal])]
    misfits = [ordinal for ordinal in reversed(wanted) if situation.is_misfit(ordinal, situation.pods[ordinal])]
    room = max_unavailable(situation.stateful_set) - len(away)
    chosen = [ordinal for ordinal in misfits if ordinal not in away][: max(0, room)]
    if chosen:
        return Step(delete=tuple(situation.pods[ordinal] for ordinal in chosen))
    if away:
        pod = situation.pods[away[0]]
        return Step(hold=_waits("terminate" if pod.is_terminating else "be ready", pod))
    leaving = _condemned(situation)
    return Step(hold=_waits("terminate", leaving[0])) if leaving else REST


def max_unavailable(stateful_set: StatefulSet) -> int:
    """Pods that an update may have away at a time: 1 unless `maxUnavailable` says more; shares round down."""
    rolling = stateful_set.spec.update_strategy.rolling_update
    amount = rolling.max_unavailable if rolling is not None else None
    total = replicas_of(stateful_set)
    return max(1, scaled_value(1 if amount is None else amount, total=total, round_up=False))


def _waits(what: str, pod: Pod) -> Hold:
    return Hold("WaitingForPod", f"waiting for pod {pod.name} to {what}")
