"""Who a pod of a StatefulSet is: ordinal, name, host name, labels, claims. Pure.

Source of the names: Kubernetes' stateful_set_utils.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from objects.api.apps import StatefulSet
from objects.api.pods import Pod, PodTemplateSpec
from objects.api.volumes import PersistentVolumeClaimVolumeSource, Volume
from objects.names import ANNOTATION_TEMPLATE_HASH
from reconciler.controllers.base import Context
from reconciler.controllers.pods.template import pod_from_template

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"
REVISION_LABEL = "controller-revision-hash"


def replicas_of(stateful_set: StatefulSet) -> int:
    """What `spec.replicas` asks for; 1 when it says nothing."""
    return 1 if stateful_set.spec.replicas is None else stateful_set.spec.replicas


def first_ordinal(stateful_set: StatefulSet) -> int:
    """`spec.ordinals.start`, 0 when nothing is said."""
    return stateful_set.spec.ordinals.start if stateful_set.spec.ordinals is not None else 0


def wanted_ordinals(stateful_set: StatefulSet) -> range:
    """The ordinals that should exist."""
    start = first_ordinal(stateful_set)
    return range(start, start + replicas_of(stateful_set))


def pod_name(stateful_set: StatefulSet, ordinal: int) -> str:
    """`<set>-<ordinal>`."""
    return f"{stateful_set.name}-{ordinal}"


def ordinal_of(stateful_set: StatefulSet, name: str) -> int | None:
    """The ordinal in a pod's name; None when it is not a name of this set."""
    match = re.fullmatch(rf"{re.escape(stateful_set.name)}-(0|[1-9][0-9]*)", name)
    return int(match[1]) if match else None


def pods_by_ordinal(stateful_set: StatefulSet, pods: Iterable[Pod]) -> dict[int, Pod]:
    """Ordinal → pod, ascending; pods of another name are not this set's."""
    found = ((ordinal_of(stateful_set, pod.name), pod) for pod in pods)
    return dict(sorted((ordinal, pod) for ordinal, pod in found if ordinal is not None))


def claim_name(template_name: str, stateful_set: StatefulSet, ordinal: int) -> str:
    """`<claim template>-<set>-<ordinal>`: the same claim for every pod of this ordinal."""
    return f"{template_name}-{stateful_set.name}-{ordinal}"


def pod_for(stateful_set: StatefulSet, template: PodTemplateSpec, ordinal: int, revision: str, context: Context) -> Pod:
    """The pod of this ordinal, made from `template`, which is that of the revision named `revision`."""
    name = pod_name(stateful_set, ordinal)
    labels = {
        **template.metadata.labels,
        POD_NAME_LABEL: name,
        POD_INDEX_LABEL: str(ordinal),
        REVISION_LABEL: revision,
    }
    annotations = {k: v for k, v in template.metadata.annotations.items() if k != ANNOTATION_TEMPLATE_HASH}
    spec = msgspec.structs.replace(
        template.spec,
        hostname=name,
        subdomain=stateful_set.spec.service_name,
        volumes=_volumes(stateful_set, template.spec.volumes, ordinal),
    )
    metadata = msgspec.structs.replace(template.metadata, labels=labels, annotations=annotations)
    identified = msgspec.structs.replace(template, metadata=metadata, spec=spec)
    return pod_from_template(stateful_set, identified, name=name, context=context)


def _volumes(stateful_set: StatefulSet, volumes: tuple[Volume, ...], ordinal: int) -> tuple[Volume, ...]:
    """The template's volumes; a claim template takes the place of a volume of its name."""
    claims = {
        template.name: Volume(
            name=template.name,
            persistent_volume_claim=PersistentVolumeClaimVolumeSource(
                claim_name=claim_name(template.name, stateful_set, ordinal)
            ),
        )
        for template in stateful_set.spec.volume_claim_templates
    }
    return (*(volume for volume in volumes if volume.name not in claims), *claims.values())
