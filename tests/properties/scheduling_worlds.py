"""Random small clusters and pods for the scheduler's properties: few names, so that rules meet often.

Drawn from a seeded `random.Random` and not value by value from hypothesis, whose liking for empty and equal values
makes worlds in which nothing competes. `theme` says which rules a world is mostly about.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from objects.api.core import (
    ContainerImage,
    Node,
    NodeSpec,
    NodeStatus,
    Taint,
)
from objects.api.meta import (
    Condition,
    LabelSelector,
    LabelSelectorRequirement,
    ObjectMeta,
    OwnerReference,
)
from objects.api.pods import (
    Affinity,
    Container,
    ContainerPort,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    PodSpec,
    PreferredSchedulingTerm,
    ResourceRequirements,
    Toleration,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)

T = TypeVar("T")
THEMES = ("amounts", "spread", "pod affinity", "hosts", "storage")
LABELS = {"app": ("web", "db"), "tier": ("front", "back"), "v": ("1", "2")}
HOST_LABELS = {"topology.kubernetes.io/zone": ("z1", "z2", "z3"), "disk": ("ssd", "hdd"), "cores": ("4", "8", "16")}
KEYS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/zone", "kubernetes.io/hostname", "disk", "rack")
NAMESPACES = ("default", "other")
IMAGES = ("small", "big:1", "huge:2")
MIB = 1024 * 1024
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Worlds:
    """Draws the parts of a world. Every method gives one random thing."""

    def __init__(self, source: random.Random, theme: str) -> None:
        self.random = source
        self.theme = theme

    def happens(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def one(self, *choices: T) -> T:
        return self.random.choice(choices)

    def some(self, make: Callable[[], T], most: int, *, least: int = 0) -> tuple[T, ...]:
        return tuple(make() for _ in range(self.random.randint(least, most)))

    def labels(self, choices: dict[str, tuple[str, ...]], percent: int) -> dict[str, str]:
        return {key: self.one(*values) for key, values in choices.items() if self.happens(percent)}

    # --- hosts ----------------------------------------------------------------------------------------------------

    def host(self, name: str) -> Node:
        """Outside `amounts` every host is large, so that the theme's rules decide."""
        labels = self.labels(HOST_LABELS, 85)
        if self.happens(85):
            labels["kubernetes.io/hostname"] = name
        if self.happens(40):
            labels["topology.kubernetes.io/region"] = self.one("r1", "r2")
        amounts: dict[str, Any] = {"cpu": 8, "memory": "9Gi", "pods": 20}
        if self.theme == "amounts":
            amounts = {
                "cpu": self.one("0", "500m", "1", "2", "4"),
                "memory": self.one("0", "512Mi", "1Gi", "3Gi"),
                "pods": self.one(1, 3, 10, 10, 10),
                "ephemeral-storage": self.one("1Gi", "4Gi"),
                **({"example.com/gpu": self.one(1, 2)} if self.happens(50) else {}),
            }
        if self.theme == "storage" and self.happens(70):
            amounts["attachable-volumes-aws-ebs"] = self.one(1, 2)
        return Node(
            metadata=ObjectMeta(name=name, labels=labels),
            spec=NodeSpec(
                taints=self.some(self._taint, 2) if self.happens(40 if self.theme == "hosts" else 15) else (),
                unschedulable=self.happens(5),
            ),
            status=NodeStatus(
                allocatable=amounts,
                images=tuple(
                    ContainerImage(names=(name,), size_bytes=self.one(10, 300, 2000) * MIB)
                    for name in ("small:latest", "big:1", "huge:2")
                    if self.happens(40)
                ),
                conditions=self.some(self._condition, 1) if self.happens(10) else (),
            ),
        )

    def _taint(self) -> Taint:
        effect = self.one("NoSchedule", "PreferNoSchedule", "PreferNoSchedule", "NoExecute")
        return Taint(key=self.one("gpu", "old"), value=self.one("", "yes"), effect=effect)

    def _condition(self) -> Condition:
        return Condition(
            type=self.one("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"),
            status=self.one("True", "False", "Unknown"),
        )

    # --- pods -----------------------------------------------------------------------------------------------------

    def template(self) -> Pod:
        """A pod without a name of its own."""
        owner = OwnerReference(kind="ReplicaSet", name="web-1", uid="o1", controller=True)
        metadata = ObjectMeta(
            namespace=self.one("default", *NAMESPACES),
            labels=self.labels(LABELS, 80),
            owner_references=(owner,) if self.happens(40) else (),
        )
        return Pod(metadata=metadata, spec=self._spec())

    def _spec(self) -> PodSpec:
        spec = PodSpec(
            containers=(Container(name="c", image=self.one(*IMAGES)),),
            tolerations=self.some(self._toleration, 2) if self.happens(50) else (),
            scheduler_name=self.one("", "", "packer"),
        )
        match self.theme:
            case "spread":
                node_affinity = self._node_affinity(required=60) if self.happens(50) else None
                return msgspec.structs.replace(
                    spec,
                    topology_spread_constraints=self.some(self._constraint, 2, least=1),
                    affinity=Affinity(node_affinity=node_affinity),
                )
            case "pod affinity":
                return msgspec.structs.replace(spec, affinity=self._pod_affinity(2))
            case "hosts":
                return msgspec.structs.replace(
                    spec,
                    node_selector={"disk": self.one("ssd", "hdd")} if self.happens(30) else {},
                    affinity=Affinity(node_affinity=self._node_affinity(required=40)),
                )
        return msgspec.structs.replace(
            spec,
            containers=self.some(self._container, 2, least=1),
            init_containers=self.some(self._container, 2) if self.happens(30) else (),
            affinity=self._pod_affinity(1) if self.happens(20) else None,
            topology_spread_constraints=self.some(self._constraint, 2) if self.happens(20) else (),
        )

    def _toleration(self) -> Toleration:
        return Toleration(
            key=self.one("gpu", "old", "node.kubernetes.io/not-ready"),
            operator=self.one("", "Equal", "Exists"),
            value=self.one("", "yes"),
            effect=self.one("", "NoSchedule", "PreferNoSchedule"),
        )

    def _container(self) -> Container:
        requests: dict[str, Any] = {}
        if self.happens(70):
            requests["cpu"] = self.one("0", "100m", "300m", "1")
        if self.happens(70):
            requests["memory"] = self.one("100Mi", "200Mi", "1Gi")
        if self.happens(20):
            requests["ephemeral-storage"] = self.one("500Mi", "2Gi")
        if self.happens(15):
            requests["example.com/gpu"] = 1
        return Container(
            name="c",
            image=self.one(*IMAGES),
            restart_policy=self.one(None, "Always"),
            resources=ResourceRequirements(requests=requests),
            ports=self.some(self._port, 2) if self.happens(25) else (),
        )

    def _port(self) -> ContainerPort:
        return ContainerPort(
            container_port=80,
            host_port=self.one(0, 80, 81),
            protocol=self.one("", "TCP", "UDP"),
            host_ip=self.one("", "127.0.0.1", "10.0.0.1"),
        )

    # --- who wants to be where ------------------------------------------------------------------------------------

    def _selector(self) -> LabelSelector:
        if self.happens(60):
            return LabelSelector(match_labels=self.labels(LABELS, 40))
        values = self.one(("web",), ("web", "db"), ("front", "1"))
        requirement = LabelSelectorRequirement(key=self.one(*LABELS), operator=self.one("In", "NotIn"), values=values)
        return LabelSelector(match_expressions=(requirement,))

    def _term(self) -> PodAffinityTerm:
        return PodAffinityTerm(
            topology_key=self.one(*KEYS),
            label_selector=self._selector() if self.happens(90) else None,
            namespaces=self.some(lambda: self.one(*NAMESPACES), 2) if self.happens(20) else (),
            namespace_selector=self.one(LabelSelector(), LabelSelector(match_labels={"team": "a"}))
            if self.happens(20)
            else None,
            match_label_keys=("v",) if self.happens(15) else (),
            mismatch_label_keys=("tier",) if self.happens(15) else (),
        )

    def _wish(self) -> WeightedPodAffinityTerm:
        return WeightedPodAffinityTerm(weight=self.random.randint(1, 100), pod_affinity_term=self._term())

    def _pod_affinity(self, most_required: int) -> Affinity:
        together = PodAffinity(
            required_during_scheduling_ignored_during_execution=self.some(self._term, most_required),
            preferred_during_scheduling_ignored_during_execution=self.some(self._wish, 2),
        )
        apart = PodAntiAffinity(
            required_during_scheduling_ignored_during_execution=self.some(self._term, most_required),
            preferred_during_scheduling_ignored_during_execution=self.some(self._wish, 2),
        )
        return Affinity(
            pod_affinity=together if self.happens(60) else None, pod_anti_affinity=apart if self.happens(60) else None
        )

    def _host_requirement(self) -> NodeSelectorRequirement:
        key, operator, values = self.one(
            ("disk", "In", ("ssd",)),
            ("disk", "NotIn", ("hdd", "tape")),
            ("topology.kubernetes.io/zone", "In", ("z1", "z2")),
            ("disk", "Exists", ()),
            ("disk", "DoesNotExist", ()),
            ("cores", "Gt", ("8",)),
            ("cores", "Lt", ("8",)),
        )
        return NodeSelectorRequirement(key=key, operator=operator, values=values)

    def _host_term(self) -> NodeSelectorTerm:
        named = NodeSelectorRequirement(key="metadata.name", operator=self.one("In", "NotIn"), values=("n1",))
        return NodeSelectorTerm(
            match_expressions=self.some(self._host_requirement, 2), match_fields=(named,) if self.happens(15) else ()
        )

    def _node_affinity(self, *, required: int) -> NodeAffinity:
        terms = NodeSelector(node_selector_terms=self.some(self._host_term, 2, least=1))
        return NodeAffinity(
            required_during_scheduling_ignored_during_execution=terms if self.happens(required) else None,
            preferred_during_scheduling_ignored_during_execution=self.some(self._preferred_hosts, 2),
        )

    def _preferred_hosts(self) -> PreferredSchedulingTerm:
        return PreferredSchedulingTerm(weight=self.random.randint(1, 100), preference=self._host_term())

    def _constraint(self) -> TopologySpreadConstraint:
        return TopologySpreadConstraint(
            max_skew=self.random.randint(1, 3),
            topology_key=self.one(*KEYS[:4]),
            when_unsatisfiable=self.one("DoNotSchedule", "ScheduleAnyway"),
            label_selector=self._selector() if self.happens(95) else None,
            min_domains=self.one(2, 4) if self.happens(15) else None,
            node_affinity_policy=self.one(None, "Honor", "Ignore"),
            node_taints_policy=self.one(None, "Honor", "Ignore"),
            match_label_keys=("v",) if self.happens(15) else (),
        )


def named(template: Pod, name: str, *, node_name: str = "", terminating: bool = False) -> Pod:
    """A pod of a template."""
    metadata = msgspec.structs.replace(
        template.metadata,
        name=name,
        uid=f"uid-{name}",
        creation_timestamp=EPOCH,
        deletion_timestamp=EPOCH if terminating else None,
    )
    spec = msgspec.structs.replace(template.spec, node_name=node_name)
    return msgspec.structs.replace(template, metadata=metadata, spec=spec)
