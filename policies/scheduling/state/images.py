"""Which host has which image: a column of sizes for each image that some pod asked about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from objects.api.core import ContainerImage
from policies.scheduling.state.arrays import IntArray

_MOST_ABSENT: Final = 4096
"""Images that no host has, but somebody asked about: when there are more, all of them are forgotten."""


_NO_SIZES: IntArray = np.zeros(0, dtype=np.int64)


class ImageColumn:
    """One image over the hosts. hosts: by row its size in bytes, where it is. version moves with every change."""

    __slots__ = ("_capacity", "_sizes", "hosts", "version")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._sizes: IntArray | None = None
        self.hosts: dict[int, int] = {}
        self.version = 0

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        self._sizes = None

    def put(self, row: int, size_bytes: int | None) -> None:
        if size_bytes is None:
            del self.hosts[row]
        else:
            self.hosts[row] = size_bytes
        if self._sizes is not None:
            self._sizes[row] = size_bytes or 0
        self.version += 1

    @property
    def sizes(self) -> IntArray:
        """Bytes by row, 0 where it is not; made when somebody asks."""
        if self._sizes is None:
            self._sizes = np.zeros(self._capacity, dtype=np.int64)
            self._sizes[list(self.hosts)] = list(self.hosts.values())
        return self._sizes


class ImageIndex:
    """Images by name: a column for each that a host has, or that somebody asked about.

    generation moves when columns that were handed out are kept no longer: ask for them anew.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.generation = 0
        self._listed: dict[int, tuple[ContainerImage, ...]] = {}
        self._columns: dict[str, ImageColumn] = {}
        self._absent = 0

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        for column in self._columns.values():
            column.grow(capacity)

    def set_host(self, row: int, images: Iterable[ContainerImage]) -> None:
        listed = tuple(images)
        before = self._listed.get(row, ())
        if listed == before:
            return
        self._listed[row] = listed
        old, new = _sizes_by_name(before), _sizes_by_name(listed)
        for name in old.keys() | new.keys():
            if old.get(name) != new.get(name):
                self._put(self.column(name), row, new.get(name))

    def _put(self, column: ImageColumn, row: int, size_bytes: int | None) -> None:
        self._absent -= not column.hosts
        column.put(row, size_bytes)
        self._absent += not column.hosts

    def is_anywhere(self, name: str) -> bool:
        """Whether a host has the image. name: see `column`."""
        column = self._columns.get(name)
        return column is not None and bool(column.hosts)

    def column(self, name: str) -> ImageColumn:
        """An image by its normalised name."""
        column = self._columns.get(name)
        if column is None:
            if self._absent >= _MOST_ABSENT:
                self._columns = {known: column for known, column in self._columns.items() if column.hosts}
                self._absent = 0
                self.generation += 1
            column = self._columns[name] = ImageColumn(self._capacity)
            self._absent += 1
        return column


def _sizes_by_name(images: Iterable[ContainerImage]) -> dict[str, int]:
    return {normalised_image_name(name): image.size_bytes for image in images for name in image.names}


def normalised_image_name(name: str) -> str:
    """With `:latest` when there is neither tag nor digest, as the engine reads it."""
    if "@" in name or ":" in name.rsplit("/", 1)[-1]:
        return name
    return f"{name}:latest"
