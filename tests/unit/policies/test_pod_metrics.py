"""Metrics that pods tell themselves: where, and how they are read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from objects.api.core import ConfigMap
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    ContainerPort,
    Pod,
    PodSpec,
    VolumeMount,
)
from objects.api.volumes import ConfigMapVolumeSource, Volume
from objects.errors import InvalidInput
from objects.observation.metrics import MetricEndpoint, MetricPattern, MetricReading
from policies.autoscaling.endpoints import endpoints_of, parse_definition
from policies.autoscaling.exposition import parse_exposition, read_metrics

WALKTHROUGH = Path(__file__).parents[2] / "walkthrough"
NGINX = """Active connections: 291
server accepts handled requests
 16630948 16630948 31070465
Reading: 6 Writing: 179 Waiting: 106
"""


def gauge(value: float) -> MetricReading:
    return MetricReading(value=value)


def counter(value: float) -> MetricReading:
    return MetricReading(value=value, is_counter=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("qps 5\n", {"qps": gauge(5)}, id="plain"),
        pytest.param("# TYPE qps gauge\nqps 5.5 1700000000\n", {"qps": gauge(5.5)}, id="with a timestamp"),
        pytest.param('qps{path="/a"} 1\nqps{path="/b"} 2\n', {"qps": gauge(3)}, id="several series"),
        pytest.param('qps{a="} 9 ",b="\\"x{"} 4\n', {"qps": gauge(4)}, id="braces and quotes in labels"),
        pytest.param("# TYPE qps counter\nqps 7\n", {"qps": counter(7)}, id="counter"),
        pytest.param("hits_total 7\n", {"hits_total": counter(7)}, id="counter by its name"),
        pytest.param("# TYPE hits counter\nhits_total 7\n", {"hits_total": counter(7)}, id="counter of OpenMetrics"),
        pytest.param("# TYPE hits_total gauge\nhits_total 7\n", {"hits_total": gauge(7)}, id="gauge in spite of it"),
        pytest.param("qps NaN\nqps +Inf\nqps x\n", {}, id="no number"),
        pytest.param("other 1\nqps_max 2\n", {}, id="others"),
        pytest.param("qps\t6e1\r\n", {"qps": gauge(60)}, id="tab and carriage return"),
        pytest.param("<html>\nqps\n", {}, id="no metrics at all"),
    ],
)
def test_text_format(text: str, expected: dict[str, MetricReading]) -> None:
    assert parse_exposition(text, ("qps", "hits_total")) == expected


def pod(*volumes: Volume, mounts: tuple[VolumeMount, ...] = (), ports: tuple[int, ...] = (), **notes: str) -> Pod:
    annotations = {f"prometheus.io/{name}": text for name, text in notes.items()}
    container = Container(
        name="c", image="i", volume_mounts=mounts, ports=tuple(ContainerPort(container_port=port) for port in ports)
    )
    return Pod(
        metadata=ObjectMeta(name="p", namespace="default", annotations=annotations),
        spec=PodSpec(containers=(container,), volumes=volumes),
    )


def volume(config_map: str) -> Volume:
    return Volume(name="v", config_map=ConfigMapVolumeSource(name=config_map))


def test_the_definitions_of_the_walkthrough() -> None:
    document = yaml.safe_load((WALKTHROUGH / "configmap-custom-metrics.yaml").read_text())
    found = ConfigMap(metadata=ObjectMeta(name="custom-metrics"), data=document["data"])
    nginx, prometheus = endpoints_of(pod(volume("custom-metrics")), {"custom-metrics": found}.get)
    assert prometheus == MetricEndpoint(port=9100, path="/metrics")
    assert (nginx.port, nginx.path) == (8000, "/nginx_status")
    readings = read_metrics(nginx, ("activeConnections", "reading"), NGINX)
    assert readings == {"activeConnections": gauge(291), "reading": gauge(6)}
    assert read_metrics(nginx, ("reading",), NGINX) == {"reading": gauge(6)}
    assert read_metrics(nginx, ("activeConnections",), "502 Bad Gateway") == {}
    assert read_metrics(prometheus, ("qps",), "qps 2") == {"qps": gauge(2)}


DEFINED = {"any": ConfigMap(metadata=ObjectMeta(name="any"), data={"a.json": '{"endpoint": "http://localhost:1"}'})}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(pod(), (), id="none"),
        pytest.param(pod(volume("any")), (), id="a ConfigMap for something else"),
        pytest.param(
            pod(volume("any"), mounts=(VolumeMount(name="v", mount_path="/etc/custom-metrics/"),)),
            (MetricEndpoint(port=1, path="/"),),
            id="by its mount path",
        ),
        pytest.param(pod(volume("custom-metrics")), (), id="a ConfigMap that is not there yet"),
        pytest.param(pod(scrape="true", port="9100"), (MetricEndpoint(port=9100),), id="annotated"),
        pytest.param(
            pod(scrape="true", port="8443", path="stats?all=1", scheme="https"),
            (MetricEndpoint(port=8443, path="/stats?all=1", is_tls=True),),
            id="annotated in full",
        ),
        pytest.param(pod(scrape="true", ports=(8080, 9090)), (MetricEndpoint(port=8080),), id="its first port"),
        pytest.param(pod(scrape="true"), (MetricEndpoint(port=80),), id="no port at all"),
        pytest.param(pod(scrape="false", port="9100"), (), id="annotated not to"),
    ],
)
def test_where(one: Pod, expected: tuple[MetricEndpoint, ...]) -> None:
    assert tuple(endpoints_of(one, DEFINED.get)) == expected


def test_a_counter_by_pattern() -> None:
    metric = '{"name": "a", "regex": "a(.)", "metric_type": "Counter"}'
    text = f'{{"endpoint": "https://127.0.0.1/s", "metrics_config": [{metric}]}}'
    endpoint = parse_definition(text, "x")
    pattern = MetricPattern(name="a", pattern="a(.)", is_counter=True)
    assert endpoint == MetricEndpoint(port=443, path="/s", is_tls=True, patterns=(pattern,))
    assert read_metrics(endpoint, ("a",), "a1 a2") == {"a": counter(1)}
    assert read_metrics(endpoint, ("a",), "ax") == {}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("{}", id="no endpoint"),
        pytest.param('{"endpoint": "http://example.com/metrics"}', id="another machine"),
        pytest.param('{"endpoint": "ftp://localhost/metrics"}', id="another protocol"),
        pytest.param('{"endpoint": "http://localhost:x/metrics"}', id="no port"),
        pytest.param('{"endpoint": "http://localhost", "metrics_config": [{"name": "a", "regex": "("}]}', id="regex"),
        pytest.param(
            '{"endpoint": "http://localhost", "metrics_config": [{"name": "a", "regex": "a"}]}', id="no group"
        ),
        pytest.param('{"endpoint": "http://localhost", "metrics_config": [{"name": "a"}]}', id="no regex"),
    ],
)
def test_a_bad_definition_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_definition(text, "custom-metrics/a.json")


def test_a_bad_annotation_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no port"):
        tuple(endpoints_of(pod(scrape="true", port="http"), DEFINED.get))
