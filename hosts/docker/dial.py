"""Byte streams to the Docker socket of a host, by whichever way its sshd allows, and a pool of them.

First choice is a `direct-streamlocal` channel: 0.7 ms, no process, not counted by MaxSessions. Where sshd forbids
those (AllowStreamLocalForwarding), `docker system dial-stdio` is run on the host: a process and 100 to 250 ms each, and
a session, of which sshd allows ten. Knows nothing of HTTP.
"""

from __future__ import annotations

import shlex
import threading
from typing import TYPE_CHECKING

from hosts.docker.channel_socket import EngineSocket
from hosts.ssh.link import SshLink
from hosts.ssh.sessions import Use
from hosts.ssh.transport import SshTransport
from hosts.ssh.waited_channel import ChannelRefused
from objects.errors import DeadlineExceeded, EngineUnavailable, HostError, HostUnreachable

if TYPE_CHECKING:
    from paramiko import Channel

FORWARDED_AT_ONCE = 256
"""Each is a descriptor in the host's sshd session process, which has 1,024."""

ASK_AGAIN_SECONDS = (1.0, 300.0)
"""An sshd that seems to forward nothing is asked again after a pause, which doubles from the first of these to the
second. An engine that was just starting looks the same: that costs processes for a moment, not as long as the
connection lasts."""

IDLE_KEPT = 16
"""Streams kept open between calls: a few lanes of one host's worker and its probes."""

PROBE_SECONDS = 10.0


class EngineDialer:
    """Opens streams to one Docker socket, and tells what it means when one ends."""

    def __init__(self, link: SshLink, socket_path: str) -> None:
        self.link = link
        self._socket_path = socket_path
        self._lock = threading.Lock()
        self._learnt_on = 0  # the connection whose sshd we know
        self._is_forwarding: bool | None = None
        self._pause = ASK_AGAIN_SECONDS[0]
        self._ask_again_at = 0.0

    @property
    def at_once(self) -> int:
        """How many streams may be open."""
        return FORWARDED_AT_ONCE if self.forwards_sockets else self.link.places_for_streams

    @property
    def is_forwarded(self) -> bool:
        """Whether sshd is known to forward Unix sockets."""
        return self.forwards_sockets is True

    @property
    def forwards_sockets(self) -> bool | None:
        """Whether sshd forwards Unix sockets; None while unknown. sshd may be set up anew between two connections."""
        with self._lock:
            return self._is_forwarding if self._learnt_on == self.link.connection_number else None

    def _learn(self, is_forwarding: bool | None) -> None:
        with self._lock:
            first, most = ASK_AGAIN_SECONDS
            was_refused = self._is_forwarding is False and self._learnt_on == self.link.connection_number
            self._pause = min(self._pause * 2, most) if was_refused else first
            self._ask_again_at = self.link.clock() + self._pause
            self._learnt_on = self.link.connection_number
            self._is_forwarding = is_forwarding

    def open(self, timeout_seconds: float) -> Channel:
        """Raises EngineUnavailable with what is wrong at the host, or what the link raises."""
        known = self.forwards_sockets
        if known is False and self.link.clock() < self._ask_again_at:
            return self._dial(timeout_seconds)
        try:
            channel = self.link.open_unix(self._socket_path, timeout_seconds=timeout_seconds)
        except ChannelRefused as refusal:
            # sshd says "open failed" both when it forbids forwarding and when nobody listens.
            if known:
                raise self.nobody_listens() from refusal
            if known is None:
                self._check_socket(refusal, timeout_seconds)
            channel = self._dial(timeout_seconds)
            self._learn(False)
            return channel
        self._learn(True)
        return channel

    def _check_socket(self, refusal: ChannelRefused, timeout_seconds: float) -> None:
        """Look at the socket file, for a better reason than sshd's. Raises EngineUnavailable unless it looks usable."""
        path = shlex.quote(self._socket_path)
        script = f"[ -S {path} ] || {{ echo missing; exit; }}; [ -r {path} ] && [ -w {path} ] && echo usable"
        seen = self.link.run(script, timeout_seconds=min(timeout_seconds, PROBE_SECONDS)).stdout.strip()
        if seen == b"missing":
            raise self._unavailable(f"there is no socket {self._socket_path}") from refusal
        if seen != b"usable":
            user = self.link.target.user
            raise EngineUnavailable(
                f"user {user!r} may not use {self._socket_path}",
                host=self.link.host,
                hint=f"`usermod -aG docker {user}` on the host",
            ) from refusal

    def nobody_listens(self) -> EngineUnavailable:
        """What it means that a known way is refused."""
        return self._unavailable("nobody listens on its socket")

    def _unavailable(self, why: str) -> EngineUnavailable:
        return EngineUnavailable(
            f"Docker Engine does not answer: {why}", host=self.link.host, hint="`systemctl status docker` on the host"
        )

    def _dial(self, timeout_seconds: float) -> Channel:
        command = f"docker -H {shlex.quote('unix://' + self._socket_path)} system dial-stdio"
        return self.link.open_command(command, timeout_seconds=timeout_seconds, use=Use.STREAM)

    # --- Diagnosis ---------------------------------------------------------------------------------------------------

    def on_end(self, channel: Channel) -> HostError | None:
        """A lost connection or a failed dial-stdio is an error; else the engine closed the stream, as HTTP may."""
        transport = _transport(channel)
        if not transport.is_active():
            return transport.lost()
        if not channel.status_event.is_set() or channel.exit_status <= 0:
            return None
        self._learn(None)
        said = b""
        while channel.recv_stderr_ready():
            said += channel.recv_stderr(4096)
        if channel.exit_status == 127:
            return EngineUnavailable(
                "its sshd forwards no Unix sockets, and there is no docker command to do it instead",
                host=self.link.host,
                hint="set `AllowStreamLocalForwarding local` in sshd_config, or install docker-cli, on the host",
            )
        return self._unavailable(said.decode(errors="replace").strip()[-500:] or "dial-stdio failed")

    def on_timeout(self, channel: Channel, timeout_seconds: float) -> HostError:
        return _transport(channel).overdue(f"Docker Engine did not answer within {timeout_seconds:.3g} s")


