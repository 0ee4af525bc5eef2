"""All objects of one moment, for any number of readers in any thread, and a journal of what changed since when. Pure.

The store is the engine's alone. After each step the engine publishes a `Snapshot`: an immutable view of all objects
that shares with the one before whatever did not change, so that publishing costs as much as was written. A reader
keeps the snapshot that it looked at last, and asks what is different in a newer one (`changes_since`), or, when each
change in its order is wanted (a watch of the Kubernetes API), the `Journal`, which goes back some thousand changes.
What is older is `Expired`: the reader takes the snapshot instead.

What a reader may rely on: the journal since a snapshot's version, applied to that snapshot's objects, gives the newer
one's objects; an object that was written several times in a step is in it once, as it was at the step's end; one that
went and came again under another uid is in it twice; versions only grow.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple, TypeVar

from objects.api.meta import KubeObject, ObjectKey, controller_of
from reconciler.state.shared_map import MapDraft, SharedMap, difference
from reconciler.state.store import Changed

K = TypeVar("K", bound=KubeObject)
Objects = SharedMap[ObjectKey, KubeObject]
Keys = SharedMap[ObjectKey, None]

MOST_STEPS: Final = 1024
MOST_CHANGES: Final = 8192
"""What the journal keeps at least of the newest steps that are within both: minutes of a busy cluster. It holds objects
that nobody else has any more, 2 KB each."""


class Expired(Exception):
    """The journal does not go back so far; what a reader of the Kubernetes API gets as 410 Gone."""


class JournalEntry(NamedTuple):
    """What a step made of an object. verb: in the words of a watch. obj: as it is now, or as it was when DELETED."""

    version: int
    verb: Literal["ADDED", "MODIFIED", "DELETED"]
    key: ObjectKey
    obj: KubeObject


class Snapshot:
    """version: of the newest write that is in it; resource versions of its objects are not higher."""

    __slots__ = ("_kinds", "_owned", "version")

    def __init__(
        self,
        version: int = 0,
        kinds: dict[str, Objects] | None = None,
        owned: SharedMap[tuple[str, str], Keys] | None = None,
    ) -> None:
        self.version = version
        self._kinds = kinds or {}
        self._owned: SharedMap[tuple[str, str], Keys] = SharedMap() if owned is None else owned

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def __iter__(self) -> Iterator[KubeObject]:
        """All objects, in no order."""
        for objects in self._kinds.values():
            yield from objects.values()

    def find(self, key: ObjectKey) -> KubeObject | None:
        objects = self._kinds.get(key.kind)
        found: KubeObject | None = None if objects is None else objects.get(key)
        return found

    def get(self, kind: type[K], namespace: str, name: str) -> K | None:
        obj = self.find(ObjectKey(kind.KIND, namespace if kind.NAMESPACED else "", name))
        return obj if isinstance(obj, kind) else None

    def all_of(self, kind: type[K], namespace: str | None = None) -> list[K]:
        """All objects of a kind in order of key, of one namespace when it is given."""
        objects = self._kinds.get(kind.KIND)
        if objects is None:
            return []
        keys = objects if namespace is None else (key for key in objects if key.namespace == namespace)
        return [obj for key in sorted(keys) if isinstance(obj := objects[key], kind)]

    def owned(self, kind: type[K], owner_uid: str) -> list[K]:
        """Objects of a kind whose controller has this uid, in order of key."""
        keys = self._owned.get((kind.KIND, owner_uid))
        return [] if keys is None else [obj for key in sorted(keys) if isinstance(obj := self.find(key), kind)]

    def changes_since(self, before: Snapshot) -> list[Changed]:
        """What is another object here than in an older snapshot, in order of key; costs as much as that is."""
        found: list[Changed] = []
        nothing = Objects()
        for kind in self._kinds.keys() | before._kinds.keys():
            old, new = before._kinds.get(kind, nothing), self._kinds.get(kind, nothing)
            found += (Changed(*one) for one in difference(old, new))
        return sorted(found, key=lambda one: one.key)


class Journal:
    """A bounded past, immutable as the snapshot beside it."""

    __slots__ = ("_size", "_steps", "begin")

    def __init__(self, begin: int = 0, steps: tuple[tuple[JournalEntry, ...], ...] = (), size: int = 0) -> None:
        """begin: the version since which it tells everything. steps: none of them empty. size: entries of all."""
        self.begin = begin
        self._steps = steps
        self._size = size

    def since(self, version: int) -> Iterator[JournalEntry]:
        """All that was written after `version`, in order of version. Raises Expired at once."""
        if version < self.begin:
            raise Expired(f"what changed since version {version} is not known any more: it goes back to {self.begin}")
        first = bisect_right(self._steps, version, key=lambda step: step[-1].version)
        return (entry for step in self._steps[first:] for entry in step if entry.version > version)

    def followed_by(self, entries: tuple[JournalEntry, ...]) -> Journal:
        """With one more step, and without what is too long ago."""
        steps, size, begin, first = (*self._steps, entries), self._size + len(entries), self.begin, 0
        while size > MOST_CHANGES or len(steps) - first > MOST_STEPS:
            begin, size, first = steps[first][-1].version, size - len(steps[first]), first + 1
        return Journal(begin, steps[first:] if first else steps, size)


class SnapshotWriter:
    """Makes each snapshot from the one before and what was written since. Owned by the engine's thread."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        """snapshot: of what there is already; its journal begins there."""
        self.snapshot = snapshot or Snapshot()
        self.journal = Journal(self.snapshot.version)
        self._kinds = {kind: MapDraft(objects) for kind, objects in self.snapshot._kinds.items()}
        self._owned = MapDraft(self.snapshot._owned)

    def publish(self, changed: Iterable[Changed], *, version: int) -> Snapshot:
        """Take in writes, in the order in which they were made. version: of the store after them."""
        entries = _entries(changed)
        if not entries:
            return self.snapshot
        kinds: set[str] = set()
        groups: dict[tuple[str, str], MapDraft[ObjectKey, None]] = {}
        for entry in entries:
            kinds.add(entry.key.kind)
            self._take(entry, groups)
        for owner, keys in groups.items():
            if keys:
                self._owned.put(owner, keys.publish())
            else:
                self._owned.remove(owner)
        published = {**self.snapshot._kinds, **{kind: self._kinds[kind].publish() for kind in kinds}}
        self.snapshot = Snapshot(version, published, self._owned.publish())
        self.journal = self.journal.followed_by(entries)
        return self.snapshot

    def _take(self, entry: JournalEntry, groups: dict[tuple[str, str], MapDraft[ObjectKey, None]]) -> None:
        key, obj = entry.key, entry.obj
        objects = self._kinds.get(key.kind)
        if objects is None:
            objects = self._kinds[key.kind] = MapDraft()
        before = self.snapshot.find(key) if entry.verb == "MODIFIED" else None
        if entry.verb == "DELETED":
            objects.remove(key)
        else:
            objects.put(key, obj)
        if before is not None and before.metadata.owner_references is obj.metadata.owner_references:
            return
        old = obj if entry.verb == "DELETED" else before
        new = None if entry.verb == "DELETED" else obj
        left, joined = _owner_of(old), _owner_of(new)
        if left != joined:
            if left:
                self._group(key.kind, left, groups).remove(key)
            if joined:
                self._group(key.kind, joined, groups).put(key, None)

    def _group(
        self, kind: str, uid: str, groups: dict[tuple[str, str], MapDraft[ObjectKey, None]]
    ) -> MapDraft[ObjectKey, None]:
        """The keys of what one controller owns, to be written to."""
        owner = kind, uid
        found = groups.get(owner)
        if found is None:
            published: Keys | None = self._owned.publish().get(owner)
            found = groups[owner] = MapDraft(published)
        return found


