"""PersistentVolumeClaim: says of each claim where its data is, or what it waits for, and finds lost bindings again.

A claim is bound by the scheduler together with its first pod (`claim_binding`). What is left to do here: statuses, and
the claims of a process without memory. Their data is where a pod that uses them runs, or else where a Docker volume of
theirs lies, the newest if they gave some up. The data of a claim that is gone from Git stays, and is the claim's again
when it comes back.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from objects.api.core import Node
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod
from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from objects.names import claim_volume_generation, claim_volume_name, stable_uid
from reconciler.controllers.base import NOTHING, Context, Controller, Hold, Occurrence, Outcome, Put, own_key
from reconciler.controllers.node.lifecycle import may_show_pods
from reconciler.controllers.volumes.binding import (
    bound_form,
    claims_of,
    docker_volume_of,
    generation_of,
    given_up,
    host_of,
    is_given_up,
    is_to_be_given_up,
    persistent_volume_name,
    pods_with,
    unbound_form,
    volume_for,
    volume_of,
    why_in_use,
    why_never,
)
from reconciler.state.host_status import HostStatus
from reconciler.state.store import Index, View


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """Bind what has a volume, say of the rest why it has none."""
    claim = view.get(PersistentVolumeClaim, key.namespace, key.name)
    if claim is None:
        return _released(volume_of(view, stable_uid(key)))
    known, lying = generation_of(view, claim.uid), _volumes_on_hosts(view, claim)
    newest = max(lying, default=0)
    if newest > known:
        # Who made it had given the others up, and did not come to write that down.
        earlier = (_earlier_volume(view, claim, lying, generation, context) for generation in range(known, newest))
        return Outcome(changes=tuple(Put(given_up(volume)) for volume in earlier))
    volume = volume_of(view, claim.uid)
    if volume is not None and (is_to_be_given_up(volume) or _is_left(view, claim, volume)):
        return _given_up(view, claim, volume)
    if volume is not None:
        return _bound(claim, volume)
    never = why_never(view, claim)
    if never:
        return _waiting(claim, "ProvisioningFailed", never, kind="Warning")
    places = _hosts_of_users(view, claim, known) or lying.get(known, [])
    if len(places) > 1:
        message = f"a volume of this claim lies on {', '.join(places)}: remove all but the right one"
        return _waiting(claim, "AmbiguousVolume", message, kind="Warning")
    if places:
        found = volume_for(claim, places[0], generation=known, now=context.now)
        message = f"Found the claim's volume on host {places[0]}"
        said = Occurrence(claim.key, "Normal", "VolumeFound", message)
        return Outcome(changes=(Put(found), Put(bound_form(claim, found))), occurrences=(said,))
    message = "waiting for first consumer to be created before binding"
    return msgspec.structs.replace(_waiting(claim, "WaitForFirstConsumer", message), hold=None)


def _bound(claim: PersistentVolumeClaim, volume: PersistentVolume) -> Outcome:
    """The volume follows what its claim asks for now: a Docker volume has no size of its own."""
    spec = msgspec.structs.replace(volume.spec, capacity=claim.spec.resources.requests)
    held = msgspec.structs.replace(volume, spec=spec, status=msgspec.structs.replace(volume.status, phase="Bound"))
    return Outcome(changes=(Put(held), Put(bound_form(claim, held))))


def _is_left(view: View, claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    """Whether a pod that goes on is elsewhere. It was given to a host with the claim's data: this volume was given up
    then, by an earlier process that did not come to write it down.
    """
    hosts = {pod.spec.node_name for pod in pods_with(view, claim) if not pod.is_finished and not pod.is_terminating}
    return bool(hosts) and host_of(volume) not in (*hosts, "")


def _given_up(view: View, claim: PersistentVolumeClaim, volume: PersistentVolume) -> Outcome:
    """Somebody said so. While a pod uses it nothing happens: what that writes stays its claim's."""
    if why := why_in_use(view, claim):
        message = f"{docker_volume_of(volume)} is to be given up when nobody uses it any more: {why}"
        return msgspec.structs.replace(_bound(claim, volume), hold=Hold("ClaimInUse", message))
    message = f"Gave up volume {docker_volume_of(volume)}, which stays on host {host_of(volume)}"
    said = Occurrence(claim.key, "Normal", "VolumeGivenUp", message)
    return Outcome(changes=(Put(given_up(volume)), Put(unbound_form(claim))), occurrences=(said,))


def _released(volume: PersistentVolume | None) -> Outcome:
    if volume is None:
        return NOTHING
    if is_to_be_given_up(volume):
        return Outcome(changes=(Put(given_up(volume)),))
    status = msgspec.structs.replace(volume.status, phase="Released")
    return Outcome(changes=(Put(msgspec.structs.replace(volume, status=status)),))


def _waiting(claim: PersistentVolumeClaim, reason: str, message: str, *, kind: str = "Normal") -> Outcome:
    """Pending for a reason, which is said once."""
    is_new = claim.status.phase != "Pending"
    status = msgspec.structs.replace(claim.status, phase="Pending")
    return Outcome(
        changes=(Put(msgspec.structs.replace(claim, status=status)),),
        occurrences=(Occurrence(claim.key, kind, reason, message),) if is_new else (),
        hold=Hold(reason, message),
    )


