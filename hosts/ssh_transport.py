"""One SSH connection over one socket: handshake, host key, login, channels. Only here is paramiko's inside known.

paramiko leaves gaps that are closed here: there is no `direct-streamlocal` channel; a refused channel's reason is kept
in one variable for all threads; a channel whose opening timed out stays open at the server; keepalives expect no
answer, so a half-open peer is never noticed. Connecting again is not done here: see `hosts.ssh`.

Every wait is bounded by its argument, or by the watchdog that severs a connection whose peer fell silent.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import paramiko
from paramiko.common import (
    DEBUG,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    cMSG_CHANNEL_OPEN,
    cMSG_CHANNEL_REQUEST,
    cMSG_GLOBAL_REQUEST,
)
from paramiko.message import Message
from paramiko.packet import Packetizer
from paramiko.pkey import UnknownKeyType

from hosts.ssh_target import PublicKey, SshTarget
from objects.errors import AuthenticationRefused, DeadlineExceeded, HostError, HostKeyMismatch, HostUnreachable

if TYPE_CHECKING:
    from paramiko.transport import ChannelMap

Clock = Callable[[], float]

LOGGER_NAME = "hosts.ssh.paramiko"
WINDOW_BYTES = 2 * 1024 * 1024
PACKET_BYTES = 32 * 1024

MISSED_KEEPALIVES = 3
"""A peer that answered nothing for so many keepalive intervals is gone: 15 s by default, three tries on a bad line."""

RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
"""What an `ssh-rsa` key signs with; the SHA-1 signature of the same name is refused."""


class ChannelRefused(HostError):
    """The host answers but would not open this channel: nothing listens there, or its sshd forbids it."""

    reason = "ChannelRefused"

    def __init__(self, message: str, *, host: str, is_forbidden: bool) -> None:
        super().__init__(message, host=host)
        self.is_forbidden = is_forbidden


class SessionRefused(HostError):
    """sshd opened no further session (MaxSessions), or would not run the command."""

    reason = "SessionRefused"


class _HearingPacketizer(Packetizer):
    """Notes when the peer was last heard; `on_quiet` is called about once a poll interval while nothing comes in."""

    clock: Clock | None = None
    heard_at = 0.0
    on_quiet: Callable[[], None] | None = None

    def read_message(self) -> tuple[int, Message]:
        message = super().read_message()
        if self.clock is not None:
            self.heard_at = self.clock()
        return message

    def _check_keepalive(self) -> None:
        if self.on_quiet is not None:
            self.on_quiet()


class SshTransport(paramiko.Transport):
    """A connected peer. Made by `connect_transport`; dead for good once its connection is lost."""

    packetizer: _HearingPacketizer
    if TYPE_CHECKING:  # what paramiko has but does not declare; kept in one place, looked at when paramiko is updated
        _channels: ChannelMap

        def _next_channel(self) -> int: ...
        def _log(self, level: int, text: str) -> None: ...

    def __init__(self, sock: socket.socket | paramiko.Channel, target: SshTarget, clock: Clock) -> None:
        super().__init__(sock, WINDOW_BYTES, PACKET_BYTES, packetizer_class=_HearingPacketizer)
        self.target = target
        self.clock = clock
        self.connected_at = clock()
        self.loss = ""  # why we severed it, if we did
        self._asked_at = self.connected_at
        self._refusals: dict[int, tuple[int, str]] = {}
        self._abandoned: dict[int, paramiko.Channel] = {}
        self.packetizer.clock = clock
        self.packetizer.heard_at = self.connected_at
        # paramiko wakes 10 times a second by default to look at its flags; a tenth of that is free and still prompt,
        # because `sever` shuts the socket down, which wakes the reader at once.
        sock.settimeout(min(1.0, target.keepalive_seconds / 4))
        # Every failure is raised to somebody who can name the host and the cause; paramiko's own tracebacks are noise.
        self.set_log_channel(LOGGER_NAME)
        logging.getLogger(LOGGER_NAME).setLevel(logging.CRITICAL)

    # --- liveness ----------------------------------------------------------------------------------------------------

    @property
    def silent_seconds(self) -> float:
        """For how long nothing was heard of the peer."""
        return self.clock() - self.packetizer.heard_at

    @property
    def is_silent_too_long(self) -> bool:
        return self.silent_seconds > self.target.keepalive_seconds * MISSED_KEEPALIVES

    def start_keepalive(self) -> None:
        """From now on ask a quiet peer for a sign of life. Runs in the connection's own thread: it may block alone."""
        self.packetizer.on_quiet = self._ask_if_quiet

    def _ask_if_quiet(self) -> None:
        now = self.clock()
        due = max(self.packetizer.heard_at, self._asked_at) + self.target.keepalive_seconds
        if now < due or self.packetizer.need_rekey() or self.in_kex:
            return
        self._asked_at = now
        message = Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)  # wants an answer; sshd says "no such request", which is a sign of life
        self._send_user_message(message)

    def sever(self, why: str) -> None:
        """Cut the connection now, without a word to the peer; every waiter on it wakes. Never blocks.

        Not `close()`: that takes locks which a writer to a dead peer may hold, and closing a descriptor does not wake
        a thread that polls it, shutting it down does.
        """
        self.loss = self.loss or why
        if isinstance(self.sock, socket.socket):
            _shut_down(self.sock)
        else:  # a jump host's channel: closing it sends a message over that host's connection, which may be stuck too
            threading.Thread(target=self.sock.close, name=f"sever {self.target.name}", daemon=True).start()

    def _send_user_message(self, message: Message) -> None:
        """Send from any thread. A write that fails is a connection that ended: its reader wakes all who wait on it.

        Raised instead, as paramiko does, the error would also end other connections' threads, in their clean-up of
        channels that led through this one.
        """
        try:
            super()._send_user_message(message)  # type: ignore[misc]
        except (EOFError, OSError) as error:
            self.sever(f"cannot write to it: {error}" if str(error) else "cannot write to it")

    def lost(self) -> HostUnreachable:
        """The error that says how this connection ended."""
        error = self.saved_exception
        why = self.loss or (str(error) if error is not None and str(error) else "the host closed it")
        lost = HostUnreachable(f"SSH connection to {self.target} lost: {why}", host=self.target.name)
        lost.__cause__ = error
        return lost

    def overdue(self, message: str) -> HostError:
        """The error for an answer that did not come in time: it tells a dead peer from a busy one.

        A peer that left a keepalive unanswered is out of reach; one that talks to us otherwise just took too long.
        """
        if self.silent_seconds > self.target.keepalive_seconds * 1.5:
            why = f"{message}; nothing was heard of the host for {self.silent_seconds:.0f} s"
            return HostUnreachable(why, host=self.target.name)
        return DeadlineExceeded(message, host=self.target.name)

    # --- channels ----------------------------------------------------------------------------------------------------

    @property
    def open_channels(self) -> int:
        return len(self._channels)

    def open_kind(self, kind: str, *arguments: str | int, timeout_seconds: float) -> paramiko.Channel:
        """Open a channel; arguments follow the kind in the request (RFC 4254 §5.1), strings and uint32.

        Raises ChannelRefused, HostUnreachable (connection lost meanwhile) or DeadlineExceeded.
        """
        message = Message()
        message.add_byte(cMSG_CHANNEL_OPEN)
        message.add_string(kind)
        with self.lock:
            number = self._next_channel()
            channel = paramiko.Channel(number)
            self._channels.put(number, channel)
            self.channel_events[number] = answered = threading.Event()
            self.channels_seen[number] = True
            channel._set_transport(self)  # type: ignore[attr-defined]
            channel._set_window(WINDOW_BYTES, PACKET_BYTES)  # type: ignore[attr-defined]
        message.add_int(number)
        message.add_int(WINDOW_BYTES)
        message.add_int(PACKET_BYTES)
        for argument in arguments:
            if isinstance(argument, int):
                message.add_int(argument)
            else:
                message.add_string(argument)
        try:
            self._send_user_message(message)
        except paramiko.SSHException as error:
            raise HostUnreachable(f"{self.target} does not finish a key exchange", host=self.target.name) from error
        return self._await_open(channel, answered, kind, timeout_seconds)

    def _await_open(
        self, channel: paramiko.Channel, answered: threading.Event, kind: str, timeout_seconds: float
    ) -> paramiko.Channel:
        number = channel.chanid
        deadline = self.clock() + timeout_seconds
        # In slices: a connection that ends between our check and the wait would never set the event.
        while not answered.wait(min(0.5, max(0.0, deadline - self.clock()))):
            if not self.is_active():
                raise self.lost()
            if self.clock() >= deadline:
                with self.lock:
                    if not answered.is_set():
                        self._abandoned[number] = channel
                        break
        refusal = self._refusals.pop(number, None)
        if refusal is not None:
            code, text = refusal
            is_forbidden = code == OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
            raise ChannelRefused(
                f"sshd opens no {kind} channel: {text}", host=self.target.name, is_forbidden=is_forbidden
            )
        if number in self._abandoned:
            raise self.overdue(f"no {kind} channel within {timeout_seconds:.3g} s")
        if not channel.active or not self.is_active():
            raise self.lost()
        return channel

    def _parse_channel_open_success(self, message: Message) -> None:
        super()._parse_channel_open_success(message)  # type: ignore[misc]
        message.rewind()
        late = self._abandoned.pop(message.get_int(), None)
        if late is not None:  # nobody waits for it any more; left alone it would stay open at the server
            late.close()

    def _parse_channel_open_failure(self, message: Message) -> None:
        number, code, text = message.get_int(), message.get_int(), message.get_text()
        with self.lock:
            if self._abandoned.pop(number, None) is None:
                self._refusals[number] = (code, text)
            self._channels.delete(number)
            answered = self.channel_events.pop(number, None)
        if answered is not None:
            answered.set()
        self._log(DEBUG, f"channel {number} refused: {text}")

    def start_command(self, channel: paramiko.Channel, command: str, *, timeout_seconds: float) -> None:
        """Ask sshd to run a command (by the user's login shell) on a session channel.

        paramiko's `exec_command` waits for the answer for ever. Raises SessionRefused, HostUnreachable or
        DeadlineExceeded.
        """
        message = Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("exec")
        message.add_boolean(True)
        message.add_string(command)
        channel.event.clear()
        channel.event_ready = False
        self._send_user_message(message)
        if not channel.event.wait(timeout_seconds):
            raise self.overdue(f"sshd did not start a command in {timeout_seconds:.3g} s")
        if not channel.event_ready:
            if not self.is_active():
                raise self.lost()
            raise SessionRefused("sshd refuses to run commands", host=self.target.name)


