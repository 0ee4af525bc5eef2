"""From measurements to a number of replicas: `desired = ceil(current · measured / target)`, with its exceptions. Pure.

Pods that are not ready, or of which nothing was measured, must not drive a scaling: they count as using nothing when
the rest says "more", and as using all they may when the rest says "less". Values are thousandths (millicores, or a
metric's value · 1000). Source of the rules: Kubernetes' replica_calculator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from objects.api.pods import Pod, PodSpec
from objects.conditions import find_condition
from objects.errors import InvalidInput
from objects.values.quantity import milli_value

Values = dict[str, int]


class Starts(msgspec.Struct, frozen=True):
    """How pods start.

    initialization: so long after its start a pod's CPU tells of its start, not of its load, until it was measured while
    ready. readiness_delay: a pod that lost readiness so soon after its start was never really ready.
    """

    initialization: timedelta = timedelta(minutes=5)
    readiness_delay: timedelta = timedelta(seconds=30)


class Sample(msgspec.Struct, frozen=True):
    """One pod's measurement: in thousandths, until `at`, over `window` before it."""

    millis: int
    at: datetime
    window: timedelta


class Tolerance(msgspec.Struct, frozen=True):
    """Relative distance from the target that is let be, downwards and upwards."""

    down: float = 0.1
    up: float = 0.1

    def covers(self, ratio: float) -> bool:
        return 1 - self.down <= ratio <= 1 + self.up


class Groups(msgspec.Struct, frozen=True):
    """Pods by what can be said of them; ignored ones are about to go."""

    ready: int = 0
    unready: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()


class Proposal(msgspec.Struct, frozen=True):
    """replicas: what this metric asks for. measured: the utilisation in percent, or the average in thousandths."""

    replicas: int
    measured: int


def group_pods(
    pods: Iterable[Pod],
    samples: Mapping[str, Sample],
    *,
    is_cpu: bool,
    now: datetime,
    starts: Starts = Starts(),  # noqa: B008 - frozen
) -> Groups:
    """Sort pods by name into groups. is_cpu: only CPU is misleading while a pod starts."""
    ready = 0
    unready, missing, ignored = set(), set(), set()
    for pod in pods:
        name, phase = pod.metadata.name, pod.status.phase
        sample = samples.get(name)
        if pod.is_terminating or phase == "Failed":
            ignored.add(name)
        elif phase == "Pending":
            unready.add(name)
        elif sample is None:
            missing.add(name)
        elif is_cpu and _is_starting(pod, sample, starts, now):
            unready.add(name)
        else:
            ready += 1
    return Groups(ready, frozenset(unready), frozenset(missing), frozenset(ignored))


def _is_starting(pod: Pod, sample: Sample, starts: Starts, now: datetime) -> bool:
    condition = find_condition(pod.status.conditions, "Ready")
    start = pod.status.start_time
    if condition is None or start is None or condition.last_transition_time is None:
        return True
    is_ready = condition.status == "True"
    if start + starts.initialization > now:
        return not is_ready or sample.at < condition.last_transition_time + sample.window
    return not is_ready and start + starts.readiness_delay > condition.last_transition_time


def replicas_by_utilization(
    current: int,
    groups: Groups,
    samples: Mapping[str, Sample],
    requests: Mapping[str, int],
    *,
    target_percent: int,
    tolerance: Tolerance,
) -> Proposal:
    """For a target in percent of what pods request. Raises InvalidInput when nothing usable was measured."""

    def measure(values: Values) -> int:
        known = [name for name in values if name in requests]
        total = sum(requests[name] for name in known)
        if total == 0:
            raise InvalidInput("no measurement belongs to a pod with a request")
        return sum(values[name] for name in known) * 100 // total

    full = max(100, target_percent)
    return _propose(
        current,
        groups,
        samples,
        measure,
        target=target_percent,
        tolerance=tolerance,
        at_most=lambda name: requests.get(name, 0) * full // 100,
    )


