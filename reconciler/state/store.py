"""The store: all objects that the engine knows, in memory, owned by the engine's thread.

Never the only copy of anything (see docs/architecture.md). Objects are immutable: a change puts a new object in the
place of the old one under a growing resource version. Reads are by key, kind, namespace, controller, node, selector and
by indexes that a reader declares; nothing scans all objects. Not here: what changes mean (controllers) and where
objects come from (sources, host reports).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from objects.api.apps import (
    DaemonSet,
    Deployment,
    ReplicaSet,
    StatefulSet,
)
from objects.api.meta import (
    KubeObject,
    LabelSelector,
    ObjectKey,
    controller_of,
)
from objects.api.networking import NetworkPolicy
from objects.api.pods import Pod
from objects.api.policy import PodDisruptionBudget
from objects.api.services import Service
from reconciler.state.selector_index import ClassName, SelectorIndex

K = TypeVar("K", bound=KubeObject)
H = TypeVar("H", bound=KubeObject)
S = TypeVar("S")


@dataclass(frozen=True, eq=False)
class Index(Generic[K]):
    """Objects of a kind by values that follow from each of them: who asks declares it, as a constant of a module.

    It is built when it is asked for the first time and kept up to date by each write from then on. values_of: pure.
    part_of: the part of an object that the values follow from: an object that changes elsewhere costs nothing.
    """

    kind: type[K]
    values_of: Callable[[K], Iterable[Hashable]]
    part_of: Callable[[K], object]


class Reader(Protocol):
    """What anybody may ask, of the store and of a snapshot (`reconciler.state.snapshot`) alike."""

    def get(self, kind: type[K], namespace: str, name: str) -> K | None: ...
    def find(self, key: ObjectKey) -> KubeObject | None: ...
    def all_of(self, kind: type[K], namespace: str | None = None) -> list[K]: ...
    def owned(self, kind: type[K], owner_uid: str) -> list[K]: ...


class View(Reader, Protocol):
    """What controllers may ask: reads only, so that `plan` can hand them a copy and a test a handful of objects."""

    def orphans(self, kind: type[K], namespace: str) -> list[K]: ...
    def pods_on(self, node: str) -> list[Pod]: ...
    def by_index(self, index: Index[K], value: Hashable) -> list[K]: ...
    def selecting(self, kind: type[H], obj: KubeObject) -> list[H]: ...
    def selected(self, kind: type[K], holder: KubeObject, *, only_orphans: bool = False) -> list[K]: ...
    def selected_summaries(
        self, kind: type[K], holder: KubeObject, summarise: Callable[[Iterable[K]], S]
    ) -> Iterable[S]: ...
    def selecting_beside(self, kind: type[H], holder: KubeObject) -> list[H]: ...


class Changed(msgspec.Struct, frozen=True):
    """One write: `old` is None for a new object, `new` is None for a removed one. version: of the store after it."""

    key: ObjectKey
    old: KubeObject | None
    new: KubeObject | None
    version: int = 0


class Store:
    """Objects by key with the indexes that `View` needs. Lists come in order of key, so decisions are repeatable."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, KubeObject] = {}
        self._by_kind: dict[str, dict[str, dict[ObjectKey, KubeObject]]] = defaultdict(lambda: defaultdict(dict))
        self._by_owner: dict[tuple[str, str], dict[ObjectKey, KubeObject]] = defaultdict(dict)
        self._by_node: dict[str, dict[ObjectKey, Pod]] = defaultdict(dict)
        self._orphans: dict[tuple[str, str], dict[ObjectKey, KubeObject]] = defaultdict(dict)
        self._by_uid: dict[str, ObjectKey] = {}
        self._selectors = SelectorIndex()
        self._declared: dict[str, dict[Index[Any], dict[Hashable, dict[ObjectKey, None]]]] = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[KubeObject]:
        return iter(self._objects.values())

    # --- reads ---------------------------------------------------------------------------------------------------

    def find(self, key: ObjectKey) -> KubeObject | None:
        return self._objects.get(key)

    def get(self, kind: type[K], namespace: str, name: str) -> K | None:
        obj = self._objects.get(ObjectKey(kind.KIND, namespace if kind.NAMESPACED else "", name))
        return obj if isinstance(obj, kind) else None

    def all_of(self, kind: type[K], namespace: str | None = None) -> list[K]:
        """All objects of a kind, of one namespace when it is given."""
        spaces = self._by_kind.get(kind.KIND, {})
        groups: Iterable[dict[ObjectKey, KubeObject]]
        groups = spaces.values() if namespace is None else [spaces.get(namespace, {})]
        return _sorted(kind, (item for group in groups for item in group.items()))

    def owned(self, kind: type[K], owner_uid: str) -> list[K]:
        """Objects of a kind whose controller has this uid."""
        return _sorted(kind, self._by_owner.get((kind.KIND, owner_uid), {}).items())

    def orphans(self, kind: type[K], namespace: str) -> list[K]:
        """Objects of a kind in a namespace that no controller owns."""
        return _sorted(kind, self._orphans.get((kind.KIND, namespace), {}).items())

    def pods_on(self, node: str) -> list[Pod]:
        return _sorted(Pod, self._by_node.get(node, {}).items())

    def by_uid(self, uid: str) -> KubeObject | None:
        key = self._by_uid.get(uid)
        return None if key is None else self._objects.get(key)

    def by_index(self, index: Index[K], value: Hashable) -> list[K]:
        """Objects that have `value` in an index."""
        built = self._declared.setdefault(index.kind.KIND, {})
        entries = built.get(index)
        if entries is None:
            entries = built[index] = defaultdict(dict)
            for group in self._by_kind.get(index.kind.KIND, {}).values():
                for key, obj in group.items():
                    for one in index.values_of(obj):  # type: ignore[arg-type]
                        entries[one][key] = None
        return _sorted(index.kind, ((key, self._objects[key]) for key in entries.get(value, ())))

    def selecting(self, kind: type[H], obj: KubeObject) -> list[H]:
        """Objects of a kind whose selector fits the labels of `obj`: its budgets, Services, policies, workloads."""
        if kind.KIND not in self._by_kind:
            return []
        found = [key for key in self._selectors.selecting(obj.namespace, obj.labels) if key.kind == kind.KIND]
        # Nothing of most kinds selects a pod, and every write of a pod asks for all of them.
        return _sorted(kind, ((key, self._objects[key]) for key in found)) if found else []

    def selected(self, kind: type[K], holder: KubeObject, *, only_orphans: bool = False) -> list[K]:
        """The objects of a kind that `holder` (a workload, budget, Service, policy; in the store or not) selects.

        kind: Pod; or ReplicaSet, of which only those without a controller are known. only_orphans: without controller.
        """
        selector = _selector_of(holder)
        return _sorted(kind, self._selectors.selected(holder.key, selector, kind.KIND, only_loose=only_orphans))

    def selected_summaries(
        self, kind: type[K], holder: KubeObject, summarise: Callable[[Iterable[K]], S]
    ) -> Iterable[S]:
        """`summarise` over the objects that `selected` gives, in parts: those with equal labels and owners or none.

        Each part's summary is remembered until one of its objects changes. summarise: pure, a function of a module.
        """
        return self._selectors.summaries(holder.key, _selector_of(holder), kind.KIND, summarise)

    def selecting_beside(self, kind: type[H], holder: KubeObject) -> list[H]:
        """Objects of a kind that select a pod which `holder` selects too: the budgets of a workload's pods."""
        found = self._selectors.beside(holder.key, _selector_of(holder), Pod.KIND)
        return _sorted(kind, ((key, self._objects[key]) for key in found if key.kind == kind.KIND))

    # --- writes --------------------------------------------------------------------------------------------------

    def put(self, obj: KubeObject) -> Changed | None:
        """Insert or replace; returns what changed, or None when `obj` equals what is there (no new version)."""
        key = obj.key
        old = self._objects.get(key)
        if old is not None and _as_if_stored(obj, old) == old:
            return None
        self.version += 1
        generation = obj.metadata.generation if old is None else old.metadata.generation
        if old is None or getattr(old, "spec", None) != getattr(obj, "spec", None):
            generation += 1
        metadata = msgspec.structs.replace(obj.metadata, resource_version=str(self.version), generation=generation)
        new = msgspec.structs.replace(obj, metadata=metadata)
        if old is not None and _is_placed_alike(old, new):
            self._swap(key, new)
        else:
            if old is not None:
                self._unindex(key, old, new)
            self._index(key, new)
        self._index_declared(key, old, new)
        return Changed(key, old, new, self.version)

    def remove(self, key: ObjectKey) -> Changed | None:
        """Take an object out; None when there is none."""
        old = self._objects.get(key)
        if old is None:
            return None
        self.version += 1
        self._unindex(key, old, None)
        self._index_declared(key, old, None)
        return Changed(key, old, None, self.version)

    def copy(self) -> Store:
        """An independent store with the same objects (they are immutable and shared)."""
        twin = Store()
        for key, obj in self._objects.items():
            twin._index(key, obj)
        twin.version = self.version
        return twin

    def _index(self, key: ObjectKey, obj: KubeObject) -> None:
        self._objects[key] = obj
        self._by_kind[key.kind][key.namespace][key] = obj
        owner = _owner_uid(obj)
        if owner:
            self._by_owner[key.kind, owner][key] = obj
        else:
            self._orphans[key.kind, key.namespace][key] = obj
        if obj.uid:
            self._by_uid[obj.uid] = key
        if isinstance(obj, Pod) and obj.spec.node_name:
            self._by_node[obj.spec.node_name][key] = obj
        if (name := _class_of(obj, owner)) is not None:
            self._selectors.put(name, key, obj)
        if key.kind in _SELECTING:
            self._selectors.set_selector(key, _selector_of(obj))

    def _swap(self, key: ObjectKey, new: KubeObject) -> None:
        """Put an object in the places of the one before it, which are its own too."""
        self._objects[key] = new
        self._by_kind[key.kind][key.namespace][key] = new
        owner = _owner_uid(new)
        if owner:
            self._by_owner[key.kind, owner][key] = new
        else:
            self._orphans[key.kind, key.namespace][key] = new
        if isinstance(new, Pod) and new.spec.node_name:
            self._by_node[new.spec.node_name][key] = new
        if (name := _class_of(new, owner)) is not None:
            self._selectors.put(name, key, new)
        if key.kind in _SELECTING:
            self._selectors.set_selector(key, _selector_of(new))

    def _unindex(self, key: ObjectKey, old: KubeObject, new: KubeObject | None) -> None:
        """Take `old` out of the indexes where `new` will not take its place."""
        owner = _owner_uid(old)
        if new is None:
            del self._objects[key]
            del self._by_kind[key.kind][key.namespace][key]
            if key.kind in _SELECTING:
                self._selectors.set_selector(key, None)
        new_owner = None if new is None else _owner_uid(new)
        if owner != new_owner:
            if owner:
                _discard(self._by_owner, (key.kind, owner), key)
            else:
                _discard(self._orphans, (key.kind, key.namespace), key)
        if (new is None or new.uid != old.uid) and self._by_uid.get(old.uid) == key:
            del self._by_uid[old.uid]
        node = old.spec.node_name if isinstance(old, Pod) else ""
        if node and not (isinstance(new, Pod) and new.spec.node_name == node):
            _discard(self._by_node, node, key)
        name = _class_of(old, owner)
        if name is not None and (new is None or _class_of(new, new_owner or "") != name):
            self._selectors.remove(name, key)

    def _index_declared(self, key: ObjectKey, old: KubeObject | None, new: KubeObject | None) -> None:
        for index, entries in self._declared.get(key.kind, {}).items():
            if old is not None and new is not None:
                before, after = index.part_of(old), index.part_of(new)
                if before is after or before == after:
                    continue
            stay = {*index.values_of(new)} if new is not None else set()
            for value in set() if old is None else {*index.values_of(old)} - stay:
                _discard(entries, value, key)
            for value in stay:
                entries[value][key] = None


