"""Garbage: what only existed for an owner goes with it.

An object whose owners are all gone is deleted; owners are compared by uid, so a successor of the same name does not
keep it. References to owners that are gone beside others that are not are taken off; a pod loses that to its Job also
when nothing else keeps it. An owner that carries `berth.dev/cascade: orphan` lets its dependents live on: the engine
applies `orphaned_dependents` before it takes such an owner out. A claim waits for the end of the pods that use it, and
gives its volume up. An owner that is deployed and that nobody can read any more (`reconciler.state.copies`) is not
gone: what it made stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from objects.api.apps import (
    ControllerRevision,
    DaemonSet,
    Deployment,
    ReplicaSet,
    StatefulSet,
)
from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.api.batch import CronJob, Job
from objects.api.core import Node
from objects.api.meta import KubeObject, ObjectKey, OwnerReference
from objects.api.pods import Pod
from objects.api.storage import PersistentVolumeClaim
from reconciler.controllers.base import NOTHING, Change, Context, Controller, Delete, Hold, Outcome, Put, own_key
from reconciler.controllers.node.lifecycle import may_show_pods
from reconciler.controllers.volumes.binding import (
    claims_of,
    given_up,
    volume_of,
    why_in_use,
)
from reconciler.figures.pod_metrics import AutoscalerState
from reconciler.state.copies import UnreadObject, unread_maker
from reconciler.state.store import View

CASCADE = "berth.dev/cascade"
"""`orphan` on an owner: when it is deleted, what it made stays."""

_OWNERS: tuple[type[KubeObject], ...] = (
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    CronJob,
    Job,
    HorizontalPodAutoscaler,
    Pod,
    UnreadObject,
)
_DEPENDENTS: tuple[type[KubeObject], ...] = (
    ReplicaSet,
    ControllerRevision,
    AutoscalerState,
    Job,
    Pod,
    PersistentVolumeClaim,
)


def reconcile(view: View, key: ObjectKey, _context: Context) -> Outcome:
    """Delete the object when all its owners are gone, else free it of those that are."""
    obj = view.find(key)
    if obj is None or not obj.metadata.owner_references:
        return NOTHING
    kept = tuple(ref for ref in obj.metadata.owner_references if _exists(view, obj.namespace, ref))
    if len(kept) < len(obj.metadata.owner_references) and (unread := _unread_owner(view, obj)):
        return Outcome(hold=Hold("OwnerUnread", f"{obj.name} stays as it is: {unread.why}"))
    if not kept:
        if isinstance(obj, PersistentVolumeClaim):
            return _end_of_claim(view, obj)
        released = (Put(_with_owners(obj, ())),) if _is_work(obj) else ()
        deleted = () if obj.is_terminating else (Delete(obj.key, obj.uid),)
        return Outcome(changes=(*released, *deleted))
    if len(kept) < len(obj.metadata.owner_references):
        return Outcome(changes=(Put(_with_owners(obj, kept)),))
    return NOTHING


def _unread_owner(view: View, obj: KubeObject) -> UnreadObject | None:
    owners = (unread_maker(view, obj.namespace, ref) for ref in obj.metadata.owner_references)
    return next((owner for owner in owners if owner is not None), None)


def _end_of_claim(view: View, claim: PersistentVolumeClaim) -> Outcome:
    """Nothing while a pod uses it: what a pod writes to stays its claim's."""
    if why := why_in_use(view, claim):
        return Outcome(hold=Hold("ClaimInUse", f"{claim.name} is to be deleted when nobody uses it any more: {why}"))
    volume = volume_of(view, claim.uid)
    released = (Put(given_up(volume)),) if volume is not None else ()
    return Outcome(changes=(*released, Delete(claim.key, claim.uid)))


def _is_work(obj: KubeObject) -> bool:
    """A Job that comes back into Git is another one with the same uid: what was done for the last one is not its."""
    return isinstance(obj, Pod) and any(ref.kind == Job.KIND for ref in obj.metadata.owner_references)


def orphaned_dependents(view: View, owner: KubeObject) -> tuple[Change, ...]:
    """The dependents of `owner` without it, when its annotation asks for that; to be applied before it is removed."""
    if owner.annotations.get(CASCADE) != "orphan":
        return ()
    return tuple(
        Put(_with_owners(obj, tuple(ref for ref in obj.metadata.owner_references if ref.uid != owner.uid)))
        for obj in _dependents(view, owner)
    )


def orphaning(owner: KubeObject) -> KubeObject:
    """`owner` with the annotation that lets its dependents live on."""
    annotations = {**owner.annotations, CASCADE: "orphan"}
    return msgspec.structs.replace(owner, metadata=msgspec.structs.replace(owner.metadata, annotations=annotations))


def _dependents(view: View, owner: KubeObject) -> Iterator[KubeObject]:
    for kind in _DEPENDENTS:
        yield from view.owned(kind, owner.uid)


def _exists(view: View, namespace: str, ref: OwnerReference) -> bool:
    places = (ObjectKey(ref.kind, namespace, ref.name), ObjectKey(ref.kind, "", ref.name))
    return any((owner := view.find(place)) is not None and owner.uid == ref.uid for place in places)


def _with_owners(obj: KubeObject, owners: tuple[OwnerReference, ...]) -> KubeObject:
    return msgspec.structs.replace(obj, metadata=msgspec.structs.replace(obj.metadata, owner_references=owners))


def _keys_of_dependents(view: View, owner: KubeObject) -> tuple[ObjectKey, ...]:
    """Only an owner that is gone (or is another one now) makes its dependents dirty."""
    present = view.find(owner.key)
    if present is not None and present.uid == owner.uid:
        return ()
    if isinstance(owner, UnreadObject):
        # Also those of what it made, which may be as unknown as itself.
        return tuple(obj.key for kind in _DEPENDENTS for obj in view.all_of(kind, owner.namespace))
    return tuple(obj.key for obj in _dependents(view, owner))


def _keys_of_both(view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    """Of a pod that is gone also its claims, which may have waited for its end."""
    claims = claims_of(obj) if isinstance(obj, Pod) and view.find(obj.key) is None else ()
    used = (ObjectKey(PersistentVolumeClaim.KIND, obj.namespace, name) for name in claims)
    return (*own_key(view, obj), *_keys_of_dependents(view, obj), *used)


def _is_owned_otherwise(_view: View, old: KubeObject, new: KubeObject) -> bool:
    """Of an object that is there, only other owners, or another uid, matter: its owners are watched themselves."""
    before, after = old.metadata, new.metadata
    return before.uid != after.uid or before.owner_references != after.owner_references


def _keys_of_claims(view: View, _node: KubeObject) -> tuple[ObjectKey, ...]:
    """A node that is seen for the first time, or leaves, may end the wait of a claim."""
    return tuple(claim.key for claim in view.all_of(PersistentVolumeClaim) if claim.metadata.owner_references)


CONTROLLER = Controller(
    name="garbage-collector",
    watches={
        Node.KIND: _keys_of_claims,
        **{kind.KIND: own_key for kind in _DEPENDENTS},
        **{kind.KIND: _keys_of_both if kind in _DEPENDENTS else _keys_of_dependents for kind in _OWNERS},
    },
    concerns={Node.KIND: may_show_pods, Pod.KIND: _is_owned_otherwise},
    reconcile=reconcile,
)
