"""What pods said in annotations and deprecated fields before there was a field for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from objects.convert.raw import Raw, Warnings, json_annotation, mapping_at
from objects.fields import FieldPath

TEMPLATE_PLACES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where the pod (its `metadata` and `spec`) lies in a manifest of each kind."""

_SCHEDULER = "scheduler.alpha.kubernetes.io/name"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"

_TEXT_FIELDS = {
    _SCHEDULER: "schedulerName",
    "pod.beta.kubernetes.io/hostname": "hostname",
    "pod.beta.kubernetes.io/subdomain": "subdomain",
}
_JSON_FIELDS = {
    "pod.beta.kubernetes.io/init-containers": "initContainers",
    "pod.alpha.kubernetes.io/init-containers": "initContainers",
    "scheduler.alpha.kubernetes.io/affinity": "affinity",
    "scheduler.alpha.kubernetes.io/tolerations": "tolerations",
}
_SYSCTLS = ("security.alpha.kubernetes.io/sysctls", "security.alpha.kubernetes.io/unsafe-sysctls")
_EXACT = frozenset({*_TEXT_FIELDS, *_JSON_FIELDS, *_SYSCTLS, _SECCOMP_POD})


def needs_conversion(manifest: Mapping[str, Any], place: tuple[str, ...]) -> bool:
    """Whether the pod at `place` says something the old way."""
    pod = mapping_at(manifest, *place)
    if pod is None:
        return False
    spec = mapping_at(pod, "spec")
    if spec is not None and "serviceAccount" in spec:
        return True
    annotations = mapping_at(pod, "metadata", "annotations")
    return annotations is not None and any(
        key in _EXACT or (isinstance(key, str) and key.startswith((_SECCOMP_CONTAINER, _APP_ARMOR)))
        for key in annotations
    )


def convert_pod(raw: Raw, place: tuple[str, ...], warnings: Warnings) -> None:
    """Move what is said the old way into its field; a field that is set already wins."""
    pod = mapping_at(raw, *place)
    spec = mapping_at(pod, "spec") if pod is not None else None
    if pod is None or spec is None:
        return
    _service_account(spec, place, warnings)
    metadata = mapping_at(pod, "metadata") or {}
    annotations = mapping_at(metadata, "annotations")
    if annotations is None:
        return
    for key, field in _TEXT_FIELDS.items():
        if key in annotations:
            _take(warnings, place, key, spec, field, annotations.pop(key))
    for key, field in _JSON_FIELDS.items():
        value = json_annotation(metadata, key, (*place, "metadata"))
        if value is not None:
            _take(warnings, place, key, spec, field, value)
    _security_annotations(spec, annotations, place, warnings)


def _take(warnings: Warnings, place: FieldPath, annotation: str, spec: Raw, field: str, value: Any) -> None:
    if spec.get(field) is not None:
        warnings.add(f"is not looked at: {field} of the pod is set", (*place, "metadata", "annotations", annotation))
        return
    spec[field] = value
    _moved(warnings, place, annotation, (*place, "spec", field), f"{field} of the pod")


def _moved(warnings: Warnings, place: FieldPath, annotation: str, new: FieldPath, what: str) -> None:
    warnings.move((*place, "metadata", "annotations", annotation), new, f"annotation is read as {what}")


def _service_account(spec: Raw, place: FieldPath, warnings: Warnings) -> None:
    old = spec.pop("serviceAccount", None)
    if old and not spec.get("serviceAccountName"):
        spec["serviceAccountName"] = old
        text = "serviceAccount is deprecated and read as serviceAccountName"
        warnings.move((*place, "spec", "serviceAccount"), (*place, "spec", "serviceAccountName"), text)


def _security_annotations(spec: Raw, annotations: Raw, place: FieldPath, warnings: Warnings) -> None:
    at: FieldPath = (*place, "spec", "securityContext")
    for key in [key for key in annotations if key in _SYSCTLS]:
        sysctls = [_sysctl(item) for item in str(annotations.pop(key)).split(",") if item]
        context = _context(spec)
        context["sysctls"] = [*context.get("sysctls", []), *sysctls]
        _moved(warnings, place, key, (*at, "sysctls"), "securityContext.sysctls of the pod")
    if _SECCOMP_POD in annotations:
        _context(spec).setdefault("seccompProfile", _profile(annotations.pop(_SECCOMP_POD)))
        _moved(warnings, place, _SECCOMP_POD, (*at, "seccompProfile"), "securityContext.seccompProfile of the pod")
    containers = {
        one.get("name"): ((field, index), one)
        for field in ("containers", "initContainers")
        for index, one in enumerate(spec[field] if isinstance(spec.get(field), list) else ())
        if isinstance(one, dict)
    }
    for prefix, field in ((_SECCOMP_CONTAINER, "seccompProfile"), (_APP_ARMOR, "appArmorProfile")):
        for key in [key for key in annotations if isinstance(key, str) and key.startswith(prefix)]:
            where, container = containers.get(key.removeprefix(prefix), ((), None))
            if container is not None:
                _context(container).setdefault(field, _profile(annotations.pop(key)))
                new = (*place, "spec", *where, "securityContext", field)
                _moved(warnings, place, key, new, f"securityContext.{field} of that container")


def _context(owner: Raw) -> Raw:
    context = owner.get("securityContext")
    if not isinstance(context, dict):
        context = owner["securityContext"] = {}
    return context


def _sysctl(item: str) -> Raw:
    name, _, value = item.partition("=")
    return {"name": name, "value": value}


def _profile(value: Any) -> Raw:
    text = str(value)
    if text.startswith("localhost/"):
        return {"type": "Localhost", "localhostProfile": text.removeprefix("localhost/")}
    return {"type": "Unconfined" if text == "unconfined" else "RuntimeDefault"}
