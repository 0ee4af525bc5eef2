"""Parts of the status branch that tell of the whole cluster, kept so that each commit makes anew what changed of them.

Pure. Each part is told of what changed (`note`) and says when it is asked what there is by then.
"""

from __future__ import annotations

from collections.abc import Iterable

from objects.api.core import Node
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.own.config import Host
from reconciler.core.health import HealthStatus, health_of
from reconciler.publishing.publication import Publication
from reconciler.state.drift import drift_condition
from reconciler.state.host_status import HostStatus
from reconciler.state.store import Changed, Reader


class HostTable:
    """The rows of hosts in the overview. One follows from its Host, its Node and how many pods the host has."""

    def __init__(self) -> None:
        self._pods: dict[str, int] = {}
        self._rows: dict[str, str] = {}
        self._outdated: set[str] = set()
        self._names: list[str] | None = None
        """Of all hosts, sorted; None when there may be others."""

    def note(self, changed: Iterable[Changed]) -> None:
        for one in changed:
            if one.key.kind in (Host.KIND, Node.KIND):
                self._outdated.add(one.key.name)
            elif one.key.kind == Pod.KIND:
                before, after = _host_of(one.old), _host_of(one.new)
                if before != after:
                    self._count(before, -1)
                    self._count(after, 1)

    def _count(self, host: str, pods: int) -> None:
        if host:
            self._pods[host] = self._pods.get(host, 0) + pods
            self._outdated.add(host)
            if not self._pods[host]:
                del self._pods[host]

    def rows(self, reader: Reader) -> list[str]:
        """Markdown, in order of name."""
        for name in self._outdated:
            host = reader.get(Host, "", name)
            if (host is not None) != (name in self._rows):
                self._names = None
            if host is None:
                self._rows.pop(name, None)
            else:
                self._rows[name] = self._row(reader, host)
        self._outdated.clear()
        if self._names is None:
            self._names = sorted(self._rows)
        return [self._rows[name] for name in self._names]

    def _row(self, reader: Reader, host: Host) -> str:
        health = health_of(reader, host)
        ready = "yes" if health.status is HealthStatus.HEALTHY else "no"
        return f"| {host.name} | {ready} | {self._pods.get(host.name, 0)} | {cell(health.message)} |"


def cell(text: str) -> str:
    """A text in a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _host_of(obj: KubeObject | None) -> str:
    return obj.spec.node_name if isinstance(obj, Pod) else ""


class DriftedPods:
    """Which pods are out of sync: hardly ever any, among tens of thousands."""

    def __init__(self) -> None:
        self._keys: dict[ObjectKey, None] = {}

    def note(self, changed: Iterable[Changed]) -> None:
        for one in changed:
            if one.key.kind == Pod.KIND:
                if isinstance(one.new, Pod) and drift_condition(one.new) is not None:
                    self._keys[one.key] = None
                else:
                    self._keys.pop(one.key, None)

    def pods(self, reader: Reader) -> list[Pod]:
        return [pod for key in self._keys if isinstance(pod := reader.find(key), Pod)]


class InventoryInputs:
    """Whether `inventory.yaml` can say something else than the last time."""

    def __init__(self, kinds_without_file: frozenset[str]) -> None:
        """kinds_without_file: since when their objects exist is in the inventory."""
        self._kinds = kinds_without_file
        self._said: Publication | None = None
        self._is_outdated = True

    def note(self, changed: Iterable[Changed]) -> None:
        for one in changed:
            if one.key.kind in self._kinds or (
                one.key.kind == HostStatus.KIND and _subnet_of(one.old) != _subnet_of(one.new)
            ):
                self._is_outdated = True

    def has_changed(self, publication: Publication) -> bool:
        said = self._said
        return self._is_outdated or said is None or _deployed(said) != _deployed(publication)

    def settle(self, publication: Publication) -> None:
        """It was made from this one."""
        self._said, self._is_outdated = publication, False


def _subnet_of(obj: KubeObject | None) -> str:
    return obj.pod_subnet if isinstance(obj, HostStatus) else ""


def _deployed(publication: Publication) -> tuple[object, ...]:
    """What the inventory says beside objects. The inventory itself is the same mapping as long as it says the same."""
    return (
        id(publication.inventory),
        publication.protected,
        publication.kept,
        publication.alone,
        publication.is_ahead,
    )
