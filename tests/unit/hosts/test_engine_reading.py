"""Several answers of an engine in one piece, over a real sshd: what is waited for, and what is given up."""

from __future__ import annotations

import getpass
import random
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hosts.docker.engine import Engine
from hosts.ssh.links import SshLinks
from hosts.streams.engine_reading import EngineReading
from objects.errors import DeadlineExceeded, EngineError, HostError
from tests.unit.hosts.peers import LocalSshd

VERSION = b'{"ApiVersion": "1.45", "MinAPIVersion": "1.24"}'


class Served(socketserver.ThreadingUnixStreamServer):
    """An engine that answers a path with the path: `/slow` once it may, `/gone` with 404, all of one stream in order.

    connections: how many streams were opened. asked: the paths, in order.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Answers)
        self.may_go_on = threading.Event()
        self.connections = 0
        self.asked: list[str] = []


class _Answers(socketserver.StreamRequestHandler):
    server: Served

    def handle(self) -> None:
        self.server.connections += 1
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            path = line.split()[1].decode()
            path = path if path == "/version" else "/" + path.split("/", 2)[2]
            self.server.asked.append(path)
            if path.startswith("/slow"):
                self.server.may_go_on.wait(20)
            content = VERSION if path == "/version" else path.encode()
            status = b"404 Not Found" if path == "/gone" else b"200 OK"
            self.wfile.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(content), content))


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSshd]:
    peer = LocalSshd(tmp_path_factory.mktemp("sshd"), getpass.getuser())
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "engine.sock") as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.may_go_on.set()
        server.shutdown()


@pytest.fixture
def engine(sshd: LocalSshd, served: Served) -> Iterator[Engine]:
    links = SshLinks(clock=time.monotonic, random=random.Random(1))
    target = replace(sshd.target(), keepalive_seconds=2, connect_timeout_seconds=20)
    yield Engine(links.link(target), socket_path=str(served.server_address))
    links.close()


@pytest.fixture
def reading(engine: Engine) -> Iterator[EngineReading]:
    reading = EngineReading(engine)
    yield reading
    reading.close()


def get(reading: EngineReading, *paths: str, extra: tuple[str, ...] = (), seconds: float = 10) -> list[str]:
    return [reply.content.decode() for reply in reading.get(paths, extra=extra, timeout_seconds=seconds)]


def our_threads() -> int:
    """Without those of the engine."""
    return sum("process_request" not in thread.name for thread in threading.enumerate())


def test_answers_come_in_order_over_one_stream(reading: EngineReading, served: Served) -> None:
    assert get(reading, "/a", "/b", extra=("/c",)) == ["/a", "/b"], "over what waits only what is needed is asked for"
    threads = our_threads()
    assert get(reading, "/a", "/b", extra=("/c", "/gone")) == ["/a", "/b", "/c", "/gone"]
    before = served.connections
    for _ in range(5):
        assert get(reading, "/a", "/b", extra=("/c",)) == ["/a", "/b", "/c"]
    assert (served.connections, our_threads()) == (before, threads)


def test_what_is_welcome_only_is_not_waited_for(reading: EngineReading, served: Served) -> None:
    get(reading, "/a")
    began = time.monotonic()
    assert get(reading, "/a", extra=("/b", "/slow", "/c")) == ["/a", "/b"]
    assert time.monotonic() - began < 5
    served.may_go_on.set()
    assert get(reading, "/d", extra=("/e",)) == ["/d", "/e"], "what was given up is not taken for an answer"


def test_what_is_needed_is_waited_for_until_its_time_is_over(reading: EngineReading, served: Served) -> None:
    get(reading, "/a")
    with pytest.raises(DeadlineExceeded, match="did not answer within"):
        get(reading, "/a", "/slow", seconds=0.5)
    threading.Timer(0.5, served.may_go_on.set).start()
    assert get(reading, "/slow", "/a") == ["/slow", "/a"]


@pytest.mark.parametrize("is_told", [False, True])
def test_a_refusal_of_what_is_needed_is_raised(reading: EngineReading, is_told: bool) -> None:
    if is_told:
        get(reading, "/a")
    with pytest.raises(EngineError) as caught:
        get(reading, "/a", "/gone", "/b")
    assert caught.value.status == 404


def test_a_lost_connection_ends_the_wait(reading: EngineReading, engine: Engine) -> None:
    get(reading, "/a")
    transport = engine.link.living
    assert transport is not None
    threading.Timer(0.3, transport.sever, ("cut",)).start()
    with pytest.raises(HostError, match="lost: cut"):
        get(reading, "/a", "/slow")
