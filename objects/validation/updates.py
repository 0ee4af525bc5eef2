"""What may not change between two versions of an object, because what runs could not follow.

In Git the way out is always the same: give the object another name, or delete it in one commit and create it in the
next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from objects.api.apps import (
    DaemonSet,
    Deployment,
    ReplicaSet,
    StatefulSet,
)
from objects.api.batch import Job
from objects.api.core import ConfigMap, Secret
from objects.api.meta import KubeObject
from objects.api.networking import IngressClass
from objects.api.pods import PodTemplateSpec
from objects.api.policy import PriorityClass
from objects.api.rbac import ClusterRoleBinding, RoleBinding
from objects.api.services import EndpointSlice, Service
from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from objects.fields import FieldPath
from objects.own.config import Cluster, Host
from objects.validation.found import Found
from objects.validation.volumes import PERSISTENT_SOURCES
from objects.values.equality import same
from objects.values.quantity import compare

_HINT = "give the object another name, or delete it in one commit and create it in the next"
_SLICE_HINT = "put it back; a Host that needs addresses from elsewhere can say a podCIDR of its own"


def check_update(found: Found, old: KubeObject, new: KubeObject) -> None:
    """Note each immutable field that differs. Both are defaulted and of one kind."""
    check = _CHECKS.get(type(new))
    if check is not None and type(old) is type(new):
        check(found, old, new)


def _fixed(found: Found, path: FieldPath, old: object, new: object) -> None:
    if not same(old, new):
        found.add(path, "cannot be changed", _HINT)


def _fixed_fields(found: Found, old: Any, new: Any, fields: Iterable[tuple[str, str]]) -> None:
    for attribute, wire in fields:
        _fixed(found, ("spec", wire), getattr(old.spec, attribute), getattr(new.spec, attribute))


def _selector(found: Found, old: Any, new: Any) -> None:
    _fixed(found, ("spec", "selector"), old.spec.selector, new.spec.selector)


def _stateful_set(found: Found, old: StatefulSet, new: StatefulSet) -> None:
    _fixed_fields(
        found,
        old,
        new,
        (
            ("selector", "selector"),
            ("service_name", "serviceName"),
            ("pod_management_policy", "podManagementPolicy"),
            ("volume_claim_templates", "volumeClaimTemplates"),
        ),
    )


def _job(found: Found, old: Job, new: Job) -> None:
    # A suspended job runs nothing: where its pods will go may still be decided.
    before, after = old.spec.template, new.spec.template
    if old.spec.suspend:
        before, after = _without_placement(before), _without_placement(after)
    _fixed(found, ("spec", "template"), before, after)
    fields = (
        ("selector", "selector"),
        ("completion_mode", "completionMode"),
        ("pod_failure_policy", "podFailurePolicy"),
        ("success_policy", "successPolicy"),
        ("backoff_limit_per_index", "backoffLimitPerIndex"),
        ("managed_by", "managedBy"),
    )
    _fixed_fields(found, old, new, fields)
    # An indexed job may grow and shrink as long as both numbers stay equal (elastic jobs).
    is_elastic = new.spec.completion_mode == "Indexed" and new.spec.completions == new.spec.parallelism
    if not is_elastic:
        _fixed(found, ("spec", "completions"), old.spec.completions, new.spec.completions)


def _without_placement(template: PodTemplateSpec) -> PodTemplateSpec:
    """A template without what may change in a suspended job: labels, and everything that chooses hosts."""
    spec = msgspec.structs.replace(template.spec, node_selector={}, affinity=None, tolerations=(), scheduling_gates=())
    metadata = msgspec.structs.replace(template.metadata, labels={}, annotations={})
    return msgspec.structs.replace(template, metadata=metadata, spec=spec)


def _config_map(found: Found, old: ConfigMap, new: ConfigMap) -> None:
    if not old.immutable:
        return
    _fixed(found, ("immutable",), True, new.immutable)
    _fixed(found, ("data",), old.data, new.data)
    _fixed(found, ("binaryData",), old.binary_data, new.binary_data)


def _secret(found: Found, old: Secret, new: Secret) -> None:
    _fixed(found, ("type",), old.type, new.type)
    if old.immutable:
        _fixed(found, ("immutable",), True, new.immutable)
        _fixed(found, ("data",), old.data, new.data)


def _claim(found: Found, old: PersistentVolumeClaim, new: PersistentVolumeClaim) -> None:
    """Size (upwards) and class of attributes may change; the volume's name is filled in when it is bound."""
    before, after = old.spec.resources.requests.get("storage", 0), new.spec.resources.requests.get("storage", 0)
    if compare(after, before) < 0:
        found.add(("spec", "resources", "requests", "storage"), f"cannot shrink from {before} to {after}")
    before_spec = msgspec.structs.replace(
        old.spec,
        resources=new.spec.resources,
        volume_name=old.spec.volume_name or new.spec.volume_name,
        volume_attributes_class_name=new.spec.volume_attributes_class_name,
    )
    after_spec = msgspec.structs.replace(new.spec, volume_name=new.spec.volume_name or old.spec.volume_name)
    if not same(before_spec, after_spec):
        found.add(("spec",), "cannot be changed, except for a larger storage request", _HINT)


