"""Old API versions brought up to date at the door, on the raw manifest, before it is decoded.

People still have `extensions/v1beta1`, `apps/v1beta1`, `autoscaling/v1` … in their files. Each conversion keeps what
the old version meant, its *defaults* included where they differ from today's. Nothing is judged here: a manifest of the
wrong shape passes through as far as it can be understood, and decoding says what is wrong with it. Where the shape does
not change, paths of later errors are those of the file.

Sources: the conversion and defaulting rules of the API servers that served these versions (Kubernetes 1.2 to 1.25).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from objects.convert import autoscaling, other, pods, workloads
from objects.convert.raw import Change, Raw, Warnings, mapping_at
from objects.fields import FieldError, FieldPath


class Converted(NamedTuple):
    """A manifest in current API versions. warnings: for the person who keeps the file, places as in the file.

    moved: places in `manifest` → the places in the file that they came from, where these differ.
    """

    manifest: Mapping[str, Any]
    warnings: tuple[FieldError, ...] = ()
    moved: Mapping[FieldPath, FieldPath] = MappingProxyType({})

    def written_at(self, path: FieldPath) -> FieldPath:
        """Where in the file a place of `manifest` comes from: the longest part of it that was moved decides."""
        for length in range(len(path), 0, -1):
            old = self.moved.get(path[:length])
            if old is not None:
                return (*old, *path[length:])
        return path


class _Step(NamedTuple):
    """What an old kind is now, and what has to be done to it. kind: '' when its name has not changed."""

    api_version: str
    changes: tuple[Change, ...] = ()
    kind: str = ""


def convert(manifest: Mapping[str, Any]) -> Converted:
    """Bring one manifest up to date; a current one comes back as it is. The argument is never changed.

    Raises DecodeError when an annotation that should hold JSON does not.
    """
    api_version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        return Converted(manifest)
    step = _STEPS.get((api_version, kind))
    changes = list(step.changes) if step else []
    changes += _changes_of_current_kinds(manifest, kind)
    if step is None and not changes:
        return Converted(manifest)
    raw: Raw = copy.deepcopy(dict(manifest))
    warnings = Warnings()
    if step is not None:
        raw["apiVersion"], raw["kind"] = step.api_version, step.kind or kind
        if api_version not in _STILL_SERVED:
            text = f"{api_version} {kind} is an old API version: read as {step.api_version} {raw['kind']}"
            warnings.add(text, ("apiVersion",))
    for change in changes:
        change(raw, warnings)
    return Converted(raw, tuple(warnings.found), MappingProxyType(warnings.moved))


def _changes_of_current_kinds(manifest: Mapping[str, Any], kind: str) -> list[Change]:
    """What an up-to-date kind may still say the old way: annotations that have become fields."""
    changes: list[Change] = []
    place = pods.TEMPLATE_PLACES.get(kind)
    if place is not None and pods.needs_conversion(manifest, place):
        changes.append(lambda raw, warnings: pods.convert_pod(raw, place, warnings))
    annotations = mapping_at(manifest, "metadata", "annotations") or {}
    if kind in ("PersistentVolumeClaim", "PersistentVolume") and other.CLAIM_CLASS in annotations:
        changes.append(other.claim_class)
    if kind == "StorageClass" and other.DEFAULT_CLASS in annotations:
        changes.append(other.default_class)
    if kind == "StatefulSet" and workloads.has_typed_claims(manifest):
        changes.append(workloads.claims_without_type)
    if kind == "HorizontalPodAutoscaler" and autoscaling.needs_conversion(dict(manifest)):
        changes.append(autoscaling.any_version)
    return changes


_STILL_SERVED = frozenset({"autoscaling/v1"})
"""Versions that are converted, and neither old nor deprecated in Kubernetes."""
_APPS, _BATCH, _HPA = "apps/v1", "batch/v1", "autoscaling/v2"
_NETWORKING, _RBAC = "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"
_STATEFUL = (workloads.selector_from_template, workloads.on_delete_by_default)

_STEPS: Mapping[tuple[str, str], _Step] = MappingProxyType(
    {
        ("extensions/v1beta1", "Deployment"): _Step(
            _APPS, (workloads.selector_from_template, workloads.deployment_of_extensions)
        ),
        ("apps/v1beta1", "Deployment"): _Step(
            _APPS, (workloads.selector_from_template, workloads.deployment_of_apps_beta1)
        ),
        ("apps/v1beta2", "Deployment"): _Step(_APPS),
        ("extensions/v1beta1", "ReplicaSet"): _Step(_APPS, (workloads.selector_from_template,)),
        ("apps/v1beta2", "ReplicaSet"): _Step(_APPS),
        ("extensions/v1beta1", "DaemonSet"): _Step(_APPS, _STATEFUL),
        ("apps/v1beta2", "DaemonSet"): _Step(_APPS),
        ("apps/v1alpha1", "PetSet"): _Step(_APPS, _STATEFUL, kind="StatefulSet"),
        ("apps/v1alpha1", "StatefulSet"): _Step(_APPS, _STATEFUL),
        ("apps/v1beta1", "StatefulSet"): _Step(_APPS, _STATEFUL),
        ("apps/v1beta2", "StatefulSet"): _Step(_APPS),
        ("apps/v1beta1", "ControllerRevision"): _Step(_APPS),
        ("apps/v1beta2", "ControllerRevision"): _Step(_APPS),
        ("extensions/v1beta1", "Job"): _Step(_BATCH, (workloads.job_of_extensions,)),
        ("batch/v2alpha1", "Job"): _Step(_BATCH),
        ("batch/v2alpha1", "ScheduledJob"): _Step(_BATCH, kind="CronJob"),
        ("batch/v2alpha1", "CronJob"): _Step(_BATCH),
        ("batch/v1beta1", "CronJob"): _Step(_BATCH),
        ("extensions/v1beta1", "HorizontalPodAutoscaler"): _Step(_HPA, (autoscaling.of_extensions,)),
        ("autoscaling/v1", "HorizontalPodAutoscaler"): _Step(_HPA, (autoscaling.of_v1,)),
        ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): _Step(_HPA, (autoscaling.of_v2beta1,)),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): _Step(_HPA, (autoscaling.any_version,)),
        ("extensions/v1beta1", "Ingress"): _Step(_NETWORKING, (other.ingress,)),
        ("networking.k8s.io/v1beta1", "Ingress"): _Step(_NETWORKING, (other.ingress,)),
        ("networking.k8s.io/v1beta1", "IngressClass"): _Step(_NETWORKING),
        ("extensions/v1beta1", "NetworkPolicy"): _Step(_NETWORKING),
        ("policy/v1alpha1", "PodDisruptionBudget"): _Step("policy/v1", (other.budget,)),
        ("policy/v1beta1", "PodDisruptionBudget"): _Step("policy/v1", (other.budget,)),
        ("discovery.k8s.io/v1beta1", "EndpointSlice"): _Step("discovery.k8s.io/v1", (other.endpoint_slice,)),
        ("scheduling.k8s.io/v1alpha1", "PriorityClass"): _Step("scheduling.k8s.io/v1"),
        ("scheduling.k8s.io/v1beta1", "PriorityClass"): _Step("scheduling.k8s.io/v1"),
        ("storage.k8s.io/v1beta1", "StorageClass"): _Step("storage.k8s.io/v1"),
        ("rbac.authorization.k8s.io/v1beta1", "Role"): _Step(_RBAC),
        ("rbac.authorization.k8s.io/v1beta1", "ClusterRole"): _Step(_RBAC),
        ("rbac.authorization.k8s.io/v1beta1", "RoleBinding"): _Step(_RBAC),
        ("rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding"): _Step(_RBAC),
        ("admissionregistration.k8s.io/v1alpha1", "ValidatingAdmissionPolicy"): _Step(_ADMISSION),
        ("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicy"): _Step(_ADMISSION),
        ("admissionregistration.k8s.io/v1alpha1", "ValidatingAdmissionPolicyBinding"): _Step(_ADMISSION),
        ("admissionregistration.k8s.io/v1beta1", "ValidatingAdmissionPolicyBinding"): _Step(_ADMISSION),
    }
)
