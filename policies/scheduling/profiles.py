"""Profiles: named schedulers that differ in which predicates hold and how priorities weigh.

`objects.own.config.SchedulerProfile` says it in the repository; here it becomes rules. Plug-ins are rules like ours,
found by entry points in the reconciler and handed in (see `Rules`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeGuard

from objects.errors import InvalidInput
from objects.own.config import SchedulerProfile
from policies.scheduling.predicates.node import Conditions, HostName, NodeAffinity, Unschedulable
from policies.scheduling.predicates.pod_affinity import PodAffinity
from policies.scheduling.predicates.ports import HostPorts
from policies.scheduling.predicates.resources import Resources
from policies.scheduling.predicates.spread import TopologySpread
from policies.scheduling.predicates.taints import Taints
from policies.scheduling.predicates.volumes import DiskConflict, VolumeBinding, VolumeCount, VolumeZone
from policies.scheduling.priorities.node import ImageLocality, TaintToleration
from policies.scheduling.priorities.node import NodeAffinity as NodeAffinityPriority
from policies.scheduling.priorities.pod_affinity import InterPodAffinity
from policies.scheduling.priorities.resources import BalancedAllocation, LeastRequested, MostRequested, usual_weights
from policies.scheduling.priorities.selector_spread import SelectorSpread
from policies.scheduling.priorities.spread import TopologySpreadPriority
from policies.scheduling.rules import Predicate, Priority, SharedPredicate, Silent

DEFAULT_SCHEDULER: Final = "default-scheduler"


def built_in_predicates() -> tuple[Predicate, ...]:
    """In the order in which they are asked: the first that fails names the reason, so the plainest come first."""
    return (
        Unschedulable(),
        HostName(),
        Conditions(),
        Taints(),
        NodeAffinity(),
        VolumeBinding(),
        VolumeZone(),
        DiskConflict(),
        VolumeCount(),
        HostPorts(),
        Resources(),
        TopologySpread(),
        PodAffinity(),
    )


def built_in_priorities() -> tuple[Priority, ...]:
    return (
        LeastRequested(),
        MostRequested(),
        BalancedAllocation(),
        SelectorSpread(),
        InterPodAffinity(),
        TopologySpreadPriority(),
        ImageLocality(),
        NodeAffinityPriority(),
        TaintToleration(),
    )


@dataclass(frozen=True, slots=True)
class Rules:
    """Every rule that profiles may name: ours, and those of plug-ins."""

    predicates: tuple[Predicate, ...] = field(default_factory=built_in_predicates)
    priorities: tuple[Priority, ...] = field(default_factory=built_in_priorities)

    def with_plugins(self, predicates: Iterable[Predicate], priorities: Iterable[Priority]) -> Rules:
        """Add rules of plug-ins. Raises InvalidInput for a name that is taken: nobody replaces a rule by accident."""
        added = Rules((*self.predicates, *predicates), (*self.priorities, *priorities))
        for rules in (added.predicates, added.priorities):
            names = [rule.name for rule in rules]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise InvalidInput(f"scheduling rule {', '.join(twice)} exists twice: rename the plug-in's")
        return added


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A scheduler's rules in force. priorities: with their weights, 0 meaning off.

    Sorted for tables, each with its number in `predicates` or `priorities`, and without what is off: shared_predicates,
    whose checks shapes share; request_predicates and request_priorities, which read nothing but requests; the others,
    with their `is_silent` where they have one. usual_weights: see `priorities.resources.usual_weights`.
    """

    name: str
    predicates: tuple[Predicate, ...]
    priorities: tuple[tuple[Priority, int], ...]
    shared_predicates: tuple[tuple[int, SharedPredicate], ...] = field(init=False)
    request_predicates: tuple[tuple[int, Predicate], ...] = field(init=False)
    own_predicates: tuple[tuple[int, Predicate, Silent | None], ...] = field(init=False)
    request_priorities: tuple[tuple[int, Priority, int], ...] = field(init=False)
    own_priorities: tuple[tuple[int, Priority, int, Silent | None], ...] = field(init=False)
    usual_weights: tuple[int, int] | None = field(init=False)

    def __post_init__(self) -> None:
        numbered = tuple(enumerate(self.predicates))
        weighed = tuple((number, rule, weight) for number, (rule, weight) in enumerate(self.priorities) if weight)
        of_requests = tuple(one for one in weighed if _reads_requests_only(one[1]))
        own = (one for one in numbered if not (_is_shared(one[1]) or _reads_requests_only(one[1])))
        own_weighed = (one for one in weighed if not _reads_requests_only(one[1]))
        sorted_out: dict[str, object] = {
            "shared_predicates": tuple((number, rule) for number, rule in numbered if _is_shared(rule)),
            "request_predicates": tuple(one for one in numbered if _reads_requests_only(one[1])),
            "own_predicates": tuple((*one, _silence_of(one[1])) for one in own),
            "request_priorities": of_requests,
            "own_priorities": tuple((*one, _silence_of(one[1])) for one in own_weighed),
            "usual_weights": usual_weights([(rule, weight) for _, rule, weight in of_requests]),
        }
        for name, rules in sorted_out.items():
            object.__setattr__(self, name, rules)


