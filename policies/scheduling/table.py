"""All hosts judged for all pods of one shape: verdicts, scores and the best host, brought up to date change by change.

A decision costs one search for the greatest key. A key is a host's total score with the tie-break hash below it, or -1
where the pod does not fit, so that the greatest key *is* the decision.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection
from typing import Final

import numpy as np

from policies.scheduling.profiles import Profile
from policies.scheduling.rules import (
    AmountCheck,
    AmountScorer,
    PreparedCheck,
    PreparedScorer,
    Rejection,
    Scope,
)
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import BoolArray, IntArray, grown
from policies.scheduling.state.snapshot import Snapshot

TIE_BITS: Final = 40
"""Leaves 23 bits for the total score: weights may sum up to 80,000."""


_FEW_ROWS: Final = 4
_ROWS_FOR_STATES: Final = 400
_FEW_KEYS: Final = 64
"""Beyond so many rows their keys are made all at once."""


class TieBreaker:
    """A hash for each row, of the host's name and the seed: independent of the order in which hosts arrived."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._names: list[str] = []
        self._structure = -1
        self._hashes: IntArray = np.zeros(0, dtype=np.int64)

    def hashes(self, snapshot: Snapshot) -> IntArray:
        """By row; the array is never changed later."""
        names = snapshot.names
        if self._structure == snapshot.structure:
            return self._hashes
        self._structure = snapshot.structure
        if names != self._names:
            old = self._names
            self._hashes = grown(self._hashes, len(names))
            for row, name in enumerate(names):
                if row >= len(old) or old[row] != name:
                    self._hashes[row] = _tie_hash(name, self._seed)
            self._names = list(names)
        return self._hashes


