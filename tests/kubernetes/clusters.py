"""Clusters of the scheduler's tables as snapshots, and one rule asked about them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from objects.api.core import Node
from objects.api.pods import Pod
from policies.scheduling.explain import explain
from policies.scheduling.judging.table import HostTable
from policies.scheduling.profiles import Profile
from policies.scheduling.rules import Check, Predicate, Priority, Reason
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TieBreaker
from tests.kubernetes.loading import load
from tests.kubernetes.tables import Case

ANY_AMOUNT = {"cpu": "1000", "memory": "1000Gi", "ephemeral-storage": "1000Gi", "pods": 1000}


def load_pod(value: Any, name: str = "incoming") -> Pod:
    """A pod with a name and a uid, which the tables often leave out."""
    pod = load(Pod, value)
    metadata = msgspec.structs.replace(
        pod.metadata,
        name=pod.name or name,
        uid=pod.uid or f"uid-of-{pod.name or name}",
    )
    return msgspec.structs.replace(pod, metadata=metadata)


def load_pods(values: Any, *, on: str = "") -> list[Pod]:
    """Running pods. on: their host, where the table does not say it."""
    pods = [load_pod(value, f"existing-{index}") for index, value in enumerate(values or ())]
    return [pod if pod.node_name else moved(pod, on) for pod in pods]


def moved(pod: Pod, host: str) -> Pod:
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, node_name=host))


def unbound(pod: Pod) -> Pod:
    return moved(pod, "")


def load_node(value: Any) -> Node:
    """A host; what kubelets report of themselves does not matter here."""
    status = {name: part for name, part in (value.get("status") or {}).items() if name != "nodeInfo"}
    return load(Node, {**value, "status": status})


def load_nodes(values: Any) -> list[Node]:
    return [load_node(value) for value in values or ()]


def make_snapshot(nodes: Iterable[Node], pods: Iterable[Pod] = ()) -> Snapshot:
    snapshot = Snapshot()
    for node in nodes:
        snapshot.set_node(node)
    for pod in pods:
        snapshot.add_pod(pod)
    return snapshot


def make_node(name: str, allocatable: dict[str, Any] | None = None, **metadata: Any) -> Node:
    body = {"metadata": {"name": name, **metadata}, "status": {"allocatable": allocatable or ANY_AMOUNT}}
    return load(Node, body)


def prepare(predicate: Predicate, pod: Pod, snapshot: Snapshot) -> Check | None:
    shape = snapshot.shapes.shape_of(pod, node_name=pod.node_name)
    return predicate.prepare(shape, snapshot)


def fitting(predicate: Predicate, pod: Pod, snapshot: Snapshot) -> set[str]:
    """The hosts that one predicate allows."""
    check = prepare(predicate, pod, snapshot)
    return {name for name, row in snapshot.row_of.items() if check is None or check.allows(row)}


def reasons(predicate: Predicate, pod: Pod, snapshot: Snapshot, host: str) -> list[str]:
    check = prepare(predicate, pod, snapshot)
    row = snapshot.row_of[host]
    return [] if check is None or check.allows(row) else [reason.text for reason in check.reasons(row)]


def points(priority: Priority, pod: Pod, snapshot: Snapshot, *, hosts: Iterable[str] | None = None) -> dict[str, int]:
    """What one priority gives each host when all fit, or only `hosts` do. Checked row by row and all at once."""
    profile = Profile("table", (_Only(set(hosts)),) if hosts is not None else (), ((priority, 1),))
    found = {one.host: one.priorities[0].points for one in explain(unbound(pod), snapshot, profile) if one.fits}
    table = HostTable(snapshot.shapes.shape_of(pod), snapshot, profile, TieBreaker(0).hashes(snapshot))
    for prepared in table.scorers:
        if not prepared.scorer.is_relative:
            assert {name: prepared.scorer.raw_of(snapshot.row_of[name]) for name in found} == found
    return found


class _Only:
    """A predicate that only some hosts pass."""

    name = "Only"
    helped_by = frozenset[Any]()

    def __init__(self, hosts: set[str]) -> None:
        self._hosts = hosts

    def prepare(self, shape: Any, snapshot: Snapshot) -> Check:
        return _OnlyCheck([name in self._hosts for name in snapshot.names])


class _OnlyCheck(Check):
    def __init__(self, verdicts: list[bool]) -> None:
        self._verdicts = verdicts

    def allowed(self, rows: slice) -> Any:
        return np.array(self._verdicts, dtype=np.bool_)[rows]

    def reasons(self, _row: int) -> tuple[Reason, ...]:
        return (Reason("no candidate in this case"),)


def expected_points(listed: Any) -> dict[str, int]:
    return {entry["Name"]: entry["Score"] for entry in listed or ()}


def uses_dra(case: Case) -> str:
    """A reason to leave a case out."""
    if case.get("draObjects") or case.get("draExtendedResourceEnabled") or case.get("enableDRAExtendedResource"):
        return "dynamic resource allocation is not in Berth's scope"
    return ""
