"""A map that never changes, and the draft that makes the next one of it: both share what is alike.

Copying a map of 50,000 entries for each change of one would cost a millisecond and its size in memory. Here the entries
lie in buckets by the hash of their key, and the next map has copies of those buckets alone in which something changed:
that of one entry among many thousand costs some ten microseconds. What two maps have in common is the same object, so
`difference` costs as much as changed between them. Pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_MOST_A_BUCKET: Final = 64
"""On average, before there are four times as many buckets."""
_FEWEST_A_BUCKET: Final = 4
_NOTHING: Final[dict[Any, Any]] = {}
"""The bucket of all that is empty: never written to."""


class SharedMap(Mapping[K, V]):
    """Any number of threads may read it. In no order: whoever lists sorts."""

    __slots__ = ("_buckets", "_size")

    def __init__(self, buckets: list[dict[K, V]] | None = None, size: int = 0) -> None:
        """buckets: a power of two, never written to again."""
        self._buckets = buckets or [_NOTHING]
        self._size = size

    def __getitem__(self, key: K) -> V:
        return self._buckets[hash(key) & (len(self._buckets) - 1)][key]

    def get(self, key: K, default: Any = None) -> Any:
        return self._buckets[hash(key) & (len(self._buckets) - 1)].get(key, default)

    def __iter__(self) -> Iterator[K]:
        for bucket in self._buckets:
            yield from bucket

    def __len__(self) -> int:
        return self._size


class MapDraft(Generic[K, V]):
    """Writes to what shall be the next map. Owned by one thread."""

    __slots__ = ("_base", "_buckets", "_own", "_size")

    def __init__(self, base: SharedMap[K, V] | None = None) -> None:
        self._base: SharedMap[K, V] = SharedMap() if base is None else base
        self._buckets = self._base._buckets
        self._size = self._base._size
        self._own: set[int] = set()
        """Numbers of the buckets that no map has."""

    def put(self, key: K, value: V) -> None:
        bucket = self._own_bucket(hash(key) & (len(self._buckets) - 1))
        if key not in bucket:
            self._size += 1
            if self._size > len(self._buckets) * _MOST_A_BUCKET:
                self._divide(len(self._buckets) * 4)
                bucket = self._buckets[hash(key) & (len(self._buckets) - 1)]
        bucket[key] = value

    def remove(self, key: K) -> None:
        """Take it out, if it is there."""
        number = hash(key) & (len(self._buckets) - 1)
        if key not in self._buckets[number]:
            return
        del self._own_bucket(number)[key]
        self._size -= 1
        if self._size < len(self._buckets) * _FEWEST_A_BUCKET and len(self._buckets) > 1:
            self._divide(len(self._buckets) // 4)

    def __len__(self) -> int:
        return self._size

    def publish(self) -> SharedMap[K, V]:
        """The map as it is now; the same as the last time when nothing was written since."""
        if self._own:
            self._base = SharedMap(self._buckets, self._size)
            self._own = set()
        return self._base

    def _own_bucket(self, number: int) -> dict[K, V]:
        if number in self._own:
            return self._buckets[number]
        if not self._own:
            self._buckets = self._buckets.copy()
        self._own.add(number)
        bucket = self._buckets[number] = self._buckets[number].copy()
        return bucket

    def _divide(self, count: int) -> None:
        """Into so many buckets. A map of n entries was written to some n times since this was done before."""
        buckets: list[dict[K, V]] = [{} for _ in range(count)]
        for bucket in self._buckets:
            for key, value in bucket.items():
                buckets[hash(key) & (count - 1)][key] = value
        self._buckets, self._own = buckets, set(range(count))


def difference(before: SharedMap[K, V], after: SharedMap[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    """Key, value before, value after (None for none) of all that is not the same object, in no order."""
    if before is after:
        return
    mine, theirs = before._buckets, after._buckets
    if len(mine) != len(theirs):
        yield from _between(dict(before.items()), dict(after.items()))
        return
    for old, new in zip(mine, theirs, strict=True):
        if old is not new:
            yield from _between(old, new)


def _between(before: dict[K, V], after: dict[K, V]) -> Iterator[tuple[K, V | None, V | None]]:
    for key, new in after.items():
        old = before.get(key)
        if old is not new:
            yield key, old, new
    for key, old in before.items():
        if key not in after:
            yield key, old, None