def replicas_by_average(
    current: int, groups: Groups, samples: Mapping[str, Sample], *, target_millis: int, tolerance: Tolerance
) -> Proposal:
    """For a target value per pod. Raises InvalidInput when nothing usable was measured."""
    return _propose(
        current,
        groups,
        samples,
        lambda values: sum(values.values()) // len(values),
        target=target_millis,
        tolerance=tolerance,
        at_most=lambda _name: target_millis,
    )


def _propose(
    current: int,
    groups: Groups,
    samples: Mapping[str, Sample],
    measure: Callable[[Values], int],
    *,
    target: int,
    tolerance: Tolerance,
    at_most: Callable[[str], int],
) -> Proposal:
    """The common course: first the pods that are known, then with cautious guesses for the others."""
    unusable = groups.ignored | groups.unready
    usable = {name: one.millis for name, one in samples.items() if name not in unusable}
    if not usable:
        raise InvalidInput("no measurements of its pods (they might not be ready)")
    measured = measure(usable)
    ratio = measured / target
    counts_unready = bool(groups.unready) and ratio > 1
    if not counts_unready and not groups.missing:
        wanted = current if tolerance.covers(ratio) else math.ceil(ratio * groups.ready)
        return Proposal(wanted, measured)
    guessed = dict(usable)
    for name in groups.missing:
        if ratio != 1:
            guessed[name] = at_most(name) if ratio < 1 else 0
    if counts_unready:
        guessed.update(dict.fromkeys(groups.unready, 0))
    cautious = measure(guessed) / target
    turned = (ratio < 1 < cautious) or (cautious < 1 < ratio)
    if tolerance.covers(cautious) or turned:
        return Proposal(current, measured)
    wanted = math.ceil(cautious * len(guessed))
    against = (cautious < 1 and wanted > current) or (cautious > 1 and wanted < current)
    return Proposal(current if against else wanted, measured)


def replicas_by_total(current: int, ready: int, *, value_millis: int, target_millis: int, tolerance: Tolerance) -> int:
    """For one value that stands for all pods together (an object's or an external metric with `Value`)."""
    ratio = value_millis / target_millis
    if current == 0:
        return math.ceil(ratio)
    return current if tolerance.covers(ratio) else math.ceil(ratio * ready)


def replicas_by_share(current: int, *, value_millis: int, target_millis: int, tolerance: Tolerance) -> int:
    """For one value that all pods share (an object's or an external metric with `AverageValue`)."""
    if current > 0 and tolerance.covers(value_millis / (target_millis * current)):
        return current
    return math.ceil(value_millis / target_millis)


def requests_of(pods: Iterable[Pod], resource: str, *, container: str = "") -> Values:
    """Pod name -> requested thousandths of `resource`, of one container when it is named.

    Raises InvalidInput when a container does not say how much it requests: a share of nothing is nothing.
    """
    requests: dict[str, int] = {}
    last: PodSpec | None = None
    amount = 0
    for pod in pods:
        spec = pod.spec
        # Pods of one template have the same containers, not only equal ones.
        if last is None or not (
            spec.containers is last.containers
            and spec.init_containers is last.init_containers
            and spec.resources is last.resources
        ):
            last, amount = spec, _request_of(pod, resource, container)
        requests[pod.metadata.name] = amount
    return requests


def _request_of(pod: Pod, resource: str, container: str) -> int:
    whole = pod.spec.resources
    if not container and whole is not None and resource in whole.requests:
        return milli_value(whole.requests[resource])
    sidecars = tuple(one for one in pod.spec.init_containers if one.is_sidecar)
    total = 0
    for one in (*pod.spec.containers, *sidecars):
        if container and one.name != container:
            continue
        if resource not in one.resources.requests:
            raise InvalidInput(f"missing request for {resource} in container {one.name} of Pod {pod.name}")
        total += milli_value(one.resources.requests[resource])
    return total
