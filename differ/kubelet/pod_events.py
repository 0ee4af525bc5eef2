"""What of a pod's life on its host is worth an event, in the kubelet's words. Pure.

Three sources: actions as they are begun and performed, failures of probes and hooks as they are observed, and a status
that begins to say "back-off" or "out of sync". Nothing here decides anything; losing a happening costs a line in
`describe`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeAlias

from differ.kubelet.actions import (
    Action,
    CreateContainer,
    PullImage,
    RunHook,
    SignalContainer,
    StartContainer,
)
from differ.kubelet.assignment import DifferStruct
from differ.kubelet.containers.limits import unheld_limits
from differ.kubelet.probes.health_facts import HealthFacts
from objects.api.meta import ObjectKey
from objects.api.pods import Pod, PodStatus
from objects.conditions import IN_SYNC, OUT_OF_SYNC, find_condition
from objects.errors import BerthError, EngineUnavailable, HostUnreachable
from objects.names import SANDBOX_CONTAINER
from objects.observation.host import HookFact, HostTraits, ProbeFact

NORMAL, WARNING = "Normal", "Warning"
ALL_HELD = HostTraits()
_HOOK_REASONS = {"postStart": "FailedPostStartHook", "preStop": "FailedPreStopHook"}
_BACK_OFF_REASONS = frozenset({"CrashLoopBackOff", "ImagePullBackOff"})


HealthFailure: TypeAlias = tuple[datetime, str, str]
"""Of a probe or hook: when by the host's steady clock, reason, message."""


class PodEvent(DifferStruct):
    """type: `Normal` or `Warning`; reason: CamelCase."""

    pod: ObjectKey
    type: str
    reason: str
    message: str


def begun(action: Action, pods: Mapping[str, Pod]) -> tuple[PodEvent, ...]:
    """What there is to say when an action is about to be performed. pods: the host's, by uid."""
    if not isinstance(action, PullImage):
        return ()
    return _about_image(action, NORMAL, "Pulling", f'Pulling image "{action.image}"', pods)


def performed(
    action: Action,
    error: BerthError | None,
    pods: Mapping[str, Pod],
    *,
    traits: HostTraits = ALL_HELD,
    warnings: Iterable[str] = (),
) -> tuple[PodEvent, ...]:
    """What there is to say of an action that was performed, or failed. traits: of the host; warnings: the engine's."""
    if isinstance(error, HostUnreachable | EngineUnavailable):
        return ()
    if isinstance(action, PullImage):
        if error is not None:
            return _about_image(action, WARNING, "Failed", f'Failed to pull image "{action.image}": {error}', pods)
        return _about_image(action, NORMAL, "Pulled", f'Successfully pulled image "{action.image}"', pods)
    pod = pods.get(action.pod_uid)
    if pod is None:
        return ()
    warned = (f"Docker Engine on container {getattr(action, 'container', '')}: {words}" for words in warnings)
    said = (*_of_container(action, error, traits), *((WARNING, "EngineWarning", words) for words in warned))
    return tuple(PodEvent(pod=pod.key, type=t, reason=r, message=m) for t, r, m in said)


def _of_container(action: Action, error: BerthError | None, traits: HostTraits) -> Iterator[tuple[str, str, str]]:
    name = getattr(action, "container", "")
    if name == SANDBOX_CONTAINER and error is None:
        return
    match action:
        case CreateContainer() | StartContainer() if error is not None:
            yield WARNING, "Failed", f"Error: {error}"
        case CreateContainer():
            yield NORMAL, "Created", f"Created container {name}"
            for limit in unheld_limits(action.spec.resources, traits):
                yield WARNING, "LimitsUnavailable", f"The {limit} limit of container {name} does not hold on this host"
            if action.start:
                yield NORMAL, "Started", f"Started container {name}"
        case StartContainer():
            yield NORMAL, "Started", f"Started container {name}"
        case SignalContainer() | RunHook() if action.why and error is None:
            yield NORMAL, "Killing", action.why


def _about_image(
    action: PullImage, type_: str, reason: str, message: str, pods: Mapping[str, Pod]
) -> tuple[PodEvent, ...]:
    waiting = dict.fromkeys(uid for uid, _ in action.waiting)
    return tuple(
        PodEvent(pod=pods[uid].key, type=type_, reason=reason, message=message) for uid in waiting if uid in pods
    )


def newly_failed(
    pod: Pod, facts: HealthFacts, told: Collection[HealthFailure], *, steady: datetime
) -> tuple[tuple[PodEvent, ...], tuple[HealthFailure, ...]]:
    """Failures of probes and hooks that are not among those `told` by earlier looks, and all that are told by now.

    steady: when the look began, by the host's steady clock. A probe's failure that came during it counts at once: by
    the next look the probe may pass, and nothing would tell of it any more.
    """
    failures = tuple(sorted(_failures(facts, steady)))
    fresh = [one for one in failures if one not in told]
    events = tuple(PodEvent(pod=pod.key, type=WARNING, reason=reason, message=text) for _, reason, text in fresh)
    return events, failures


def _failures(facts: HealthFacts, steady: datetime) -> Iterator[HealthFailure]:
    for fact in (*facts.probes, *facts.hooks):
        if isinstance(fact, ProbeFact):
            yield from _failed_probe(fact)
        elif isinstance(fact, HookFact) and fact.error and fact.ended_at is not None and fact.ended_at <= steady:
            yield fact.ended_at, _HOOK_REASONS[fact.kind], f"{fact.kind} hook failed: {fact.error}"


def _failed_probe(fact: ProbeFact) -> Iterator[HealthFailure]:
    name = f"{fact.kind.capitalize()} probe"
    if fact.failed_at is not None:
        yield fact.failed_at, "Unhealthy", f"{name} failed: {fact.message}"
    if fact.errored_at is not None:
        yield fact.errored_at, "Unhealthy", f"{name} errored and resulted in unknown state: {fact.error}"


def back_offs(pod: Pod, before: PodStatus | None, after: PodStatus) -> Iterable[PodEvent]:
    """Containers whose status begins to say that they wait for their next try."""
    known = _waiting(before) if before is not None else {}
    for name, (reason, message) in _waiting(after).items():
        if reason in _BACK_OFF_REASONS and known.get(name, ("", ""))[0] != reason:
            yield PodEvent(pod=pod.key, type=WARNING, reason="BackOff", message=message or reason)


def drifts(pod: Pod, before: PodStatus | None, after: PodStatus) -> Iterable[PodEvent]:
    """Something was altered that is left so."""
    known = find_condition(before.conditions, IN_SYNC) if before is not None else None
    found = find_condition(after.conditions, IN_SYNC)
    if found is not None and found.message and (known is None or known.message != found.message):
        yield PodEvent(pod=pod.key, type=WARNING, reason=OUT_OF_SYNC, message=found.message)


def _waiting(status: PodStatus) -> dict[str, tuple[str, str]]:
    every = (*status.init_container_statuses, *status.container_statuses)
    return {one.name: (one.state.waiting.reason, one.state.waiting.message) for one in every if one.state.waiting}
