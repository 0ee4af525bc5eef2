"""The two kinds of rules: predicates say where a pod may run, priorities where it runs best. The plug-in interface.

A rule is prepared once for a shape (all pods of one template) and then asked about rows of hosts, as slices, so that
it answers for five thousand hosts or for one with the same few array operations. Its `scope` says what can change an
answer.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np

from policies.scheduling.state.amounts import Amounts, AmountStates
from policies.scheduling.state.arrays import (
    BoolArray,
    IntArray,
    Rows,
    one_row,
)

if TYPE_CHECKING:
    from policies.scheduling.shape import PodShape
    from policies.scheduling.state.snapshot import Snapshot

MAX_SCORE = 100


class Scope(enum.Enum):
    """What an answer about a host depends on."""

    STRUCTURE = "structure"
    """The host object itself: labels, taints, conditions."""
    HOST = "host"
    """Also what is on that host."""
    CLUSTER = "cluster"
    """Also what is on other hosts: `stale` says when the answer must be asked anew for all."""


class Event(enum.Enum):
    """What happens to a cluster that may help a pod which fits nowhere."""

    HOST_ADDED = "a host is added"
    HOST_CHANGED = "labels, taints or state of a host change"
    CAPACITY_ADDED = "a host gets more capacity"
    POD_REMOVED = "a pod leaves a host"
    POD_ADDED = "a pod arrives on a host"
    VOLUME_CHANGED = "a volume, claim or storage class changes"
    POD_CHANGED = "the pod itself changes"


class Reason(NamedTuple):
    """Why one host will not do. text: what hosts with the same reason have in common, so that they group together.

    detail: what differs between them (`by other/nginx`). short: what is missing, in whole units of resource `unit`
    (`cpu`: millicores); 0 when it is not an amount.
    """

    text: str
    detail: str = ""
    short: int = 0
    unit: str = ""


class Finding(NamedTuple):
    """One reason and how many hosts have it. reason: that of row `example`, which misses least.

    differs: other hosts have another detail.
    """

    reason: Reason
    hosts: int
    example: int
    differs: bool = False


class Rejection(NamedTuple):
    """A finding with the names of its predicate and of the host that misses least."""

    predicate: str
    reason: Reason
    hosts: int
    example: str
    differs: bool = False


class Check(ABC):
    """A predicate prepared for one shape."""

    scope: ClassVar[Scope] = Scope.STRUCTURE
    reads_amounts_only: ClassVar[bool] = False

    @abstractmethod
    def allowed(self, rows: Rows) -> BoolArray:
        """One verdict a row, for rows below the snapshot's size."""

    @abstractmethod
    def reasons(self, row: int, /) -> tuple[Reason, ...]:
        """Why the host of a row, for which `allowed` is false, will not do: at least one."""

    def allows(self, row: int) -> bool:
        """One host; where a loop of plain numbers is faster than arrays of one, subclasses have their own."""
        return bool(self.allowed(one_row(row))[0])

    def tally(self, rows: IntArray) -> Iterable[Finding]:
        """Group the reasons of many rows; here one by one, where it can be done at once subclasses do."""
        return group_findings((row, reason) for row in rows.tolist() for reason in self.reasons(row))

    def stale(self) -> bool:
        """CLUSTER only: whether verdicts may differ from the last `allowed` over all rows."""
        return False

    def may_be_freed(self, rows: Rows) -> BoolArray:
        """Where evicting pods may help, or nothing needs help. HOST and CLUSTER rules that know better say so."""
        if self.scope is Scope.STRUCTURE:
            return self.allowed(rows)
        return np.ones(rows.stop - rows.start, dtype=np.bool_)

    def may_block(self) -> bool:
        """HOST and CLUSTER: false when, as things are, no pod on any host stands in the way of such pods."""
        return True

    def is_open(self) -> bool:
        """True when, as things are, every host passes: then nothing is computed until `stale`."""
        return False


class AmountCheck(Check):
    """A predicate that reads nothing but amounts: hosts with equal amounts get equal verdicts."""

    scope = Scope.HOST
    reads_amounts_only = True

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @abstractmethod
    def allowed_by(self, amounts: Amounts, rows: Rows) -> BoolArray:
        """One verdict for each of the places `rows` of these amounts."""

    def is_open_by(self, _states: AmountStates, /) -> bool:
        """Whether every state passes, so that none has to be asked."""
        return False

    def allowed(self, rows: Rows) -> BoolArray:
        return self.allowed_by(self._snapshot, rows)


class Mask(Check):
    """Verdicts that were computed for all hosts at once, and one reason for all who fail."""

    def __init__(self, verdicts: BoolArray, reason: Reason) -> None:
        self._verdicts = verdicts
        self._reason = reason

    def allowed(self, rows: Rows) -> BoolArray:
        return self._verdicts[rows]

    def reasons(self, _row: int) -> tuple[Reason, ...]:
        return (self._reason,)

    def tally(self, rows: IntArray) -> tuple[Finding, ...]:
        return (Finding(self._reason, len(rows), int(rows[0])),)


class Predicate(Protocol):
    """A rule that says where a pod may run. name: as in settings and explanations. helped_by: see `queue`.

    A predicate or priority may have more. `is_silent`, see `Silent`. `reads_requests_only = True`: `prepare` looks at
    nothing of a shape but its requests, and what it returns reads nothing but amounts; then shapes that request the
    same share one judgement.
    """

    name: str
    helped_by: frozenset[Event]

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Check | None:
        """None when the rule says nothing about such pods."""


