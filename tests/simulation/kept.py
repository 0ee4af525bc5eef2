"""Worlds in which what is gone from Git is kept (`prune: false`), and no commit says any more what it was.

What is kept has to be read from its copy on the status branch; now and then there is none that can be read either.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import msgspec

from objects import codec
from objects.api.meta import KubeObject, ObjectKey, ObjectMeta
from objects.api.pods import Pod
from objects.own.config import Application, ApplicationSpec
from reconciler.core.engine import Engine
from reconciler.state.copies import copy_document, find_stand_in
from reconciler.state.messages import Desired, Restored

SHARE = 0.15
"""Of all worlds."""
LOST = 0.2
"""Of the copies that a process would begin with: nobody can read them any more."""
SAFE = "safe"
SAFE_APPLICATION = Application(metadata=ObjectMeta(name=SAFE), spec=ApplicationSpec(path="apps/safe", prune=False))


class Keeper:
    """What is deployed by an Application that keeps it. loses: whether copies on the status branch may get lost."""

    def __init__(self, seed: int) -> None:
        # A source of its own, so that the other worlds stay as they were.
        self._random = random.Random(f"kept {seed}")
        self.is_on = self._random.random() < SHARE
        self.loses = True
        self._copies: dict[ObjectKey, KubeObject] = {}
        self._known: set[ObjectKey] = set()

    def status_written(self, engine: Engine) -> None:
        """The copies lie in the same commit as the status."""
        if not self.is_on:
            return
        keys = [key for key in _safe(engine.inventory) if key.kind != Pod.KIND]
        live = {key: obj for key in keys if (obj := engine.store.find(key)) is not None}
        fresh = {key: codec.decode(copy_document(obj)) for key, obj in live.items()}
        self._copies, self._known = fresh, set(keys)

    def restored(self, status: Restored, desired: Desired) -> Restored:
        """What a process begins with: `status` with what `desired` does not say."""
        if not self.is_on:
            return status
        gone = sorted(_safe(status.inventory) - {obj.key for obj in desired.objects})
        gone = [key for key in gone if key.kind != Pod.KIND]
        for key in gone if self.loses else ():
            if self._random.random() < LOST:
                self._copies.pop(key, None)
        found = {key: self._copies[key] for key in gone if key in self._copies}
        unread = {key: "nobody has it any more" for key in gone if key not in found}
        objects = (*status.objects, *found.values())
        return msgspec.structs.replace(status, objects=objects, unread=unread, protected=frozenset({SAFE}))

    def check(self, engine: Engine) -> None:
        """Kept is not gone: what was deployed is there, or stands for what nobody knows, whatever Git says."""
        if not self.is_on or not engine.is_started:
            return
        for key in self._known:
            assert key in engine.inventory, f"{key} is kept, and not deployed any more"
            is_there = engine.store.find(key) or find_stand_in(engine.store, key)
            assert is_there, f"{key} is kept, and gone"


def _safe(inventory: Mapping[ObjectKey, str]) -> set[ObjectKey]:
    return {key for key, application in inventory.items() if application == SAFE}
