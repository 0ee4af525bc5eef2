"""Who is told after each step what changed: status, queries, rollbacks. One signature for all of them.

A listener that raises ends neither the process nor the others. It is held under the cluster's name with the reason
(`Engine.isolation`: an event, a hold, back-off), and what it was not told meanwhile it is told when its time has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from objects.api.meta import ObjectKey
from reconciler.core.engine import Engine
from reconciler.state.store import Changed

Listener = Callable[[Engine, Iterable[Changed]], None]
"""Called in the engine's thread: reads what was published, waits for nobody. Told the same again it does nothing
twice."""


class Listeners:
    """Owned by the engine's thread."""

    def __init__(self, engine: Engine, *, wake: Callable[[], None]) -> None:
        """wake: has the engine called soon, so that it learns when a listener is to be tried again."""
        self._engine = engine
        self._wake = wake
        self._listeners: dict[str, Listener] = {}
        self._untold: dict[str, dict[ObjectKey, Changed]] = {}
        self._held: dict[str, ObjectKey] = {}

    def add(self, name: str, listener: Listener) -> None:
        """name: under which it is held."""
        self._listeners[name] = listener
        self._untold[name] = {}

    def tell(self, changed: tuple[Changed, ...]) -> None:
        """Give `changed` to all, also when it is empty: a listener may have something else to hand over."""
        for name in self._listeners:
            self._tell(name, changed)

    def _tell(self, name: str, changed: tuple[Changed, ...]) -> None:
        isolation, now, part = self._engine.isolation, self._engine.now, f"listener {name}"
        untold, held = self._untold[name], self._held.get(name)
        if held is not None:
            untold.update(_merged(untold, changed))
            if isolation.is_waiting(part, held, now):
                return
            changed = tuple(untold.values())
        try:
            self._listeners[name](self._engine, changed)
        except Exception as error:  # noqa: BLE001 - see the module's docstring
            untold.update(_merged(untold, changed) if held is None else {})
            self._held[name] = held or self._engine.cluster_key
            isolation.fail(part, self._held[name], error, None, now)
            self._wake()
        else:
            untold.clear()
            if held is not None:
                del self._held[name]
                isolation.forget(part, held)


def _merged(before: dict[ObjectKey, Changed], changed: Iterable[Changed]) -> dict[ObjectKey, Changed]:
    """Two writes of an object as one, so that a listener that is held for long costs no more than the objects."""
    merged: dict[ObjectKey, Changed] = {}
    for one in changed:
        first = merged.get(one.key) or before.get(one.key)
        merged[one.key] = one if first is None else Changed(one.key, first.old, one.new)
    return merged
