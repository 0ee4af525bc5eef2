"""The webhook as a forge, and whoever else finds its port, meets it: over real sockets."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from objects.errors import InvalidInput
from reconciler.process.webhook import (
    MAX_CONNECTIONS,
    WebhookServer,
    build_app,
    is_signed,
)

SECRET = b"a-webhook-secret"
BODY = b'{"ref": "refs/heads/main"}'
DIGEST = hmac.new(SECRET, BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"x-hub-signature-256": f"sha256={DIGEST}"}, True, id="github"),
        pytest.param({"x-gitea-signature": DIGEST}, True, id="gitea"),
        pytest.param({"x-hub-signature": f"sha256={DIGEST}"}, True, id="bitbucket"),
        pytest.param({"x-gitlab-token": SECRET.decode()}, True, id="gitlab"),
        pytest.param({"x-hub-signature": "sha1=0011", "x-hub-signature-256": f"sha256={DIGEST}"}, True, id="both"),
        pytest.param({"x-hub-signature": "sha1=0011"}, False, id="sha1-only"),
        pytest.param({"x-hub-signature-256": DIGEST}, False, id="no-algorithm"),
        pytest.param({"x-hub-signature-256": f"sha256={DIGEST[:-1]}0"}, False, id="wrong"),
        pytest.param({"x-hub-signature-256": "sha256=größe"}, False, id="not-ascii"),
        pytest.param({"x-gitea-signature": "\xff\xfe"}, False, id="not-ascii-gitea"),
        pytest.param({"x-gitlab-token": "größe"}, False, id="not-ascii-token"),
        pytest.param({}, False, id="none"),
    ],
)
def test_who_knows_the_secret(headers: dict[str, str], expected: bool) -> None:
    assert is_signed(headers, BODY, SECRET) is expected
    assert is_signed(headers, BODY, b"") is False


@pytest.fixture
def woken() -> threading.Semaphore:
    return threading.Semaphore(0)


@pytest.fixture
def server(woken: threading.Semaphore) -> Iterator[WebhookServer]:
    app = build_app(secret=SECRET, wake=woken.release, is_ready=lambda: True, request_seconds=1.0)
    server = WebhookServer(app, address="127.0.0.1", port=0, request_seconds=1.0)
    server.start()
    yield server
    server.stop()


def _post(server: WebhookServer, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("POST", "/webhook", BODY, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _connect(server: WebhookServer, sent: bytes) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    client.sendall(sent)
    return client


def test_a_signed_push_wakes_and_no_other(server: WebhookServer, woken: threading.Semaphore) -> None:
    assert _post(server, {"X-Hub-Signature-256": "sha256=gr\xf6\xdfe"}) == 401
    assert _post(server, {"X-Hub-Signature-256": f"sha256={'0' * 64}"}) == 401
    assert not woken.acquire(blocking=False)
    assert _post(server, {"X-Hub-Signature-256": f"sha256={DIGEST}"}) == 202
    assert woken.acquire(timeout=20)


def test_half_a_body_and_half_a_head_hold_no_connection(server: WebhookServer) -> None:
    head = b"POST /webhook HTTP/1.1\r\nHost: x\r\n"
    half_heads = [_connect(server, head) for _ in range(MAX_CONNECTIONS // 2)]
    half_bodies = [_connect(server, head + b"Content-Length: 100\r\n\r\n{") for _ in range(MAX_CONNECTIONS // 2 - 1)]
    assert {client.recv(4096) for client in half_heads} == {b""}
    assert {client.recv(4096).partition(b"\r\n")[0] for client in half_bodies} == {b"HTTP/1.1 408 Request Timeout"}
    assert _post(server, {"X-Hub-Signature-256": f"sha256={DIGEST}"}) == 202
    for client in (*half_heads, *half_bodies):
        client.close()


def test_a_port_that_is_taken_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        app = build_app(secret=SECRET, wake=lambda: None, is_ready=lambda: True)
        with pytest.raises(InvalidInput) as caught:
            WebhookServer(app, address="127.0.0.1", port=port).start()
        assert str(caught.value) == (
            f"cannot listen for webhooks on 127.0.0.1:{port}: Address already in use"
            " (name another address with --webhook, or end what uses it)"
        )
