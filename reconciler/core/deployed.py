"""What is deployed from Git: the record that tells an object which is gone from Git from one that never was there.

Nothing is deleted unless a complete reading no longer has it, its Application allows pruning and the deletion budget is
kept. What is decided here is carried out by the engine. No I/O, no store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from objects.api.meta import ObjectKey
from objects.own.config import Application, ClusterSpec
from policies.prune import decide_prune
from reconciler.state.messages import Desired, Restored


class PrunePlan(msgspec.Struct, frozen=True):
    """delete: keys to delete. inventory: what counts as deployed from Git after that. held: why nothing goes, or ''.

    protected: Applications whose objects stay when they are gone from Git.
    """

    delete: tuple[ObjectKey, ...]
    inventory: dict[ObjectKey, str]
    held: str
    protected: frozenset[str] = frozenset()


class Deployed:
    """inventory: what is deployed, key → Application; replaced as a whole or added to. protected: Applications whose
    objects stay even when these are gone from Git. kept: what lives on although the commit in force does not say so →
    the last commit that did. held: why nothing is deleted, or ''.
    """

    def __init__(self) -> None:
        self.inventory: dict[ObjectKey, str] = {}
        self.protected: frozenset[str] = frozenset()
        self.kept: dict[ObjectKey, str] = {}
        self.held = ""
        self.named: dict[ObjectKey, ObjectKey] = {}
        """ConfigMaps and Secrets that are gone from Git and stay while something names them → one that does."""
        self.is_pruned = True
        self._commit_before = ""
        # Keys of what is to go alone, until it has gone: its commit may be held, or overtaken by the next one.
        self._alone: frozenset[str] = frozenset()

    def restore(self, message: Restored) -> None:
        """What an earlier process knew."""
        self.inventory, self.protected, self.kept = dict(message.inventory), message.protected, dict(message.kept)
        self._alone = message.orphaned

    def copy(self) -> Deployed:
        twin = Deployed()
        twin.inventory, twin.protected, twin.kept = dict(self.inventory), self.protected, dict(self.kept)
        twin._alone, twin.named = self._alone, dict(self.named)
        return twin

    def take(
        self,
        message: Desired,
        *,
        in_force: str,
        brought: Mapping[ObjectKey, str],
        wanted: Collection[ObjectKey],
    ) -> None:
        """A commit comes. in_force: the one until now; brought: what that put there; wanted: keys of the new one."""
        if message.commit != in_force:
            self._commit_before = in_force
        if not self.is_pruned:
            # That one came and went unpruned: what it brought is deployed, and may be gone from this one.
            self.inventory = {**brought, **self.inventory}
        self._alone = (self._alone | message.orphaned) - {"/".join(key) for key in wanted}
        self.is_pruned = False

    def note_found(self, key: ObjectKey, application: str) -> None:
        """What was deployed shows on a host, and nobody knew of it."""
        self.inventory.setdefault(key, application)
        self.is_pruned = False

    def leaving(self, desired: Desired) -> set[ObjectKey]:
        """All that is gone from Git and that no policy keeps, but what goes alone: what it made lives on."""
        wanted = {obj.key for obj in desired.objects}
        protected = protected_applications(desired, self.protected)
        return {
            key
            for key, application in self.inventory.items()
            if key not in wanted and application not in protected and not self.goes_alone(key)
        }

    def prune(self, desired: Desired, settings: ClusterSpec, *, named: Mapping[ObjectKey, ObjectKey]) -> PrunePlan:
        """What goes with this commit; `settle` after it is gone. named: what of `leaving` stays → what names it."""
        self.is_pruned = True
        self.named = dict(named)
        return plan_prune(self.inventory, desired, settings, protected_before=self.protected, in_use=named.keys())

    @property
    def alone(self) -> list[str]:
        """Keys (`Kind/namespace/name`) of what is still there and is to go alone, sorted."""
        return sorted(self._alone & {"/".join(key) for key in self.inventory}) if self._alone else []

    def goes_alone(self, key: ObjectKey) -> bool:
        """Whether what it made shall live on."""
        return "/".join(key) in self._alone

    def settle(self, plan: PrunePlan, wanted: Collection[ObjectKey], *, is_there: Callable[[ObjectKey], bool]) -> None:
        """`plan` was carried out. Of a suspended Application there may be objects that never were deployed."""
        there = {key for key in plan.inventory if key in wanted or is_there(key)}
        self.inventory = {key: application for key, application in plan.inventory.items() if key in there}
        commits = {key: self.kept.get(key, self._commit_before) for key in there if key not in wanted}
        self.kept = {key: commit for key, commit in commits.items() if commit}
        self.protected, self.held = plan.protected, plan.held


def protected_applications(desired: Desired, protected_before: frozenset[str]) -> frozenset[str]:
    """Applications whose objects stay when these are gone from Git.

    protected_before: Applications that were not to be pruned (`prune: false`, suspended) when they were last in Git:
    an Application that is removed itself takes the word with it that its objects may go, and it never gave it.
    """
    applications = [obj for obj in desired.objects if isinstance(obj, Application)]
    declared = {app.name for app in applications}
    protected = {app.name for app in applications if app.spec.suspend or not app.spec.prune}
    return frozenset(protected | (protected_before - declared))


def plan_prune(
    inventory: Mapping[ObjectKey, str],
    desired: Desired,
    settings: ClusterSpec,
    *,
    protected_before: frozenset[str] = frozenset(),
    in_use: Collection[ObjectKey] = (),
) -> PrunePlan:
    """What of `inventory` goes with this commit. Kept and held keys stay there: a later commit decides. Pure.

    protected_before: see `protected_applications`. in_use: what something that runs still needs.
    """
    protected = protected_applications(desired, protected_before)
    wanted = {obj.key: desired.application.get(obj.key, "") for obj in desired.objects}
    decision = decide_prune(
        inventory,
        wanted,
        budget=settings.sync.deletion_budget,
        confirmations=desired.confirmations,
        protected_applications=protected,
        in_use=in_use,
    )
    kept = {**{key: inventory[key] for key in decision.keep}, **wanted}
    return PrunePlan(decision.delete, kept, decision.held, frozenset(protected & set(kept.values())))
