"""How a pod is asked by HTTP and gRPC: what is sent, what answers mean; and through a real sshd to real ports."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from random import Random

import pytest

from differ.checks import GrpcCheck, HttpCheck
from differ.probing import Answer
from hosts.grpc_check import DATA, END_STREAM, HEADERS, SETTINGS, check_grpc, frame, read_status
from hosts.http_check import HttpHead, check_http, compose_request, redirect_target
from hosts.pod_stream import NoAnswer
from hosts.ssh import SshLink
from hosts.ssh_links import SshLinks
from tests.unit.hosts.peers import LocalSshd, doorkeeper, free_port

PLAIN = HttpCheck(address="10.1.2.3", port=8080, path="/healthz")


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLink]:
    peer = LocalSshd(tmp_path_factory.mktemp("sshd"), getpass.getuser())
    peer.start()
    links = SshLinks(clock=time.monotonic, random=Random(1))
    yield links.link(peer.target())
    links.close()
    peer.stop()


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        pytest.param(PLAIN, ["Host: 10.1.2.3:8080", "User-Agent: berth-probe/1", "Accept: */*"], id="plain"),
        pytest.param(
            HttpCheck(address="::1", port=80, headers=(("host", "web"), ("X-A", "1"))),
            ["User-Agent: berth-probe/1", "Accept: */*", "host: web", "X-A: 1"],
            id="headers-of-the-manifest",
        ),
        pytest.param(
            HttpCheck(address="::1", port=443, is_tls=True),
            ["Host: [::1]", "User-Agent: berth-probe/1", "Accept: */*"],
            id="default-port",
        ),
    ],
)
def test_requests(check: HttpCheck, expected: list[str]) -> None:
    lines = compose_request(check).decode().split("\r\n")
    assert lines == [f"GET {check.path} HTTP/1.1", *expected, "Connection: close", "", ""]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(HttpHead(200, "/x"), None, id="no-redirect"),
        pytest.param(HttpHead(302, ""), None, id="nowhere"),
        pytest.param(HttpHead(302, "http://elsewhere/"), None, id="another-host"),
        pytest.param(HttpHead(302, "ftp://10.1.2.3/"), None, id="another-way"),
        pytest.param(HttpHead(302, "ready?a=1"), (8080, "/ready?a=1", False), id="relative"),
        pytest.param(HttpHead(308, "https://10.1.2.3/"), (443, "/", True), id="to-tls"),
    ],
)
def test_redirects(head: HttpHead, expected: tuple[int, str, bool] | None) -> None:
    target = redirect_target(PLAIN, head)
    assert (target and (target.port, target.path, target.is_tls)) == expected


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", Answer(True), id="passes"),
        pytest.param(b"HTTP/1.0 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", Answer(True), id="leads-elsewhere"),
        pytest.param(b"HTTP/1.1 503 Busy\r\n\r\n", Answer(False, "HTTP probe failed with statuscode: 503"), id="fails"),
    ],
)
def test_http_answers(link: SshLink, says: bytes, expected: Answer) -> None:
    with doorkeeper(says=says) as keeper:
        check = HttpCheck(address="127.0.0.1", port=keeper.port)
        assert check_http(link, check, timeout_seconds=5) == expected


@pytest.mark.parametrize(
    ("says", "is_tls", "complaint"),
    [
        pytest.param(b"SSH-2.0-x\r\n", False, "the answer is no HTTP", id="something-else"),
        pytest.param(b"", False, "closed before an answer", id="hangs-up"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", True, "TLS handshake failed", id="no-tls"),
        pytest.param(None, False, "no answer within 0.3 s", id="silent"),
    ],
)
def test_http_without_an_answer(link: SshLink, says: bytes | None, is_tls: bool, complaint: str) -> None:
    with doorkeeper(says=says) as keeper:
        check = HttpCheck(address="127.0.0.1", port=keeper.port, is_tls=is_tls)
        with pytest.raises(NoAnswer, match=complaint):
            check_http(link, check, timeout_seconds=0.3 if says is None else 5)


def test_nobody_listens(link: SshLink) -> None:
    port = free_port()
    with pytest.raises(NoAnswer, match=f"dial tcp 127.0.0.1:{port}: connection refused"):
        check_http(link, HttpCheck(address="127.0.0.1", port=port), timeout_seconds=5)


def message(status: bytes) -> bytes:
    return frame(DATA, 0, 1, b"\0" + len(status).to_bytes(4, "big") + status)


GREETING = frame(SETTINGS, 0, 0, b"")


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        pytest.param(GREETING + message(b"\x08\x01"), Answer(True), id="serving"),
        pytest.param(
            GREETING + message(b"\x08\x02"),
            Answer(False, "service unhealthy (responded with 'NOT_SERVING')"),
            id="not-serving",
        ),
        pytest.param(
            GREETING + message(b""), Answer(False, "service unhealthy (responded with 'UNKNOWN')"), id="unknown"
        ),
    ],
)
def test_grpc_answers(link: SshLink, says: bytes, expected: Answer) -> None:
    with doorkeeper(says=says) as keeper:
        check = GrpcCheck(address="127.0.0.1", port=keeper.port, service="a")
        assert check_grpc(link, check, timeout_seconds=5) == expected


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        pytest.param(GREETING + frame(HEADERS, END_STREAM, 1, b"\x88"), "no health service", id="trailers-only"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "no HTTP/2", id="http-1"),
        pytest.param(GREETING, "closed before an answer", id="hangs-up"),
    ],
)
def test_grpc_without_an_answer(link: SshLink, says: bytes, complaint: str) -> None:
    with doorkeeper(says=says) as keeper:
        check = GrpcCheck(address="127.0.0.1", port=keeper.port)
        with pytest.raises(NoAnswer, match=complaint):
            check_grpc(link, check, timeout_seconds=5)


def test_an_answer_that_is_no_status() -> None:
    with pytest.raises(NoAnswer):
        read_status(b"\x12\x00")
