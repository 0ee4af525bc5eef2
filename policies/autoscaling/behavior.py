"""How fast a workload follows what its metrics ask for: stabilisation windows and scaling policies. Pure.

Down only as far as the highest wish of the last minutes, up only as far as the lowest of its window; and in each period
no more than the policies allow, earlier steps of the same period included. Source: Kubernetes' horizontal.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from objects.api.autoscaling import HPABehavior, HPAScalingPolicy, HPAScalingRules
from objects.values.quantity import float_value
from policies.autoscaling.calculator import Tolerance

DEFAULT_TOLERANCE = 0.1
DEFAULT_UP = HPAScalingRules(
    stabilization_window_seconds=0,
    select_policy="Max",
    policies=(
        HPAScalingPolicy(type="Pods", value=4, period_seconds=15),
        HPAScalingPolicy(type="Percent", value=100, period_seconds=15),
    ),
)
DEFAULT_DOWN = HPAScalingRules(
    stabilization_window_seconds=300,
    select_policy="Max",
    policies=(HPAScalingPolicy(type="Percent", value=100, period_seconds=15),),
)


class Moment(msgspec.Struct, frozen=True):
    """A number of replicas at a time: wished for, or added or removed."""

    at: datetime
    replicas: int


class Memory(msgspec.Struct, frozen=True):
    """What was wished for (before any limit), and how many replicas were added and removed, each with its time."""

    wishes: tuple[Moment, ...] = ()
    added: tuple[Moment, ...] = ()
    removed: tuple[Moment, ...] = ()


class Pace(msgspec.Struct, frozen=True):
    """The rules for both directions, completed."""

    up: HPAScalingRules
    down: HPAScalingRules


class Limited(msgspec.Struct, frozen=True):
    """replicas: what may be asked for now; reason: DesiredWithinRange or what limits it, as Kubernetes names it."""

    replicas: int
    reason: str


def pace_of(behavior: HPABehavior | None) -> Pace:
    """The rules for up and down, with Kubernetes' defaults where nothing is said."""
    up = behavior.scale_up if behavior is not None else None
    down = behavior.scale_down if behavior is not None else None
    return Pace(_completed(up, DEFAULT_UP), _completed(down, DEFAULT_DOWN))


def _completed(rules: HPAScalingRules | None, default: HPAScalingRules) -> HPAScalingRules:
    if rules is None:
        return default
    window = rules.stabilization_window_seconds
    return msgspec.structs.replace(
        rules,
        stabilization_window_seconds=default.stabilization_window_seconds if window is None else window,
        select_policy=rules.select_policy or default.select_policy,
        policies=rules.policies or default.policies,
    )


def tolerance_of(pace: Pace) -> Tolerance:
    """How far from the target nothing happens."""
    down, up = pace.down.tolerance, pace.up.tolerance
    return Tolerance(
        down=DEFAULT_TOLERANCE if down is None else float_value(down),
        up=DEFAULT_TOLERANCE if up is None else float_value(up),
    )


def stabilize(desired: int, current: int, pace: Pace, memory: Memory, *, now: datetime) -> int:
    """`desired` held between the lowest wish of the up window and the highest of the down window."""
    lowest = highest = desired
    for wish in memory.wishes:
        if wish.at > now - timedelta(seconds=pace.up.stabilization_window_seconds or 0):
            lowest = min(lowest, wish.replicas)
        if wish.at > now - timedelta(seconds=pace.down.stabilization_window_seconds or 0):
            highest = max(highest, wish.replicas)
    return min(max(current, lowest), highest)


def limit(desired: int, current: int, pace: Pace, memory: Memory, *, least: int, most: int, now: datetime) -> Limited:
    """`desired` within the bounds and within what the policies allow in their periods."""
    if desired > current:
        allowed = max(current, _highest(current, pace.up, memory, now))
        bound, reason = (allowed, "ScaleUpLimit") if allowed < most else (most, "TooManyReplicas")
        if desired > bound:
            return Limited(bound, reason)
    elif desired < current:
        allowed = min(current, _lowest(current, pace.down, memory, now))
        bound, reason = (allowed, "ScaleDownLimit") if allowed > least else (least, "TooFewReplicas")
        if desired < bound:
            return Limited(bound, reason)
    return Limited(desired, "DesiredWithinRange")


def _highest(current: int, rules: HPAScalingRules, memory: Memory, now: datetime) -> int:
    if rules.select_policy == "Disabled":
        return current
    bounds = []
    for policy in rules.policies:
        start = _size_at_start(current, policy, memory, now)
        bounds.append(start + policy.value if policy.type == "Pods" else -(-start * (100 + policy.value) // 100))
    return min(bounds) if rules.select_policy == "Min" else max(bounds, default=current)


def _lowest(current: int, rules: HPAScalingRules, memory: Memory, now: datetime) -> int:
    if rules.select_policy == "Disabled":
        return current
    bounds = []
    for policy in rules.policies:
        start = _size_at_start(current, policy, memory, now)
        bounds.append(start - policy.value if policy.type == "Pods" else start * (100 - policy.value) // 100)
    return max(bounds) if rules.select_policy == "Min" else min(bounds, default=current)


def _size_at_start(current: int, policy: HPAScalingPolicy, memory: Memory, now: datetime) -> int:
    """The size when the policy's period began: steps of the same period are not allowed twice."""
    return current - changed_in(memory.added, policy, now) + changed_in(memory.removed, policy, now)


def changed_in(changes: Iterable[Moment], policy: HPAScalingPolicy, now: datetime) -> int:
    """Replicas changed within the period of a policy before `now`."""
    begin = now - timedelta(seconds=policy.period_seconds)
    return sum(change.replicas for change in changes if change.at > begin)


def remember(memory: Memory, pace: Pace, *, wish: int, change: int, now: datetime) -> Memory:
    """`memory` with what was wished for and done now, without what is too old to matter."""
    seconds = [rules.stabilization_window_seconds or 0 for rules in (pace.up, pace.down)]
    seconds += [policy.period_seconds for rules in (pace.up, pace.down) for policy in rules.policies]
    oldest = now - timedelta(seconds=max(seconds))

    def kept(moments: tuple[Moment, ...], new: int) -> tuple[Moment, ...]:
        recent = tuple(moment for moment in moments if moment.at > oldest)
        return (*recent, Moment(now, new)) if new > 0 else recent

    wishes = tuple(moment for moment in memory.wishes if moment.at > oldest)
    return Memory((*wishes, Moment(now, wish)), kept(memory.added, change), kept(memory.removed, -change))
