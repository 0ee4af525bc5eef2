"""The probes of one host and when each is due: a heap over the pure rules of `differ.kubelet.probes.probing`.

No clock, no threads: real and simulated hosts share it. What it tells (`facts`) changes only when its meaning does.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from msgspec import structs

from differ.kubelet.probes.probing import (
    Answer,
    ProbeOrder,
    ProbeState,
    begin_probe,
    fact_of,
    record_probe,
)
from objects.observation.host import ProbeFact

Key = tuple[str, str]
"""(container id, kind)"""


class ProbeBook:
    """Not thread-safe. Times are of the host's steady clock, which nobody sets."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._given: Sequence[ProbeOrder] = ()
        self._orders: dict[Key, ProbeOrder] = {}
        self._states: dict[Key, ProbeState] = {}
        self._facts: dict[Key, ProbeFact] = {}
        self._heap: list[tuple[datetime, Key]] = []
        self._asked: set[Key] = set()
        self.changes = 0
        """Grows whenever `facts` would tell something else."""

    def keep(self, orders: Sequence[ProbeOrder], now: datetime) -> None:
        """Exactly these probes from now on; what is known of those that go on is kept."""
        if orders == self._given:
            return
        self._given = orders
        before, self._orders = self._orders, {order.key: order for order in orders}
        for key in before.keys() - self._orders.keys():
            self._forget(key)
        for key, order in self._orders.items():
            known = before.get(key)
            if known is None or known.started_at != order.started_at:
                self._forget(key)
                self._begin(key, begin_probe(order, now, self._random))

    def next_due(self) -> datetime | None:
        """When the next probe is due that nobody asks right now."""
        while self._heap:
            due_at, key = self._heap[0]
            state = self._states.get(key)
            if state is not None and state.due_at == due_at and not state.is_over and key not in self._asked:
                return due_at
            heapq.heappop(self._heap)
        return None

    def take_due(self, now: datetime, *, early: timedelta = timedelta()) -> ProbeOrder | None:
        """A probe that is due; it is not given again before its answer is recorded.

        early: one that keeps a beat of at least ten times this is given so much before its time. The next one comes at
        its own time, not sooner.
        """
        due_at = self.next_due()
        if due_at is None or due_at > now + early:
            return None
        key = self._heap[0][1]
        if due_at > now and not (self._states[key].attempts and self._orders[key].period >= 10 * early):
            return None
        heapq.heappop(self._heap)
        self._asked.add(key)
        return structs.replace(self._orders[key], passed_before=self._states[key].last is True)

    def record(self, order: ProbeOrder, answer: Answer, now: datetime) -> bool:
        """Take in an answer. Returns whether it changed what there is to tell."""
        self._asked.discard(order.key)
        wanted, state = self._orders.get(order.key), self._states.get(order.key)
        if wanted is None or state is None:
            return False
        if wanted.started_at != order.started_at:
            # Another run of the container by now; its own first time was passed over while we asked.
            heapq.heappush(self._heap, (state.due_at, order.key))
            return False
        return self._begin(order.key, record_probe(wanted, state, answer, now))

    def facts(self) -> tuple[ProbeFact, ...]:
        """What the probes say, in a fixed order."""
        return tuple(self._facts[key] for key in sorted(self._facts))

    def pending(self) -> Iterator[tuple[ProbeOrder, ProbeState]]:
        """Every probe that will be asked again, and what is known of it."""
        return ((self._orders[key], state) for key, state in self._states.items() if not state.is_over)

    def _begin(self, key: Key, state: ProbeState) -> bool:
        self._states[key] = state
        heapq.heappush(self._heap, (state.due_at, key))
        fact = fact_of(self._orders[key], state)
        is_news = self._facts.get(key) != fact
        self._facts[key] = fact
        self.changes += is_news
        return is_news

    def _forget(self, key: Key) -> None:
        self._states.pop(key, None)
        self.changes += self._facts.pop(key, None) is not None
