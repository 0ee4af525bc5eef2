"""Workloads whose size belongs to an autoscaler: what Git says of their replicas is only where they begin. Pure.

A fresh process takes up the size that the autoscaler decided last, as the status branch tells, or as many pods as run:
else each restart would shrink what is under load. As in Kubernetes `replicas: 0` in Git pauses an autoscaler that never
goes to 0 by itself (`minReplicas`), and any other number lets it go on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from objects.api.apps import Deployment, ReplicaSet, StatefulSet
from objects.api.autoscaling import HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.selectors import selector_matches
from reconciler.state.messages import Remembered
from reconciler.state.store import View


class Size(NamedTuple):
    """decided: what an autoscaler decided last, None when nobody remembers. may_be_zero: that may be 0."""

    decided: int | None
    may_be_zero: bool = False


Sizes = Mapping[ObjectKey, Size]
"""By workload."""


def autoscaled_sizes(
    objects: Iterable[KubeObject], remembered: Mapping[ObjectKey, Remembered]
) -> dict[ObjectKey, Size]:
    """The workloads that autoscalers among `objects` scale."""
    sizes: dict[ObjectKey, Size] = {}
    for obj in objects:
        if isinstance(obj, HorizontalPodAutoscaler):
            ref = obj.spec.scale_target_ref
            may_be_zero = obj.spec.min_replicas == 0
            decided = _decided(remembered.get(obj.key), may_be_zero=may_be_zero)
            sizes[ObjectKey(ref.kind, obj.namespace, ref.name)] = Size(decided, may_be_zero)
    return sizes


def _decided(memory: Remembered | None, *, may_be_zero: bool) -> int | None:
    status = memory.status if memory is not None else None
    if not isinstance(status, HorizontalPodAutoscalerStatus):
        return None
    is_decided = status.desired_replicas or (may_be_zero and status.observed_generation is not None)
    return status.desired_replicas if is_decided else None


def with_size(desired: KubeObject, live: KubeObject | None, sizes: Sizes) -> KubeObject:
    """`desired` with the size that it has, or had last, when an autoscaler owns that; else as it is."""
    if not isinstance(desired, Deployment | ReplicaSet | StatefulSet) or desired.key not in sizes:
        return desired
    decided, may_be_zero = sizes[desired.key]
    size = live.spec.replicas if isinstance(live, Deployment | ReplicaSet | StatefulSet) else decided
    if not may_be_zero and 0 in (size, desired.spec.replicas):
        return desired
    return _sized(desired, desired.spec.replicas if size is None else size)


def sizes_as_found(view: View, sizes: Sizes) -> Iterator[KubeObject]:
    """Workloads of which nobody remembers a size, and of which more pods run than they say: with as many as run."""
    for key, size in sizes.items():
        target = view.find(key)
        if size.decided is not None or not isinstance(target, Deployment | ReplicaSet | StatefulSet):
            continue
        if target.spec.replicas == 0 and not size.may_be_zero:
            continue
        pods = (pod for pod in view.all_of(Pod, key.namespace) if not pod.is_terminating and not pod.is_finished)
        running = sum(bool(pod.node_name) and selector_matches(target.spec.selector, pod.labels) for pod in pods)
        if running > (1 if target.spec.replicas is None else target.spec.replicas):
            yield _sized(target, running)


def _sized(target: Deployment | ReplicaSet | StatefulSet, size: int | None) -> KubeObject:
    return msgspec.structs.replace(target, spec=msgspec.structs.replace(target.spec, replicas=size))