Silent = Callable[["PodShape", "Snapshot"], bool]
"""A method of a rule: true while it tells no hosts apart for such pods, as things are on all hosts.

A silent rule is not prepared. Asked again whenever a table is brought up to date: must cost next to nothing.
"""


class SharedPredicate(Predicate, Protocol):
    """A predicate about the host itself (scope STRUCTURE): shapes that it cannot tell apart share one check."""

    def reads(self, shape: PodShape) -> Hashable:
        """All of a shape that `prepare` looks at. Shapes that are equal in it get equal checks."""


class Scorer(ABC):
    """A priority prepared for one shape.

    `raw` is asked for rows; `normalise` turns it into 0…MAX_SCORE where that needs the whole picture: which hosts are
    feasible and what the others have. `is_relative` says whether it does; if not, `raw` is the score already.
    """

    scope: ClassVar[Scope] = Scope.STRUCTURE
    is_relative: ClassVar[bool] = False
    reads_amounts_only: ClassVar[bool] = False

    @abstractmethod
    def raw(self, rows: Rows) -> IntArray:
        """One number a row. Called for feasible and unfeasible hosts alike."""

    def raw_of(self, row: int) -> int:
        """One host, see `Check.allows`."""
        return int(self.raw(one_row(row))[0])

    def normalise(self, raw: IntArray, _feasible: BoolArray, /) -> IntArray:
        """Scores of all rows; only those of feasible rows mean anything. Called when `is_relative`."""
        return raw

    def stale(self) -> bool:
        """CLUSTER only: whether `raw` may differ from the last time."""
        return False

    def is_flat(self) -> bool:
        """True when, as things are, every host gets 0: then nothing is computed until `stale`."""
        return False

    def is_steady(self) -> bool:
        """Relative ones: true when pods that come move the points of other hosts in one direction only, if at all.

        Then points that are after some pods what they were before were so all the while (as long as the same hosts are
        feasible), and many pods can be placed at once.
        """
        return False

    def changed_rows(self) -> Collection[int] | None:
        """CLUSTER, when `stale`: the only rows whose `raw` may differ from the last time; None: all may."""
        return None

    def rescore(
        self, _points: IntArray, _raw: IntArray, _feasible: BoolArray, _rows: Sequence[int], /
    ) -> Collection[int] | None:
        """Relative ones: bring `points`, the last answer of `normalise`, up to date where that is cheaper.

        rows: all whose raw number or feasibility changed since then. Returns the rows whose points were written; None
        when all have to be normalised anew.
        """
        return None


class AmountScorer(Scorer):
    """A priority that reads nothing but amounts: hosts with equal amounts get equal scores."""

    scope = Scope.HOST
    reads_amounts_only = True

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @abstractmethod
    def raw_by(self, amounts: Amounts, rows: Rows) -> IntArray:
        """One score for each of the places `rows` of these amounts."""

    def raw(self, rows: Rows) -> IntArray:
        return self.raw_by(self._snapshot, rows)


class ScaledPoints(Scorer):
    """Numbers that are known for all hosts, scaled to the greatest of a feasible one (see `scale_to_greatest`)."""

    is_relative = True

    def __init__(self, numbers: IntArray, *, reverse: bool = False) -> None:
        self._numbers = numbers
        self._reverse = reverse
        self._greatest = -1

    def raw(self, rows: Rows) -> IntArray:
        return self._numbers[rows]

    def is_steady(self) -> bool:
        return True

    def normalise(self, raw: IntArray, feasible: BoolArray) -> IntArray:
        self._greatest = int(raw.max(where=feasible, initial=0))
        return scale_to_greatest(raw, feasible, reverse=self._reverse)

    def rescore(
        self, _points: IntArray, raw: IntArray, feasible: BoolArray, _rows: Sequence[int]
    ) -> Collection[int] | None:
        return () if int(raw.max(where=feasible, initial=0)) == self._greatest else None


class Priority(Protocol):
    """A rule that says where a pod runs best. weight: unless a profile says otherwise.

    flat_score: what every host gets when the rule makes no difference for a pod.
    """

    name: str
    weight: int
    flat_score: int

    def prepare(self, shape: PodShape, snapshot: Snapshot) -> Scorer | None:
        """None when this rule makes no difference between hosts for such pods."""


class PreparedCheck(NamedTuple):
    predicate: Predicate
    check: Check


class PreparedScorer(NamedTuple):
    priority: Priority
    weight: int
    scorer: Scorer


def group_findings(found: Iterable[tuple[int, Reason]]) -> list[Finding]:
    """Group (row, reason) pairs: the same text counts together, with the smallest shortage among them."""
    groups: dict[str, Finding] = {}
    for row, reason in found:
        group = groups.get(reason.text)
        if group is None:
            groups[reason.text] = Finding(reason, 1, row)
            continue
        differs = group.differs or group.reason.detail != reason.detail
        nearest = (reason, row) if reason.short < group.reason.short else (group.reason, group.example)
        groups[reason.text] = Finding(nearest[0], group.hosts + 1, nearest[1], differs)
    return list(groups.values())


def scale_to_greatest(raw: IntArray, feasible: BoolArray, *, reverse: bool = False) -> IntArray:
    """Kubernetes' default normalisation: the greatest raw number of a feasible host becomes 100.

    raw 1 2 3 4 -> 25 50 75 100; reverse: 75 50 25 0. All zero -> all 0, reversed all 100.
    """
    greatest = int(raw.max(where=feasible, initial=0))
    scaled = raw * MAX_SCORE // greatest if greatest else np.zeros_like(raw)
    return MAX_SCORE - scaled if reverse else scaled