def _shut_down(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Not connected (any more): then no thread waits on it either.
        sock.close()


# --- connecting ------------------------------------------------------------------------------------------------------


def open_socket(target: SshTarget) -> socket.socket:
    """Connect TCP, with time-outs on dead peers and no delay of small packets. Raises HostUnreachable."""
    try:
        sock = socket.create_connection((target.address, target.port), timeout=target.connect_timeout_seconds)
    except OSError as error:
        raise HostUnreachable(f"cannot connect to {target}: {error}", host=target.name) from error
    dead_after_seconds = max(1, int(target.keepalive_seconds * MISSED_KEEPALIVES))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, dead_after_seconds * 1000)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # A keepalive queues behind what is written already. Megabytes of that on a slow line would look like silence.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 128 * 1024)
    return sock


def connect_transport(sock: socket.socket | paramiko.Channel, target: SshTarget, clock: Clock) -> SshTransport:
    """Speak SSH over a connected socket: agree on keys, check the host's key, log in. Closes the socket on failure.

    Raises HostUnreachable, HostKeyMismatch (before anything of ours is sent) or AuthenticationRefused.
    """
    transport = SshTransport(sock, target, clock)
    try:
        _handshake(transport, target)
        _check_host_key(transport, target)
        _log_in(transport, target)
    except BaseException:
        transport.sever("login failed")
        transport.close()
        raise
    transport.start_keepalive()
    return transport


