"""Preemption: which less important pods must leave, and from which host, so that a pod fits.

As few and as unimportant pods as possible; budgets are kept where any host allows it. Nobody is evicted here: the
answer names victims. Rules: kube-scheduler `defaultpreemption` (tables of the same name).
"""

from __future__ import annotations

import heapq
import math
import operator
from typing import Final, NamedTuple

import numpy as np

from policies.scheduling.judging.table import HostTable
from policies.scheduling.rules import Scope
from policies.scheduling.state.arrays import BoolArray
from policies.scheduling.state.occupants import Occupant
from policies.scheduling.state.snapshot import Snapshot

_PRIORITY_OFFSET: Final = 2**31
"""Added to each priority before they are summed, so that more victims never look cheaper than fewer (as Kubernetes)."""
_MOST_TRIALS: Final = 100
"""Where victims can only be found by trial (ports, affinity, spread), as many hosts are tried, as in Kubernetes."""


class Victims(NamedTuple):
    """What one host would cost. pods: the most important first. budgets_broken: pods lost against a budget.

    displaced: nominated pods of lower priority that must look for another host; they are not on this one yet.
    """

    row: int
    pods: tuple[Occupant, ...]
    budgets_broken: int
    displaced: tuple[Occupant, ...] = ()

    def cost(self) -> tuple[float, ...]:
        """Sort key, the least first: budgets broken, highest priority, sum of priorities, number, latest start."""
        if not self.pods:
            return (-1.0,)
        highest = self.pods[0].priority
        total = sum(pod.priority + _PRIORITY_OFFSET for pod in self.pods)
        starts = [pod.pod.status.start_time for pod in self.pods if pod.priority == highest]
        earliest = min((start.timestamp() if start else math.inf) for start in starts)
        return float(self.budgets_broken), float(highest), float(total), float(len(self.pods)), -earliest


class _HeapEntry(NamedTuple):
    """serial: of the judgement that it stands for; a later one of the same row makes it void."""

    cost: tuple[float, ...]
    tie: int
    serial: int
    row: int


