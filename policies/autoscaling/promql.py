"""What a Prometheus server is asked, and what its answer amounts to: one number. Pure.

A metric is asked for by its name and selector, as users of prometheus-adapter expect; for an object by its labels too:

    External queue_length, selector {matchLabels: {queue: mail}}    sum(queue_length{queue="mail"})
    Object   hits of Service web in namespace shop                  sum(hits{namespace="shop",service="web"})

unless the Cluster has a query of its own for the name. Several series of an answer are added up, as Kubernetes adds up
the values of an external metric. An answer without a number (none, NaN, infinite) is no 0: it is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

import msgspec

from objects.api.autoscaling import ExternalMetricSource, ObjectMetricSource
from objects.api.meta import LabelSelector
from objects.errors import InvalidInput
from objects.own.config import LABEL_MATCHERS, SERIES, MetricQuery

_CLUSTER_WIDE = frozenset({"Namespace", "Node", "PersistentVolume"})
_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")
_REGEX_SPECIAL = re.compile(r"([.+*?()|\[\]{}^$\\])")


def external_query(source: ExternalMetricSource, rules: Iterable[MetricQuery] = ()) -> str:
    """The query for an external metric. rules: the Cluster's own queries."""
    return _query(source.metric.name, _matchers_of(source.metric.selector), rules)


def object_query(source: ObjectMetricSource, namespace: str, rules: Iterable[MetricQuery] = ()) -> str:
    """The query for a metric of an object. namespace: the autoscaler's, which is the object's."""
    described = source.described_object
    matchers = [] if described.kind in _CLUSTER_WIDE else [_matcher("namespace", "=", namespace)]
    matchers.append(_matcher(described.kind.lower(), "=", described.name))
    return _query(source.metric.name, [*matchers, *_matchers_of(source.metric.selector)], rules)


def _query(metric: str, matchers: Iterable[str], rules: Iterable[MetricQuery]) -> str:
    told = ",".join(matchers)
    for rule in rules:
        if rule.metric == metric:
            return rule.query.replace(LABEL_MATCHERS, told).replace(SERIES, metric)
    if _METRIC_NAME.fullmatch(metric):
        return f"sum({metric}{{{told}}})"
    return f"sum({{{','.join(filter(None, (_matcher('__name__', '=', metric), told)))}}})"


def _matchers_of(selector: LabelSelector | None) -> Iterator[str]:
    if selector is None:
        return
    for label, value in selector.match_labels.items():
        yield _matcher(label, "=", value)
    for requirement in selector.match_expressions:
        values = "|".join(_REGEX_SPECIAL.sub(r"\\\1", value) for value in requirement.values)
        match requirement.operator:
            case "In":
                yield _matcher(requirement.key, "=~", values)
            case "NotIn":
                yield _matcher(requirement.key, "!~", values)
            case "Exists":
                yield _matcher(requirement.key, "!=", "")
            case _:
                yield _matcher(requirement.key, "=", "")


def _matcher(label: str, operator: str, value: str) -> str:
    """Labels are spelled as Prometheus' own service discovery spells them: what is no letter or digit becomes `_`."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{_NOT_IN_LABELS.sub("_", label)}{operator}"{escaped}"'


# --- answers ------------------------------------------------------------------------------------------------------


class _Series(msgspec.Struct):
    value: tuple[float, str]


class _Result(msgspec.Struct, rename="camel"):
    result_type: str
    result: msgspec.Raw


class _Answer(msgspec.Struct):
    status: str
    data: _Result | None = None
    error: str = ""


def parse_answer(body: bytes) -> float:
    """The value in an answer of `/api/v1/query`. Raises InvalidInput when there is none, with the reason."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        if answer.status != "success" or answer.data is None:
            raise InvalidInput(answer.error or "the answer says neither success nor why not")
        values = _values(answer.data)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise InvalidInput("the answer is not what a Prometheus server says") from error
    if not values:
        raise InvalidInput("the query finds nothing")
    total = sum(values)
    if not math.isfinite(total):
        raise InvalidInput("the query gives no finite number")
    return total


def _values(data: _Result) -> list[float]:
    if data.result_type == "scalar":
        return [float(msgspec.json.decode(data.result, type=tuple[float, str])[1])]
    if data.result_type != "vector":
        raise InvalidInput(f"the query gives a {data.result_type}, not numbers of now")
    return [float(one.value[1]) for one in msgspec.json.decode(data.result, type=list[_Series])]
