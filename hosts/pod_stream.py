"""A short-lived byte stream from a host to a port of a pod, with one deadline for everything on it, TLS on request.

For questions that are answered at once (probes, hooks, metrics). What goes wrong at the pod's end is `NoAnswer`; what
goes wrong between us and the host is a HostError: then nothing is known of the pod.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from hosts.ssh import SshLink
from hosts.ssh_transport import ChannelRefused, SshTransport
from objects.errors import DeadlineExceeded, HostError

BLOCK_BYTES = 16 * 1024


class NoAnswer(Exception):
    """The pod's end does not do as asked: nobody listens, it hangs, it breaks off, it talks nonsense."""


class PodStream:
    """Made by `open_stream`. Not thread-safe."""

    def __init__(self, channel: paramiko.Channel, link: SshLink, deadline: float, timeout_seconds: float) -> None:
        self._channel = channel
        self._link = link
        self._deadline = deadline
        self._timeout_seconds = timeout_seconds

    def send(self, block: bytes) -> None:
        """Raises NoAnswer, HostError."""
        view = memoryview(block)
        while view:
            self._channel.settimeout(self._left())
            try:
                sent = self._channel.send(bytes(view[:BLOCK_BYTES]))
            except TimeoutError as error:
                raise self._late() from error
            except OSError as error:
                raise self._ended() from error
            view = view[sent:]

    def receive(self, size: int = BLOCK_BYTES) -> bytes:
        """Up to `size` bytes; b"" at the end. Raises NoAnswer, HostError."""
        self._channel.settimeout(self._left())
        try:
            block = self._channel.recv(size)
        except TimeoutError as error:
            raise self._late() from error
        if not block and not self._transport.is_active():
            raise self._transport.lost()
        return block

    def close(self) -> None:
        """End the stream, and whatever the other end still says."""
        self._transport.close_at_once(self._channel)

    @property
    def _transport(self) -> SshTransport:
        transport = self._channel.get_transport()
        assert isinstance(transport, SshTransport)
        return transport

    def _left(self) -> float:
        return max(0.001, self._deadline - self._link.clock())

    def _late(self) -> Exception:
        return _late_or_unreachable(self._transport.overdue("no answer"), self._timeout_seconds)

    def _ended(self) -> Exception:
        if not self._transport.is_active():
            return self._transport.lost()
        return NoAnswer("the connection was closed")


class TlsStream:
    """TLS over a PodStream. The server's certificate is not looked at: probes are no place for trust."""

    def __init__(self, plain: PodStream, server_name: str) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._shake_hands()

    def _shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError as error:
                raise NoAnswer(f"TLS handshake failed: {error.reason or error}") from error
            else:
                self._flush()
                return

    def send(self, block: bytes) -> None:
        """Raises NoAnswer, HostError."""
        self._tls.write(block)
        self._flush()

    def receive(self, size: int = BLOCK_BYTES) -> bytes:
        """Up to `size` bytes; b"" at the end. Raises NoAnswer, HostError."""
        while True:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLEOFError:
                return b""  # many servers just hang up
            except ssl.SSLError as error:
                raise NoAnswer(f"TLS broke off: {error.reason or error}") from error

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._plain.send(self._outgoing.read())

    def _fill(self) -> None:
        block = self._plain.receive()
        if block:
            self._incoming.write(block)
        else:
            self._incoming.write_eof()


@contextmanager
def open_stream(link: SshLink, address: str, port: int, *, timeout_seconds: float) -> Iterator[PodStream]:
    """Connect from the host. Raises NoAnswer, HostError."""
    deadline = link.clock() + timeout_seconds
    try:
        channel = link.open_tcp(address, port, timeout_seconds=timeout_seconds)
    except ChannelRefused as refusal:
        if refusal.is_forbidden:
            hint = "set `AllowTcpForwarding local` in sshd_config on the host"
            raise HostError("sshd forwards no TCP connections to pods", host=link.host, hint=hint) from refusal
        why = refusal.message.rpartition(": ")[2]
        raise NoAnswer(f"dial tcp {address}:{port}: {why[:1].lower()}{why[1:]}") from refusal
    except DeadlineExceeded as error:
        raise _late_or_unreachable(error, timeout_seconds) from error
    stream = PodStream(channel, link, deadline, timeout_seconds)
    try:
        yield stream
    finally:
        stream.close()


def _late_or_unreachable(error: HostError, timeout_seconds: float) -> Exception:
    """A host that talks to us otherwise leaves the pod to blame."""
    return (
        NoAnswer(f"no answer within {round(timeout_seconds, 1):g} s") if isinstance(error, DeadlineExceeded) else error
    )
