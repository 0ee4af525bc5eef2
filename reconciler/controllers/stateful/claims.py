"""The claims of a StatefulSet's pods: made once, kept for ever unless the set's retention policy says otherwise. Pure.

A claim that the policy deletes has an owner that it goes with: its pod, which a scale-in ends, or the set. Its volume
is given up then, not deleted: no data is ever deleted here. Where a claim has its data is said by its volume
(`claim_binding`); the scheduler places the pods that use it there.

Source of the rules: Kubernetes' stateful_set_utils (PVC owner references) and stateful_pod_control.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec

from objects.api.apps import StatefulSet, StatefulSetRetentionPolicy
from objects.api.meta import (
    ObjectKey,
    ObjectMeta,
    OwnerReference,
    controller_reference,
)
from objects.api.pods import Pod
from objects.api.storage import PersistentVolumeClaim
from objects.names import stable_uid
from reconciler.controllers.base import Change, Put
from reconciler.controllers.stateful.identity import claim_name, pod_name, wanted_ordinals
from reconciler.state.store import View

_DELETE = "Delete"


def claims_to_put(
    view: View, stateful_set: StatefulSet, ordinal: int, pod: Pod | None, *, now: datetime
) -> tuple[Change, ...]:
    """The claims of this ordinal that do not exist, and those that go with somebody else now.

    pod: the one that uses them; None while it is made. One that is ending keeps what was decided for it.
    """
    changes: list[Change] = []
    for template in stateful_set.spec.volume_claim_templates:
        claim = _claim(stateful_set, template, ordinal, now)
        found = view.get(PersistentVolumeClaim, claim.namespace, claim.name)
        if found is not None and pod is not None and pod.is_terminating:
            continue
        owned = with_owners(_of_pod(found or claim, pod), stateful_set, ordinal, pod)
        if owned != found:
            changes.append(Put(owned))
    return tuple(changes)


def stale_claims(view: View, stateful_set: StatefulSet, ordinal: int) -> Iterator[str]:
    """Names of claims that are about to go with the last pod of this ordinal: its next one waits for their end."""
    for template in stateful_set.spec.volume_claim_templates:
        name = claim_name(template.name, stateful_set, ordinal)
        claim = view.get(PersistentVolumeClaim, stateful_set.namespace, name)
        if claim is not None and is_stale(claim, pod_name(stateful_set, ordinal), pod_uid=""):
            yield name


def is_stale(claim: PersistentVolumeClaim, name: str, *, pod_uid: str) -> bool:
    """Whether the claim goes with another pod of this name than the one with `pod_uid`."""
    owners = claim.metadata.owner_references
    return any((ref.kind, ref.name) == (Pod.KIND, name) and ref.uid != pod_uid for ref in owners)


def with_owners(
    claim: PersistentVolumeClaim, stateful_set: StatefulSet, ordinal: int, pod: Pod | None
) -> PersistentVolumeClaim:
    """`claim` with the owner that the policy gives it; one with a controller of its own gets none from us."""
    ours = {stateful_set.uid} if pod is None else {stateful_set.uid, pod.uid}
    before = claim.metadata.owner_references
    owners = [ref for ref in before if ref.uid not in ours]
    wanted = _wanted_owner(stateful_set, ordinal, pod)
    if wanted is not None and not any(ref.controller for ref in owners):
        owners.append(wanted)
    if {ref.uid: ref.controller for ref in before} == {ref.uid: ref.controller for ref in owners}:
        return claim
    metadata = msgspec.structs.replace(claim.metadata, owner_references=tuple(owners))
    return msgspec.structs.replace(claim, metadata=metadata)


def _of_pod(claim: PersistentVolumeClaim, pod: Pod | None) -> PersistentVolumeClaim:
    """`claim` as `pod` got it: pods are not made for a stale claim, so what says it is one is older than the pod."""
    if pod is None or not is_stale(claim, pod.name, pod_uid=pod.uid):
        return claim
    owners = claim.metadata.owner_references
    kept = tuple(ref for ref in owners if (ref.kind, ref.name) != (Pod.KIND, pod.name) or ref.uid == pod.uid)
    return msgspec.structs.replace(claim, metadata=msgspec.structs.replace(claim.metadata, owner_references=kept))


def _wanted_owner(stateful_set: StatefulSet, ordinal: int, pod: Pod | None) -> OwnerReference | None:
    """The pod's when a scale-in condemns it, else the set's, as far as the policy deletes."""
    policy = stateful_set.spec.persistent_volume_claim_retention_policy or StatefulSetRetentionPolicy()
    if policy.when_scaled == _DELETE and ordinal not in wanted_ordinals(stateful_set):
        return controller_reference(pod) if pod is not None else None
    return controller_reference(stateful_set) if policy.when_deleted == _DELETE else None


def _claim(
    stateful_set: StatefulSet, template: PersistentVolumeClaim, ordinal: int, now: datetime
) -> PersistentVolumeClaim:
    name = claim_name(template.name, stateful_set, ordinal)
    selector = stateful_set.spec.selector
    metadata = ObjectMeta(
        name=name,
        namespace=stateful_set.namespace,
        uid=stable_uid(ObjectKey(PersistentVolumeClaim.KIND, stateful_set.namespace, name)),
        labels={**template.labels, **(selector.match_labels if selector is not None else {})},
        annotations=template.annotations,
        creation_timestamp=now,
    )
    return msgspec.structs.replace(template, metadata=metadata)
