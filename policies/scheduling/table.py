"""All hosts judged for all pods of one shape: verdicts, scores and the best host, brought up to date change by change.

As long as nothing but amounts and the hosts themselves tells hosts apart, each *state* of hosts is judged and not each
host (`state.amounts`), and the best host is the winner of the best state. Else there is a key for each host: its total
score with the tie-break hash below it, or -1 where the pod does not fit, so that the greatest key *is* the decision.
"""

from __future__ import annotations

from typing import Final, cast

import numpy as np

from policies.scheduling.profiles import Profile
from policies.scheduling.rules import (
    AmountCheck,
    AmountScorer,
    Check,
    PreparedCheck,
    PreparedScorer,
    Rejection,
    Scope,
    Scorer,
)
from policies.scheduling.shape import PodShape
from policies.scheduling.standing import own_checks, standing_of
from policies.scheduling.state.arrays import BoolArray, IntArray, Mark, grown
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TIE_BITS

_FEW_ROWS: Final = 16
"""Judging one row costs some microseconds, judging all some hundred."""
_FEW_KEYS: Final = 64
"""Beyond so many rows their keys are made all at once."""
_UNFIT: Final = -(2**61)
"""In place of the score of a state that does not fit: below 0 with any hash added, and with `NOBODY` still a number."""