def _handshake(transport: SshTransport, target: SshTarget) -> None:
    seconds = target.connect_timeout_seconds
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = seconds
    kinds = {kind for key in target.host_keys for kind in _signature_kinds(key.kind)}
    options = transport.get_security_options()
    usable = tuple(kind for kind in options.key_types if kind in kinds)
    if not usable:
        known = ", ".join(sorted({key.kind for key in target.host_keys}))
        raise HostKeyMismatch(
            f"the Host names a key of a kind that is not supported: {known}",
            host=target.name,
            hint="use the host's ssh-ed25519 key",
        )
    # Asking only for the kinds that we know makes the host show the key that we can check, whatever it prefers.
    options.key_types = usable
    try:
        transport.start_client(timeout=seconds)
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise HostKeyMismatch(
            f"the host cannot show a key of the kind that its Host object names: {error}",
            host=target.name,
            hint=_key_hint(target),
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        what = str(error) or "the connection was closed"
        raise HostUnreachable(f"SSH handshake with {target} failed: {what}", host=target.name) from error
    if not transport.initial_kex_done:  # start_client returns in silence when its time is over
        raise HostUnreachable(f"SSH handshake with {target} took more than {seconds:g} s", host=target.name)


def _signature_kinds(kind: str) -> tuple[str, ...]:
    return RSA_SIGNATURES if kind == "ssh-rsa" else (kind,)


def _check_host_key(transport: SshTransport, target: SshTarget) -> None:
    shown = transport.get_remote_server_key()
    seen = PublicKey(shown.get_name(), shown.asbytes())
    if seen not in target.host_keys:
        expected = " or ".join(key.fingerprint for key in target.host_keys)
        raise HostKeyMismatch(
            f"the host at {target.address}:{target.port} shows the key {seen.fingerprint} ({seen.kind}), "
            f"expected {expected}",
            host=target.name,
            hint=_key_hint(target),
        )


def _key_hint(target: SshTarget) -> str:
    return (
        f"if the host was reinstalled, compare with `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` on it and commit the "
        f"new spec.hostKey of Host {target.name}; if not, somebody may stand between"
    )


def _log_in(transport: SshTransport, target: SshTarget) -> None:
    if not target.key_files:
        raise AuthenticationRefused(
            "no private key is named for this host", host=target.name, hint="set spec.ssh.keyFiles of the Cluster"
        )
    tried: list[str] = []
    for path in target.key_files:
        key = _load_key(path, target)
        tried.append(f"{path} ({key.fingerprint})")
        try:
            missing = transport.auth_publickey(target.user, key)
        except paramiko.AuthenticationException as error:
            if not transport.is_active() or "timeout" in str(error):
                raise HostUnreachable(f"{target} broke off the login: {error}", host=target.name) from error
            continue
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise HostUnreachable(f"{target} broke off the login: {error}", host=target.name) from error
        if not missing:
            return
        tried[-1] += f", which sshd accepts but also wants {' and '.join(missing)}"
    raise AuthenticationRefused(
        f"sshd refuses user {target.user!r} with {'; '.join(tried)}",
        host=target.name,
        hint=f"put the public key into ~{target.user}/.ssh/authorized_keys on the host",
    )


def _load_key(path: str, target: SshTarget) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except (OSError, ValueError, TypeError, paramiko.SSHException, UnknownKeyType) as error:
        # TypeError: the key is encrypted and there is no passphrase
        raise AuthenticationRefused(
            f"the private key {path} cannot be read: {error}",
            host=target.name,
            hint="it must be an OpenSSH or PEM key without passphrase, readable by the reconciler",
        ) from error
