"""How a pod is asked by HTTP, TCP and gRPC: what is sent, what answers mean; and through a real sshd to real ports.

What goes through sshd is asked in both ways: by a thread that waits, and by one that is told.
"""

from __future__ import annotations

import getpass
import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from differ.kubelet.probes.checks import (
    Check,
    ExecCheck,
    GrpcCheck,
    HttpCheck,
    TcpCheck,
)
from differ.kubelet.probes.probing import READINESS, Answer, ProbeOrder
from hosts.docker.engine import Engine
from hosts.probes.checks import Asker
from hosts.probes.grpc_check import (
    DATA,
    END_STREAM,
    HEADERS,
    SETTINGS,
    frame,
    read_status,
)
from hosts.probes.http_check import HttpHead, compose_request, redirect_target
from hosts.ssh.link import SshLink
from hosts.ssh.links import SshLinks
from hosts.ssh.transport import SshTransport
from hosts.streams.coroutines import Pause, QuestionRun
from hosts.streams.pods import NoAnswer
from objects.api.pods import Probe
from objects.errors import HostError, HostUnreachable
from tests.unit.hosts.peers import LocalSshd, await_condition, doorkeeper, free_port

PLAIN = HttpCheck(address="10.1.2.3", port=8080, path="/healthz")


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLink]:
    peer = LocalSshd(tmp_path_factory.mktemp("sshd"), getpass.getuser())
    peer.start()
    links = SshLinks(clock=time.monotonic, random=Random(1))
    yield links.link(peer.target())
    links.close()
    peer.stop()


Ask = Callable[..., Answer]


def order(check: Check, seconds: int = 5) -> ProbeOrder:
    probe = Probe(timeout_seconds=seconds, period_seconds=10)
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return ProbeOrder(container_id="c", kind=READINESS, started_at=now, began_at=now, check=check, probe=probe)


def ask_told(asker: Asker, check: Check, *, seconds: int = 5) -> Answer:
    """Ask without waiting, and then wait here. Raises what the question raises."""
    ended: queue.SimpleQueue[tuple[Answer | None, Exception | None]] = queue.SimpleQueue()

    def call_at(at: Pause, flow: QuestionRun[Answer]) -> None:
        timer = threading.Timer(max(0.0, at.latest - time.monotonic()), flow.resume)
        timer.daemon = True
        timer.start()

    flow = asker.begin(order(check, seconds), call_at=call_at, on_end=lambda *how: ended.put(how))
    assert flow is not None
    answer, error = ended.get(timeout=20)
    if error is not None:
        raise error
    assert answer is not None
    return answer


@pytest.fixture(params=["waited-for", "told"])
def ask(request: pytest.FixtureRequest, link: SshLink) -> Ask:
    asker = Asker(Engine(link))
    if request.param == "told":
        link.run("true", timeout_seconds=10, check=True)  # connected
        return lambda check, seconds=5: ask_told(asker, check, seconds=seconds)
    return lambda check, seconds=5: asker.ask(order(check, seconds))


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
def test_http_answers(ask: Ask, says: bytes, expected: Answer) -> None:
    with doorkeeper(says=says) as keeper:
        assert ask(HttpCheck(address="127.0.0.1", port=keeper.port)) == expected


