"""Says exactly what is wrong with a manifest that does not fit its type, and reads `null` as Kubernetes does.

The slow path of `objects.codec`: msgspec decides in microseconds *whether* a manifest fits; this walk along the same
types tells all places where it does not, in a person's words. Values are never shown, they may be secret.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from msgspec import inspect

from objects.fields import FieldError, FieldPath, show_path
from objects.secrets import SecretValue

_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "a text"),
    (dict, "a mapping"),
    (list, "a list"),
)


class Diagnosis:
    """One walk over one manifest. `problems` holds what was found, in the order of the file."""

    def __init__(self) -> None:
        self.problems: list[FieldError] = []
        self._structs: list[tuple[FieldPath, inspect.StructType]] = []

    def clean(self, value: Any, wanted: type[msgspec.Struct], path: FieldPath = ()) -> Any:
        """`value` without the nulls that mean "absent"; what does not fit `wanted` is noted in `problems`."""
        return self._clean(value, _type_of(wanted), path)

    def _note(self, path: FieldPath, message: str, suggestion: str = "") -> None:
        self.problems.append(FieldError(path, message, suggestion))

    def _clean(self, value: Any, wanted: inspect.Type, path: FieldPath) -> Any:
        match wanted:
            case inspect.AnyType():
                return value
            case inspect.UnionType():
                return self._clean_union(value, wanted, path)
            case inspect.StructType():
                return self._clean_struct(value, wanted, path)
            case inspect.DictType():
                return self._clean_dict(value, wanted, path)
            case inspect.VarTupleType():
                return self._clean_list(value, wanted, path)
        if not _fits(value, wanted):
            self._note(path, *_mismatch(value, (wanted,)))
        return value

    def _clean_union(self, value: Any, wanted: inspect.UnionType, path: FieldPath) -> Any:
        members = [member for member in wanted.types if not isinstance(member, inspect.NoneType)]
        if len(members) == 1:
            return self._clean(value, members[0], path)
        if not any(_fits(value, member) for member in members):
            self._note(path, *_mismatch(value, members))
        return value

    def _clean_struct(self, value: Any, wanted: inspect.StructType, path: FieldPath) -> Any:
        if not isinstance(value, dict):
            self._note(path, *_mismatch(value, (wanted,)))
            return value
        fields = {field.encode_name: field for field in wanted.fields}
        self._structs.append((path, wanted))
        cleaned = {}
        for key, item in value.items():
            if key not in fields:
                self._note((*path, str(key)), *self._unknown_field(str(key), fields))
            elif item is not None:
                cleaned[key] = self._clean(item, fields[key].type, (*path, key))
        self._structs.pop()
        for name, field in fields.items():
            if field.required and name not in cleaned:
                self._note((*path, name), "is required")
        return cleaned

    def _unknown_field(self, name: str, fields: Iterable[str]) -> tuple[str, str]:
        known = list(fields)
        by_lower = {field.lower(): field for field in known}
        close = by_lower.get(name.lower()) or next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.75)), "")
        if close:
            return "unknown field", f"did you mean '{close}'?"
        for path, struct in reversed(self._structs[:-1]):
            if any(field.encode_name == name for field in struct.fields):
                return "unknown field here", f"it belongs into {show_path(path) or 'the top of the manifest'}"
        return "unknown field", _allowed(known)

    def _clean_dict(self, value: Any, wanted: inspect.DictType, path: FieldPath) -> Any:
        if not isinstance(value, dict):
            self._note(path, *_mismatch(value, (wanted,)))
            return value
        cleaned = {}
        for key, item in value.items():
            if not isinstance(key, str):
                self._note((*path, str(key)), "its key must be a text", "put the key in quotes")
            elif item is None and isinstance(wanted.value_type, inspect.StrType):
                cleaned[key] = ""
            elif item is not None:
                cleaned[key] = self._clean(item, wanted.value_type, (*path, key))
        return cleaned

    def _clean_list(self, value: Any, wanted: inspect.VarTupleType, path: FieldPath) -> Any:
        if not isinstance(value, list | tuple):
            self._note(path, *_mismatch(value, (wanted,)))
            return value
        return [self._clean(item, wanted.item_type, (*path, index)) for index, item in enumerate(value)]


@functools.cache
def _type_of(wanted: type[msgspec.Struct]) -> inspect.Type:
    return inspect.type_info(wanted)


def _allowed(fields: list[str]) -> str:
    return f"allowed: {', '.join(sorted(fields))}" if len(fields) <= 12 else ""


def _fits(value: Any, wanted: inspect.Type) -> bool:
    """Whether a scalar, or the outermost shape of a collection, is what `wanted` says."""
    match wanted:
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case inspect.StrType():
            return isinstance(value, str)
        case inspect.DateTimeType():
            return isinstance(value, str | datetime) and _is_time(value)
        case inspect.CustomType():
            return isinstance(value, wanted.cls)
        case inspect.DictType() | inspect.StructType():
            return isinstance(value, dict)
    return isinstance(value, list | tuple)


def _is_time(value: str | datetime) -> bool:
    try:
        time = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        return False
    return time.tzinfo is not None


def _mismatch(value: Any, wanted: Iterable[inspect.Type]) -> tuple[str, str]:
    """Message and suggestion for a value of the wrong type; the value itself stays out."""
    kinds = tuple(wanted)
    needed = "a quantity such as 500m or 1Gi"
    if {type(kind) for kind in kinds} != {inspect.StrType, inspect.IntType, inspect.FloatType}:
        needed = " or ".join(dict.fromkeys(_needed(kind) for kind in kinds))
    actual = next((words for kind, words in _WORDS if isinstance(value, kind)), "empty")
    if isinstance(value, str) and any(isinstance(kind, inspect.DateTimeType) for kind in kinds):
        return f"must be {needed}", ""
    scalar = isinstance(value, bool | int | float)
    if scalar and any(isinstance(kind, inspect.StrType) for kind in kinds):
        return f"must be {needed}, not {actual}", "put it in quotes"
    if isinstance(value, str) and _unquoted_would_fit(value, kinds):
        return f"must be {needed}, not {actual}", "remove the quotes"
    return f"must be {needed}, not {actual}", ""


def _needed(wanted: inspect.Type) -> str:
    match wanted:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
        case inspect.StrType():
            return "a text"
        case inspect.DateTimeType():
            return "a time such as 2026-01-31T12:00:00Z"
        case inspect.CustomType() if wanted.cls is SecretValue:
            return "a text"
        case inspect.DictType() | inspect.StructType():
            return "a mapping"
    return "a list"


def _unquoted_would_fit(text: str, kinds: Iterable[inspect.Type]) -> bool:
    for kind in kinds:
        if isinstance(kind, inspect.IntType) and text.lstrip("-").isdigit():
            return True
        if isinstance(kind, inspect.BoolType) and text in ("true", "false"):
            return True
    return False
