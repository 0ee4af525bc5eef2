"""What `berth rollout undo|pause|resume|restart` make of a manifest: edits of a Draft."""

from __future__ import annotations

from datetime import datetime

from objects.api.meta import KubeObject
from objects.errors import InvalidInput
from reconciler.cli.common.written_objects import (
    TEMPLATE_PATHS,
    Target,
    value_at,
    with_value,
)
from reconciler.editing.draft import Draft
from reconciler.editing.history import Revision

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


def undo(draft: Draft, target: Target, revision: Revision) -> str:
    """Put back the pod template of a revision; the number of pods stays. Raises InvalidInput for a paused one."""
    _check_not_paused(draft.object(target.key, target.plural), target, "roll back")
    path = TEMPLATE_PATHS[target.key.kind]
    manifest, template = draft.manifest(target.key), value_at(revision.version.manifest, path)
    if value_at(manifest, path) == template:
        number = revision.number
        return f"{target.typed} skipped rollback (current template already matches revision {number})"
    draft.replace(target.key, with_value(manifest, path, template))
    return f"{target.typed} rolled back"


def pause(draft: Draft, target: Target) -> str:
    """Raises InvalidInput when it is paused already."""
    if _is_paused(draft.object(target.key, target.plural)):
        raise InvalidInput(f'{target.plural} "{target.key.name}" is already paused')
    draft.replace(target.key, with_value(draft.manifest(target.key), ("spec", "paused"), True))
    return f"{target.typed} paused"


def resume(draft: Draft, target: Target) -> str:
    """Raises InvalidInput when it is not paused."""
    if not _is_paused(draft.object(target.key, target.plural)):
        raise InvalidInput(f'{target.plural} "{target.key.name}" is not paused')
    draft.replace(target.key, with_value(draft.manifest(target.key), ("spec", "paused"), None))
    return f"{target.typed} resumed"


def restart(draft: Draft, target: Target, *, now: datetime) -> str:
    """Another template, by an annotation: all pods are replaced. Raises InvalidInput for a paused one."""
    _check_not_paused(draft.object(target.key, target.plural), target, "restart")
    stamp = now.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    path = (*TEMPLATE_PATHS[target.key.kind], "metadata", "annotations", RESTARTED_AT)
    draft.replace(target.key, with_value(draft.manifest(target.key), path, stamp))
    return f"{target.typed} restarted"


def _is_paused(obj: KubeObject) -> bool:
    return bool(getattr(getattr(obj, "spec", None), "paused", False))


def _check_not_paused(obj: KubeObject, target: Target, what: str) -> None:
    if _is_paused(obj):
        raise InvalidInput(f"cannot {what} a paused workload", hint=f"berth rollout resume {target.typed}")
