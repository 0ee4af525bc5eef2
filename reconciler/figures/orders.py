"""What is to be measured of a host, from what somebody needs to know. Pure.

Pods are measured under pressure, to know who is evicted; for autoscalers, with metrics that the pods tell themselves;
and for limits on their local storage, which nobody else holds them to. Otherwise nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from differ.kubelet.assignment import MeasureOrder
from objects.api.apps import Deployment, ReplicaSet, StatefulSet
from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.api.core import Node
from objects.api.meta import LabelSelector
from objects.api.pods import Pod
from objects.conditions import is_true
from objects.errors import InvalidInput
from objects.observation.metrics import Scrape
from objects.selectors import selector_matches
from policies.eviction import has_storage_limit
from reconciler.figures.pod_values import metric_names, scrapes_of
from reconciler.state.store import View

_SCALABLE: dict[str, type[Deployment] | type[ReplicaSet] | type[StatefulSet]] = {
    kind.KIND: kind for kind in (Deployment, ReplicaSet, StatefulSet)
}
Scaling = tuple[LabelSelector, frozenset[str]]
"""Whom an autoscaler scales, and the metrics of pods that it asks for."""


def order_for(view: View, host: str, node: Node | None) -> MeasureOrder:
    """What is to be measured of a host now."""
    claims = node.status.conditions if node is not None else ()
    memory, disk = is_true(claims, "MemoryPressure"), is_true(claims, "DiskPressure")
    pods = [pod for pod in view.pods_on(host) if not pod.is_finished]
    scaled = list(_scaled(view, pods))
    return MeasureOrder(
        containers=memory or disk or bool(scaled),
        disk=disk or any(map(has_storage_limit, pods)),
        is_pressed=memory or disk,
        scrapes=tuple(scrape for pod, names in scaled for scrape in _scrapes(view, pod, names)),
    )


def _scaled(view: View, pods: Iterable[Pod]) -> Iterator[tuple[Pod, set[str]]]:
    """The pods that autoscalers look at, with the metrics that they want of each."""
    known: dict[str, list[Scaling]] = {}
    for pod in pods:
        if pod.namespace not in known:
            known[pod.namespace] = list(_scalings(view, pod.namespace))
        names = [names for selector, names in known[pod.namespace] if selector_matches(selector, pod.labels)]
        if names:
            yield pod, set().union(*names)


def scaled_by(view: View, autoscaler: HorizontalPodAutoscaler) -> Deployment | ReplicaSet | StatefulSet | None:
    """What an autoscaler scales, when it is there."""
    ref = autoscaler.spec.scale_target_ref
    kind = _SCALABLE.get(ref.kind)
    return view.get(kind, autoscaler.namespace, ref.name) if kind is not None else None


def _scalings(view: View, namespace: str) -> Iterator[Scaling]:
    for autoscaler in view.all_of(HorizontalPodAutoscaler, namespace):
        target = scaled_by(view, autoscaler)
        if target is not None and target.spec.selector is not None:
            yield target.spec.selector, frozenset(metric_names(autoscaler))


def _scrapes(view: View, pod: Pod, names: Iterable[str]) -> Iterator[Scrape]:
    try:
        yield from scrapes_of(view, pod, names)
    except InvalidInput:
        # The autoscaler says so in its status: nobody reads an assignment.
        return
