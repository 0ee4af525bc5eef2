"""Whether an object makes sense, as the Kubernetes API servers judge it.

One object at a time, after decoding and defaulting. What needs other objects to be known (does the ConfigMap exist? is
the quota kept?) is not asked here. Nothing is changed and nothing is raised: what is wrong comes back as values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from objects.api.meta import KubeObject
from objects.fields import FieldError
from objects.validation import (
    autoscaling,
    configuration,
    networking,
    own_kinds,
    pods,
    policies,
    services,
    volumes,
    workloads,
)
from objects.validation.found import Found
from objects.validation.metadata import check_metadata
from objects.validation.updates import check_update


def validate(obj: KubeObject) -> tuple[FieldError, ...]:
    """Everything that is wrong with a defaulted object; nothing when it is fine."""
    found = Found()
    check_metadata(found, obj)
    check = _BY_KIND.get(obj.KIND)
    if check is not None:
        check(found, obj)
    return found.errors


def validate_update(old: KubeObject, new: KubeObject) -> tuple[FieldError, ...]:
    """What `new` changes and must not. Both defaulted, of one key; `new` is validated on its own before."""
    found = Found()
    check_update(found, old, new)
    return found.errors


_BY_KIND: Mapping[str, Callable[[Found, Any], None]] = MappingProxyType(
    {
        "Pod": pods.check_pod,
        "ReplicaSet": workloads.check_replica_set,
        "ReplicationController": workloads.check_replication_controller,
        "Deployment": workloads.check_deployment,
        "DaemonSet": workloads.check_daemon_set,
        "StatefulSet": workloads.check_stateful_set,
        "Job": workloads.check_job,
        "CronJob": workloads.check_cron_job,
        "HorizontalPodAutoscaler": autoscaling.check_autoscaler,
        "ConfigMap": configuration.check_config_map,
        "Secret": configuration.check_secret,
        "Service": services.check_service,
        "Endpoints": services.check_endpoints,
        "EndpointSlice": services.check_endpoint_slice,
        "Ingress": networking.check_ingress,
        "IngressClass": networking.check_ingress_class,
        "NetworkPolicy": networking.check_network_policy,
        "PersistentVolume": volumes.check_persistent_volume,
        "PersistentVolumeClaim": volumes.check_claim,
        "StorageClass": volumes.check_storage_class,
        "PodDisruptionBudget": policies.check_budget,
        "PriorityClass": policies.check_priority_class,
        "ResourceQuota": policies.check_quota,
        "LimitRange": policies.check_limit_range,
        "Role": policies.check_role,
        "ClusterRole": policies.check_role,
        "RoleBinding": policies.check_binding,
        "ClusterRoleBinding": policies.check_binding,
        "ValidatingAdmissionPolicy": policies.check_admission_policy,
        "ValidatingAdmissionPolicyBinding": policies.check_admission_binding,
        "Cluster": own_kinds.check_cluster,
        "Host": own_kinds.check_host,
        "Application": own_kinds.check_application,
    }
)
