"""Edits in the text of a manifest itself: a diff of the lines that are meant, and of no other.

Each function gives None where the text is not laid out simply enough; the caller then takes `sources.edit.tree`, and
checks in any case that the result reads as it should.
"""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from objects.fields import FieldPath
from sources.edit.tree import dump_fragment
from sources.yaml.scalars import old_boolean, resolve_plain
from sources.yaml.syntax import PlaceFinder, Span, compose

_PLAIN = re.compile(r"[A-Za-z0-9_./@+-](?:[A-Za-z0-9_./@+ :-]*[A-Za-z0-9_./@+-])?")


def replace_scalar(text: str, document: int, path: FieldPath, value: Any) -> str | None:
    """Another scalar in the place of one that is there, in its style where that can hold it."""
    if isinstance(value, dict | list):
        return None
    span = PlaceFinder(text).locate(document, path).scalar
    if span is None or span.style in ("|", ">"):
        return None
    return text[: span.start] + _scalar_text(value, span) + text[span.end :]


def insert_entry(text: str, document: int, path: FieldPath, value: Any) -> str | None:
    """A new key of a mapping, with the mappings that lack on the way: after the leading one-line entries, where people
    put such a thing; at the end of a flow mapping (`{…}`).
    """
    parent, depth = _deepest(text, document, path[:-1])
    for key in reversed(path[depth + 1 :]):
        value = {key: value}
    key = path[depth]
    if not isinstance(key, str) or not isinstance(parent, MappingNode):
        return None
    if parent.flow_style:
        return _insert_flow(text, parent, len(parent.value), f"{_flow_text(key)}: {_flow_text(value)}")
    if not parent.value:
        return None
    column = parent.value[0][0].start_mark.column
    fragment = _indented(dump_fragment({key: value}, text), " " * column)
    leading = 0
    while leading < len(parent.value) and _is_one_line(parent.value[leading][1]):
        leading += 1
    if leading == 0 and text[: parent.start_mark.index].rpartition("\n")[2].strip():
        return None  # the first key stands behind a dash
    if leading == 0:
        return _insert_line(text, _line_start(text, parent.value[0][0].start_mark.index), fragment)
    # At the root that would be between `kind` and `metadata`.
    before = parent.value[-1 if depth == 0 else leading - 1][1]
    return _insert_line(text, _line_end(text, _end(before)), fragment)


def remove_entry(text: str, document: int, path: FieldPath) -> str | None:
    """A key with its value, or a list item, taken out with its lines. Comments above it stay."""
    key, parent = path[-1], _node_at(text, document, path[:-1])
    if isinstance(parent, CollectionNode) and parent.flow_style:
        return _remove_flow(text, parent, key)
    if not isinstance(parent, CollectionNode) or len(parent.value) < 2:
        return None
    if isinstance(parent, MappingNode):
        pair = next(((name, value) for name, value in parent.value if name.value == key), None)
        if pair is None:
            return None
        first, last = pair
        lead = ""
    elif isinstance(key, int) and key < len(parent.value):
        first = last = parent.value[key]
        lead = "-"
    else:
        return None
    start = _line_start(text, first.start_mark.index)
    if text[start : first.start_mark.index].strip() != lead:
        return None
    return text[:start] + text[_line_end(text, _end(last)) :]


def insert_item(text: str, document: int, path: FieldPath, value: Any) -> str | None:
    """A new item of a list, before the one that has the last index of `path` now, or at its end."""
    index, parent = path[-1], _node_at(text, document, path[:-1])
    if not isinstance(index, int) or not isinstance(parent, SequenceNode):
        return None
    if parent.flow_style:
        return _insert_flow(text, parent, index, _flow_text(value))
    if not parent.value:
        return None
    first = parent.value[0].start_mark.index
    lead = text[_line_start(text, first) : first]
    if lead.strip() != "-" or index > len(parent.value):
        return None
    body = _indented(textwrap.dedent(dump_fragment([value], text)), " " * lead.index("-"))
    if index == 0:
        return _insert_line(text, _line_start(text, first), body)
    return _insert_line(text, _line_end(text, _end(parent.value[index - 1])), body)


# --- places --------------------------------------------------------------------------------------------------------


