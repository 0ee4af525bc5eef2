"""Conditions in `status`: find, set and remove them without touching what did not change.

The one rule: `last_transition_time` moves only when `status` moves. Callers pass times; nothing here knows a clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from objects.api.meta import Condition

IN_SYNC = "InSync"
"""Of a pod whose drift is shown and not put right: whether its containers are as Git says."""
OUT_OF_SYNC = "OutOfSync"

Conditions = tuple[Condition, ...]


def find_condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of this type, if it was ever set."""
    for condition in conditions:  # not by a generator: a plan asks thousands of times
        if condition.type == kind:
            return condition
    return None


def is_true(conditions: Iterable[Condition], kind: str) -> bool:
    """Whether the claim is made: a missing condition and `Unknown` are not."""
    condition = find_condition(conditions, kind)
    return condition is not None and condition.status == "True"


def with_condition(conditions: Conditions, wanted: Condition, *, now: datetime) -> Conditions:
    """`conditions` with `wanted` in the place of the one of its type, else at the end.

    `wanted.last_transition_time` is ignored: it becomes that of the present one if the status is the same, else `now`.
    """
    before = find_condition(conditions, wanted.type)
    since = before.last_transition_time if before is not None and before.status == wanted.status else now
    new = msgspec.structs.replace(wanted, last_transition_time=since)
    if before is None:
        return (*conditions, new)
    return tuple(new if condition.type == wanted.type else condition for condition in conditions)


def without_condition(conditions: Conditions, kind: str) -> Conditions:
    """`conditions` without the one of this type."""
    return tuple(condition for condition in conditions if condition.type != kind)
