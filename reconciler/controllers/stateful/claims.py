"""The claims of a StatefulSet's pods: made once, kept for ever, and bound to the host where they were first used. Pure.

Never deleted here: a scale-in, an update and a prune keep the data. Nothing else knows how data is stored: a claim that
names a volume of its own is left to whoever provides that.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.apps import StatefulSet
from objects.meta import ObjectKey, ObjectMeta
from objects.names import stable_uid
from objects.pods import Pod
from objects.storage import PersistentVolumeClaim
from reconciler.controllers.base import Change, Put
from reconciler.controllers.daemon.placement import with_node_affinity
from reconciler.controllers.stateful.identity import claim_name
from reconciler.store import View

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""On a claim: the node whose disk holds its data."""


def missing_claims(view: View, stateful_set: StatefulSet, ordinal: int, *, now: datetime) -> tuple[Change, ...]:
    """The claims that the pod of this ordinal needs and that do not exist."""
    wanted = (_claim(stateful_set, template, ordinal, now) for template in stateful_set.spec.volume_claim_templates)
    return tuple(Put(claim) for claim in wanted if view.find(claim.key) is None)


def bound_claims(view: View, stateful_set: StatefulSet, pods: dict[int, Pod]) -> tuple[Change, ...]:
    """Claims of bound pods that do not say yet where their data is."""
    changes: list[Change] = []
    for ordinal, pod in pods.items():
        if not pod.spec.node_name:
            continue
        for claim in _claims_of(view, stateful_set, ordinal):
            if not claim.spec.volume_name and SELECTED_NODE not in claim.annotations:
                annotations = {**claim.annotations, SELECTED_NODE: pod.spec.node_name}
                metadata = msgspec.structs.replace(claim.metadata, annotations=annotations)
                changes.append(Put(msgspec.structs.replace(claim, metadata=metadata)))
    return tuple(changes)


def on_node_of_claims(view: View, stateful_set: StatefulSet, ordinal: int, pod: Pod) -> Pod:
    """`pod` tied to the node that holds its data, if any does."""
    nodes = {claim.annotations.get(SELECTED_NODE, "") for claim in _claims_of(view, stateful_set, ordinal)} - {""}
    if len(nodes) != 1:
        return pod
    affinity = with_node_affinity(pod.spec.affinity, nodes.pop())
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, affinity=affinity))


def _claims_of(view: View, stateful_set: StatefulSet, ordinal: int) -> list[PersistentVolumeClaim]:
    names = (claim_name(one.name, stateful_set, ordinal) for one in stateful_set.spec.volume_claim_templates)
    found = (view.get(PersistentVolumeClaim, stateful_set.namespace, name) for name in names)
    return [claim for claim in found if claim is not None]


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
