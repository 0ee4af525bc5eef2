"""What every host was last told to run, and which hosts have to be told anew. Owned by the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from differ.kubelet.assignment import ALL_PARTS, HostAssignment, Part
from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.api.core import ConfigMap, Node, Secret
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.api.storage import PersistentVolumeClaim
from objects.own.config import ClusterSpec, Host
from reconciler.assigning.assignments import assigned_form, build_assignment, config_references
from reconciler.controllers.volumes.binding import pods_naming
from reconciler.core.isolation import Isolation
from reconciler.figures.orders import scaled_by
from reconciler.state.drift import Inventory
from reconciler.state.host_status import HostStatus
from reconciler.state.store import Index, View

_READERS = Index(
    Pod,
    lambda pod: [(kind, pod.namespace, name) for kind, name in config_references(pod)],
    lambda pod: pod.spec,
)
"""Pods by the ConfigMaps and Secrets that they name."""


def _assigned(status: HostStatus) -> tuple[bool, str]:
    """What an assignment says of a look at its host: see `build_assignment`."""
    return status.was_observed, status.pod_subnet


def _pods_to_do_with(view: View, obj: KubeObject) -> Iterable[Pod]:
    """The pods whose hosts are told something else when `obj` changes."""
    if isinstance(obj, ConfigMap | Secret):
        return view.by_index(_READERS, (obj.KIND, obj.namespace, obj.name))
    if isinstance(obj, PersistentVolumeClaim):
        return pods_naming(view, obj)
    if isinstance(obj, HorizontalPodAutoscaler):
        target = scaled_by(view, obj)
        # Who was scaled by it is not known any more when that is gone.
        return view.all_of(Pod, obj.namespace) if target is None else view.selected(Pod, target)
    return ()


_OF_POD = frozenset({Part.PODS, Part.FILES, Part.VOLUMES, Part.MEASUREMENTS})
_OF_PHASE = frozenset({Part.MEASUREMENTS})
_OF_NODE = frozenset({Part.HOST, Part.MEASUREMENTS})
_OF_OTHERS: dict[type[KubeObject], frozenset[Part]] = {
    ConfigMap: frozenset({Part.FILES, Part.MEASUREMENTS}),  # one may say where a pod's metrics are
    Secret: frozenset({Part.FILES}),
    PersistentVolumeClaim: frozenset({Part.VOLUMES}),
    HorizontalPodAutoscaler: frozenset({Part.MEASUREMENTS}),
}
"""The parts of an assignment that an object of a kind has a say in, for the hosts of `_pods_to_do_with`."""

_PART = "assignment"


class AssignmentBook:
    """`mark` what changed, then `write` what is new: no work for a host of which nothing changed, nor for a part."""

    def __init__(self) -> None:
        self._stale: dict[str, frozenset[Part]] = {}
        self._last: dict[str, HostAssignment] = {}
        self._withheld: dict[str, tuple[ObjectKey, ...]] = {}

    def find(self, host: str) -> HostAssignment | None:
        """What `host` was last told to run."""
        return self._last.get(host)

    @property
    def withheld(self) -> list[ObjectKey]:
        """Pods that their hosts are not told of yet."""
        return [key for keys in self._withheld.values() for key in keys]

    def mark_hosts(self, hosts: Iterable[str]) -> None:
        self._stale.update(dict.fromkeys(hosts, ALL_PARTS))

    def mark(self, view: View, old: KubeObject | None, new: KubeObject | None) -> None:
        """An object came, changed or went: the hosts whose pods have to do with it are looked at again."""
        if isinstance(old, HostStatus) and isinstance(new, HostStatus) and _assigned(old) == _assigned(new):
            return
        if isinstance(old, Pod) and isinstance(new, Pod) and assigned_form(old) == assigned_form(new):
            # Only a pod that runs is asked for its metrics; else nothing of what it reports is told to its host.
            if old.status.phase != new.status.phase and new.spec.node_name:
                self._mark_parts(new.spec.node_name, _OF_PHASE)
            return
        for obj in (old, new):
            if obj is not None:
                self._mark(view, obj)

    def _mark(self, view: View, obj: KubeObject) -> None:
        if isinstance(obj, Pod):
            if obj.spec.node_name:
                self._mark_parts(obj.spec.node_name, _OF_POD)
        elif isinstance(obj, Node):
            self._mark_parts(obj.name, _OF_NODE)
        elif isinstance(obj, Host | HostStatus):
            self._mark_parts(obj.name, ALL_PARTS)
        elif parts := _OF_OTHERS.get(type(obj)):
            for pod in _pods_to_do_with(view, obj):
                if pod.spec.node_name:
                    self._mark_parts(pod.spec.node_name, parts)

    def _mark_parts(self, host: str, parts: frozenset[Part]) -> None:
        known = self._stale.get(host)
        if known is None:
            self._stale[host] = parts
        elif known is not parts:
            self._stale[host] = known | parts

    def write(
        self,
        view: View,
        settings: ClusterSpec,
        inventory: Inventory | None,
        isolation: Isolation,
        now: datetime,
        *,
        must_wait: Callable[[Pod], bool] = lambda _: False,
    ) -> dict[str, HostAssignment]:
        """The assignments that differ from the last ones, by host. inventory: see `build_assignment`.

        must_wait: pods that their host must not be told of yet; they are in `withheld` then.
        A host whose assignment cannot be made keeps the last one; it is tried again with back-off (`isolation`).
        """
        fresh: dict[str, HostAssignment] = {}
        held: dict[str, frozenset[Part]] = {}
        for name, parts in sorted(self._stale.items()):
            key = ObjectKey(Host.KIND, "", name)
            if isolation.is_waiting(_PART, key, now):
                held[name] = parts
                continue
            host = view.get(Host, "", name)
            before = self._last.get(name)
            withheld: list[ObjectKey] = []

            def keeps(pod: Pod, withheld: list[ObjectKey] = withheld) -> bool:
                if waits := must_wait(pod):
                    withheld.append(pod.key)
                return waits

            try:
                assignment = (
                    build_assignment(
                        view, host, settings, before=before, parts=parts, inventory=inventory, must_wait=keeps
                    )
                    if host
                    else None
                )
            except Exception as error:  # noqa: BLE001 - one host's bug must not stop the others; it is said as an event
                isolation.fail(_PART, key, error, None, now)
                held[name] = parts
                continue
            isolation.forget(_PART, key)
            if Part.PODS in parts:
                self._withheld.pop(name, None)
            if withheld:
                self._withheld[name] = tuple(withheld)
            if assignment is None:
                self._last.pop(name, None)
            elif before is not assignment:
                self._last[name] = fresh[name] = assignment
        self._stale = held
        return fresh
