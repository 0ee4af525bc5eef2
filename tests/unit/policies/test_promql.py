"""What a Prometheus server is asked, and what its answers amount to."""

from __future__ import annotations

import pytest

from objects.api.autoscaling import (
    CrossVersionObjectReference,
    ExternalMetricSource,
    MetricIdentifier,
    MetricTarget,
    ObjectMetricSource,
)
from objects.api.meta import LabelSelector, LabelSelectorRequirement
from objects.errors import InvalidInput
from objects.own.config import MetricQuery
from policies.autoscaling.promql import external_query, object_query, parse_answer

TARGET = MetricTarget(type="Value", value=1)


def selector(*expressions: tuple[str, str, tuple[str, ...]], **labels: str) -> LabelSelector:
    return LabelSelector(
        match_labels=labels,
        match_expressions=tuple(
            LabelSelectorRequirement(key=key, operator=operator, values=values) for key, operator, values in expressions
        ),
    )


@pytest.mark.parametrize(
    ("metric", "chosen", "expected"),
    [
        pytest.param("queue_length", None, "sum(queue_length{})", id="plain"),
        pytest.param("queue", selector(queue="mail", zone="a"), 'sum(queue{queue="mail",zone="a"})', id="labels"),
        pytest.param(
            "q",
            selector(
                ("a", "In", ("x.y", "z|w")), ("b", "NotIn", ("v",)), ("c", "Exists", ()), ("d", "DoesNotExist", ())
            ),
            r'sum(q{a=~"x\\.y|z\\|w",b!~"v",c!="",d=""})',
            id="expressions",
        ),
        pytest.param(
            "q", LabelSelector(match_labels={"app.kubernetes.io/name": "web"}), 'sum(q{app_kubernetes_io_name="web"})',
            id="as Prometheus spells it",
        ),
        pytest.param("q", selector(a='say "\\n"\n'), r'sum(q{a="say \"\\n\"\n"})', id="nothing breaks out"),
        pytest.param("s3.bytes", selector(a="b"), 'sum({__name__="s3.bytes",a="b"})', id="no name of its own"),
        pytest.param("rate", selector(a="b"), 'sum(rate(hits_total{a="b"}[2m]))', id="the Cluster's query"),
        pytest.param("wide", None, "max by (pod) (wide{})", id="the Cluster's query, with the name"),
        pytest.param("fixed", selector(a="b"), "vector(1)", id="the Cluster's query, without placeholders"),
    ],
)  # fmt: skip
def test_external_metric_is_asked_for(metric: str, chosen: LabelSelector | None, expected: str) -> None:
    rules = (
        MetricQuery(metric="rate", query="sum(rate(hits_total{<<.LabelMatchers>>}[2m]))"),
        MetricQuery(metric="wide", query="max by (pod) (<<.Series>>{<<.LabelMatchers>>})"),
        MetricQuery(metric="fixed", query="vector(1)"),
    )
    source = ExternalMetricSource(metric=MetricIdentifier(name=metric, selector=chosen), target=TARGET)
    assert external_query(source, rules) == expected


@pytest.mark.parametrize(
    ("kind", "chosen", "expected"),
    [
        pytest.param("Service", None, 'sum(hits{namespace="shop",service="web"})', id="of a namespace"),
        pytest.param("Node", None, 'sum(hits{node="web"})', id="of the cluster"),
        pytest.param("Namespace", None, 'sum(hits{namespace="web"})', id="a namespace"),
        pytest.param(
            "Ingress", selector(verb="GET"), 'sum(hits{namespace="shop",ingress="web",verb="GET"})', id="with selector"
        ),
    ],
)
def test_metric_of_an_object_is_asked_for(kind: str, chosen: LabelSelector | None, expected: str) -> None:
    source = ObjectMetricSource(
        described_object=CrossVersionObjectReference(kind=kind, name="web"),
        metric=MetricIdentifier(name="hits", selector=chosen),
        target=TARGET,
    )
    assert object_query(source, "shop") == expected


def success(kind: str, result: str) -> bytes:
    return f'{{"status":"success","data":{{"resultType":"{kind}","result":{result}}}}}'.encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(success("scalar", '[1435781430.781,"2.5"]'), 2.5, id="scalar"),
        pytest.param(success("vector", '[{"metric":{},"value":[1,"3"]}]'), 3.0, id="one series"),
        pytest.param(
            success("vector", '[{"metric":{"a":"b"},"value":[1,"3"]},{"metric":{},"value":[1.5,"-1e-1"]}]'),
            2.9,
            id="several are added up",
        ),
        pytest.param(success("vector", '[{"metric":{},"value":[1,"0"]}]'), 0.0, id="nought is a number"),
    ],
)
def test_answer_is_a_number(body: bytes, expected: float) -> None:
    assert parse_answer(body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(success("vector", "[]"), "the query finds nothing", id="empty"),
        pytest.param(
            success("vector", '[{"metric":{},"value":[1,"NaN"]}]'), "the query gives no finite number", id="NaN"
        ),
        pytest.param(
            success("vector", '[{"metric":{},"value":[1,"+Inf"]}]'), "the query gives no finite number", id="infinite"
        ),
        pytest.param(
            success("matrix", "[]"), "the query gives a matrix, not numbers of now", id="a range"
        ),
        pytest.param(
            b'{"status":"error","errorType":"bad_data","error":"1:5: parse error: unexpected end of input"}',
            "1:5: parse error: unexpected end of input",
            id="refused",
        ),
        *(
            pytest.param(body, "the answer is not what a Prometheus server says", id=name)
            for name, body in {
                "nothing": b"",
                "a page": b"<html>",
                "other JSON": b'{"ok": true}',
                "no text": b"\xff\xfe",
                "a word": success("vector", '[{"metric":{},"value":[1,"many"]}]'),
                "a histogram": success("vector", '[{"metric":{},"histogram":[1,{}]}]'),
            }.items()
        ),
        pytest.param(b'{"status":"odd"}', "the answer says neither success nor why not", id="neither"),
    ],
)  # fmt: skip
def test_answer_without_a_number_is_missing_and_not_nought(body: bytes, expected: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_answer(body)
    assert caught.value.message == expected
