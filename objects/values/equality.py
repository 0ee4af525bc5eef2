"""Whether two parts of objects say the same: quantities by their amount, absent and empty as one.

`1Gi` is `1024Mi` and `1000m` is `1`, so a field that must not change may be written anew. Rules: the API servers'
`equality.Semantic.DeepEqual`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect

from objects.errors import InvalidInput
from objects.values.quantity import compare

_QUANTITY = {inspect.StrType, inspect.IntType, inspect.FloatType}
"""The alternatives of `objects.api.meta.QuantityLike`; no other field is a text, an integer or a float."""


def same(left: object, right: object) -> bool:
    """Whether two structs, lists, mappings or scalars of one field mean the same."""
    if left == right:
        return True
    if isinstance(left, msgspec.Struct) and type(left) is type(right):
        quantities = _quantity_fields(type(left))
        return all(
            _same_field(getattr(left, name), getattr(right, name), is_quantity=name in quantities)
            for name in left.__struct_fields__
        )
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return _is_empty(left) and _is_empty(right)


def _same_field(left: Any, right: Any, *, is_quantity: bool) -> bool:
    if not is_quantity or left is None or right is None:
        return same(left, right)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_same_amount(left[key], right[key]) for key in left)
    return _same_amount(left, right)


def _same_amount(left: Any, right: Any) -> bool:
    try:
        return compare(left, right) == 0
    except InvalidInput:
        # Not for here to judge: validation says what is wrong with it.
        return bool(left == right)


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, list | tuple | Mapping) and not value)


@functools.cache
def _quantity_fields(struct: type[msgspec.Struct]) -> frozenset[str]:
    """Names of the fields that hold a quantity or a mapping of quantities."""
    found = inspect.type_info(struct)
    fields = found.fields if isinstance(found, inspect.StructType) else ()
    return frozenset(field.name for field in fields if _holds_quantity(field.type))


def _holds_quantity(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.DictType):
        kind = kind.value_type
    return isinstance(kind, inspect.UnionType) and {type(one) for one in kind.types} >= _QUANTITY