def _deepest(text: str, document: int, path: FieldPath) -> tuple[Node | None, int]:
    """The last node there is on the way to `path`, and how many keys lead to it."""
    documents = compose(text)
    node = documents[document] if document < len(documents) else None
    for depth, key in enumerate(path):
        below = None
        if isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
            below = node.value[key]
        elif isinstance(node, MappingNode):
            below = next((value for name, value in node.value if name.value == key), None)
        if below is None:
            return node, depth
        node = below
    return node, len(path)


def _node_at(text: str, document: int, path: FieldPath) -> Node | None:
    node, depth = _deepest(text, document, path)
    return node if depth == len(path) else None


def _end(node: Node) -> int:
    """Where the last character of a value is: libyaml ends block collections at the next thing, comments included."""
    if isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, MappingNode) else last)
    end: int = node.end_mark.index
    return end


def _is_one_line(node: Node) -> bool:
    if isinstance(node, ScalarNode):
        return node.style not in ("|", ">") and node.start_mark.line == node.end_mark.line
    is_flow = isinstance(node, CollectionNode) and bool(node.flow_style)
    return is_flow and node.start_mark.line == node.end_mark.line


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _line_end(text: str, offset: int) -> int:
    """Just behind the line break of the line that `offset` is in; a block scalar ends behind one already."""
    if offset and text[offset - 1] == "\n":
        return offset
    found = text.find("\n", offset)
    return len(text) if found < 0 else found + 1


# --- flow style ----------------------------------------------------------------------------------------------------


def _insert_flow(text: str, parent: CollectionNode, index: int, entry: str) -> str | None:
    """`entry` before the one that has `index` now, or at the end."""
    if _is_json(text) or index > len(parent.value):
        return None
    spans = _flow_spans(parent)
    if not spans:
        at = parent.start_mark.index + 1
    elif index == 0:
        at, entry = spans[0][0], f"{entry}, "
    else:
        at, entry = spans[index - 1][1], f", {entry}"
    return text[:at] + entry + text[at:]


def _remove_flow(text: str, parent: CollectionNode, key: Any) -> str | None:
    """An entry with its comma; None where a comment would go with it."""
    keys = [name.value for name, _ in parent.value] if isinstance(parent, MappingNode) else [*range(len(parent.value))]
    if _is_json(text) or key not in keys:
        return None
    spans, index = _flow_spans(parent), keys.index(key)
    if len(spans) == 1:
        start, end = spans[0]
    elif index == 0:
        start, end = spans[0][0], spans[1][0]
    else:
        start, end = spans[index - 1][1], spans[index][1]
    return None if "#" in text[start:end] else text[:start] + text[end:]


def _flow_spans(parent: CollectionNode) -> list[tuple[int, int]]:
    """Where each entry stands."""
    entries = parent.value if isinstance(parent, MappingNode) else [(item, item) for item in parent.value]
    return [(first.start_mark.index, last.end_mark.index) for first, last in entries]


def _flow_text(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow_text(key)}: {_flow_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow_text, value)) + "]"
    # A date or a number with letters is a text to us, and not to every reader of YAML.
    is_clear = isinstance(value, str) and _is_plain(value) and (value[0].isalpha() or value[0] in "_/")
    return str(value) if is_clear else json.dumps(value, ensure_ascii=False)


def _is_json(text: str) -> bool:
    """Such files are written anew in the layout that they have."""
    return text.lstrip()[:1] == "{"


# --- words ---------------------------------------------------------------------------------------------------------


def _insert_line(text: str, offset: int, lines: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    before = text[:offset]
    if before and not before.endswith("\n"):
        before += newline
    return before + lines.replace("\n", newline) + text[offset:]


def _indented(fragment: str, pad: str) -> str:
    return "".join(f"{pad}{line}" if line.strip() else line for line in fragment.splitlines(keepends=True))


def _scalar_text(value: Any, span: Span) -> str:
    """A scalar in the style of the one that it replaces, where that can hold it."""
    if isinstance(value, str):
        if span.style == "'" and "'" not in value and value.isprintable():
            return f"'{value}'"
        if span.style is None and _is_plain(value):
            return value
    return json.dumps(value, ensure_ascii=False)


def _is_plain(value: str) -> bool:
    """Whether a text needs no quotes."""
    is_clear = _PLAIN.fullmatch(value) and ": " not in value and resolve_plain(value) == value
    return bool(is_clear) and old_boolean(value) is None
