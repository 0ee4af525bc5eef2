"""Collects what is wrong with an object, and the checks that occur everywhere.

Messages say what is wrong and what is allowed. Values are shown only where they cannot be secret: names, enumerations,
numbers; never environment values or data.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from objects.api.meta import IntOrString, QuantityLike
from objects.errors import InvalidInput
from objects.fields import FieldError, FieldPath
from objects.syntax import Problem, port_name_problem
from objects.values.intstr import parse_percent
from objects.values.quantity import compare, parse_quantity

_MAX_INT32 = 2**31 - 1


class Found:
    """The problems of one object, in the order in which they were found."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []

    @property
    def errors(self) -> tuple[FieldError, ...]:
        return tuple(self._errors)

    def add(self, path: FieldPath, message: str, suggestion: str = "") -> None:
        self._errors.append(FieldError(path, message, suggestion))

    def require(self, path: FieldPath, value: object) -> bool:
        """Whether there is a value; notes its absence."""
        if value is None or value == "" or value == ():
            self.add(path, "is required")
            return False
        return True

    def text(self, path: FieldPath, value: str, problem: Problem) -> None:
        """A name or other text that follows a spelling rule."""
        if complaint := problem(value):
            self.add(path, f"'{value}' {complaint}" if value else complaint)

    def choice(self, path: FieldPath, value: str | None, allowed: Collection[str]) -> None:
        """One of some words. None and '' mean that defaults decide, and pass."""
        if not value or value in allowed:
            return
        by_lower = {word.lower(): word for word in allowed}
        close = difflib.get_close_matches(value.lower(), by_lower, n=1, cutoff=0.6)
        hint = f"did you mean '{by_lower[close[0]]}'?" if close else ""
        self.add(path, f"'{value}' is not one of {', '.join(sorted(allowed))}", hint)

    def number(self, path: FieldPath, value: int | None, *, least: int = 0, most: int = _MAX_INT32) -> None:
        """A whole number within bounds. None passes."""
        if value is None or least <= value <= most:
            return
        if most == _MAX_INT32 and value < least:
            self.add(path, f"must be at least {least}, not {value}")
        else:
            self.add(path, f"must be between {least} and {most}, not {value}")

    def port(self, path: FieldPath, value: int) -> None:
        self.number(path, value, least=1, most=65535)

    def port_or_name(self, path: FieldPath, value: IntOrString) -> None:
        if isinstance(value, int):
            self.port(path, value)
        else:
            self.text(path, value, port_name_problem)

    def amount(self, path: FieldPath, value: IntOrString | None, *, share_of_pods: bool = True) -> int:
        """A number of pods or a percentage of them, not negative, a percentage at most 100. Returns it without `%`."""
        if value is None:
            return 0
        if isinstance(value, int):
            self.number(path, value)
            return value
        try:
            percent = parse_percent(value)
        except InvalidInput as error:
            self.add(path, error.message)
            return 0
        if percent < 0 or (share_of_pods and percent > 100):
            self.add(path, f"must be between 0% and 100%, not {value}")
        return percent

    def quantity(self, path: FieldPath, value: QuantityLike, *, positive: bool = False) -> bool:
        """A quantity that can be read and is not negative (positive: nor zero). Returns whether it can be compared."""
        try:
            nanos = parse_quantity(value).nanos
        except InvalidInput as error:
            self.add(path, error.message, error.hint)
            return False
        if nanos < 0 or (positive and nanos == 0):
            self.add(path, f"must {'be greater than 0' if positive else 'not be negative'}, not {value}")
            return False
        return True

    def at_most(self, path: FieldPath, value: QuantityLike, bound: QuantityLike, bound_name: str) -> None:
        """value <= bound, both readable."""
        if compare(value, bound) > 0:
            self.add(path, f"must be at most the {bound_name} {bound}, not {value}")

    def unique(self, path: FieldPath, values: Iterable[tuple[FieldPath, object]], what: str) -> None:
        """values: place below `path` and value, in order; a later one that equals an earlier one is noted."""
        seen: set[object] = set()
        for place, value in values:
            if value in seen:
                self.add((*path, *place), f"{what} '{value}' is there twice")
            seen.add(value)

    def only_one(self, path: FieldPath, names: Collection[str], what: str) -> None:
        """Exactly one of several fields is set. names: those that are."""
        if not names:
            self.add(path, f"needs {what}")
        elif len(names) > 1:
            self.add(path, f"may have only one {what.removeprefix('a ')}, not {' and '.join(sorted(names))}")
