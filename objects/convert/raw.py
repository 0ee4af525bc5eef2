"""Walking and changing manifests whose shape is not yet known to be right. What has another shape is passed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from objects.codec import DecodeError
from objects.fields import FieldError, FieldPath

Raw: TypeAlias = dict[str, Any]


class Warnings:
    """Collects what is read otherwise than it is written, and where in the file it stands."""

    def __init__(self) -> None:
        self.found: list[FieldError] = []
        self.moved: dict[FieldPath, FieldPath] = {}
        """Place in the converted manifest → the place in the file that it came from."""

    def add(self, text: str, path: FieldPath = ()) -> None:
        """One sentence. path: what it is about, as written in the file."""
        self.found.append(FieldError(path, text))

    def move(self, old: FieldPath, new: FieldPath, text: str = "") -> None:
        """What stood at `old` stands at `new` now: a problem there is told at `old`. text: a warning, if it is one."""
        self.moved[new] = old
        if text:
            self.add(text, old)


Change: TypeAlias = Callable[[Raw, Warnings], None]
"""Changes a copy of a manifest in place."""


def mapping_at(raw: Mapping[str, Any], *path: str) -> Raw | None:
    """The mapping at a place, or None when there is none."""
    place: Any = raw
    for key in path:
        place = place.get(key) if isinstance(place, Mapping) else None
    return place if isinstance(place, dict) else None


def mappings_in(value: Any) -> Iterator[Raw]:
    """The mappings of a list; nothing when it is no list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def set_default(raw: Raw, field: str, value: object) -> None:
    """Set `spec.<field>` unless the file says something."""
    spec = mapping_at(raw, "spec")
    if spec is not None and spec.get(field) is None:
        spec[field] = value


def json_annotation(metadata: Raw, key: str, place: tuple[str, ...]) -> Any:
    """Take the JSON value of an annotation out of `metadata` (at `place`). Raises DecodeError; None when absent."""
    annotations = mapping_at(metadata, "annotations")
    if annotations is None or key not in annotations:
        return None
    text = annotations.pop(key)
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        raise DecodeError((FieldError((*place, "annotations", key), "must hold valid JSON"),)) from None
