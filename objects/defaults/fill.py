"""Filling what a person left out, one struct at a time, without copying what is complete already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from objects.api.meta import KubeStruct

_Struct = TypeVar("_Struct", bound=KubeStruct)


def fill(struct: _Struct, **defaults: Any) -> _Struct:
    """`struct` with `defaults` for the fields that are None or ''. 0, False and empty collections are answers."""
    missing = {name: value for name, value in defaults.items() if getattr(struct, name) in (None, "")}
    return msgspec.structs.replace(struct, **missing) if missing else struct


def fill_zero(struct: _Struct, **defaults: Any) -> _Struct:
    """`struct` with `defaults` for the fields that are 0, where 0 means "not said"."""
    missing = {name: value for name, value in defaults.items() if not getattr(struct, name)}
    return msgspec.structs.replace(struct, **missing) if missing else struct


def change(struct: _Struct, **fields: Any) -> _Struct:
    """`struct` with `fields`; itself when nothing differs, so that untouched parts stay the same object."""
    changed = {name: value for name, value in fields.items() if getattr(struct, name) is not value}
    return msgspec.structs.replace(struct, **changed) if changed else struct


def each(items: tuple[_Struct, ...], complete: Callable[[_Struct], _Struct]) -> tuple[_Struct, ...]:
    """`complete` applied to each; the same tuple when nothing changed."""
    completed = tuple(complete(item) for item in items)
    return items if all(a is b for a, b in zip(items, completed, strict=True)) else completed
