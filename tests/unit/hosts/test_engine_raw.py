"""Answers of Docker Engine as they may come: of known length, in chunks, cut anywhere."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from hosts.streams.coroutines import Clock, Stream, run_waiting
from hosts.streams.engine_requests import ask_engine, compose_request, follow_engine
from objects.errors import EngineError, EngineUnavailable

CREATED = b"HTTP/1.1 201 Created\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FOLLOWED = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
REFUSED = b'HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\n\r\n{"message":"no such"}'


class Blocks:
    """A stream that gives these blocks and then ends."""

    def __init__(self, blocks: Sequence[bytes]) -> None:
        self._blocks = list(blocks)
        self.sent = b""
        self.is_closed = False

    async def send(self, block: bytes) -> None:
        self.sent += block

    async def receive(self) -> bytes:
        return self._blocks.pop(0) if self._blocks else b""

    def close(self) -> None:
        self.is_closed = True


class FakeEngine:
    def refusal(self, status: int, body: bytes) -> EngineError:
        return EngineError(body.decode(), status=status, host="h")


class OneStream:
    """A way on which every request takes the same stream."""

    engine = FakeEngine()
    clock: Clock = time.monotonic
    timeout_seconds = 1.0

    def __init__(self, stream: Blocks) -> None:
        self.stream = stream
        self.is_given_back = False

    def api_path(self, path: str) -> str:
        return f"/v1.41{path}"

    async def to_engine(self) -> Stream:
        return self.stream

    async def to_pod(self, address: str, port: int) -> Stream:
        raise NotImplementedError

    def give_back(self, stream: Stream) -> None:
        self.is_given_back = True


def cut(answer: bytes, size: int) -> list[bytes]:
    return [answer[at : at + size] for at in range(0, len(answer), size)]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(CREATED + b'{"Id": "abc"}', id="length"),
        pytest.param(CHUNKED + b'7;x=1\r\n{"Id": \r\n6\r\n"abc"}\r\n0\r\n\r\n', id="chunks"),
    ],
)
def test_an_answer(answer: bytes, size: int) -> None:
    route = OneStream(Blocks(cut(answer, size)))
    assert run_waiting(ask_engine(route, "POST", "/x", {"a": [1]}), route.clock) == {"Id": "abc"}  # type: ignore[arg-type]
    assert (route.is_given_back, route.stream.is_closed) == (True, False)
    assert route.stream.sent == compose_request("/v1.41/x", "POST", {"a": [1]})


def test_a_request() -> None:
    lines = compose_request("/v1.41/x", "POST", {"a": [1]}).split(b"\r\n")
    assert lines == [
        b"POST /v1.41/x HTTP/1.1",
        b"Host: docker",
        b"Content-Type: application/json",
        b"Content-Length: 9",
        b"",
        b'{"a":[1]}',
    ]


def test_a_refusal_leaves_the_stream_usable() -> None:
    route = OneStream(Blocks([REFUSED]))
    with pytest.raises(EngineError, match="no such"):
        run_waiting(ask_engine(route, "GET", "/x"), route.clock)  # type: ignore[arg-type]
    assert (route.is_given_back, route.stream.is_closed) == (True, False)


@pytest.mark.parametrize("answer", [b"", CREATED + b'{"Id', b"SSH-2.0\r\n\r\n", CHUNKED + b"7\r\n{"])
def test_an_answer_that_breaks_off(answer: bytes) -> None:
    route = OneStream(Blocks([answer]))
    with pytest.raises(EngineUnavailable):
        run_waiting(ask_engine(route, "GET", "/x"), route.clock)  # type: ignore[arg-type]
    assert (route.is_given_back, route.stream.is_closed) == (False, True)


def test_what_is_followed_is_kept_in_part_and_read_to_its_end() -> None:
    route = OneStream(Blocks([FOLLOWED + b"ab", b"cd", b"ef"]))
    said = run_waiting(follow_engine(route, "POST", "/x", {}, most_bytes=3), route.clock)  # type: ignore[arg-type]
    assert (said, route.stream.is_closed) == (b"abc", True)
