"""What the engine is told, as values. A message says what is the case, never what to do.

Messages of one host come from its one worker, in order; a later one always knows more than an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import msgspec

from differ.kubelet.pod_events import PodEvent
from objects.api.meta import KubeObject, KubeStruct, ObjectKey
from objects.api.pods import Pod, PodStatus
from objects.observation.figures import ForeignLoad, HostUse, HostVitals
from objects.observation.host import HostFacts
from objects.observation.metrics import QueryResult


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """A complete, valid reading of one commit. objects: defaulted; application: key → name of its Application.

    confirmations: values of the commit's `Berth-Confirm-Delete` trailers. orphaned: those of `Berth-Orphan`: keys of
    owners whose dependents live on when these owners are gone. given_up: those of `Berth-Give-Up`: PersistentVolumes.
    """

    commit: str
    objects: tuple[KubeObject, ...]
    application: dict[ObjectKey, str] = {}
    confirmations: tuple[str, ...] = ()
    orphaned: frozenset[str] = frozenset()
    given_up: frozenset[str] = frozenset()


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """A host was observed completely. foreign: what others run on it. is_reclaiming: room is being made, by removing
    unused images, or what evicted pods left.

    statuses: by pod uid, of the pods assigned to it. gone: uids of terminating pods of which nothing is left.
    unknown: pods found on the host that were not assigned to it. pod_events: worth an event, since the last report.
    held: by uid, why nothing is planned for a pod of which neither `statuses` nor `unknown` tells: it stays as it is.
    network_problem: why pods cannot have their network, as was found when it was made; \'\' while they can.
    """

    host: str
    facts: HostFacts
    statuses: Mapping[str, PodStatus] = {}
    gone: tuple[str, ...] = ()
    unknown: tuple[Pod, ...] = ()
    pod_subnet: str = ""
    foreign: tuple[ForeignLoad, ...] = ()
    is_reclaiming: bool = False
    pod_events: tuple[PodEvent, ...] = ()
    held: Mapping[str, str] = {}
    network_problem: str = ""


class HostMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of a host between two reports. use: what its pods use, when that was ordered."""

    host: str
    vitals: HostVitals
    use: HostUse | None = None
    foreign: tuple[ForeignLoad, ...] = ()


HOST_PARTS = frozenset({"Metrics", "DiskMetrics", "PodMetrics", "Events", "Probes", "Network", "Limits"})
"""What goes on beside the looks at a host and may fail by itself: figures of the host, disk use, what pods tell of
themselves, Docker's event stream, probes, the pod network, limits of containers. The Node's condition of each is
`<part>Unavailable`."""


class HostFailure(msgspec.Struct, frozen=True):
    """Something beside the looks at a host that does not work now. part: of HOST_PARTS.

    reason: CamelCase. retry_at: when it is tried again.
    """

    part: str
    reason: str
    message: str
    retry_at: datetime


class HostFailures(msgspec.Struct, frozen=True, kw_only=True):
    """All that fails on a host now, beside the looks at it; nothing, when all works again."""

    host: str
    failures: tuple[HostFailure, ...]


class QueriesAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """What the metrics server said. at: when it was asked."""

    at: datetime
    results: tuple[QueryResult, ...]


class HostSilent(msgspec.Struct, frozen=True, kw_only=True):
    """A host cannot be observed now. Says nothing about its pods."""

    host: str
    reason: str
    message: str


class Recording(msgspec.Struct, frozen=True):
    """Places that the status branch is about to say, before it does: what it had of these objects until now ends here.

    keys: of the objects concerned, None for all; places: as in `Recorded`, nothing for an object without one.
    """

    keys: frozenset[ObjectKey] | None
    places: Mapping[ObjectKey, str]


class Recorded(msgspec.Struct, frozen=True):
    """Places that the status branch has by now: key of an ordinal's pod or of a PersistentVolume → its host."""

    places: Mapping[ObjectKey, str]


class Remembered(msgspec.Struct, frozen=True):
    """What Berth said of an object from Git: since when it exists, and its status (None for kinds without one)."""

    created: datetime | None
    status: KubeStruct | None


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What an earlier process wrote to the status branch; heard once, before anything else.

    objects: Pods, Nodes and what controllers made (ReplicaSets …), as they were; kept ones as their copy or their
    commit has them. copies: files of `reconciler.state.copies`, by path. unread: what is kept and neither says → why.
    remembered: of what comes from Git. inventory: what was deployed from Git. protected: Applications that are not to
    be pruned. kept: what lives on though the commit in force does not say so → the last commit that did. subnets: host
    → its slice of the pod network. orphaned: as in Desired, of what has not gone yet. commit: what was in force.
    follows: a process was in charge before, also if it came to write nothing else. is_ahead: nothing that must not be
    done twice was ever begun before its place was recorded (`reconciler.core.write_ahead`).
    """

    objects: tuple[KubeObject, ...] = ()
    remembered: dict[ObjectKey, Remembered] = {}
    inventory: dict[ObjectKey, str] = {}
    protected: frozenset[str] = frozenset()
    kept: dict[ObjectKey, str] = {}
    subnets: dict[str, str] = {}
    orphaned: frozenset[str] = frozenset()
    commit: str = ""
    follows: bool = False
    copies: Mapping[str, bytes] = {}
    unread: Mapping[ObjectKey, str] = {}
    is_ahead: bool = False


Message: TypeAlias = (
    Desired | HostReport | HostMeasured | HostFailures | HostSilent | QueriesAnswered | Recorded | Recording | Restored
)
