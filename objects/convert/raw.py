"""Walking and changing manifests whose shape is not yet known to be right. What has another shape is passed over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from objects.codec import DecodeError
from objects.fields import FieldError

Raw: TypeAlias = dict[str, Any]
Warnings: TypeAlias = list[str]
"""Collects one sentence for each thing that is read otherwise than it is written."""
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
