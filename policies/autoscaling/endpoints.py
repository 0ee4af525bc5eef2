"""Where a pod tells metrics of its own: definitions in a ConfigMap (the walkthrough's), Prometheus' annotations. Pure.

A definition is a JSON file in a ConfigMap volume, mounted at /etc/custom-metrics or made of a ConfigMap that is called
`custom-metrics`:

    {"endpoint": "http://localhost:9100/metrics"}                                      Prometheus' text format
    {"endpoint": "http://localhost:8000/nginx_status",
     "metrics_config": [{"name": "reading", "metric_type": "gauge", "regex": "Reading: ([0-9]+) .*"}]}

`localhost` is the pod. Annotations: `prometheus.io/scrape: "true"`, `/port`, `/path`, `/scheme`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import msgspec

from objects.api.core import ConfigMap
from objects.api.pods import Pod
from objects.errors import InvalidInput
from objects.observation.metrics import MetricEndpoint, MetricPattern
from policies.autoscaling.exposition import compile_pattern

MOUNT_PATH = "/etc/custom-metrics"
CONFIG_MAP = "custom-metrics"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_ANNOTATION = "prometheus.io/"


class _Metric(msgspec.Struct):
    name: str
    regex: str
    metric_type: str = "gauge"


class _Definition(msgspec.Struct):
    endpoint: str
    metrics_config: list[_Metric] = []


def endpoints_of(pod: Pod, config_map: Callable[[str], ConfigMap | None]) -> Iterator[MetricEndpoint]:
    """The endpoints of a pod. config_map: looks up one of the pod's namespace. Raises InvalidInput.

    Files that are no JSON by name (`*.json`) are passed over, and so is a ConfigMap that does not exist (yet).
    """
    for name in _definition_maps(pod):
        found = config_map(name)
        for file, text in sorted(found.data.items()) if found is not None else ():
            if file.endswith(".json"):
                yield parse_definition(text, f"{name}/{file}")
    if pod.annotations.get(f"{_ANNOTATION}scrape") == "true":
        yield _annotated(pod)


def _definition_maps(pod: Pod) -> Iterator[str]:
    mounts = (mount for container in pod.spec.containers for mount in container.volume_mounts)
    mounted = {mount.name for mount in mounts if mount.mount_path.rstrip("/") == MOUNT_PATH}
    for volume in pod.spec.volumes:
        if volume.config_map is not None and (volume.name in mounted or volume.config_map.name == CONFIG_MAP):
            yield volume.config_map.name


def parse_definition(text: str, where: str) -> MetricEndpoint:
    """One definition. where: for the message. Raises InvalidInput."""
    try:
        definition = msgspec.json.decode(text, type=_Definition)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"definition of metrics {where}: {error}") from error
    port, path, is_tls = _address(definition.endpoint, where)
    for metric in definition.metrics_config:
        compile_pattern(metric.regex)
    patterns = tuple(
        MetricPattern(name=one.name, pattern=one.regex, is_counter=one.metric_type.lower() in ("counter", "cumulative"))
        for one in definition.metrics_config
    )
    return MetricEndpoint(port=port, path=path, is_tls=is_tls, patterns=patterns)


def _address(endpoint: str, where: str) -> tuple[int, str, bool]:
    try:
        url = urlsplit(endpoint)
        port = url.port
    except ValueError as error:
        raise InvalidInput(f"definition of metrics {where}: endpoint {endpoint!r}: {error}") from error
    if url.scheme not in ("http", "https") or url.hostname not in _LOCAL:
        raise InvalidInput(f"definition of metrics {where}: endpoint {endpoint!r} must be http(s)://localhost…")
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return port or (443 if url.scheme == "https" else 80), path, url.scheme == "https"


def _annotated(pod: Pod) -> MetricEndpoint:
    port = pod.annotations.get(f"{_ANNOTATION}port", "")
    if not port:
        declared = [one.container_port for container in pod.spec.containers for one in container.ports]
        port = str(declared[0]) if declared else "80"
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise InvalidInput(f"annotation {_ANNOTATION}port of pod {pod.name}: {port!r} is no port")
    path = pod.annotations.get(f"{_ANNOTATION}path", "/metrics")
    scheme = pod.annotations.get(f"{_ANNOTATION}scheme", "http")
    return MetricEndpoint(port=int(port), path=f"/{path.lstrip('/')}", is_tls=scheme == "https")
