"""Predicates about the host object alone: its name, its labels, cordon and conditions."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from objects.api.core import Taint
from objects.api.pods import NodeSelectorRequirement, NodeSelectorTerm, Toleration
from objects.own import taints
from objects.selectors import node_term_matches, tolerates
from policies.scheduling.rules import Check, Event, Mask, Reason
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import BoolArray, Rows
from policies.scheduling.state.snapshot import Snapshot

_HOST_EVENTS = frozenset((Event.HOST_ADDED, Event.HOST_CHANGED))


class HostName:
    """The pod names its host (`spec.nodeName`)."""

    name = "PodFitsHost"
    helped_by = _HOST_EVENTS

    def reads(self, shape: PodShape) -> Hashable:
        return shape.node_name

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        if not shape.node_name:
            return None
        verdicts = np.zeros(snapshot.size, dtype=np.bool_)
        row = snapshot.row_of.get(shape.node_name)
        if row is not None:
            verdicts[row] = True
        return Mask(verdicts, Reason(f"not host {shape.node_name}"))


class Unschedulable:
    """A cordoned host takes only pods that tolerate `node.kubernetes.io/unschedulable`."""

    name = "CheckNodeUnschedulable"
    helped_by = _HOST_EVENTS
    _TAINT = Taint(key=taints.UNSCHEDULABLE, effect=taints.NO_SCHEDULE)

    def reads(self, shape: PodShape) -> Hashable:
        return shape.tolerations

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        if _is_tolerated(shape.tolerations, self._TAINT):
            return None
        cordoned = snapshot.cordoned[: snapshot.size]
        return Mask(~cordoned, Reason("cordoned")) if cordoned.any() else None


class NodeAffinity:
    """`nodeSelector` and required node affinity: labels with all operators, and `metadata.name`."""

    name = "MatchNodeSelector"
    helped_by = _HOST_EVENTS

    def reads(self, shape: PodShape) -> Hashable:
        spec = shape.spec
        labels = tuple(sorted(spec.node_selector.items())) if spec.node_selector else ()
        return labels, spec.affinity.node_affinity if spec.affinity else None

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        verdicts = fits_node_labels(shape, snapshot)
        return None if verdicts is None else Mask(verdicts, Reason(_describe_wanted_labels(shape)))


def fits_node_labels(shape: PodShape, snapshot: Snapshot) -> BoolArray | None:
    """Which hosts have the labels that a pod requires; None when it requires none."""
    spec, size = shape.spec, snapshot.size
    affinity = spec.affinity.node_affinity if spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    if not spec.node_selector and required is None:
        return None
    verdicts = np.ones(size, dtype=np.bool_)
    for key, value in spec.node_selector.items():
        column = snapshot.column(key)
        wanted = column.id_of(value)
        verdicts &= (column.ids[:size] == wanted) if wanted >= 0 else False
    if required is not None:
        any_term = np.zeros(size, dtype=np.bool_)
        for term in required.node_selector_terms:
            any_term |= match_node_term(term, snapshot)
        verdicts &= any_term
    return verdicts


def match_node_term(term: NodeSelectorTerm, snapshot: Snapshot) -> BoolArray:
    """Which hosts fulfil all of a term; an empty term matches none."""
    size = snapshot.size
    verdicts = np.full(size, bool(term.match_expressions or term.match_fields), dtype=np.bool_)
    for field in term.match_fields:
        verdicts &= _match_name(field, snapshot)
    for requirement in term.match_expressions:
        verdicts &= snapshot.column(requirement.key).matching(requirement, size)
    return verdicts


def _match_name(field: NodeSelectorRequirement, snapshot: Snapshot) -> BoolArray:
    """A requirement on `metadata.name`: only the hosts that it names are looked at. Anything else matches nothing."""
    verdicts = np.zeros(snapshot.size, dtype=np.bool_)
    term = NodeSelectorTerm(match_fields=(field,))
    if field.operator == "NotIn":
        verdicts |= node_term_matches(term, labels={}, name="")
    for name in field.values:
        row = snapshot.row_of.get(name)
        if row is not None:
            verdicts[row] = node_term_matches(term, labels={}, name=name)
    return verdicts


def _describe_wanted_labels(shape: PodShape) -> str:
    plain = [f"{key}={value}" for key, value in sorted(shape.spec.node_selector.items())]
    affinity = shape.spec.affinity.node_affinity if shape.spec.affinity else None
    if affinity and affinity.required_during_scheduling_ignored_during_execution:
        terms = affinity.required_during_scheduling_ignored_during_execution.node_selector_terms
        plain.append(" or ".join(_describe_term(term) for term in terms) or "an affinity that matches nothing")
    return f"without label {', '.join(plain)}"


def _describe_term(term: NodeSelectorTerm) -> str:
    parts = [
        f"{part.key} {part.operator} {'|'.join(part.values)}".rstrip()
        for part in (*term.match_expressions, *term.match_fields)
    ]
    return " and ".join(parts) or "(empty term)"


def _is_tolerated(tolerations: tuple[Toleration, ...], taint: Taint) -> bool:
    return any(tolerates(toleration, taint) for toleration in tolerations)


class Conditions:
    """A host that is not ready, or short of memory, disk or process ids, takes only pods that tolerate that state.

    Memory pressure keeps away only pods that ask for nothing (`PodShape.tolerations`): the others were promised what
    they ask for.
    """

    name = "CheckNodeCondition"
    helped_by = _HOST_EVENTS
    _STATES = (
        ("Ready", "False", taints.NOT_READY, "not ready"),
        ("Ready", "Unknown", taints.UNREACHABLE, "unreachable"),
        ("NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable", "without network"),
        ("MemoryPressure", "True", taints.MEMORY_PRESSURE, "under memory pressure"),
        ("DiskPressure", "True", taints.DISK_PRESSURE, "under disk pressure"),
        ("PIDPressure", "True", taints.PID_PRESSURE, "short of process ids"),
    )

    def reads(self, shape: PodShape) -> Hashable:
        return shape.tolerations

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        states = tuple(
            (kind, bad, text)
            for kind, bad, taint_key, text in self._STATES
            if snapshot.rows_with_condition(kind, bad)
            and not _is_tolerated(shape.tolerations, Taint(key=taint_key, effect=taints.NO_SCHEDULE))
        )
        return snapshot.remember(("conditions", states), lambda: _Conditions(states, snapshot)) if states else None


class _Conditions(Check):
    """states: condition, its bad status, and what is said of it; the first that a host is in is its reason."""

    def __init__(self, states: tuple[tuple[str, str, str], ...], snapshot: Snapshot) -> None:
        self._wrong: dict[int, str] = {}
        for kind, bad, text in states:
            for row in snapshot.rows_with_condition(kind, bad):
                self._wrong.setdefault(row, text)
        self._verdicts = np.ones(snapshot.size, dtype=np.bool_)
        self._verdicts[list(self._wrong)] = False

    def allowed(self, rows: Rows) -> BoolArray:
        return self._verdicts[rows]

    def reasons(self, row: int) -> tuple[Reason, ...]:
        return (Reason(self._wrong[row]),)
