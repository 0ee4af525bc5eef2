"""Resource quantities as Kubernetes writes them: `250m`, `1.5Gi`, `1e3`, `2`.

A quantity is exact to 10⁻⁹ and held as a whole number of nanos; what is finer is rounded away from zero when parsed, as
Kubernetes does ("you want some resources if you asked for some"). All functions are pure; those on text are cached,
because a cluster has thousands of pods and a few dozen different quantities.

Rules: apimachinery `pkg/api/resource` (tables `apimachinery_api_resource`).
"""

from __future__ import annotations

import enum
import functools
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from objects.api.meta import QuantityLike, ResourceList
from objects.errors import InvalidInput

MAX_INT64 = 2**63 - 1
_NANO = 10**9
_MICRO_PER_MILLI = 10**6
_MAX_TEXT = 128
"""Longer texts are refused, so that nobody's manifest makes us multiply huge numbers."""
_MAX_EXPONENT = 60
"""Beyond it every quantity is cut to the largest anyway."""


class Form(enum.Enum):
    """How a quantity was written, which decides how it is shown."""

    BINARY = "BinarySI"
    DECIMAL = "DecimalSI"
    EXPONENT = "DecimalExponent"


class Quantity(NamedTuple):
    """A parsed quantity. nanos: the value times 10⁹, whole."""

    nanos: int
    form: Form = Form.DECIMAL


_SYNTAX = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
_DECIMAL_EXPONENTS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_EXPONENTS = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIXES = {exponent: suffix for suffix, exponent in _DECIMAL_EXPONENTS.items()}
_BINARY_SUFFIXES = {0: "", **{exponent: suffix for suffix, exponent in _BINARY_EXPONENTS.items()}}


def parse_quantity(quantity: QuantityLike | Quantity) -> Quantity:
    """Parse what a person wrote. Raises InvalidInput, with the nearest correct spelling as hint where there is one."""
    if isinstance(quantity, Quantity):
        return quantity
    if isinstance(quantity, str):
        return _parse_text(quantity)
    if isinstance(quantity, bool) or (isinstance(quantity, float) and not math.isfinite(quantity)):
        raise _invalid(str(quantity))
    return Quantity(quantity * _NANO) if isinstance(quantity, int) else _parse_text(repr(quantity))


@functools.lru_cache(maxsize=8192)
def _parse_text(text: str) -> Quantity:
    match = _SYNTAX.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if match is None or not (match[2] or match[3]):
        raise _invalid(text)
    sign, whole, fraction, suffix = match[1], match[2], match[3] or "", match[4] or ""
    digits = int(whole + fraction)
    if suffix in _BINARY_EXPONENTS:
        form, exactly = Form.BINARY, digits * _NANO << _BINARY_EXPONENTS[suffix]
        nanos = _divide_away(exactly, 10 ** len(fraction))
    else:
        form = Form.DECIMAL if suffix in _DECIMAL_EXPONENTS else Form.EXPONENT
        exponent = _DECIMAL_EXPONENTS[suffix] if form is Form.DECIMAL else int(suffix[1:])
        power = max(-_MAX_TEXT, min(_MAX_EXPONENT, exponent)) - len(fraction) + 9
        nanos = digits * 10**power if power >= 0 else _divide_away(digits, 10**-power)
    # Kubernetes holds up to 18 decimal digits with any suffix (`12E`); everything else is cut to an int64.
    if form is Form.BINARY or len(whole.lstrip("0")) + len(fraction) > 18:
        nanos = min(nanos, MAX_INT64 * _NANO)
    if form is Form.BINARY and 0 < nanos < _NANO:
        form = Form.DECIMAL
    return Quantity(-nanos if sign == "-" else nanos, form)


