"""Requests to Docker Engine, written and read by hand, for the few calls that are made many times a second.

The SDK's way through requests, urllib3 and http.client costs 1.5 ms of CPU a call, this a tenth. Streams, deadlines
and errors are those of the way that is taken (`hosts.streams.routes`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from hosts.streams.coroutines import Stream
from hosts.streams.routes import Route
from objects.errors import EngineUnavailable

MAX_ANSWER_BYTES = 1024 * 1024
MAX_LIST_BYTES = 256 * 1024 * 1024
"""A container has 1 to 4 KB in the list of all, an image 1 KB."""


class Reply(msgspec.Struct, frozen=True):
    """One answer as it came. asked_at, came_at: of the route's clock."""

    status: int
    content: bytes
    asked_at: float
    came_at: float


async def ask_engine(route: Route, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One request with a short answer in JSON, {} when it is empty. Raises EngineError, HostError."""
    stream = await route.to_engine()
    try:
        await stream.send(compose_request(route.api_path(path), method, body))
        answer = _Reader(stream)
        status, head = await answer.head()
        content = await answer.body(head)
    except BaseException:
        stream.close()
        raise
    route.give_back(stream)
    if status >= 400:
        raise route.engine.refusal(status, content)
    try:
        parsed = msgspec.json.decode(content, type=dict[str, Any]) if content else {}
    except msgspec.DecodeError as error:
        raise EngineUnavailable("the answer of Docker Engine is no JSON object", host=route.engine.host) from error
    return parsed


async def get_each(route: Route, paths: Sequence[str], *, on_reply: Callable[[Reply], None]) -> None:
    """GET several paths in one piece (pipelined, RFC 9112 §9.3.2); `on_reply` for each answer, in their order.

    One that the engine is slow with holds up those behind it. What an answer's status means is the caller's. Raises
    EngineError, HostError.
    """
    stream = await route.to_engine()
    try:
        asked_at = route.clock()
        await stream.send(b"".join(compose_request(route.api_path(path), "GET", None) for path in paths))
        answer = _Reader(stream, most_bytes=MAX_LIST_BYTES)
        for _ in paths:
            status, head = await answer.head()
            content = await answer.body(head)
            on_reply(Reply(status, content, asked_at, route.clock()))
    except BaseException:
        stream.close()
        raise
    route.give_back(stream)


async def follow_engine(route: Route, method: str, path: str, body: Mapping[str, Any], *, most_bytes: int) -> bytes:
    """One request whose answer goes on until the engine ends it; of it the beginning. Raises EngineError, HostError."""
    stream = await route.to_engine()
    try:
        await stream.send(compose_request(route.api_path(path), method, body))
        answer = _Reader(stream)
        status, head = await answer.head()
        if status >= 400:
            raise route.engine.refusal(status, await answer.body(head))
        return await answer.to_end(most_bytes)
    finally:
        stream.close()


def compose_request(path: str, method: str, body: Mapping[str, Any] | None) -> bytes:
    """Pure."""
    content = msgspec.json.encode(body) if body is not None else b""
    kind = "Content-Type: application/json\r\n" if content else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: docker\r\n{kind}Content-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def header(head: bytes, name: bytes) -> bytes:
    """A header's value out of a head in lower case, b"" without it: of ten that Docker sends two matter. Pure."""
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


async def follow_lines(
    route: Route, path: str, *, on_begin: Callable[[], None], on_line: Callable[[bytes], None]
) -> None:
    """GET whose answer goes on: `on_begin` once it has begun, `on_line` for each line, until the engine ends it.

    The route's time is for the beginning. Raises EngineError, HostError.
    """
    stream = await route.to_engine()
    try:
        await stream.send(compose_request(route.api_path(path), "GET", None))
        answer = _Reader(stream)
        status, head = await answer.head()
        if status >= 400:
            raise route.engine.refusal(status, await answer.body(head))
        route.forget_deadline(stream)
        on_begin()
        rest = b""
        while block := await answer.piece(head):
            *lines, rest = (rest + block).split(b"\n")
            for line in filter(None, lines):
                on_line(line)
            if len(rest) > MAX_ANSWER_BYTES:
                raise EngineUnavailable("a line of Docker Engine has no end", host=route.engine.host)
    finally:
        stream.close()


class _Reader:
    """Reads answers from a stream, one after the other. most_bytes: of a piece of one."""

    def __init__(self, stream: Stream, *, most_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self._got = bytearray()

    async def _fill(self) -> bool:
        block = await self._stream.receive()
        self._got += block
        if len(self._got) > self._most_bytes:
            raise EngineUnavailable("an answer of Docker Engine has no end")
        return bool(block)

    async def _take(self, size: int) -> bytes:
        while len(self._got) < size:
            if not await self._fill():
                raise EngineUnavailable("Docker Engine broke off its answer")
        block = bytes(self._got[:size])
        del self._got[:size]
        return block

    async def _line(self, end: bytes = b"\r\n") -> bytes:
        while (at := self._got.find(end)) < 0:
            if not await self._fill():
                raise EngineUnavailable("Docker Engine broke off its answer")
        return (await self._take(at + len(end)))[: -len(end)]

    async def head(self) -> tuple[int, bytes]:
        """(status, head of the answer in lower case)."""
        head = (await self._line(b"\r\n\r\n")).lower()
        parts = head.split(b" ", 2)
        if len(parts) < 2 or not parts[1].isdigit():
            raise EngineUnavailable("the answer of Docker Engine is no HTTP")
        return int(parts[1]), head

    async def body(self, head: bytes) -> bytes:
        """An answer of known length, or in chunks."""
        if header(head, b"transfer-encoding") != b"chunked":
            return await self._take(int(header(head, b"content-length") or b"0"))
        content = bytearray()
        while size := int((await self._line()).partition(b";")[0], 16):
            content += await self._take(size)
            await self._take(2)
        await self._line()
        return bytes(content)

    async def piece(self, head: bytes) -> bytes:
        """The next part of a body that goes on, b"" at its end."""
        if header(head, b"transfer-encoding") == b"chunked":
            size = int((await self._line()).partition(b";")[0], 16)
            block = await self._take(size)
            await self._take(2)
            return block
        if not self._got and not await self._fill():
            return b""
        return await self._take(len(self._got))

    async def to_end(self, most_bytes: int) -> bytes:
        """What comes until the engine ends the answer; only the beginning is kept."""
        kept = bytearray(self._got[:most_bytes])
        while True:
            self._got.clear()
            if not await self._fill():
                return bytes(kept)
            kept += self._got[: most_bytes - len(kept)]
