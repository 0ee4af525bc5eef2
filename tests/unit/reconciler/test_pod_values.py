"""Whom to ask for metrics of pods, and what their answers amount to."""

from __future__ import annotations

import pytest

from objects.api.core import ConfigMap
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
)
from objects.api.volumes import ConfigMapVolumeSource, Volume
from objects.errors import InvalidInput
from objects.observation.metrics import (
    MetricEndpoint,
    MetricPattern,
    Scrape,
    Scraped,
)
from reconciler.figures.pod_values import PodValues, scrapes_of, values_of
from reconciler.state.store import Store

TEXT = MetricEndpoint(port=80)
RUNNING = PodStatus(phase="Running", pod_ip="10.244.1.2")


def pod(status: PodStatus = RUNNING, *, volumes: tuple[Volume, ...] = (), **notes: str) -> Pod:
    annotations = {f"prometheus.io/{name}": text for name, text in notes.items()}
    return Pod(
        metadata=ObjectMeta(name="p", namespace="default", uid="u1", annotations=annotations),
        spec=PodSpec(containers=(Container(name="c", image="i"),), volumes=volumes),
        status=status,
    )


def answer(text: str = "", problem: str = "", endpoint: MetricEndpoint = TEXT) -> Scraped:
    scrape = Scrape(pod_uid="u1", address="10.244.1.2", endpoint=endpoint, names=("hits", "qps"))
    return Scraped(scrape=scrape, text=text, problem=problem)


@pytest.mark.parametrize(
    ("one", "names", "expected"),
    [
        pytest.param(pod(scrape="true"), ("qps", "hits"), 1, id="runs"),
        pytest.param(pod(scrape="true"), (), 0, id="nothing is asked"),
        pytest.param(pod(), ("qps",), 0, id="no endpoint"),
        pytest.param(pod(PodStatus(phase="Pending", pod_ip="10.244.1.2"), scrape="true"), ("qps",), 0, id="starts"),
        pytest.param(pod(PodStatus(phase="Running"), scrape="true"), ("qps",), 0, id="no address"),
    ],
)
def test_who_is_asked(one: Pod, names: tuple[str, ...], expected: int) -> None:
    wanted = Scrape(pod_uid="u1", address="10.244.1.2", endpoint=TEXT, names=("hits", "qps"))
    assert list(scrapes_of(Store(), one, names)) == [wanted] * expected


def test_a_bad_definition_is_refused() -> None:
    store = Store()
    store.put(ConfigMap(metadata=ObjectMeta(name="custom-metrics", namespace="default"), data={"a.json": "{"}))
    volume = Volume(name="v", config_map=ConfigMapVolumeSource(name="custom-metrics"))
    with pytest.raises(InvalidInput, match=r"custom-metrics/a\.json"):
        list(scrapes_of(store, pod(volumes=(volume,)), ("qps",)))


COUNTER = "# TYPE hits counter\nhits 50\nqps 3\n"


@pytest.mark.parametrize(
    ("answers", "before", "expected"),
    [
        pytest.param((answer("qps 3\n"),), {}, PodValues({"qps": 3}), id="gauge"),
        pytest.param((answer(COUNTER),), {}, PodValues({"qps": 3}), id="a counter, read once"),
        pytest.param(
            (answer(COUNTER),), {("u1", "hits"): (0.0, 20.0)}, PodValues({"qps": 3, "hits": 3}), id="its rate"
        ),
        pytest.param((answer(COUNTER),), {("u1", "hits"): (0.0, 60.0)}, PodValues({"qps": 3}), id="set back"),
        pytest.param((answer(COUNTER),), {("u1", "hits"): (10.0, 20.0)}, PodValues({"qps": 3}), id="at the same time"),
        pytest.param((answer(problem="refused"),), {}, PodValues({}, "refused"), id="no answer"),
        pytest.param(
            (answer("hits 1\n"), answer(problem="refused"), answer("qps 2\n")),
            {},
            PodValues({"hits": 1, "qps": 2}, "refused"),
            id="several endpoints",
        ),
        pytest.param(
            (answer("x", endpoint=MetricEndpoint(port=80, patterns=(MetricPattern(name="qps", pattern="("),))),),
            {},
            PodValues({}, "regular expression '(': missing ), unterminated subpattern at position 0"),
            id="bad pattern",
        ),
    ],
)
def test_values(
    answers: tuple[Scraped, ...], before: dict[tuple[str, str], tuple[float, float]], expected: PodValues
) -> None:
    found, _ = values_of(answers, before, at=10.0)
    assert found == {"u1": expected}


def test_counters_are_remembered() -> None:
    assert values_of((answer(COUNTER),), {("gone", "hits"): (0.0, 1.0)}, at=10.0)[1] == {("u1", "hits"): (10.0, 50.0)}
