"""How a claim gets its volume: one Docker volume a claim, made on the host where its first pod lands. Pure.

The binding is a PersistentVolume that names the claim (`claimRef`) and the host (`nodeAffinity`); it is on the status
branch, so it outlives this process, and so does the volume itself on its host. Nothing here deletes either. A claim
that the retention policy of its StatefulSet deletes gives its volume up: the next claim of that name gets a fresh one,
of the next generation. Other kinds of volumes fit in behind the same place: a PersistentVolume of another driver.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.api.meta import KubeObject, ObjectMeta, ObjectReference
from objects.api.pods import (
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
)
from objects.api.storage import (
    DOCKER_VOLUMES,
    CSIPersistentVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimStatus,
    PersistentVolumeSpec,
    PersistentVolumeStatus,
    StorageClass,
    VolumeNodeAffinity,
)
from objects.names import claim_volume_name, stable_uid
from reconciler.controllers.node.lifecycle import hosts_that_may_hold_pods, hosts_that_may_hold_unrecorded
from reconciler.state.store import Index, Reader, View

_NODE_NAME = "metadata.name"
"""Not the label `kubernetes.io/hostname`: a Host may say something else there."""
_GIVEN_UP = "GivenUp"
_TO_BE_GIVEN_UP = "berth.dev/give-up"
_NO_CLASS = "none"
"""For the scheduler: a class that nobody defined."""


# --- what is there --------------------------------------------------------------------------------------------------


def claims_of(pod: Pod) -> tuple[str, ...]:
    """Names of the claims that a pod mounts, each once."""
    if not pod.spec.volumes:
        return ()
    sources = (volume.persistent_volume_claim for volume in pod.spec.volumes)
    return tuple(dict.fromkeys(source.claim_name for source in sources if source is not None))


def persistent_volume_name(claim_uid: str, generation: int = 0) -> str:
    """As Kubernetes' provisioners name what they make; a claim that gave volumes up adds how many."""
    return f"pvc-{claim_uid}-{generation}" if generation else f"pvc-{claim_uid}"


def generation_of(view: Reader, claim_uid: str) -> int:
    """How many volumes a claim gave up: the generation of the one that it has, or will get."""
    generation = 0
    while (volume := _volume(view, claim_uid, generation)) is not None and is_given_up(volume):
        generation += 1
    return generation


def volume_of(view: Reader, claim_uid: str) -> PersistentVolume | None:
    """The volume that was made for a claim and not given up, bound or not."""
    return _volume(view, claim_uid, generation_of(view, claim_uid))


def _volume(view: Reader, claim_uid: str, generation: int) -> PersistentVolume | None:
    return view.get(PersistentVolume, "", persistent_volume_name(claim_uid, generation))


def bound_volume(view: Reader, claim: PersistentVolumeClaim) -> PersistentVolume | None:
    """The claim's volume, once it says so itself."""
    volume = volume_of(view, claim.uid)
    return volume if volume is not None and volume.name == claim.spec.volume_name else None


def why_in_use(view: View, claim: PersistentVolumeClaim) -> str:
    """Who may still write to the claim's volume; '' when nobody can."""
    volume = volume_of(view, claim.uid)
    if volume is None:
        return ""
    host = host_of(volume)
    users = [pod.name for pod in pods_with(view, claim) if pod.spec.node_name == host and not pod.is_finished]
    if users:
        return f"used by {', '.join(users)}"
    if host in hosts_that_may_hold_pods(view):
        return f"a pod may still use it on host {host}, not seen since the start"
    return ""


def pods_with(view: View, claim: PersistentVolumeClaim) -> list[Pod]:
    """Pods that were given to a host and mount the claim. One that a manifest puts on a host was not, yet."""
    return [pod for pod in pods_naming(view, claim) if pod.spec.node_name and pod.status.start_time]


def pods_naming(view: View, claim: PersistentVolumeClaim) -> list[Pod]:
    """Pods that mount the claim, wherever they are, or wait."""
    return view.by_index(_USERS, (claim.namespace, claim.name))