@functools.lru_cache(maxsize=32768)
def _tie_hash(host: str, seed: int) -> int:
    digest = hashlib.blake2b(f"{seed}\0{host}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - TIE_BITS)


class HostTable:
    """Verdicts and scores for one shape under one profile. ties: a hash by row, below 2**TIE_BITS."""

    def __init__(self, shape: PodShape, snapshot: Snapshot, profile: Profile, ties: IntArray) -> None:
        self.shape = shape
        self.snapshot = snapshot
        self._profile = profile
        self._ties = ties
        self.structure = -1
        self.rebuild(ties)

    # --- building -------------------------------------------------------------------------------------------------

    def rebuild(self, ties: IntArray) -> None:
        """Judge every host from nothing."""
        snapshot, shape = self.snapshot, self.shape
        self._ties = ties
        self.structure = snapshot.structure
        self.checks = [
            PreparedCheck(predicate, check)
            for predicate in self._profile.predicates
            if (check := predicate.prepare(shape, snapshot)) is not None
        ]
        self.scorers = [
            PreparedScorer(priority, weight, scorer)
            for priority, weight in self._profile.priorities
            if weight and (scorer := priority.prepare(shape, snapshot)) is not None
        ]
        checks = [check for _, check in self.checks]
        self._amount_checks = [check for check in checks if isinstance(check, AmountCheck)]
        self._row_checks = [c for c in checks if c.scope is Scope.HOST and not isinstance(c, AmountCheck)]
        self._cluster_checks = [check for check in checks if check.scope is Scope.CLUSTER]
        self._fixed: BoolArray = snapshot.alive[: snapshot.size].copy()
        for check in checks:
            if check.scope is Scope.STRUCTURE:
                self._fixed &= check.allowed(slice(0, snapshot.size))
        self._amount_scorers = [one for one in self.scorers if isinstance(one.scorer, AmountScorer)]
        self._own = [
            i for i, (_, _, one) in enumerate(self.scorers) if not (one.is_relative or isinstance(one, AmountScorer))
        ]
        self._relative = [i for i, one in enumerate(self.scorers) if one.scorer.is_relative]
        self._judge_all()

    def _judge_all(self) -> None:
        self._mark = self.snapshot.journal.mark()
        self._judge_open()
        rows = slice(0, self.snapshot.size)
        self._own_raws = {
            i: self.scorers[i].scorer.raw(rows).copy() for i in self._own if not self.scorers[i].scorer.is_flat()
        }
        self._relative_raws = {i: self.scorers[i].scorer.raw(rows).copy() for i in self._relative}
        self._judge_amounts()

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

    def _judge_amounts(self) -> None:
        """Each state of hosts once; then everything is put together."""
        snapshot, states = self.snapshot, self.snapshot.states
        states.refresh(snapshot, snapshot.journal, snapshot.size)
        places = slice(0, states.size)
        fits: BoolArray = np.ones(states.size, dtype=np.bool_)
        for check in self._amount_checks:
            fits &= check.allowed_by(states, places)
        points: IntArray = np.zeros(states.size, dtype=np.int64)
        for _, weight, scorer in self._amount_scorers:
            assert isinstance(scorer, AmountScorer)
            points += weight * scorer.raw_by(states, places)
        self._fits = fits[states.ids]
        self._amount_total = points[states.ids]
        self._combine()

    def _combine(self) -> None:
        """Verdicts, totals and keys from what the single rules say."""
        self._forget_answers()
        self.feasible: BoolArray = self._open & self._fits
        self._own_total: IntArray = self._amount_total
        for i, raw in self._own_raws.items():
            self._own_total = self._own_total + self.scorers[i].weight * raw
        if self._own_total is self._amount_total:
            self._own_total = self._amount_total.copy()
        self._points: dict[int, IntArray] = {}
        for i in self._relative:
            scorer = self.scorers[i].scorer
            if not scorer.is_flat():
                self._points[i] = scorer.normalise(self._relative_raws[i], self.feasible)
        self._combine_keys()

    def _combine_keys(self) -> None:
        totals = self.totals()
        self._keys: IntArray = np.where(self.feasible, (totals << TIE_BITS) + self._ties, -1)

    def _forget_answers(self) -> None:
        self._rejections: tuple[Rejection, ...] | None = None
        self._passes: list[BoolArray] | None = None

    # --- bringing up to date --------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Take in what changed in the snapshot since the last time. The structure must be the same."""
        entries = self.snapshot.journal.since(self._mark)
        changed = None if entries is None else set(entries)
        # Judging one row costs some microseconds; judging all costs some tens, and a little for each state of hosts.
        if changed is None or len(changed) > _FEW_ROWS + self.snapshot.states.size // _ROWS_FOR_STATES:
            self._judge_all_anew()
            return
        self._mark = self.snapshot.journal.mark()
        if changed:
            self._forget_answers()
        is_closed_anew = self._refresh_cluster_checks()
        is_scored_anew = self._refresh_own_of_cluster()
        flipped = [row for row in changed if self._refresh_row(row)]
        dirty = {i: rows for i in self._relative if (rows := self._refresh_raws(i, changed)) is None or rows or flipped}
        if is_closed_anew or is_scored_anew:
            self._combine()
            return
        for i, rows in dirty.items():
            self._rescore(i, None if rows is None else [*rows.union(flipped)], changed)
        self._write_keys(changed)

    def _judge_all_anew(self) -> None:
        """All rows, and what rules about the cluster remember of the last time."""
        for check in self._cluster_checks:
            check.stale()
        for _, _, scorer in self.scorers:
            if scorer.scope is Scope.CLUSTER:
                scorer.stale()
        self._judge_all()

    def _refresh_cluster_checks(self) -> bool:
        stale = [check for check in self._cluster_checks if check.stale()]
        if not stale:
            return False
        self._judge_open()
        return True

    def _refresh_own_of_cluster(self) -> bool:
        """Whether a score that is not relative changed for hosts on which nothing changed."""
        stale = [
            i for i in self._own if self.scorers[i].scorer.scope is Scope.CLUSTER and self.scorers[i].scorer.stale()
        ]
        for i in stale:
            scorer = self.scorers[i].scorer
            self._own_raws.pop(i, None)
            if not scorer.is_flat():
                self._own_raws[i] = scorer.raw(slice(0, self.snapshot.size)).copy()
        return bool(stale)

    def _refresh_row(self, row: int) -> bool:
        """Judge one host again, but for its relative scores. Returns whether its verdict flipped."""
        self._fits[row] = all(check.allows(row) for check in self._amount_checks)
        if self._row_checks:
            is_open = bool(self._fixed[row]) and (self._cluster_open is None or bool(self._cluster_open[row]))
            self._open[row] = is_open and all(check.allows(row) for check in self._row_checks)
        own = sum(weight * scorer.raw_of(row) for _, weight, scorer in self._amount_scorers)
        self._amount_total[row] = own
        for i, raw in self._own_raws.items():
            _, weight, scorer = self.scorers[i]
            if scorer.scope is Scope.HOST:
                raw[row] = scorer.raw_of(row)
            own += weight * int(raw[row])
        self._own_total[row] = own
        fits = bool(self._open[row] and self._fits[row])
        flipped = fits != bool(self.feasible[row])
        self.feasible[row] = fits
        return flipped

    def _refresh_raws(self, index: int, changed: set[int]) -> set[int] | None:
        """The rows whose raw number of a relative rule is another one now; None: perhaps all."""
        scorer, raw = self.scorers[index].scorer, self._relative_raws[index]
        if scorer.scope is Scope.HOST:
            rows: Collection[int] | None = changed
        elif scorer.scope is Scope.CLUSTER and scorer.stale():
            rows = scorer.changed_rows()
        else:
            rows = ()
        if rows is None:
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
        scorer, raw, points = self.scorers[index].scorer, self._relative_raws[index], self._points.get(index)
        if scorer.is_flat():
            if self._points.pop(index, None) is not None:
                written.update(range(len(raw)))
            return
        affected = None
        if rows is not None and points is not None:
            affected = scorer.rescore(points, raw, self.feasible, np.array(rows, dtype=np.int64))
        if affected is None:
            self._points[index] = scorer.normalise(raw, self.feasible)
            written.update(range(len(raw)))
        else:
            written.update(affected.tolist())

    def _write_keys(self, rows: set[int]) -> None:
        if len(rows) > _FEW_KEYS:
            self._combine_keys()
            return
        for row in rows:
            total = int(self._own_total[row])
            for i, points in self._points.items():
                total += self.scorers[i].weight * int(points[row])
            self._keys[row] = (total << TIE_BITS) + int(self._ties[row]) if self.feasible[row] else -1

    # --- answers --------------------------------------------------------------------------------------------------

    def best(self) -> int | None:
        """The row of the best host; None when none fits."""
        if not len(self._keys):
            return None
        row = int(self._keys.argmax())
        return row if self._keys[row] >= 0 else None

    def tie(self, row: int) -> int:
        """The tie-break hash of a row: the greater one wins."""
        return int(self._ties[row])

    def order(self) -> list[int]:
        """The rows of all hosts: those that fit first, the best of them first of all."""
        rows = np.flatnonzero(self.snapshot.alive[: self.snapshot.size])
        best_first: list[int] = rows[np.argsort(-self._keys[rows], kind="stable")].tolist()
        return best_first

    def totals(self) -> IntArray:
        """The weighted sum of the scores of all rows; only feasible ones mean anything."""
        totals = self._own_total
        for i, points in self._points.items():
            totals = totals + self.scorers[i].weight * points
        return totals

    @property
    def passes(self) -> list[BoolArray]:
        """What each of `checks` says of each row."""
        if self._passes is None:
            self._passes = [check.allowed(slice(0, self.snapshot.size)) for _, check in self.checks]
        return self._passes

    def raw_of(self, index: int) -> IntArray:
        """What one prepared scorer says of each row, before it is scaled."""
        raw = self._relative_raws.get(index)
        return raw if raw is not None else self.scorers[index].scorer.raw(slice(0, self.snapshot.size))

    def scores_of(self, index: int) -> IntArray:
        """What one prepared scorer gives each row, 0…100."""
        scorer = self.scorers[index].scorer
        return scorer.normalise(self.raw_of(index), self.feasible) if scorer.is_relative else self.raw_of(index)

    def rejections(self) -> tuple[Rejection, ...]:
        """Why hosts do not fit, each by the first predicate that it fails, the most frequent reason first."""
        if self._rejections is None:
            self._rejections = self._collect_rejections()
        return self._rejections

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
