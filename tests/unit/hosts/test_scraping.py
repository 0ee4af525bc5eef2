"""Requests for metrics, and answers."""

from __future__ import annotations

import pytest

from hosts.measure.scraping import compose_get, parse_answer
from hosts.streams.pods import NoAnswer
from objects.observation.metrics import MetricEndpoint, Scrape


@pytest.mark.parametrize(
    ("address", "host"), [("10.244.1.2", "10.244.1.2:9100"), ("fd00::2", "[fd00::2]:9100")], ids=["v4", "v6"]
)
def test_request(address: str, host: str) -> None:
    endpoint = MetricEndpoint(port=9100, path="/metrics?a=1")
    lines = compose_get(Scrape(pod_uid="u", address=address, endpoint=endpoint, names=())).split(b"\r\n")
    assert lines[:2] == [b"GET /metrics?a=1 HTTP/1.0", f"Host: {host}".encode()]
    assert lines[-2:] == [b"", b""]


def test_answer() -> None:
    assert (
        parse_answer(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nqps 1\r\n\r\nx\xff") == "qps 1\r\n\r\nx\ufffd"
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(b"", "no HTTP", id="nothing"),
        pytest.param(b"SSH-2.0-x\r\n", "no HTTP", id="another protocol"),
        pytest.param(b"HTTP/1.0 404 Not Found\r\n\r\n", "status 404", id="not there"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-", "breaks off", id="cut"),
    ],
)
def test_no_answer(answer: bytes, why: str) -> None:
    with pytest.raises(NoAnswer, match=why):
        parse_answer(answer)
