"""An SSH channel in the shape that Python's HTTP client and the Docker SDK expect of a socket.

paramiko's own file objects are not used: they read ahead into a buffer that a taken-over connection (exec, attach)
never sees, and `fileno()` of a channel costs two descriptors. Errors leave here as ours: they are no OSErrors, so they
pass through http.client, urllib3 and requests untouched.
"""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from objects.errors import HostError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from paramiko import Channel

READ_BUFFER_BYTES = 64 * 1024


class Diagnosis(Protocol):
    """Says what an end or a silence of the channel means."""

    def on_end(self, channel: Channel) -> HostError | None:
        """The peer ended the stream: an error if it did so by accident, None for a plain end."""

    def on_timeout(self, channel: Channel, timeout_seconds: float) -> HostError:
        """Nothing came in time."""


class EngineSocket:
    """A byte stream to Docker Engine. Closes for real when itself and all its readers are closed, like a socket."""

    def __init__(self, channel: Channel, diagnosis: Diagnosis, on_close: Callable[[], None]) -> None:
        self._channel = channel
        self._diagnosis = diagnosis
        self._on_close: Callable[[], None] | None = on_close
        self._readers = 0
        self._is_closing = False

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent on it."""
        channel = self._channel
        return not (channel.closed or channel.eof_received or self._is_closing or channel.recv_ready())

    def settimeout(self, seconds: float | None) -> None:
        self._channel.settimeout(seconds)

    def gettimeout(self) -> float | None:
        return self._channel.gettimeout()

    def sendall(self, block: ReadableBuffer) -> None:
        """Raises what `Diagnosis` says on a time-out, BrokenPipeError when the peer reads no more."""
        unsent = memoryview(block).cast("B")
        try:
            while unsent:
                sent = self._channel.send(bytes(unsent[:READ_BUFFER_BYTES]))
                if sent == 0:
                    raise BrokenPipeError("the stream is closed")
                unsent = unsent[sent:]
        except TimeoutError as error:
            raise self._diagnosis.on_timeout(self._channel, self._channel.gettimeout() or 0) from error
        except OSError as error:
            failure = self._diagnosis.on_end(self._channel)
            if failure is not None:
                raise failure from error
            # The engine may have answered before it stopped reading: let the HTTP client look for that answer.
            raise BrokenPipeError("the stream is closed") from error

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes, b"" at a plain end."""
        try:
            block = self._channel.recv(size)
        except TimeoutError as error:
            raise self._diagnosis.on_timeout(self._channel, self._channel.gettimeout() or 0) from error
        if not block and not self._is_closing:
            failure = self._diagnosis.on_end(self._channel)
            if failure is not None:
                raise failure
        return block

    def makefile(self, *_: object) -> ChannelReader:
        """A buffered reader over this stream; http.client asks for nothing else."""
        self._readers += 1
        return ChannelReader(_ChannelSource(self))

    def shutdown(self, how: int) -> None:
        """SHUT_WR ends our side; anything else ends the stream at once and wakes whoever reads."""
        if how == socket.SHUT_WR:
            self._channel.shutdown_write()
        else:
            self._is_closing = True
            self._release()

    def close(self) -> None:
        self._is_closing = True
        if self._readers == 0:
            self._release()

    def reader_closed(self) -> None:
        self._readers -= 1
        if self._is_closing and self._readers == 0:
            self._release()

    def _release(self) -> None:
        self._channel.close()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def __del__(self) -> None:
        # A stream that somebody forgot to close gives its place back.
        self._release()


class _ChannelSource(io.RawIOBase):
    """The unbuffered side of a reader. `sock` is where the SDK looks when it cancels a stream."""

    def __init__(self, sock: EngineSocket) -> None:
        self.sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        block = self.sock.recv(len(view))
        view[: len(block)] = block
        return len(block)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self.sock.reader_closed()


class ChannelReader(io.BufferedReader):
    """What http.client reads an answer from."""

    raw: _ChannelSource

    @property
    def channel(self) -> TakenOverStream:
        """Where the SDK looks for the two-way stream after an upgrade (exec, attach)."""
        return TakenOverStream(self)


class TakenOverStream:
    """Both directions of an upgraded connection. Reads go on where the HTTP client stopped, its buffer included."""

    def __init__(self, reader: ChannelReader) -> None:
        self._reader = reader
        self._sock = reader.raw.sock
        self._ready: int | None = None

    def recv(self, size: int) -> bytes:
        return self._reader.read1(size)

    def sendall(self, block: ReadableBuffer) -> None:
        self._sock.sendall(block)

    def settimeout(self, seconds: float | None) -> None:
        self._sock.settimeout(seconds)

    def gettimeout(self) -> float | None:
        return self._sock.gettimeout()

    def shutdown(self, how: int) -> None:
        self._sock.shutdown(how)

    def fileno(self) -> int:
        """A descriptor that is always readable: the SDK polls before it reads, and our `recv` waits by itself."""
        if self._ready is None:
            self._ready = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        return self._ready

    def close(self) -> None:
        """End the stream; a thread that reads it gets its end."""
        self._sock.shutdown(socket.SHUT_RDWR)
        if self._ready is not None:
            os.close(self._ready)
            self._ready = None

    def __del__(self) -> None:
        if self._ready is not None:
            os.close(self._ready)
