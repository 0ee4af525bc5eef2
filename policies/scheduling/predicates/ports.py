"""PodFitsHostPorts: a port of a host has one holder, by protocol and address."""

from __future__ import annotations

import numpy as np

from policies.scheduling.rules import Check, Event, Reason, Scope
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import BoolArray, Rows
from policies.scheduling.state.snapshot import Snapshot


class HostPorts:
    name = "PodFitsHostPorts"
    helped_by = frozenset((Event.HOST_ADDED, Event.POD_REMOVED))

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        return _HostPorts(shape, snapshot) if shape.ports else None


class _HostPorts(Check):
    scope = Scope.HOST

    def __init__(self, shape: PodShape, snapshot: Snapshot) -> None:
        self._ports = shape.ports
        self._snapshot = snapshot

    def allowed(self, rows: Rows) -> BoolArray:
        start, stop, _ = rows.indices(self._snapshot.size)
        return np.array([self._snapshot.use(row).holder_of(self._ports) is None for row in range(start, stop)])

    def reasons(self, row: int) -> tuple[Reason, ...]:
        held = self._snapshot.use(row).holder_of(self._ports)
        if held is None:
            return ()
        protocol = "" if held.port.protocol == "TCP" else f"/{held.port.protocol}"
        return (Reason(f"host port {held.port.port}{protocol} taken", f"by {held.holder}"),)
