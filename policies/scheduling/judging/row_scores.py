"""All hosts judged one by one for pods of one shape, brought up to date change by change.

Needed where more than amounts tells hosts apart: who runs beside whom, ports, images. Each host has a key: its total
score with the tie-break hash below it, or -1 where the pod does not fit, so that the greatest key *is* the decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from objects.api.pods import Pod
from policies.scheduling.judging.state_scores import StateScores
from policies.scheduling.rules import Check, PreparedScorer, Scope, Scorer
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import BoolArray, IntArray, Mark
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TIE_BITS

_FEW_ROWS: Final = 16
"""Judging one row costs some microseconds, judging all some hundred."""
_FEW_KEYS: Final = 64
"""Beyond so many rows their keys are made all at once."""


def see_the_cluster(checks: Iterable[Check], scorers: Iterable[Scorer]) -> None:
    """Let the rules about the cluster see what is there now."""
    for check in checks:
        if check.scope is Scope.CLUSTER:
            check.stale()
    for scorer in scorers:
        if scorer.scope is Scope.CLUSTER:
            scorer.stale()


class RowScores:
    """feasible, keys: by row. ties: a hash by row, below 2**TIE_BITS. fixed: hosts that rules about hosts let through.

    checks, scorers: what reads more than amounts; amounts: what the others say of each state.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        ties: IntArray,
        fixed: BoolArray,
        amounts: StateScores,
        checks: Sequence[Check],
        scorers: Sequence[PreparedScorer],
    ) -> None:
        self._snapshot = snapshot
        self._ties = ties
        self._fixed = fixed
        self._amounts = amounts
        self._row_checks = [check for check in checks if check.scope is Scope.HOST]
        self._cluster_checks = [check for check in checks if check.scope is Scope.CLUSTER]
        # By scorer its weight: those whose score is their own number, and those that are set against other hosts'.
        self._own = {one.scorer: one.weight for one in scorers if not one.scorer.is_relative}
        self._relative = {one.scorer: one.weight for one in scorers if one.scorer.is_relative}
        self._own_of_cluster = [scorer for scorer in self._own if scorer.scope is Scope.CLUSTER]
        self._mark: Mark
        self.judge()

    # --- many at once ---------------------------------------------------------------------------------------------

    @property
    def takes_runs(self) -> bool:
        """Whether hosts are set apart by nothing but amounts and steady scores."""
        if self._row_checks or self._cluster_checks or self._own:
            return False
        return all(scorer.is_steady() for scorer in self._relative)

    def place_run(self, pods: Sequence[Pod], shape: PodShape) -> list[int]:
        """Place pods of one shape on the best hosts, one on each, if that is what comes of one after another.

        Returns their rows, or nothing when it is not, and nothing was changed then. It is, when afterwards every other
        host's key is what it was, and all of theirs are below the one that was chosen last: then each of these hosts
        was the best at its turn. To be called when up to date and `takes_runs`.
        """
        before, number = self.keys.copy(), len(pods)
        if number >= len(before):
            return []
        best = np.argpartition(before, -number)[-number:]
        best = best[np.argsort(-before[best])]
        last = before[best[-1]]
        if last < 0 or np.count_nonzero(before >= last) != number:
            return []
        rows: list[int] = best.tolist()
        for pod, row in zip(pods, rows, strict=True):
            self._snapshot.place(pod, shape, row)
        self.refresh()
        theirs, others = self.keys[best], self.keys.copy()
        others[best] = before[best]
        if ((theirs >= 0) & (theirs < last)).all() and np.array_equal(others, before):
            return rows
        for pod in pods:
            self._snapshot.remove_pod(pod.uid)
        self.refresh()
        return []

    # --- bringing up to date --------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Take in what changed in the snapshot since the last time. Returns whether a host may have another verdict."""
        journal = self._snapshot.journal
        entries = journal.since(self._mark)
        changed = None if entries is None else set(entries)
        if changed is None or len(changed) > _FEW_ROWS:
            see_the_cluster(self._cluster_checks, (*self._own, *self._relative))
            self.judge()
            return True
        self._mark = journal.mark()
        self._amounts.refresh()
        is_closed_anew = bool(self._cluster_checks) and self._refresh_cluster_checks()
        is_scored_anew = bool(self._own_of_cluster) and self._refresh_own_of_cluster()
        flipped = [row for row in changed if self._refresh_row(row)]
        if is_closed_anew or is_scored_anew:
            for scorer in self._relative:
                self._refresh_raws(scorer, changed)
            self._combine()
            return True
        written = changed.copy()
        for scorer in self._relative:
            rows = self._refresh_raws(scorer, changed)
            if rows is None or rows or flipped:
                self._rescore(scorer, None if rows is None else [*rows.union(flipped)], written)
        self._write_keys(written)
        return bool(changed)

    def judge(self) -> None:
        """Every host from nothing."""
        self._mark = self._snapshot.journal.mark()
        self._amounts.refresh()
        self._judge_open()
        rows = slice(0, self._snapshot.size)
        self._own_raws = {scorer: scorer.raw(rows).copy() for scorer in self._own if not scorer.is_flat()}
        self._relative_raws = {scorer: scorer.raw(rows).copy() for scorer in self._relative if not scorer.is_flat()}
        self._combine()

    def _judge_open(self) -> None:
        """Where everything but amounts is right."""
        rows = slice(0, self._snapshot.size)
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
        scores = self._amounts.by_place[self._snapshot.states.ids]
        self.feasible: BoolArray = self._open & (scores >= 0)
        # Of hosts that do not fit the number means nothing.
        self._own_total: IntArray = scores >> TIE_BITS
        for scorer, raw in self._own_raws.items():
            self._own_total += self._own[scorer] * raw
        self._points: dict[Scorer, IntArray] = {}
        for scorer, raw in self._relative_raws.items():
            if not scorer.is_flat():
                self._points[scorer] = scorer.normalise(raw, self.feasible)
        self._combine_keys()

    def _combine_keys(self) -> None:
        self.keys: IntArray = np.where(self.feasible, (self.totals() << TIE_BITS) + self._ties, -1)

    def totals(self) -> IntArray:
        """The weighted sum of the scores of all rows; only feasible ones mean anything."""
        totals = self._own_total
        for scorer, points in self._points.items():
            totals = totals + self._relative[scorer] * points
        return totals

    def raw_of(self, scorer: Scorer) -> IntArray | None:
        """What a relative one says of each row, if anything."""
        return self._relative_raws.get(scorer)

    def _refresh_cluster_checks(self) -> bool:
        stale = [check for check in self._cluster_checks if check.stale()]
        if not stale:
            return False
        self._judge_open()
        return True

    def _refresh_own_of_cluster(self) -> bool:
        """Whether a score that is not relative changed for hosts on which nothing changed."""
        stale = [scorer for scorer in self._own_of_cluster if scorer.stale()]
        for scorer in stale:
            self._own_raws.pop(scorer, None)
            if not scorer.is_flat():
                self._own_raws[scorer] = scorer.raw(slice(0, self._snapshot.size)).copy()
        return bool(stale)

    def _refresh_row(self, row: int) -> bool:
        """Judge one host again, but for its relative scores. Returns whether its verdict flipped."""
        score = self._amounts.by_place.item(self._snapshot.states.ids[row])
        if self._row_checks:
            is_open = bool(self._fixed[row]) and (self._cluster_open is None or bool(self._cluster_open[row]))
            self._open[row] = is_open and all(check.allows(row) for check in self._row_checks)
        own = score >> TIE_BITS
        for scorer, raw in self._own_raws.items():
            if scorer.scope is Scope.HOST:
                raw[row] = scorer.raw_of(row)
            own += self._own[scorer] * int(raw[row])
        self._own_total[row] = own
        fits = score >= 0 and self._open.item(row)
        if fits == self.feasible.item(row):
            return False
        self.feasible[row] = fits
        return True

    def _refresh_raws(self, scorer: Scorer, changed: set[int]) -> set[int] | None:
        """The rows whose raw number of a relative rule is another one now; None: perhaps all."""
        raw = self._relative_raws.get(scorer)
        is_of_cluster = scorer.scope is Scope.CLUSTER
        is_stale = is_of_cluster and scorer.stale()
        if scorer.is_flat():
            return set() if self._relative_raws.pop(scorer, None) is None else None
        if raw is None:
            rows = None
        elif is_of_cluster:
            rows = scorer.changed_rows() if is_stale else ()
        else:
            rows = changed if scorer.scope is Scope.HOST else ()
        if rows is None or raw is None:
            self._relative_raws[scorer] = scorer.raw(slice(0, self._snapshot.size)).copy()
            return None
        found = set()
        for row in rows:
            number = scorer.raw_of(row)
            if number != raw.item(row):
                raw[row] = number
                found.add(row)
        return found

    def _rescore(self, scorer: Scorer, rows: list[int] | None, written: set[int]) -> None:
        """A relative rule's points; `written` gets the rows whose points changed."""
        raw, points = self._relative_raws.get(scorer), self._points.get(scorer)
        if raw is None:
            if self._points.pop(scorer, None) is not None:
                written.update(range(self._snapshot.size))
            return
        affected = None
        if rows is not None and points is not None:
            affected = scorer.rescore(points, raw, self.feasible, rows)
        if affected is None:
            self._points[scorer] = scorer.normalise(raw, self.feasible)
            written.update(range(len(raw)))
        else:
            written.update(affected)

    def _write_keys(self, rows: set[int]) -> None:
        if len(rows) > _FEW_KEYS:
            self._combine_keys()
            return
        for row in rows:
            if not self.feasible.item(row):
                self.keys[row] = -1
                continue
            total = self._own_total.item(row)
            for scorer, points in self._points.items():
                total += self._relative[scorer] * points.item(row)
            self.keys[row] = (total << TIE_BITS) + self._ties.item(row)
