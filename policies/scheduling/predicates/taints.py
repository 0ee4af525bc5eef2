"""PodToleratesNodeTaints: taints with effect NoSchedule or NoExecute keep away pods that do not tolerate them."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from objects.api.core import Taint
from objects.selectors import untolerated_taint
from policies.scheduling.rules import Check, Event, Finding, Reason, group_findings
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import BoolArray, IntArray, Rows
from policies.scheduling.state.snapshot import Snapshot

KEEPING_AWAY = ("NoSchedule", "NoExecute")


class Taints:
    name = "PodToleratesNodeTaints"
    helped_by = frozenset((Event.HOST_ADDED, Event.HOST_CHANGED))

    def reads(self, shape: PodShape) -> Hashable:
        return shape.tolerations

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        unwanted = _unwanted_taints(shape, snapshot)
        return _Taints(unwanted, snapshot) if any(unwanted) else None


def tolerated_hosts(shape: PodShape, snapshot: Snapshot) -> BoolArray:
    """Which hosts have no taint that keeps such pods away."""
    return _without(_unwanted_taints(shape, snapshot), snapshot)


def _unwanted_taints(shape: PodShape, snapshot: Snapshot) -> list[Taint | None]:
    """For each distinct set of taints, the first that keeps such pods away."""
    return [untolerated_taint(taints, shape.tolerations, effects=KEEPING_AWAY) for taints in snapshot.taints.values]


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

    def tally(self, rows: IntArray) -> list[Finding]:
        _, first, numbers = np.unique(self._ids[rows], return_index=True, return_counts=True)
        found = [(int(rows[at]), int(number)) for at, number in zip(first, numbers, strict=True)]
        groups = group_findings((row, reason) for row, _ in found for reason in self.reasons(row))
        hosts = {group.reason.text: 0 for group in groups}
        for row, number in found:
            hosts[self.reasons(row)[0].text] += number
        return [group._replace(hosts=hosts[group.reason.text]) for group in groups]
