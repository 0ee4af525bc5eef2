"""Objects of Kubernetes' tables as ours. The tables write every empty field as null; those are left out."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from objects.api.meta import KubeStruct

S = TypeVar("S", bound=KubeStruct)

_NOT_OURS = frozenset({"apiVersion", "kind", "daemonEndpoints", "fieldsV1"})
"""Of top-level objects: checked by the codec, not fields of our structs."""


def load(kind: type[S], value: Any) -> S:
    """`value` of a table as an object of `kind`; None gives an empty one."""
    body = {name: _without_nulls(item) for name, item in (value or {}).items() if name not in _NOT_OURS}
    return msgspec.convert({name: item for name, item in body.items() if item is not None}, kind)


def load_all(kind: type[S], values: Any) -> list[S]:
    """A list of a table, None for an empty one."""
    return [load(kind, value) for value in values or ()]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None and name not in _INNER}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


_INNER = frozenset({"daemonEndpoints"})
