"""Whole objects in a person's file: brought to another content with as few edits as possible, added, or taken out.

What stays the same keeps its lines and comments. Items of lists are recognised by name, so that one container more is
one insertion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from objects.fields import FieldPath
from sources.edit.manifests import (
    Position,
    insert_item,
    read_object,
    remove_field,
    set_field,
)
from sources.edit.tree import document_span, dump_fragment
from sources.yaml.loader import load_documents

_IDENTITIES = ("name", "mountPath", "key", "containerPort", "port", "ip")
"""Fields that tell the items of a list apart, the first that all items have."""


class _Edit(NamedTuple):
    """One step. action: `set`, `remove` or `insert` (a list item before the last index of path)."""

    action: str
    path: FieldPath
    value: Any = None


def replace_object(text: str, position: Position, manifest: dict[str, Any]) -> str:
    """`text` with the object at `position` saying exactly `manifest`. Raises InvalidInput when it cannot be done."""
    for edit in _edits(read_object(text, position), manifest, ()):
        match edit.action:
            case "set":
                text = set_field(text, position, edit.path, edit.value)
            case "remove":
                text = remove_field(text, position, edit.path)
            case _:
                text = insert_item(text, position, edit.path, edit.value)
    return text


def remove_object(text: str, position: Position) -> str:
    """`text` without the object: its document, or its item of a List. '' when the file has no object any more."""
    if position.path:
        parent = read_object(text, Position(position.document, position.path[:-1]))
        if len(parent) > 1:
            return remove_field(text, Position(position.document), position.path)
    start, end = document_span(text, position.document)
    rest = text[:start] + text[end:]
    if position.document == 0:
        rest = rest.removeprefix("---").lstrip("\n")
    return rest if any(document.value is not None for document in load_documents(rest.encode())) else ""


def document_text(text: str, document: int) -> str:
    """One document of a file as it is written, comments included, without the `---` in front of it."""
    start, end = document_span(text, document)
    return text[start:end].removeprefix("---").lstrip("\n")


def replace_document(text: str, document: int, content: str) -> str:
    """`text` with `content` (one document, without `---`) in the place of one of its documents."""
    start, end = document_span(text, document)
    old = text[start:end]
    lead = old[: len(old) - len(document_text(text, document))]
    tail = text[end:]
    if tail and not content.endswith("\n"):
        content += "\n"
    return text[:start] + lead + content + tail


def new_file(manifest: dict[str, Any]) -> str:
    """A file of its own for an object, in the layout that people use."""
    return dump_fragment(manifest, "")


# --- which edits ---------------------------------------------------------------------------------------------------


def _edits(old: Any, new: Any, path: FieldPath) -> Iterator[_Edit]:
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict) and (new or not old):
        for key in [key for key in old if key not in new]:
            yield _Edit("remove", (*path, key))
        for key, value in new.items():
            if key in old:
                yield from _edits(old[key], value, (*path, key))
            else:
                yield _Edit("set", (*path, key), value)
    elif isinstance(old, list) and isinstance(new, list) and new:
        yield from _list_edits(old, new, path)
    else:
        yield _Edit("set", path, new)


def _list_edits(old: list[Any], new: list[Any], path: FieldPath) -> Iterator[_Edit]:
    names = _identities(old, new)
    if names is None:
        if len(old) == len(new):
            for index, (before, after) in enumerate(zip(old, new, strict=True)):
                yield from _edits(before, after, (*path, index))
        else:
            yield _Edit("set", path, new)
        return
    before, after = names
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before] or not kept:
        yield _Edit("set", path, new)
        return
    for index in reversed(range(len(old))):
        if before[index] not in after:
            yield _Edit("remove", (*path, index))
    for index, name in enumerate(after):
        if name not in before:
            yield _Edit("insert", (*path, index), new[index])
    for index, name in enumerate(after):
        if name in before:
            yield from _edits(old[before.index(name)], new[index], (*path, index))


def _identities(old: list[Any], new: list[Any]) -> tuple[list[Any], list[Any]] | None:
    """What each item of both lists is called, unique within each list; None when they cannot be told apart."""
    for field in _IDENTITIES:
        if all(isinstance(item, dict) and field in item for item in (*old, *new)):
            return _unique([item[field] for item in old], [item[field] for item in new])
    whole = [msgspec.json.encode(item, order="sorted") for item in old]
    return _unique(whole, [msgspec.json.encode(item, order="sorted") for item in new])


def _unique(old: list[Any], new: list[Any]) -> tuple[list[Any], list[Any]] | None:
    try:
        return (old, new) if len(set(old)) == len(old) and len(set(new)) == len(new) else None
    except TypeError:
        return None