_USERS = Index(Pod, lambda pod: [(pod.namespace, name) for name in claims_of(pod)], lambda pod: pod.spec.volumes)


def is_to_be_given_up(volume: PersistentVolume) -> bool:
    """Whether a person said, in a commit, that the claim shall have another one."""
    return _TO_BE_GIVEN_UP in volume.annotations


def marked_for_giving_up(volume: PersistentVolume) -> PersistentVolume:
    """`volume` with what a person said of it: so it outlives this process."""
    annotations = {**volume.annotations, _TO_BE_GIVEN_UP: "true"}
    return msgspec.structs.replace(volume, metadata=msgspec.structs.replace(volume.metadata, annotations=annotations))


def is_given_up(volume: PersistentVolume) -> bool:
    """Whether no claim gets this volume any more; a person who wants its data finds it on its host."""
    return volume.status.reason == _GIVEN_UP


def docker_volume_of(volume: PersistentVolume) -> str:
    """The name of its Docker volume; '' for a volume of another driver."""
    source = volume.spec.csi
    return source.volume_handle if source is not None and source.driver == DOCKER_VOLUMES else ""


def host_of(volume: PersistentVolume) -> str:
    """The host that holds the data; '' when the volume does not say one."""
    required = volume.spec.node_affinity.required if volume.spec.node_affinity is not None else None
    for term in required.node_selector_terms if required is not None else ():
        for requirement in term.match_fields:
            if (requirement.key, requirement.operator) == (_NODE_NAME, "In") and len(requirement.values) == 1:
                return requirement.values[0]
    return ""


# --- what cannot be -------------------------------------------------------------------------------------------------


def why_never(view: Reader, claim: PersistentVolumeClaim) -> str:
    """Why nobody will make a volume for this claim; '' when one is made for its first pod."""
    spec = claim.spec
    if spec.volume_name and not spec.volume_name.startswith(persistent_volume_name(claim.uid)):
        return f'volume "{spec.volume_name}" is not known: volumes that exist already come with the storage work'
    if spec.selector is not None or spec.storage_class_name == "":
        return "it asks for a volume that exists already: those come with the storage work"
    if not spec.storage_class_name:
        return ""
    storage_class = view.get(StorageClass, "", spec.storage_class_name)
    if storage_class is None:
        return f'storage class "{spec.storage_class_name}" does not exist; without a class a Docker volume is made'
    if storage_class.provisioner != DOCKER_VOLUMES:
        what = f'provisioner "{storage_class.provisioner}" of storage class "{storage_class.name}"'
        return f"{what} is not known: {DOCKER_VOLUMES} makes Docker volumes"
    return ""


def why_not_on(view: View, pod: Pod, host: str) -> str:
    """Why the claims of `pod` cannot be had on `host` now; '' when they can."""
    if not pod.spec.volumes:
        return ""
    problems = (_why_claim_not_on(view, pod.namespace, name, host) for name in claims_of(pod))
    return next(filter(None, problems), "")


def _why_claim_not_on(view: View, namespace: str, name: str, host: str) -> str:
    claim = view.get(PersistentVolumeClaim, namespace, name)
    if claim is None:
        return f'claim "{name}" not found'
    volume = volume_of(view, claim.uid)
    if volume is not None:
        return "" if host_of(volume) == host else f'the data of claim "{name}" is on host {host_of(volume)}'
    if never := why_never(view, claim):
        return f'claim "{name}": {never}'
    unseen = hosts_that_may_hold_unrecorded(view)
    if unseen:
        return f'the data of claim "{name}" may be on {", ".join(unseen)}, not seen since the start'
    return ""


# --- binding --------------------------------------------------------------------------------------------------------


