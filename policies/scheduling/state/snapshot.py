"""What the scheduler knows: hosts as rows of arrays, what is asked of each, and the pods on them.

The only mutable thing of this package. Every change is told once (`set_node`, `add_pod`, …) and costs a few steps; a
reader that keeps derived arrays asks `structure` (labels, taints, hosts: all anew) and `journal` (rows whose pods or
amounts changed) what it must bring up to date.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

import numpy as np

from objects.api.core import Node
from objects.api.meta import (
    Condition,
    LabelSelector,
    ObjectKey,
    ResourceList,
)
from objects.api.pods import Pod
from policies.scheduling.requests import BASE_RESOURCES, whole_resources
from policies.scheduling.shape import HostPort, PodShape, ShapeBook, has_same_shape
from policies.scheduling.state.amounts import AmountStates
from policies.scheduling.state.arrays import (
    BoolArray,
    IntArray,
    Journal,
    grown,
)
from policies.scheduling.state.budgets import BudgetIndex
from policies.scheduling.state.columns import LabelColumn, TaintSets
from policies.scheduling.state.derived import Derived, Remembered
from policies.scheduling.state.homeless import HomelessPods
from policies.scheduling.state.images import ImageIndex
from policies.scheduling.state.leaders import StateLeaders
from policies.scheduling.state.occupants import (
    HostUse,
    Occupant,
    count_claim,
    is_preemption_victim,
)
from policies.scheduling.state.pod_index import PodIndex
from policies.scheduling.state.volumes import VolumeIndex
from policies.scheduling.state.workloads import WorkloadIndex

_FIRST_CAPACITY: Final = 64


class Snapshot:
    """See the module. Rows of arrays are hosts, `row_of` finds them by name; only rows below `size` mean anything.

    allocatable, requested: by resource (see `resource_index`) and row. assumed: CPU and memory for scores, unsaid
    requests included. alive: false in rows that no host uses now, whose `names` are ''. cordoned: `spec.unschedulable`.
    """

    def __init__(self) -> None:
        self.size = 0
        self.capacity = _FIRST_CAPACITY
        self._structure = 0
        self.journal = Journal()
        self.shapes = ShapeBook()
        self.row_of: dict[str, int] = {}
        self.resource_index = {name: index for index, name in enumerate(BASE_RESOURCES)}
        self.allocatable: IntArray = np.zeros((len(BASE_RESOURCES), self.capacity), dtype=np.int64)
        self.requested = self.allocatable.copy()
        self.assumed: IntArray = np.zeros((2, self.capacity), dtype=np.int64)
        self.alive: BoolArray = np.zeros(self.capacity, dtype=np.bool_)
        self.cordoned = self.alive.copy()
        self.taints = TaintSets(self.capacity)
        self.states = AmountStates()
        self.images = ImageIndex(self.capacity)
        self.pods = PodIndex(self.capacity)
        self.workloads = WorkloadIndex()
        self.budgets = BudgetIndex()
        self.volumes = VolumeIndex()
        self.claim_users: Counter[tuple[str, str]] = Counter()
        """Pods on hosts by the claim (namespace, name) that they mount."""
        self.names: list[str] = []
        self._nodes: list[Node | None] = []
        self._uses: list[HostUse] = []
        self._free_rows: list[int] = []
        self._columns: dict[str, LabelColumn] = {}
        self._occupants: dict[str, Occupant] = {}
        self._homeless = HomelessPods()
        self._priorities: Counter[int] = Counter()
        self._conditions: dict[tuple[str, str], set[int]] = {}
        self._derived = Derived(self.states)

    # --- hosts ----------------------------------------------------------------------------------------------------

    @property
    def structure(self) -> int:
        """Moves when hosts come or go, or what all derived arrays stand on changes: labels, taints, namespaces …"""
        return self._structure + self.pods.generation + self.images.generation + self.volumes.version

    def remember(self, key: tuple[object, ...], make: Callable[[], Remembered]) -> Remembered:
        """What `make` gives, once for all shapes that ask by the same key, until `structure` moves."""
        return self._derived.remember(self.structure, key, make)

    def leaders_of(self, ties: IntArray, is_open: BoolArray) -> StateLeaders:
        """The winners among hosts in one state, up to date as `states` is. Kept for the very arrays that are given."""
        return self._derived.leaders_of(ties, is_open)

    @property
    def host_count(self) -> int:
        return len(self.row_of)

    def node(self, row: int) -> Node:
        """The host of a row that is alive."""
        node = self._nodes[row]
        if node is None:
            raise KeyError(row)
        return node

    def use(self, row: int) -> HostUse:
        """The pods and ports of a row."""
        return self._uses[row]

    def set_node(self, node: Node) -> None:
        """Add a host or take over its new state."""
        row = self.row_of.get(node.name)
        old = None if row is None else self._nodes[row]
        if row is None:
            row = self._take_row()
            self.row_of[node.name] = row
            self.names[row] = node.name
            self.alive[row] = True
        self._nodes[row] = node
        self._write_amounts(row, node.status.allocatable)
        self.images.set_host(row, node.status.images)
        self.journal.append(row)
        if old is None or _structure_of(old) != _structure_of(node):
            self._write_structure(row, node)
        for pod in self._homeless.take(node.name):
            self.add_pod(pod)

    def remove_node(self, name: str) -> None:
        """The host is gone. Its bound pods are remembered until they are removed or it returns."""
        if name not in self.row_of:
            return
        self.set_foreign(name, {}, {})
        row = self.row_of.pop(name)
        pods = [occupant.pod for occupant in self._uses[row].occupants.values()]
        for pod in pods:
            self.remove_pod(pod.uid)
        self._homeless.add(name, [pod for pod in pods if pod.node_name])
        self.journal.append(row)
        self._nodes[row] = None
        self.names[row] = ""
        self._uses[row] = HostUse()
        self.alive[row] = False
        self.allocatable[:, row] = 0
        self.images.set_host(row, ())
        self.taints.put(row, ())
        self._write_conditions(row, ())
        for column in self._columns.values():
            column.put(row, None)
        self._free_rows.append(row)
        self._structure += 1

    def _take_row(self) -> int:
        if self._free_rows:
            return self._free_rows.pop()
        if self.size == self.capacity:
            self._grow()
        self._nodes.append(None)
        self.names.append("")
        self._uses.append(HostUse())
        self.size += 1
        return self.size - 1

    def _grow(self) -> None:
        self.capacity *= 2
        self.allocatable = grown(self.allocatable, self.capacity)
        self.requested = grown(self.requested, self.capacity)
        self.assumed = grown(self.assumed, self.capacity)
        self.alive = grown(self.alive, self.capacity)
        self.cordoned = grown(self.cordoned, self.capacity)
        self.taints.grow(self.capacity)
        self.images.grow(self.capacity)
        self.pods.grow(self.capacity)
        for column in self._columns.values():
            column.grow(self.capacity)

    def _write_amounts(self, row: int, allocatable: ResourceList) -> None:
        amounts = whole_resources(allocatable)
        self.allocatable[:, row] = 0
        for name, amount in amounts.items():
            index = self.resource(name)  # may replace the array
            self.allocatable[index, row] = amount

    def _write_structure(self, row: int, node: Node) -> None:
        self.cordoned[row] = node.spec.unschedulable
        self.taints.put(row, node.spec.taints)
        self._write_conditions(row, node.status.conditions)
        for key, column in self._columns.items():
            column.put(row, node.labels.get(key))
        self._forget_the_past()
        self._structure += 1

    def _forget_the_past(self) -> None:
        """Labels and taints of hosts that are gone pile up in a process that runs for months: start anew then."""
        for key in [key for key, column in self._columns.items() if column.is_bloated(len(self.row_of))]:
            del self._columns[key]
        if self.taints.is_bloated(len(self.row_of)):
            self.taints = TaintSets(self.capacity)
            for row, node in enumerate(self._nodes):
                if node is not None:
                    self.taints.put(row, node.spec.taints)

    def _write_conditions(self, row: int, conditions: Iterable[Condition]) -> None:
        for rows in self._conditions.values():
            rows.discard(row)
        for condition in conditions:
            self._conditions.setdefault((condition.type, condition.status), set()).add(row)

    def rows_with_condition(self, kind: str, status: str) -> Collection[int]:
        """Hosts whose condition `kind` is `status`."""
        return self._conditions.get((kind, status), ())

    def resource(self, name: str) -> int:
        """The index of a resource in `allocatable` and `requested`; a new name gets a new line."""
        index = self.resource_index.get(name)
        if index is None:
            index = self.resource_index[name] = len(self.resource_index)
            line = np.zeros((1, self.capacity), dtype=np.int64)
            self.allocatable = np.concatenate((self.allocatable, line))
            self.requested = np.concatenate((self.requested, line))
        return index

    def column(self, key: str) -> LabelColumn:
        """A label key as a column, kept up to date from now on."""
        column = self._columns.get(key)
        if column is None:
            column = self._columns[key] = LabelColumn(key, self.capacity)
            for row, node in enumerate(self._nodes):
                if node is not None:
                    column.put(row, node.labels.get(key))
        return column

    # --- pods -----------------------------------------------------------------------------------------------------

    def add_pod(self, pod: Pod) -> None:
        """Count a bound pod on its host. Finished pods use nothing; a host that is not known yet is waited for.

        Raises ValueError for a pod without a host.
        """
        if not pod.node_name:
            raise ValueError(f"pod {pod.key} is not bound")
        row = self.row_of.get(pod.node_name)
        if row is not None and self._is_counted_so(pod, row):
            return
        known = self._occupants.get(pod.uid)
        self.remove_pod(pod.uid)
        if pod.is_finished:
            return
        if row is None:
            self._homeless.add(pod.node_name, [pod])
            return
        is_victim = is_preemption_victim(pod) or (known is not None and known.is_victim)
        self.put_back(Occupant(pod, self.shapes.shape_of(pod), row, is_victim=is_victim))

    def _is_counted_so(self, pod: Pod, row: int) -> bool:
        """Whether only the pod's status changed, or its binding to where it was assumed: then take that over."""
        known = self._occupants.get(pod.uid)
        if known is None or known.row != row or known.is_nominated or known.pod.is_terminating != pod.is_terminating:
            return False
        if pod.is_finished or not has_same_shape(known.pod, pod):
            return False
        renewed = Occupant(pod, known.shape, row, is_victim=known.is_victim)
        self._occupants[pod.uid] = self._uses[row].occupants[pod.uid] = renewed
        return True

    def place(self, pod: Pod, shape: PodShape, row: int, *, is_nominated: bool = False) -> None:
        """Count a pod on a row (see `add_pod`): the scheduler assumes its own decisions this way.

        is_nominated: the pod waits for its victims to leave; it holds amounts and ports, but is not there yet.
        """
        self.put_back(Occupant(pod, shape, row, is_nominated, is_preemption_victim(pod)))

    def put_back(self, occupant: Occupant) -> None:
        """Count a pod that was removed, as it was."""
        self._occupants[occupant.pod.metadata.uid] = occupant
        self._uses[occupant.row].enter(occupant)
        self._priorities[occupant.shape.priority] += 1
        self._change(occupant, 1)

    def mark_victim(self, uid: str) -> None:
        """A pod was chosen as a victim: it is still there, but not for long."""
        occupant = self._occupants[uid]
        leaving = Occupant(occupant.pod, occupant.shape, occupant.row, occupant.is_nominated, is_victim=True)
        self._occupants[uid] = leaving
        self._uses[occupant.row].occupants[uid] = leaving
        self.budgets.consume(leaving)
        self.journal.append(occupant.row)

    def remove_pod(self, uid: str) -> None:
        """The pod is gone, finished or bound elsewhere. Unknown pods are no error."""
        occupant = self._occupants.pop(uid, None)
        if occupant is None:
            self._homeless.forget(uid)
            return
        self._uses[occupant.row].leave(occupant)
        self._priorities[occupant.priority] -= 1
        if not self._priorities[occupant.priority]:
            del self._priorities[occupant.priority]
        self._change(occupant, -1)

    def _change(self, occupant: Occupant, sign: int) -> None:
        shape, row = occupant.shape, occupant.row
        known = self.resource_index
        for name, amount in shape.requests.items():
            index = known[name] if name in known else self.resource(name)  # which may replace the array
            self.requested[index, row] += sign * amount
        self.assumed[0, row] += sign * shape.assumed_cpu
        self.assumed[1, row] += sign * shape.assumed_memory
        for claim in shape.claims:
            count_claim(self.claim_users, (shape.namespace, claim), sign)
        if not occupant.is_nominated:
            self.pods.step(shape, row, sign, terminating=occupant.pod.is_terminating)
        self.journal.append(row)

    def occupant(self, uid: str) -> Occupant | None:
        """What is known of a pod that is counted on a host."""
        return self._occupants.get(uid)

    def occupants(self) -> Iterable[Occupant]:
        """All pods that are counted on hosts, in no particular order."""
        return self._occupants.values()

    @property
    def lowest_priority(self) -> int | None:
        """Of all pods on hosts."""
        return min(self._priorities, default=None)

    # --- surroundings ---------------------------------------------------------------------------------------------

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """Labels of a namespace, for `namespaceSelector`; None when it is gone."""
        self.pods.set_namespace(name, labels)

    def set_workload(self, key: ObjectKey, selector: LabelSelector | None) -> None:
        """A Service, ReplicaSet, StatefulSet or ReplicationController and whom it selects; None when it is gone.

        Pods of one workload spread over the hosts (SelectorSpreadPriority).
        """
        self.workloads.set(key, selector)

    def set_budget(
        self, key: ObjectKey, selector: LabelSelector | None, allowed: int, disrupted: Iterable[str] = ()
    ) -> None:
        """A disruption budget and how many pods it still allows to go. disrupted: names of pods counted already."""
        self.budgets.set(key, selector, allowed, disrupted)

    def remove_budget(self, key: ObjectKey) -> None:
        self.budgets.remove(key)

    def set_foreign(self, host: str, requests: ResourceList, ports: Mapping[HostPort, str]) -> None:
        """What containers that are not ours use on a host: amounts, and ports with the container's name.

        Raises KeyError for an unknown host.
        """
        row = self.row_of[host]
        use = self._uses[row]
        amounts = whole_resources(requests)
        for name in {**use.foreign_amounts, **amounts}:
            index = self.resource(name)
            self.requested[index, row] += amounts.get(name, 0) - use.foreign_amounts.get(name, 0)
        self.assumed[:, row] += [amounts.get(r, 0) - use.foreign_amounts.get(r, 0) for r in BASE_RESOURCES[:2]]
        use.set_foreign(amounts, ports)
        self.journal.append(row)


def _structure_of(node: Node) -> tuple[object, ...]:
    """The part of a node that, when it changes, makes every derived array start anew."""
    conditions = tuple((condition.type, condition.status) for condition in node.status.conditions)
    return node.labels, node.spec.unschedulable, node.spec.taints, conditions
