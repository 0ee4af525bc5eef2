"""Asking a metrics server, over real sockets: what it says, and every way in which it does not."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hosts.measure.prometheus import MAX_BODY_BYTES, ask_prometheus
from objects.observation.metrics import QueryResult
from objects.own.config import PrometheusSettings
from tests.unit.sources.https_remote import make_certificate

Answer = Callable[[BaseHTTPRequestHandler], None]
SECRET = "canary-secret-1"


class Server:
    """asked: (path, query, Authorization header) of every request."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[str, str, str]] = []

    def settings(self, **fields: Any) -> PrometheusSettings:
        return PrometheusSettings(**{"url": f"http://127.0.0.1:{self.port}", "timeout_seconds": 1, **fields})


def say(body: bytes, *, status: int = 200, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def vector(*values: str) -> bytes:
    result = [{"metric": {"n": str(n)}, "value": [1, value]} for n, value in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


@contextmanager
def serving(answer: Answer, *, certificate: tuple[Path, Path] | None = None) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = parse_qs(url.query).get("query", [""])[0]
            server.asked.append((url.path, query, self.headers.get("Authorization", "")))
            with suppress(BrokenPipeError, ConnectionResetError):
                answer(self)

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
    server = Server(listening.server_address[1])
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join(10)


def ask(settings: PrometheusSettings, query: str = "up") -> QueryResult:
    (result,) = ask_prometheus(settings, [query])
    return result


def test_queries_are_asked_as_they_are_and_answered_in_order() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(request.path).query)["query"][0]
        say(vector(str(len(query))))(request)

    queries = [f'sum(rate(hits{{path=~"/a b&c=%d;+ü"}}[{n}m])) > 0' for n in range(20)]
    with serving(answer) as server:
        results = ask_prometheus(server.settings(url=f"http://127.0.0.1:{server.port}/prometheus/"), queries)
    assert results == tuple(QueryResult(query=query, value=float(len(query))) for query in queries)
    assert sorted(server.asked) == sorted(("/prometheus/api/v1/query", query, "") for query in queries)


def test_nothing_is_asked_without_a_query() -> None:
    assert ask_prometheus(PrometheusSettings(url="http://192.0.2.1"), []) == ()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(say(vector()), "the query finds nothing", id="nothing found"),
        pytest.param(
            say(b'{"status":"error","error":"parse error"}', status=400), "parse error", id="a query that is refused"
        ),
        pytest.param(say(b"sorry", status=503), "the metrics server answers with status 503", id="overloaded"),
        pytest.param(say(b"", status=401), "the metrics server answers with status 401", id="not let in"),
        pytest.param(
            say(b"", status=302, Location="http://127.0.0.1:1/"),
            "the metrics server answers with status 302",
            id="sent elsewhere",
        ),
        pytest.param(say(b"<html>"), "the answer is not what a Prometheus server says", id="a page"),
        pytest.param(
            say(b" " * (MAX_BODY_BYTES + 1)), f"the answer is longer than {MAX_BODY_BYTES} bytes", id="too long"
        ),
        pytest.param(
            lambda request: request.connection.close(),
            "the metrics server cannot be reached: the connection breaks off",
            id="breaks off",
        ),
        pytest.param(
            lambda request: time.sleep(1.5), "the metrics server does not answer within 1 s", id="silent"
        ),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_said(answer: Answer, expected: str) -> None:
    with serving(answer) as server:
        assert ask(server.settings()) == QueryResult(query="up", problem=expected)


def test_an_answer_that_trickles_ends_at_the_deadline() -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(100):
            request.wfile.write(b" " * 70_000)
            time.sleep(0.2)

    with serving(answer) as server:
        assert ask(server.settings()).problem == "the metrics server does not answer within 1 s"


def test_nobody_there() -> None:
    with serving(say(b"")) as server:
        pass
    assert ask(server.settings()).problem == "the metrics server cannot be reached: Connection refused"


def test_a_server_that_hangs_delays_a_round_by_two_deadlines() -> None:
    queries = [f"q{n}" for n in range(50)]
    with serving(lambda request: time.sleep(3)) as server:
        began = time.monotonic()
        results = ask_prometheus(server.settings(), queries)
        # Fifty of them, four at once, would take twelve seconds.
        assert time.monotonic() - began < 10
    assert {result.problem for result in results} == {"the metrics server does not answer within 1 s"}


# --- who asks -------------------------------------------------------------------------------------------------------


def test_credentials_come_from_files(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    with serving(say(vector("1"))) as server:
        assert ask(server.settings(token_file=str(file))).value == 1
        assert ask(server.settings(user="berth", password_file=str(file))).value == 1
    basic = base64.b64encode(f"berth:{SECRET}".encode()).decode()
    assert [header for _, _, header in server.asked] == [f"Bearer {SECRET}", f"Basic {basic}"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(None, "tokenFile PATH cannot be read: No such file or directory", id="missing"),
        pytest.param(b"", "tokenFile PATH must hold one line", id="empty"),
        pytest.param(b"a\r\nX-Evil: 1", "tokenFile PATH must hold one line", id="two lines"),
        pytest.param(b"\xff\xfe", "tokenFile PATH cannot be read: it is no text", id="no text"),
    ],
)
def test_without_the_credentials_nothing_is_asked(tmp_path: Path, content: bytes | None, expected: str) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with serving(say(vector("1"))) as server:
        assert ask(server.settings(token_file=str(file))).problem == expected.replace("PATH", str(file))
    assert server.asked == []


def test_neither_proxies_nor_a_netrc_of_the_environment_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with serving(say(vector("1"))) as server:
        assert ask(server.settings()).value == 1
    assert server.asked == [("/api/v1/query", "up", "")]


def test_certificates_are_checked(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with serving(say(vector("1")), certificate=certificate) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert ask(server.settings(url=url, ca_file=str(certificate[0]))).value == 1
        assert ask(server.settings(url=url)).problem == (
            "the metrics server cannot be reached: its certificate is not trusted: self-signed certificate"
        )
        missing = str(tmp_path / "none.pem")
        problem = ask(server.settings(url=url, ca_file=missing)).problem
        assert problem == f"caFile {missing} does not exist on the machine where Berth runs"
