"""Metrics that pods tell themselves: whom to ask for what, and what their answers amount to. Pure.

A counter is told as its rate a second between two readings, under its own name: an autoscaler cannot use a number that
only grows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from objects.api.autoscaling import HorizontalPodAutoscaler
from objects.api.core import ConfigMap
from objects.api.pods import Pod
from objects.errors import InvalidInput
from objects.observation.metrics import MetricReading, Scrape, Scraped
from policies.autoscaling.endpoints import endpoints_of
from policies.autoscaling.exposition import read_metrics
from reconciler.state.store import View

Counters = Mapping[tuple[str, str], tuple[float, float]]
"""(pod uid, metric) -> (when it was read, value)."""


class PodValues(NamedTuple):
    """values: metric -> value. problem: why some could not be had."""

    values: Mapping[str, float]
    problem: str = ""


def scrapes_of(view: View, pod: Pod, names: Iterable[str]) -> Iterator[Scrape]:
    """The questions to a pod that runs, so that these metrics may be known. Raises InvalidInput."""
    wanted = tuple(sorted(names))
    if not wanted or pod.status.phase != "Running" or not pod.status.pod_ip or pod.is_terminating:
        return
    for endpoint in endpoints_of(pod, lambda name: view.get(ConfigMap, pod.namespace, name)):
        yield Scrape(pod_uid=pod.uid, address=pod.status.pod_ip, endpoint=endpoint, names=wanted)


def metric_names(autoscaler: HorizontalPodAutoscaler) -> set[str]:
    """The metrics of pods that an autoscaler asks for."""
    return {metric.pods.metric.name for metric in autoscaler.spec.metrics if metric.pods is not None}


def values_of(
    scraped: Iterable[Scraped], before: Counters, *, at: float
) -> tuple[dict[str, PodValues], dict[tuple[str, str], tuple[float, float]]]:
    """What the pods tell, by uid, and the counters to remember. at: when it was read, on any steady clock in seconds.

    A counter that was not read before, or was set back (a restart), has no value yet.
    """
    found: dict[str, PodValues] = {}
    counters: dict[tuple[str, str], tuple[float, float]] = {}
    for answer in scraped:
        uid = answer.scrape.pod_uid
        known = found.get(uid, PodValues({}))
        try:
            readings = read_metrics(answer.scrape.endpoint, answer.scrape.names, answer.text)
            problem = answer.problem
        except InvalidInput as error:
            readings, problem = {}, error.message
        values = dict(known.values)
        for name, reading in readings.items():
            if reading.is_counter:
                counters[uid, name] = (at, reading.value)
            value = _value(reading, before.get((uid, name)), at)
            if value is not None:
                values[name] = value
        found[uid] = PodValues(values, known.problem or problem)
    return found, counters


def _value(reading: MetricReading, before: tuple[float, float] | None, at: float) -> float | None:
    if not reading.is_counter:
        return reading.value
    if before is None or at <= before[0] or reading.value < before[1]:
        return None
    return (reading.value - before[1]) / (at - before[0])
