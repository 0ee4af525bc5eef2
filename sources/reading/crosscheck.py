"""Checks between the objects of one commit: what no manifest can be blamed for alone. Pure.

A missing ConfigMap or Secret is no error of a commit: as in Kubernetes, the pod waits for it and says so.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from objects.api.apps import Deployment
from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.api.core import Namespace
from objects.api.meta import KubeObject, ObjectKey
from objects.api.pods import Pod, PodSpec
from objects.api.policy import PriorityClass
from objects.fields import FieldPath
from objects.own.canary import CANARY_CHECKS
from objects.own.config import Application, Cluster, Host
from objects.validation import validate_update
from policies.admission.priority import SYSTEM_CLASSES
from sources.errors import ManifestError
from sources.reading.layout import HOSTS_FOLDER, ROOT_FILES, overlapping
from sources.reading.manifests import ManifestWarning

BUILT_IN_NAMESPACES = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_OWN_KINDS = (Cluster, Host, Application)


class Origin(NamedTuple):
    """Where an object came from. application: '' when it belongs to the repository itself; document counts from 0."""

    file: str
    line: int
    document: int
    application: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Placed(NamedTuple):
    """An object and its origin."""

    obj: KubeObject
    origin: Origin


def find_duplicates(objects: Iterable[Placed]) -> list[ManifestError]:
    """Two manifests of one kind, namespace and name; the error stands at the later one and names the earlier."""
    first: dict[ObjectKey, Origin] = {}
    errors = []
    for obj, origin in objects:
        earlier = first.setdefault(obj.key, origin)
        if earlier is not origin:
            errors.append(_error(obj, origin, f"is already defined in {earlier}", hint="remove one of them"))
    return errors


def find_misplaced(objects: Iterable[Placed]) -> list[ManifestError]:
    """Cluster, Host and Application objects inside an application's folder: there they would have no effect."""
    places = {"Host": f"{HOSTS_FOLDER}/", "Cluster": ROOT_FILES[0], "Application": f"{ROOT_FILES[0]} or apps/*.yaml"}
    return [
        _error(obj, origin, "does not belong into an application's folder", hint=f"move it to {places[obj.KIND]}")
        for obj, origin in objects
        if isinstance(obj, _OWN_KINDS) and origin.application
    ]


def find_cluster_errors(objects: Iterable[Placed]) -> list[ManifestError]:
    """There is exactly one Cluster."""
    clusters = [placed for placed in objects if isinstance(placed.obj, Cluster)]
    if not clusters:
        hint = "add one: apiVersion: berth.dev/v1alpha1, kind: Cluster, metadata: {name: main}"
        return [ManifestError("no Cluster object", file=ROOT_FILES[0], hint=hint)]
    return [
        _error(obj, origin, f"there is a Cluster already in {clusters[0].origin}", hint="keep one")
        for obj, origin in clusters[1:]
    ]


