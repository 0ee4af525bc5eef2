"""All hosts judged for all pods of one shape: verdicts, scores and the best host, brought up to date change by change.

A decision costs one search for the greatest key. A key is a host's total score with the tie-break hash below it, or -1
where the pod does not fit, so that the greatest key *is* the decision.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Final

import numpy as np

from policies.scheduling.profiles import Profile
from policies.scheduling.rules import (
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


class TieBreaker:
    """A hash for each row, of the host's name and the seed: independent of the order in which hosts arrived."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._names: list[str] = []
        self._hashes: IntArray = np.zeros(0, dtype=np.int64)

    def hashes(self, snapshot: Snapshot) -> IntArray:
        """By row; the array is never changed later."""
        names = snapshot.names
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
        self._host_checks = [i for i, (_, check) in enumerate(self.checks) if check.scope is Scope.HOST]
        self._cluster_checks = [i for i, (_, check) in enumerate(self.checks) if check.scope is Scope.CLUSTER]
        self._own = [i for i, one in enumerate(self.scorers) if not one.scorer.is_relative]
        self._host_own = [i for i in self._own if self.scorers[i].scorer.scope is Scope.HOST]
        self._relative = [i for i, one in enumerate(self.scorers) if one.scorer.is_relative]
        self._host_relative = [i for i in self._relative if self.scorers[i].scorer.scope is Scope.HOST]
        self._cluster_scores = [i for i, one in enumerate(self.scorers) if one.scorer.scope is Scope.CLUSTER]
        self._judge_all()

    def _judge_all(self) -> None:
        rows = slice(0, self.snapshot.size)
        self._rejections: tuple[Rejection, ...] | None = None
        self._mark = self.snapshot.journal.mark()
        self.passes = [check.allowed(rows).copy() for _, check in self.checks]
        self.raws = [one.scorer.raw(rows).copy() for one in self.scorers]
        self._combine()

    def _combine(self) -> None:
        """Verdicts, totals and keys from what the single rules say."""
        size = self.snapshot.size
        self.feasible: BoolArray = self.snapshot.alive[:size].copy()
        for verdicts in self.passes:
            self.feasible &= verdicts
        self._own_total: IntArray = np.zeros(size, dtype=np.int64)
        for i in self._own:
            self._own_total += self.scorers[i].weight * self.raws[i]
        self._combine_keys()

    def _combine_keys(self) -> None:
        self._relative_total: IntArray = np.zeros(len(self.feasible), dtype=np.int64)
        for i in self._relative:
            one = self.scorers[i]
            if one.scorer.is_flat():
                continue
            self._relative_total += one.weight * one.scorer.normalise(self.raws[i], self.feasible)
        totals = self._own_total + self._relative_total
        self._keys: IntArray = np.where(self.feasible, (totals << TIE_BITS) + self._ties, -1)

    # --- bringing up to date --------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Take in what changed in the snapshot since the last time. The structure must be the same."""
        entries = self.snapshot.journal.since(self._mark)
        changed = None if entries is None else set(entries)
        # Judging one row costs some microseconds, judging all of them some tens and a little for each.
        if changed is None or len(changed) > 8 + self.snapshot.size // 64:
            self._judge_all()
            return
        if changed:
            self._rejections = None
        self._mark = self.snapshot.journal.mark()
        self._refresh_cluster_checks()
        verdicts_changed = False
        scores_changed = self._refresh_cluster_scores()
        for row in changed:
            flipped, rescored = self._refresh_row(row)
            verdicts_changed |= flipped
            scores_changed |= rescored
        if scores_changed or (verdicts_changed and not self._is_flat()):
            self._combine_keys()

    def _is_flat(self) -> bool:
        """Whether no score depends on which other hosts are feasible."""
        return all(self.scorers[i].scorer.is_flat() for i in self._relative)

    def _refresh_cluster_checks(self) -> None:
        stale = [i for i in self._cluster_checks if self.checks[i].check.stale()]
        for i in stale:
            self.passes[i] = self.checks[i].check.allowed(slice(0, self.snapshot.size)).copy()
        if stale:
            self._rejections = None
            self._combine()

    def _refresh_cluster_scores(self) -> bool:
        stale = [i for i in self._cluster_scores if self.scorers[i].scorer.stale()]
        for i in stale:
            self.raws[i] = self.scorers[i].scorer.raw(slice(0, self.snapshot.size)).copy()
        if any(not self.scorers[i].scorer.is_relative for i in stale):
            self._combine()
        return bool(stale)

    def _refresh_row(self, row: int) -> tuple[bool, bool]:
        """Judge one host again. Returns whether its verdict flipped, and whether a relative raw number changed."""
        fits = bool(self.snapshot.alive[row])
        for i in self._host_checks:
            self.passes[i][row] = self.checks[i].check.allows(row)
        for verdicts in self.passes:
            fits = fits and bool(verdicts[row])
        rescored = False
        for i in self._host_relative:
            number = self.scorers[i].scorer.raw_of(row)
            rescored |= bool(number != self.raws[i][row])
            self.raws[i][row] = number
        own = 0
        for i in self._host_own:
            self.raws[i][row] = self.scorers[i].scorer.raw_of(row)
        for i in self._own:
            own += self.scorers[i].weight * int(self.raws[i][row])
        flipped = fits != bool(self.feasible[row])
        self.feasible[row] = fits
        self._own_total[row] = own
        total = own + int(self._relative_total[row])
        self._keys[row] = (total << TIE_BITS) + int(self._ties[row]) if fits else -1
        return flipped, rescored

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
        return self._own_total + self._relative_total

    def scores_of(self, index: int) -> IntArray:
        """What one prepared scorer gives each row, 0…100."""
        scorer = self.scorers[index].scorer
        return scorer.normalise(self.raws[index], self.feasible) if scorer.is_relative else self.raws[index]

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
