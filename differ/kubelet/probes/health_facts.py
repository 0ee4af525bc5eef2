"""Facts of an observation about probes and hooks, found by pod, container and run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from objects.observation.host import (
    HookFact,
    HostObservation,
    ObservedContainer,
    ProbeFact,
)


class HealthFacts(NamedTuple):
    """Facts about the containers of one pod."""

    probes: tuple[ProbeFact, ...] = ()
    hooks: tuple[HookFact, ...] = ()

    def probe(self, found: ObservedContainer, kind: str) -> ProbeFact | None:
        """What the probe says of this run."""
        return next((fact for fact in self.probes if fact.kind == kind and _is_of_run(fact, found)), None)

    def hook(self, found: ObservedContainer, kind: str) -> HookFact | None:
        """The hook as it was begun in this run."""
        return next((fact for fact in self.hooks if fact.kind == kind and _is_of_run(fact, found)), None)


def _is_of_run(fact: ProbeFact | HookFact, found: ObservedContainer) -> bool:
    return fact.container_id == found.id and fact.started_at == found.started_at


NO_FACTS = HealthFacts()


def group_facts(observation: HostObservation) -> Mapping[str, HealthFacts]:
    """The facts by container id."""
    groups: dict[str, HealthFacts] = {}
    for probe in observation.probes:
        known = groups.get(probe.container_id, NO_FACTS)
        groups[probe.container_id] = known._replace(probes=(*known.probes, probe))
    for hook in observation.hooks:
        known = groups.get(hook.container_id, NO_FACTS)
        groups[hook.container_id] = known._replace(hooks=(*known.hooks, hook))
    return groups


def facts_about(containers: Iterable[ObservedContainer], groups: Mapping[str, HealthFacts]) -> HealthFacts:
    """The facts about these containers."""
    every = [groups[container.id] for container in containers if container.id in groups]
    if not every:
        return NO_FACTS
    return HealthFacts(
        tuple(fact for facts in every for fact in facts.probes), tuple(fact for facts in every for fact in facts.hooks)
    )
