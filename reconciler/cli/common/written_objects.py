"""Objects that a writing verb is about: named on the command line, found in Git, and the parts they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from objects.api.meta import KubeObject, ObjectKey
from objects.errors import InvalidInput
from objects.fields import FieldPath
from objects.kinds import KindInfo
from reconciler.cli.common.naming import parse_wanted, typed_name

TEMPLATE_PATHS: dict[str, FieldPath] = {
    "Pod": (),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job"), ("spec", "template")
    ),
}
"""Kind → where its pod template stands."""


class Target(NamedTuple):
    """One object. typed: as kubectl names it (`deployment.apps/web`)."""

    key: ObjectKey
    typed: str
    plural: str


def target_of(info: KindInfo, name: str, namespace: str) -> Target:
    scope = namespace if info.kind.NAMESPACED else ""
    return Target(ObjectKey(info.kind.KIND, scope, name), typed_name(info, name), info.plural)


def find_targets(
    arguments: Sequence[str], namespace: str, kinds: tuple[type[KubeObject], ...] = ()
) -> tuple[Target, ...]:
    """`KIND NAME…` or `KIND/NAME…`; each by name. kinds: which are possible, () for all. Raises UsageError."""
    wanted = parse_wanted(arguments)
    for item in wanted:
        if kinds and item.kind.kind not in kinds:
            possible = ", ".join(kind.KIND for kind in kinds)
            raise click.UsageError(f"not possible with a {item.kind.kind.KIND}; with: {possible}")
        if not item.names:
            raise click.UsageError(f"which one? For example: {item.kind.kind.KIND.lower()}/NAME")
    return tuple(target_of(item.kind, name, namespace) for item in wanted for name in item.names)


def value_at(manifest: dict[str, Any], path: FieldPath) -> Any:
    """What stands at `path`, None when nothing does."""
    value: Any = manifest
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def with_value(manifest: dict[str, Any], path: FieldPath, value: Any) -> dict[str, Any]:
    """A copy with `value` at `path` of mappings; None removes what is there, and a mapping that it leaves empty."""
    key, rest = str(path[0]), path[1:]
    if not rest:
        changed = {name: item for name, item in manifest.items() if name != key}
        return changed if value is None else {**manifest, key: value}
    below = manifest.get(key)
    if below is not None and not isinstance(below, dict):
        raise InvalidInput(f"'{key}' of the manifest is not a mapping")
    if value is None and not below:
        return manifest
    inner = with_value(below or {}, rest, value)
    return with_value(manifest, (key,), inner or None) if value is None else {**manifest, key: inner}