def first_bindings(view: View, pod: Pod, host: str, *, now: datetime) -> tuple[KubeObject, ...]:
    """The volumes, and claims bound to them, that `pod` needs to be the first on `host` to use its claims."""
    found: list[KubeObject] = []
    for name in claims_of(pod):
        claim = view.get(PersistentVolumeClaim, pod.namespace, name)
        if claim is not None and bound_volume(view, claim) is None:
            generation = generation_of(view, claim.uid)
            volume = volume_of(view, claim.uid) or volume_for(claim, host, generation=generation, now=now)
            found += [volume, bound_form(claim, volume)]
    return tuple(found)


def volume_for(claim: PersistentVolumeClaim, host: str, *, generation: int, now: datetime) -> PersistentVolume:
    """The volume that a claim gets on a host. host: '' for one that lies nobody knows where."""
    requirement = NodeSelectorRequirement(key=_NODE_NAME, operator="In", values=(host,))
    terms = (NodeSelectorTerm(match_fields=(requirement,)),)
    where = VolumeNodeAffinity(required=NodeSelector(node_selector_terms=terms)) if host else None
    uid = stable_uid(claim.key, salt=str(generation)) if generation else claim.uid
    return PersistentVolume(
        metadata=ObjectMeta(name=persistent_volume_name(claim.uid, generation), uid=uid, creation_timestamp=now),
        spec=PersistentVolumeSpec(
            capacity=claim.spec.resources.requests,
            access_modes=claim.spec.access_modes,
            persistent_volume_reclaim_policy="Retain",
            storage_class_name=claim.spec.storage_class_name or "",
            volume_mode="Filesystem",
            node_affinity=where,
            claim_ref=ObjectReference(
                api_version="v1",
                kind=PersistentVolumeClaim.KIND,
                namespace=claim.namespace,
                name=claim.name,
                uid=claim.uid,
            ),
            csi=CSIPersistentVolumeSource(
                driver=DOCKER_VOLUMES, volume_handle=claim_volume_name(claim.namespace, claim.name, generation)
            ),
        ),
        status=PersistentVolumeStatus(phase="Bound"),
    )


def bound_form(claim: PersistentVolumeClaim, volume: PersistentVolume) -> PersistentVolumeClaim:
    """`claim` as it is once it has its volume."""
    status = PersistentVolumeClaimStatus(
        phase="Bound", access_modes=volume.spec.access_modes, capacity=volume.spec.capacity
    )
    spec = msgspec.structs.replace(claim.spec, volume_name=volume.name)
    return msgspec.structs.replace(claim, spec=spec, status=status)


def unbound_form(claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
    """`claim` as it is while it waits for its first pod."""
    spec = msgspec.structs.replace(claim.spec, volume_name="")
    return msgspec.structs.replace(claim, spec=spec, status=PersistentVolumeClaimStatus(phase="Pending"))


def given_up(volume: PersistentVolume) -> PersistentVolume:
    """`volume` without a claim for ever: the data stays where it is, and nobody gets it again."""
    message = "the data is kept, and no claim gets it"
    status = msgspec.structs.replace(volume.status, phase="Released", reason=_GIVEN_UP, message=message)
    return msgspec.structs.replace(volume, status=status)


# --- for the scheduler ----------------------------------------------------------------------------------------------

DEFAULT_CLASS = StorageClass(provisioner=DOCKER_VOLUMES, volume_binding_mode="WaitForFirstConsumer")
"""Of claims that name none; known to the scheduler under the name ''."""


def scheduled_claim(claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
    """`claim` as the scheduler knows it: one that wants no class is not one that leaves the choice to us."""
    if claim.spec.storage_class_name != "":
        return claim
    return msgspec.structs.replace(claim, spec=msgspec.structs.replace(claim.spec, storage_class_name=_NO_CLASS))


def scheduled_class(storage_class: StorageClass) -> StorageClass | None:
    """A class as the scheduler knows it: a Docker volume is always made with its pod; others make nothing."""
    if storage_class.provisioner != DOCKER_VOLUMES:
        return None
    return msgspec.structs.replace(storage_class, volume_binding_mode="WaitForFirstConsumer")
