"""Lists of objects in one document: `kind: List`, as kubectl writes several objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from objects.fields import FieldPath


def expand_list(value: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    """The objects of a document and the ways to them: itself, or the items of a List, also of one in a List.

    An item of a `PodList` may leave its apiVersion and kind to the list. What is no object comes as it is.
    """
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(value.get("items"), list):
        yield path, value
        return
    item_kind = kind.removesuffix("List")
    for index, item in enumerate(value["items"]):
        if isinstance(item, dict) and item_kind and "kind" not in item:
            item = {"apiVersion": value.get("apiVersion"), "kind": item_kind, **item}
        yield from expand_list(item, (*path, "items", index))
