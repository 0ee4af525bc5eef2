"""Canary and blue-green: how far a rollout may go now. Pure.

Where a canary stands is read off the newest revision: a step is behind us when there are more new pods than it asks
for, or when its pause has passed since the youngest of its pods became ready and its checks have held since then. So
nothing is remembered but a failure (`checks`), and a restart changes nothing. What runs for the first time, is scaled,
or goes back from a canary that failed, goes in no steps.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.own.canary import (
    BLUE_GREEN,
    CANARY,
    CANARY_STEPS,
    checks_of,
    parse_canary_steps,
    strategy_of,
)
from reconciler.controllers.rollout.arithmetic import desired_replicas, is_rolling
from reconciler.controllers.rollout.checks import Checking, is_way_back, noted_failure
from reconciler.controllers.rollout.revisions import Rollout
from reconciler.controllers.rollout.strategies import Sizes, next_rolling_sizes, shrink_old


class Stage(msgspec.Struct, frozen=True):
    """limit: new pods at most. held: what a person is told while it rests, '' when it does not. until: a pause's end.

    failed: why it goes no further, '' when it may.
    """

    limit: int
    held: str = ""
    until: datetime | None = None
    failed: str = ""


def stage_of(rollout: Rollout, checking: Checking, *, now: datetime) -> Stage | None:
    """How far a canary may go; None for every other rollout, and once it may go all the way."""
    deployment, new = rollout.deployment, rollout.new
    is_canary = strategy_of(deployment.annotations) == CANARY and is_rolling(deployment)
    has_old = any(revision.size > 0 for revision in rollout.old)
    if not is_canary or new is None or not has_old or is_way_back(rollout):
        return None
    if why := noted_failure(rollout):
        return Stage(new.size, failed=why)
    desired = desired_replicas(deployment)
    checks = checks_of(deployment.annotations)
    for step in parse_canary_steps(deployment.annotations.get(CANARY_STEPS, "100%")):
        limit = -(-step.percent * desired // 100)
        if limit >= desired:
            return None
        if new.size > limit:
            continue
        if new.size < limit or new.available < limit:
            return Stage(limit)
        began = new.last_ready_at or now
        said = checking.ask((checks[name] for name in step.checks if name in checks), since=began)
        told = f"canary: {limit} of {desired} pods are new ({step.percent}%)"
        if said.failed:
            return Stage(limit, failed=f"{told}; {said.failed}")
        ends = began + step.pause if step.pause is not None else None
        why_resting = [text for text in (_pause(ends, now), said.waiting) if text]
        if why_resting:
            return Stage(limit, "; ".join((told, *why_resting)), ends if ends is not None and now < ends else None)
    return None


def _pause(ends: datetime | None, now: datetime) -> str:
    """What a pause waits for; '' when it is over."""
    if ends is None:
        return f"it goes on when a commit changes {CANARY_STEPS}"
    return f"it goes on at {ends:%H:%M:%S}" if now < ends else ""


def next_staged_sizes(rollout: Rollout, stage: Stage | None) -> Sizes:
    """One step of a rolling update that goes no further than its strategy allows now."""
    if strategy_of(rollout.deployment.annotations) == BLUE_GREEN:
        return _blue_green_sizes(rollout)
    if stage is None or rollout.new is None:
        return next_rolling_sizes(rollout)
    sizes = next_rolling_sizes(rollout)
    name = rollout.new.name
    if name in sizes:
        grown = max(rollout.new.size, min(sizes[name], stage.limit))
        if grown > rollout.new.size:
            return {name: grown}
    elif sizes and any(revision.was_never_ready and revision.size for revision in rollout.old):
        return sizes
    missing = max(0, stage.limit - rollout.new.size)
    return shrink_old(rollout, most=rollout.total_size - desired_replicas(rollout.deployment) + missing)


def _blue_green_sizes(rollout: Rollout) -> Sizes:
    """All new beside all old; the old ones go together when every new one is available."""
    new, desired = rollout.new, desired_replicas(rollout.deployment)
    if new is not None and new.size >= desired and new.available < desired:
        return {one.name: 0 for one in rollout.old if one.size > 0 and one.was_never_ready}
    return next_rolling_sizes(rollout)
