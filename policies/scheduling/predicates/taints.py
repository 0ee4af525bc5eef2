"""PodToleratesNodeTaints: taints with effect NoSchedule or NoExecute keep away pods that do not tolerate them."""

from __future__ import annotations

import numpy as np

from objects.core import Taint
from objects.selectors import untolerated_taint
from policies.scheduling.arrays import BoolArray, Rows
from policies.scheduling.rules import Check, Event, Reason
from policies.scheduling.shape import PodShape
from policies.scheduling.snapshot import Snapshot

KEEPING_AWAY = ("NoSchedule", "NoExecute")


class Taints:
    name = "PodToleratesNodeTaints"
    helped_by = frozenset((Event.HOST_ADDED, Event.HOST_CHANGED))

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        unwanted = _unwanted_taints(shape, snapshot)
        return _Taints(unwanted, snapshot) if any(unwanted) else None


def tolerated_hosts(shape: PodShape, snapshot: Snapshot) -> BoolArray:
    """Which hosts have no taint that keeps such pods away."""
    return _without(_unwanted_taints(shape, snapshot), snapshot)


def _unwanted_taints(shape: PodShape, snapshot: Snapshot) -> list[Taint | None]:
    """For each distinct set of taints, the first that keeps such pods away."""
    return [
        untolerated_taint(taints, shape.spec.tolerations, effects=KEEPING_AWAY) for taints in snapshot.taints.values
    ]


def _without(unwanted: list[Taint | None], snapshot: Snapshot) -> BoolArray:
    verdicts: BoolArray = np.array([taint is None for taint in unwanted], dtype=np.bool_)
    return verdicts[snapshot.taints.ids[: snapshot.size]]


class _Taints(Check):
    def __init__(self, unwanted: list[Taint | None], snapshot: Snapshot) -> None:
        self._unwanted = unwanted
        self._ids = snapshot.taints.ids
        self._verdicts = _without(unwanted, snapshot)

    def allowed(self, rows: Rows) -> BoolArray:
        return self._verdicts[rows]

    def reasons(self, row: int) -> tuple[Reason, ...]:
        taint = self._unwanted[int(self._ids[row])]
        if taint is None:
            return ()
        return (Reason(f"taint {taint.key}={taint.value}" if taint.value else f"taint {taint.key}"),)
