"""Packets of one SSH connection: read and written in fewer system calls than paramiko does; when the peer was heard."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import paramiko
from paramiko.message import Message
from paramiko.packet import Packetizer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

Clock = Callable[[], float]

READ_AHEAD_BYTES = 64 * 1024


class _ReadingAhead:
    """A socket as paramiko uses it, which asks for two pieces of each packet: they are taken out of what came at once.

    Read by the connection's thread alone. before_wait: called before more is asked for.
    """

    def __init__(self, sock: socket.socket | paramiko.Channel, before_wait: Callable[[], None]) -> None:
        self._came = memoryview(b"")
        self.first_words = b""
        self._recv = sock.recv
        self._before_wait = before_wait
        self.send = sock.send
        self.close = sock.close

    @property
    def has_more(self) -> bool:
        return bool(self._came)

    def recv(self, size: int) -> bytes:
        if not self._came:
            self._before_wait()
            self._came = memoryview(self._recv(READ_AHEAD_BYTES))
            if not self.first_words:
                self.first_words = bytes(self._came[:64])
        block, self._came = bytes(self._came[:size]), self._came[size:]
        return block


class HearingPacketizer(Packetizer):
    """Notes when the peer was last heard; `on_quiet` is called about once a poll interval while nothing comes in.

    What is sent in answer to packets that came together goes out together, and so does what is sent inside `together`.
    Each write costs more than the packets in it.
    """

    def __init__(self, sock: socket.socket | paramiko.Channel) -> None:
        self._ahead = _ReadingAhead(sock, self.flush)
        self._order = threading.RLock()
        self._held = bytearray()
        self._holders: set[int] = set()
        self.reader = 0
        super().__init__(self._ahead)  # type: ignore[arg-type]

    def send_message(self, data: Message) -> None:
        with self._order:  # else what another thread holds back could be overtaken
            super().send_message(data)

    def write_all(self, data: Buffer) -> None:
        with self._order:
            me = threading.get_ident()
            if me in self._holders or (me == self.reader and self._ahead.has_more):
                self._held += data
                return
            if self._held:
                data = bytes(self._held + data)
                self._held.clear()
            super().write_all(data)

    def flush(self) -> None:
        """Write what is held back. Raises EOFError when the connection ended."""
        if self._held:
            with self._order:
                held = bytes(self._held)
                self._held.clear()
                if held:
                    super().write_all(held)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread sends inside the block goes out at its end, or with what another thread sends."""
        me = threading.get_ident()
        self._holders.add(me)
        try:
            yield
        finally:
            self._holders.discard(me)
            self.flush()

    @property
    def first_words(self) -> bytes:
        """The beginning of what the peer said first; b"" as long as it has said nothing."""
        return self._ahead.first_words

    clock: Clock | None = None
    heard_at = 0.0
    on_quiet: Callable[[], None] | None = None

    def read_message(self) -> tuple[int, Message]:
        message = super().read_message()
        if self.clock is not None:
            self.heard_at = self.clock()
            self.reader = threading.get_ident()
        return message

    def _check_keepalive(self) -> None:
        if self.on_quiet is not None:
            self.on_quiet()
