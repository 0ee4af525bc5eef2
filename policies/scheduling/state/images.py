"""Which host has which image: a column of sizes for each image that some pod asked about."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from objects.api.core import ContainerImage
from policies.scheduling.state.arrays import IntArray, grown

_MOST_COLUMNS = 1024
"""Columns of images that nobody asks about any more pile up: beyond this many all start anew."""


_NO_SIZES: IntArray = np.zeros(0, dtype=np.int64)


class ImageColumn:
    """One image over the hosts. sizes: bytes by row, 0 where it is not; made for the first host that has it.

    version moves with every change.
    """

    __slots__ = ("_capacity", "hosts", "sizes", "version")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.sizes: IntArray = _NO_SIZES
        self.hosts: set[int] = set()
        self.version = 0

    def grow(self, capacity: int) -> None:
        self._capacity = capacity
        if self.hosts:
            self.sizes = grown(self.sizes, capacity)

    def put(self, row: int, size_bytes: int | None) -> None:
        if len(self.sizes) < self._capacity:
            self.sizes = grown(self.sizes, self._capacity)
        self.sizes[row] = size_bytes or 0
        if size_bytes is None:
            self.hosts.discard(row)
        else:
            self.hosts.add(row)
        self.version += 1


class ImageIndex:
    """Images by host; columns are made when first asked for.

    generation moves when columns that were handed out are kept no longer: ask for them anew.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self.generation = 0
        self._listed: dict[int, tuple[ContainerImage, ...]] = {}
        self._columns: dict[str, ImageColumn] = {}

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
        for name, column in self._columns.items():
            if old.get(name) != new.get(name):
                column.put(row, new.get(name))

    def column(self, image: str) -> ImageColumn:
        """An image by the name a container gives it."""
        name = normalised_image_name(image)
        column = self._columns.get(name)
        if column is None:
            if len(self._columns) >= _MOST_COLUMNS:
                self._columns.clear()
                self.generation += 1
            column = self._columns[name] = ImageColumn(self._capacity)
            for row, images in self._listed.items():
                size_bytes = _sizes_by_name(images).get(name)
                if size_bytes is not None:
                    column.put(row, size_bytes)
        return column


def _sizes_by_name(images: Iterable[ContainerImage]) -> dict[str, int]:
    return {normalised_image_name(name): image.size_bytes for image in images for name in image.names}


def normalised_image_name(name: str) -> str:
    """With `:latest` when there is neither tag nor digest, as the engine reads it."""
    if "@" in name or ":" in name.rsplit("/", 1)[-1]:
        return name
    return f"{name}:latest"
