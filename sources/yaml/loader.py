"""Reads YAML and JSON texts into plain dictionaries and lists: strict, bounded, faster than PyYAML.

libyaml's event stream is turned straight into values, with no node tree in between. Refused: duplicate keys, keys that
are not text, unknown tags, aliases that contain themselves, and whatever exceeds the limits; an alias counts as much as
what it stands for, so a "billion laughs" ends after a few milliseconds. Aliased parts are shared, not copied: callers
must not change a value in place. What an unquoted word means: `sources.yaml.scalars`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from sources.errors import YamlError
from sources.yaml.json import line_of, load_json
from sources.yaml.scalars import resolve_plain
from sources.yaml.syntax import syntax_error


class Limits(NamedTuple):
    """max_bytes: of one text. max_depth: of nesting. max_nodes: scalars, lists and mappings, aliases expanded."""

    max_bytes: int = 3 * 2**20
    max_depth: int = 100
    max_nodes: int = 200_000


DEFAULT_LIMITS: Final = Limits()
"""Twice what the largest bundles of manifests that people publish need; a bomb that fits costs below 100 MB."""


class Document(NamedTuple):
    """One document of a text. number: from 0; line: where its content begins, from 1. value: plain JSON types.

    json_span: first and last character of a JSON document in its text; None for YAML.
    """

    number: int
    line: int
    value: Any
    json_span: tuple[int, int] | None = None


def load_documents(content: bytes, *, is_json: bool = False, limits: Limits = DEFAULT_LIMITS) -> tuple[Document, ...]:
    """All documents of a file, empty ones included. Raises YamlError.

    is_json: by its name. A file that begins with a brace is read as JSON too if it can be, as kubectl does.
    """
    text = decode_text(content, limits=limits)
    if is_json or text.lstrip()[:1] == "{":
        try:
            return _json_documents(text, limits)
        except YamlError:
            if is_json:
                raise
    return _Builder(text, limits).documents()


def _json_documents(text: str, limits: Limits) -> tuple[Document, ...]:
    found = load_json(text, max_nodes=limits.max_nodes, max_depth=limits.max_depth)
    return tuple(
        Document(number, line_of(text, one.start), one.value, (one.start, one.end)) for number, one in enumerate(found)
    )


def decode_text(content: bytes, *, limits: Limits = DEFAULT_LIMITS) -> str:
    """The text of a file. Raises YamlError when it is too large or not UTF-8."""
    if len(content) > limits.max_bytes:
        raise YamlError(f"the file is larger than {limits.max_bytes // 2**20} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlError("the file is not UTF-8 text", line=line, hint="save it as UTF-8") from None


class _Builder:
    """Turns the events of one text into documents. One use."""

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._next: Callable[[], Any]
        self._nodes = 0
        self._anchors: dict[str, tuple[Any, int]] = {}
        """Anchor → its value and how many nodes that has, aliases expanded."""

    def documents(self) -> tuple[Document, ...]:
        try:
            self._next = CParser(self._text).get_event
            return tuple(self._all_documents())
        except YAMLError as error:
            raise syntax_error(error, self._text) from None

    def _all_documents(self) -> list[Document]:
        documents: list[Document] = []
        while True:
            event = self._next()
            if isinstance(event, DocumentStartEvent):
                self._anchors.clear()
                root = self._next()
                line = root.start_mark.line + 1
                documents.append(Document(len(documents), line, self._value(root, 1)))
            elif event is None or isinstance(event, StreamEndEvent):
                return documents

    def _value(self, event: Any, depth: int) -> Any:
        kind = type(event)
        if kind is AliasEvent:
            return self._alias(event)
        before = self._nodes
        self._count(event)
        if kind is ScalarEvent:
            value = self._scalar(event)
            if event.anchor is None:
                return value
        elif depth > self._limits.max_depth:
            raise _error(event, f"nested deeper than {self._limits.max_depth} levels")
        elif kind is MappingStartEvent:
            _check_tag(event, "map")
            value = self._mapping(depth)
        else:
            _check_tag(event, "seq")
            value = self._sequence(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before)
        return value

    def _mapping(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: list[tuple[Any, Any]] = []
        next_event = self._next
        while True:
            event = next_event()
            if type(event) is MappingEndEvent:
                break
            key = self._key(event)
            if key in lines:
                raise _error(event, f"the key {key!r} is given twice (first in line {lines[key]})")
            lines[key] = event.start_mark.line + 1
            value = self._value(next_event(), depth + 1)
            if key == "<<" and (event.implicit[0] or event.tag == _MERGE_TAG):
                merged.append((event, value))
            else:
                result[key] = value
        for event, value in merged:
            result = _merge(event, value) | result
        return result

    def _sequence(self, depth: int) -> list[Any]:
        result: list[Any] = []
        next_event = self._next
        while True:
            event = next_event()
            if type(event) is SequenceEndEvent:
                return result
            result.append(self._value(event, depth + 1))

    def _key(self, event: Any) -> str:
        self._count(event)
        if type(event) is not ScalarEvent:
            raise _error(event, "a key must be plain text")
        key: str = event.value
        if event.tag is not None and not (event.tag == _MERGE_TAG and key == "<<"):
            _check_tag(event, "str")
        if event.implicit[0] and key in ("", "~", "null"):
            raise _error(event, "a key is missing before ':'")
        if event.anchor is not None:
            self._anchors[event.anchor] = (key, 1)
        return key

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None and not event.implicit[0]:
            return event.value
        try:
            return resolve_plain(event.value) if tag is None else _tagged(event)
        except ValueError as error:
            raise _error(event, str(error)) from None

    def _alias(self, event: Any) -> Any:
        if event.anchor not in self._anchors:
            raise _error(event, f"the alias *{event.anchor} names nothing that is complete before it")
        value, nodes = self._anchors[event.anchor]
        self._nodes += nodes - 1
        self._count(event)
        return value

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > self._limits.max_nodes:
            raise _error(event, f"the file has more than {self._limits.max_nodes} values, aliases expanded")


_TAG_PREFIX = "tag:yaml.org,2002:"
_MERGE_TAG = _TAG_PREFIX + "merge"
"""yq writes it before each `<<`."""
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}


def _tagged(event: Any) -> Any:
    """The value of a scalar with an explicit tag. Raises ValueError or YamlError."""
    name = event.tag.removeprefix(_TAG_PREFIX)
    if name in ("str", "!"):
        return event.value
    if name not in _SCALAR_TAGS:
        raise _unknown_tag(event)
    value = resolve_plain(event.value)
    if name == "float" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, _SCALAR_TAGS[name]) or (isinstance(value, bool) and name != "bool"):
        raise ValueError(f"the value does not fit its tag !!{name}")
    return value


def _check_tag(event: Any, allowed: str) -> None:
    if event.tag not in (None, "!", _TAG_PREFIX + allowed):
        raise _unknown_tag(event)


def _unknown_tag(event: Any) -> YamlError:
    name = event.tag.replace(_TAG_PREFIX, "!!")
    return _error(event, f"the tag {name} is not supported", hint="manifests are plain YAML without tags")


def _merge(event: Any, value: Any) -> dict[str, Any]:
    """What `<<: *defaults` brings in: one mapping or a list of them, of which earlier ones win."""
    result: dict[str, Any] = {}
    for part in value if isinstance(value, list) else [value]:
        if not isinstance(part, dict):
            raise _error(event, "only mappings can be merged by '<<'")
        result = part | result
    return result


def _error(event: Any, message: str, *, hint: str = "") -> YamlError:
    mark = event.start_mark
    return YamlError(message, line=mark.line + 1, column=mark.column + 1, hint=hint)
