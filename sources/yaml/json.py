"""Reads JSON texts: one document or several, one after another, as kubectl takes them.

JSON has its own reader: libyaml refuses surrogate pairs and tabs that JSON allows.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

from sources.errors import YamlError
from sources.yaml.scalars import resolve_plain, whole

_BETWEEN = re.compile(r"(?:[ \t\r\n]+|---(?=[ \t\r]*(?:\n|$)))*")


class JsonDocument(NamedTuple):
    """value: plain JSON types. start, end: its place in the text, in characters."""

    value: Any
    start: int
    end: int


def load_json(text: str, *, max_nodes: int, max_depth: int) -> list[JsonDocument]:
    """All documents of a text, at least one. Raises YamlError."""
    if sum(map(text.count, ",[{")) > max_nodes:
        raise YamlError(f"the file has more than {max_nodes} values")
    documents: list[JsonDocument] = []
    start = _skip(text, 0)
    while start < len(text) or not documents:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            message = f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"
            raise YamlError(message, line=error.lineno, column=error.colno) from None
        except RecursionError:
            raise YamlError(f"nested deeper than {max_depth} levels") from None
        except YamlError as error:
            raise YamlError(error.message, line=line_of(text, start), hint=error.hint) from None
        if _is_deeper(value, max_depth):
            raise YamlError(f"nested deeper than {max_depth} levels", line=line_of(text, start))
        documents.append(JsonDocument(value, start, end))
        start = _skip(text, end)
    return documents


def line_of(text: str, offset: int) -> int:
    """The line of a character, from 1."""
    return text.count("\n", 0, offset) + 1


def _skip(text: str, offset: int) -> int:
    """Behind white space and `---` lines."""
    match = _BETWEEN.match(text, offset)
    return match.end() if match else offset


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise YamlError(f"the key {twice!r} is given twice")
    return result


def _refuse_constant(name: str) -> float:
    raise YamlError(f"{name} is not a JSON number")


def _parse_int(text: str) -> int | float:
    number = resolve_plain(text)
    if isinstance(number, str) or number is None:
        raise YamlError("a number is too large")
    return number


def _parse_float(text: str) -> int | float:
    number = float(text)
    if not math.isfinite(number):
        raise YamlError("a number is too large")
    return whole(number)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_parse_int, parse_float=_parse_float
)


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and mappings nest more than `levels` deep."""
    if not isinstance(value, dict | list):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in parts)
