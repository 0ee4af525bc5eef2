"""What cordon, uncordon and drain write on a Host. Pure edits of a Draft."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from objects.kinds import BY_KIND
from objects.own.config import Host
from reconciler.cli.common.written_objects import Target, target_of, with_value
from reconciler.controllers.node.drain import DRAIN, DRAIN_GRACE_PERIOD
from reconciler.editing.draft import Draft

_UNSCHEDULABLE = ("spec", "unschedulable")


def host_targets(names: Iterable[str]) -> tuple[Target, ...]:
    """Hosts by name, each once; `host/alpha` and `node/alpha` are understood as well."""
    bare = (name.rpartition("/")[2] for name in names)
    return tuple(target_of(BY_KIND[Host.KIND], name, "") for name in dict.fromkeys(bare))


def cordon(draft: Draft, target: Target) -> str:
    """Returns what is said about it. Raises NotFound."""
    host = draft.object(target.key, target.plural)
    if isinstance(host, Host) and host.spec.unschedulable:
        return f"{target.typed} already cordoned"
    draft.replace(target.key, with_value(draft.manifest(target.key), _UNSCHEDULABLE, True))
    return f"{target.typed} cordoned"


def uncordon(draft: Draft, target: Target) -> str:
    """The Host as it was before it was cordoned or drained. Raises NotFound."""
    draft.object(target.key, target.plural)
    before = draft.manifest(target.key)
    manifest = with_value(before, _UNSCHEDULABLE, None)
    for name in (DRAIN, DRAIN_GRACE_PERIOD):
        manifest = with_value(manifest, ("metadata", "annotations", name), None)
    if manifest == before:
        return f"{target.typed} already uncordoned"
    draft.replace(target.key, manifest)
    return f"{target.typed} uncordoned"


def request_drain(draft: Draft, target: Target, *, now: datetime, grace_seconds: int | None) -> str:
    """Cordon the host and ask for it to be emptied; a drain that is asked for already begins anew. Raises NotFound."""
    draft.object(target.key, target.plural)
    manifest = with_value(draft.manifest(target.key), _UNSCHEDULABLE, True)
    stamp = now.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    manifest = with_value(manifest, ("metadata", "annotations", DRAIN), stamp)
    grace = None if grace_seconds is None else str(grace_seconds)
    manifest = with_value(manifest, ("metadata", "annotations", DRAIN_GRACE_PERIOD), grace)
    draft.replace(target.key, manifest)
    return f"{target.typed} cordoned, draining"
