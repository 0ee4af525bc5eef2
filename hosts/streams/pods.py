"""A short-lived byte stream from a host to a port of a pod, with one deadline for everything on it, TLS on request.

For questions that are answered at once (probes, hooks, metrics). What goes wrong at the pod's end is `NoAnswer`; what
goes wrong between us and the host is a HostError: then nothing is known of the pod. The streams here wait in the
caller's thread; those that are told are in `hosts.streams.notified`.
"""

from __future__ import annotations

import ssl

import paramiko

from hosts.ssh.link import SshLink
from hosts.ssh.transport import SshTransport
from hosts.ssh.waited_channel import ChannelRefused
from hosts.streams.coroutines import Stream
from objects.errors import DeadlineExceeded, HostError, Needs

BLOCK_BYTES = 16 * 1024


class NoAnswer(Exception):
    """The pod's end does not do as asked: nobody listens, it hangs, it breaks off, it talks nonsense."""


class ForwardingForbidden(HostError):
    """The host's sshd opens no connections to pods: it has to be set up otherwise. Commands are not concerned."""

    reason = "ForwardingForbidden"
    needs = Needs.NEEDS_OPERATOR


class PodStream:
    """A `Stream` that waits. Made by `open_stream`. Not thread-safe."""

    def __init__(self, channel: paramiko.Channel, link: SshLink, deadline: float, timeout_seconds: float) -> None:
        self._channel = channel
        self._link = link
        self._deadline = deadline
        self._timeout_seconds = timeout_seconds

    async def send(self, block: bytes) -> None:
        """Raises NoAnswer, HostError. A peer that has hung up may have answered before: `receive` tells."""
        view = memoryview(block)
        while view:
            self._channel.settimeout(self._left())
            try:
                sent = self._channel.send(bytes(view[:BLOCK_BYTES]))
            except TimeoutError as error:
                raise self._late() from error
            except OSError as error:
                if self._transport.is_ending:
                    raise self._transport.lost() from error
                return
            if not sent:
                return
            view = view[sent:]

    async def receive(self) -> bytes:
        """b"" at the end. Raises NoAnswer, HostError."""
        self._channel.settimeout(self._left())
        try:
            block = self._channel.recv(BLOCK_BYTES)
        except TimeoutError as error:
            raise self._late() from error
        if not block and self._transport.is_ending:
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
        return late_or_unreachable(self._transport.overdue("no answer"), self._timeout_seconds)


class TlsStream:
    """TLS over another stream. The server's certificate is not looked at: probes are no place for trust."""

    def __init__(self, plain: Stream, server_name: str) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    async def shake_hands(self) -> None:
        """First of all. Raises NoAnswer, HostError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError as error:
                raise NoAnswer(f"TLS handshake failed: {error.reason or error}") from error
            else:
                await self._flush()
                return

    async def send(self, block: bytes) -> None:
        """Raises NoAnswer, HostError."""
        self._tls.write(block)
        await self._flush()

    async def receive(self) -> bytes:
        """b"" at the end. Raises NoAnswer, HostError."""
        while True:
            try:
                return self._tls.read(BLOCK_BYTES)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLEOFError:
                return b""  # many servers just hang up
            except ssl.SSLError as error:
                raise NoAnswer(f"TLS broke off: {error.reason or error}") from error

    def close(self) -> None:
        self._plain.close()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._plain.send(self._outgoing.read())

    async def _fill(self) -> None:
        block = await self._plain.receive()
        if block:
            self._incoming.write(block)
        else:
            self._incoming.write_eof()


async def over_tls(plain: Stream, server_name: str) -> Stream:
    """TLS over a stream that was just opened. Raises NoAnswer, HostError."""
    stream = TlsStream(plain, server_name)
    await stream.shake_hands()
    return stream


def open_stream(link: SshLink, address: str, port: int, *, timeout_seconds: float) -> PodStream:
    """Connect from the host; whoever called closes it. Raises NoAnswer, HostError."""
    deadline = link.clock() + timeout_seconds
    try:
        channel = link.open_tcp(address, port, timeout_seconds=timeout_seconds)
    except ChannelRefused as refusal:
        raise why_refused(refusal, address, port) from refusal
    except DeadlineExceeded as error:
        raise late_or_unreachable(error, timeout_seconds) from error
    return PodStream(channel, link, deadline, timeout_seconds)


def why_refused(refusal: ChannelRefused, address: str, port: int) -> NoAnswer | HostError:
    """Nobody listens, or sshd does not let us ask: then nothing is known of the pod. Pure."""
    if refusal.is_forbidden:
        hint = "set `AllowTcpForwarding local` in sshd_config on the host"
        return ForwardingForbidden("sshd forwards no TCP connections to pods", host=refusal.host, hint=hint)
    why = refusal.message.rpartition(": ")[2]
    return NoAnswer(f"dial tcp {address}:{port}: {why[:1].lower()}{why[1:]}")


def late_or_unreachable(error: HostError, timeout_seconds: float) -> NoAnswer | HostError:
    """A host that talks to us otherwise leaves the pod to blame. Pure."""
    return (
        NoAnswer(f"no answer within {round(timeout_seconds, 1):g} s") if isinstance(error, DeadlineExceeded) else error
    )
