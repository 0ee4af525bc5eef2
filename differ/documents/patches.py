"""Patches as `kubectl patch` takes them: strategic merge, JSON merge (RFC 7386), JSON patch (RFC 6902). Pure.

Applied to a manifest as a person wrote it. Whether the result is still a manifest is for validation to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import jsonpatch

from objects.errors import InvalidInput

Document: TypeAlias = Mapping[str, Any]

MERGE_KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "containers": ("name",),
        "initContainers": ("name",),
        "ephemeralContainers": ("name",),
        "env": ("name",),
        "volumes": ("name",),
        "volumeMounts": ("mountPath",),
        "volumeDevices": ("devicePath",),
        "ports": ("containerPort", "port"),
        "imagePullSecrets": ("name",),
        "secrets": ("name",),
        "hostAliases": ("ip",),
        "topologySpreadConstraints": ("topologyKey",),
        "taints": ("key",),
        "conditions": ("type",),
        "ownerReferences": ("uid",),
    }
)
"""List → the field that tells its items apart (the first that all items of the patch have): `patchMergeKey` of the API
types. Any other list is replaced as a whole."""

_MERGED_PRIMITIVES = frozenset({"finalizers"})
_DIRECTIVE, _RETAIN = "$patch", "$retainKeys"
_DELETE_PRIMITIVES, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


def apply_json_patch(document: Document, operations: Any) -> dict[str, Any]:
    """RFC 6902. Raises InvalidInput; the message never shows values, which may be secret."""
    if not isinstance(operations, list):
        raise InvalidInput("a JSON patch is a list of operations", hint='[{"op": "replace", "path": …, "value": …}]')
    try:
        patched = jsonpatch.apply_patch(dict(document), operations)
    except jsonpatch.JsonPatchTestFailed:
        raise InvalidInput("a test of the patch does not hold: nothing is changed") from None
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError, ValueError):
        raise InvalidInput("the patch does not fit: it is malformed, or names a path that is not there") from None
    return _as_object(patched)


def apply_merge_patch(document: Document, patch: Any) -> dict[str, Any]:
    """RFC 7386: mappings are merged, null removes, everything else replaces. Raises InvalidInput."""
    return _as_object(_merged(document, _as_object(patch)))


def apply_strategic_patch(document: Document, patch: Any) -> dict[str, Any]:
    """Kubernetes' strategic merge: as a merge patch, but lists of `MERGE_KEYS` are merged item by item.

    Understands `$patch: replace|delete|merge`, `$retainKeys`, `$deleteFromPrimitiveList/…` and `$setElementOrder/…`.
    Raises InvalidInput.
    """
    return _strategic_mapping(document, _as_object(patch))


def _as_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput("a patch gives a mapping")
    return dict(value)


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    result = dict(old) if isinstance(old, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result


# --- strategic -----------------------------------------------------------------------------------------------------


def _strategic_mapping(old: Document, patch: Document) -> dict[str, Any]:
    directive = patch.get(_DIRECTIVE, "merge")
    body = {key: value for key, value in patch.items() if key != _DIRECTIVE}
    match directive:
        case "replace":
            return {key: _without_nulls(value) for key, value in body.items() if value is not None}
        case "delete":
            return {}
        case "merge":
            pass
        case _:
            raise InvalidInput(f"there is no $patch: {directive!r}", hint="replace, merge or delete")
    result = dict(old)
    retained = body.pop(_RETAIN, None)
    if retained is not None:
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in body.items():
        _apply_entry(result, key, value)
    for key, order in body.items():
        name = key.removeprefix(_ORDER)
        if name != key and isinstance(result.get(name), list):
            result[name] = _in_order(result[name], order, name)
    return result


def _apply_entry(result: dict[str, Any], key: str, value: Any) -> None:
    if key.startswith(_ORDER):
        return
    if key.startswith(_DELETE_PRIMITIVES):
        name = key.removeprefix(_DELETE_PRIMITIVES)
        result[name] = [item for item in result.get(name) or () if item not in value]
    elif value is None:
        result.pop(key, None)
    elif isinstance(value, Mapping):
        before = result.get(key)
        result[key] = _strategic_mapping(before if isinstance(before, Mapping) else {}, value)
    elif isinstance(value, list):
        result[key] = _strategic_list(result.get(key), value, key)
    else:
        result[key] = value


def _strategic_list(old: Any, patch: list[Any], name: str) -> list[Any]:
    items = [item for item in patch if not _is_replacement_mark(item)]
    if name in _MERGED_PRIMITIVES:
        before = old if isinstance(old, list) else []
        return [*before, *(item for item in items if item not in before)]
    merge_key = _merge_key(name, items)
    if merge_key is None or len(items) < len(patch):
        return [_without_nulls(item) for item in items]
    result = list(old) if isinstance(old, list) else []
    for item in items:
        index = next((place for place, one in enumerate(result) if _same(one, item, merge_key)), None)
        if item.get(_DIRECTIVE) == "delete":
            if index is not None:
                del result[index]
        elif index is None:
            result.append(_strategic_mapping({}, item))
        else:
            result[index] = _strategic_mapping(result[index], item)
    return result


def _is_replacement_mark(item: Any) -> bool:
    """`- $patch: replace` among the items: the list is not merged."""
    return isinstance(item, Mapping) and dict(item) == {_DIRECTIVE: "replace"}


def _merge_key(name: str, items: list[Any]) -> str | None:
    """None: the list is replaced. Raises InvalidInput when an item does not say which one it means."""
    candidates = MERGE_KEYS.get(name)
    if candidates is None or not all(isinstance(item, Mapping) for item in items):
        return None
    for key in candidates:
        if items and all(key in item for item in items):
            return key
    if not items:
        return candidates[0]
    raise InvalidInput(f"an item of {name} in the patch has no {' or '.join(candidates)}")


def _same(one: Any, other: Document, key: str) -> bool:
    return isinstance(one, Mapping) and one.get(key) == other[key]


def _without_nulls(value: Any) -> Any:
    """Nulls of mappings mean "not there"; those of lists of scalars are values."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None and key != _DIRECTIVE}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _in_order(items: list[Any], order: Any, name: str) -> list[Any]:
    """Items in the order of the patch, others keep their places behind those that they followed."""
    if not isinstance(order, list):
        raise InvalidInput(f"{_ORDER}{name} is not a list")
    key = _merge_key(name, order) if order and all(isinstance(item, Mapping) for item in order) else None
    wanted = [item[key] for item in order] if key else order
    names = [item.get(key) if key and isinstance(item, Mapping) else item for item in items]
    ordered = [items[names.index(one)] for one in wanted if one in names]
    for index, one in enumerate(names):
        if one not in wanted:
            place = ordered.index(items[index - 1]) + 1 if index and items[index - 1] in ordered else 0
            ordered.insert(place, items[index])
    return ordered
