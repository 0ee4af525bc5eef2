"""Edits through ruamel's round trip of one document: comments, order and quotes stay, the layout nearly always.

For what cannot be done in the text itself (`sources.edit.text`); the caller checks what came of it. JSON files have no
comments to keep: they are written anew with the indentation that they have.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError as RuamelError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString
from yaml._yaml import CParser
from yaml.events import DocumentEndEvent, DocumentStartEvent

from objects.fields import FieldPath
from sources.yaml.scalars import old_boolean, resolve_plain

_KEEP_LINES = 1_000_000

TreeChange = Callable[[Any], None]
"""Changes a loaded document in place."""


def round_trip(text: str, document: int, change: TreeChange) -> str | None:
    """`text` with `change` applied to one of its documents; None when it cannot be loaded or written."""
    if text.lstrip()[:1] == "{" and (written := _json_round_trip(text, change)) is not None:
        return written
    start, end = document_span(text, document)
    # ruamel knows one kind of line break.
    newline = "\r\n" if "\r\n" in text[start:end] else "\n"
    part = text[start:end].replace("\r\n", "\n")
    editor = _editor(part)
    editor.explicit_start = part.startswith("---")
    try:
        tree = editor.load(part)
        change(tree)
        out = io.StringIO()
        editor.dump(tree, out)
    except (RuamelError, KeyError, IndexError, TypeError, AttributeError):
        return None
    result, tail = out.getvalue(), text[end:]
    if tail and not result.endswith("\n"):
        result += "\n"
    return text[:start] + result.replace("\n", newline) + tail


def setting(path: FieldPath, value: Any) -> TreeChange:
    """Put `value` at `path`; missing mappings on the way are made."""

    def change(tree: Any) -> None:
        node = tree
        for key in path[:-1]:
            if isinstance(key, str) and node.get(key) is None:
                node[key] = {}
            node = node[key]
        node[path[-1]] = unmistakable(value)

    return change


def removing(path: FieldPath) -> TreeChange:
    """Take out the entry or the list item at `path`."""

    def change(tree: Any) -> None:
        del _at(tree, path[:-1])[path[-1]]

    return change


def inserting(path: FieldPath, value: Any) -> TreeChange:
    """Put `value` into a list, before the item that has the last index of `path` now."""

    def change(tree: Any) -> None:
        _at(tree, path[:-1]).insert(path[-1], unmistakable(value))

    return change


def dump_fragment(value: Any, like: str) -> str:
    """A mapping or list as block YAML, in the indentation of the text `like`."""
    out = io.StringIO()
    _editor(like).dump(unmistakable(value), out)
    return out.getvalue()


def document_span(text: str, number: int) -> tuple[int, int]:
    """Offsets of a document, its `---` included; the first one begins with the text."""
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


def unmistakable(value: Any) -> Any:
    """`value` for ruamel: texts that some reader of YAML takes for something else in quotes, long ones as blocks."""
    if isinstance(value, dict):
        return {key: unmistakable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [unmistakable(item) for item in value]
    if not isinstance(value, str):
        return value
    if "\n" in value and _fits_block(value):
        return LiteralScalarString(value)
    is_clear = resolve_plain(value) == value and old_boolean(value) is None
    return value if is_clear else DoubleQuotedScalarString(value)


def _fits_block(value: str) -> bool:
    """Whether a block shows the text as it is: no other control characters, no blanks at its start or a line's end."""
    lines = value.replace("\t", " ").split("\n")
    return all(line.isprintable() and line == line.rstrip() for line in lines) and not value.startswith((" ", "\n"))


def _at(tree: Any, path: FieldPath) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def _editor(like: str) -> YAML:
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = _KEEP_LINES
    offset = _list_offset(like)
    editor.indent(mapping=_step(like), sequence=offset + 2, offset=offset)
    return editor


def _step(text: str) -> int:
    """How far this file indents a mapping below its key."""
    found = re.search(r"^[^\s#-][^\n]*:[ ]*(?:#[^\n]*)?\n(?:[ ]*(?:#[^\n]*)?\n)*( +)[^\s#-]", text, re.MULTILINE)
    return len(found[1]) if found else 2


def _list_offset(text: str) -> int:
    """How far this file indents `- ` below its key."""
    found = re.search(r"^( *)[^\s#-][^\n]*:[ ]*\n(?:[ ]*(?:#[^\n]*)?\n)*( *)- ", text, re.MULTILINE)
    return max(len(found[2]) - len(found[1]), 0) if found else 0


def _json_round_trip(text: str, change: TreeChange) -> str | None:
    """None when the text only looks like JSON."""
    try:
        tree = json.loads(text)
    except ValueError:
        return None
    try:
        change(tree)
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    found = re.search(r"\n([ \t]+)\"", text)
    return json.dumps(tree, indent=found[1] if found else None, ensure_ascii=False) + ("\n" if "\n" in text else "")
