"""The kinds that Berth knows: which class stands for which apiVersion and kind, and what people call them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from objects import admission, apps, autoscaling, batch, config, core, networking, pods, policy, rbac, services, storage
from objects.errors import InvalidInput
from objects.meta import KubeObject


class KindInfo(NamedTuple):
    """A kind and its names on the command line, as in kubectl. plural: lower case."""

    kind: type[KubeObject]
    plural: str
    short_names: tuple[str, ...] = ()


KINDS: tuple[KindInfo, ...] = (
    KindInfo(core.Namespace, "namespaces", ("ns",)),
    KindInfo(pods.Pod, "pods", ("po",)),
    KindInfo(apps.ReplicaSet, "replicasets", ("rs",)),
    KindInfo(apps.Deployment, "deployments", ("deploy",)),
    KindInfo(core.ConfigMap, "configmaps", ("cm",)),
    KindInfo(core.Secret, "secrets"),
    KindInfo(config.Cluster, "clusters"),
    KindInfo(config.Host, "hosts"),
    KindInfo(config.Application, "applications", ("app",)),
    KindInfo(core.Node, "nodes", ("no",)),
    KindInfo(core.Event, "events", ("ev",)),
    KindInfo(apps.DaemonSet, "daemonsets", ("ds",)),
    KindInfo(apps.StatefulSet, "statefulsets", ("sts",)),
    KindInfo(apps.ControllerRevision, "controllerrevisions"),
    KindInfo(apps.ReplicationController, "replicationcontrollers", ("rc",)),
    KindInfo(batch.Job, "jobs"),
    KindInfo(batch.CronJob, "cronjobs", ("cj",)),
    KindInfo(autoscaling.HorizontalPodAutoscaler, "horizontalpodautoscalers", ("hpa",)),
    KindInfo(services.Service, "services", ("svc",)),
    KindInfo(services.Endpoints, "endpoints", ("ep",)),
    KindInfo(services.EndpointSlice, "endpointslices"),
    KindInfo(services.ServiceAccount, "serviceaccounts", ("sa",)),
    KindInfo(networking.Ingress, "ingresses", ("ing",)),
    KindInfo(networking.IngressClass, "ingressclasses"),
    KindInfo(networking.NetworkPolicy, "networkpolicies", ("netpol",)),
    KindInfo(storage.PersistentVolume, "persistentvolumes", ("pv",)),
    KindInfo(storage.PersistentVolumeClaim, "persistentvolumeclaims", ("pvc",)),
    KindInfo(storage.StorageClass, "storageclasses", ("sc",)),
    KindInfo(policy.PodDisruptionBudget, "poddisruptionbudgets", ("pdb",)),
    KindInfo(policy.PriorityClass, "priorityclasses", ("pc",)),
    KindInfo(policy.ResourceQuota, "resourcequotas", ("quota",)),
    KindInfo(policy.LimitRange, "limitranges", ("limits",)),
    KindInfo(rbac.Role, "roles"),
    KindInfo(rbac.ClusterRole, "clusterroles"),
    KindInfo(rbac.RoleBinding, "rolebindings"),
    KindInfo(rbac.ClusterRoleBinding, "clusterrolebindings"),
    KindInfo(admission.ValidatingAdmissionPolicy, "validatingadmissionpolicies"),
    KindInfo(admission.ValidatingAdmissionPolicyBinding, "validatingadmissionpolicybindings"),
)

BY_KIND: Mapping[str, KindInfo] = MappingProxyType({info.kind.KIND: info for info in KINDS})
"""Every kind name occurs in one group only, so it identifies the class alone."""


_GONE: Mapping[str, str] = MappingProxyType(
    {
        "PodSecurityPolicy": "Kubernetes removed it: levels are labels of namespaces (pod-security.kubernetes.io/)",
        "CustomResourceDefinition": "Berth has no API server that could serve kinds of other people",
        "ThirdPartyResource": "Berth has no API server that could serve kinds of other people",
        "PodPreset": "Kubernetes removed it: put its fields into the pods",
        "ComponentStatus": "it is something to look at, not to write",
        "Binding": "the scheduler binds pods: set spec.nodeName to place one yourself",
    }
)
"""Kinds that people may still have in their files, and what to do about them."""


def kind_class(api_version: str, kind: str) -> type[KubeObject]:
    """The class of a manifest's `apiVersion` and `kind`. Raises InvalidInput with what was probably meant.

    Old API versions are not known here: `objects.convert` has brought them up to date before.
    """
    info = BY_KIND.get(kind)
    if info is None:
        close = difflib.get_close_matches(kind, BY_KIND, n=1, cutoff=0.6)
        hint = _GONE.get(kind) or (f"did you mean {close[0]}?" if close else "")
        raise InvalidInput(f"kind '{kind}' ({api_version}) is not known to Berth", hint=hint)
    if api_version != info.kind.API_VERSION:
        raise InvalidInput(f"{kind} has no apiVersion '{api_version}'", hint=f"write {info.kind.API_VERSION}")
    return info.kind


def find_kind(word: str) -> KindInfo:
    """What a person calls a kind (`pod`, `pods`, `po`, `Deployment`), in any case. Raises InvalidInput."""
    lower = word.lower()
    names: dict[str, KindInfo] = {}
    for info in KINDS:
        names.update(dict.fromkeys((info.kind.KIND.lower(), info.plural, *info.short_names), info))
    if lower in names:
        return names[lower]
    close = difflib.get_close_matches(lower, names, n=1, cutoff=0.6)
    raise InvalidInput(f"there is no kind '{word}'", hint=f"did you mean {close[0]}?" if close else "")
