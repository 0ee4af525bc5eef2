"""What is to be measured of a host, from what somebody needs to know. Pure.

Pods are measured under pressure, to know who is evicted; for autoscalers that scale them; and for limits on their local
storage, which nobody else holds them to. Otherwise nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable

from differ.assignment import MeasureOrder
from objects.apps import Deployment, ReplicaSet, StatefulSet
from objects.autoscaling import HorizontalPodAutoscaler
from objects.conditions import is_true
from objects.core import Node
from objects.meta import LabelSelector
from objects.pods import Pod
from objects.selectors import selector_matches
from policies.eviction import has_storage_limit
from reconciler.store import View

_SCALABLE: dict[str, type[Deployment] | type[ReplicaSet] | type[StatefulSet]] = {
    kind.KIND: kind for kind in (Deployment, ReplicaSet, StatefulSet)
}


def order_for(view: View, host: str, node: Node | None) -> MeasureOrder:
    """What is to be measured of a host now."""
    claims = node.status.conditions if node is not None else ()
    memory, disk = is_true(claims, "MemoryPressure"), is_true(claims, "DiskPressure")
    pods = [pod for pod in view.pods_on(host) if not pod.is_finished]
    return MeasureOrder(
        containers=memory or disk or any(_is_scaled(view, pods)),
        disk=disk or any(map(has_storage_limit, pods)),
        is_pressed=memory or disk,
    )


def _is_scaled(view: View, pods: Iterable[Pod]) -> Iterable[bool]:
    """For each pod whether an autoscaler looks at it. Without autoscalers this costs a look-up a namespace."""
    selectors: dict[str, list[LabelSelector | None]] = {}
    for pod in pods:
        if pod.namespace not in selectors:
            scaled = (_selector(view, one) for one in view.all_of(HorizontalPodAutoscaler, pod.namespace))
            selectors[pod.namespace] = [selector for selector in scaled if selector is not None]
        yield any(selector_matches(selector, pod.labels) for selector in selectors[pod.namespace])


def _selector(view: View, autoscaler: HorizontalPodAutoscaler) -> LabelSelector | None:
    ref = autoscaler.spec.scale_target_ref
    kind = _SCALABLE.get(ref.kind)
    target = view.get(kind, autoscaler.namespace, ref.name) if kind is not None else None
    return target.spec.selector if target is not None else None
