"""Which kinds Berth acts on, and which of their fields outside of pods."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from objects.honoured.table import Level, Table, honoured, is_false, warned


class KindSupport(NamedTuple):
    """level: of the kind as a whole. reason: '' when honoured. template: where a pod's spec lies, if anywhere."""

    level: Level
    reason: str = ""
    table: Table = Table()
    template: tuple[str, ...] | None = None


def _acted_on(table: Table, *, template: tuple[str, ...] | None = None) -> KindSupport:
    return KindSupport(Level.HONOURED, table=table, template=template)


def _not_yet(reason: str = "") -> KindSupport:
    text = "this kind is accepted, not acted on yet"
    return KindSupport(Level.WARNED, f"{text}: {reason}" if reason else text)


def _never(reason: str) -> KindSupport:
    return KindSupport(Level.REFUSED, reason)


_TEMPLATE = ("spec", "template")
_RETENTION = "spec.persistentVolumeClaimRetentionPolicy"
_CLAIMS = "claims are not acted on yet: the pods wait for their volumes"

_CLUSTER = Table(
    honoured(
        "spec.network.podCIDR",
        "spec.network.hostPrefix",
        "spec.ssh",
        "spec.sync",
        "spec.scheduling.profiles",
        "spec.scheduling.seed",
        "spec.pauseImage",
    ),
    warned("spec.network.serviceCIDR", "Services are not acted on yet", unless=("10.96.0.0/16",)),
    warned("spec.network.clusterDomain", "names come with the network work", unless=("cluster.local",)),
    warned("spec.scheduling.descheduler", "pods that run are not moved for balance yet"),
)

_HOST = Table(
    honoured(
        *(
            f"spec.{name}"
            for name in (
                "address",
                "hostKey",
                "user",
                "port",
                "keyFiles",
                "jump",
                "dockerSocket",
                "unschedulable",
                "taints",
                "podCIDR",
                "maxPods",
                "capacity",
                "reserved",
                "eviction.memoryAvailable",
                "eviction.diskAvailable",
            )
        )
    ),
    warned("spec.eviction.imageGcHighPercent", "images are not removed yet", unless=(85,)),
    warned("spec.eviction.imageGcLowPercent", "images are not removed yet", unless=(80,)),
)

_APPLICATION = Table(
    honoured("spec.path", "spec.namespace", "spec.prune", "spec.suspend"),
    honoured("spec.selfHeal"),
    warned("spec.selfHeal", "drift is always put right so far", when=is_false),
)

KIND_SUPPORT: Mapping[str, KindSupport] = MappingProxyType(
    {
        "Namespace": _acted_on(Table(warned("spec.finalizers", "a namespace goes when it is gone from Git"))),
        "Pod": _acted_on(Table(), template=()),
        "ReplicaSet": _acted_on(
            Table(honoured("spec.selector", "spec.replicas", "spec.minReadySeconds")), template=_TEMPLATE
        ),
        "Deployment": _acted_on(
            Table(
                honoured(
                    "spec.selector",
                    "spec.replicas",
                    "spec.strategy",
                    "spec.minReadySeconds",
                    "spec.revisionHistoryLimit",
                    "spec.progressDeadlineSeconds",
                    "spec.paused",
                )
            ),
            template=_TEMPLATE,
        ),
        "DaemonSet": _acted_on(
            Table(
                honoured("spec.selector", "spec.updateStrategy", "spec.minReadySeconds", "spec.revisionHistoryLimit")
            ),
            template=_TEMPLATE,
        ),
        "StatefulSet": _acted_on(
            Table(
                honoured(
                    "spec.selector",
                    "spec.replicas",
                    "spec.podManagementPolicy",
                    "spec.updateStrategy",
                    "spec.minReadySeconds",
                    "spec.revisionHistoryLimit",
                    "spec.ordinals",
                ),
                warned("spec.serviceName", "names of pods come with the network work"),
                warned("spec.volumeClaimTemplates", _CLAIMS),
                warned(f"{_RETENTION}.whenDeleted", "claims are kept so far", unless=("Retain",)),
                warned(f"{_RETENTION}.whenScaled", "claims are kept so far", unless=("Retain",)),
            ),
            template=_TEMPLATE,
        ),
        "ConfigMap": _acted_on(Table(honoured("data", "binaryData", "immutable"))),
        "Secret": _acted_on(Table(honoured("type", "data", "stringData", "immutable"))),
        "Cluster": _acted_on(_CLUSTER),
        "Host": _acted_on(_HOST),
        "Application": _acted_on(_APPLICATION),
        "Node": _never("a Node is made from a Host: write a Host"),
        "Event": _never("events are made by Berth"),
        "ControllerRevision": _never("revisions are made by Berth"),
        "ReplicationController": _not_yet("a ReplicaSet does the same"),
        "Job": _not_yet(),
        "CronJob": _not_yet(),
        "HorizontalPodAutoscaler": _not_yet("replicas stay as the workload says"),
        "Service": _not_yet("it comes with the network work"),
        "Endpoints": _not_yet("it comes with the network work"),
        "EndpointSlice": _not_yet("it comes with the network work"),
        "ServiceAccount": _not_yet("pods get no token: there is no API server to talk to"),
        "Ingress": _not_yet("it comes with the network work"),
        "IngressClass": _not_yet("it comes with the network work"),
        "NetworkPolicy": _not_yet("nothing is blocked"),
        "PersistentVolume": _not_yet("it comes with the storage work"),
        "PersistentVolumeClaim": _not_yet("pods that use it wait for their volume"),
        "StorageClass": _not_yet("it comes with the storage work"),
        "PodDisruptionBudget": _not_yet("evictions do not ask it"),
        "PriorityClass": _not_yet("set priority in the pod instead"),
        "ResourceQuota": _not_yet("nothing is limited"),
        "LimitRange": _not_yet("nothing is limited or defaulted"),
        "Role": _not_yet("there is no API server to guard"),
        "ClusterRole": _not_yet("there is no API server to guard"),
        "RoleBinding": _not_yet("there is no API server to guard"),
        "ClusterRoleBinding": _not_yet("there is no API server to guard"),
        "ValidatingAdmissionPolicy": _not_yet("nothing is checked"),
        "ValidatingAdmissionPolicyBinding": _not_yet("nothing is checked"),
    }
)
"""Every kind that can be read is here. A test holds this to the controllers that run."""
