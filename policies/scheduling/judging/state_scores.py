"""What rules about amounts say of each state of hosts, for all pods that request the same.

A thousand templates differ in names, labels and images, and request what many others do: they share one judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from policies.scheduling.priorities.resources import UsualScores
from policies.scheduling.rules import AmountCheck, AmountScorer
from policies.scheduling.state.arrays import IntArray, Mark, grown
from policies.scheduling.state.snapshot import Snapshot
from policies.scheduling.ties import TIE_BITS

_UNFIT: Final = -(2**61)
"""In place of the score of a state that does not fit: below 0 with any hash added, and with `NOBODY` still a number."""
_SHIFT: Final = np.array(TIE_BITS)


class StateScores:
    """by_place: the weighted sum of the scores for amounts above TIE_BITS, or below 0 where such pods do not fit.

    prepare_scorers: gives them with their weights. usual: says the same as all of them, faster, where states are plain.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        checks: Sequence[AmountCheck],
        prepare_scorers: Callable[[], Sequence[tuple[int, AmountScorer]]],
        usual: UsualScores | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._checks = checks
        self._prepare_scorers = prepare_scorers
        self._scorers: Sequence[tuple[int, AmountScorer]] | None = None
        self._usual = usual
        self._mark: Mark = -1
        self.by_place: IntArray = np.zeros(0, dtype=np.int64)

    def refresh(self) -> None:
        """Judge each state that is new."""
        snapshot, states = self._snapshot, self._snapshot.states
        states.refresh(snapshot, snapshot.journal, snapshot.size)
        mark = states.written.mark()
        if mark == self._mark:
            return
        entries = states.written.since(self._mark)
        self._mark = mark
        if entries is None:
            self.by_place = grown(self._judge(slice(0, states.size)), states.allocatable.shape[1])
            return
        if len(self.by_place) < states.size:
            self.by_place = grown(self.by_place, states.allocatable.shape[1])
        # The slice may hold others between them: judging those again does no harm.
        places = slice(min(entries), max(entries) + 1)
        self.by_place[places] = self._judge(places)

    def _judge(self, places: slice) -> IntArray:
        states = self._snapshot.states
        if self._usual is not None and states.is_plain:
            scores = self._usual.of(states, places)
        else:
            if self._scorers is None:
                self._scorers = self._prepare_scorers()
            scores = np.zeros(places.stop - places.start, dtype=np.int64)
            for weight, scorer in self._scorers:
                scores += weight * scorer.raw_by(states, places)
        np.left_shift(scores, _SHIFT, scores)
        for check in self._checks:
            if not check.is_open_by(states):
                scores[~check.allowed_by(states, places)] = _UNFIT
        return scores