def _owner_of(obj: KubeObject | None) -> str:
    owner = None if obj is None else controller_of(obj)
    return "" if owner is None else owner.uid


def _entries(changed: Iterable[Changed]) -> tuple[JournalEntry, ...]:
    """What writes amount to: of each object its last state, in order of version."""
    first: dict[ObjectKey, KubeObject | None] = {}
    last: dict[ObjectKey, Changed] = {}
    removed: dict[ObjectKey, int] = {}
    for one in changed:
        first.setdefault(one.key, one.old)
        last[one.key] = one
        if one.new is None:
            removed[one.key] = one.version
    entries: list[JournalEntry] = []
    for key, one in last.items():
        old, new = first[key], one.new
        is_another = old is not None and new is not None and old.uid != new.uid
        if old is not None and (new is None or is_another):
            entries.append(JournalEntry(removed.get(key, one.version), "DELETED", key, old))
        if new is not None:
            verb: Literal["ADDED", "MODIFIED"] = "ADDED" if old is None or is_another else "MODIFIED"
            entries.append(JournalEntry(one.version, verb, key, new))
    # Sorting is stable: what went is told before what came in its place, also when that was one write.
    return tuple(sorted(entries, key=lambda entry: entry.version))


def replayed(objects: Iterable[KubeObject], entries: Iterable[JournalEntry]) -> dict[ObjectKey, KubeObject]:
    """What a reader has that applies a journal to what it knew."""
    known = {obj.key: obj for obj in objects}
    for entry in entries:
        if entry.verb == "DELETED":
            known.pop(entry.key, None)
        else:
            known[entry.key] = entry.obj
    return known
