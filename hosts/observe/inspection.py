"""Questions for single containers, asked side by side, and the patience with those that are slow to be answered.

An engine does not answer for a container that is just ending until it has put everything of it away: 0.1 s on an idle
machine, seconds on a busy one. What is known of all others must not wait for that.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, wait
from typing import Generic, TypeVar

from msgspec import Struct

Answer = TypeVar("Answer")

AT_ONCE = 6
"""As many as a worker's lanes."""
PATIENCE_SECONDS = 0.1
"""With the new questions of one look, where an older answer is known: the usual one comes in 2 ms."""


class Answers(Struct, Generic[Answer], frozen=True):
    """found: by container id. late: those that are asked for still."""

    found: dict[str, Answer]
    late: frozenset[str]


class Inspections(Generic[Answer]):
    """For one look at a time, from one thread. A question that nobody waits for any more goes on to its own deadline.

    ask: called in threads of its own. on_late: called when an answer came that a look did not wait for.
    """

    def __init__(self, ask: Callable[[str], Answer], *, on_late: Callable[[], None], name: str) -> None:
        self._ask = ask
        self._on_late = on_late
        self._name = name
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, Future[Answer]]] = deque()
        self._threads = 0
        self._asked: dict[str, Future[Answer]] = {}

    @property
    def late(self) -> Collection[str]:
        """Asked for by an earlier look, and not told by any."""
        return self._asked.keys()

    def is_under_way(self, container_id: str) -> bool:
        """Whether the answer is still to come: it may tell how things were some time ago."""
        return container_id in self._asked and not self._asked[container_id].done()

    def ask(self, container_ids: Iterable[str], *, must: Collection[str], anew: Collection[str]) -> Answers[Answer]:
        """Ask for these, or take what has come since an earlier look asked. must: waited for however long it takes.

        anew: changed since. What has come of these counts only if a new question is not answered at once: a container
        that changes all the time would never be seen otherwise. Raises what `ask` raised for one of them.
        """
        wanted = dict.fromkeys(container_ids)
        for container_id in self._asked.keys() - wanted.keys():
            del self._asked[container_id]  # gone from the list meanwhile
        older = {
            container_id: self._asked.pop(container_id)
            for container_id in anew
            if container_id in self._asked and not self.is_under_way(container_id)
        }
        new = [container_id for container_id in wanted if container_id not in self._asked]
        for container_id in new:
            self._begin(container_id)
        futures = {container_id: self._asked[container_id] for container_id in wanted}
        wait([futures[container_id] for container_id in wanted if container_id in must])
        wait([futures[container_id] for container_id in new], timeout=PATIENCE_SECONDS)
        late = frozenset(container_id for container_id, future in futures.items() if not future.done())
        for container_id in late.intersection(new):
            futures[container_id].add_done_callback(lambda _: self._on_late())
        answered = {container_id: future for container_id, future in futures.items() if container_id not in late}
        for container_id in answered:
            del self._asked[container_id]
        told = answered | {container_id: older[container_id] for container_id in older.keys() & late}
        found = {container_id: future.result() for container_id, future in told.items()}
        return Answers(found, late.difference(told))

    def _begin(self, container_id: str) -> None:
        future = self._asked[container_id] = Future()
        with self._lock:
            self._waiting.append((container_id, future))
            if self._threads >= AT_ONCE:
                return
            self._threads += 1
        # Daemons: a process that ends does not wait for an engine that hangs.
        threading.Thread(target=self._work, name=f"look-{self._name}", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                container_id, future = self._waiting.popleft()
            try:
                future.set_result(self._ask(container_id))
            except BaseException as error:  # noqa: BLE001 - whoever takes the answer raises it
                future.set_exception(error)