class PreemptionTable:
    """The cheapest host for pods of one shape, kept up to date with the snapshot: a heap of costs by host."""

    def __init__(self, table: HostTable) -> None:
        self._table = table
        self._snapshot: Snapshot = table.snapshot
        self._heap: list[_HeapEntry] = []
        self._current: dict[int, tuple[int, Victims]] = {}
        self._serial = 0
        self._wanted = [
            (name, self._snapshot.resource(name), amount) for name, amount in table.shape.requests.items() if amount > 0
        ]
        self._mark = self._snapshot.journal.mark()
        self._structure = self._budgets = -1
        self._possible: BoolArray = np.zeros(0, dtype=np.bool_)
        self._rebuild()

    def cheapest(self) -> Victims | None:
        """The host that costs least; None when no set of victims helps. The table must have been refreshed."""
        if not self._by_amounts():
            return self._cheapest_by_trial()
        self._refresh()
        while self._heap:
            if self._is_current(self._heap[0]):
                return self._current[self._heap[0].row][1]
            heapq.heappop(self._heap)
        return None

    # --- only amounts stand in the way: sums decide ---------------------------------------------------------------

    def _by_amounts(self) -> bool:
        """Whether nothing but amounts can be freed by evicting, so that no trial is needed."""
        return all(
            one.predicate.name == AMOUNTS or not one.check.may_block()
            for one in self._table.checks
            if one.check.scope is not Scope.STRUCTURE
        )

    def _refresh(self) -> None:
        snapshot = self._snapshot
        entries = snapshot.journal.since(self._mark)
        if entries is None or self._budgets != snapshot.budgets.version:
            self._rebuild()
            return
        self._mark = snapshot.journal.mark()
        changed = set(entries)
        if self._structure != snapshot.structure:
            self._structure = snapshot.structure
            before, self._possible = self._possible, _possible_hosts(self._table)
            new = np.arange(len(self._possible)) >= len(before)
            new[: len(before)] |= self._possible[: len(before)] != before
            changed.update(np.flatnonzero(new).tolist())
        for row in changed:
            self._judge(row)
        if len(self._heap) > 8 * len(self._possible):
            self._heap = [entry for entry in self._heap if self._is_current(entry)]
            heapq.heapify(self._heap)

    def _rebuild(self) -> None:
        snapshot = self._snapshot
        self._mark = snapshot.journal.mark()
        self._structure = snapshot.structure
        self._budgets = snapshot.budgets.version
        self._possible = _possible_hosts(self._table)
        self._heap.clear()
        self._current.clear()
        if self._by_amounts():
            for row in np.flatnonzero(self._possible).tolist():
                self._judge(row)

    def _is_current(self, entry: _HeapEntry) -> bool:
        known = self._current.get(entry.row)
        return known is not None and known[0] == entry.serial

    def victims_on(self, row: int) -> Victims | None:
        """Who must leave one host; None when nobody's leaving helps there."""
        if not _possible_hosts(self._table)[row]:
            return None
        return self._victims_by_amounts(row) if self._by_amounts() else self._victims_by_trial(row)

    def _judge(self, row: int) -> None:
        self._current.pop(row, None)
        if row >= len(self._possible) or not self._possible[row]:
            return
        victims = self._victims_by_amounts(row)
        if victims is None:
            return
        self._serial += 1
        self._current[row] = (self._serial, victims)
        heapq.heappush(self._heap, _HeapEntry(victims.cost(), -self._table.tie(row), self._serial, row))

    def _victims_by_amounts(self, row: int) -> Victims | None:
        """Who must leave one host: all less important pods but those that fit again beside the new one."""
        snapshot, priority = self._snapshot, self._table.shape.priority
        lower: list[Occupant] = []
        gone: list[dict[str, int]] = []
        for occupant in snapshot.use(row).occupants.values():
            if occupant.is_leaving:
                gone.append(occupant.shape.requests)
            elif occupant.shape.priority < priority:
                lower.append(occupant)
                gone.append(occupant.shape.requests)
        if not gone:
            return None
        room: dict[str, int] = {}
        for name, index, amount in self._wanted:
            free = int(snapshot.allocatable[index, row]) - int(snapshot.requested[index, row])
            room[name] = free - amount + sum([requests.get(name, 0) for requests in gone])
            if room[name] < 0:
                return None
        pods = [occupant for occupant in lower if not occupant.is_nominated]
        breaking, harmless = snapshot.budgets.split(sorted(pods, key=_importance))
        broken = _keep_what_fits(breaking, room)
        victims = [*broken, *_keep_what_fits(harmless, room)]
        displaced = tuple(occupant for occupant in lower if occupant.is_nominated)
        return Victims(row, _by_importance(victims), len(broken), displaced)

    # --- ports, affinity or spread stand in the way: try --------------------------------------------------------------

    def _cheapest_by_trial(self) -> Victims | None:
        possible = np.flatnonzero(_possible_hosts(self._table))
        order = sorted((int(row) for row in possible), key=lambda row: -self._table.tie(row))
        found: list[Victims] = []
        for row in order:
            if len(found) >= max(_MOST_TRIALS, len(order) // 10):
                break
            # Sums are cheap, and a host without enough of everything needs no trial.
            victims = self._victims_by_trial(row) if self._victims_by_amounts(row) is not None else None
            if victims is not None:
                found.append(victims)
        return min(found, key=lambda victims: (victims.cost(), -self._table.tie(victims.row)), default=None)

    def _victims_by_trial(self, row: int) -> Victims | None:
        """As by amounts, but asking all rules with the pods really taken off; everything is put back."""
        snapshot = self._snapshot
        lower = _less_important(snapshot, row, self._table.shape.priority)
        leaving = [occupant for occupant in snapshot.use(row).occupants.values() if occupant.is_leaving]
        if not lower and not leaving:
            return None
        off: dict[str, Occupant] = {}
        for occupant in (*lower, *leaving):
            snapshot.remove_pod(occupant.pod.uid)
            off[occupant.pod.uid] = occupant
        try:
            if not self._fits(row):
                return None
            pods = [occupant for occupant in lower if not occupant.is_nominated]
            breaking, harmless = snapshot.budgets.split(sorted(pods, key=_importance))
            broken = [occupant for occupant in breaking if not self._fits_beside(occupant, off)]
            others = [occupant for occupant in harmless if not self._fits_beside(occupant, off)]
        finally:
            for occupant in off.values():
                snapshot.put_back(occupant)
            self._catch_up()
        displaced = tuple(occupant for occupant in lower if occupant.is_nominated)
        return Victims(row, _by_importance([*broken, *others]), len(broken), displaced)

    def _fits_beside(self, occupant: Occupant, off: dict[str, Occupant]) -> bool:
        """Put one pod back if the new one still fits; says whether it did."""
        self._snapshot.put_back(occupant)
        if self._fits(occupant.row):
            del off[occupant.pod.uid]
            return True
        self._snapshot.remove_pod(occupant.pod.uid)
        return False

    def _fits(self, row: int) -> bool:
        self._catch_up()
        checks = (check for _, check in self._table.checks if check.scope is not Scope.STRUCTURE)
        return all(check.allows(row) for check in checks)

    def _catch_up(self) -> None:
        """Let the rules see who is there now. After a trial all is as before, so no verdict of the table changes."""
        for _, check in self._table.checks:
            if check.scope is Scope.CLUSTER:
                check.stale()


AMOUNTS: Final = "PodFitsResources"


def waits_for_victims(snapshot: Snapshot, row: int, priority: int) -> bool:
    """Whether less important pods were evicted from the host for which a pod is nominated, and are not gone yet.

    Then it waits: evicting others elsewhere would be too much. Pods that leave for other reasons do not count.
    """
    return any(o.is_victim and o.priority < priority for o in snapshot.use(row).occupants.values())


def _possible_hosts(table: HostTable) -> BoolArray:
    """Hosts where everything that evicting cannot change is right, and that are large enough when empty."""
    snapshot = table.snapshot
    possible: BoolArray = snapshot.alive[: snapshot.size].copy()
    for name, amount in table.shape.requests.items():
        if amount > 0:
            possible &= snapshot.allocatable[snapshot.resource(name), : snapshot.size] >= amount
    for _, check in table.checks:
        possible &= check.may_be_freed(slice(0, snapshot.size))
    return possible


def _less_important(snapshot: Snapshot, row: int, priority: int) -> list[Occupant]:
    return [o for o in snapshot.use(row).occupants.values() if o.shape.priority < priority and not o.is_leaving]


_importance = operator.attrgetter("importance")


def _by_importance(victims: list[Occupant]) -> tuple[Occupant, ...]:
    return tuple(sorted(victims, key=_importance))


def _keep_what_fits(pods: list[Occupant], room: dict[str, int]) -> list[Occupant]:
    """Give the most important first their place back, as long as there is room; returns who must leave."""
    losers: list[Occupant] = []
    for occupant in pods:
        requests = occupant.shape.requests
        for name, left in room.items():
            if requests.get(name, 0) > left:
                losers.append(occupant)
                break
        else:
            for name in room:
                room[name] -= requests.get(name, 0)
    return losers
