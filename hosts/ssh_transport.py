"""One SSH connection over one socket: its channels and its liveness. Only here is paramiko's inside known.

paramiko leaves gaps that are closed here: there is no `direct-streamlocal` channel; a refused channel's reason is kept
in one variable for all threads; a channel whose opening timed out stays open at the server; keepalives expect no
answer, so a half-open peer is never noticed. Getting in is `hosts.ssh_login`, connecting again `hosts.ssh`.

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

from hosts.ssh_target import SshTarget
from objects.errors import DeadlineExceeded, HostError, HostUnreachable

if TYPE_CHECKING:
    from paramiko.transport import ChannelMap

Clock = Callable[[], float]

LOGGER_NAME = "hosts.ssh.paramiko"
WINDOW_BYTES = 2 * 1024 * 1024
PACKET_BYTES = 32 * 1024

MISSED_KEEPALIVES = 3
"""A peer that answered nothing for so many keepalive intervals is gone: 6 s by default, three tries on a bad line."""


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
    """A connected peer. Made by `ssh_login.connect_transport`; dead for good once its connection is lost."""

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

        Raises ChannelRefused (SessionRefused for a session), HostUnreachable (connection lost) or DeadlineExceeded.
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
            if kind == "session":
                hint = f"sshd allows only so many at once: raise MaxSessions on host {self.target.name}"
                raise SessionRefused(f"sshd opens no session: {text}", host=self.target.name, hint=hint)
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

    def close_at_once(self, channel: paramiko.Channel) -> None:
        """Close a channel that has nothing more to say. paramiko says "end of data" first, in a packet of its own,
        which is a quarter of what a probe sends; "closed" implies it (RFC 4254 §5.3).
        """
        channel.eof_sent = True
        channel.close()

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
