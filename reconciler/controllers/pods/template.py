"""From a template to a pod, and the hash that names a template. Pure."""

from __future__ import annotations

import random

import msgspec

from objects.api.meta import (
    KubeObject,
    ObjectKey,
    ObjectMeta,
    controller_reference,
)
from objects.api.pods import Pod, PodStatus, PodTemplateSpec
from objects.hashing import template_hash
from objects.names import ANNOTATION_TEMPLATE_HASH, POD_TEMPLATE_HASH, random_suffix, random_uid
from policies.admission.tolerations import with_default_tolerations
from reconciler.controllers.base import Context
from reconciler.state.store import View

_LONGEST_BASE = 58
"""A pod's name is also its host name: 63 characters, of which 5 are drawn."""
_MAX_DRAWS = 20
"""Two in a row from 27^5 names hardly ever collide; a bound, so that no seed can loop for ever."""


def pod_from_template(owner: KubeObject, template: PodTemplateSpec, *, name: str, context: Context) -> Pod:
    """A pending pod of `owner` as `template` describes it."""
    metadata = ObjectMeta(
        name=name,
        namespace=owner.namespace,
        labels=template.metadata.labels,
        annotations=template.metadata.annotations,
        finalizers=template.metadata.finalizers,
        uid=random_uid(context.random),
        creation_timestamp=context.now,
        owner_references=(controller_reference(owner),),
    )
    return Pod(metadata=metadata, spec=with_default_tolerations(template.spec), status=PodStatus(phase="Pending"))


def fresh_pod_name(view: View, owner: KubeObject, source: random.Random, *, taken: set[str]) -> str:
    """`<owner>-<five drawn characters>`, not in use in the owner's namespace nor in `taken`."""
    base = f"{owner.name}-"[:_LONGEST_BASE]
    name = base + random_suffix(source)
    for _ in range(_MAX_DRAWS):
        if name not in taken and view.find(ObjectKey("Pod", owner.namespace, name)) is None:
            break
        name = base + random_suffix(source)
    return name


def hash_of_template(owner: KubeObject, template: PodTemplateSpec) -> str:
    """The `pod-template-hash` of `owner`: over the template as written in Git where the source noted it.

    Otherwise over the template as it stands, without the hash label that a controller added to it.
    """
    noted = owner.annotations.get(ANNOTATION_TEMPLATE_HASH)
    return noted or template_hash(msgspec.to_builtins(without_hash_label(template)))


def with_hash_label(template: PodTemplateSpec, hash_text: str) -> PodTemplateSpec:
    """`template` whose pods say which revision they are of."""
    return _with_labels(template, {**template.metadata.labels, POD_TEMPLATE_HASH: hash_text})


def without_hash_label(template: PodTemplateSpec) -> PodTemplateSpec:
    """`template` as its author wrote it."""
    if POD_TEMPLATE_HASH not in template.metadata.labels:
        return template
    labels = {name: text for name, text in template.metadata.labels.items() if name != POD_TEMPLATE_HASH}
    return _with_labels(template, labels)


def _with_labels(template: PodTemplateSpec, labels: dict[str, str]) -> PodTemplateSpec:
    return msgspec.structs.replace(template, metadata=msgspec.structs.replace(template.metadata, labels=labels))
