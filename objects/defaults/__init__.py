"""What Kubernetes assumes where a manifest says nothing.

`default` completes an object once, after decoding and before validation; doing it twice changes nothing. The hash of a
pod template is taken before, over what was written (`objects.hashing`), so that a new default restarts nobody.

Sources: the defaulting functions of the API groups (`SetDefaults_*`), Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from objects.api.meta import DEFAULT_NAMESPACE, KubeObject
from objects.api.pods import Pod
from objects.defaults import other, storage, workloads
from objects.defaults.fill import change
from objects.defaults.pods import default_pod_spec

_Object = TypeVar("_Object", bound=KubeObject)


def default(obj: _Object, *, namespace: str = DEFAULT_NAMESPACE) -> _Object:
    """`obj` with everything filled in that Kubernetes would fill in.

    namespace: where a namespaced object without a namespace goes.
    """
    complete = _BY_KIND.get(obj.KIND)
    completed: _Object = obj if complete is None else complete(obj)
    if completed.NAMESPACED and not completed.metadata.namespace:
        completed = change(completed, metadata=change(completed.metadata, namespace=namespace))
    return completed


def _default_pod(obj: Pod) -> Pod:
    return change(obj, spec=default_pod_spec(obj.spec))


_BY_KIND: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "Pod": _default_pod,
        "ReplicaSet": workloads.default_replica_set,
        "ReplicationController": workloads.default_replication_controller,
        "Deployment": workloads.default_deployment,
        "DaemonSet": workloads.default_daemon_set,
        "StatefulSet": workloads.default_stateful_set,
        "Job": workloads.default_job,
        "CronJob": workloads.default_cron_job,
        "HorizontalPodAutoscaler": workloads.default_autoscaler,
        "PersistentVolume": storage.default_volume,
        "PersistentVolumeClaim": storage.default_claim,
        "StorageClass": storage.default_storage_class,
        "Namespace": other.default_namespace,
        "Secret": other.default_secret,
        "Service": other.default_service,
        "Endpoints": other.default_endpoints,
        "EndpointSlice": other.default_endpoint_slice,
        "NetworkPolicy": other.default_network_policy,
        "PriorityClass": other.default_priority_class,
        "LimitRange": other.default_limit_range,
        "RoleBinding": other.default_binding,
        "ClusterRoleBinding": other.default_binding,
        "ValidatingAdmissionPolicy": other.default_admission_policy,
        "ValidatingAdmissionPolicyBinding": other.default_admission_binding,
    }
)
