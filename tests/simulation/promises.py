"""What Kubernetes' documentation promises, in numbers: computed here once more, so that the product's own arithmetic
cannot excuse itself. Pure.
"""

from __future__ import annotations

from math import ceil, floor

from objects.api.apps import DaemonSet, Deployment, StatefulSet
from objects.api.meta import IntOrString
from objects.own.canary import BLUE_GREEN, STRATEGY


def most_pods(deployment: Deployment) -> int:
    """`replicas` + `maxSurge`; blue-green has all twice."""
    wanted = deployment.spec.replicas or 0
    rolling = deployment.spec.strategy.rolling_update
    if deployment.spec.strategy.type == "Recreate" or rolling is None:
        return wanted
    if deployment.annotations.get(STRATEGY) == BLUE_GREEN:
        return 2 * wanted
    return wanted + _up(rolling.max_surge, wanted)


def fewest_available(deployment: Deployment) -> int:
    """`replicas` − `maxUnavailable`; where surge is nothing either, one may be away."""
    wanted = deployment.spec.replicas or 0
    rolling = deployment.spec.strategy.rolling_update
    if deployment.spec.strategy.type == "Recreate" or rolling is None:
        return 0
    if deployment.annotations.get(STRATEGY) == BLUE_GREEN:
        return wanted
    away = _down(rolling.max_unavailable, wanted)
    if not away and not _up(rolling.max_surge, wanted):
        away = 1
    return wanted - min(away, wanted)


def ordinals(stateful_set: StatefulSet) -> range:
    """The ordinals that should exist."""
    return range(stateful_set.spec.replicas or 0)


def most_away(stateful_set: StatefulSet) -> int:
    """Pods of an update that may be away: one, or `maxUnavailable`."""
    rolling = stateful_set.spec.update_strategy.rolling_update
    most = None if rolling is None else rolling.max_unavailable
    return max(1, _down(1 if most is None else most, stateful_set.spec.replicas or 0))


def most_doubled(daemon_set: DaemonSet, nodes: int) -> int:
    """Nodes of `nodes` that may have two pods."""
    rolling = daemon_set.spec.update_strategy.rolling_update
    return 0 if rolling is None else _up(rolling.max_surge, nodes)


def most_unserved(daemon_set: DaemonSet, nodes: int) -> int:
    """Nodes of `nodes` that may be without an available pod."""
    rolling = daemon_set.spec.update_strategy.rolling_update
    away = 1 if rolling is None else _up(rolling.max_unavailable, nodes)
    return away or (0 if most_doubled(daemon_set, nodes) else 1)


def _up(amount: IntOrString | None, total: int) -> int:
    return ceil(_scaled(amount, total))


def _down(amount: IntOrString | None, total: int) -> int:
    return floor(_scaled(amount, total))


def _scaled(amount: IntOrString | None, total: int) -> float:
    if isinstance(amount, str):
        return int(amount.removesuffix("%")) * total / 100
    return amount or 0
