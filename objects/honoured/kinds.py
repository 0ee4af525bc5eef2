"""Which kinds Berth acts on, and which of their fields outside of pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from objects.api.storage import DOCKER_VOLUMES, PersistentVolumeClaimStatus
from objects.honoured.table import Level, Rule, Table, below, honoured, refused, warned

NOT_YET = "this kind is accepted, not acted on yet: "


class KindSupport(NamedTuple):
    """level: of the kind as a whole. reason: '' when honoured. table: of its fields outside of pods."""

    level: Level
    reason: str = ""
    table: Table = Table()


def _acted_on(*groups: Iterable[Rule]) -> KindSupport:
    return KindSupport(Level.HONOURED, table=Table(*groups))


def _not_yet(reason: str) -> KindSupport:
    return KindSupport(Level.WARNED, NOT_YET + reason)


def _never(reason: str) -> KindSupport:
    return KindSupport(Level.REFUSED, reason)


_LATE = "WaitForFirstConsumer"


def _has_several_hosts(modes: tuple[str, ...]) -> bool:
    return bool({"ReadWriteMany", "ReadOnlyMany"} & set(modes))


_CLUSTER = (
    *honoured(
        "spec.network.podCIDR",
        "spec.network.hostPrefix",
        "spec.ssh",
        "spec.sync",
        "spec.scheduling.profiles",
        "spec.scheduling.seed",
        "spec.scheduling.descheduler",
        "spec.metrics.prometheus",
        "spec.pauseImage",
    ),
    *warned("spec.network.serviceCIDR", "Services are not acted on yet", unless=("10.96.0.0/16",)),
    *warned("spec.network.clusterDomain", "names come with the network work", unless=("cluster.local",)),
)

_HOST = (
    *honoured(
        "spec.address",
        "spec.hostKey",
        "spec.user",
        "spec.port",
        "spec.keyFiles",
        "spec.jump",
        "spec.dockerSocket",
        "spec.unschedulable",
        "spec.taints",
        "spec.podCIDR",
        "spec.maxPods",
        "spec.capacity",
        "spec.reserved",
        "spec.eviction.memoryAvailable",
        "spec.eviction.diskAvailable",
        "spec.eviction.imageGcHighPercent",
        "spec.eviction.imageGcLowPercent",
        "spec.eviction.inodesFree",
        "spec.eviction.pidAvailable",
        "spec.eviction.pressureTransitionSeconds",
    ),
)

_APPLICATION = (*honoured("spec.path", "spec.namespace", "spec.prune", "spec.selfHeal", "spec.suspend"),)

_DEPLOYMENT = honoured(
    "spec.selector",
    "spec.replicas",
    "spec.strategy",
    "spec.minReadySeconds",
    "spec.revisionHistoryLimit",
    "spec.progressDeadlineSeconds",
    "spec.paused",
)

_STORED = "it comes with the storage work: "
_CLAIM = (
    *honoured("accessModes", "storageClassName", "volumeMode", "resources"),
    *warned("accessModes", "the volume is on one host: all pods that use it go there", when=_has_several_hosts),
    *refused("volumeMode", "block devices are not supported yet", unless=("Filesystem",)),
    *warned("resources.requests", "the size is shown, not enforced: the volume shares its host's disk"),
    *warned("resources.limits", "the size is shown, not enforced: the volume shares its host's disk"),
    *warned("selector", _STORED + "the claim waits for a volume"),
    *warned("volumeName", _STORED + "the claim waits for that volume"),
    *refused("dataSource", _STORED + "the volume would be empty"),
    *refused("dataSourceRef", _STORED + "the volume would be empty"),
    *warned("volumeAttributesClassName", "Docker volumes have no such attributes"),
)
"""Below the `spec` of a claim or claim template."""

_STORAGE_CLASS = (
    *honoured("provisioner", "allowedTopologies", "parameters"),
    *warned("provisioner", f"only {DOCKER_VOLUMES} makes volumes: claims of this class wait", unless=(DOCKER_VOLUMES,)),
    *warned("parameters", "Docker volumes have no parameters yet"),
    *warned("volumeBindingMode", "a volume is made with its first pod (WaitForFirstConsumer)", unless=(_LATE,)),
    *warned("reclaimPolicy", "volumes are never deleted (Retain)", unless=("Retain",)),
    *warned("mountOptions", "Docker volumes have no mount options"),
    *warned("allowVolumeExpansion", "Docker volumes have no size of their own: they need no expansion"),
)

_STATEFUL_SET = (
    *honoured(
        "spec.selector",
        "spec.replicas",
        "spec.podManagementPolicy",
        "spec.updateStrategy",
        "spec.minReadySeconds",
        "spec.revisionHistoryLimit",
        "spec.ordinals",
        "spec.persistentVolumeClaimRetentionPolicy",
    ),
    *warned("spec.serviceName", "names of pods come with the network work"),
    *honoured("spec.volumeClaimTemplates[].metadata"),
    *warned(
        "spec.volumeClaimTemplates[].status", "has no meaning in a template", unless=(PersistentVolumeClaimStatus(),)
    ),
    *below("spec.volumeClaimTemplates[].spec", _CLAIM),
)

_JOB = (
    *honoured(
        "parallelism",
        "completions",
        "completionMode",
        "activeDeadlineSeconds",
        "backoffLimit",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
        "podFailurePolicy",
        "successPolicy",
        "podReplacementPolicy",
        "ttlSecondsAfterFinished",
        "suspend",
        "managedBy",
    ),
    *warned("selector", "jobs know their pods by their owner"),
    *warned("manualSelector", "jobs know their pods by their owner"),
)
"""Below the `spec` of a Job, or of the job in a CronJob."""

_CRON_JOB = (
    *honoured(
        "spec.schedule",
        "spec.timeZone",
        "spec.startingDeadlineSeconds",
        "spec.concurrencyPolicy",
        "spec.suspend",
        "spec.successfulJobsHistoryLimit",
        "spec.failedJobsHistoryLimit",
        "spec.jobTemplate.metadata",
    ),
    *below("spec.jobTemplate.spec", _JOB),
)

_BUDGET = honoured("spec.selector", "spec.minAvailable", "spec.maxUnavailable", "spec.unhealthyPodEvictionPolicy")

_AUTOSCALER = (
    *honoured(
        "spec.scaleTargetRef",
        "spec.minReplicas",
        "spec.maxReplicas",
        "spec.metrics[].type",
        "spec.metrics[].resource",
        "spec.metrics[].containerResource",
        "spec.metrics[].pods",
        "spec.metrics[].object",
        "spec.metrics[].external",
        "spec.behavior",
    ),
)

KIND_SUPPORT: Mapping[str, KindSupport] = MappingProxyType(
    {
        "Namespace": _acted_on(warned("spec.finalizers", "a namespace goes when it is gone from Git")),
        "Pod": _acted_on(),
        "ReplicaSet": _acted_on(honoured("spec.selector", "spec.replicas", "spec.minReadySeconds")),
        "Deployment": _acted_on(_DEPLOYMENT),
        "DaemonSet": _acted_on(
            honoured("spec.selector", "spec.updateStrategy", "spec.minReadySeconds", "spec.revisionHistoryLimit")
        ),
        "StatefulSet": _acted_on(_STATEFUL_SET),
        "Job": _acted_on(below("spec", _JOB)),
        "CronJob": _acted_on(_CRON_JOB),
        "PodDisruptionBudget": _acted_on(_BUDGET),
        "HorizontalPodAutoscaler": _acted_on(_AUTOSCALER),
        "ConfigMap": _acted_on(honoured("data", "binaryData", "immutable")),
        "Secret": _acted_on(honoured("type", "data", "stringData", "immutable")),
        "Cluster": _acted_on(_CLUSTER),
        "Host": _acted_on(_HOST),
        "Application": _acted_on(_APPLICATION),
        "Node": _never("a Node is made from a Host: write a Host"),
        "Event": _never("events are made by Berth"),
        "ControllerRevision": _never("revisions are made by Berth"),
        "ReplicationController": _not_yet("a ReplicaSet does the same"),
        "Service": _not_yet("it comes with the network work"),
        "Endpoints": _not_yet("it comes with the network work"),
        "EndpointSlice": _not_yet("it comes with the network work"),
        "ServiceAccount": _not_yet("pods get no token: there is no API server to talk to"),
        "Ingress": _not_yet("it comes with the network work"),
        "IngressClass": _not_yet("it comes with the network work"),
        "NetworkPolicy": _not_yet("nothing is blocked"),
        "PersistentVolume": _not_yet("it comes with the storage work; a claim gets a Docker volume"),
        "PersistentVolumeClaim": _acted_on(below("spec", _CLAIM)),
        "StorageClass": _acted_on(_STORAGE_CLASS),
        "PriorityClass": _acted_on(honoured("value", "globalDefault", "description", "preemptionPolicy")),
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
