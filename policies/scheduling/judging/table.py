"""All hosts judged for all pods of one shape: verdicts, scores and the best host, brought up to date change by change.

As long as nothing but amounts and the hosts themselves tells hosts apart, each *state* of hosts is judged and not each
host (`StateScores`), and the best host is the winner of the best state. Else each host is (`RowScores`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from objects.api.pods import Pod
from policies.scheduling.judging.row_scores import RowScores, see_the_cluster
from policies.scheduling.judging.standing import standing_of
from policies.scheduling.judging.state_scores import StateScores
from policies.scheduling.priorities.resources import UsualScores
from policies.scheduling.profiles import Profile
from policies.scheduling.rules import (
    AmountCheck,
    AmountScorer,
    PreparedCheck,
    PreparedScorer,
    Rejection,
    Scope,
    Silent,
)
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import BoolArray, IntArray, Mark
from policies.scheduling.state.snapshot import Snapshot

_Checks = list[tuple[int, PreparedCheck]]
_Scorers = list[tuple[int, PreparedScorer]]


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
        snapshot = self.snapshot
        self._ties = ties
        self._basis = snapshot.structure, snapshot.workloads.version
        self._standing = standing_of(self.shape, snapshot, self._profile)
        self._fixed = self._standing.is_open
        self._silent: list[Silent] = []
        self._prepare()
        self._sort_rules()
        self._scores = self._scores_by_state()
        self._checks: list[PreparedCheck] | None = None
        self._scorers: list[PreparedScorer] | None = None
        self._rows: RowScores | None = None
        self._rows_mark: Mark = -1
        self._forget_answers()
        self._is_by_state = True
        self.refresh()

    def _prepare(self) -> None:
        """The rules that are about more than requests, unless they have nothing to say."""
        shape, snapshot = self.shape, self.snapshot
        self._own_checks: _Checks = []
        for number, predicate, is_silent in self._profile.own_predicates:
            if is_silent is not None and is_silent(shape, snapshot):
                self._silent.append(is_silent)
            elif (check := predicate.prepare(shape, snapshot)) is not None:
                self._own_checks.append((number, PreparedCheck(predicate, check)))
        self._own_scorers: _Scorers = []
        for number, priority, weight, is_silent in self._profile.own_priorities:
            if is_silent is not None and is_silent(shape, snapshot):
                self._silent.append(is_silent)
            elif (scorer := priority.prepare(shape, snapshot)) is not None:
                self._own_scorers.append((number, PreparedScorer(priority, weight, scorer)))

    def _sort_rules(self) -> None:
        """By what they have to be asked about, and when."""
        self._amount_rules: tuple[_Checks, _Scorers] = [], []
        self._by_row: list[PreparedCheck] = []
        self._others: list[PreparedScorer] = []
        for number, check in self._own_checks:
            if check.check.reads_amounts_only:
                self._amount_rules[0].append((number, check))
            elif check.check.scope is Scope.STRUCTURE:
                self._fixed = self._fixed & check.check.allowed(slice(0, self.snapshot.size))
            else:
                self._by_row.append(check)
        for number, scorer in self._own_scorers:
            if scorer.scorer.reads_amounts_only:
                self._amount_rules[1].append((number, scorer))
            else:
                self._others.append(scorer)

    def _scores_by_state(self) -> StateScores:
        """Shared with other shapes where the rules about amounts read nothing but requests."""
        if any(self._amount_rules):
            return self._judge_states()
        return self.snapshot.states.judged((self._profile, self.shape.amounts), self._judge_states)

    def _judge_states(self) -> StateScores:
        own_checks, own_scorers = self._amount_rules
        checks = [cast(AmountCheck, one.check) for _, one in (*self._request_checks(), *own_checks)]

        def scorers() -> list[tuple[int, AmountScorer]]:
            every = (*self._request_scorers(), *own_scorers)
            return [(one.weight, cast(AmountScorer, one.scorer)) for _, one in every]

        weights = self._profile.usual_weights
        usual = None if weights is None or own_scorers else UsualScores(self.shape, *weights)
        return StateScores(self.snapshot, checks, scorers, usual)

    # Prepared when they are asked for: most shapes request what another one does.

    def _request_checks(self) -> _Checks:
        return [
            (number, PreparedCheck(rule, check))
            for number, rule in self._profile.request_predicates
            if (check := rule.prepare(self.shape, self.snapshot)) is not None
        ]

    def _request_scorers(self) -> _Scorers:
        return [
            (number, PreparedScorer(rule, weight, scorer))
            for number, rule, weight in self._profile.request_priorities
            if (scorer := rule.prepare(self.shape, self.snapshot)) is not None
        ]

    @property
    def checks(self) -> list[PreparedCheck]:
        """Of all rules that say something about such pods."""
        if self._checks is None:
            numbered = [*self._standing.checks, *self._request_checks(), *self._own_checks]
            self._checks = [check for _, check in sorted(numbered, key=lambda one: one[0])]
        return self._checks

    @property
    def scorers(self) -> list[PreparedScorer]:
        """Of all rules that make a difference for such pods."""
        if self._scorers is None:
            numbered = [*self._request_scorers(), *self._own_scorers]
            self._scorers = [scorer for _, scorer in sorted(numbered, key=lambda one: one[0])]
        return self._scorers

    def is_founded_on(self, snapshot: Snapshot) -> bool:
        """Whether hosts and workloads are still what the rules were prepared for; else `rebuild`."""
        return self._basis == (snapshot.structure, snapshot.workloads.version)

    # --- bringing up to date --------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Take in what changed in the snapshot since the last time. What it is founded on must be the same."""
        for is_silent in self._silent:
            if not is_silent(self.shape, self.snapshot):
                self.rebuild(self._ties)
                return
        if not self._is_by_state:
            if self._by_rows().refresh():
                self._forget_answers()
        elif not self._tells_states_apart_only():
            self._is_by_state = False
            self._rows = None
            self._by_rows()

    def _tells_states_apart_only(self) -> bool:
        """Whether rules that read more than amounts make no difference now, having seen what is there now."""
        if not self._by_row and not self._others:
            return True
        see_the_cluster((one.check for one in self._by_row), (one.scorer for one in self._others))
        if any(one.check.scope is Scope.HOST or not one.check.is_open() for one in self._by_row):
            return False
        return all(one.scorer.is_flat() for one in self._others)

    def _by_rows(self) -> RowScores:
        """Host by host; when states alone decide, for somebody who asks for more than the best."""
        if self._rows is None:
            checks = [one.check for one in self._by_row]
            self._rows = RowScores(self.snapshot, self._ties, self._fixed, self._scores, checks, self._others)
        elif self._is_by_state and self._rows_mark != self.snapshot.journal.mark():
            self._rows.judge()
        self._rows_mark = self.snapshot.journal.mark()
        return self._rows

    def _forget_answers(self) -> None:
        self._rejections: tuple[Rejection, ...] | None = None
        self._passes: list[BoolArray] | None = None
        self._answers_mark: Mark = self.snapshot.journal.mark()

    def place_run(self, pods: Sequence[Pod]) -> list[int]:
        """See `RowScores.place_run`. To be called when `takes_runs`."""
        self.refresh()
        rows = self._by_rows().place_run(pods, self.shape) if self.takes_runs else []
        self._forget_answers()
        return rows

    @property
    def takes_runs(self) -> bool:
        """Whether many pods may be placed at once. Where states alone decide, one by one is as fast."""
        return not self._is_by_state and self._by_rows().takes_runs

    # --- answers --------------------------------------------------------------------------------------------------

    def best(self) -> int | None:
        """The row of the best host; None when none fits."""
        if not self._is_by_state:
            keys = self._by_rows().keys
            row = int(keys.argmax()) if len(keys) else 0
            return row if len(keys) and keys[row] >= 0 else None
        self._scores.refresh()
        leaders = self.snapshot.leaders_of(self._ties, self._fixed)
        size = self.snapshot.states.size
        keys = self._scores.by_place[:size] + leaders.tie[:size]
        place = int(keys.argmax()) if size else 0
        return leaders.row[place] if size and keys[place] >= 0 else None

    def fits(self, row: int) -> bool:
        """Whether the pod fits on one host."""
        if not self._is_by_state:
            return bool(self._by_rows().feasible[row])
        self._scores.refresh()
        return bool(self._fixed[row] and self._scores.by_place[self.snapshot.states.ids[row]] >= 0)

    @property
    def feasible(self) -> BoolArray:
        """The hosts on which the pod fits, by row."""
        return self._by_rows().feasible

    def tie(self, row: int) -> int:
        """The tie-break hash of a row: the greater one wins."""
        return int(self._ties[row])

    def order(self) -> list[int]:
        """The rows of all hosts: those that fit first, the best of them first of all."""
        rows = np.flatnonzero(self.snapshot.alive[: self.snapshot.size])
        best_first: list[int] = rows[np.argsort(-self._by_rows().keys[rows], kind="stable")].tolist()
        return best_first

    def totals(self) -> IntArray:
        """The weighted sum of the scores of all rows; only feasible ones mean anything."""
        return self._by_rows().totals()

    @property
    def passes(self) -> list[BoolArray]:
        """What each of `checks` says of each row."""
        self._forget_old_answers()
        if self._passes is None:
            self._passes = [check.allowed(slice(0, self.snapshot.size)) for _, check in self.checks]
        return self._passes

    def raw_of(self, index: int) -> IntArray:
        """What one prepared scorer says of each row, before it is scaled."""
        scorer = self.scorers[index].scorer
        raw = self._by_rows().raw_of(scorer)
        return raw if raw is not None else scorer.raw(slice(0, self.snapshot.size))

    def scores_of(self, index: int) -> IntArray:
        """What one prepared scorer gives each row, 0…100."""
        scorer = self.scorers[index].scorer
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
