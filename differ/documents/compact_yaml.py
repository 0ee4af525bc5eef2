"""YAML as the status branch has it: blocks outside, what is short on one line. Written and read here, fast. Pure.

    status:
      phase: Running
      conditions:
      - {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:03Z"}

A cluster has tens of thousands of such documents, of which a fresh process reads every one: PyYAML takes a millisecond
for what takes 30 µs here. What is on one line is JSON, which every YAML reader takes; texts of several lines are
literal blocks, so that a diff of them is one by lines. `load` reads any YAML: what is not as `dump` writes it (by a
person, by an earlier Berth) goes to PyYAML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, Final

import msgspec
import yaml

_WIDTH: Final = 120
"""Letters of a mapping or list that is still one line."""
_MAX_KEY: Final = 500
"""A YAML reader looks no further than 1,024 letters for the colon behind a key."""

_PLAIN = re.compile(r"[A-Za-z_/](?:[A-Za-z0-9_./+=,()@-]|:(?=[^ \n])| (?=[^ #\n]))*")
_WORDS: Final = frozenset(["null", "true", "false", "yes", "no", "on", "off", "y", "n"])
"""What is no text without quotes, in one YAML reader or another."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_LINE = re.compile(rf'^( *)(- )?(?:({_PLAIN.pattern}|"(?:[^"\\\n]|\\.)*"):(?: (.+))?|(.*))$', re.MULTILINE)
_UNPRINTABLE = re.compile("[\x7f-\xa0\xad\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff0-\uffff]")
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


_MOST_KNOWN: Final = 20_000
"""Values that are kept at a time, before a document is read: 5 MB."""


class _OutOfForm(Exception):
    """Not as `dump` writes: PyYAML knows what to do."""


# --- writing ------------------------------------------------------------------------------------------------------


def dump(document: Mapping[str, Any]) -> bytes:
    """One document, keys as given. What reads it with any YAML reader gets the same. Texts, numbers, booleans, null."""
    lines: list[str] = []
    try:
        _write_mapping(document, "", lines)
    except _OutOfForm:
        text: str = yaml.dump(
            document, Dumper=yaml.CSafeDumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=120
        )
        return text.encode()
    return ("\n".join(lines) + "\n").encode() if lines else b"{}\n"


def _write_mapping(mapping: Mapping[str, Any], indent: str, lines: list[str]) -> None:
    for key, value in mapping.items():
        if type(key) is not str or len(key) > _MAX_KEY:
            raise _OutOfForm
        name = key if _is_plain(key) else _quoted(key)
        if type(value) is str:
            if "\n" in value and _is_literal(value):
                lines.append(f"{indent}{name}: {'|' if value[-1] == chr(10) else '|-'}")
                lines += (f"{indent}  {line}" if line else "" for line in value.removesuffix("\n").split("\n"))
            else:
                lines.append(f"{indent}{name}: {value if _is_plain(value) else _quoted(value)}")
        elif (short := _short(value, _WIDTH)) is not None:
            lines.append(f"{indent}{name}: {short}")
        else:
            lines.append(f"{indent}{name}:")
            if type(value) is dict:
                _write_mapping(value, indent + "  ", lines)
            else:
                _write_list(value, indent, lines)


def _write_list(items: Sequence[Any], indent: str, lines: list[str]) -> None:
    for item in items:
        if type(item) is str:
            lines.append(f"{indent}- {item if _is_plain(item) else _quoted(item)}")
        elif (short := _short(item, _WIDTH)) is not None:
            lines.append(f"{indent}- {short}")
        elif type(item) is dict:
            first = len(lines)
            _write_mapping(item, indent + "  ", lines)
            lines[first] = f"{indent}- {lines[first][len(indent) + 2 :]}"
        else:
            raise _OutOfForm


def _short(value: Any, room: int) -> str | None:
    """A value as JSON; None for a mapping or list that takes more than `room` letters."""
    kind = type(value)
    if kind is str:
        return _quoted(value) if len(value) <= room else None
    if kind is dict:
        parts = []
        for key, item in value.items():
            if type(key) is not str or len(key) > _MAX_KEY:
                raise _OutOfForm
            room -= len(key) + 6
            inner = _short(item, room)
            if inner is None:
                return None
            room -= len(inner)
            if room < 0:
                return None
            parts.append(f"{_quoted(key)}: {inner}")
        return f"{{{', '.join(parts)}}}"
    if kind is list or kind is tuple:
        parts = []
        for item in value:
            inner = _short(item, room)
            if inner is None:
                return None
            room -= len(inner) + 2
            if room < 0:
                return None
            parts.append(inner)
        return f"[{', '.join(parts)}]"
    return _scalar(value)


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float) and _NUMBER.fullmatch(text := repr(value)):
        return text
    raise _OutOfForm


def _is_plain(text: str) -> bool:
    return _PLAIN.fullmatch(text) is not None and (len(text) > 5 or text.lower() not in _WORDS)