@pytest.mark.parametrize(
    ("says", "is_tls", "complaint"),
    [
        pytest.param(b"SSH-2.0-x\r\n", False, "the answer is no HTTP", id="something-else"),
        pytest.param(b"", False, "closed before an answer", id="hangs-up"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", True, "TLS handshake failed", id="no-tls"),
        pytest.param(None, False, "no answer within 1 s", id="silent"),
        pytest.param(None, True, "no answer within 1 s", id="silent-tls"),
    ],
)
def test_http_without_an_answer(ask: Ask, says: bytes | None, is_tls: bool, complaint: str) -> None:
    with doorkeeper(says=says) as keeper:
        check = HttpCheck(address="127.0.0.1", port=keeper.port, is_tls=is_tls)
        answer = ask(check, 1 if says is None else 5)
    assert (answer.passes, complaint in answer.message) == (False, True), answer


def test_connections(ask: Ask) -> None:
    with doorkeeper(says=None) as keeper:
        assert ask(TcpCheck(address="127.0.0.1", port=keeper.port)) == Answer(True)
        await_condition(lambda: keeper.visits == 1, "somebody came")


def test_nobody_listens(ask: Ask) -> None:
    port = free_port()
    expected = Answer(False, f"dial tcp 127.0.0.1:{port}: connection refused")
    assert ask(HttpCheck(address="127.0.0.1", port=port)) == expected


def test_a_refused_question_closes_nobody_elses_channel(tmp_path: Path) -> None:
    """A channel that was never opened has no number at the host; 0 is the first one's."""
    peer = LocalSshd(tmp_path, getpass.getuser())
    peer.start()
    links = SshLinks(clock=time.monotonic, random=Random(1))
    link = links.link(peer.target())
    try:
        first = link.open_command("exec cat", timeout_seconds=10)
        transport = link.living
        assert ask_told(Asker(Engine(link)), TcpCheck(address="127.0.0.1", port=free_port())).passes is False
        link.run("true", timeout_seconds=10, check=True)
        first.settimeout(10)
        first.sendall(b"still here")
        assert first.recv(100) == b"still here"
        assert link.living is transport
    finally:
        links.close()
        peer.stop()


def test_a_host_that_forwards_nothing(tmp_path: Path) -> None:
    peer = LocalSshd(tmp_path, getpass.getuser(), settings=("AllowTcpForwarding no",))
    peer.start()
    links = SshLinks(clock=time.monotonic, random=Random(1))
    try:
        asker = Asker(Engine(links.link(peer.target())))
        check = TcpCheck(address="127.0.0.1", port=peer.port)
        for route in (lambda: asker.ask(order(check)), lambda: ask_told(asker, check)):
            with pytest.raises(HostError, match="sshd forwards no TCP connections to pods") as failure:
                route()
            assert "AllowTcpForwarding local" in failure.value.hint
    finally:
        links.close()
        peer.stop()


def test_nothing_is_told_before_there_is_a_connection(tmp_path: Path) -> None:
    links = SshLinks(clock=time.monotonic, random=Random(1))
    peer = LocalSshd(tmp_path, getpass.getuser())
    asker = Asker(Engine(links.link(peer.target())))
    begun = asker.begin(order(PLAIN), call_at=lambda *_: None, on_end=lambda *_: None)
    assert begun is None
    links.close()


def test_a_command_is_not_told_before_the_engine_was_reached(link: SshLink) -> None:
    link.run("true", timeout_seconds=10, check=True)
    check = ExecCheck(command=("true",))
    assert Asker(Engine(link)).begin(order(check), call_at=lambda *_: None, on_end=lambda *_: None) is None


def test_many_at_once_leave_nothing_behind(link: SshLink) -> None:
    link.run("true", timeout_seconds=10, check=True)
    asker, answers, before = Asker(Engine(link)), [], link.channel_count
    with doorkeeper(says=b"HTTP/1.1 200 OK\r\n\r\n") as keeper:
        check = HttpCheck(address="127.0.0.1", port=keeper.port)
        with asker.together():
            flows = [
                asker.begin(order(check), call_at=lambda *_: None, on_end=lambda *how: answers.append(how))
                for _ in range(100)
            ]
        await_condition(lambda: len(answers) == 100, "a hundred answers")
    assert answers == [(Answer(True), None)] * 100
    assert all(flow is not None and flow.is_over for flow in flows)
    await_condition(lambda: link.channel_count == before, "the channels are closed")
    transport = link.living
    assert transport is not None
    assert len(transport.channels_seen) == 0  # paramiko notes every channel for ever


@pytest.fixture
def soon_new_keys(link: SshLink) -> Iterator[SshTransport]:
    """The link's connection, which exchanges keys after every 40 packets: within half a dozen questions."""
    link.run("true", timeout_seconds=10, check=True)
    transport = link.living
    assert transport is not None
    before = transport.packetizer.REKEY_PACKETS
    transport.packetizer.REKEY_PACKETS = 40
    yield transport
    transport.packetizer.REKEY_PACKETS = before
    assert link.living is transport


def test_probes_go_on_while_keys_are_exchanged(link: SshLink, soon_new_keys: SshTransport) -> None:
    """The connection's thread both answers probes and exchanges keys: it must not wait for itself."""
    asker = Asker(Engine(link))
    with doorkeeper(says=b"HTTP/1.1 200 OK\r\n\r\n") as keeper:
        for _ in range(60):
            await_condition(lambda: soon_new_keys.may_tell, "the keys are exchanged")
            assert ask_told(asker, HttpCheck(address="127.0.0.1", port=keeper.port)) == Answer(True)


def test_what_waits_for_new_keys_goes_out_in_its_order(link: SshLink, soon_new_keys: SshTransport) -> None:
    """An answer may come before its question went out; sshd ends a connection on which "closed" overtakes data."""
    asker, answers = Asker(Engine(link)), []
    with doorkeeper(says=b"HTTP/1.1 200 OK\r\n\r\n") as keeper:
        check = HttpCheck(address="127.0.0.1", port=keeper.port)
        for _ in range(60):
            await_condition(lambda: soon_new_keys.may_tell, "the keys are exchanged")
            with asker.together():
                begun = [
                    asker.begin(order(check), call_at=lambda *_: None, on_end=lambda *how: answers.append(how))
                    for _ in range(10)
                ]
            flows = [flow for flow in begun if flow is not None]
            await_condition(lambda: all(flow.is_over for flow in flows), "the answers")  # noqa: B023
    assert len(answers) > 60
    assert set(answers) == {(Answer(True), None)}


def test_a_connection_that_is_lost_ends_its_questions(tmp_path: Path) -> None:
    peer = LocalSshd(tmp_path, getpass.getuser())
    peer.start()
    links = SshLinks(clock=time.monotonic, random=Random(1))
    link = links.link(peer.target())
    ended: list[Exception | None] = []
    try:
        link.run("true", timeout_seconds=10)
        with doorkeeper(says=None) as keeper:
            check = HttpCheck(address="127.0.0.1", port=keeper.port)
            flow = Asker(Engine(link)).begin(
                order(check, 60), call_at=lambda *_: None, on_end=lambda _, error: ended.append(error)
            )
            await_condition(lambda: keeper.visits == 1, "the question arrived")
            assert (flow is not None, ended) == (True, [])
            transport = link.living
            assert transport is not None
            transport.sever("a test")
            await_condition(lambda: bool(ended), "the question ended")
        assert isinstance(ended[0], HostUnreachable)
    finally:
        links.close()
        peer.stop()


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
def test_grpc_answers(ask: Ask, says: bytes, expected: Answer) -> None:
    with doorkeeper(says=says) as keeper:
        assert ask(GrpcCheck(address="127.0.0.1", port=keeper.port, service="a")) == expected


@pytest.mark.parametrize(
    ("says", "complaint"),
    [
        pytest.param(GREETING + frame(HEADERS, END_STREAM, 1, b"\x88"), "no health service", id="trailers-only"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "no HTTP/2", id="http-1"),
        pytest.param(GREETING, "closed before an answer", id="hangs-up"),
    ],
)
def test_grpc_without_an_answer(ask: Ask, says: bytes, complaint: str) -> None:
    with doorkeeper(says=says) as keeper:
        answer = ask(GrpcCheck(address="127.0.0.1", port=keeper.port))
    assert (answer.passes, complaint in answer.message) == (False, True), answer


def test_an_answer_that_is_no_status() -> None:
    with pytest.raises(NoAnswer):
        read_status(b"\x12\x00")
