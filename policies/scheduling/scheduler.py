"""Decide where pods go: one after another in queue order, each seeing what was decided before it.

Keeps a table of judged hosts for each template, so that the second pod of a template costs next to nothing. Changes
only the snapshot: bound and nominated pods are counted on their hosts at once ("assumed").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from objects.api.pods import Pod
from policies.scheduling.hints import what_would_help
from policies.scheduling.judging.table import HostTable
from policies.scheduling.placement import Placement, Unschedulable
from policies.scheduling.preemption import PreemptionTable, waits_for_victims
from policies.scheduling.profiles import DEFAULT_SCHEDULER, Profile
from policies.scheduling.rules import Event
from policies.scheduling.shape import PodShape
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TieBreaker

_MOST_TABLES: Final = 320
"""Tables of the templates used last; each holds some arrays over the hosts (0.15 to 0.3 MB at 5,000 hosts)."""
_MOST_PREEMPTION_TABLES: Final = 16
_FIRST_RUN: Final = 8
_LONGEST_RUN: Final = 512
"""So many pods of one template are tried to be placed at once; after a failure the next few go one by one."""
_OLD_SCHEDULER_ANNOTATION: Final = "scheduler.alpha.kubernetes.io/name"


def scheduler_name_of(pod: Pod) -> str:
    """The profile that a pod asks for: its field, or the annotation of Kubernetes before 1.6."""
    return pod.spec.scheduler_name or pod.annotations.get(_OLD_SCHEDULER_ANNOTATION, "") or DEFAULT_SCHEDULER


def queue_order(pod: Pod) -> tuple[int, float, str, str]:
    """Sort key: higher priority first, then the older pod, then by name."""
    created: datetime | None = pod.metadata.creation_timestamp
    return -(pod.spec.priority or 0), created.timestamp() if created else 0.0, pod.namespace, pod.name


class Scheduler:
    """Schedules pods on a snapshot. seed: decides ties between hosts; the same seed gives the same decisions.

    wrong: names of profiles that cannot be used, and why: their pods wait.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        profiles: Mapping[str, Profile],
        *,
        seed: int,
        wrong: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.snapshot = snapshot
        self._profiles = profiles
        self._wrong = wrong
        self._ties = TieBreaker(seed)
        self._tables: dict[tuple[PodShape, str], HostTable] = {}
        # Pods of one template come in a row as a rule.
        self._last_key: tuple[PodShape, str] | None = None
        self._last_table: HostTable | None = None
        self._explained: dict[HostTable, Unschedulable] = {}
        self._preemption: dict[HostTable, PreemptionTable] = {}

    def schedule(self, pods: Iterable[Pod]) -> list[Placement]:
        """Decide for all pods, in queue order; results in that order. Bound pods are counted in the snapshot."""
        self._explained.clear()
        queue = sorted(pods, key=queue_order)
        placements: list[Placement] = []
        run, alone_until = _FIRST_RUN, 0
        while len(placements) < len(queue):
            placements.append(self._place(queue[len(placements)]))
            while len(placements) >= alone_until:
                found = self._place_run(queue[len(placements) : len(placements) + run])
                placements += found
                if not found:
                    run, alone_until = _FIRST_RUN, len(placements) + _FIRST_RUN
                    break
                run = min(4 * run, _LONGEST_RUN)
        return placements

    def _place_run(self, pods: Sequence[Pod]) -> list[Placement]:
        """The first of these pods, as many as are like the one placed last, all at once; none where it is not safe."""
        table = self._last_table
        if table is None or not table.takes_runs or not table.is_founded_on(self.snapshot):
            return []
        alike: list[Pod] = []
        for pod in pods:
            is_plain = not (pod.spec.scheduling_gates or pod.spec.node_name or pod.status.nominated_node_name)
            profile = self.profile_of(pod)
            if not is_plain or profile is None or self.snapshot.occupant(pod.metadata.uid) is not None:
                break
            if (self.snapshot.shapes.shape_of(pod), profile.name) != self._last_key:
                break
            alike.append(pod)
        if len(alike) < 2:
            return []
        rows = table.place_run(alike)
        return [Placement(pod.uid, self.snapshot.node(row).name) for pod, row in zip(alike, rows, strict=False)]

    def _place(self, pod: Pod) -> Placement:
        if pod.spec.scheduling_gates:
            gates = ", ".join(gate.name for gate in pod.spec.scheduling_gates)
            return _waits(pod, f"waits for scheduling gates: {gates}", Event.POD_CHANGED)
        profile = self.profile_of(pod)
        if profile is None:
            return _waits(pod, self._why_no_profile(scheduler_name_of(pod)), Event.POD_CHANGED)
        nominated = self._withdraw_nomination(pod)
        table = self.table_of(self.snapshot.shapes.shape_of(pod, node_name=pod.spec.node_name), profile)
        row = nominated if nominated is not None and table.fits(nominated) else table.best()
        if row is None:
            return self._make_room(pod, table, profile, nominated)
        self.snapshot.place(pod, table.shape, row)
        return Placement(pod.uid, self.snapshot.node(row).name)

    def _why_no_profile(self, name: str) -> str:
        if name in self._wrong:
            return f"scheduler '{name}' cannot be used: {self._wrong[name]}"
        return f"no scheduler is named '{name}' (known: {', '.join(sorted(self._profiles))})"

    # --- preemption -----------------------------------------------------------------------------------------------

    def _withdraw_nomination(self, pod: Pod) -> int | None:
        """The row for which the pod was nominated, if it still exists. What it held there is free for its own attempt.

        The nomination of an earlier process is in the pod's status.
        """
        known = self.snapshot.occupant(pod.metadata.uid)
        if known is not None:
            self.snapshot.remove_pod(pod.metadata.uid)
            return known.row
        name = pod.status.nominated_node_name
        return self.snapshot.row_of.get(name) if name else None

    def _make_room(self, pod: Pod, table: HostTable, profile: Profile, nominated: int | None) -> Placement:
        """The pod fits nowhere: nominate a host that less important pods are made to leave, if there is one."""
        snapshot = self.snapshot
        lowest = snapshot.lowest_priority
        if pod.spec.preemption_policy == "Never" or lowest is None or lowest >= table.shape.priority:
            return Placement(pod.uid, unschedulable=self._explain_failure(table, profile))
        if nominated is not None and waits_for_victims(snapshot, nominated, table.shape.priority):
            return self._nominate(pod, table, profile, nominated, ())
        victims = self._preemption_table(table).cheapest()
        if victims is None:
            return Placement(pod.uid, unschedulable=self._explain_failure(table, profile))
        for occupant in victims.displaced:
            snapshot.remove_pod(occupant.pod.uid)
        uids = tuple(occupant.pod.uid for occupant in victims.pods)
        for uid in uids:
            snapshot.mark_victim(uid)
        return self._nominate(pod, table, profile, victims.row, uids)

    def _nominate(self, pod: Pod, table: HostTable, profile: Profile, row: int, victims: tuple[str, ...]) -> Placement:
        # Hundreds of pods of one template may preempt in one pass: the first one's reasons serve them all.
        failure = self._explained.get(table) or self._explain_failure(table, profile)
        node = self.snapshot.node(row).name
        self.snapshot.place(pod, table.shape, row, is_nominated=True)
        names = f"{len(victims)} less important pods" if len(victims) != 1 else "1 less important pod"
        outlook = f"makes {names} leave {node}" if victims else f"waits for pods to leave {node}"
        return Placement(pod.uid, None, node, victims, failure._replace(outlook=outlook))

    def _preemption_table(self, table: HostTable) -> PreemptionTable:
        found = self._preemption.get(table)
        if found is None:
            # Few templates preempt at one time; more than this and the costs of some are counted anew.
            if len(self._preemption) >= _MOST_PREEMPTION_TABLES:
                del self._preemption[next(iter(self._preemption))]
            found = self._preemption[table] = PreemptionTable(table)
        return found

    # --- tables ---------------------------------------------------------------------------------------------------

    def profile_of(self, pod: Pod) -> Profile | None:
        """The rules for a pod; None when it asks for a scheduler that does not exist."""
        return self._profiles.get(scheduler_name_of(pod))

    def table_of(self, shape: PodShape, profile: Profile) -> HostTable:
        """The judged hosts for pods of a shape, up to date."""
        key = (shape, profile.name)
        if self._last_key == key and self._last_table is not None and self._last_table.is_founded_on(self.snapshot):
            self._last_table.refresh()
            return self._last_table
        table = self._tables.pop(key, None)
        if table is None:
            if len(self._tables) >= _MOST_TABLES:
                self._preemption.pop(self._tables.pop(next(iter(self._tables))), None)
            table = HostTable(shape, self.snapshot, profile, self._ties.hashes(self.snapshot))
        elif not table.is_founded_on(self.snapshot):
            table.rebuild(self._ties.hashes(self.snapshot))
        else:
            table.refresh()
        self._tables[key] = table
        self._last_key, self._last_table = key, table
        return table

    def _explain_failure(self, table: HostTable, profile: Profile) -> Unschedulable:
        rejections = table.rejections()
        known = self._explained.get(table)
        if known is not None and known.rejections is rejections:
            return known
        failed = {rejection.predicate for rejection in rejections}
        helped_by = frozenset(
            event for predicate in profile.predicates if predicate.name in failed for event in predicate.helped_by
        )
        failure = Unschedulable(
            hosts=self.snapshot.host_count,
            rejections=rejections,
            helped_by=helped_by | {Event.HOST_ADDED, Event.POD_CHANGED},
            hints=what_would_help(rejections),
        )
        self._explained[table] = failure
        return failure


def _waits(pod: Pod, note: str, event: Event) -> Placement:
    return Placement(pod.uid, unschedulable=Unschedulable(0, helped_by=frozenset((event,)), note=note))


def schedule(pods: Iterable[Pod], snapshot: Snapshot, profiles: Mapping[str, Profile], *, seed: int) -> list[Placement]:
    """Decide once for all pods (see `Scheduler`, which keeps its tables from call to call and is faster)."""
    return Scheduler(snapshot, profiles, seed=seed).schedule(pods)
