"""Carries out the actions of one host's plans: those of one pod in order, pods side by side, each action once.

What failed is not repeated here: the next plan sees it. A pod whose actions go on is busy, and nothing else is begun
for it meanwhile.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from differ.kubelet.actions import Action, PullImage
from hosts.runtime.interface import HostRuntime
from objects.errors import HostError
from reconciler.workers.lanes import HostLanes, Kind

log = logging.getLogger(__name__)


class ActionResult(NamedTuple):
    """error: None when it was performed. warnings: the engine's."""

    action: Action
    error: HostError | None
    warnings: tuple[str, ...] = ()


class ActionLanes:
    """Of one host, owned by its worker's thread. It ends with `lanes`."""

    def __init__(
        self,
        host: str,
        runtime: HostRuntime,
        *,
        lanes: HostLanes,
        may_act: Callable[[], bool],
        wake: Callable[[], None],
    ) -> None:
        """lanes: where they run. may_act: asked before each action. wake: called when those of a pod have ended."""
        self._host = host
        self._runtime = runtime
        self._lanes = lanes
        self._may_act = may_act
        self._wake = wake
        self._busy: set[str] = set()
        self._at_work = 0
        self._at_work_lock = threading.Lock()
        self._is_resting = threading.Event()
        self._is_resting.set()
        self._finished: queue.SimpleQueue[tuple[str, list[ActionResult]]] = queue.SimpleQueue()

    @property
    def busy(self) -> frozenset[str]:
        """Lanes whose actions go on, or have ended and were not taken."""
        return frozenset(self._busy)

    def begin(self, actions: Iterable[Action], *, busy: frozenset[str]) -> list[Action]:
        """Begin those whose lane is not in `busy`; returns them."""
        by_lane: dict[str, list[Action]] = {}
        for action in actions:
            by_lane.setdefault(action.lane, []).append(action)
        begun: list[Action] = []
        for lane, group in by_lane.items():
            if lane in busy:
                continue
            self._busy.add(lane)
            begun += group
            kind = Kind.PULL if isinstance(group[0], PullImage) else Kind.ACTION
            self._count(1)
            future = self._lanes.submit(kind, partial(self._perform, lane, group))
            future.add_done_callback(self._count_cancelled)
        return begun

    def take_finished(self) -> list[ActionResult]:
        """What has ended since the last time; its lanes are free now."""
        ended: list[ActionResult] = []
        while True:
            try:
                lane, results = self._finished.get_nowait()
            except queue.Empty:
                return ended
            self._busy.discard(lane)
            ended += results

    def wait_for_rest(self, seconds: float) -> bool:
        """Until nothing goes on, at most so long. Returns whether that is so."""
        return self._is_resting.wait(seconds)

    # --- in threads of their own -----------------------------------------------------------------------------------

    def _perform(self, lane: str, actions: list[Action]) -> None:
        """One lane's actions in order, until one fails."""
        results: list[ActionResult] = []
        for action in actions:
            if not self._may_act():
                break
            result = self._perform_one(action)
            results.append(result)
            if result.error is not None:
                break
        self._finished.put((lane, results))
        self._count(-1)
        self._wake()

    def _perform_one(self, action: Action) -> ActionResult:
        try:
            return ActionResult(action, None, self._runtime.perform(action))
        except HostError as error:
            return ActionResult(action, error)
        except Exception as error:
            # A bug in one action must not take its lane or other pods with it.
            log.exception("action %s on host %s", type(action).__name__, self._host)
            problem = HostError(f"internal error: {type(error).__name__}: {error}", host=self._host)
            return ActionResult(action, problem)

    def _count_cancelled(self, future: Future[None]) -> None:
        if future.cancelled():
            self._count(-1)

    def _count(self, lanes: int) -> None:
        with self._at_work_lock:
            self._at_work += lanes
            if self._at_work:
                self._is_resting.clear()
            else:
                self._is_resting.set()
