"""The scheduler against its plain reference: the same feasible hosts, the same scores, the same decisions, always."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from objects.api.core import Node
from objects.api.meta import LabelSelector, ObjectKey
from objects.api.pods import Pod
from objects.api.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from objects.own.config import PluginWeight, SchedulerProfile
from policies.scheduling.explain import explain
from policies.scheduling.profiles import make_profiles
from policies.scheduling.scheduler import Scheduler
from policies.scheduling.state.snapshot import Snapshot
from tests.properties import reference_scheduler as reference
from tests.properties.reference_scheduler import World
from tests.properties.scheduling_worlds import LABELS, NAMESPACES, THEMES, Worlds, named
from tests.properties.storage_worlds import CLAIMS, VOLUMES, claim, classes, mounts, volume

SEED = 7
STEPS = (*("place",) * 9, "remove pod", "remove pod", "change host", "remove host", "end pod", "change storage")
PROFILES = (
    SchedulerProfile(
        name=reference.PACKER,
        priorities=(PluginWeight(name="MostRequestedPriority", weight=5),),
        disabled_priorities=("LeastRequestedPriority",),
    ),
)


class Both:
    """One world told to both schedulers."""

    def __init__(self) -> None:
        self.world = World()
        self.snapshot = Snapshot()
        self.scheduler = Scheduler(self.snapshot, make_profiles(PROFILES), seed=SEED)
        self._serial = 0

    def next_name(self, prefix: str) -> str:
        self._serial += 1
        return f"{prefix}{self._serial}"

    def set_namespace(self, name: str, labels: dict[str, str]) -> None:
        self.world.namespaces[name] = labels
        self.snapshot.set_namespace(name, labels)

    def add_service(self, namespace: str, selector: dict[str, str]) -> None:
        self.world.services.append((namespace, selector))
        key = ObjectKey("Service", namespace, self.next_name("s"))
        self.snapshot.set_workload(key, LabelSelector(match_labels=selector))

    def set_storage(self, *objects: PersistentVolume | PersistentVolumeClaim | StorageClass) -> None:
        storage, known = self.world.storage, self.snapshot.volumes
        for one in objects:
            match one:
                case PersistentVolumeClaim():
                    storage.claims[one.namespace, one.name] = one
                    known.set_claim(one.namespace, one.name, one)
                case PersistentVolume():
                    storage.volumes[one.name] = one
                    known.set_volume(one.name, one)
                case StorageClass():
                    storage.classes[one.name] = one
                    known.set_class(one.name, one)

    def forget_storage(self, namespace: str, name: str) -> None:
        """A claim or, without a namespace, a volume."""
        storage, known = self.world.storage, self.snapshot.volumes
        if namespace and storage.claims.pop((namespace, name), None):
            known.set_claim(namespace, name, None)
        elif not namespace and storage.volumes.pop(name, None):
            known.set_volume(name, None)

    def set_host(self, node: Node) -> None:
        self.world.nodes = [one for one in self.world.nodes if one.name != node.name] + [node]
        self.snapshot.set_node(node)

    def remove_host(self, name: str) -> None:
        self.world.nodes = [one for one in self.world.nodes if one.name != name]
        for pod in [pod for pod in self.world.pods if pod.node_name == name]:
            self.remove_pod(pod)
        self.snapshot.remove_node(name)

    def set_pod(self, pod: Pod) -> None:
        self.world.pods = [one for one in self.world.pods if one.uid != pod.uid] + [pod]
        self.snapshot.add_pod(pod)

    def remove_pod(self, pod: Pod) -> None:
        self.world.pods = [one for one in self.world.pods if one.uid != pod.uid]
        self.snapshot.remove_pod(pod.uid)

    def check_and_place(self, template: Pod) -> None:
        """Both judge and place the next pod of a template."""
        pod = named(template, self.next_name("p"))
        assert judgements_of_ours(self, pod) == judgements_of_reference(self, pod)
        chosen = reference.choose(pod, self.world, seed=SEED)
        (placement,) = self.scheduler.schedule([pod])
        assert placement.node == chosen
        if chosen is not None:
            spec = msgspec.structs.replace(pod.spec, node_name=chosen)
            self.world.pods.append(msgspec.structs.replace(pod, spec=spec))


def judgements_of_ours(both: Both, pod: Pod) -> dict[str, tuple[list[str], dict[str, int]]]:
    """By host: the predicates that it fails, and the points of a host that fails none."""
    profile = both.scheduler.profile_of(pod)
    assert profile is not None
    verdicts = explain(pod, both.snapshot, profile, seed=SEED)
    return {
        one.host: (
            [name for name, reason in one.predicates if reason],
            {points.name: points.points for points in one.priorities} if one.fits else {},
        )
        for one in verdicts
    }


def judgements_of_reference(both: Both, pod: Pod) -> dict[str, tuple[list[str], dict[str, int]]]:
    points = reference.score(pod, both.world)
    found = {}
    for node in both.world.nodes:
        failing = reference.failing(pod, node, both.world)
        scores = {} if failing else {name: by_host[node.name] for name, by_host in points.items()}
        found[node.name] = (failing, scores)
    return found


def start(draw: Worlds) -> tuple[Both, list[Pod]]:
    """A cluster with pods, and the templates of those that come."""
    both = Both()
    for name in NAMESPACES:
        both.set_namespace(name, draw.one({}, {"team": "a"}))
    for _ in range(draw.random.randint(0, 2)):
        both.add_service(draw.one(*NAMESPACES), draw.labels(LABELS, 30))
    for index in range(draw.random.randint(2, 7)):
        both.set_host(draw.host(f"n{index}"))
    kinds = [draw.template() for _ in range(draw.random.randint(1, 3))]
    if draw.theme == "storage":
        both.set_storage(*classes(), *(volume(draw, name) for name in VOLUMES))
        both.set_storage(*(claim(draw, place, name) for place in NAMESPACES for name in CLAIMS[:-1]))
        kinds = [_mounting(one, draw) for one in kinds]
    for _ in range(draw.random.randint(0, 8)):
        host = draw.one(*both.world.nodes).name
        both.set_pod(named(draw.one(*kinds), both.next_name("r"), node_name=host, terminating=draw.happens(20)))
    return both, kinds


def _mounting(template: Pod, draw: Worlds) -> Pod:
    return msgspec.structs.replace(template, spec=msgspec.structs.replace(template.spec, volumes=mounts(draw)))


def change_storage(both: Both, draw: Worlds) -> None:
    namespace, name = draw.one(*NAMESPACES), draw.one(*CLAIMS)
    match draw.one("claim", "claim", "volume", "lost claim", "lost volume"):
        case "claim":
            both.set_storage(claim(draw, namespace, name))
        case "volume":
            both.set_storage(volume(draw, draw.one(*VOLUMES)))
        case "lost claim":
            both.forget_storage(namespace, name)
        case _:
            both.forget_storage("", draw.one(*VOLUMES))


def take_step(both: Both, kinds: list[Pod], draw: Worlds) -> None:
    world, step = both.world, draw.one(*STEPS)
    if step == "change host" or not world.nodes:
        both.set_host(draw.host(f"n{draw.random.randrange(8)}"))
    elif step == "change storage" and draw.theme == "storage":
        change_storage(both, draw)
    elif step == "remove host":
        both.remove_host(draw.one(*world.nodes).name)
    elif step in ("remove pod", "end pod") and world.pods:
        pod = draw.one(*world.pods)
        if step == "remove pod":
            both.remove_pod(pod)
        else:
            both.set_pod(named(pod, pod.name, node_name=pod.node_name, terminating=True))
    else:
        both.check_and_place(draw.one(*kinds))


@pytest.mark.parametrize("theme", THEMES)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_same_hosts_same_scores_same_decisions(theme: str, seed: int) -> None:
    draw = Worlds(random.Random(seed), theme)
    both, kinds = start(draw)
    for _ in range(14):
        take_step(both, kinds, draw)
