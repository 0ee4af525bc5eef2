"""What every host was last told to run, and which hosts have to be told anew. Owned by the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from differ.kubelet.assignment import HostAssignment
from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.api.core import ConfigMap, Node, Secret
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.api.storage import PersistentVolumeClaim
from objects.own.config import ClusterSpec, Host
from reconciler.assigning.assignments import build_assignment, config_references
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


_PART = "assignment"


class AssignmentBook:
    """`mark` what changed, then `write` what is new: no work for a host of which nothing changed."""

    def __init__(self) -> None:
        self._stale: set[str] = set()
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
        self._stale.update(hosts)

    def mark(self, view: View, old: KubeObject | None, new: KubeObject | None) -> None:
        """An object came, changed or went: the hosts whose pods have to do with it are looked at again."""
        if isinstance(old, HostStatus) and isinstance(new, HostStatus) and _assigned(old) == _assigned(new):
            return
        for obj in (old, new):
            if obj is not None:
                self._mark(view, obj)

    def _mark(self, view: View, obj: KubeObject) -> None:
        if isinstance(obj, Pod):
            if obj.spec.node_name:
                self._stale.add(obj.spec.node_name)
        elif isinstance(obj, Host | HostStatus | Node):
            self._stale.add(obj.name)
        else:
            self._stale.update(pod.spec.node_name for pod in _pods_to_do_with(view, obj) if pod.spec.node_name)

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
        held: set[str] = set()
        for name in sorted(self._stale):
            key = ObjectKey(Host.KIND, "", name)
            if isolation.is_waiting(_PART, key, now):
                held.add(name)
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
                    build_assignment(view, host, settings, before=before, inventory=inventory, must_wait=keeps)
                    if host
                    else None
                )
            except Exception as error:  # noqa: BLE001 - one host's bug must not stop the others; it is said as an event
                isolation.fail(_PART, key, error, None, now)
                held.add(name)
                continue
            isolation.forget(_PART, key)
            self._withheld.pop(name, None)
            if withheld:
                self._withheld[name] = tuple(withheld)
            if assignment is None:
                self._last.pop(name, None)
            elif before != assignment:
                self._last[name] = fresh[name] = assignment
        self._stale = held
        return fresh
