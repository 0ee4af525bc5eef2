"""Prune safety: what may be deleted because it is gone from Git. Pure.

The worst mistake of tools like this is to take "I read nothing" for "nothing is desired". So deletions follow only from
a complete reading (the caller's promise), and more than a budget of them at once needs a person's word: a commit
trailer `Berth-Confirm-Delete`, naming an Application, the number of objects, or `all`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TypeAlias

import msgspec

from objects.api.meta import IntOrString, ObjectKey

CONFIRM_TRAILER = "Berth-Confirm-Delete"
ORPHAN_TRAILER = "Berth-Orphan"
"""Of a commit that takes out an owner (`Kind/namespace/name`) whose dependents shall live on."""

GIVE_UP_TRAILER = "Berth-Give-Up"
"""Of a commit that gives up a PersistentVolume (its name): the claim that has it gets a fresh one."""

SMALL_DEPLOYMENT = 5
"""Up to this many deletions are never held: half of a tiny repository is an ordinary commit."""

Inventory: TypeAlias = Mapping[ObjectKey, str]
"""What was deployed: key → name of its Application ('' for objects that belong to the repository itself)."""


class PruneDecision(msgspec.Struct, frozen=True):
    """delete: keys to delete now, sorted. keep: keys that are gone from Git and stay by policy. held: why, or ''."""

    delete: tuple[ObjectKey, ...] = ()
    keep: tuple[ObjectKey, ...] = ()
    held: str = ""


def decide_prune(
    inventory: Inventory,
    wanted: Collection[ObjectKey],
    *,
    budget: IntOrString,
    confirmations: Collection[str] = (),
    protected_applications: Collection[str] = (),
    in_use: Collection[ObjectKey] = (),
) -> PruneDecision:
    """Which objects of `inventory` that are not in `wanted` may be deleted.

    budget: objects, or "N%" of the inventory (rounded up). protected_applications: with `prune: false` or suspended.
    in_use: what stays for now because something that runs needs it; it is not counted.

    inventory  gone  budget  confirmed ->  deleted
           10     3     50%          -          3
           10     8     50%          -          0   held
           10     8     50%        all          8
            4     4     50%          -          4   small
    """
    gone = sorted(key for key in inventory if key not in wanted)
    keep = tuple(key for key in gone if inventory[key] in protected_applications or key in in_use)
    candidates = tuple(key for key in gone if inventory[key] not in protected_applications and key not in in_use)
    allowed = max(budget_objects(budget, len(inventory)), SMALL_DEPLOYMENT)
    unconfirmed = [key for key in candidates if not _is_confirmed(inventory[key], len(candidates), confirmations)]
    if len(unconfirmed) > allowed:
        applications = ", ".join(sorted({inventory[key] or "(repository)" for key in unconfirmed}))
        held = (
            f"{len(candidates)} of {len(inventory)} deployed objects are gone from Git ({applications}), "
            f"the deletion budget is {budget}: nothing is deleted; to confirm, commit with the trailer "
            f"'{CONFIRM_TRAILER}: {len(candidates)}'"
        )
        return PruneDecision(keep=tuple(gone), held=held)
    return PruneDecision(delete=candidates, keep=keep)


def budget_objects(budget: IntOrString, total: int) -> int:
    """The budget in objects; a percentage of `total` is rounded up."""
    if isinstance(budget, int):
        return budget
    return math.ceil(total * int(budget.removesuffix("%")) / 100)


def _is_confirmed(application: str, count: int, confirmations: Collection[str]) -> bool:
    return any(word in ("all", str(count)) or (application and word == application) for word in confirmations)