def find_missing_namespaces(objects: Iterable[Placed]) -> list[ManifestError]:
    """Objects in a namespace that no Namespace object declares."""
    placed = list(objects)
    declared = {obj.name for obj, _ in placed if isinstance(obj, Namespace)} | BUILT_IN_NAMESPACES
    errors = []
    for obj, origin in placed:
        namespace = obj.key.namespace
        if namespace and namespace not in declared:
            close = difflib.get_close_matches(namespace, declared, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"add: apiVersion: v1, kind: Namespace, name {namespace}"
            errors.append(_error(obj, origin, f"namespace '{namespace}' does not exist", hint=hint))
    return errors


def find_missing_priority_classes(objects: Iterable[Placed]) -> list[ManifestError]:
    """Pods and templates of pods that name a PriorityClass which is not declared."""
    placed = list(objects)
    declared = {obj.name for obj, _ in placed if isinstance(obj, PriorityClass)} | SYSTEM_CLASSES.keys()
    errors = []
    for obj, origin in placed:
        name = _pod_spec(obj).priority_class_name
        if name and name not in declared:
            hint = f"known: {', '.join(sorted(declared))}"
            errors.append(_error(obj, origin, f"PriorityClass '{name}' does not exist", hint=hint))
    return errors


def find_second_defaults(objects: Iterable[Placed]) -> list[ManifestError]:
    """PriorityClasses of which each would be the class of pods that name none."""
    found = [placed for placed in objects if isinstance(placed.obj, PriorityClass) and placed.obj.global_default]
    return [
        _error(obj, origin, f"{found[0].obj.name} is the default already ({found[0].origin})", hint="keep one")
        for obj, origin in found[1:]
    ]


def _pod_spec(obj: KubeObject) -> PodSpec:
    """The spec of a pod, or of the pods that a workload makes; an empty one for other kinds."""
    spec = getattr(obj, "spec", None)
    spec = getattr(getattr(spec, "job_template", None), "spec", spec)
    template = getattr(spec, "template", None)
    found = spec if isinstance(obj, Pod) else getattr(template, "spec", None)
    return found if isinstance(found, PodSpec) else PodSpec()


def find_overlaps(objects: Iterable[Placed]) -> list[ManifestError]:
    """Applications that would read the same files."""
    origins = {obj.key: origin for obj, origin in objects}
    applications = [obj for obj, _ in objects if isinstance(obj, Application)]
    return [
        _error(
            second,
            origins[second.key],
            f"path '{second.spec.path}' overlaps with '{first.spec.path}' of Application {first.name}",
        )
        for first, second in overlapping(applications)
    ]


def find_forbidden_updates(before: Mapping[ObjectKey, KubeObject], objects: Iterable[Placed]) -> list[ManifestError]:
    """Fields that differ from what is in force and cannot be changed on what runs. before: the state in force.

    There is one Cluster, so one under another name is the same one.
    """
    cluster = next((obj for obj in before.values() if isinstance(obj, Cluster)), None)
    return [
        ManifestError(
            found.message, file=origin.file, line=origin.line, path=found.path, hint=found.suggestion, obj=_display(obj)
        )
        for obj, origin in objects
        if (old := cluster if isinstance(obj, Cluster) else before.get(obj.key)) is not None and old is not obj
        for found in validate_update(old, obj)
    ]


def find_host_errors(objects: Iterable[Placed]) -> list[ManifestError]:
    """Jump hosts that do not exist or go round in a circle, and slices of the pod network that overlap."""
    hosts = {obj.name: (obj, origin) for obj, origin in objects if isinstance(obj, Host)}
    errors = []
    slices: dict[str, ipaddress.IPv4Network | ipaddress.IPv6Network] = {}
    for name, (host, origin) in hosts.items():
        if host.spec.jump and host.spec.jump not in hosts:
            hint = _close(host.spec.jump, hosts)
            errors.append(_error(host, origin, f"jump host '{host.spec.jump}' does not exist", hint=hint))
        elif _jumps_in_circle(name, {key: obj.spec.jump for key, (obj, _) in hosts.items()}):
            errors.append(_error(host, origin, "its jump hosts go round in a circle"))
        if host.spec.pod_cidr:
            own = ipaddress.ip_network(host.spec.pod_cidr, strict=False)
            errors += [
                _error(host, origin, f"podCIDR {own} overlaps with {other} of Host {other_name}")
                for other_name, other in slices.items()
                if own.version == other.version and own.overlaps(other)
            ]
            slices[name] = own
    return errors


def find_unknown_hosts(objects: Iterable[Placed]) -> list[ManifestWarning]:
    """Pods and templates that name a host that is not there: they wait, which may be meant."""
    placed = list(objects)
    hosts = {obj.name for obj, _ in placed if isinstance(obj, Host)}
    warnings = []
    for obj, origin in placed:
        path = ("spec", "nodeName") if isinstance(obj, Pod) else ("spec", "template", "spec", "nodeName")
        name = _node_name(obj)
        if name and name not in hosts:
            hint = _close(name, hosts)
            text = f"there is no host '{name}': its pods wait" + (f" ({hint})" if hint else "")
            warnings.append(ManifestWarning(origin.file, origin.line, path, text, _display(obj)))
    return warnings


def find_unmeasurable(objects: Iterable[Placed]) -> list[ManifestWarning]:
    """Metrics of autoscalers and checks of canaries that a metrics server would tell, where none is configured."""
    placed = list(objects)
    if any(isinstance(obj, Cluster) and obj.spec.metrics.prometheus.url for obj, _ in placed):
        return []
    warnings = []
    for obj, origin in placed:
        for path, effect in _needing_server(obj):
            text = f"there is no metrics server (spec.metrics.prometheus.url of the Cluster): {effect}"
            warnings.append(ManifestWarning(origin.file, origin.line, path, text, _display(obj)))
    return warnings


def _needing_server(obj: KubeObject) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(obj, HorizontalPodAutoscaler):
        for index, metric in enumerate(obj.spec.metrics):
            if metric.object is not None or metric.external is not None:
                yield ("spec", "metrics", index), "the metric has no value"
    elif isinstance(obj, Deployment) and CANARY_CHECKS in obj.annotations:
        yield ("metadata", "annotations", CANARY_CHECKS), "its canaries stop at the first step that asks for a check"


def _node_name(obj: KubeObject) -> str:
    if isinstance(obj, Pod):
        return obj.spec.node_name
    template = getattr(getattr(obj, "spec", None), "template", None)
    spec = getattr(template, "spec", None)
    return getattr(spec, "node_name", "")


def _jumps_in_circle(start: str, jumps: Mapping[str, str]) -> bool:
    seen = {start}
    name = jumps[start]
    while name in jumps:
        if name in seen:
            return True
        seen.add(name)
        name = jumps[name]
    return False


def _close(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean '{close[0]}'?" if close else ""


def _display(obj: KubeObject) -> str:
    return f"{obj.KIND} {obj.name}"


def _error(obj: KubeObject, origin: Origin, message: str, *, hint: str = "") -> ManifestError:
    return ManifestError(message, file=origin.file, line=origin.line, hint=hint, obj=_display(obj))
