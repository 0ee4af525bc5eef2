"""Byte streams over notified channels (`hosts.ssh.notified_channel`): they suspend their flow and hold no thread.

To pods, with the errors of `hosts.streams.pods`, and to the Docker socket, with those of `hosts.docker.dial`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from hosts.ssh.notified_channel import ToldChannel
from hosts.ssh.transport import SshTransport
from hosts.streams.coroutines import news
from hosts.streams.pods import NoAnswer, late_or_unreachable, why_refused
from objects.errors import HostError


class NotifiedStream:
    """A `Stream` to a pod. deadline: of the transport's clock. on_news: runs the flow on."""

    def __init__(self, transport: SshTransport, *, deadline: float, timeout_seconds: float) -> None:
        self._transport = transport
        self._deadline = deadline
        self._timeout_seconds = timeout_seconds
        self._channel: ToldChannel | None = None
        self._on_news: Callable[[], None] = lambda: None

    async def open_tcp(self, address: str, port: int, on_news: Callable[[], None]) -> None:
        """Raises NoAnswer, HostError."""
        await self._open(on_news, "direct-tcpip", address, port, "127.0.0.1", 0)
        refusal = self._opened.refusal
        if refusal is not None:
            raise why_refused(refusal, address, port) from refusal

    async def _open(self, on_news: Callable[[], None], kind: str, *arguments: str | int) -> None:
        self._on_news = on_news
        self._channel = channel = self._transport.open_told(kind, *arguments, on_news=lambda: self._on_news())
        while not channel.is_open and not channel.is_over:
            await self._news()
        if self._is_lost:
            raise self._transport.lost()

    @property
    def _opened(self) -> ToldChannel:
        assert self._channel is not None
        return self._channel

    @property
    def _is_lost(self) -> bool:
        return self._opened.is_lost or not self._transport.is_active()

    async def send(self, block: bytes) -> None:
        """Raises HostError. A peer that has hung up may have answered before: `receive` tells."""
        if self._is_lost:
            raise self._transport.lost()
        self._opened.send(block)

    async def receive(self) -> bytes:
        """b"" at the end. Raises NoAnswer, HostError."""
        channel = self._opened
        while not channel.blocks:
            if channel.is_over and not channel.blocks:  # looked at again: they come before the end
                if self._is_lost:
                    raise self._transport.lost()
                return b""
            await self._news()
        return channel.blocks.popleft()

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()

    async def _news(self) -> None:
        if self._transport.clock() >= self._deadline:
            raise self._late()
        await news()

    def _late(self) -> NoAnswer | HostError:
        if self._is_lost:
            return self._transport.lost()
        return late_or_unreachable(self._transport.overdue("no answer"), self._timeout_seconds)


class NotifiedEngineStream(NotifiedStream):
    """A `Stream` to the Docker socket; may be kept for another question."""

    async def open_unix(self, path: str, on_news: Callable[[], None], unavailable: Callable[[], HostError]) -> None:
        """Raises HostError. unavailable: what it means that nobody listens."""
        await self._open(on_news, "direct-streamlocal@openssh.com", path, "", 0)
        if self._opened.refusal is not None:
            raise unavailable() from self._opened.refusal

    def reuse(self, *, deadline: float, timeout_seconds: float, on_news: Callable[[], None]) -> bool:
        """Take it for another question; False when it has ended since."""
        self._on_news, self._deadline, self._timeout_seconds = on_news, deadline, timeout_seconds
        return self.is_usable

    def forget_deadline(self) -> None:
        self._deadline = math.inf

    @property
    def is_usable(self) -> bool:
        channel = self._opened
        return not channel.is_over and not channel.blocks and self._transport.is_active()

    def rest(self) -> None:
        """Between two questions nobody is told."""
        self._on_news = lambda: None

    def _late(self) -> HostError:
        if self._is_lost:
            return self._transport.lost()
        return self._transport.overdue(f"Docker Engine did not answer within {self._timeout_seconds:.3g} s")
