"""What an unquoted word of a manifest means: YAML 1.2's core schema, with the octal numbers that kubectl reads.

text        here        YAML 1.1 (PyYAML)    why
no, on, y   text        a boolean            a country code, a switch's label; a boolean field refuses it by name
0644        420         420                  `defaultMode: 0644` stands in every tutorial; kubectl reads octal too
0899        text        text                 not a number in any reading that people mean
0o644       420         text                 YAML 1.2's own octal
12:30:45    text        45045                nobody writes numbers to the base of 60
1_000       text        1000                 not JSON, so a numeric field refuses it by name
2024-01-01  text        a date               Kubernetes has no dates without quotes
.inf, .nan  text        a float              JSON cannot hold them
"""

from __future__ import annotations

import math
import re

_NUMBER_STARTS = frozenset("-+.0123456789")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"(?P<sign>[-+]?)0(?:x(?P<hex>[0-9a-fA-F]+)|o(?P<octal>[0-7]+)|b(?P<binary>[01]+))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_OLD_BOOLEANS = {word: value for value, words in ((True, "y yes on"), (False, "n no off")) for word in words.split()}
_MAX_NUMBER_LENGTH = 400
_INT_RANGE = range(-(2**63), 2**64)

Scalar = str | int | float | bool | None


def resolve_plain(text: str) -> Scalar:
    """The value of an unquoted scalar. Raises ValueError for integers that no 64 bits hold."""
    if text and text[0] in _NUMBER_STARTS:
        return _resolve_number(text)
    return _WORDS.get(text, text)


def old_boolean(text: str) -> bool | None:
    """The boolean that YAML 1.1 reads in an unquoted `yes`, `Off`, `N` …; None for any other word."""
    is_one_case = text in (text.lower(), text.upper(), text.capitalize())
    return _OLD_BOOLEANS.get(text.lower()) if is_one_case else None


def _resolve_number(text: str) -> Scalar:
    if len(text) > _MAX_NUMBER_LENGTH:
        return text
    if _INTEGER.fullmatch(text):
        return _resolve_integer(text)
    if match := _BASED.fullmatch(text):
        digits, base = next((match[name], base) for name, base in _BASES if match[name])
        return _in_range(int(match["sign"] + digits, base))
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


_BASES = (("hex", 16), ("octal", 8), ("binary", 2))


def _resolve_integer(text: str) -> Scalar:
    digits = text.lstrip("+-")
    if digits[0] == "0" and len(digits) > 1:
        is_octal = not set(digits) & {"8", "9"}
        return _in_range(int(text, 8)) if is_octal else text
    return _in_range(int(text))


def _in_range(number: int) -> int:
    if number not in _INT_RANGE:
        raise ValueError("a number does not fit into 64 bits")
    return number
