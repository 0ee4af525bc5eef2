"""Which pods go first when there are too many. Pure.

Ordered so that the least is lost: what never ran before what runs, what is not ready before what is, pods that share a
host before pods that stand alone. Source of the order: Kubernetes' ActivePodsWithRanks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from objects.api.pods import Pod
from objects.conditions import find_condition
from reconciler.controllers.pods.owned import is_available

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "": 0, "Unknown": 1, "Running": 2}

RankKey = tuple[bool, int, bool, bool, int, int, int, int, int, str]


def choose_pods_to_delete(
    pods: Sequence[Pod], count: int, *, related: Iterable[Pod], now: datetime, min_ready_seconds: int = 0
) -> tuple[Pod, ...]:
    """The `count` pods that are missed least, first the one that is missed least of all.

    related: the active pods of all revisions of a Deployment, `pods` included: of two pods the one goes whose host has
    more of them. min_ready_seconds: after which a ready pod counts as available.
    """
    if count <= 0:
        return ()
    crowds = Counter(pod.node_name for pod in related)
    ranked = sorted(
        pods, key=lambda pod: rank_key(pod, crowd=crowds[pod.node_name], now=now, min_ready_seconds=min_ready_seconds)
    )
    return tuple(ranked[:count])


def rank_key(pod: Pod, *, crowd: int, now: datetime, min_ready_seconds: int = 0) -> RankKey:
    """Sorts the pod that should go first to the front. crowd: related pods on its host.

    Ages are compared on a logarithmic scale (KEP-2185), so that not always the youngest pods of one scale-out go, which
    would undo its spreading; the uid decides among equals, which is as good as random and yet repeatable.

    One rule is ours: a ready pod that is not available yet goes before one that is. A rollout that gives up one of each
    would else lose two available ones, and with them its minimum.
    """
    ready = find_condition(pod.status.conditions, "Ready")
    is_ready = ready is not None and ready.status == "True"
    ready_since = ready.last_transition_time if ready is not None and is_ready else None
    return (
        bool(pod.node_name),
        _PHASES.get(pod.status.phase, 2),
        is_ready,
        is_available(pod, min_ready_seconds=min_ready_seconds, now=now),
        deletion_cost(pod),
        -crowd if pod.node_name else 0,
        _age_bucket(ready_since, now),
        -_restarts(pod),
        _age_bucket(pod.metadata.creation_timestamp, now),
        pod.uid,
    )


def deletion_cost(pod: Pod) -> int:
    """What a person says the pod is worth beside its siblings: 0 when nothing, or nothing readable, is said."""
    try:
        return int(pod.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _age_bucket(since: datetime | None, now: datetime) -> int:
    """0 for unknown or the last second, then one more for each doubling of the age: older is greater."""
    seconds = (now - since).total_seconds() if since is not None else 0
    return 0 if seconds < 1 else 1 + int(math.log2(seconds))


def _restarts(pod: Pod) -> int:
    return max((status.restart_count for status in pod.status.container_statuses), default=0)
