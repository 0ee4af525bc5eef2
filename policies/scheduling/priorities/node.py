"""Priorities about the host object and its images: taints it would rather not see, wished-for labels, images there."""

from __future__ import annotations

from typing import Final

import numpy as np

from objects.api.core import Taint
from objects.api.pods import Toleration
from objects.selectors import tolerates
from policies.scheduling.predicates.node import match_node_term
from policies.scheduling.rules import MAX_SCORE, ScaledPoints, Scope, Scorer
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import IntArray, Rows
from policies.scheduling.state.images import ImageColumn
from policies.scheduling.state.snapshot import Snapshot

_MEBIBYTE: Final = 1024 * 1024
_LEAST_IMAGE_BYTES: Final = 23 * _MEBIBYTE
_MOST_IMAGE_BYTES: Final = 1000 * _MEBIBYTE


class TaintToleration:
    """The fewer PreferNoSchedule taints a pod does not tolerate, the better: none 100, the most of all hosts 0."""

    name = "TaintTolerationPriority"
    weight = 3
    flat_score = MAX_SCORE

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer | None:
        tolerations = tuple(t for t in shape.tolerations if t.effect in ("", "PreferNoSchedule"))
        numbers = snapshot.remember(("unwanted taints", tolerations), lambda: _unwanted_by_row(tolerations, snapshot))
        return ScaledPoints(numbers, reverse=True) if len(numbers) else None


def _unwanted_by_row(tolerations: tuple[Toleration, ...], snapshot: Snapshot) -> IntArray:
    """How many taints of each host such pods would rather not have; empty when there is none."""
    numbers = [_count_unwanted(taints, tolerations) for taints in snapshot.taints.values]
    if not any(numbers):
        return np.zeros(0, dtype=np.int64)
    return np.array(numbers, dtype=np.int64)[snapshot.taints.ids[: snapshot.size]]


def _count_unwanted(taints: tuple[Taint, ...], tolerations: tuple[Toleration, ...]) -> int:
    return sum(
        taint.effect == "PreferNoSchedule" and not any(tolerates(toleration, taint) for toleration in tolerations)
        for taint in taints
    )


class NodeAffinity:
    """The sum of the weights of the preferred terms that a host fulfils, scaled to the best."""

    name = "NodeAffinityPriority"
    weight = 2
    flat_score = 0

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer | None:
        if not shape.preferred_nodes:
            return None
        numbers = np.zeros(snapshot.size, dtype=np.int64)
        for wish in shape.preferred_nodes:
            numbers += wish.weight * match_node_term(wish.preference, snapshot)
        return ScaledPoints(numbers)


class ImageLocality:
    """Hosts that have the pod's images, by size: 0 points up to 23 MiB, 100 from 1000 MiB for each container.

    A size counts by the share of hosts that have the image, so that the first host with it does not draw every pod.
    """

    name = "ImageLocalityPriority"
    weight = 1
    flat_score = 0

    def is_silent(self, shape: PodShape, snapshot: Snapshot) -> bool:
        return not any(map(snapshot.images.is_anywhere, shape.images))

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer:
        return _ImageLocality([snapshot.images.column(image) for image in shape.images], snapshot)


class _ImageLocality(Scorer):
    scope = Scope.CLUSTER

    def __init__(self, columns: list[ImageColumn], snapshot: Snapshot) -> None:
        self._columns = columns
        self._snapshot = snapshot
        self._seen = self._versions()

    def _versions(self) -> list[int]:
        return [column.version for column in self._columns]

    def stale(self) -> bool:
        seen = self._seen
        self._seen = self._versions()
        return seen != self._seen

    def is_flat(self) -> bool:
        return not any(column.hosts for column in self._columns)

    def raw(self, rows: Rows) -> IntArray:
        self._seen = self._versions()
        hosts = self._snapshot.host_count
        total = np.zeros(len(range(*rows.indices(self._snapshot.size))), dtype=np.int64)
        for column in self._columns:
            if column.hosts:
                sizes = column.sizes[: self._snapshot.size][rows]
                total += (sizes.astype(np.float64) * (len(column.hosts) / hosts)).astype(np.int64)
        most = _MOST_IMAGE_BYTES * max(1, len(self._columns))
        within = np.clip(total, _LEAST_IMAGE_BYTES, most) - _LEAST_IMAGE_BYTES
        return within * MAX_SCORE // (most - _LEAST_IMAGE_BYTES)
