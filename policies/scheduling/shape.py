"""What of a pod matters to the scheduler, parsed once for all pods that are alike.

Pods of one template have one `PodShape`: everything that is computed for it serves them all.
"""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from objects.api.meta import LabelSelectorRequirement, ObjectKey, controller_of
from objects.api.pods import (
    Pod,
    PodAffinityTerm,
    PodSpec,
    PreferredSchedulingTerm,
    Toleration,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from objects.api.volumes import Volume
from objects.own.taints import MEMORY_PRESSURE, NO_SCHEDULE
from objects.pod_resources import is_best_effort
from policies.scheduling.matching import PodMatcher, Requirements, hashable_selector
from policies.scheduling.requests import CPU, MEMORY, assumed_requests, says_all, whole_requests
from policies.scheduling.state.images import normalised_image_name
from policies.scheduling.state.volumes import Disk, disks_of

_HEEDLESS_OF_MEMORY_PRESSURE = Toleration(key=MEMORY_PRESSURE, operator="Exists", effect=NO_SCHEDULE)
"""Pods that were promised memory may go where it is short: it is the others that will be evicted."""
_ENCODER = msgspec.msgpack.Encoder()


class HostPort(NamedTuple):
    """A port of the host that a pod takes. ip '' and 0.0.0.0 mean every address."""

    ip: str
    protocol: str
    port: int

    def collides(self, other: HostPort) -> bool:
        if (self.protocol, self.port) != (other.protocol, other.port):
            return False
        return self.ip == other.ip or ANY_ADDRESS in (self.ip, other.ip)


ANY_ADDRESS = "0.0.0.0"


class ClassKey(NamedTuple):
    """What label selectors can see of a pod."""

    namespace: str
    labels: frozenset[tuple[str, str]]


class AffinityTerm(NamedTuple):
    """Beside (or away from) the pods of `matcher`, where hosts with one value of `topology_key` count as one place."""

    topology_key: str
    matcher: PodMatcher


class WeightedTerm(NamedTuple):
    """A wish: weight is negative for anti-affinity."""

    weight: int
    term: AffinityTerm


class TermKind(enum.Enum):
    """What a running pod's own term does to pods that come later."""

    REQUIRED_AFFINITY = "required affinity"
    REQUIRED_ANTI_AFFINITY = "required anti-affinity"
    PREFERRED = "preferred"


class HeldTerm(NamedTuple):
    """A term that running pods hold. weight: of a preferred term, negative for anti-affinity; else 0."""

    kind: TermKind
    term: AffinityTerm
    weight: int


class SpreadConstraint(NamedTuple):
    """A topology spread constraint with its defaults. min_domains: 1 when unsaid. is_hard: DoNotSchedule."""

    max_skew: int
    topology_key: str
    is_hard: bool
    matcher: PodMatcher
    min_domains: int
    honours_affinity: bool
    honours_taints: bool


@dataclass(slots=True, eq=False)
class PodShape:
    """Compared by identity: equal pods get the same shape from `ShapeBook`. Never changed.

    requests: effective, with `pods: 1`. assumed_cpu/assumed_memory: see `requests.assumed_requests`, for scores.
    tolerations: said and implied. node_name: only a host of that name will do; '' any. owner: the controlling object,
    None for a bare pod. amounts: equal where all of the requests are. images: see `ImageIndex`, by each container and
    volume. claims: names of those it mounts. held_terms: what running pods of this shape mean for others.
    """

    namespace: str
    labels: dict[str, str]
    spec: PodSpec
    node_name: str
    owner: ObjectKey | None
    priority: int
    requests: dict[str, int]
    assumed_cpu: int
    assumed_memory: int
    amounts: Hashable
    images: tuple[str, ...]
    is_best_effort: bool
    tolerations: tuple[Toleration, ...]
    ports: tuple[HostPort, ...]
    preferred_nodes: tuple[PreferredSchedulingTerm, ...]
    required_affinity: tuple[AffinityTerm, ...]
    required_anti_affinity: tuple[AffinityTerm, ...]
    preferred_affinity: tuple[WeightedTerm, ...]
    spread: tuple[SpreadConstraint, ...]
    claims: tuple[str, ...]
    disks: tuple[Disk, ...]
    class_key: ClassKey
    held_terms: tuple[HeldTerm, ...]

    @property
    def hard_spread(self) -> tuple[SpreadConstraint, ...]:
        return tuple(constraint for constraint in self.spread if constraint.is_hard)

    @property
    def soft_spread(self) -> tuple[SpreadConstraint, ...]:
        return tuple(constraint for constraint in self.spread if not constraint.is_hard)


def parse_shape(pod: Pod, *, node_name: str = "") -> PodShape:
    """Parse a pod. node_name: see PodShape; not taken from the pod, whose binding is not part of its shape."""
    spec = pod.spec
    requests = whole_requests(spec)
    assumed = requests if says_all(spec) else assumed_requests(spec)
    asks = not spec.overhead and spec.resources is None and (requests.get(CPU, 0) or requests.get(MEMORY, 0))
    asks_for_nothing = not asks and is_best_effort(pod)
    owner = controller_of(pod)
    affinity = spec.affinity
    node_affinity = affinity.node_affinity if affinity else None
    together, apart = (affinity.pod_affinity, affinity.pod_anti_affinity) if affinity else (None, None)
    required = _terms(together.required_during_scheduling_ignored_during_execution, pod) if together else ()
    forbidden = _terms(apart.required_during_scheduling_ignored_during_execution, pod) if apart else ()
    wished = (
        *_wishes(1, together.preferred_during_scheduling_ignored_during_execution if together else (), pod),
        *_wishes(-1, apart.preferred_during_scheduling_ignored_during_execution if apart else (), pod),
    )
    volumes = spec.volumes
    return PodShape(
        namespace=pod.namespace,
        labels=pod.labels,
        spec=spec,
        node_name=node_name,
        owner=ObjectKey(owner.kind, pod.namespace, owner.name) if owner else None,
        priority=spec.priority or 0,
        requests=requests,
        assumed_cpu=assumed.get(CPU, 0),
        assumed_memory=assumed.get(MEMORY, 0),
        amounts=(*requests.items(), assumed.get(CPU, 0), assumed.get(MEMORY, 0)),
        images=_images(spec),
        is_best_effort=asks_for_nothing,
        tolerations=spec.tolerations if asks_for_nothing else (*spec.tolerations, _HEEDLESS_OF_MEMORY_PRESSURE),
        ports=_host_ports(spec),
        preferred_nodes=node_affinity.preferred_during_scheduling_ignored_during_execution if node_affinity else (),
        required_affinity=required,
        required_anti_affinity=forbidden,
        preferred_affinity=wished,
        spread=tuple([_constraint(constraint, pod) for constraint in spec.topology_spread_constraints]),
        claims=_claims(volumes) if volumes else (),
        disks=disks_of(volumes) if volumes else (),
        class_key=ClassKey(pod.namespace, frozenset(pod.labels.items())),
        held_terms=_held_terms(required, forbidden, wished) if affinity else (),
    )


def _held_terms(
    required: tuple[AffinityTerm, ...], forbidden: tuple[AffinityTerm, ...], wished: tuple[WeightedTerm, ...]
) -> tuple[HeldTerm, ...]:
    return (
        *(HeldTerm(TermKind.REQUIRED_AFFINITY, term, 0) for term in required),
        *(HeldTerm(TermKind.REQUIRED_ANTI_AFFINITY, term, 0) for term in forbidden),
        *(HeldTerm(TermKind.PREFERRED, term, weight) for weight, term in wished),
    )


def _claims(volumes: tuple[Volume, ...]) -> tuple[str, ...]:
    mounted = (volume.persistent_volume_claim for volume in volumes)
    return tuple(claim.claim_name for claim in mounted if claim is not None)


def _images(spec: PodSpec) -> tuple[str, ...]:
    names = [container.image for container in (*spec.init_containers, *spec.containers)]
    names += [volume.image.reference for volume in spec.volumes if volume.image is not None]
    return tuple(map(normalised_image_name, names))


def _host_ports(spec: PodSpec) -> tuple[HostPort, ...]:
    """Host ports of the running containers and sidecars; plain init containers give theirs back before those start."""
    holders = [*spec.containers, *(c for c in spec.init_containers if c.is_sidecar)]
    ports = [port for container in holders for port in container.ports if port.host_port > 0]
    return tuple([HostPort(port.host_ip or ANY_ADDRESS, port.protocol or "TCP", port.host_port) for port in ports])


def _terms(terms: tuple[PodAffinityTerm, ...], pod: Pod) -> tuple[AffinityTerm, ...]:
    return tuple(_term(term, pod) for term in terms)


def _wishes(sign: int, wishes: tuple[WeightedPodAffinityTerm, ...], pod: Pod) -> list[WeightedTerm]:
    return [WeightedTerm(sign * wish.weight, _term(wish.pod_affinity_term, pod)) for wish in wishes]


def _term(term: PodAffinityTerm, pod: Pod) -> AffinityTerm:
    namespaces = frozenset(term.namespaces)
    if not namespaces and term.namespace_selector is None:
        namespaces = frozenset((pod.namespace,))
    selector = _with_label_keys(hashable_selector(term.label_selector), pod, term.match_label_keys, "In")
    selector = _with_label_keys(selector, pod, term.mismatch_label_keys, "NotIn")
    return AffinityTerm(term.topology_key, PodMatcher(namespaces, hashable_selector(term.namespace_selector), selector))


def _with_label_keys(
    selector: Requirements | None, pod: Pod, keys: tuple[str, ...], operator: str
) -> Requirements | None:
    """Add "same value as the pod's own label" (or another one) for each key that the pod has."""
    if selector is None:
        return None
    own = (
        LabelSelectorRequirement(key=key, operator=operator, values=(pod.labels[key],))
        for key in keys
        if key in pod.labels
    )
    return (*selector, *own)


def _constraint(constraint: TopologySpreadConstraint, pod: Pod) -> SpreadConstraint:
    selector = hashable_selector(constraint.label_selector)
    return SpreadConstraint(
        max_skew=constraint.max_skew,
        topology_key=constraint.topology_key,
        is_hard=constraint.when_unsatisfiable == "DoNotSchedule",
        matcher=PodMatcher(
            frozenset((pod.namespace,)), None, _with_label_keys(selector, pod, constraint.match_label_keys, "In")
        ),
        min_domains=constraint.min_domains or 1,
        honours_affinity=constraint.node_affinity_policy != "Ignore",
        honours_taints=constraint.node_taints_policy == "Honor",
    )


def has_same_shape(old: Pod, new: Pod) -> bool:
    """Whether `new` was made from `old` without touching what matters here; false when it takes more to find out."""
    before, after = old.spec, new.spec
    return (
        before.containers is after.containers
        and before.init_containers is after.init_containers
        and before.affinity is after.affinity
        and before.tolerations is after.tolerations
        and before.topology_spread_constraints is after.topology_spread_constraints
        and before.volumes is after.volumes
        and before.overhead is after.overhead
        and before.resources is after.resources
        and before.priority == after.priority
        and old.metadata.labels is new.metadata.labels
        and old.metadata.owner_references is new.metadata.owner_references
    )


def _is_cut_alike(old: Pod, new: Pod) -> bool:
    """Whether all that a shape is made of is equal: next to nothing to compare when both are of one template."""
    before, after = old.spec, new.spec
    return (
        before.containers == after.containers
        and old.metadata.labels == new.metadata.labels
        and old.metadata.namespace == new.metadata.namespace
        and old.metadata.owner_references == new.metadata.owner_references
        and before.init_containers == after.init_containers
        and before.volumes == after.volumes
        and before.tolerations == after.tolerations
        and before.affinity == after.affinity
        and before.node_selector == after.node_selector
        and before.topology_spread_constraints == after.topology_spread_constraints
        and before.overhead == after.overhead
        and before.resources == after.resources
        and before.priority == after.priority
        and before.preemption_policy == after.preemption_policy
    )


class ShapeBook:
    """Gives equal pods the same shape. Holds the most recently made ones, at most `limit`."""

    def __init__(self, limit: int = 4096) -> None:
        self._shapes: dict[bytes, PodShape] = {}
        self._limit = limit
        self._last: tuple[Pod, str, PodShape] | None = None
        self._sharing: dict[int, tuple[Pod, str, PodShape]] = {}
        """By the identity of their containers, which pods of one template share: it is that of a pod that is held."""

    def shape_of(self, pod: Pod, *, node_name: str = "") -> PodShape:
        """Pods of one template come in a row as a rule, or share its parts: comparing is cheaper than a key."""
        for known in (self._sharing.get(id(pod.spec.containers)), self._last):
            if known is not None and known[1] == node_name and _is_cut_alike(known[0], pod):
                return known[2]
        shape = self._find(pod, node_name)
        if len(self._sharing) >= self._limit:
            self._sharing.clear()
        self._last = self._sharing[id(pod.spec.containers)] = pod, node_name, shape
        return shape

    def _find(self, pod: Pod, node_name: str) -> PodShape:
        spec = pod.spec
        owner = controller_of(pod)
        key = _ENCODER.encode(
            (
                node_name,
                pod.namespace,
                pod.labels,
                (owner.kind, owner.name) if owner else None,
                spec.containers,
                spec.init_containers,
                spec.overhead,
                spec.resources,
                spec.volumes,
                spec.node_selector,
                spec.affinity,
                spec.tolerations,
                spec.topology_spread_constraints,
                spec.priority,
                spec.preemption_policy,
            )
        )
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) >= self._limit:
                # The oldest goes: who still holds it keeps it, a later equal pod gets a new one.
                del self._shapes[next(iter(self._shapes))]
            shape = self._shapes[key] = parse_shape(pod, node_name=node_name)
        return shape
