"""The taints of a node: those of its Host, and those that follow from its conditions. Pure.

Source of the rules: Kubernetes' node lifecycle controller (TaintNodesByCondition, taint-based eviction).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from objects.api.core import Taint
from objects.api.meta import Condition
from objects.conditions import find_condition
from objects.own import taints as names
from objects.own.config import HostSpec
from objects.own.taints import NO_EXECUTE, NO_SCHEDULE

_NO_SCHEDULE = {
    "MemoryPressure": names.MEMORY_PRESSURE,
    "DiskPressure": names.DISK_PRESSURE,
    "PIDPressure": names.PID_PRESSURE,
    "NetworkUnavailable": names.NETWORK_UNAVAILABLE,
}


def taints_of(
    spec: HostSpec, conditions: Iterable[Condition], before: Iterable[Taint], *, now: datetime
) -> tuple[Taint, ...]:
    """All taints of a node. `NoExecute` ones carry the time they came, taken over from `before` when they stay.

    Ready False -> not-ready, Ready Unknown -> unreachable: `NoSchedule` and `NoExecute` each.
    """
    since = {(taint.key, taint.effect, taint.value): taint.time_added for taint in before}
    wanted = {(taint.key, taint.effect): taint for taint in _of_conditions(spec, tuple(conditions))}
    wanted.update({(taint.key, taint.effect): taint for taint in spec.taints})
    return tuple(_timed(taint, since.get((taint.key, taint.effect, taint.value)), now) for taint in wanted.values())


def _timed(taint: Taint, since: datetime | None, now: datetime) -> Taint:
    if taint.effect != NO_EXECUTE:
        return taint
    return msgspec.structs.replace(taint, time_added=taint.time_added or since or now)


def _of_conditions(spec: HostSpec, conditions: tuple[Condition, ...]) -> Iterator[Taint]:
    ready = find_condition(conditions, "Ready")
    if ready is None or ready.status != "True":
        key = names.NOT_READY if ready is not None and ready.status == "False" else names.UNREACHABLE
        yield Taint(key=key, effect=NO_SCHEDULE)
        yield Taint(key=key, effect=NO_EXECUTE)
    if spec.unschedulable:
        yield Taint(key=names.UNSCHEDULABLE, effect=NO_SCHEDULE)
    for kind, key in _NO_SCHEDULE.items():
        condition = find_condition(conditions, kind)
        if condition is not None and condition.status == "True":
            yield Taint(key=key, effect=NO_SCHEDULE)
