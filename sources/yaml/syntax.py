"""Says in plain words what libyaml found wrong, and where a field of a document stands in its text.

Both are needed only when something is wrong, so the normal path keeps no positions: a text is composed a second time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml
from yaml import Mark, MarkedYAMLError, YAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from objects.fields import FieldPath
from sources.errors import YamlError

_PLAIN_WORDS = (
    ("mapping values are not allowed", "a second ':' in one line", "quote the value, or correct the indentation"),
    ("could not find expected ':'", "a line without ':'", "correct the indentation, or quote the text"),
    ("did not find expected key", "the indentation fits no key above", ""),
    ("did not find expected '-' indicator", "the indentation fits no list item above", ""),
    ("block sequence entries are not allowed", "a list begins where none may stand", ""),
    ("found unexpected end of stream", "a quote is opened here and never closed", ""),
    ("did not find expected ',' or", "a bracket is opened here and not closed, or a ',' is missing", ""),
    ("did not find expected node content", "a value is missing", ""),
    ("found undefined tag handle", "an unknown tag", "quote the value"),
    ("did not find expected <document start>", "text after the end of a document", "separate documents by ---"),
)
"""libyaml's words → ours, and a hint. The text itself is never shown: it may be a secret."""

_ABOUT_THE_OPENING = ("found unexpected end of stream", "did not find expected ',' or")
"""Problems that are noticed far below the place that a person has to look at."""


def syntax_error(error: YAMLError, text: str) -> YamlError:
    """Our error for what PyYAML raised about `text`."""
    if isinstance(error, ReaderError):
        line = text.encode().count(b"\n", 0, error.position) + 1
        return YamlError("not valid YAML: a control character", line=line, hint="remove it")
    if not isinstance(error, MarkedYAMLError):
        return YamlError("not valid YAML")
    problem = error.problem or error.context or ""
    is_about_opening = problem.startswith(_ABOUT_THE_OPENING)
    mark = (error.context_mark if is_about_opening else None) or error.problem_mark or error.context_mark
    if mark is None:
        return YamlError(f"not valid YAML: {problem}")
    message, hint = _in_plain_words(problem, text.split("\n")[mark.line : mark.line + 1], mark.column)
    return YamlError(f"not valid YAML: {message}", line=mark.line + 1, column=mark.column + 1, hint=hint)


def _in_plain_words(problem: str, lines: list[str], column: int) -> tuple[str, str]:
    line = lines[0] if lines else ""
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation or "tab" in problem:
        return "a tab in the indentation", "use spaces"
    if "cannot start any token" in problem:
        return f"a value cannot begin with {line[column : column + 1]!r}", "quote the value"
    known = (rule for rule in _PLAIN_WORDS if rule[0] in problem)
    _, message, hint = next(known, ("", problem, ""))
    return message, hint


class Span(NamedTuple):
    """A scalar in a text, as offsets of characters. style: its quote, `|`, `>` or None when it is plain."""

    start: int
    end: int
    style: str | None


class Place(NamedTuple):
    """Where a field stands (its key, if it has one); both count from 1. scalar: its value, when that is one."""

    line: int
    column: int
    scalar: Span | None = None

    @property
    def is_plain(self) -> bool:
        return self.scalar is not None and self.scalar.style is None


class PlaceFinder:
    """Finds places in one text, which must have loaded before. A document is composed when it is first asked for."""

    def __init__(self, text: str, json_spans: Sequence[tuple[int, int]] = ()) -> None:
        """json_spans: first and last character of each document, where the text is JSON."""
        self._text = text
        self._json_spans = json_spans
        self._documents: list[Node] | None = None

    def locate(self, document: int, path: FieldPath) -> Place:
        """The place of a field. path: keys and indices from the document's root; document counts from 0.

        Of a path that does not exist, the deepest part that does is given: a missing field is an error of the mapping
        it is missing from.
        """
        if self._documents is None:
            self._documents = compose(self._text) if not self._json_spans else self._compose_json()
        if document >= len(self._documents):
            return Place(1, 1)
        node = self._documents[document]
        place = _place(node)
        for key in path:
            found = _child(node, key)
            if found is None:
                break
            place, node = found
        return place

    def _compose_json(self) -> list[Node]:
        """JSON is YAML but for tabs and surrogate pairs; the text before a document is blank here, to keep places."""
        nodes: list[Node] = []
        for start, end in self._json_spans:
            before = _NOT_BREAKS.sub(" ", self._text[:start])
            body = _SURROGATES.sub("surrog", self._text[start:end].replace("\t", " "))
            nodes += compose(before + body)[:1] or [ScalarNode("", "", *_marks(self._text, start))]
        return nodes


_NOT_BREAKS = re.compile(r"[^\n]")
_SURROGATES = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _marks(text: str, offset: int) -> tuple[Mark, Mark]:
    line, column = text.count("\n", 0, offset), offset - (text.rfind("\n", 0, offset) + 1)
    mark = Mark("", offset, line, column, None, 0)
    return mark, mark


def compose(text: str) -> list[Node]:
    """The node trees of all documents, for places; aliases are the very node that they stand for.

    An anchor may be given again, as YAML allows: an alias means the last one before it.
    """
    documents: list[Node] = []
    try:
        parser: Any = CParser(text)
        while (event := parser.get_event()) is not None:
            if isinstance(event, DocumentStartEvent):
                documents += [_compose_node(parser, parser.get_event(), {})]
    except yaml.YAMLError:
        # JSON that libyaml refuses: positions are a courtesy, the error itself is known.
        return documents
    return documents


def _compose_node(parser: Any, event: Any, anchors: dict[str, Node]) -> Node:
    if isinstance(event, AliasEvent):
        if event.anchor not in anchors:
            raise yaml.YAMLError("unknown alias")
        return anchors[event.anchor]
    # libyaml's own marks, which know an offset, a line and a column as PyYAML's do.
    start: Any = event.start_mark
    end: Any = event.end_mark
    if isinstance(event, ScalarEvent):
        node: Node = ScalarNode("", event.value, start, end, style=event.style)
        if event.anchor is not None:
            anchors[event.anchor] = node
        return node
    if isinstance(event, SequenceStartEvent):
        node = SequenceNode("", [], start, None, flow_style=event.flow_style)
    else:
        node = MappingNode("", [], start, None, flow_style=event.flow_style)
    if event.anchor is not None:
        anchors[event.anchor] = node
    last = SequenceEndEvent if isinstance(node, SequenceNode) else MappingEndEvent
    while not isinstance(event := parser.get_event(), last):
        item = _compose_node(parser, event, anchors)
        if isinstance(node, MappingNode):
            node.value.append((item, _compose_node(parser, parser.get_event(), anchors)))
        else:
            node.value.append(item)
    node.end_mark = event.end_mark
    return node


def _place(node: Node, *, key: Node | None = None) -> Place:
    mark = (key or node).start_mark
    scalar = None
    if isinstance(node, ScalarNode):
        # libyaml's binding says '' where PyYAML says None.
        scalar = Span(node.start_mark.index, node.end_mark.index, node.style or None)
    return Place(mark.line + 1, mark.column + 1, scalar)


def _child(node: Node, key: str | int) -> tuple[Place, Node] | None:
    if isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
        child = node.value[key]
        return _place(child), child
    if not isinstance(node, MappingNode):
        return None
    merged: list[Node] = []
    for key_node, value in node.value:
        if key_node.value == key:
            return _place(value, key=key_node), value
        if key_node.value == "<<":
            merged += value.value if isinstance(value, SequenceNode) else [value]
    return next((found for part in merged if (found := _child(part, key)) is not None), None)