def _divide_away(number: int, divisor: int) -> int:
    """number / divisor, rounded away from zero. divisor > 0."""
    return -(-number // divisor) if number >= 0 else number // divisor


def _invalid(text: str) -> InvalidInput:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return InvalidInput(
        f"'{shown}' is not a quantity: a number with an optional suffix is needed, as 0.5, 250m, 1.5Gi, 2G or 1e3",
        hint=_spelling_hint(text),
    )


def _spelling_hint(text: str) -> str:
    """Units as other tools write them (`512mb`, `1 GiB`, `2g`) lead to the right suffix."""
    match = re.fullmatch(r"\s*([0-9.]{1,20})\s*([kmgtpKMGTP])(i?)[bB]?\s*", text)
    if match is None:
        return ""
    number, letter = match[1], match[2].upper()
    binary = f"{number}{letter}i"
    if match[3]:
        return f"write {binary}"
    decimal = f"{number}{'k' if letter == 'K' else letter}"
    return f"write {binary} (powers of 1024) or {decimal} (powers of 1000)"


# --- numbers ------------------------------------------------------------------------------------------------------


def nano_value(quantity: QuantityLike | Quantity) -> int:
    """The exact value times 10⁹."""
    return parse_quantity(quantity).nanos


def value(quantity: QuantityLike | Quantity) -> int:
    """The value as a whole number (bytes, pieces), rounded away from zero, at most ±(2⁶³-1)."""
    return _value_of_text(quantity) if isinstance(quantity, str) else _scaled(quantity, _NANO)


def milli_value(quantity: QuantityLike | Quantity) -> int:
    """The value times 1000 (CPU millis), rounded away from zero, at most ±(2⁶³-1)."""
    return _millis_of_text(quantity) if isinstance(quantity, str) else _scaled(quantity, _MICRO_PER_MILLI)


@functools.lru_cache(maxsize=8192)
def _value_of_text(text: str) -> int:
    return _scaled(text, _NANO)


@functools.lru_cache(maxsize=8192)
def _millis_of_text(text: str) -> int:
    return _scaled(text, _MICRO_PER_MILLI)


def _scaled(quantity: QuantityLike | Quantity, divisor: int) -> int:
    return max(-MAX_INT64, min(MAX_INT64, _divide_away(parse_quantity(quantity).nanos, divisor)))


def float_value(quantity: QuantityLike | Quantity) -> float:
    """The nearest floating point number; for ratios and display only."""
    return parse_quantity(quantity).nanos / _NANO


# --- text ---------------------------------------------------------------------------------------------------------


def canonical(quantity: QuantityLike | Quantity) -> str:
    """The one text of a value: no fraction, the largest fitting suffix of the form it was written in.

    1024Mi -> 1Gi    0.5 -> 500m    1000M -> 1G    1.5Gi -> 1536Mi    0.5Ki -> 512    1e13 -> 10e12
    """
    nanos, form = parse_quantity(quantity)
    if nanos == 0:
        return "0"
    if form is Form.BINARY and abs(nanos) >= 1024 * _NANO and nanos % _NANO == 0:
        number, exponent = nanos // _NANO, 0
        while number % 1024 == 0 and exponent < 60:
            number, exponent = number // 1024, exponent + 10
        return f"{number}{_BINARY_SUFFIXES[exponent]}"
    number, exponent = nanos, -9
    while number % 1000 == 0 and (exponent < 18 or form is Form.EXPONENT):
        number, exponent = number // 1000, exponent + 3
    if form is Form.EXPONENT:
        return f"{number}e{exponent}" if exponent else str(number)
    return f"{number}{_DECIMAL_SUFFIXES[exponent]}"


# --- arithmetic ---------------------------------------------------------------------------------------------------


def add(left: QuantityLike | Quantity, right: QuantityLike | Quantity) -> str:
    """left + right as canonical text, in the form of `left` unless that is zero."""
    return canonical(_sum(parse_quantity(left), parse_quantity(right)))


def subtract(left: QuantityLike | Quantity, right: QuantityLike | Quantity) -> str:
    """left - right as canonical text, in the form of `left` unless that is zero; may be negative."""
    taken = parse_quantity(right)
    return canonical(_sum(parse_quantity(left), Quantity(-taken.nanos, taken.form)))


def _sum(left: Quantity, right: Quantity) -> Quantity:
    return Quantity(left.nanos + right.nanos, left.form if left.nanos else right.form)


def multiply(quantity: QuantityLike | Quantity, factor: int) -> str:
    """quantity x factor as canonical text."""
    parsed = parse_quantity(quantity)
    return canonical(Quantity(parsed.nanos * factor, parsed.form))


def compare(left: QuantityLike | Quantity, right: QuantityLike | Quantity) -> int:
    """-1, 0 or 1 as left is less than, equal to or greater than right."""
    a, b = nano_value(left), nano_value(right)
    return (a > b) - (a < b)


# --- resource lists -----------------------------------------------------------------------------------------------


def add_resources(*lists: Mapping[str, QuantityLike]) -> ResourceList:
    """The sum, resource by resource, as canonical texts. Resources of any list are in the result."""
    totals: dict[str, Quantity] = {}
    for resources in lists:
        for name, quantity in resources.items():
            parsed = parse_quantity(quantity)
            totals[name] = _sum(totals[name], parsed) if name in totals else parsed
    return {name: canonical(total) for name, total in totals.items()}


def subtract_resources(left: Mapping[str, QuantityLike], right: Mapping[str, QuantityLike]) -> ResourceList:
    """left - right, resource by resource; a resource only in `right` comes out negative."""
    return {
        name: subtract(left.get(name, 0), right.get(name, 0)) for name in (*left, *(r for r in right if r not in left))
    }


def max_resources(*lists: Mapping[str, QuantityLike]) -> ResourceList:
    """The greatest of each resource over the lists, as canonical texts."""
    greatest: dict[str, Quantity] = {}
    for resources in lists:
        for name, quantity in resources.items():
            parsed = parse_quantity(quantity)
            if name not in greatest or parsed.nanos > greatest[name].nanos:
                greatest[name] = parsed
    return {name: canonical(parsed) for name, parsed in greatest.items()}


def resources_equal(left: Mapping[str, QuantityLike], right: Mapping[str, QuantityLike]) -> bool:
    """Whether both name the same resources with the same amounts, however they are written (`1` = `1000m`)."""
    return left.keys() == right.keys() and all(compare(left[name], right[name]) == 0 for name in left)