def _transport(channel: Channel) -> SshTransport:
    transport = channel.get_transport()
    assert isinstance(transport, SshTransport)
    return transport


class StreamPool:
    """Idle streams for reuse, and a bound on how many are open. Thread-safe.

    Whoever waits takes an idle stream as soon as one is given back, or opens one when one is closed.
    """

    def __init__(self, dialer: EngineDialer) -> None:
        self._dialer = dialer
        self._clock = dialer.link.clock
        self._changed = threading.Condition()  # its lock is re-entrant: a forgotten stream is collected anywhere
        self._idle: list[EngineSocket] = []
        self._open = 0
        self._is_closed = False
        self._keep_silent = dialer.link.on_short_sessions(self._make_room)

    @property
    def is_forwarded(self) -> bool:
        """Whether sshd is known to forward Unix sockets."""
        return self._dialer.is_forwarded

    @property
    def forwards_sockets(self) -> bool | None:
        """The same while it is not known: None."""
        return self._dialer.forwards_sockets

    def nobody_listens(self) -> EngineUnavailable:
        """What it means that a known way is refused."""
        return self._dialer.nobody_listens()

    @property
    def open_count(self) -> int:
        return self._open

    def take(self, timeout_seconds: float) -> EngineSocket:
        """A stream for one request. Raises DeadlineExceeded when all stay in use, and what the dialer raises."""
        deadline = self._clock() + timeout_seconds
        with self._changed:
            while True:
                if self._is_closed:
                    raise HostUnreachable("the link is closed", host=self._dialer.link.host)
                stream = self._take_idle()
                if stream is not None:
                    return stream
                if self._open < self._dialer.at_once:
                    self._open += 1
                    break
                if not self._changed.wait(deadline - self._clock()):
                    busy = f"{self._open} calls to Docker Engine are under way, none ended in {timeout_seconds:.3g} s"
                    raise DeadlineExceeded(busy, host=self._dialer.link.host)
        try:
            channel = self._dialer.open(max(0.001, deadline - self._clock()))
        except BaseException:
            self._closed_one()
            raise
        with self._changed:  # the way may be known only now, and allow more
            self._changed.notify_all()
        return EngineSocket(channel, self._dialer, self._closed_one)

    def _take_idle(self) -> EngineSocket | None:
        while self._idle:
            stream = self._idle.pop()
            if stream.is_open:
                return stream
            stream.close()
        return None

    def _make_room(self) -> bool:
        """Close an idle stream if that ends a session on the host: another one is wanted more."""
        if self._dialer.is_forwarded:
            return False
        with self._changed:
            stream = self._take_idle()
        if stream is not None:
            stream.close()
        return stream is not None

    def close_idle(self) -> None:
        """Keep no idle stream where another one costs next to nothing: each holds 20 KB here and a file on the host."""
        if not self._dialer.is_forwarded:
            return
        with self._changed:
            idle, self._idle = self._idle, []
        for stream in idle:
            stream.close()

    def give_back(self, stream: EngineSocket) -> None:
        """Keep the stream for another request, if that makes sense."""
        with self._changed:
            if stream.is_open and not self._is_closed and len(self._idle) < IDLE_KEPT:
                self._idle.append(stream)
                self._changed.notify()
                return
        stream.close()

    def _closed_one(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def close(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        self._keep_silent()
        with self._changed:
            self._is_closed = True
            idle, self._idle = self._idle, []
            self._changed.notify_all()
        for stream in idle:
            stream.close()
