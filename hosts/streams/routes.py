"""Two ways by which one question gets to a host, for coroutines that do not care: waited for, or told of.

A way belongs to one question: it has its deadline. `WaitingRoute` works always, in the caller's thread (also over
`docker system dial-stdio`, and while the host is being connected); `NotifiedRoute` only while there is a connection
whose sshd forwards Unix sockets.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Protocol

from hosts.docker.channel_socket import EngineSocket
from hosts.docker.engine import Engine, EngineClient
from hosts.ssh.transport import SshTransport
from hosts.streams.coroutines import Clock, Stream
from hosts.streams.notified import NotifiedEngineStream, NotifiedStream
from hosts.streams.pods import open_stream
from objects.errors import DeadlineExceeded, EngineUnavailable

BLOCK_BYTES = 16 * 1024
IDLE_KEPT = 8
"""Streams to the engine kept between probes: as many commands usually run side by side on a host."""


class Route(Protocol):
    """engine: whose paths and errors are used. timeout_seconds: of the whole question."""

    engine: Engine
    clock: Clock
    timeout_seconds: float

    def api_path(self, path: str) -> str:
        """A path of the engine's API with the version that is agreed on. Raises HostError."""

    async def to_pod(self, address: str, port: int) -> Stream:
        """Connect from the host. Raises NoAnswer, HostError."""

    async def to_engine(self) -> Stream:
        """For one request. Raises HostError."""

    def give_back(self, stream: Stream) -> None:
        """The answer of the engine was read to its end, the stream may serve again."""

    def forget_deadline(self, stream: Stream) -> None:
        """What the engine goes on to say may take for ever."""


class WaitingRoute:
    """In the caller's thread."""

    def __init__(self, engine: Engine, *, timeout_seconds: float) -> None:
        self.engine = engine
        self.clock: Clock = engine.link.clock
        self.timeout_seconds = timeout_seconds
        self._ends = self.clock() + timeout_seconds

    def api_path(self, path: str) -> str:
        return self.engine.api.versioned_path(path)

    async def to_pod(self, address: str, port: int) -> Stream:
        return open_stream(self.engine.link, address, port, timeout_seconds=max(0.001, self._ends - self.clock()))

    async def to_engine(self) -> Stream:
        return _WaitingEngineStream(self.engine, self.engine.streams.take(self.left()), self)

    def forget_deadline(self, stream: Stream) -> None:
        assert isinstance(stream, _WaitingEngineStream)
        self._ends = math.inf

    def give_back(self, stream: Stream) -> None:
        assert isinstance(stream, _WaitingEngineStream)
        self.engine.streams.give_back(stream.socket)

    def left(self) -> float:
        """Seconds until the deadline. Raises DeadlineExceeded when it is over."""
        left = self._ends - self.clock()
        if left <= 0:
            raise DeadlineExceeded(f"no answer within {self.timeout_seconds:g} s", host=self.engine.host)
        return left


class _WaitingEngineStream:
    def __init__(self, engine: Engine, socket: EngineSocket, route: WaitingRoute) -> None:
        self.socket = socket
        self._engine = engine
        self._way = route

    async def send(self, block: bytes) -> None:
        self.socket.settimeout(self._way.left())
        self.socket.sendall(block)

    async def receive(self) -> bytes:
        self.socket.settimeout(self._way.left())
        return self.socket.recv(BLOCK_BYTES)

    def close(self) -> None:
        self.socket.close()


class NotifiedRoutes:
    """Makes `NotifiedRoute`s for one host and keeps its idle streams to the engine. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lock = threading.Lock()
        self._idle: list[NotifiedEngineStream] = []

    def route(self, *, timeout_seconds: float, on_news: Callable[[], None], to_engine: bool) -> NotifiedRoute | None:
        """None: it can only be waited for now."""
        transport, client = self.engine.link.living, self.engine.agreed
        if transport is None or not transport.may_tell:
            return None
        if to_engine and (client is None or not self.engine.is_forwarded):
            return None
        return NotifiedRoute(self, transport, client, timeout_seconds=timeout_seconds, on_news=on_news)

    def take(self) -> NotifiedEngineStream | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def keep(self, stream: NotifiedEngineStream) -> None:
        stream.rest()
        with self._lock:
            if len(self._idle) < IDLE_KEPT:
                self._idle.append(stream)
                return
        stream.close()

    def close(self) -> None:
        """Close what is idle; the link stays."""
        with self._lock:
            idle, self._idle = self._idle, []
        for stream in idle:
            stream.close()


class NotifiedRoute:
    """By channels that run a flow on: `on_news` does. ends_at: of the clock; the flow is to be resumed then."""

    def __init__(
        self,
        routes: NotifiedRoutes,
        transport: SshTransport,
        client: EngineClient | None,
        *,
        timeout_seconds: float,
        on_news: Callable[[], None],
    ) -> None:
        """client: as it was agreed on when the question was begun; None: the question is not for the engine."""
        self.engine = routes.engine
        self.clock: Clock = transport.clock
        self.timeout_seconds = timeout_seconds
        self.ends_at = transport.clock() + timeout_seconds
        self._ways = routes
        self._transport = transport
        self._client = client
        self._on_news = on_news

    def api_path(self, path: str) -> str:
        # Never `engine.api`: when the engine was exchanged meanwhile, that would ask for its version and wait for the
        # answer in the thread which has to read it.
        if self._client is None:
            raise EngineUnavailable("no API version is agreed on", host=self.engine.host)
        return self._client.versioned_path(path)

    async def to_pod(self, address: str, port: int) -> Stream:
        stream = NotifiedStream(self._transport, deadline=self.ends_at, timeout_seconds=self.timeout_seconds)
        try:
            await stream.open_tcp(address, port, self._on_news)
        except BaseException:
            stream.close()
            raise
        return stream

    async def to_engine(self) -> Stream:
        times = {"deadline": self.ends_at, "timeout_seconds": self.timeout_seconds}
        while (stream := self._ways.take()) is not None:
            if stream.reuse(**times, on_news=self._on_news):
                return stream
            stream.close()
        stream = NotifiedEngineStream(self._transport, **times)
        try:
            await stream.open_unix(self.engine.socket_path, self._on_news, self.engine.streams.nobody_listens)
        except BaseException:
            stream.close()
            raise
        return stream

    def forget_deadline(self, stream: Stream) -> None:
        assert isinstance(stream, NotifiedEngineStream)
        stream.forget_deadline()

    def give_back(self, stream: Stream) -> None:
        assert isinstance(stream, NotifiedEngineStream)
        if stream.is_usable:
            self._ways.keep(stream)
        else:
            stream.close()