_SELECTING: dict[str, Callable[[Any], LabelSelector | None]] = {
    **{
        kind.KIND: lambda one: one.spec.selector
        for kind in (Deployment, ReplicaSet, StatefulSet, DaemonSet, PodDisruptionBudget)
    },
    Service.KIND: lambda one: LabelSelector(match_labels=one.spec.selector) if one.spec.selector else None,
    NetworkPolicy.KIND: lambda one: one.spec.pod_selector,
}
"""The kinds that select pods of their namespace, and by what."""


def _selector_of(obj: KubeObject) -> LabelSelector | None:
    return _SELECTING[obj.KIND](obj)


def _class_of(obj: KubeObject, owner: str) -> ClassName | None:
    """Where the selector index has an object; None for one that nobody selects."""
    if isinstance(obj, Pod) or (isinstance(obj, ReplicaSet) and not owner):
        return ClassName(obj.KIND, obj.namespace, frozenset(obj.labels.items()), not owner)
    return None


class ByName(Mapping[str, K]):
    """All objects of a cluster-scoped kind by name, looked up when they are asked for."""

    def __init__(self, view: View, kind: type[K]) -> None:
        self._view = view
        self._kind = kind

    def __getitem__(self, name: str) -> K:
        found = self._view.get(self._kind, "", name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return (obj.name for obj in self._view.all_of(self._kind))

    def __len__(self) -> int:
        return len(self._view.all_of(self._kind))


def _is_placed_alike(old: KubeObject, new: KubeObject) -> bool:
    """Whether `new` takes the place of `old` in every index of the store, as it does when only a status changed."""
    before, after = old.metadata, new.metadata
    if before.uid != after.uid or before.labels != after.labels or before.owner_references != after.owner_references:
        return False
    return not isinstance(old, Pod) or not isinstance(new, Pod) or old.spec.node_name == new.spec.node_name


def _owner_uid(obj: KubeObject) -> str:
    owner = controller_of(obj)
    return "" if owner is None else owner.uid


def _as_if_stored(obj: KubeObject, old: KubeObject) -> KubeObject:
    """`obj` with the versions of what is stored; most that is written was made from that and has them."""
    said, stored = obj.metadata, old.metadata
    if said is stored or (said.resource_version, said.generation) == (stored.resource_version, stored.generation):
        return obj
    metadata = msgspec.structs.replace(said, resource_version=stored.resource_version, generation=stored.generation)
    return msgspec.structs.replace(obj, metadata=metadata)


def _sorted(kind: type[K], items: Iterable[tuple[ObjectKey, KubeObject]]) -> list[K]:
    return [obj for _, obj in sorted(items, key=lambda item: item[0]) if isinstance(obj, kind)]


Group = TypeVar("Group")
Member = TypeVar("Member")


def _discard(index: dict[Group, dict[ObjectKey, Member]], group: Group, key: ObjectKey) -> None:
    """Remove from an index and drop the group with its last member: an idle process must not grow."""
    members = index[group]
    members.pop(key, None)
    if not members:
        del index[group]
