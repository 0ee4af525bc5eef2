"""Threads for all hosts of the process: what is begun on a host runs here, so that an idle host holds none.

Three kinds of work have threads of their own, so that none holds up another: a pull no stop, a measurement no action.
Each has a limit for a host and one for the process. A free thread goes to the host that has the fewest calls running,
of equal ones to the one that has waited longest.

The limit of the process is for calls that work, since they share one core of Python. A call that runs for longer than
PATIENCE_SECONDS waits for its host, which costs nothing, and counts no more: a hundred hosts that hang delay nobody
else. How many threads there may be is bounded all the same, by the limits of hosts.
"""

from __future__ import annotations

import enum
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
Clock = Callable[[], float]

PATIENCE_SECONDS = 1.0
"""A container is made and started in half a second."""

IDLE_SECONDS = 10.0
"""After this a thread that nobody needs ends: the next wave of work may be a day away."""


class Kind(enum.StrEnum):
    ACTION = "lane"
    """Pods acted on; an engine is saturated by 2 to 10 parallel calls (docs/architecture.md)."""
    PULL = "pull"
    """Images fetched; Docker fetches three layers of each at once."""
    MEASURE = "measure"
    """Figures, and beside them disk use, which may take a minute."""


class Limits(NamedTuple):
    """Calls at the same time: on one host, and on all hosts of the process."""

    host: int
    process: int


LIMITS: Mapping[Kind, Limits] = {
    Kind.ACTION: Limits(6, 64),
    Kind.PULL: Limits(3, 24),
    Kind.MEASURE: Limits(2, 32),
}


