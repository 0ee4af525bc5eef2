"""Profiles, plug-ins, the documentation of rules, and what priorities give in small clusters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from objects.api.core import ContainerImage, Node
from objects.api.meta import (
    LabelSelector,
    ObjectKey,
    ObjectMeta,
    OwnerReference,
)
from objects.api.pods import (
    Affinity,
    NodeAffinity,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PreferredSchedulingTerm,
    TopologySpreadConstraint,
    WeightedPodAffinityTerm,
)
from objects.errors import InvalidInput
from objects.own.config import PluginWeight, SchedulerProfile
from policies.scheduling.explain import HostVerdict, explain
from policies.scheduling.profiles import Rules, built_in_predicates, built_in_priorities, default_profile, make_profiles
from policies.scheduling.scheduler import schedule
from tests.unit.policies.scheduling.cluster import cluster, host, place, pod, where

PAGE = (Path(__file__).parents[4] / "docs" / "scheduling.md").read_text(encoding="utf-8")


# --- the page -----------------------------------------------------------------------------------------------------


def _rows(title: str) -> list[list[str]]:
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| `")
    ]


def test_page_lists_every_predicate_in_its_order() -> None:
    assert [row[0].strip("`") for row in _rows("Predicates")] == [rule.name for rule in built_in_predicates()]


def test_page_lists_every_priority_with_its_weight() -> None:
    listed = {row[0].strip("`"): int(row[1]) for row in _rows("Priorities")}
    assert listed == {rule.name: rule.weight for rule in built_in_priorities()}


def _plugins_of_the_page() -> Rules:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/scheduling.md", "exec"), names)
    return Rules().with_plugins([names["EvenHosts"]()], [names["LongNames"]()])


def test_example_of_the_page_works() -> None:
    profiles = make_profiles((), _plugins_of_the_page())
    snapshot = cluster(host("host-1", cpu="16"), host("host-22", cpu="1"), host("h-4"))
    placements = schedule([pod("p"), pod("q", requests={"cpu": "8"})], snapshot, profiles, seed=0)
    assert [where(one) for one in placements] == [
        "host-22",
        "0/3 hosts fit: 2 insufficient cpu (short by at least 4), 1 not an even host",
    ]
    points = {one.host: one.priorities[-1].points for one in explain(pod("r"), snapshot, profiles["default-scheduler"])}
    assert points == {"host-22": 100, "h-4": 42, "host-1": 85}


def test_plugin_must_not_take_a_name() -> None:
    with pytest.raises(InvalidInput, match=r"scheduling rule PodFitsHost exists twice: rename the plug-in's"):
        Rules().with_plugins(built_in_predicates()[1:2], [])


# --- profiles -----------------------------------------------------------------------------------------------------


def test_second_profile_places_its_pods_by_its_own_rules() -> None:
    packer = SchedulerProfile(
        name="packer",
        priorities=(PluginWeight(name="MostRequestedPriority", weight=5),),
        disabled_priorities=("LeastRequestedPriority", "BalancedResourceAllocation"),
        disabled_predicates=("PodToleratesNodeTaints",),
    )
    objects = (
        host("busy", taints=("gpu=true:NoSchedule",)),
        host("idle"),
        pod("x", on="busy", requests={"cpu": "3", "memory": "4Gi"}),
    )
    wanted = [pod("spread"), pod("packed", scheduler_name="packer")]
    placed = schedule(wanted, cluster(*objects), make_profiles([packer]), seed=1)
    assert {one.uid: one.node for one in placed} == {"uid-spread": "idle", "uid-packed": "busy"}


WRONG = [
    pytest.param(
        SchedulerProfile(name="p", disabled_predicates=("PodFitsResource",)),
        "disabled predicate of profile p 'PodFitsResource' does not exist",
        id="unknown-predicate",
    ),
    pytest.param(
        SchedulerProfile(name="p", priorities=(PluginWeight(name="Least"),)),
        "priority of profile p 'Least' does not exist",
        id="unknown-priority",
    ),
    pytest.param(
        SchedulerProfile(name="p", priorities=(PluginWeight(name="MostRequestedPriority", weight=-1),)),
        "priority MostRequestedPriority of profile p has weight -1: 0 or more",
        id="negative-weight",
    ),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_wrong_profile(settings: SchedulerProfile, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        make_profiles([settings])
    assert raised.value.message == message


def test_profile_named_twice() -> None:
    with pytest.raises(InvalidInput, match="scheduler profile 'a' exists twice"):
        make_profiles([SchedulerProfile(name="a"), SchedulerProfile(name="a")])


# --- priorities ---------------------------------------------------------------------------------------------------

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
WEB = LabelSelector(match_labels={"app": "web"})
OWNER = (OwnerReference(kind="ReplicaSet", name="web", uid="1", controller=True),)
MIB = 1024 * 1024


def _owned(name: str, on: str = "") -> Pod:
    made = pod(name, on=on, labels={"app": "web"})
    metadata = ObjectMeta(name=name, namespace="default", uid=made.uid, labels={"app": "web"}, owner_references=OWNER)
    return Pod(metadata=metadata, spec=made.spec)


def _image(name: str, mebibytes: int) -> ContainerImage:
    return ContainerImage(names=(name,), size_bytes=mebibytes * MIB)


def _likes_ssd(weight: int) -> PreferredSchedulingTerm:
    requirement = NodeSelectorRequirement(key="disk", operator="In", values=("ssd",))
    return PreferredSchedulingTerm(weight=weight, preference=NodeSelectorTerm(match_expressions=(requirement,)))


def _soft(key: str) -> TopologySpreadConstraint:
    return TopologySpreadConstraint(
        max_skew=1, topology_key=key, when_unsatisfiable="ScheduleAnyway", label_selector=WEB
    )


BESIDE_WEB = Affinity(
    pod_affinity=PodAffinity(
        preferred_during_scheduling_ignored_during_execution=(
            WeightedPodAffinityTerm(
                weight=10, pod_affinity_term=PodAffinityTerm(topology_key=ZONE, label_selector=WEB)
            ),
        )
    )
)
SSD = Affinity(node_affinity=NodeAffinity(preferred_during_scheduling_ignored_during_execution=(_likes_ssd(5),)))

POINTS = [
    pytest.param(
        "LeastRequestedPriority",
        (host("a", cpu="4", memory="8Gi"), host("b", cpu="8", memory="8Gi")),
        pod("p", requests={"cpu": "2", "memory": "4Gi"}),
        {"a": 50, "b": 62},
        id="least-requested",
    ),
    pytest.param(
        "BalancedResourceAllocation",
        (host("a", cpu="4", memory="8Gi"), host("b", cpu="4", memory="16Gi")),
        pod("p", requests={"cpu": "2", "memory": "4Gi"}),
        {"a": 75, "b": 68},
        id="balanced",
    ),
    pytest.param(
        "SelectorSpreadPriority",
        (host("a"), host("b"), host("c"), _owned("x", "a"), _owned("y", "a"), _owned("z", "b")),
        _owned("p"),
        {"a": 0, "b": 50, "c": 100},
        id="selector-spread-over-hosts",
    ),
    pytest.param(
        "SelectorSpreadPriority",
        (host("a", labels={ZONE: "1"}), host("b", labels={ZONE: "1"}), host("c", labels={ZONE: "2"}), _owned("x", "a")),
        _owned("p"),
        {"a": 0, "b": 33, "c": 100},
        id="selector-spread-over-zones",
    ),
    pytest.param(
        "ImageLocalityPriority",
        (host("a", images=(_image("app:latest", 500),)), host("b")),
        pod("p", image="app"),
        {"a": 23, "b": 0},
        id="image-on-half-of-the-hosts",
    ),
    pytest.param(
        "NodeAffinityPriority",
        (host("a", labels={"disk": "ssd"}), host("b")),
        pod("p", affinity=SSD),
        {"a": 100, "b": 0},
        id="preferred-label",
    ),
    pytest.param(
        "TaintTolerationPriority",
        (
            host("a", taints=("x=1:PreferNoSchedule",)),
            host("b"),
            host("c", taints=("x=1:PreferNoSchedule", "y=1:PreferNoSchedule")),
        ),
        pod("p"),
        {"a": 50, "b": 100, "c": 0},
        id="preferred-taints",
    ),
    pytest.param(
        "InterPodAffinityPriority",
        (host("a", labels={ZONE: "1"}), host("b", labels={ZONE: "1"}), host("c", labels={ZONE: "2"}), _owned("x", "a")),
        pod("p", affinity=BESIDE_WEB),
        {"a": 100, "b": 100, "c": 0},
        id="preferred-pods",
    ),
    pytest.param(
        "TopologySpreadPriority",
        (host("a", labels={HOSTNAME: "a"}), host("b", labels={HOSTNAME: "b"}), host("c"), _owned("x", "a")),
        pod("p", labels={"app": "web"}, topology_spread_constraints=(_soft(HOSTNAME),)),
        {"a": 0, "b": 100, "c": 0},
        id="soft-spread-and-a-host-without-the-label",
    ),
]


@pytest.mark.parametrize(("priority", "objects", "wanted", "points"), POINTS)
def test_points(priority: str, objects: tuple[Node | Pod, ...], wanted: Pod, points: dict[str, int]) -> None:
    verdicts = explain(wanted, cluster(*objects), default_profile())
    assert {v.host: p.points for v in verdicts for p in v.priorities if p.name == priority} == points


def test_service_spreads_pods_without_a_controller() -> None:
    snapshot = cluster(host("a"), host("b"), pod("x", on="a", labels={"app": "web"}))
    wanted = pod("p", labels={"app": "web"})
    before = [one.total for one in explain(wanted, snapshot, default_profile())]
    snapshot.set_workload(ObjectKey("Service", "default", "web"), WEB)
    after = explain(wanted, snapshot, default_profile())
    assert len({*before}) == 2
    assert [(one.host, {p.name: p.points for p in one.priorities}["SelectorSpreadPriority"]) for one in after] == [
        ("b", 100),
        ("a", 0),
    ]


# --- explain ------------------------------------------------------------------------------------------------------


def _short(verdict: HostVerdict) -> tuple[str, int, list[tuple[str, str]]]:
    return verdict.host, verdict.rank, [(name, why) for name, why in verdict.predicates if why]


def test_explain_names_every_failing_predicate() -> None:
    snapshot = cluster(
        host("a", cpu="1", unschedulable=True), host("b"), pod("x", on="b", requests={"cpu": "1"}), host("c")
    )
    found = explain(pod("p", requests={"cpu": "2"}), snapshot, default_profile())
    assert [_short(one) for one in found] == [
        ("c", 1, []),
        ("b", 2, []),
        ("a", 0, [("CheckNodeUnschedulable", "cordoned"), ("PodFitsResources", "insufficient cpu (short by 1)")]),
    ]
    assert [_short(one) for one in explain(pod("p"), snapshot, default_profile(), "b")] == [("b", 2, [])]


def test_explain_judges_a_running_pod_as_if_it_did_not_run() -> None:
    running = pod("x", on="a", requests={"cpu": "4"})
    snapshot = cluster(host("a"), running)
    before = snapshot.requested.copy()
    (verdict,) = explain(running, snapshot, default_profile())
    assert verdict.fits
    assert (snapshot.requested == before).all()


# --- ties ---------------------------------------------------------------------------------------------------------


def test_ties_do_not_depend_on_the_order_of_arrival() -> None:
    names = [f"h{number}" for number in range(8)]
    there = [place(cluster(*(host(name) for name in order)), pod("p"), seed=3) for order in (names, names[::-1])]
    assert there[0] == there[1]


def test_seed_decides_ties() -> None:
    hosts = [host(f"h{number}") for number in range(8)]
    assert len({where(place(cluster(*hosts), pod("p"), seed=seed)[0]) for seed in range(20)}) > 3


# --- queue order --------------------------------------------------------------------------------------------------


def test_more_important_pods_go_first() -> None:
    wanted = [
        pod("b", requests={"cpu": "1"}),
        pod("a", requests={"cpu": "1"}),
        pod("vip", requests={"cpu": "1"}, priority=5),
    ]
    placed = place(cluster(host("h", cpu="2")), *wanted)
    assert [(one.uid, one.node) for one in placed] == [("uid-vip", "h"), ("uid-a", "h"), ("uid-b", None)]
