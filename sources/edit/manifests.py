"""Changes a person's manifests and nothing else in them: comments, order, quotes and layout stay as they are.

Where it can be done in the text itself the diff is the lines that are meant; anything else goes through ruamel's round
trip of that one document. Either way the result is read back: it must say exactly what was asked for and, everywhere
else, what it said before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from objects import convert
from objects.api.meta import DEFAULT_NAMESPACE, ObjectKey
from objects.errors import InvalidInput, NotFound
from objects.fields import FieldPath, show_path, value_at
from sources.edit import text as edit_text
from sources.edit import tree as edit_tree
from sources.yaml.lists import expand_list
from sources.yaml.loader import load_documents


class Position(NamedTuple):
    """An object inside a file. path: () or the way to an item of a List."""

    document: int
    path: FieldPath = ()


def find_object(text: str, key: ObjectKey, *, namespace: str = DEFAULT_NAMESPACE) -> Position:
    """Where the manifest of `key` stands in a file. namespace: of manifests that name none. Raises NotFound."""
    for document in load_documents(text.encode()):
        for path, manifest in objects_in(document.value):
            metadata = manifest.get("metadata")
            if not isinstance(metadata, dict) or metadata.get("name") != key.name:
                continue
            if manifest.get("kind") != key.kind and convert.convert(manifest).manifest.get("kind") != key.kind:
                continue
            if not key.namespace or (metadata.get("namespace") or namespace) == key.namespace:
                return Position(document.number, path)
    raise NotFound(f"{key} is not in this file")


def read_object(text: str, position: Position) -> dict[str, Any]:
    """The manifest at `position`, as it is written."""
    value = load_documents(text.encode())[position.document].value
    for key in position.path:
        value = value[key]
    manifest: dict[str, Any] = value
    return manifest


def set_field(text: str, position: Position, path: FieldPath, value: Any) -> str:
    """`text` with `value` at `path` of the object at `position`. value: plain JSON types.

    Missing mappings on the way are made; list items must exist. Raises InvalidInput when it cannot be done cleanly.
    """
    whole = (*position.path, *path)
    return _edited(
        text,
        position.document,
        whole,
        lambda old: _with_value(old, whole, value),
        lambda: edit_text.replace_scalar(text, position.document, whole, value),
        lambda: edit_text.insert_entry(text, position.document, whole, value),
        lambda: edit_tree.round_trip(text, position.document, edit_tree.setting(whole, value)),
    )


def remove_field(text: str, position: Position, path: FieldPath) -> str:
    """`text` without the entry or list item at `path`, which must be there. Raises InvalidInput."""
    whole = (*position.path, *path)
    return _edited(
        text,
        position.document,
        whole,
        lambda old: _without(old, whole),
        lambda: edit_text.remove_entry(text, position.document, whole),
        lambda: edit_tree.round_trip(text, position.document, edit_tree.removing(whole)),
    )


def insert_item(text: str, position: Position, path: FieldPath, value: Any) -> str:
    """`text` with a new list item before the one that `path` names now, or at the list's end. Raises InvalidInput."""
    whole = (*position.path, *path)
    return _edited(
        text,
        position.document,
        whole,
        lambda old: _with_item(old, whole, value),
        lambda: edit_text.insert_item(text, position.document, whole, value),
        lambda: edit_tree.round_trip(text, position.document, edit_tree.inserting(whole, value)),
    )


Attempt = Callable[[], str | None]


def _edited(text: str, document: int, path: FieldPath, meant: Callable[[Any], Any], *attempts: Attempt) -> str:
    """What the first attempt gives that reads as `meant` says, other documents as before. Raises InvalidInput."""
    before = [found.value for found in load_documents(text.encode())]
    wanted = [meant(old) if number == document else old for number, old in enumerate(before)]
    if wanted == before:
        return text
    for attempt in attempts:
        changed = attempt()
        if changed is not None and _reads_as(changed, wanted):
            return changed
    raise InvalidInput(f"{show_path(path)} cannot be changed without disturbing the file", hint="edit it by hand")


def objects_in(value: Any, path: FieldPath = ()) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    """The objects of a document and the ways to them: itself, or the items of a List."""
    return ((place, item) for place, item in expand_list(value, path) if isinstance(item, dict))


def _reads_as(text: str, wanted: list[Any]) -> bool:
    try:
        return [document.value for document in load_documents(text.encode())] == wanted
    except InvalidInput:
        return False


# --- what is meant -------------------------------------------------------------------------------------------------


def _with_value(old: Any, path: FieldPath, value: Any) -> Any:
    """A copy of `old` with `value` at `path`. Raises InvalidInput when the way there is blocked."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        if not isinstance(old, list) or not 0 <= key < len(old):
            raise InvalidInput(f"there is no list item [{key}]")
        return [_with_value(item, rest, value) if index == key else item for index, item in enumerate(old)]
    if old is not None and not isinstance(old, dict):
        raise InvalidInput(f"'{key}' cannot be set: its parent is not a mapping")
    parent = old or {}
    return {**parent, key: _with_value(parent.get(key), rest, value)}


def _without(old: Any, path: FieldPath) -> Any:
    """A copy of `old` without what is at `path`. Raises InvalidInput when nothing is there."""
    parent = value_at(old, path[:-1])
    key = path[-1]
    if isinstance(parent, dict) and key in parent:
        return _with_value(old, path[:-1], {name: value for name, value in parent.items() if name != key})
    if isinstance(parent, list) and isinstance(key, int) and 0 <= key < len(parent):
        return _with_value(old, path[:-1], [*parent[:key], *parent[key + 1 :]])
    raise InvalidInput(f"there is no {show_path(path)}")


def _with_item(old: Any, path: FieldPath, value: Any) -> Any:
    parent, index = value_at(old, path[:-1]), path[-1]
    if not isinstance(parent, list) or not isinstance(index, int) or not 0 <= index <= len(parent):
        raise InvalidInput(f"there is no place {show_path(path)} in a list")
    return _with_value(old, path[:-1], [*parent[:index], value, *parent[index:]])