class Lanes:
    """Thread-safe. Threads begin when they are needed and end when they have had nothing to do for a while."""

    def __init__(
        self,
        limits: Mapping[Kind, Limits] = LIMITS,
        *,
        clock: Clock = time.monotonic,
        patience_seconds: float = PATIENCE_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._pools = {
            kind: _Pool(kind, limit, clock=clock, patience_seconds=patience_seconds, idle_seconds=idle_seconds)
            for kind, limit in limits.items()
        }

    def of_host(self, host: str) -> HostLanes:
        """For one worker. What an earlier worker of the host left hanging does not count for it."""
        return HostLanes(host, self._pools)

    @property
    def threads(self) -> int:
        return sum(pool.threads for pool in self._pools.values())


class HostLanes:
    """What one worker has running. Thread-safe."""

    def __init__(self, host: str, pools: Mapping[Kind, _Pool]) -> None:
        self._pools = pools
        self._queues = {kind: _Queue(f"{kind}-{host}") for kind in pools}

    def submit(self, kind: Kind, call: Callable[[], T]) -> Future[T]:
        """Have `call` run as soon as there is a place. After `close` the answer is cancelled at once."""
        future: Future[T] = Future()
        self._pools[kind].add(self._queues[kind], call, future)
        return future

    def close(self) -> None:
        """Cancel what has not begun. Returns at once: what runs goes on to its own deadline."""
        for kind, pool in self._pools.items():
            pool.close(self._queues[kind])


class _Queue:
    """Calls of one host that wait, and how many run. Guarded by the lock of its pool."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self.running = 0
        self.is_closed = False


class _Pool:
    """Threads of one kind of work."""

    def __init__(
        self, kind: Kind, limits: Limits, *, clock: Clock, patience_seconds: float, idle_seconds: float
    ) -> None:
        self._kind = kind
        self._limits = limits
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._idle_seconds = idle_seconds
        self._changed = threading.Lock()
        # Hosts that have a call which may begin, by how many they have running; each in the order of its wait.
        self._ready: list[dict[_Queue, None]] = [{} for _ in range(limits.host)]
        self._begun: dict[int, float] = {}  # calls that count, oldest first: number → when each began
        self._numbers = itertools.count()
        # Threads without work; the one that idles for the shortest time is called first, so that the others can end.
        self._idle: list[threading.Condition] = []
        self._coming = 0  # threads that were started or called and have not looked for work yet
        self.threads = 0

    def add(self, queue: _Queue, call: Callable[[], T], future: Future[T]) -> None:
        with self._changed:
            if queue.is_closed:
                future.cancel()
                return
            queue.waiting.append((call, future))
            self._make_ready(queue)
            self._call_thread()

    def close(self, queue: _Queue) -> None:
        with self._changed:
            queue.is_closed = True
            waiting = [future for _, future in queue.waiting]
            queue.waiting.clear()
            for hosts in self._ready:
                hosts.pop(queue, None)
        for future in waiting:  # without the lock: who is told may ask for more
            future.cancel()

    # --- the caller holds the lock ------------------------------------------------------------------------------------

    def _make_ready(self, queue: _Queue) -> None:
        if queue.waiting and queue.running < self._limits.host:
            self._ready[queue.running].setdefault(queue)

    def _has_ready(self) -> bool:
        return any(self._ready)

    def _call_thread(self) -> None:
        """See to it that somebody looks at what is ready: at once, or when a place comes free by a call being slow."""
        if not self._has_ready():
            return
        if self._idle:
            self._idle.pop().notify()
            self._coming += 1
        elif self._has_place():
            threading.Thread(target=self._run, name=f"{self._kind}-{self.threads + 1}", daemon=True).start()
            self.threads += 1
            self._coming += 1

    def _has_place(self) -> bool:
        """Whether one more may begin now, or somebody is still needed to wait for that."""
        self._forget_slow()
        return len(self._begun) + self._coming <= self._limits.process

    def _forget_slow(self) -> None:
        too_old = self._clock() - self._patience_seconds
        while self._begun and (oldest := next(iter(self._begun.items())))[1] <= too_old:
            del self._begun[oldest[0]]

    def _take(self) -> tuple[_Queue, Callable[[], Any], Future[Any], int] | None:
        """The next call, if one may begin: of the host with the fewest."""
        self._forget_slow()
        if len(self._begun) >= self._limits.process:
            return None
        hosts = next((hosts for hosts in self._ready if hosts), None)
        if hosts is None:
            return None
        queue = next(iter(hosts))
        del hosts[queue]
        call, future = queue.waiting.popleft()
        queue.running += 1
        self._make_ready(queue)
        number = next(self._numbers)
        self._begun[number] = self._clock()
        return queue, call, future, number

    def _ended(self, queue: _Queue, number: int) -> None:
        self._begun.pop(number, None)
        if queue.running < self._limits.host:
            self._ready[queue.running].pop(queue, None)
        queue.running -= 1
        self._make_ready(queue)

    def _wait_seconds(self) -> float:
        """Until the oldest call that counts is slow, while others wait for its place; else for as long as one idles."""
        if self._has_ready() and self._begun:
            return max(0.001, next(iter(self._begun.values())) + self._patience_seconds - self._clock())
        return self._idle_seconds

    # --- in threads of the pool ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        task = self._await_task(is_new=True)
        while task is not None:
            queue, call, future, number = task
            _carry_out(call, future)
            del call, future, task  # what it held is let go of while this thread waits
            with self._changed:
                self._ended(queue, number)
            del queue
            task = self._await_task()

    def _await_task(self, *, is_new: bool = False) -> tuple[_Queue, Callable[[], Any], Future[Any], int] | None:
        """None: this thread is not needed any more."""
        call = threading.Condition(self._changed)
        with call:
            self._coming -= is_new
            while True:
                task = self._take()
                if task is not None:
                    self._call_thread()
                    return task
                self._idle.append(call)
                call.wait(self._wait_seconds())
                if call not in self._idle:  # called, perhaps in the moment that the time was up
                    self._coming -= 1
                    continue
                self._idle.remove(call)
                if not self._has_ready():
                    self.threads -= 1
                    return None


def _carry_out(call: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        answer = call()
    except BaseException as error:  # noqa: BLE001 - whoever takes the answer raises it
        future.set_exception(error)
    else:
        future.set_result(answer)