def _hosts_of_users(view: View, claim: PersistentVolumeClaim, generation: int) -> list[str]:
    """Hosts where pods use the claim. One that has ended used the claim's first volume, or nobody knows which."""
    return sorted({pod.spec.node_name for pod in pods_with(view, claim) if not (generation and pod.is_finished)})


def _volumes_on_hosts(view: View, claim: PersistentVolumeClaim) -> dict[int, list[str]]:
    """Which generations of the claim's volume lie on which hosts, sorted, as far as these were seen."""
    first = claim_volume_name(claim.namespace, claim.name)
    found: dict[int, list[str]] = {}
    for status in view.by_index(_HOLDERS, first):
        for name in _claim_volumes(status):
            if name.startswith(first):
                volume, generation = claim_volume_generation(name)
                if volume == first:
                    found.setdefault(generation, []).append(status.name)
    return found


def _claim_volumes(status: HostStatus) -> tuple[str, ...]:
    return status.facts.claim_volumes if status.facts is not None else ()


def _first_names(status: HostStatus) -> set[str]:
    return {claim_volume_generation(name)[0] for name in _claim_volumes(status)}


_HOLDERS = Index(HostStatus, _first_names, _claim_volumes)
"""Hosts by the first names of the claims whose volumes lie there."""
_UNBOUND = Index(
    PersistentVolumeClaim,
    lambda claim: () if claim.spec.volume_name else ("unbound",),
    lambda claim: claim.spec.volume_name,
)
_TO_BE_GIVEN_UP = Index(
    PersistentVolume,
    lambda volume: ("to be given up",) if is_to_be_given_up(volume) and not is_given_up(volume) else (),
    lambda volume: (is_to_be_given_up(volume), is_given_up(volume)),
)
_BY_VOLUME = Index(
    PersistentVolumeClaim,
    lambda claim: (claim_volume_name(claim.namespace, claim.name),),
    lambda claim: claim.key,
)


def _earlier_volume(
    view: View, claim: PersistentVolumeClaim, lying: dict[int, list[str]], generation: int, context: Context
) -> PersistentVolume:
    """The volume of an earlier generation as it is remembered; else as it is found on a host, if it is."""
    remembered = view.get(PersistentVolume, "", persistent_volume_name(claim.uid, generation))
    if remembered is not None:
        return remembered
    host = next(iter(lying.get(generation, ())), "")
    return volume_for(claim, host, generation=generation, now=context.now)


# --- watches --------------------------------------------------------------------------------------------------------


def _keys_of_volume(_view: View, obj: KubeObject) -> Iterable[ObjectKey]:
    owner = obj.spec.claim_ref if isinstance(obj, PersistentVolume) else None
    return (ObjectKey(PersistentVolumeClaim.KIND, owner.namespace, owner.name),) if owner is not None else ()


def _keys_of_pod(_view: View, obj: KubeObject) -> Iterable[ObjectKey]:
    if not isinstance(obj, Pod) or not obj.spec.node_name:
        return ()
    return tuple(ObjectKey(PersistentVolumeClaim.KIND, obj.namespace, name) for name in claims_of(obj))


def _keys_of_unbound(view: View, _obj: KubeObject) -> Iterable[ObjectKey]:
    return tuple(claim.key for claim in view.by_index(_UNBOUND, "unbound"))


def _keys_of_host(view: View, obj: KubeObject) -> Iterable[ObjectKey]:
    """Claims that wait for a volume; and those that have one, of which the host holds a later one."""
    volumes = _claim_volumes(obj) if isinstance(obj, HostStatus) else ()
    if not volumes:
        return ()
    later = {first for first, generation in map(claim_volume_generation, volumes) if generation}
    bound = (claim.key for first in sorted(later) for claim in view.by_index(_BY_VOLUME, first))
    return (*_keys_of_unbound(view, obj), *bound)


def _has_other_volumes(_view: View, old: HostStatus, new: HostStatus) -> bool:
    return _claim_volumes(old) != _claim_volumes(new)


def _keys_of_node(view: View, _obj: KubeObject) -> Iterable[ObjectKey]:
    """A node that is seen for the first time, or leaves, may end the wait of a claim that is to give its volume up."""
    volumes = view.by_index(_TO_BE_GIVEN_UP, "to be given up")
    return tuple(key for volume in volumes for key in _keys_of_volume(view, volume))


CONTROLLER = Controller(
    name="persistentvolume-controller",
    watches={
        PersistentVolumeClaim.KIND: own_key,
        PersistentVolume.KIND: _keys_of_volume,
        Pod.KIND: _keys_of_pod,
        Node.KIND: _keys_of_node,
        HostStatus.KIND: _keys_of_host,
        StorageClass.KIND: _keys_of_unbound,
    },
    concerns={HostStatus.KIND: _has_other_volumes, Node.KIND: may_show_pods},
    reconcile=reconcile,
)