def _persistent_volume(found: Found, old: PersistentVolume, new: PersistentVolume) -> None:
    for name, wire in PERSISTENT_SOURCES.items():
        _fixed(found, ("spec", wire), getattr(old.spec, name), getattr(new.spec, name))
    _fixed(found, ("spec", "volumeMode"), old.spec.volume_mode, new.spec.volume_mode)


def _storage_class(found: Found, old: StorageClass, new: StorageClass) -> None:
    for attribute, wire in (
        ("provisioner", "provisioner"),
        ("parameters", "parameters"),
        ("reclaim_policy", "reclaimPolicy"),
        ("volume_binding_mode", "volumeBindingMode"),
    ):
        _fixed(found, (wire,), getattr(old, attribute), getattr(new, attribute))


def _priority_class(found: Found, old: PriorityClass, new: PriorityClass) -> None:
    _fixed(found, ("value",), old.value, new.value)
    _fixed(found, ("preemptionPolicy",), old.preemption_policy, new.preemption_policy)


def _ingress_class(found: Found, old: IngressClass, new: IngressClass) -> None:
    _fixed(found, ("spec", "controller"), old.spec.controller, new.spec.controller)


def _endpoint_slice(found: Found, old: EndpointSlice, new: EndpointSlice) -> None:
    _fixed(found, ("addressType",), old.address_type, new.address_type)


def _service(found: Found, old: Service, new: Service) -> None:
    """A service keeps its address as long as it has one; an empty one means "keep it"."""
    if old.spec.cluster_ip and new.spec.cluster_ip and "ExternalName" not in (old.spec.type, new.spec.type):
        _fixed(found, ("spec", "clusterIP"), old.spec.cluster_ip, new.spec.cluster_ip)


def _cluster(found: Found, old: Cluster, new: Cluster) -> None:
    """Each host has its slice of the pod network in its Docker network, and rules that name the whole."""
    before, after = old.spec.network.pod_cidr, new.spec.network.pod_cidr
    if before != after:
        path = ("spec", "network", "podCIDR")
        found.add(path, f"cannot be changed from {before} to {after}: pods have their addresses from it", _SLICE_HINT)


def _host(found: Found, old: Host, new: Host) -> None:
    """Containers have the addresses of a host's slice in their settings. One that was not said may be said."""
    if old.spec.pod_cidr:
        _fixed(found, ("spec", "podCIDR"), old.spec.pod_cidr, new.spec.pod_cidr)


def _binding(found: Found, old: Any, new: Any) -> None:
    _fixed(found, ("roleRef",), old.role_ref, new.role_ref)


_CHECKS: Mapping[type[KubeObject], Callable[[Found, Any, Any], None]] = {
    Cluster: _cluster,
    Host: _host,
    Deployment: _selector,
    ReplicaSet: _selector,
    DaemonSet: _selector,
    StatefulSet: _stateful_set,
    Job: _job,
    ConfigMap: _config_map,
    Secret: _secret,
    PersistentVolumeClaim: _claim,
    PersistentVolume: _persistent_volume,
    StorageClass: _storage_class,
    PriorityClass: _priority_class,
    IngressClass: _ingress_class,
    EndpointSlice: _endpoint_slice,
    Service: _service,
    RoleBinding: _binding,
    ClusterRoleBinding: _binding,
}