def _quoted(text: str) -> str:
    quoted = encode_basestring(text)
    if text.isprintable():
        return quoted
    quoted = _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", quoted)
    if not quoted.isprintable():
        raise _OutOfForm
    return quoted


def _is_literal(text: str) -> bool:
    """Whether a text of several lines can stand line by line and nothing of it is lost."""
    if text[0] in " \n" or text.endswith("\n\n"):
        return False
    return all(line.isprintable() and (not line or not line.isspace()) for line in text.split("\n"))


# --- reading ------------------------------------------------------------------------------------------------------


Known = dict[str, Any]
"""What is on one line → what it says: of many documents, most say the same again and again."""


def load(content: bytes, known: Known | None = None) -> Any:
    """What is in a YAML text of one document. Raises yaml.YAMLError.

    known: filled and used by calls one after another. Parts that are alike are one object then: nobody may write to
    what is inside of these documents.
    """
    try:
        return _Reader(content.decode(), {} if known is None else known).read()
    except (_OutOfForm, UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return yaml.load(content, Loader=yaml.CSafeLoader)


class _Reader:
    """Goes through the lines of a text once. Whatever is not in the form of `dump` raises."""

    def __init__(self, text: str, known: Known) -> None:
        if text[-1:] != "\n" or "\t" in text or "\r" in text:
            raise _OutOfForm
        # Of each line: margin, dash, key, what follows the key, what there is without a key.
        self._lines: list[tuple[str, str, str, str, str]] = _LINE.findall(text, 0, len(text) - 1)
        self._text = text
        self._at = 0
        if len(known) > _MOST_KNOWN:
            known.clear()
        self._known = known

    def read(self) -> dict[str, Any]:
        if self._text == "{}\n":
            return {}
        document = self._mapping(0, is_item=False)
        if self._at < len(self._lines):
            raise _OutOfForm
        return document

    def _mapping(self, indent: int, *, is_item: bool) -> dict[str, Any]:
        """Its first line has a dash before it when it is an item of a list."""
        found: dict[str, Any] = {}
        lines, count, known = self._lines, len(self._lines), self._known
        at = self._at
        while at < count:
            margin, dash, name, text, _ = lines[at]
            if is_item:
                is_item = False
            elif dash or len(margin) != indent:
                if len(margin) > indent:
                    raise _OutOfForm
                break
            if not name:
                raise _OutOfForm
            at += 1
            key = known.get(name)
            if key is None:
                key = self._scalar(name)
            if type(key) is not str or key in found:
                raise _OutOfForm
            if not text:
                self._at = at
                found[key] = self._inner(indent)
                at = self._at
            elif text in ("|", "|-"):
                self._at = at
                found[key] = self._literal(indent + 2, text)
                at = self._at
            else:
                value = known.get(text)
                found[key] = self._scalar(text) if value is None else value
        self._at = at
        if not found:
            raise _OutOfForm
        return found

    def _scalar(self, text: str) -> Any:
        value = self._known[text] = _read_scalar(text)
        return value

    def _inner(self, indent: int) -> Any:
        """What stands below a key that nothing follows."""
        if self._at >= len(self._lines):
            raise _OutOfForm
        margin, dash, *_ = self._lines[self._at]
        begins = len(margin)
        if dash and begins >= indent:
            return self._list(begins)
        if begins <= indent:
            raise _OutOfForm
        return self._mapping(begins, is_item=False)

    def _list(self, indent: int) -> list[Any]:
        items: list[Any] = []
        lines, count = self._lines, len(self._lines)
        while self._at < count:
            margin, dash, name, _, rest = lines[self._at]
            begins = len(margin)
            if begins > indent:
                raise _OutOfForm
            if begins < indent or not dash:
                break
            if name:
                items.append(self._mapping(indent + 2, is_item=True))
            else:
                self._at += 1
                value = self._known.get(rest)
                items.append(self._scalar(rest) if value is None else value)
        return items

    def _literal(self, indent: int, style: str) -> str:
        whole = self._text.split("\n")
        lines: list[str] = []
        while self._at < len(self._lines):
            line = whole[self._at]
            if line and not line.startswith(" " * indent):
                break
            lines.append(line[indent:])
            self._at += 1
        while lines and not lines[-1]:
            lines.pop()
        if not lines or not lines[0] or lines[0][0] == " " or any(map(str.isspace, lines)):
            raise _OutOfForm
        return "\n".join(lines) + ("\n" if style == "|" else "")


def _read_scalar(text: str) -> Any:
    first = text[:1]
    if first == '"':
        is_simple = "\\" not in text and text.find('"', 1) == len(text) - 1
        return text[1:-1] if is_simple else msgspec.json.decode(text)
    if first in ("{", "["):
        return msgspec.json.decode(text)
    if _PLAIN.fullmatch(text):
        if len(text) <= 5 and text.lower() in _WORDS:
            if text not in _CONSTANTS:
                raise _OutOfForm
            return _CONSTANTS[text]
        return text
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    raise _OutOfForm
