"""What an unquoted word of a manifest means: numbers and booleans as kubectl reads them.

text        here        kubectl     why
no, on, y   text        a boolean   a country code, a switch's label; a boolean field refuses it by name
0644        420         420         `defaultMode: 0644` stands in every tutorial
0899        899         899         no octal number, so a decimal one
0o644       420         420         YAML 1.2's own octal
1.0, 1e+06  1, 1000000  the same    Helm and Go tools print large whole numbers so
1_000       1000        1000        as in YAML 1.1
0x5290…     text        text        hexadecimal, octal or binary that fits no 64 bits: an address, a digest
10²⁰        a float     a float     a decimal number that fits no 64 bits
12:30:45    text        text        nobody writes numbers to the base of 60
2024-01-01  text        text        Kubernetes has no dates without quotes
.inf, .nan  text        refused     JSON cannot hold them
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
_BASED = re.compile(r"(?P<sign>[-+]?)0(?:[xX](?P<hex>[0-9a-fA-F]+)|[oO](?P<octal>[0-7]+)|[bB](?P<binary>[01]+))")
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_OLD_BOOLEANS = {word: value for value, words in ((True, "y yes on"), (False, "n no off")) for word in words.split()}
_MAX_NUMBER_LENGTH = 400
_INT_RANGE = range(-(2**63), 2**64)

Scalar = str | int | float | bool | None


def resolve_plain(text: str) -> Scalar:
    """The value of an unquoted scalar."""
    if text and text[0] in _NUMBER_STARTS:
        return _resolve_number(text)
    return _WORDS.get(text, text)


def old_boolean(text: str) -> bool | None:
    """The boolean that YAML 1.1 reads in an unquoted `yes`, `Off`, `N` …; None for any other word."""
    is_one_case = text in (text.lower(), text.upper(), text.capitalize())
    return _OLD_BOOLEANS.get(text.lower()) if is_one_case else None


def whole(number: float) -> int | float:
    """`number` as an integer where it is one that 64 bits hold; Go's JSON writes it so."""
    return int(number) if number.is_integer() and int(number) in _INT_RANGE else number


def _resolve_number(text: str) -> Scalar:
    if len(text) > _MAX_NUMBER_LENGTH:
        return text
    digits = text.replace("_", "")
    if match := _BASED.fullmatch(digits):
        found, base = next((match[name], base) for name, base in _BASES if match[name])
        number = int(match["sign"] + found, base)
        return number if number in _INT_RANGE else text
    if _OCTAL.fullmatch(digits) and (number := int(digits, 8)) in _INT_RANGE:
        return number
    if _INTEGER.fullmatch(digits) and (number := int(digits)) in _INT_RANGE:
        return number
    if _FLOAT.fullmatch(digits):
        decimal = float(digits)
        return whole(decimal) if math.isfinite(decimal) else text
    return text


_BASES = (("hex", 16), ("octal", 8), ("binary", 2))
