"""The scheduler once more, as plainly as possible: loops over hosts and pods, no arrays, nothing kept between pods.

It is slow and obvious on purpose. The property test holds the real one to it: the same feasible hosts, the same scores,
the same decisions. It covers every built-in rule but `PodFitsHost`: a pod that names its host is not judged. The rules
about storage are in `reference_storage`.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from objects.api.core import Node, Taint
from objects.api.meta import LabelSelector, LabelSelectorRequirement, controller_of
from objects.api.pods import (
    Container,
    Pod,
    PodAffinityTerm,
    PodSpec,
    Toleration,
    TopologySpreadConstraint,
)
from objects.pod_resources import qos_class
from objects.selectors import (
    labels_match,
    node_term_matches,
    pod_fits_node_labels,
    selector_matches,
    tolerates,
    untolerated_taint,
)
from objects.values.quantity import milli_value, value
from policies.scheduling.requests import assumed_requests, whole_requests
from tests.properties.reference_storage import (
    Storage,
    attachments_fit,
    claims_can_be_had,
    disks_are_free,
    zones_agree,
)

Scores = dict[str, int]
WEIGHTS = {
    "LeastRequestedPriority": 1,
    "BalancedResourceAllocation": 1,
    "SelectorSpreadPriority": 2,
    "InterPodAffinityPriority": 2,
    "TopologySpreadPriority": 2,
    "ImageLocalityPriority": 1,
    "NodeAffinityPriority": 2,
    "TaintTolerationPriority": 3,
}
PACKER = "packer"
"""A second profile, which fills hosts instead of leaving them empty."""
WEIGHTS_OF = {
    PACKER: {
        **{name: weight for name, weight in WEIGHTS.items() if not name.startswith("Least")},
        "MostRequestedPriority": 5,
    }
}
HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"
MIB = 1024 * 1024


@dataclass
class World:
    """Everything a decision depends on. services: (namespace, selector)."""

    nodes: list[Node] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    services: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    storage: Storage = field(default_factory=Storage)

    def on(self, node: Node) -> list[Pod]:
        return [pod for pod in self.pods if pod.node_name == node.name]

    def node_of(self, pod: Pod) -> Node | None:
        return next((node for node in self.nodes if node.name == pod.node_name), None)


# --- predicates ---------------------------------------------------------------------------------------------------


def feasible(pod: Pod, world: World) -> list[Node]:
    return [node for node in world.nodes if not failing(pod, node, world)]


def failing(pod: Pod, node: Node, world: World) -> list[str]:
    """Names of the predicates that a host fails."""
    rules: dict[str, Callable[[Pod, Node, World], bool]] = {
        "CheckNodeUnschedulable": _not_cordoned,
        "CheckNodeCondition": _in_good_condition,
        "PodToleratesNodeTaints": _tolerates_taints,
        "MatchNodeSelector": _has_labels,
        "CheckVolumeBinding": lambda pod, node, world: claims_can_be_had(pod, node, world.storage),
        "NoVolumeZoneConflict": lambda pod, node, world: zones_agree(pod, node, world.storage),
        "NoDiskConflict": lambda pod, node, world: disks_are_free(pod, node, world.pods, world.storage),
        "MaxVolumeCount": lambda pod, node, world: attachments_fit(pod, node, world.pods, world.storage),
        "PodFitsHostPorts": _ports_free,
        "PodFitsResources": _resources_free,
        "PodTopologySpread": _spread_kept,
        "MatchInterPodAffinity": _affinity_kept,
    }
    return [name for name, rule in rules.items() if not rule(pod, node, world)]


def _tolerations(pod: Pod) -> tuple[Toleration, ...]:
    if qos_class(pod) == "BestEffort":
        return pod.spec.tolerations
    implied = Toleration(key="node.kubernetes.io/memory-pressure", operator="Exists", effect="NoSchedule")
    return (*pod.spec.tolerations, implied)


def _tolerates_key(pod: Pod, key: str) -> bool:
    return any(tolerates(one, Taint(key=key, effect="NoSchedule")) for one in _tolerations(pod))


def _not_cordoned(pod: Pod, node: Node, world: World) -> bool:
    return not node.spec.unschedulable or _tolerates_key(pod, "node.kubernetes.io/unschedulable")


def _in_good_condition(pod: Pod, node: Node, world: World) -> bool:
    wrong = {
        ("Ready", "False"): "not-ready",
        ("Ready", "Unknown"): "unreachable",
        ("NetworkUnavailable", "True"): "network-unavailable",
        ("MemoryPressure", "True"): "memory-pressure",
        ("DiskPressure", "True"): "disk-pressure",
        ("PIDPressure", "True"): "pid-pressure",
    }
    states = [wrong[one.type, one.status] for one in node.status.conditions if (one.type, one.status) in wrong]
    return all(_tolerates_key(pod, f"node.kubernetes.io/{state}") for state in states)


def _tolerates_taints(pod: Pod, node: Node, world: World) -> bool:
    return untolerated_taint(node.spec.taints, _tolerations(pod), effects=("NoSchedule", "NoExecute")) is None


def _has_labels(pod: Pod, node: Node, world: World) -> bool:
    return pod_fits_node_labels(pod.spec, labels=node.labels, name=node.name)


def _ports(spec: PodSpec) -> list[tuple[str, str, int]]:
    containers: list[Container] = [*spec.containers, *(one for one in spec.init_containers if one.is_sidecar)]
    return [
        (port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
        for container in containers
        for port in container.ports
        if port.host_port
    ]


def _ports_free(pod: Pod, node: Node, world: World) -> bool:
    held = [port for other in world.on(node) for port in _ports(other.spec)]
    for ip, protocol, number in _ports(pod.spec):
        for held_ip, held_protocol, held_number in held:
            if (protocol, number) == (held_protocol, held_number) and (ip == held_ip or "0.0.0.0" in (ip, held_ip)):
                return False
    return True


def _allocatable(node: Node, name: str) -> int:
    quantity = node.status.allocatable.get(name, 0)
    return milli_value(quantity) if name == "cpu" else value(quantity)


def _requested(node: Node, name: str, world: World) -> int:
    return sum(whole_requests(other.spec).get(name, 0) for other in world.on(node))


def _resources_free(pod: Pod, node: Node, world: World) -> bool:
    wanted = whole_requests(pod.spec)
    return all(
        amount == 0 or amount <= _allocatable(node, name) - _requested(node, name, world)
        for name, amount in wanted.items()
    )


# --- selectors over pods ------------------------------------------------------------------------------------------


def _with_keys(selector: LabelSelector | None, pod: Pod, keys: Iterable[str], operator: str) -> LabelSelector | None:
    if selector is None:
        return None
    more = tuple(
        LabelSelectorRequirement(key=key, operator=operator, values=(pod.labels[key],))
        for key in keys
        if key in pod.labels
    )
    return LabelSelector(match_labels=selector.match_labels, match_expressions=(*selector.match_expressions, *more))


def _term_matches(owner: Pod, term: PodAffinityTerm, other: Pod, world: World) -> bool:
    """Whether a term that `owner` holds speaks of `other`."""
    selector = _with_keys(term.label_selector, owner, term.match_label_keys, "In")
    selector = _with_keys(selector, owner, term.mismatch_label_keys, "NotIn")
    if not selector_matches(selector, other.labels):
        return False
    if not term.namespaces and term.namespace_selector is None:
        return other.namespace == owner.namespace
    if other.namespace in term.namespaces:
        return True
    return term.namespace_selector is not None and selector_matches(
        term.namespace_selector, world.namespaces.get(other.namespace, {})
    )


def _same_place(node: Node, other: Node, key: str) -> bool:
    return key in node.labels and node.labels[key] == other.labels.get(key)


def _required(pod: Pod, kind: str) -> tuple[PodAffinityTerm, ...]:
    part = getattr(pod.spec.affinity, kind) if pod.spec.affinity else None
    return part.required_during_scheduling_ignored_during_execution if part else ()


def _affinity_kept(pod: Pod, node: Node, world: World) -> bool:
    placed = [(other, place) for other in world.pods if (place := world.node_of(other)) is not None]
    for other, place in placed:
        for term in _required(other, "pod_anti_affinity"):
            if _same_place(node, place, term.topology_key) and _term_matches(other, term, pod, world):
                return False
        for term in _required(pod, "pod_anti_affinity"):
            if _same_place(node, place, term.topology_key) and _term_matches(pod, term, other, world):
                return False
    terms = _required(pod, "pod_affinity")
    if not terms:
        return True
    if any(term.topology_key not in node.labels for term in terms):
        return False
    wanted = [
        (other, place) for other, place in placed if all(_term_matches(pod, term, other, world) for term in terms)
    ]
    if all(any(_same_place(node, place, term.topology_key) for _, place in wanted) for term in terms):
        return True
    nobody = not any(term.topology_key in place.labels for _, place in wanted for term in terms)
    return nobody and all(_term_matches(pod, term, pod, world) for term in terms)


# --- topology spread ----------------------------------------------------------------------------------------------


def _constraints(pod: Pod, action: str) -> list[TopologySpreadConstraint]:
    return [one for one in pod.spec.topology_spread_constraints if one.when_unsatisfiable == action]


def _counts_for(pod: Pod, one: TopologySpreadConstraint, other: Pod) -> bool:
    selector = _with_keys(one.label_selector, pod, one.match_label_keys, "In")
    return other.namespace == pod.namespace and selector_matches(selector, other.labels)


def _eligible(pod: Pod, one: TopologySpreadConstraint, keys: list[str], node: Node, world: World) -> bool:
    if any(key not in node.labels for key in keys):
        return False
    if one.node_affinity_policy != "Ignore" and not _has_labels(pod, node, world):
        return False
    return one.node_taints_policy != "Honor" or _tolerates_taints(pod, node, world)


def _peers_on(pod: Pod, one: TopologySpreadConstraint, node: Node, world: World) -> int:
    return sum(not other.is_terminating and _counts_for(pod, one, other) for other in world.on(node))


def _pods_by_place(pod: Pod, one: TopologySpreadConstraint, keys: list[str], world: World) -> Counter[str]:
    counts: Counter[str] = Counter()
    for node in world.nodes:
        if _eligible(pod, one, keys, node, world):
            counts[node.labels[one.topology_key]] += _peers_on(pod, one, node, world)
    return counts


def _spread_kept(pod: Pod, node: Node, world: World) -> bool:
    constraints = _constraints(pod, "DoNotSchedule")
    keys = [one.topology_key for one in constraints]
    for one in constraints:
        if one.topology_key not in node.labels:
            return False
        counts = _pods_by_place(pod, one, keys, world)
        least = min(counts.values()) if len(counts) >= (one.min_domains or 1) else 0
        own = int(_counts_for(pod, one, pod))
        if counts.get(node.labels[one.topology_key], 0) + own - least > one.max_skew:
            return False
    return True


# --- priorities ---------------------------------------------------------------------------------------------------


def score(pod: Pod, world: World) -> dict[str, Scores]:
    """Points by priority and host, for the feasible hosts."""
    nodes = feasible(pod, world)
    points = {
        "LeastRequestedPriority": {node.name: _least_requested(pod, node, world) for node in nodes},
        "BalancedResourceAllocation": {node.name: _balanced(pod, node, world) for node in nodes},
        "SelectorSpreadPriority": _selector_spread(pod, nodes, world),
        "InterPodAffinityPriority": _inter_pod_affinity(pod, nodes, world),
        "TopologySpreadPriority": _topology_spread(pod, nodes, world),
        "ImageLocalityPriority": {node.name: _image_locality(pod, node, world) for node in nodes},
        "NodeAffinityPriority": _scaled({node.name: _preferred_labels(pod, node) for node in nodes}),
        "TaintTolerationPriority": _scaled({node.name: _soft_taints(pod, node) for node in nodes}, reverse=True),
        "MostRequestedPriority": {node.name: _most_requested(pod, node, world) for node in nodes},
    }
    return {name: points[name] for name in _weights(pod)}


def _weights(pod: Pod) -> Mapping[str, int]:
    return WEIGHTS_OF.get(pod.spec.scheduler_name, WEIGHTS)


def total(pod: Pod, world: World) -> Scores:
    points = score(pod, world)
    return {
        node.name: sum(_weights(pod)[name] * scores[node.name] for name, scores in points.items())
        for node in feasible(pod, world)
    }


def choose(pod: Pod, world: World, *, seed: int) -> str | None:
    """The best host; ties go to the greatest hash of seed and name."""
    totals = total(pod, world)
    return max(totals, key=lambda name: (totals[name], tie(name, seed)), default=None)


def tie(host: str, seed: int) -> int:
    digest = hashlib.blake2b(f"{seed}\0{host}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 24


def _scaled(raw: Mapping[str, int], *, reverse: bool = False) -> Scores:
    greatest = max(raw.values(), default=0)
    points = {name: number * 100 // greatest if greatest else 0 for name, number in raw.items()}
    return {name: 100 - number for name, number in points.items()} if reverse else points


def _least_requested(pod: Pod, node: Node, world: World) -> int:
    points = []
    for name in ("cpu", "memory"):
        capacity = _allocatable(node, name)
        if capacity:
            taken = sum(assumed_requests(one.spec)[name] for one in (*world.on(node), pod))
            points.append((capacity - taken) * 100 // capacity if taken <= capacity else 0)
    return sum(points) // len(points) if points else 0


def _most_requested(pod: Pod, node: Node, world: World) -> int:
    points = []
    for name in ("cpu", "memory"):
        capacity = _allocatable(node, name)
        if capacity:
            taken = sum(assumed_requests(one.spec)[name] for one in (*world.on(node), pod))
            points.append(min(taken, capacity) * 100 // capacity)
    return sum(points) // len(points) if points else 0


def _balanced(pod: Pod, node: Node, world: World) -> int:
    wanted = whole_requests(pod.spec)
    if not wanted.get("cpu") and not wanted.get("memory"):
        return 0

    def evenness(extra: Mapping[str, int]) -> int:
        fractions = []
        for name in ("cpu", "memory"):
            capacity = _allocatable(node, name)
            if capacity:
                fractions.append(min(1.0, (_requested(node, name, world) + extra.get(name, 0)) / capacity))
        deviation = abs((fractions[0] - fractions[1]) / 2) if len(fractions) == 2 else 0.0
        return int((1 - deviation) * 100)

    return 50 + (50 + evenness(wanted) - evenness({})) // 2


def _selector_spread(pod: Pod, nodes: list[Node], world: World) -> Scores:
    parts: list[LabelSelector] = [
        LabelSelector(match_labels=selector)
        for namespace, selector in world.services
        if namespace == pod.namespace and selector and labels_match(selector, pod.labels)
    ]
    owner = controller_of(pod)
    if owner is not None and owner.kind in ("ReplicaSet", "StatefulSet"):
        parts.append(LabelSelector(match_labels=pod.labels))
    if pod.spec.topology_spread_constraints or not any(part.match_labels for part in parts):
        return dict.fromkeys((node.name for node in nodes), 0)
    on_host = {
        node.name: sum(
            other.namespace == pod.namespace
            and not other.is_terminating
            and all(selector_matches(part, other.labels) for part in parts)
            for other in world.on(node)
        )
        for node in nodes
    }
    zone_of = {node.name: (node.labels.get(REGION, ""), node.labels.get(ZONE, "")) for node in nodes}
    in_zone: Counter[tuple[str, str]] = Counter()
    for name, number in on_host.items():
        if any(zone_of[name]):
            in_zone[zone_of[name]] += number
    most = max(on_host.values(), default=0)
    most_in_zone = max(in_zone.values(), default=0)
    points = {}
    for name, number in on_host.items():
        points[name] = 100 * ((most - number) / most) if most else 100.0
        if any(zone_of[name]):
            by_zone = 100 * ((most_in_zone - in_zone[zone_of[name]]) / most_in_zone) if most_in_zone else 100.0
            points[name] = points[name] * (1.0 - 2.0 / 3.0) + 2.0 / 3.0 * by_zone
    return {name: int(number) for name, number in points.items()}


def _wishes(pod: Pod) -> list[tuple[int, PodAffinityTerm]]:
    affinity = pod.spec.affinity
    together = affinity.pod_affinity if affinity else None
    apart = affinity.pod_anti_affinity if affinity else None
    return [
        *(
            (one.weight, one.pod_affinity_term)
            for one in (together.preferred_during_scheduling_ignored_during_execution if together else ())
        ),
        *(
            (-one.weight, one.pod_affinity_term)
            for one in (apart.preferred_during_scheduling_ignored_during_execution if apart else ())
        ),
    ]


def _inter_pod_affinity(pod: Pod, nodes: list[Node], world: World) -> Scores:
    raw = dict.fromkeys((node.name for node in nodes), 0)
    for other in world.pods:
        place = world.node_of(other)
        if place is None:
            continue
        found = [(weight, term) for weight, term in _wishes(pod) if _term_matches(pod, term, other, world)]
        found += [(weight, term) for weight, term in _wishes(other) if _term_matches(other, term, pod, world)]
        found += [(1, term) for term in _required(other, "pod_affinity") if _term_matches(other, term, pod, world)]
        for weight, term in found:
            for node in nodes:
                if _same_place(node, place, term.topology_key):
                    raw[node.name] += weight
    least, most = min(raw.values(), default=0), max(raw.values(), default=0)
    if least == most:
        return dict.fromkeys(raw, 0)
    return {name: int(100 * ((number - least) / (most - least))) for name, number in raw.items()}


def _topology_spread(pod: Pod, nodes: list[Node], world: World) -> Scores:
    constraints = _constraints(pod, "ScheduleAnyway")
    keys = [one.topology_key for one in constraints]
    if not constraints:
        return dict.fromkeys((node.name for node in nodes), 0)
    counted = [node for node in nodes if all(key in node.labels for key in keys)]
    costs = dict.fromkeys((node.name for node in counted), 0.0)
    for one in constraints:
        places = len({node.labels[one.topology_key] for node in counted})
        by_place = _pods_by_place(pod, one, keys, world)
        if one.topology_key == HOSTNAME:
            places = len(counted)
        for node in counted:
            number = by_place.get(node.labels[one.topology_key], 0)
            if one.topology_key == HOSTNAME:
                number = _peers_on(pod, one, node, world)
            costs[node.name] += number * math.log(places + 2) + (one.max_skew - 1)
    rounded = {name: math.floor(cost + 0.5) for name, cost in costs.items()}
    least, most = min(rounded.values(), default=0), max(rounded.values(), default=0)
    points = {name: 100 * (most + least - cost) // most if most else 100 for name, cost in rounded.items()}
    return {node.name: points.get(node.name, 0) for node in nodes}


def _image_locality(pod: Pod, node: Node, world: World) -> int:
    def sizes(one: Node) -> dict[str, int]:
        return {name: image.size_bytes for image in one.status.images for name in image.names}

    containers = [*pod.spec.init_containers, *pod.spec.containers]
    present = 0
    for container in containers:
        name = container.image if ":" in container.image else f"{container.image}:latest"
        holders = sum(name in sizes(one) for one in world.nodes)
        present += int(float(sizes(node).get(name, 0)) * (holders / len(world.nodes)))
    most = 1000 * MIB * max(1, len(containers))
    return (min(max(present, 23 * MIB), most) - 23 * MIB) * 100 // (most - 23 * MIB)


def _preferred_labels(pod: Pod, node: Node) -> int:
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    wishes = affinity.preferred_during_scheduling_ignored_during_execution if affinity else ()
    return sum(wish.weight for wish in wishes if node_term_matches(wish.preference, labels=node.labels, name=node.name))


def _soft_taints(pod: Pod, node: Node) -> int:
    heeded = [one for one in _tolerations(pod) if one.effect in ("", "PreferNoSchedule")]
    return sum(
        taint.effect == "PreferNoSchedule" and not any(tolerates(one, taint) for one in heeded)
        for taint in node.spec.taints
    )
