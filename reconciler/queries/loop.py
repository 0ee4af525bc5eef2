"""Asks the metrics server again and again what somebody needs to know, and tells the engine. Decides nothing.

The engine's thread only notes what is wanted; this thread asks. A round of questions is bounded in time by its edge
(`hosts.measure.prometheus`), so a server that hangs delays nobody but those who need it. What is wanted anew is asked
at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from objects.api.apps import Deployment
from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.observation.metrics import QueryResult
from objects.own.config import Cluster, PrometheusSettings
from reconciler.core.engine import Engine
from reconciler.queries.orders import queries_for
from reconciler.state.messages import QueriesAnswered
from reconciler.state.store import Changed

log = logging.getLogger(__name__)

Ask = Callable[[PrometheusSettings, Sequence[str]], tuple[QueryResult, ...]]
_ASKING = frozenset({HorizontalPodAutoscaler.KIND, Deployment.KIND, Cluster.KIND})


class QueryLoop:
    """Listener of the reconciler."""

    def __init__(self, ask: Ask, *, tell: Callable[[QueriesAnswered], None], clock: Callable[[], datetime]) -> None:
        self._ask = ask
        self._tell = tell
        self._clock = clock
        self._changed = threading.Condition()
        self._is_stopping = False
        self._settings = PrometheusSettings()
        self._wanted: frozenset[str] = frozenset()
        self._is_down = False
        self._thread = threading.Thread(target=self._run, name="queries", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, timeout_seconds: float = 5) -> None:
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._thread.join(timeout_seconds)

    def note(self, engine: Engine, changed: Iterable[Changed]) -> None:
        """Take in what changed. In the engine's thread: reads the snapshot, waits for nobody.

        Before the engine starts too: the first look of an autoscaler then finds answers.
        """
        if not any(change.key.kind in _ASKING for change in changed):
            return
        settings = engine.settings.metrics.prometheus
        wanted = queries_for(engine.published.snapshot, settings)
        with self._changed:
            if (settings, wanted) != (self._settings, self._wanted):
                self._settings, self._wanted = settings, wanted
                self._changed.notify()

    def _run(self) -> None:
        asked: frozenset[str] = frozenset()
        settings = PrometheusSettings()
        due = 0.0
        while True:
            with self._changed:
                while not self._is_stopping and not self._is_due(settings, asked, due):
                    self._changed.wait(None if not self._wanted else max(0.01, due - time.monotonic()))
                if self._is_stopping:
                    return
                is_all = self._settings != settings or time.monotonic() >= due
                settings, wanted = self._settings, self._wanted
            due = time.monotonic() + settings.interval_seconds if is_all else due
            self._ask_once(settings, sorted(wanted if is_all else wanted - asked))
            asked = wanted

    def _is_due(self, settings: PrometheusSettings, asked: frozenset[str], due: float) -> bool:
        is_new = self._settings != settings or not self._wanted <= asked
        return bool(self._wanted) and (is_new or time.monotonic() >= due)

    def _ask_once(self, settings: PrometheusSettings, queries: list[str]) -> None:
        at = self._clock()
        try:
            results = self._ask(settings, queries)
        except Exception as error:
            # A bug of the edge must not end the questions of everybody: nothing is known, and that is said.
            log.exception("asking the metrics server")
            results = tuple(QueryResult(query=query, problem=type(error).__name__) for query in queries)
        self._say_once(results)
        self._tell(QueriesAnswered(at=at, results=results))

    def _say_once(self, results: Sequence[QueryResult]) -> None:
        """In the log, when it begins and when it ends that no query is answered."""
        is_down = bool(results) and all(result.problem for result in results)
        if is_down and not self._is_down:
            log.warning("the metrics server answers no query: %s", results[0].problem)
        elif self._is_down and not is_down:
            log.info("the metrics server answers again")
        self._is_down = is_down
