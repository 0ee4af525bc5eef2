"""Objects against objects: which fields differ, named as a person would name them. Pure.

Lists are compared as Kubernetes merges them: by name, port or mount path, not by position, so that one container put in
front of another is one addition. RFC 6902 is the format for programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import jsonpatch

from differ.kubelet.assignment import DifferStruct

Document: TypeAlias = Mapping[str, Any]
_Identity: TypeAlias = tuple[Any, ...]

MERGE_KEYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "initContainers": (("name",),),
    "ephemeralContainers": (("name",),),
    "volumes": (("name",),),
    "env": (("name",),),
    "volumeMounts": (("mountPath",),),
    "volumeDevices": (("devicePath",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
    "imagePullSecrets": (("name",),),
    "hostAliases": (("ip",),),
    "taints": (("key", "effect"),),
    "conditions": (("type",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "items": (("key",), ("path",)),
    "ownerReferences": (("uid",),),
    "secrets": (("name",),),
    "rules": (("host",),),
    "volumeClaimTemplates": (("metadata.name",),),
}
"""List → the sets of fields that can identify an element, the first that all elements have. Source: `patchMergeKey` of
the Kubernetes API types, and the obvious key where the API has none."""

_VOLATILE_METADATA = ("resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "uid")


class FieldChange(DifferStruct):
    """One field. path: `spec.template.spec.containers[web].image`. old, new: None when the field is not there."""

    path: str
    old: Any
    new: Any

    @property
    def operation(self) -> str:
        return "add" if self.old is None else "remove" if self.new is None else "replace"


def comparable(document: Document) -> dict[str, Any]:
    """A document without status and without what a server counts up: what a person wrote."""
    result = {name: value for name, value in document.items() if name != "status"}
    metadata = result.get("metadata", {})
    result["metadata"] = {name: value for name, value in metadata.items() if name not in _VOLATILE_METADATA}
    return result


def diff_documents(old: Document, new: Document) -> tuple[FieldChange, ...]:
    """The fields in which two documents differ, in the order of the new one, removed ones after them."""
    return tuple(_diff_mapping("", old, new))


def align(old: Any, new: Any, *, name: str = "") -> Any:
    """`new` with list elements in the order of `old` where they can be identified; added ones come after.

    So that a comparison by position, as RFC 6902 makes it, finds the same changes as ours.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {key: align(old.get(key), value, name=key) for key, value in new.items()}
    if not (_is_list(old) and _is_list(new)):
        return new
    keys = _merge_keys(name, old, new)
    if keys is None:
        return list(new)
    rest = {_identity(item, keys): item for item in new}
    aligned = []
    for item in old:
        twin = rest.pop(_identity(item, keys), None)
        if twin is not None:
            aligned.append(align(item, twin, name=""))
    return [*aligned, *rest.values()]


def json_patch(old: Document, new: Document) -> list[dict[str, Any]]:
    """RFC 6902: the operations that make `new` (in `align`ed order) of `old`."""
    operations: list[dict[str, Any]] = jsonpatch.make_patch(old, align(old, new)).patch
    return operations


def _diff(path: str, name: str, old: Any, new: Any) -> Iterator[FieldChange]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _diff_mapping(path, old, new)
    elif _is_list(old) and _is_list(new):
        yield from _diff_list(path, name, old, new)
    else:
        yield FieldChange(path=path, old=old, new=new)


def _diff_mapping(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[FieldChange]:
    for key in (*new, *(key for key in old if key not in new)):
        yield from _diff(_child(path, key), key, old.get(key), new.get(key))


def _diff_list(path: str, name: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[FieldChange]:
    keys = _merge_keys(name, old, new)
    if keys is None:
        for index in range(max(len(old), len(new))):
            left = old[index] if index < len(old) else None
            right = new[index] if index < len(new) else None
            yield from _diff(f"{path}[{index}]", "", left, right)
        return
    before = {_identity(item, keys): item for item in old}
    after = {_identity(item, keys): item for item in new}
    for identity in (*after, *(identity for identity in before if identity not in after)):
        label = "/".join(str(part) for part in identity if part is not None)
        yield from _diff(f"{path}[{label}]", "", before.get(identity), after.get(identity))


def _merge_keys(name: str, *lists: Sequence[Any]) -> tuple[str, ...] | None:
    """The fields that tell the elements of each list apart, or None: compare by position."""
    for keys in MERGE_KEYS.get(name, ()):
        if all(_are_told_apart(items, keys) for items in lists):
            return keys
    return None


def _are_told_apart(items: Sequence[Any], keys: tuple[str, ...]) -> bool:
    if not all(isinstance(item, Mapping) and _identity(item, keys)[0] is not None for item in items):
        return False
    return len({_identity(item, keys) for item in items}) == len(items)


def _identity(item: Mapping[str, Any], keys: tuple[str, ...]) -> _Identity:
    return tuple(_field(item, key) for key in keys)


def _field(item: Mapping[str, Any], dotted: str) -> Any:
    value: Any = item
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _child(path: str, key: str) -> str:
    quoted = f"['{key}']" if not key or "." in key or "/" in key else f".{key}"
    return (path + quoted).lstrip(".")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