# Of rules their classes are asked: a plug-in that fails when its rule is touched must not fail here, where all profiles
# are made.


def _is_shared(rule: Predicate) -> TypeGuard[SharedPredicate]:
    return hasattr(type(rule), "reads")


def _reads_requests_only(rule: Predicate | Priority) -> bool:
    return getattr(type(rule), "reads_requests_only", False) is True


def _silence_of(rule: Predicate | Priority) -> Silent | None:
    return getattr(rule, "is_silent", None) if hasattr(type(rule), "is_silent") else None


def default_profile(rules: Rules | None = None) -> Profile:
    """Every predicate, and every priority with its own weight."""
    return make_profile(SchedulerProfile(name=DEFAULT_SCHEDULER), rules or Rules())


def make_profile(settings: SchedulerProfile, rules: Rules) -> Profile:
    """Resolve the settings of one profile. Raises InvalidInput for a rule that does not exist, or a weight below 0."""
    weights = {priority.name: priority.weight for priority in rules.priorities}
    predicates = {predicate.name for predicate in rules.predicates}
    for chosen in settings.priorities:
        _require(chosen.name, weights, f"priority of profile {settings.name}")
        if chosen.weight is not None and chosen.weight < 0:
            raise InvalidInput(
                f"priority {chosen.name} of profile {settings.name} has weight {chosen.weight}: 0 or more"
            )
        # Named without a weight: switched on.
        weights[chosen.name] = chosen.weight if chosen.weight is not None else max(1, weights[chosen.name])
    for name in settings.disabled_priorities:
        _require(name, weights, f"disabled priority of profile {settings.name}")
        weights[name] = 0
    for name in settings.disabled_predicates:
        _require(name, dict.fromkeys(predicates), f"disabled predicate of profile {settings.name}")
    return Profile(
        name=settings.name,
        predicates=tuple(p for p in rules.predicates if p.name not in settings.disabled_predicates),
        priorities=tuple((priority, weights[priority.name]) for priority in rules.priorities),
    )


def _require(name: str, known: Mapping[str, object], what: str) -> None:
    if name not in known:
        raise InvalidInput(f"{what} '{name}' does not exist", hint=f"one of {', '.join(sorted(known))}")


def sound_profiles(
    settings: Iterable[SchedulerProfile], rules: Rules | None = None
) -> tuple[dict[str, Profile], dict[str, str]]:
    """The profiles that can be used, by name, and why each other one cannot: a mistake in one holds no other's pods."""
    rules, every = rules or Rules(), tuple(settings)
    names = [one.name for one in every]
    profiles, wrong = {DEFAULT_SCHEDULER: default_profile(rules)}, dict[str, str]()
    for one in every:
        try:
            profiles |= {one.name: make_profile(one, rules)}
            problem = f"scheduler profile '{one.name}' exists twice" if names.count(one.name) > 1 else ""
        except InvalidInput as error:
            problem = str(error)
        if problem:
            wrong[one.name] = problem
    return {name: profile for name, profile in profiles.items() if name not in wrong}, wrong


def make_profiles(settings: Iterable[SchedulerProfile], rules: Rules | None = None) -> dict[str, Profile]:
    """All profiles by name; `default-scheduler` always exists. Raises InvalidInput, also for a name used twice."""
    rules = rules or Rules()
    profiles = {DEFAULT_SCHEDULER: default_profile(rules)}
    seen: set[str] = set()
    for one in settings:
        if one.name in seen:
            raise InvalidInput(f"scheduler profile '{one.name}' exists twice")
        seen.add(one.name)
        profiles[one.name] = make_profile(one, rules)
    return profiles
