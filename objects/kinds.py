"""The kinds that Berth knows: which class stands for which apiVersion and kind, and what people call them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from objects.api import (
    admission,
    apps,
    autoscaling,
    batch,
    core,
    networking,
    pods,
    policy,
    rbac,
    services,
    storage,
)
from objects.api.meta import KubeObject
from objects.errors import InvalidInput
from objects.own import config


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


_OWN_GROUPS = frozenset(
    {
        "", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
        "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "berth.dev", "certificates.k8s.io",
        "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions", "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy", "rbac.authorization.k8s.io",
        "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
    }
)  # fmt: skip
"""Groups of Kubernetes 1.36 itself, and ours. Groups of other people always have a dot: their kinds are their own."""

_NO_EFFECT_HERE: frozenset[str] = frozenset(
    {
        "APIService", "CSIDriver", "CSINode", "CSIStorageCapacity", "CertificateSigningRequest", "ClusterTrustBundle",
        "DeviceClass", "DeviceTaintRule", "Eviction", "FlowSchema", "IPAddress", "Lease", "LeaseCandidate",
        "LocalSubjectAccessReview", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration", "PodCertificateRequest", "PodGroup", "PodTemplate",
        "PriorityLevelConfiguration", "ResourceClaim", "ResourceClaimTemplate", "ResourcePoolStatusRequest",
        "ResourceSlice", "RuntimeClass", "Scale", "SelfSubjectAccessReview", "SelfSubjectReview",
        "SelfSubjectRulesReview", "ServiceCIDR", "Status", "StorageVersion", "StorageVersionMigration",
        "SubjectAccessReview", "TokenRequest", "TokenReview", "ValidatingWebhookConfiguration", "VolumeAttachment",
        "VolumeAttributesClass", "Workload",
    }
)  # fmt: skip
"""Kinds of Kubernetes 1.36 that Berth does not know: real ones, so nothing else was meant."""

_TOOLS: Mapping[str, str] = MappingProxyType(
    {
        "kustomize.config.k8s.io": "is a file of Kustomize: commit what `kustomize build` makes of it",
        "bitnami.com": "can only be opened by its own controller in a cluster: write a Secret",
    }
)
"""Groups whose files are input of a tool → what to do."""


def kind_class(api_version: str, kind: str) -> type[KubeObject]:
    """The class of a manifest's `apiVersion` and `kind`. Raises InvalidInput with what was probably meant.

    What was meant is guessed within Kubernetes' own groups only: a kind of another group is somebody's custom resource,
    whatever it is called. Old API versions are not known here: `objects.convert` has brought them up to date before.
    """
    info = BY_KIND.get(kind)
    if info is not None and api_version == info.kind.API_VERSION:
        return info.kind
    group = api_version.rpartition("/")[0]
    unknown = f"kind '{kind}' ({api_version}) is not known to Berth"
    if not _is_own(group, info):
        text = _TOOLS.get(group, "is a custom resource: no operator runs here that would act on it")
        raise InvalidInput(unknown, hint=f"{kind} of {group} {text}")
    if info is not None:
        raise InvalidInput(f"{kind} has no apiVersion '{api_version}'", hint=f"write {info.kind.API_VERSION}")
    if kind in _GONE:
        raise InvalidInput(unknown, hint=_GONE[kind])
    if kind in _NO_EFFECT_HERE:
        raise InvalidInput(unknown, hint="a kind of Kubernetes that has no effect here: leave it out")
    close = difflib.get_close_matches(kind, BY_KIND, n=1, cutoff=0.6)
    raise InvalidInput(unknown, hint=f"did you mean {close[0]}?" if close else "")


def _is_own(group: str, info: KindInfo | None) -> bool:
    """Whether `group` is Kubernetes' or ours, or a misspelling of the group that `info` belongs to."""
    lower = group.lower()
    if "." not in lower or lower in _OWN_GROUPS:
        return True
    known = info.kind.API_VERSION.rpartition("/")[0] if info is not None else ""
    return bool(known) and difflib.SequenceMatcher(None, lower, known).ratio() > _A_MISSPELLING


_A_MISSPELLING = 0.9
"""Likeness of two groups: `network.k8s.io` and `networking.k8s.io` have 0.9, `gateway.networking.k8s.io` 0.8."""
