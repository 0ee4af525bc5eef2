"""The store: all objects that the engine knows, in memory, owned by the engine's thread.

Never the only copy of anything (see docs/architecture.md). Objects are immutable: a change puts a new object in the
place of the old one under a growing resource version. Reads are by key, kind, namespace, controller, node; nothing
scans all objects. Not here: what changes mean (controllers) and where objects come from (sources, host reports).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import msgspec

from objects.meta import KubeObject, ObjectKey, ObjectMeta, controller_of
from objects.pods import Pod

K = TypeVar("K", bound=KubeObject)


class View(Protocol):
    """What controllers may ask: reads only, so that `plan` can hand them a copy and a test a handful of objects."""

    def get(self, kind: type[K], namespace: str, name: str) -> K | None: ...
    def find(self, key: ObjectKey) -> KubeObject | None: ...
    def all_of(self, kind: type[K], namespace: str | None = None) -> list[K]: ...
    def owned(self, kind: type[K], owner_uid: str) -> list[K]: ...
    def orphans(self, kind: type[K], namespace: str) -> list[K]: ...
    def pods_on(self, node: str) -> list[Pod]: ...


class Changed(msgspec.Struct, frozen=True):
    """One write: `old` is None for a new object, `new` is None for a removed one."""

    key: ObjectKey
    old: KubeObject | None
    new: KubeObject | None


class Store:
    """Objects by key with the indexes that `View` needs. Lists come in order of key, so decisions are repeatable."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, KubeObject] = {}
        self._by_kind: dict[str, dict[str, dict[ObjectKey, KubeObject]]] = defaultdict(lambda: defaultdict(dict))
        self._by_owner: dict[tuple[str, str], dict[ObjectKey, KubeObject]] = defaultdict(dict)
        self._by_node: dict[str, dict[ObjectKey, Pod]] = defaultdict(dict)
        self._by_uid: dict[str, ObjectKey] = {}
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
        items = self._by_owner.get((kind.KIND, ""), {}).items()
        return _sorted(kind, ((key, obj) for key, obj in items if key.namespace == namespace))

    def pods_on(self, node: str) -> list[Pod]:
        return _sorted(Pod, self._by_node.get(node, {}).items())

    def by_uid(self, uid: str) -> KubeObject | None:
        key = self._by_uid.get(uid)
        return None if key is None else self._objects.get(key)

    # --- writes --------------------------------------------------------------------------------------------------

    def put(self, obj: KubeObject) -> Changed | None:
        """Insert or replace; returns what changed, or None when `obj` equals what is there (no new version)."""
        key = obj.key
        old = self._objects.get(key)
        if old is not None and msgspec.structs.replace(obj, metadata=_with_version(obj, old)) == old:
            return None
        self.version += 1
        generation = obj.metadata.generation if old is None else old.metadata.generation
        if old is None or getattr(old, "spec", None) != getattr(obj, "spec", None):
            generation += 1
        metadata = msgspec.structs.replace(obj.metadata, resource_version=str(self.version), generation=generation)
        new = msgspec.structs.replace(obj, metadata=metadata)
        if old is not None:
            self._unindex(key, old)
        self._index(key, new)
        return Changed(key, old, new)

    def remove(self, key: ObjectKey) -> Changed | None:
        """Take an object out; None when there is none."""
        old = self._objects.get(key)
        if old is None:
            return None
        self.version += 1
        self._unindex(key, old)
        return Changed(key, old, None)

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
        self._by_owner[key.kind, _owner_uid(obj)][key] = obj
        if obj.uid:
            self._by_uid[obj.uid] = key
        if isinstance(obj, Pod) and obj.spec.node_name:
            self._by_node[obj.spec.node_name][key] = obj

    def _unindex(self, key: ObjectKey, obj: KubeObject) -> None:
        del self._objects[key]
        del self._by_kind[key.kind][key.namespace][key]
        _discard(self._by_owner, (key.kind, _owner_uid(obj)), key)
        if self._by_uid.get(obj.uid) == key:
            del self._by_uid[obj.uid]
        if isinstance(obj, Pod) and obj.spec.node_name:
            _discard(self._by_node, obj.spec.node_name, key)


def _owner_uid(obj: KubeObject) -> str:
    owner = controller_of(obj)
    return "" if owner is None else owner.uid


def _with_version(obj: KubeObject, old: KubeObject) -> ObjectMeta:
    return msgspec.structs.replace(
        obj.metadata, resource_version=old.metadata.resource_version, generation=old.metadata.generation
    )


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
