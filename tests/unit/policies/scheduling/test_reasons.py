"""Why a pod fits nowhere, in the words that `berth describe` shows."""

from __future__ import annotations

import pytest

from objects.core import Node
from objects.meta import Condition
from objects.pods import (
    Affinity,
    Container,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodSchedulingGate,
    ResourceRequirements,
    Toleration,
)
from tests.unit.policies.scheduling.cluster import cluster, host, place, pod, where


def _node_affinity(*requirements: NodeSelectorRequirement) -> Affinity:
    terms = tuple(NodeSelectorTerm(match_expressions=(one,)) for one in requirements)
    return Affinity(
        node_affinity=NodeAffinity(
            required_during_scheduling_ignored_during_execution=NodeSelector(node_selector_terms=terms)
        )
    )


ONE_REASON = [
    pytest.param((), pod("p"), "0/0 hosts fit: the cluster has no hosts", id="no-hosts"),
    pytest.param(
        (host("a", memory="1Gi"), host("b", memory="700Mi")),
        pod("p", requests={"memory": "1300Mi"}),
        "0/2 hosts fit: 2 insufficient memory (short by at least 276Mi)",
        id="memory-nearest-host",
    ),
    pytest.param(
        (host("a", cpu="1", memory="1Gi"),),
        pod("p", requests={"cpu": "1500m", "memory": "2Gi"}),
        "0/1 hosts fit: 1 insufficient cpu (short by 500m), 1 insufficient memory (short by 1Gi)",
        id="two-resources-of-one-host",
    ),
    pytest.param(
        (host("a", pods=1), pod("x", on="a")),
        pod("p"),
        "0/1 hosts fit: 1 too many pods (short by 1)",
        id="pod-count",
    ),
    pytest.param(
        (host("a"),),
        pod("p", requests={"nvidia.com/gpu": "2"}),
        "0/1 hosts fit: 1 insufficient nvidia.com/gpu (short by 2)",
        id="extended-resource-nowhere",
    ),
    pytest.param(
        (host("a"), pod("nginx", on="a", namespace="other", ports=(8080,))),
        pod("p", ports=(8080,)),
        "0/1 hosts fit: 1 host port 8080 taken by other/nginx",
        id="host-port",
    ),
    pytest.param(
        (host("a", taints=("gpu=true:NoSchedule",)), host("b", taints=("gpu=true:NoExecute",))),
        pod("p"),
        "0/2 hosts fit: 2 taint gpu=true",
        id="taints",
    ),
    pytest.param((host("a", unschedulable=True),), pod("p"), "0/1 hosts fit: 1 cordoned", id="cordon"),
    pytest.param(
        (host("a", labels={"disk": "hdd"}),),
        pod("p", node_selector={"disk": "ssd"}),
        "0/1 hosts fit: 1 without label disk=ssd",
        id="node-selector",
    ),
    pytest.param(
        (host("a"),),
        pod("p", affinity=_node_affinity(NodeSelectorRequirement(key="cores", operator="Gt", values=("8",)))),
        "0/1 hosts fit: 1 without label cores Gt 8",
        id="node-affinity",
    ),
    pytest.param(
        (host("a", conditions=(Condition(type="Ready", status="Unknown"),)),),
        pod("p"),
        "0/1 hosts fit: 1 unreachable",
        id="unreachable",
    ),
    pytest.param(
        (host("a", conditions=(Condition(type="MemoryPressure", status="True"),)),),
        pod("p"),
        "0/1 hosts fit: 1 under memory pressure",
        id="memory-pressure-best-effort",
    ),
    pytest.param(
        (host("a"),),
        pod("p", scheduling_gates=(PodSchedulingGate(name="quota"), PodSchedulingGate(name="dns"))),
        "waits for scheduling gates: quota, dns",
        id="gates",
    ),
    pytest.param(
        (host("a"),),
        pod("p", scheduler_name="mine"),
        "no scheduler is named 'mine' (known: default-scheduler)",
        id="unknown-scheduler",
    ),
    pytest.param(
        (host("a"),),
        pod("p", annotations={"scheduler.alpha.kubernetes.io/name": "my-scheduler"}),
        "no scheduler is named 'my-scheduler' (known: default-scheduler)",
        id="unknown-scheduler-by-old-annotation",
    ),
]


@pytest.mark.parametrize(("objects", "wanted", "message"), ONE_REASON)
def test_message_says_why_nothing_fits(objects: tuple[Node | Pod, ...], wanted: Pod, message: str) -> None:
    assert [where(one) for one in place(cluster(*objects), wanted)] == [message]


FITS = [
    pytest.param((host("a", memory="1Gi"),), pod("p", requests={"memory": "1Gi"}), id="exactly-full"),
    pytest.param(
        (host("a", taints=("gpu=true:NoSchedule",)),),
        pod("p", tolerations=(Toleration(key="gpu", operator="Exists"),)),
        id="tolerated",
    ),
    pytest.param((host("a", taints=("slow=yes:PreferNoSchedule",)),), pod("p"), id="preference-is-no-predicate"),
    pytest.param(
        (host("a", unschedulable=True),),
        pod("p", tolerations=(Toleration(key="node.kubernetes.io/unschedulable", operator="Exists"),)),
        id="cordon-tolerated",
    ),
    pytest.param(
        (host("a", conditions=(Condition(type="MemoryPressure", status="True"),)),),
        pod("p", requests={"memory": "1Mi"}),
        id="memory-pressure-but-something-was-promised",
    ),
    pytest.param((host("a"), pod("x", on="a", ports=(8080,))), pod("p", ports=(8081,)), id="other-port"),
    pytest.param(
        (host("a", memory="1Gi"), pod("x", on="a", requests={"memory": "2Gi"})), pod("p"), id="nothing-asked-over-full"
    ),
]


@pytest.mark.parametrize(("objects", "wanted"), FITS)
def test_fits(objects: tuple[Node | Pod, ...], wanted: Pod) -> None:
    assert [where(one) for one in place(cluster(*objects), wanted)] == ["a"]


def test_pod_is_placed_whole() -> None:
    """The walkthrough's co-scheduling question: App 1G and log collector 0.5G never land on a 1.25G host."""
    containers = (
        Container(name="app", resources=ResourceRequirements(requests={"memory": "1G"})),
        Container(name="log-collector", resources=ResourceRequirements(requests={"memory": "500M"})),
    )
    wanted = pod("app", containers=containers)
    small, large = host("node-a", memory="1250M"), host("node-b", memory="2G")
    assert where(place(cluster(small), wanted)[0]) == "0/1 hosts fit: 1 insufficient memory (short by 250M)"
    assert where(place(cluster(small, large), wanted)[0]) == "node-b"
