"""What Berth acts on, field by field: the promise that nothing is ignored in silence.

Each field of a manifest is honoured, or accepted with a warning, or refused. `field_support` tells what a manifest uses
and does not get; the tables behind it also make the feature table of the documentation (`docs/generate.py`).

What to touch when a field gets its effect: its rule in `objects.honoured.pods` or `.kinds`, then `make docs`.
"""

from __future__ import annotations

from collections.abc import Iterator

from objects.api.apps import (
    DaemonSet,
    Deployment,
    ReplicaSet,
    StatefulSet,
)
from objects.api.batch import CronJob, Job
from objects.api.meta import KubeObject
from objects.api.pods import Pod, PodTemplateSpec
from objects.fields import FieldPath
from objects.honoured.kinds import KIND_SUPPORT
from objects.honoured.pods import pod_notices
from objects.honoured.table import FieldNotice, Level

__all__ = ["FieldNotice", "Level", "field_support"]

_POD_SECURITY = "pod-security.kubernetes.io/"


def field_support(obj: KubeObject) -> tuple[FieldNotice, ...]:
    """What `obj` uses and does not get, in the order of its fields. `obj` may be defaulted: defaults give no notice."""
    support = KIND_SUPPORT[obj.KIND]
    if support.level is not Level.HONOURED:
        return (FieldNotice(("kind",), support.level, support.reason),)
    return (*_metadata_notices(obj), *support.table.notices(obj), *_pod_notices(obj))


def _pod_notices(obj: KubeObject) -> Iterator[FieldNotice]:
    if isinstance(obj, Pod):
        yield from pod_notices(obj.spec, ("spec",))
    elif isinstance(obj, Deployment | ReplicaSet | DaemonSet | StatefulSet | Job):
        yield from _template_notices(obj.spec.template, ("spec", "template"))
    elif isinstance(obj, CronJob):
        yield from _template_notices(obj.spec.job_template.spec.template, ("spec", "jobTemplate", "spec", "template"))


def _template_notices(template: PodTemplateSpec, path: FieldPath) -> Iterator[FieldNotice]:
    for field, value in (("name", template.metadata.name), ("namespace", template.metadata.namespace)):
        if value:
            yield FieldNotice((*path, "metadata", field), Level.WARNED, "has no meaning in a template")
    yield from pod_notices(template.spec, (*path, "spec"))


def _metadata_notices(obj: KubeObject) -> Iterator[FieldNotice]:
    metadata = obj.metadata
    if metadata.namespace and not obj.NAMESPACED:
        text = f"has no meaning: a {obj.KIND} belongs to no namespace"
        yield FieldNotice(("metadata", "namespace"), Level.WARNED, text)
    if metadata.finalizers:
        yield FieldNotice(("metadata", "finalizers"), Level.WARNED, "nobody is waited for when the object goes")
    if obj.KIND == "Namespace":
        for label in metadata.labels:
            if label.startswith(_POD_SECURITY):
                place = ("metadata", "labels", label)
                yield FieldNotice(place, Level.WARNED, "pod security levels are not enforced yet")
