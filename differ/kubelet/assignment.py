"""What the engine wants of one host: the input of `differ.kubelet.pods.plan_host`.

An assignment is complete: a pod that is not in it, but on the host, is reported and left alone (the engine adopts or
deletes it). A pod to be stopped stays in the assignment, with a deletion timestamp, until it is seen to be gone.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import dataclass_transform

import msgspec

from objects.api.core import ConfigMap, Secret
from objects.api.pods import Pod
from objects.observation.metrics import Scrape
from objects.own.config import EvictionThresholds


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class DifferStruct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of this room's values."""


class PodNetwork(DifferStruct):
    """The pod network of one host. subnet: this host's slice, e.g. `10.244.3.0/24`, '' while it has none; cluster_cidr:
    all slices.
    """

    subnet: str
    cluster_cidr: str
    name: str = "berth-pods"

    @property
    def gateway(self) -> str:
        """The slice's first address: the bridge's own."""
        return str(next(ipaddress.ip_network(self.subnet).hosts()))


class MeasureOrder(DifferStruct):
    """What is to be measured of a host, besides what it has left.

    containers: CPU and memory of each. disk: what takes space on its disk. is_pressed: the host is short of something,
    and somebody waits for each figure. scrapes: endpoints of pods to be asked for metrics of their own.
    """

    containers: bool = False
    disk: bool = False
    is_pressed: bool = False
    scrapes: tuple[Scrape, ...] = ()


class HostAssignment(DifferStruct):
    """pods: bound to this host, defaulted, `status.pod_ip` set (host network excepted). Of the status, `reason` names a
    decision that ended the pod (Evicted, …): it is stopped and not started again.

    config_maps and secrets: those that the pods name, by (namespace, name); one that is missing does not exist.
    pull_secrets follow the same rule and lie in `secrets`. eviction: the Host's thresholds; has_disk_pressure: it is
    short of disk. claim_volumes: the Docker volume of each bound claim that
    the pods name, by (namespace, claim). host: its Host object's name. pause_image: for sandboxes.
    left_alone: uids of pods of which drift is shown and not put right (`selfHeal: false`).
    """

    host: str
    host_ip: str
    network: PodNetwork
    pause_image: str
    pods: tuple[Pod, ...] = ()
    left_alone: frozenset[str] = frozenset()
    config_maps: dict[tuple[str, str], ConfigMap] = {}
    secrets: dict[tuple[str, str], Secret] = {}
    claim_volumes: dict[tuple[str, str], str] = {}
    node_labels: dict[str, str] = {}
    node_allocatable: dict[str, str | int | float] = {}
    measure: MeasureOrder = MeasureOrder()
    eviction: EvictionThresholds = EvictionThresholds()
    has_disk_pressure: bool = False


class Part(StrEnum):
    """What an assignment is made of. Each part changes, is compared and is acted on by itself."""

    PODS = "pods"
    FILES = "files"
    VOLUMES = "volumes"
    NETWORK = "network"
    HOST = "host"
    MEASUREMENTS = "measurements"


ALL_PARTS = frozenset(Part)
FIELDS: Mapping[Part, tuple[str, ...]] = MappingProxyType(
    {
        Part.PODS: ("pods", "left_alone"),
        Part.FILES: ("config_maps", "secrets"),
        Part.VOLUMES: ("claim_volumes",),
        Part.NETWORK: ("network", "host_ip"),
        Part.HOST: ("pause_image", "node_labels", "node_allocatable", "eviction", "has_disk_pressure"),
        Part.MEASUREMENTS: ("measure",),
    }
)
"""Every field of an assignment but its host's name, by the part that it belongs to."""


def changed_parts(before: HostAssignment | None, after: HostAssignment) -> frozenset[Part]:
    """The parts that say something else than before. One that is shared by reference costs nothing to compare."""
    if before is None or before.host != after.host:
        return ALL_PARTS
    return frozenset(part for part, names in FIELDS.items() if any(_differs(before, after, name) for name in names))


def _differs(before: HostAssignment, after: HostAssignment, name: str) -> bool:
    old, new = getattr(before, name), getattr(after, name)
    return old is not new and old != new
