"""Predicates about storage: disks with one user, where volumes are, how many a host attaches, whether claims can bind.

Rules: kube-scheduler `volumerestrictions`, `volumezone`, `nodevolumelimits` and `volumebinding`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

import numpy as np

from objects.api.pods import NodeSelectorRequirement, NodeSelectorTerm
from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from policies.scheduling.predicates.node import match_node_term
from policies.scheduling.rules import Check, Event, Mask, Reason, Scope
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import BoolArray, Rows
from policies.scheduling.state.columns import ABSENT
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.state.volumes import (
    NO_PROVISIONER,
    SINGLE_POD,
    ZONE_KEYS,
    Attachment,
    attachment_of,
    is_bound,
    preferred_first,
    requested_bytes,
    required_topology,
    suits,
    zones_of,
)

_STORAGE_EVENTS: Final = frozenset((Event.HOST_ADDED, Event.HOST_CHANGED, Event.VOLUME_CHANGED))
GONE: Final = "which is gone"
"""How a reason ends that speaks of a host which the cluster does not have."""
_MOST_NAMES: Final = 3


class DiskConflict:
    """A disk that a pod names itself has one writer on a host; a `ReadWriteOncePod` claim has one pod at all."""

    name = "NoDiskConflict"
    helped_by = frozenset((Event.HOST_ADDED, Event.POD_REMOVED, Event.VOLUME_CHANGED))

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        if not shape.claims and not shape.disks:
            return None
        exclusive = [
            name
            for name in shape.claims
            if (claim := snapshot.volumes.claims.get((shape.namespace, name))) is not None
            and SINGLE_POD in claim.spec.access_modes
        ]
        return _DiskConflict(shape, snapshot, exclusive) if shape.disks or exclusive else None


class _DiskConflict(Check):
    scope = Scope.CLUSTER

    def __init__(self, shape: PodShape, snapshot: Snapshot, exclusive: list[str]) -> None:
        self._shape = shape
        self._snapshot = snapshot
        self._exclusive = [(shape.namespace, name) for name in exclusive]
        self._mark = snapshot.journal.mark()

    def stale(self) -> bool:
        changed = self._mark != self._snapshot.journal.mark()
        self._mark = self._snapshot.journal.mark()
        return changed

    def allowed(self, rows: Rows) -> BoolArray:
        start, stop, _ = rows.indices(self._snapshot.size)
        return np.array([not self.reasons(row) for row in range(start, stop)], dtype=np.bool_)

    def reasons(self, row: int) -> tuple[Reason, ...]:
        for claim in self._exclusive:
            if self._snapshot.claim_users[claim] > 0:
                return (Reason(f"claim {claim[1]} is for one pod only and in use"),)
        for disk in self._shape.disks:
            for occupant in self._snapshot.use(row).occupants.values():
                if any(disk.conflicts(other) for other in occupant.shape.disks):
                    holder = f"by {occupant.pod.namespace}/{occupant.pod.name}"
                    return (Reason(f"disk {disk.name} in use", holder),)
        return ()


class VolumeZone:
    """A bound volume's zone and region labels must be the host's; a host without any such label will do."""

    name = "NoVolumeZoneConflict"
    helped_by = _STORAGE_EVENTS

    def reads(self, shape: PodShape) -> Hashable:
        return (shape.namespace, shape.claims) if shape.claims else ()

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        volumes = _bound_volumes(shape, snapshot)
        zones = [zone for volume in volumes for zone in zones_of(volume)]
        if not zones:
            return None
        size = snapshot.size
        verdicts = np.ones(size, dtype=np.bool_)
        for key, today, values in zones:
            wanted = tuple(sorted(values))
            own, other = snapshot.column(key), snapshot.column(today)
            has_own = own.ids[:size] != ABSENT
            in_own = own.matching(NodeSelectorRequirement(key=key, operator="In", values=wanted), size)
            in_other = other.matching(NodeSelectorRequirement(key=today, operator="In", values=wanted), size)
            verdicts &= np.where(has_own, in_own, in_other)
        nowhere = np.ones(size, dtype=np.bool_)
        for key in ZONE_KEYS:
            nowhere &= snapshot.column(key).ids[:size] == ABSENT
        return Mask(verdicts | nowhere, Reason("in another zone than a volume of the pod"))


def _claims(shape: PodShape, snapshot: Snapshot) -> list[PersistentVolumeClaim]:
    """Those that exist."""
    found = (snapshot.volumes.claims.get((shape.namespace, name)) for name in shape.claims)
    return [claim for claim in found if claim is not None]


def _bound_volumes(shape: PodShape, snapshot: Snapshot) -> list[PersistentVolume]:
    names = (claim.spec.volume_name for claim in _claims(shape, snapshot) if claim.spec.volume_name)
    return [volume for name in names if (volume := snapshot.volumes.volumes.get(name)) is not None]


class VolumeCount:
    """A host attaches at most as many volumes of a kind as its capacity `attachable-volumes-KIND` says.

    One volume that several pods mount counts once. Hosts that say nothing have no limit.
    """

    name = "MaxVolumeCount"
    helped_by = frozenset((Event.HOST_ADDED, Event.CAPACITY_ADDED, Event.POD_REMOVED, Event.VOLUME_CHANGED))

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        if not shape.claims:
            return None
        wanted = {a for volume in _bound_volumes(shape, snapshot) if (a := attachment_of(volume)) is not None}
        limited = {one for one in wanted if f"attachable-volumes-{one.kind}" in snapshot.resource_index}
        return _VolumeCount(limited, snapshot) if limited else None


class _VolumeCount(Check):
    scope = Scope.HOST

    def __init__(self, wanted: set[Attachment], snapshot: Snapshot) -> None:
        self._wanted = wanted
        self._snapshot = snapshot

    def allowed(self, rows: Rows) -> BoolArray:
        start, stop, _ = rows.indices(self._snapshot.size)
        return np.array([not self.reasons(row) for row in range(start, stop)], dtype=np.bool_)

    def reasons(self, row: int) -> tuple[Reason, ...]:
        attached = set(self._attached(row))
        found = []
        for kind in sorted({one.kind for one in self._wanted}):
            limit = int(self._snapshot.allocatable[self._snapshot.resource(f"attachable-volumes-{kind}"), row])
            number = len({one for one in attached | self._wanted if one.kind == kind})
            if limit and number > limit:
                found.append(Reason(f"too many {kind} volumes", short=number - limit))
        return tuple(found)

    def _attached(self, row: int) -> Iterable[Attachment]:
        volumes = self._snapshot.volumes
        for key, users in self._snapshot.use(row).claims.items():
            claim = volumes.claims.get(key)
            volume = volumes.volumes.get(claim.spec.volume_name) if claim is not None and users > 0 else None
            if volume is not None and (attachment := attachment_of(volume)) is not None:
                yield attachment


class VolumeBinding:
    """Bound volumes must be reachable from the host; claims that wait for their pod must find a volume there.

    A claim finds one among the volumes that exist and reach the host, each for one claim, or by provisioning where its
    class allows that host.
    """

    name = "CheckVolumeBinding"
    helped_by = _STORAGE_EVENTS

    def reads(self, shape: PodShape) -> Hashable:
        return (shape.namespace, shape.claims) if shape.claims else ()

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        if not shape.claims:
            return None
        nobody = np.zeros(snapshot.size, dtype=np.bool_)
        for name in shape.claims:
            if problem := snapshot.volumes.problem_of(shape.namespace, name):
                return Mask(nobody, Reason(problem))
        return _VolumeBinding(_claims(shape, snapshot), snapshot)


class _VolumeBinding(Check):
    def __init__(self, claims: list[PersistentVolumeClaim], snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        bound = [(one.name, snapshot.volumes.volumes[one.spec.volume_name]) for one in claims if is_bound(one)]
        self._bound = [(name, volume, hosts_of(volume, snapshot)) for name, volume in bound]
        self._waiting = [claim for claim in claims if not is_bound(claim)]
        self._available = _hosts_with_volumes(self._waiting, snapshot)

    def allowed(self, rows: Rows) -> BoolArray:
        verdicts = self._available[rows].copy()
        for _, _, reachable in self._bound:
            verdicts &= reachable[rows]
        return verdicts

    def reasons(self, row: int) -> tuple[Reason, ...]:
        for name, volume, reachable in self._bound:
            if not reachable[row]:
                return (Reason(f'the data of claim "{name}" is {self._place_of(volume, reachable)}'),)
        names = ", ".join(f'"{claim.name}"' for claim in self._waiting)
        return (Reason(f"no volume there for claim {names}"),)

    def _place_of(self, volume: PersistentVolume, reachable: BoolArray) -> str:
        alive = reachable & self._snapshot.alive[: len(reachable)]
        names = [self._snapshot.names[row] for row in np.flatnonzero(alive)[: _MOST_NAMES + 1].tolist()]
        if len(names) > _MOST_NAMES:
            return "on other hosts"
        if names:
            return f"on {', '.join(sorted(names))}"
        return f"on {' or '.join(named_hosts(volume)) or 'a host'}, {GONE}"


def named_hosts(volume: PersistentVolume) -> tuple[str, ...]:
    """The hosts that a volume names as those which reach it, whether they are there or not."""
    required = required_topology(volume)
    fields = (one for term in required.node_selector_terms for one in term.match_fields) if required else ()
    return tuple(value for one in fields if one.operator == "In" for value in one.values)


def hosts_of(volume: PersistentVolume, snapshot: Snapshot) -> BoolArray:
    """The hosts that can reach a volume."""
    required = required_topology(volume)
    if required is None:
        return np.ones(snapshot.size, dtype=np.bool_)
    verdicts = np.zeros(snapshot.size, dtype=np.bool_)
    for term in required.node_selector_terms:
        verdicts |= match_node_term(term, snapshot)
    return verdicts


def _provisioning_hosts(known: StorageClass | None, snapshot: Snapshot) -> BoolArray:
    """The hosts for which a class can make a volume."""
    if known is None or not known.provisioner or known.provisioner == NO_PROVISIONER:
        return np.zeros(snapshot.size, dtype=np.bool_)
    verdicts = np.full(snapshot.size, not known.allowed_topologies, dtype=np.bool_)
    for topology in known.allowed_topologies:
        requirements = tuple(
            NodeSelectorRequirement(key=one.key, operator="In", values=one.values)
            for one in topology.match_label_expressions
        )
        verdicts |= match_node_term(NodeSelectorTerm(match_expressions=requirements), snapshot)
    return verdicts


class _Offer:
    """What a waiting claim could get: volumes with the hosts that reach them, the best first, and provisioning."""

    def __init__(self, claim: PersistentVolumeClaim, snapshot: Snapshot) -> None:
        known = snapshot.volumes.classes.get(claim.spec.storage_class_name or "")
        self.claim = claim
        self.provisioned = _provisioning_hosts(known, snapshot)
        suitable = sorted((one for one in snapshot.volumes.volumes.values() if suits(one, claim)), key=preferred_first)
        self.volumes = [(volume.name, hosts_of(volume, snapshot)) for volume in suitable]

    def take(self, row: int, taken: set[str]) -> str | None:
        """The volume for this claim on a host; '' to be provisioned, None when there is none."""
        for name, hosts in self.volumes:
            if hosts[row] and name not in taken:
                taken.add(name)
                return name
        return "" if self.provisioned[row] else None


def _offers(claims: Iterable[PersistentVolumeClaim], snapshot: Snapshot) -> list[_Offer]:
    """The smallest claims choose first, so that they do not take what only larger ones need."""
    return [_Offer(claim, snapshot) for claim in sorted(claims, key=lambda one: (requested_bytes(one), one.name))]


def _hosts_with_volumes(claims: list[PersistentVolumeClaim], snapshot: Snapshot) -> BoolArray:
    offers = _offers(claims, snapshot)
    verdicts = np.zeros(snapshot.size, dtype=np.bool_)
    for row in range(snapshot.size):
        taken: set[str] = set()
        verdicts[row] = all(offer.take(row, taken) is not None for offer in offers)
    return verdicts


def choose_volumes(shape: PodShape, snapshot: Snapshot, host: str) -> dict[str, str]:
    """For each claim that waits for its pod, the volume it should get on the pod's host; '' to be provisioned.

    Empty when nothing waits, or when some claim finds nothing there. Raises KeyError for an unknown host.
    """
    row, taken = snapshot.row_of[host], set[str]()
    waiting = [claim for claim in _claims(shape, snapshot) if not is_bound(claim)]
    chosen = {offer.claim.name: offer.take(row, taken) for offer in _offers(waiting, snapshot)}
    return {} if None in chosen.values() else {name: volume or "" for name, volume in chosen.items()}