class HostTable:
    """Verdicts and scores for one shape under one profile. ties: a hash by row, below 2**TIE_BITS.

    checks are in the order of the profile's predicates, scorers in that of its priorities; what says nothing of such
    pods is not among them.
    """

    def __init__(self, shape: PodShape, snapshot: Snapshot, profile: Profile, ties: IntArray) -> None:
        self.shape = shape
        self.snapshot = snapshot
        self._profile = profile
        self.rebuild(ties)

    # --- building -------------------------------------------------------------------------------------------------

    def rebuild(self, ties: IntArray) -> None:
        """Judge every host from nothing."""
        snapshot, shape = self.snapshot, self.shape
        self._ties = ties
        self._basis = snapshot.structure, snapshot.workloads.version
        self._standing = standing_of(shape, snapshot, self._profile)
        self._own_checks = own_checks(shape, snapshot, self._profile)
        self.scorers = [
            PreparedScorer(priority, weight, scorer)
            for priority, weight in self._profile.priorities
            if weight and (scorer := priority.prepare(shape, snapshot)) is not None
        ]
        self._sort_rules()
        self._places_mark: Mark = -1
        # By state of hosts: the sum of the scores for amounts above TIE_BITS, or _UNFIT.
        self._scores: IntArray = np.zeros(0, dtype=np.int64)
        self._rows_mark: Mark = -1
        self._checks: list[PreparedCheck] | None = None
        self._forget_answers()
        self._is_by_state = True
        self.refresh()

    def _sort_rules(self) -> None:
        """By what they have to be asked about, and when."""
        self._fixed = self._standing.is_open
        self._amount_checks: list[AmountCheck] = []
        self._row_checks: list[Check] = []
        self._cluster_checks: list[Check] = []
        for _, (_, check) in self._own_checks:
            if check.reads_amounts_only:
                self._amount_checks.append(cast(AmountCheck, check))
            elif check.scope is Scope.CLUSTER:
                self._cluster_checks.append(check)
            elif check.scope is Scope.HOST:
                self._row_checks.append(check)
            else:
                self._fixed = self._fixed & check.allowed(slice(0, self.snapshot.size))
        self._amount_scorers: list[tuple[int, AmountScorer]] = []
        self._other_scorers: list[Scorer] = []
        self._own: list[int] = []
        self._relative: list[int] = []
        for number, (_, weight, scorer) in enumerate(self.scorers):
            if scorer.reads_amounts_only:
                self._amount_scorers.append((weight, cast(AmountScorer, scorer)))
                continue
            self._other_scorers.append(scorer)
            (self._relative if scorer.is_relative else self._own).append(number)
        by_cluster = (scorer for scorer in self._other_scorers if scorer.scope is Scope.CLUSTER)
        self._of_cluster: list[Check | Scorer] = [*self._cluster_checks, *by_cluster]

    @property
    def checks(self) -> list[PreparedCheck]:
        """Of all rules that say something about such pods."""
        if self._checks is None:
            numbered = sorted((*self._standing.checks, *self._own_checks), key=lambda one: one[0])
            self._checks = [check for _, check in numbered]
        return self._checks

    def is_founded_on(self, snapshot: Snapshot) -> bool:
        """Whether hosts and workloads are still what the rules were prepared for; else `rebuild`."""
        return self._basis == (snapshot.structure, snapshot.workloads.version)

    # --- bringing up to date --------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Take in what changed in the snapshot since the last time. What it is founded on must be the same."""
        if self._is_by_state:
            self._take_in_cluster()
            self._is_by_state = self._tells_states_apart_only()
            if self._is_by_state:
                return
            self._rows_mark = -1
        self._refresh_rows()

    def _take_in_cluster(self) -> None:
        """Let the rules about the cluster see what is there now."""
        for rule in self._of_cluster:
            rule.stale()

    def _tells_states_apart_only(self) -> bool:
        if self._row_checks:
            return False
        for check in self._cluster_checks:
            if not check.is_open():
                return False
        return all(scorer.is_flat() for scorer in self._other_scorers)

    def _judge_places(self) -> None:
        """Each state of hosts that is new."""
        snapshot, states = self.snapshot, self.snapshot.states
        states.refresh(snapshot, snapshot.journal, snapshot.size)
        mark = states.written.mark()
        if mark == self._places_mark:
            return
        entries = states.written.since(self._places_mark)
        self._places_mark = mark
        if entries is None:
            self._scores = self._judge(slice(0, states.size))
            return
        if len(self._scores) < states.size:
            self._scores = grown(self._scores, states.allocatable.shape[1])
        # The slice may hold others between them: judging those again does no harm.
        rows = slice(min(entries), max(entries) + 1)
        self._scores[rows] = self._judge(rows)

    def _judge(self, places: slice) -> IntArray:
        states = self.snapshot.states
        number = places.stop - places.start
        fits: BoolArray | None = None
        for check in self._amount_checks:
            fits = check.allowed_by(states, places) if fits is None else fits & check.allowed_by(states, places)
        points: IntArray | None = None
        for weight, scorer in self._amount_scorers:
            more = scorer.raw_by(states, places)
            more = more if weight == 1 else weight * more
            points = more if points is None else points + more
        scores = np.zeros(number, dtype=np.int64) if points is None else points << TIE_BITS
        return scores if fits is None else np.where(fits, scores, _UNFIT)

    # --- rows -----------------------------------------------------------------------------------------------------

    def _refresh_rows(self) -> None:
        """Bring what is known of each row up to date."""
        journal = self.snapshot.journal
        entries = journal.since(self._rows_mark) if self._rows_mark >= 0 else None
        if entries is None:
            self._judge_rows()
            return
        changed = set(entries)
        if len(changed) > _FEW_ROWS:
            self._take_in_cluster()
            self._judge_rows()
            return
        self._rows_mark = journal.mark()
        self._judge_places()
        if changed:
            self._forget_answers()
        is_closed_anew = self._refresh_cluster_checks()
        is_scored_anew = self._refresh_own_of_cluster()
        flipped = [row for row in changed if self._refresh_row(row)]
        if is_closed_anew or is_scored_anew:
            for i in self._relative:
                self._refresh_raws(i, changed)
            self._combine()
            return
        written = changed.copy()
        for i in self._relative:
            rows = self._refresh_raws(i, changed)
            if rows is None or rows or flipped:
                self._rescore(i, None if rows is None else [*rows.union(flipped)], written)
        self._write_keys(written)

    def _judge_rows(self) -> None:
        self._rows_mark = self.snapshot.journal.mark()
        self._judge_places()
        self._judge_open()
        rows = slice(0, self.snapshot.size)
        self._own_raws = {i: scorer.raw(rows).copy() for i in self._own if not (scorer := self._scorer(i)).is_flat()}
        self._relative_raws = {
            i: scorer.raw(rows).copy() for i in self._relative if not (scorer := self._scorer(i)).is_flat()
        }
        self._combine()

    def _scorer(self, index: int) -> Scorer:
        return self.scorers[index].scorer

    def _judge_open(self) -> None:
        """Where everything but amounts is right."""
        rows = slice(0, self.snapshot.size)
        self._open: BoolArray = self._fixed.copy()
        # By row, where the rules about the cluster are fulfilled; None: everywhere.
        self._cluster_open: BoolArray | None = None
        closed = [check.allowed(rows) for check in self._cluster_checks if not check.is_open()]
        if closed:
            self._cluster_open = np.logical_and.reduce(closed)
            self._open &= self._cluster_open
        for check in self._row_checks:
            self._open &= check.allowed(rows)

    def _combine(self) -> None:
        """Verdicts, totals and keys from what the single rules say."""
        self._forget_answers()
        ids = self.snapshot.states.ids
        scores = self._scores[ids]
        self._feasible: BoolArray = self._open & (scores >= 0)
        # Of hosts that do not fit the number means nothing.
        self._own_total: IntArray = scores >> TIE_BITS
        for i, raw in self._own_raws.items():
            self._own_total += self.scorers[i].weight * raw
        self._points: dict[int, IntArray] = {}
        for i, raw in self._relative_raws.items():
            scorer = self._scorer(i)
            if not scorer.is_flat():
                self._points[i] = scorer.normalise(raw, self._feasible)
        self._combine_keys()

    def _combine_keys(self) -> None:
        totals = self._own_total
        for i, points in self._points.items():
            totals = totals + self.scorers[i].weight * points
        self._keys: IntArray = np.where(self._feasible, (totals << TIE_BITS) + self._ties, -1)

    def _forget_answers(self) -> None:
        self._rejections: tuple[Rejection, ...] | None = None
        self._passes: list[BoolArray] | None = None
        self._answers_mark: Mark = self.snapshot.journal.mark()

    def _refresh_cluster_checks(self) -> bool:
        stale = [check for check in self._cluster_checks if check.stale()]
        if not stale:
            return False
        self._judge_open()
        return True

    def _refresh_own_of_cluster(self) -> bool:
        """Whether a score that is not relative changed for hosts on which nothing changed."""
        stale = [i for i in self._own if (one := self._scorer(i)).scope is Scope.CLUSTER and one.stale()]
        for i in stale:
            scorer = self._scorer(i)
            self._own_raws.pop(i, None)
            if not scorer.is_flat():
                self._own_raws[i] = scorer.raw(slice(0, self.snapshot.size)).copy()
        return bool(stale)

    def _refresh_row(self, row: int) -> bool:
        """Judge one host again, but for its relative scores. Returns whether its verdict flipped."""
        score = int(self._scores[self.snapshot.states.ids[row]])
        if self._row_checks:
            is_open = bool(self._fixed[row]) and (self._cluster_open is None or bool(self._cluster_open[row]))
            self._open[row] = is_open and all(check.allows(row) for check in self._row_checks)
        own = score >> TIE_BITS
        for i, raw in self._own_raws.items():
            _, weight, scorer = self.scorers[i]
            if scorer.scope is Scope.HOST:
                raw[row] = scorer.raw_of(row)
            own += weight * int(raw[row])
        self._own_total[row] = own
        fits = score >= 0 and bool(self._open[row])
        if fits == bool(self._feasible[row]):
            return False
        self._feasible[row] = fits
        return True

    def _refresh_raws(self, index: int, changed: set[int]) -> set[int] | None:
        """The rows whose raw number of a relative rule is another one now; None: perhaps all."""
        scorer, raw = self._scorer(index), self._relative_raws.get(index)
        is_of_cluster = scorer.scope is Scope.CLUSTER
        is_stale = is_of_cluster and scorer.stale()
        if scorer.is_flat():
            return set() if self._relative_raws.pop(index, None) is None else None
        if raw is None:
            rows = None
        elif is_of_cluster:
            rows = scorer.changed_rows() if is_stale else ()
        else:
            rows = changed if scorer.scope is Scope.HOST else ()
        if rows is None or raw is None:
            self._relative_raws[index] = scorer.raw(slice(0, self.snapshot.size)).copy()
            return None
        found = set()
        for row in rows:
            number = scorer.raw_of(row)
            if number != raw[row]:
                raw[row] = number
                found.add(row)
        return found

    def _rescore(self, index: int, rows: list[int] | None, written: set[int]) -> None:
        """A relative rule's points; `written` gets the rows whose points changed."""
        scorer, raw, points = self._scorer(index), self._relative_raws.get(index), self._points.get(index)
        if raw is None:
            if self._points.pop(index, None) is not None:
                written.update(range(self.snapshot.size))
            return
        affected = None
        if rows is not None and points is not None:
            affected = scorer.rescore(points, raw, self._feasible, rows)
        if affected is None:
            self._points[index] = scorer.normalise(raw, self._feasible)
            written.update(range(len(raw)))
        else:
            written.update(affected)

    def _write_keys(self, rows: set[int]) -> None:
        if len(rows) > _FEW_KEYS:
            self._combine_keys()
            return
        for row in rows:
            if not self._feasible[row]:
                self._keys[row] = -1
                continue
            total = int(self._own_total[row])
            for i, points in self._points.items():
                total += self.scorers[i].weight * int(points[row])
            self._keys[row] = (total << TIE_BITS) + int(self._ties[row])

    def _unfold(self) -> None:
        """Somebody asks about rows of a table that goes by states."""
        if self._is_by_state and self._rows_mark != self.snapshot.journal.mark():
            self._judge_rows()

    # --- answers --------------------------------------------------------------------------------------------------

    def best(self) -> int | None:
        """The row of the best host; None when none fits."""
        if not self._is_by_state:
            row = int(self._keys.argmax()) if len(self._keys) else 0
            return row if len(self._keys) and self._keys[row] >= 0 else None
        self._judge_places()
        leaders = self.snapshot.leaders_of(self._ties, self._fixed)
        size = self.snapshot.states.size
        keys = self._scores[:size] + leaders.tie[:size]
        place = int(keys.argmax()) if size else 0
        return int(leaders.row[place]) if size and keys[place] >= 0 else None

    def fits(self, row: int) -> bool:
        """Whether the pod fits on one host."""
        if not self._is_by_state:
            return bool(self._feasible[row])
        self._judge_places()
        return bool(self._fixed[row] and self._scores[self.snapshot.states.ids[row]] >= 0)

    @property
    def feasible(self) -> BoolArray:
        """The hosts on which the pod fits, by row."""
        self._unfold()
        return self._feasible

    def tie(self, row: int) -> int:
        """The tie-break hash of a row: the greater one wins."""
        return int(self._ties[row])

    def order(self) -> list[int]:
        """The rows of all hosts: those that fit first, the best of them first of all."""
        self._unfold()
        rows = np.flatnonzero(self.snapshot.alive[: self.snapshot.size])
        best_first: list[int] = rows[np.argsort(-self._keys[rows], kind="stable")].tolist()
        return best_first

    def totals(self) -> IntArray:
        """The weighted sum of the scores of all rows; only feasible ones mean anything."""
        self._unfold()
        totals = self._own_total
        for i, points in self._points.items():
            totals = totals + self.scorers[i].weight * points
        return totals

    @property
    def passes(self) -> list[BoolArray]:
        """What each of `checks` says of each row."""
        self._forget_old_answers()
        if self._passes is None:
            self._passes = [check.allowed(slice(0, self.snapshot.size)) for _, check in self.checks]
        return self._passes

    def raw_of(self, index: int) -> IntArray:
        """What one prepared scorer says of each row, before it is scaled."""
        self._unfold()
        raw = self._relative_raws.get(index)
        return raw if raw is not None else self._scorer(index).raw(slice(0, self.snapshot.size))

    def scores_of(self, index: int) -> IntArray:
        """What one prepared scorer gives each row, 0…100."""
        scorer = self._scorer(index)
        return scorer.normalise(self.raw_of(index), self.feasible) if scorer.is_relative else self.raw_of(index)

    def rejections(self) -> tuple[Rejection, ...]:
        """Why hosts do not fit, each by the first predicate that it fails, the most frequent reason first."""
        self._forget_old_answers()
        if self._rejections is None:
            self._rejections = self._collect_rejections()
        return self._rejections

    def _forget_old_answers(self) -> None:
        if self._is_by_state and self._answers_mark != self.snapshot.journal.mark():
            self._forget_answers()

    def _collect_rejections(self) -> tuple[Rejection, ...]:
        snapshot = self.snapshot
        undecided = snapshot.alive[: snapshot.size].copy()
        found: list[Rejection] = []
        for (predicate, check), verdicts in zip(self.checks, self.passes, strict=True):
            rows = np.flatnonzero(undecided & ~verdicts)
            undecided &= verdicts
            if len(rows):
                found += [
                    Rejection(predicate.name, one.reason, one.hosts, snapshot.node(one.example).name, one.differs)
                    for one in check.tally(rows)
                ]
        return tuple(sorted(found, key=lambda rejection: (-rejection.hosts, rejection.reason.text)))
