"""Probes and hooks of a simulated host: asked when they are due, answered as the containers' programs say.

The book of probes is the real one. Like everything simulated, nothing happens but by the times that are given.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from msgspec import structs

from differ.kubelet.actions import RunHook
from differ.kubelet.probes.checks import SleepCheck
from differ.kubelet.probes.probing import Answer, ProbeOrder
from hosts.probes.schedule import ProbeBook
from hosts.simulated.engine import SimulatedEngine
from objects.observation.host import HookFact


class SimulatedHealth:
    """Not thread-safe."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        # A source of its own: probes must not shift the faults of a seeded history.
        self.probes = ProbeBook(Random(0))
        self._hooks: dict[tuple[str, str], HookFact] = {}
        self._begun = 0

    @property
    def changes(self) -> int:
        """Grows whenever there is something new to tell."""
        return self.probes.changes + self._begun

    def ask(self, now: datetime, *, can_ask: bool) -> None:
        """Ask one probe that is due. can_ask: whether the host is in reach."""
        order = self.probes.take_due(now)
        if order is not None:
            self.probes.record(order, self._answer(order, now) if can_ask else Answer(None), now)

    def begin_hook(self, action: RunHook, now: datetime) -> None:
        """Begin a hook, unless it was begun in this run of the container already."""
        known = self._hooks.get((action.id, action.kind))
        program = self._engine.program_of(action.id)
        if program is None or (known is not None and known.started_at == action.started_at):
            return
        seconds, error = program.hooks.get(action.kind, (0.0, ""))
        if isinstance(action.check, SleepCheck):
            seconds, error = float(action.check.seconds), ""
        if seconds > action.timeout_seconds:
            seconds, error = action.timeout_seconds, f"command timed out after {action.timeout_seconds:g} s"
        fact = HookFact(container_id=action.id, kind=action.kind, started_at=action.started_at, begun_at=now)
        self._hooks[action.id, action.kind] = structs.replace(
            fact, ended_at=now + timedelta(seconds=seconds), error=error
        )
        self._begun += 1

    def hooks(self) -> tuple[HookFact, ...]:
        """How the hooks go; those of containers that are gone are forgotten."""
        self._hooks = {key: fact for key, fact in self._hooks.items() if key[0] in self._engine.containers}
        return tuple(self._hooks[key] for key in sorted(self._hooks))

    def next_news(self, now: datetime) -> datetime | None:
        """When a probe will say something else than before, or a hook ends, as far as that can be told now."""
        probes = (
            state.due_at
            for order, state in self.probes.pending()
            if self._answer(order, state.due_at).passes not in (None, state.passes)
        )
        hooks = (fact.ended_at for fact in self._hooks.values() if fact.ended_at is not None and fact.ended_at > now)
        return min((*probes, *hooks), default=None)

    def _answer(self, order: ProbeOrder, at: datetime) -> Answer:
        program = self._engine.program_of(order.container_id)
        if program is None:
            return Answer(None)
        said = program.answer(order.kind, (at - order.began_at).total_seconds())
        return Answer(not said, said)
