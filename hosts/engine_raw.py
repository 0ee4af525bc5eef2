"""Single requests to Docker Engine, written and read by hand, for the few calls that are made many times a second.

The SDK's way through requests, urllib3 and http.client costs 1.5 ms of CPU a call, this 0.2 ms. Streams, deadlines and
errors are those of `hosts.engine`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hosts.engine import Engine
from hosts.engine_socket import EngineSocket
from objects.errors import DeadlineExceeded, EngineUnavailable

BLOCK_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 1024 * 1024


class RawCall:
    """Requests that share one deadline. Not thread-safe."""

    def __init__(self, engine: Engine, *, timeout_seconds: float) -> None:
        self._engine = engine
        self._clock = engine.link.clock
        self._ends = self._clock() + timeout_seconds
        self._timeout_seconds = timeout_seconds

    def left(self) -> float:
        """Seconds until the deadline. Raises DeadlineExceeded when it is over."""
        left = self._ends - self._clock()
        if left <= 0:
            raise DeadlineExceeded(f"no answer within {self._timeout_seconds:g} s", host=self._engine.host)
        return left

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One request with a short answer in JSON. Raises EngineError, HostError."""
        stream = self._engine.streams.take(self.left())
        try:
            self._send(stream, method, path, body)
            answer = _Reader(stream, self)
            status, headers = answer.head()
            content = answer.body(headers)
        except BaseException:
            stream.close()
            raise
        self._engine.streams.give_back(stream)
        if status >= 400:
            raise self._engine.refusal(status, content)
        parsed: dict[str, Any] = json.loads(content)
        return parsed

    def follow(self, method: str, path: str, body: Mapping[str, Any], *, most_bytes: int) -> bytes:
        """One request whose answer goes on until the engine ends it; of it the beginning. Raises EngineError,
        HostError.
        """
        stream = self._engine.streams.take(self.left())
        try:
            self._send(stream, method, path, body)
            answer = _Reader(stream, self)
            status, headers = answer.head()
            if status >= 400:
                raise self._engine.refusal(status, answer.body(headers))
            return answer.to_end(most_bytes)
        finally:
            stream.close()

    def _send(self, stream: EngineSocket, method: str, path: str, body: Mapping[str, Any] | None) -> None:
        content = json.dumps(body).encode() if body is not None else b""
        kind = "Content-Type: application/json\r\n" if content else ""
        path = self._engine.api.versioned_path(path)
        head = f"{method} {path} HTTP/1.1\r\nHost: docker\r\n{kind}Content-Length: {len(content)}\r\n\r\n"
        stream.settimeout(self.left())
        stream.sendall(head.encode() + content)


class _Reader:
    """Reads one answer from a stream."""

    def __init__(self, stream: EngineSocket, call: RawCall) -> None:
        self._stream = stream
        self._call = call
        self._got = bytearray()

    def _fill(self) -> bool:
        self._stream.settimeout(self._call.left())
        block = self._stream.recv(BLOCK_BYTES)
        self._got += block
        if len(self._got) > MAX_ANSWER_BYTES:
            raise EngineUnavailable("an answer of Docker Engine has no end")
        return bool(block)

    def _take(self, size: int) -> bytes:
        while len(self._got) < size:
            if not self._fill():
                raise EngineUnavailable("Docker Engine broke off its answer")
        block = bytes(self._got[:size])
        del self._got[:size]
        return block

    def _line(self, end: bytes = b"\r\n") -> bytes:
        while (at := self._got.find(end)) < 0:
            if not self._fill():
                raise EngineUnavailable("Docker Engine broke off its answer")
        return self._take(at + len(end))[: -len(end)]

    def head(self) -> tuple[int, dict[bytes, bytes]]:
        """(status, headers by lower-case name)."""
        first, *lines = self._line(b"\r\n\r\n").split(b"\r\n")
        parts = first.split(b" ", 2)
        if len(parts) < 2 or not parts[1].isdigit():
            raise EngineUnavailable("the answer of Docker Engine is no HTTP")
        pairs = (line.partition(b":") for line in lines)
        return int(parts[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}

    def body(self, headers: Mapping[bytes, bytes]) -> bytes:
        """An answer of known length, or in chunks."""
        if headers.get(b"transfer-encoding", b"").lower() != b"chunked":
            return self._take(int(headers.get(b"content-length", b"0")))
        content = bytearray()
        while size := int(self._line().partition(b";")[0], 16):
            content += self._take(size)
            self._take(2)
        self._line()
        return bytes(content)

    def to_end(self, most_bytes: int) -> bytes:
        """What comes until the engine ends the answer; only the beginning is kept."""
        kept = bytearray(self._got[:most_bytes])
        while True:
            self._got.clear()
            if not self._fill():
                return bytes(kept)
            kept += self._got[: most_bytes - len(kept)]
