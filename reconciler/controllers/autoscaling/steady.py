"""What an autoscaler measured, as its status tells it: moved only when it moved by more than its tolerance. Pure.

A load is never twice the same. Status goes to Git: telling every breath would be a commit each quarter of a minute.
"""

from __future__ import annotations

from itertools import zip_longest

from objects.api.autoscaling import MetricStatus, MetricValueStatus
from objects.api.meta import QuantityLike
from objects.values.quantity import milli_value

STEADY = 0.1
"""An autoscaler does nothing within a tenth of its target either."""


def steady_metrics(before: tuple[MetricStatus, ...], now: tuple[MetricStatus, ...]) -> tuple[MetricStatus, ...]:
    """`before`, unless one of its values moved, or other metrics are told of."""
    return before if all(_is_close(old, new) for old, new in zip_longest(before, now)) else now


def _is_close(old: MetricStatus | None, new: MetricStatus | None) -> bool:
    if old is None or new is None or old.type != new.type:
        return False
    for name in MetricStatus.__struct_fields__[1:]:
        one, other = getattr(old, name), getattr(new, name)
        if one is None and other is None:
            continue
        if one is None or other is None or _what(one) != _what(other) or not _are_close(one.current, other.current):
            return False
    return True


def _what(metric: object) -> tuple[object, ...]:
    """Which metric it is: everything but its value."""
    return tuple(getattr(metric, name) for name in getattr(metric, "__struct_fields__", ()) if name != "current")


def _are_close(old: MetricValueStatus, new: MetricValueStatus) -> bool:
    return all(_near(getattr(old, name), getattr(new, name)) for name in MetricValueStatus.__struct_fields__)


def _near(old: QuantityLike | None, new: QuantityLike | None) -> bool:
    if old is None or new is None:
        return old is new
    return abs(milli_value(new) - milli_value(old)) <= milli_value(old) * STEADY
