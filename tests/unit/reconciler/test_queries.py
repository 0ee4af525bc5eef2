"""Questions to the metrics server: who wants which, when they are asked, and how answers come into the store."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec
import pytest

from objects.api.autoscaling import (
    CrossVersionObjectReference,
    ExternalMetricSource,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    MetricIdentifier,
    MetricSpec,
    MetricTarget,
)
from objects.api.meta import KubeObject, ObjectMeta
from objects.observation.metrics import QueryResult
from objects.own.config import (
    Cluster,
    ClusterSpec,
    MetricsSettings,
    PrometheusSettings,
)
from policies.canary import Look
from reconciler.core.engine import Engine
from reconciler.figures.pod_metrics import QueryAnswer, find_answer
from reconciler.queries.loop import QueryLoop
from reconciler.queries.orders import queries_for
from reconciler.state.messages import Desired, QueriesAnswered
from reconciler.state.store import Changed
from reconciler.status.content import status_path
from tests.unit.reconciler.cluster import START, FakeCluster, deployment

SERVER = PrometheusSettings(url="http://prometheus", interval_seconds=1)
SOON = 10


def autoscaler(name: str, *metrics: str, target: str = "web") -> HorizontalPodAutoscaler:
    return HorizontalPodAutoscaler(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=HorizontalPodAutoscalerSpec(
            scale_target_ref=CrossVersionObjectReference(kind="Deployment", name=target),
            max_replicas=10,
            metrics=tuple(
                MetricSpec(
                    type="External",
                    external=ExternalMetricSource(
                        metric=MetricIdentifier(name=metric), target=MetricTarget(type="AverageValue", average_value=10)
                    ),
                )
                for metric in metrics
            ),
        ),
    )


def cluster(server: PrometheusSettings = SERVER) -> Cluster:
    spec = ClusterSpec(metrics=MetricsSettings(prometheus=server))
    return Cluster(metadata=ObjectMeta(name="main"), spec=spec)


def started(*objects: KubeObject, server: PrometheusSettings = SERVER) -> FakeCluster:
    made = FakeCluster("h1")
    base = [obj for obj in made.desired().objects if not isinstance(obj, Cluster)]
    made.settle(msgspec.structs.replace(made.desired(), objects=(cluster(server), *base, *objects)))
    return made


# --- orders ---------------------------------------------------------------------------------------------------------


def test_a_query_is_asked_once_for_all_who_need_it() -> None:
    made = started(autoscaler("a", "queue", "hits"), autoscaler("b", "queue", target="other"))
    assert queries_for(made.engine.store, SERVER) == {"sum(queue{})", "sum(hits{})"}


def test_without_a_server_nothing_is_asked() -> None:
    made = started(autoscaler("a", "queue"), server=PrometheusSettings())
    assert queries_for(made.engine.store, PrometheusSettings()) == frozenset()


# --- answers --------------------------------------------------------------------------------------------------------


def told(at_seconds: float, value: float | None, *, query: str = "sum(queue{})") -> QueriesAnswered:
    problem = "" if value is not None else "nothing"
    results = (QueryResult(query=query, value=value, problem=problem),)
    return QueriesAnswered(at=START + timedelta(seconds=at_seconds), results=results)


def test_answers_are_kept_for_an_hour_and_only_here() -> None:
    made = started()
    for seconds, value in ((0, 1.0), (3600, None), (3900, 3.0)):
        made.step(told(seconds, value))
    found = find_answer(made.engine.store, "sum(queue{})")
    assert found is not None
    assert found.looks == tuple(Look(START + timedelta(seconds=at), value) for at, value in ((3600, None), (3900, 3.0)))
    assert (found.problem, status_path(found.key)) == ("", None)
    made.step(told(7900, 1.0, query="other"))
    assert [answer.query for answer in made.engine.store.all_of(QueryAnswer)] == ["other"]


def test_an_answer_wakes_the_autoscaler_that_waits_for_it() -> None:
    made = started(deployment(replicas=1), autoscaler("a", "queue"))
    assert [hold.reason for (name, _), hold in made.engine.holds.items() if "autoscaler" in name] == [
        "FailedGetExternalMetric"
    ]
    at = (made.now - START).total_seconds()
    made.settle(told(at, 25.0))
    assert len(made.running["h1"]) == 3


# --- the loop -------------------------------------------------------------------------------------------------------


class Asked:
    """A metrics server that says 1 to everything; rounds: the queries of each round."""

    def __init__(self) -> None:
        self.rounds: queue.SimpleQueue[tuple[str, ...]] = queue.SimpleQueue()
        self.told: queue.SimpleQueue[QueriesAnswered] = queue.SimpleQueue()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.is_broken = False

    def ask(self, settings: PrometheusSettings, queries: Sequence[str]) -> tuple[QueryResult, ...]:
        self.rounds.put(tuple(queries))
        self.may_answer.wait(SOON)
        if self.is_broken:
            raise RuntimeError("a bug")
        return tuple(QueryResult(query=query, value=1.0) for query in queries)


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def loop(asked: Asked) -> Iterator[QueryLoop]:
    made = QueryLoop(asked.ask, tell=asked.told.put, clock=lambda: START)
    made.start()
    yield made
    asked.may_answer.set()
    made.stop()


def note(loop: QueryLoop, engine: Engine, *objects: KubeObject) -> None:
    """A step in which these objects changed."""
    for obj in objects:
        engine._writer.put(obj)
    engine._publish()
    changed = tuple(Changed(obj.key, None, obj) for obj in objects)
    loop.note(engine, changed)


def engine_of(server: PrometheusSettings = SERVER) -> Engine:
    """Not started yet: what a commit wants to know is asked while hosts are looked at."""
    engine = Engine((), source=random.Random(1))
    engine.step([Desired(commit="c1", objects=(cluster(server),))], START)
    return engine


def test_what_is_wanted_is_asked_again_and_again(loop: QueryLoop, asked: Asked) -> None:
    note(loop, engine_of(), autoscaler("a", "queue"))
    assert [asked.rounds.get(timeout=SOON) for _ in range(2)] == [("sum(queue{})",)] * 2
    assert asked.told.get(timeout=SOON) == told(0, 1.0)


def test_what_is_wanted_anew_is_asked_at_once_and_alone(loop: QueryLoop, asked: Asked) -> None:
    engine = engine_of(msgspec.structs.replace(SERVER, interval_seconds=60))
    note(loop, engine, autoscaler("a", "queue"))
    assert asked.rounds.get(timeout=SOON) == ("sum(queue{})",)
    note(loop, engine, autoscaler("b", "hits"))
    assert asked.rounds.get(timeout=SOON) == ("sum(hits{})",)
    other = cluster(msgspec.structs.replace(SERVER, url="http://other", interval_seconds=60))
    engine.step([Desired(commit="c2", objects=(other,))], START)
    note(loop, engine, cluster())
    assert asked.rounds.get(timeout=SOON) == ("sum(hits{})", "sum(queue{})")


def test_a_server_that_hangs_does_not_hold_the_engine(loop: QueryLoop, asked: Asked) -> None:
    asked.may_answer.clear()
    engine = engine_of()
    note(loop, engine, autoscaler("a", "queue"))
    assert asked.rounds.get(timeout=SOON)
    note(loop, engine, autoscaler("b", "hits"))
    assert asked.told.empty()
    asked.may_answer.set()
    assert asked.told.get(timeout=SOON) == told(0, 1.0)


def test_a_bug_of_the_edge_is_a_problem_of_its_queries(loop: QueryLoop, asked: Asked) -> None:
    asked.is_broken = True
    note(loop, engine_of(), autoscaler("a", "queue"))
    results = asked.told.get(timeout=SOON).results
    assert results == (QueryResult(query="sum(queue{})", problem="RuntimeError"),)
    asked.is_broken = False
    while asked.told.get(timeout=SOON) != told(0, 1.0):
        pass


def test_what_nobody_needs_any_more_is_not_asked(loop: QueryLoop, asked: Asked) -> None:
    engine = engine_of()
    note(loop, engine, autoscaler("a", "queue"))
    assert asked.rounds.get(timeout=SOON)
    engine._writer.take_out(autoscaler("a", "queue").key)
    note(loop, engine, cluster())
    note(loop, engine, autoscaler("b", "hits"))
    while asked.rounds.get(timeout=SOON) != ("sum(hits{})",):
        pass
    assert asked.rounds.get(timeout=SOON) == ("sum(hits{})",)
