"""The claims of a StatefulSet's pods: made once and kept for ever. Pure.

Never deleted here: a scale-in, an update and a prune keep the data. Where a claim has its data is said by its volume
(`claim_binding`); the scheduler places the pods that use it there.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from objects.apps import StatefulSet
from objects.meta import ObjectKey, ObjectMeta
from objects.names import stable_uid
from objects.storage import PersistentVolumeClaim
from reconciler.controllers.base import Change, Put
from reconciler.controllers.stateful.identity import claim_name
from reconciler.store import View


def missing_claims(view: View, stateful_set: StatefulSet, ordinal: int, *, now: datetime) -> tuple[Change, ...]:
    """The claims that the pod of this ordinal needs and that do not exist."""
    wanted = (_claim(stateful_set, template, ordinal, now) for template in stateful_set.spec.volume_claim_templates)
    return tuple(Put(claim) for claim in wanted if view.find(claim.key) is None)


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
