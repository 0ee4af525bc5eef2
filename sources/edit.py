"""Changes one field of a person's manifest and nothing else: comments, order, quotes and layout stay as they are.

A scalar that stands there already is replaced in the text itself, so that the diff is one line. Anything else (a new
field, a whole template) goes through ruamel's round trip of that one document. Either way the result is read back: it
must say exactly what was asked for and, everywhere else, what it said before.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError as RuamelError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString
from yaml._yaml import CParser
from yaml.events import DocumentEndEvent, DocumentStartEvent

from objects.errors import InvalidInput, NotFound
from objects.fields import FieldPath, show_path
from objects.meta import DEFAULT_NAMESPACE, ObjectKey
from sources.yaml_loader import load_documents
from sources.yaml_scalars import old_boolean, resolve_plain
from sources.yaml_syntax import PlaceFinder, Span

_PLAIN = re.compile(r"[A-Za-z0-9_./@+-](?:[A-Za-z0-9_./@+ :-]*[A-Za-z0-9_./@+-])?")
_KEEP_LINES = 1_000_000


class Position(NamedTuple):
    """An object inside a file. path: () or the way to an item of a List."""

    document: int
    path: FieldPath = ()


def find_object(text: str, key: ObjectKey, *, namespace: str = DEFAULT_NAMESPACE) -> Position:
    """Where the manifest of `key` stands in a file. namespace: of manifests that name none. Raises NotFound."""
    for document in load_documents(text.encode()):
        for path, manifest in _manifests(document.value, ()):
            metadata = manifest.get("metadata")
            if manifest.get("kind") != key.kind or not isinstance(metadata, dict) or metadata.get("name") != key.name:
                continue
            if not key.namespace or (metadata.get("namespace") or namespace) == key.namespace:
                return Position(document.number, path)
    raise NotFound(f"{key} is not in this file")


def set_field(text: str, position: Position, path: FieldPath, value: Any) -> str:
    """`text` with `value` at `path` of the object at `position`. value: plain JSON types.

    Missing mappings on the way are made; list items must exist. Raises InvalidInput when it cannot be done cleanly.
    """
    whole_path = (*position.path, *path)
    before = [document.value for document in load_documents(text.encode())]
    wanted = [
        _with_value(old, whole_path, value) if number == position.document else old for number, old in enumerate(before)
    ]
    if wanted == before:
        return text
    for attempt in (_replace_scalar, _round_trip):
        changed = attempt(text, position.document, whole_path, value)
        if changed is not None and _reads_as(changed, wanted):
            return changed
    raise InvalidInput(f"{show_path(whole_path)} cannot be changed without disturbing the file", hint="edit it by hand")


def _manifests(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, dict[str, Any]]]:
    if not isinstance(value, dict):
        return
    items = value.get("items")
    if str(value.get("kind", "")).endswith("List") and isinstance(items, list):
        for index, item in enumerate(items):
            yield from _manifests(item, (*path, "items", index))
    else:
        yield path, value


def _reads_as(text: str, wanted: list[Any]) -> bool:
    try:
        return [document.value for document in load_documents(text.encode())] == wanted
    except InvalidInput:
        return False


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


# --- in the text --------------------------------------------------------------------------------------------------


def _replace_scalar(text: str, document: int, path: FieldPath, value: Any) -> str | None:
    if isinstance(value, dict | list):
        return None
    span = PlaceFinder(text).locate(document, path).scalar
    if span is None or span.style in ("|", ">"):
        return None
    return text[: span.start] + _scalar_text(value, span) + text[span.end :]


def _scalar_text(value: Any, span: Span) -> str:
    """A scalar in the style of the one that it replaces, where that can hold it."""
    if isinstance(value, str):
        if span.style == "'" and "'" not in value and value.isprintable():
            return f"'{value}'"
        is_clear = _PLAIN.fullmatch(value) and ": " not in value and resolve_plain(value) == value
        if span.style is None and is_clear and old_boolean(value) is None:
            return value
    return json.dumps(value, ensure_ascii=False)


# --- through ruamel -----------------------------------------------------------------------------------------------


def _round_trip(text: str, document: int, path: FieldPath, value: Any) -> str | None:
    start, end = _document_span(text, document)
    part = text[start:end]
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = _KEEP_LINES
    step, offset = _step(part), _list_offset(part)
    editor.indent(mapping=step, sequence=offset + 2, offset=offset)
    editor.explicit_start = part.startswith("---")
    try:
        tree = editor.load(part)
        _assign(tree, path, _unmistakable(value))
        written = io.StringIO()
        editor.dump(tree, written)
    except RuamelError:
        return None
    result = written.getvalue()
    tail = text[end:]
    return text[:start] + (result if not tail or result.endswith("\n") else result + "\n") + tail


def _assign(tree: Any, path: FieldPath, value: Any) -> None:
    node = tree
    for key in path[:-1]:
        if isinstance(key, str) and node.get(key) is None:
            node[key] = {}
        node = node[key]
    node[path[-1]] = value


def _unmistakable(value: Any) -> Any:
    """`value` for ruamel: texts that some reader of YAML takes for something else in quotes, long ones as blocks."""
    if isinstance(value, dict):
        return {key: _unmistakable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unmistakable(item) for item in value]
    if not isinstance(value, str):
        return value
    if "\n" in value:
        return LiteralScalarString(value)
    is_clear = resolve_plain(value) == value and old_boolean(value) is None
    return value if is_clear else DoubleQuotedScalarString(value)


def _step(text: str) -> int:
    """How far this file indents a mapping below its key."""
    found = re.search(r"^[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n(?:[ ]*(?:#[^\n]*)?\n)*( +)[^\s#-]", text, re.MULTILINE)
    return len(found[1]) if found else 2


def _list_offset(text: str) -> int:
    """How far this file indents `- ` below its key."""
    found = re.search(r"^( *)[^\s#-][^\n]*:[ ]*\n(?:[ ]*(?:#[^\n]*)?\n)*( *)- ", text, re.MULTILINE)
    return max(len(found[2]) - len(found[1]), 0) if found else 0


def _document_span(text: str, number: int) -> tuple[int, int]:
    """Offsets of a document, its `---` included."""
    get_event: Callable[[], Any] = CParser(text).get_event
    start, seen = 0, -1
    while (event := get_event()) is not None:
        if isinstance(event, DocumentStartEvent):
            seen += 1
            start = _offset(event.start_mark)
        elif isinstance(event, DocumentEndEvent) and seen == number:
            return (0 if number == 0 else start), _offset(event.end_mark)
    return start, len(text)


def _offset(mark: Any) -> int:
    offset: int = mark.index
    return offset
