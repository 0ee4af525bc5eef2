"""What rules about hosts themselves say (labels, taints, conditions): once for all shapes that are alike to them.

Two thousand templates differ in their images and amounts, and hardly ever in their node selectors and tolerations.
"""

from __future__ import annotations

from typing import NamedTuple

from policies.scheduling.profiles import Profile
from policies.scheduling.rules import PreparedCheck
from policies.scheduling.shape import PodShape
from policies.scheduling.state.arrays import BoolArray
from policies.scheduling.state.snapshot import Snapshot


class Standing(NamedTuple):
    """checks: those of shared rules that say something, by the rule's number. is_open: hosts that pass them, by row.

    Never changed: shared by all tables of such shapes.
    """

    checks: tuple[tuple[int, PreparedCheck], ...]
    is_open: BoolArray


def standing_of(shape: PodShape, snapshot: Snapshot, profile: Profile) -> Standing:
    """The verdicts of the profile's shared rules, kept until the snapshot's `structure` moves."""
    key = ("standing", profile, *[rule.reads(shape) for _, rule in profile.shared_predicates])
    return snapshot.remember(key, lambda: _judge(shape, snapshot, profile))


def _judge(shape: PodShape, snapshot: Snapshot, profile: Profile) -> Standing:
    is_open: BoolArray = snapshot.alive[: snapshot.size].copy()
    checks: list[tuple[int, PreparedCheck]] = []
    for number, rule in profile.shared_predicates:
        check = rule.prepare(shape, snapshot)
        if check is not None:
            checks.append((number, PreparedCheck(rule, check)))
            is_open &= check.allowed(slice(0, snapshot.size))
    return Standing(tuple(checks), is_open)
