"""One SSH connection over one socket: its channels and its liveness. Only here is paramiko's inside known.

paramiko leaves gaps that are closed here: there is no `direct-streamlocal` channel; a refused channel's reason is kept
in one variable for all threads; a channel whose opening timed out stays open at the server; keepalives expect no
answer, so a half-open peer is never noticed. Getting in is `hosts.ssh.login`, connecting again `hosts.ssh.link`.

Every wait is bounded by its argument, or by the watchdog that severs a connection whose peer fell silent. Its packets
are `hosts.ssh.packets`; its channels `hosts.ssh.waited_channel`, and those that nobody waits for
`hosts.ssh.notified_channel`.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import paramiko
from paramiko.common import (
    DEBUG,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    cMSG_CHANNEL_REQUEST,
    cMSG_GLOBAL_REQUEST,
)
from paramiko.message import Message

from hosts.ssh.notified_channel import ToldChannel
from hosts.ssh.packets import Clock, HearingPacketizer
from hosts.ssh.sessions import Sessions
from hosts.ssh.target import SshTarget
from hosts.ssh.waited_channel import (
    PACKET_BYTES,
    WINDOW_BYTES,
    ChannelRefused,
    NumbersSeen,
    SessionRefused,
    WaitedChannel,
    called_by_name,
    open_message,
)
from objects.errors import DeadlineExceeded, HostError, HostUnreachable

if TYPE_CHECKING:
    from paramiko.transport import ChannelMap

LOGGER_NAME = "hosts.ssh.paramiko"

QUIET_MOST_SECONDS = 5.0
"""So long, at most, a connection's thread waits before it looks at paramiko's flags: new keys may be due."""

MISSED_KEEPALIVES = 3
"""A peer that answered nothing for so many keepalive intervals is gone: 6 s by default, three tries on a bad line."""


class SshTransport(paramiko.Transport):
    """A connected peer. Made by `hosts.ssh.login.connect_transport`; dead for good once its connection is lost."""

    # paramiko calls its own class's methods, whatever a channel is.
    _channel_handler_table: ClassVar[dict[int, Callable[[object, Message], None]]] = {
        kind: called_by_name(method.__name__)
        for kind, method in paramiko.Transport._channel_handler_table.items()  # type: ignore[attr-defined]
    }

    packetizer: HearingPacketizer
    if TYPE_CHECKING:  # what paramiko has but does not declare; kept in one place, looked at when paramiko is updated
        _channels: ChannelMap

        def _next_channel(self) -> int: ...
        def _log(self, level: int, text: str) -> None: ...
        def _unlink_channel(self, number: int) -> None: ...
        def _send_message(self, data: Message) -> None: ...

    def __init__(self, sock: socket.socket | paramiko.Channel, target: SshTarget, clock: Clock) -> None:
        super().__init__(sock, WINDOW_BYTES, PACKET_BYTES, packetizer_class=HearingPacketizer)
        self.target = target
        self.clock = clock
        self.connected_at = clock()
        self.loss = ""  # why we severed it, if we did
        self._asked_at = self.connected_at
        self._silence = (self.connected_at, 0.0)
        self._refusals: dict[int, tuple[int, str]] = {}
        self._abandoned: dict[int, paramiko.Channel | ToldChannel] = {}
        self._after_exchange: deque[Message] = deque()
        self.channels_seen = NumbersSeen()
        self.sessions = Sessions(clock=clock)
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
        """For how long nothing was heard of the peer while we listened: as the watchdog counts it."""
        heard_at, seconds = self._silence
        return seconds if heard_at == self.packetizer.heard_at else 0.0

    def count_silence(self, seconds: float) -> None:
        """Called by the watchdog each round. seconds: for how long we listened since the last one."""
        heard_at = self.packetizer.heard_at
        before, counted = self._silence
        counted = counted + seconds if before == heard_at else min(seconds, self.clock() - heard_at)
        self._silence = (heard_at, counted)

    @property
    def is_silent_too_long(self) -> bool:
        return self.silent_seconds > self.target.keepalive_seconds * MISSED_KEEPALIVES

    def start_keepalive(self) -> None:
        """From now on ask a quiet peer for a sign of life. Runs in the connection's own thread: it may block alone.

        That thread wakes when a question is due and not before: with a thousand links that is a third of their cost.
        """
        self.packetizer.on_quiet = self._ask_if_quiet
        self.sock.settimeout(min(QUIET_MOST_SECONDS, self.target.keepalive_seconds))

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

    def _sever_unwritable(self, error: EOFError | OSError) -> None:
        self.sever(f"cannot write to it: {error}" if str(error) else "cannot write to it")

    def _send_user_message(self, message: Message) -> None:
        """Send from any thread. A write that fails is a connection that ended: its reader wakes all who wait on it.

        Raised instead, as paramiko does, the error would also end other connections' threads, in their clean-up of
        channels that led through this one. From the connection's own thread, which answers a channel's end, it does
        not wait for the key exchange that this thread carries out.
        """
        if threading.current_thread() is self:
            self.send_without_waiting(message)
            return
        try:
            super()._send_user_message(message)  # type: ignore[misc]
        except (EOFError, OSError) as error:
            self._sever_unwritable(error)

    def lost(self) -> HostUnreachable:
        """The error that says how this connection ended."""
        error = self.saved_exception
        why = self.loss or (str(error) if error is not None and str(error) else "the host closed it")
        lost = HostUnreachable(f"SSH connection to {self.target} lost: {why}", host=self.target.name)
        lost.__cause__ = error
        return lost

    @property
    def is_ending(self) -> bool:
        """Whether the connection is lost, also before paramiko says so: it first ends the channels, one by one."""
        return bool(self.loss) or self.saved_exception is not None or not self.is_active()

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

    def has_channel(self, number: int) -> bool:
        """Whether the channel is not closed on both sides."""
        return self._channels.get(number) is not None

    def open_kind(self, kind: str, *arguments: str | int, timeout_seconds: float) -> paramiko.Channel:
        """Open a channel; arguments follow the kind in the request (RFC 4254 §5.1), strings and uint32.

        Raises ChannelRefused (SessionRefused for a session), HostUnreachable (connection lost) or DeadlineExceeded.
        """
        assert threading.current_thread() is not self, "this thread reads the answer: it must not wait for it"
        with self.lock:
            number = self._next_channel()
            channel = WaitedChannel(number)
            self._channels.put(number, channel)
            self.channel_events[number] = answered = threading.Event()
            self.channels_seen[number] = True
            channel._set_transport(self)  # type: ignore[attr-defined]
            channel._set_window(WINDOW_BYTES, PACKET_BYTES)  # type: ignore[attr-defined]
        try:
            self._send_user_message(open_message(kind, number, arguments))
        except paramiko.SSHException as error:
            raise HostUnreachable(f"{self.target} does not finish a key exchange", host=self.target.name) from error
        return self._await_open(channel, answered, kind, timeout_seconds)

    def open_told(self, kind: str, *arguments: str | int, on_news: Callable[[], None]) -> ToldChannel:
        """Ask for a channel and return at once: `on_news` is called in this connection's thread for the answer, for
        what comes, and for its end. The caller holds the channel: nothing here does.
        """
        with self.lock:
            number = self._next_channel()
            channel = ToldChannel(self, number, window_bytes=WINDOW_BYTES, on_news=on_news)
            self._channels.put(number, channel)  # type: ignore[arg-type]
            self.channels_seen[number] = True
        self.send_without_waiting(open_message(kind, number, arguments))
        return channel

    @contextmanager
    def together(self) -> Iterator[None]:
        """What this thread asks inside the block goes out in one piece. Raises nothing: a lost connection is told."""
        try:
            with self.packetizer.together():
                yield
        except (EOFError, OSError) as error:
            self._sever_unwritable(error)

    @property
    def may_tell(self) -> bool:
        """Whether `open_told` goes on at once: no key exchange is under way."""
        return self.is_active() and self.clear_to_send.is_set()

    def send_without_waiting(self, message: Message) -> None:
        """Send from any thread, also from the connection's own. What comes while keys are exchanged goes out after
        them, in its order: a channel's "closed" before its data would make sshd end the connection.
        """
        with self.clear_to_send_lock:  # paramiko begins an exchange under it
            if self._after_exchange or not self.clear_to_send.is_set():
                self._after_exchange.append(message)
            else:
                self._send_or_sever(message)

    def send_unless_closed(self, channel: paramiko.Channel, message: Message) -> None:
        """Send of a channel, from a thread that may wait for new keys. Raises OSError once it is closed, which is said
        under the same lock.
        """
        while self.is_active():
            self.clear_to_send.wait(0.1)
            with self.clear_to_send_lock:
                if channel.closed:
                    raise OSError("Socket is closed")
                if self.clear_to_send.is_set() and not self._after_exchange:
                    self._send_or_sever(message)
                    return

    def _parse_newkeys(self, message: Message) -> None:
        super()._parse_newkeys(message)  # type: ignore[misc]
        with self.clear_to_send_lock:
            while self._after_exchange:
                self._send_or_sever(self._after_exchange.popleft())

    def _send_or_sever(self, message: Message) -> None:
        try:
            self._send_message(message)
        except (EOFError, OSError) as error:
            self._sever_unwritable(error)

    def abandon_unless_open(self, channel: ToldChannel) -> bool:
        """Have a channel closed once its opening is answered. The caller holds the transport's lock."""
        if channel.is_open or channel.is_over:
            return False
        self._abandoned[channel.chanid] = channel
        return True

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
            raise self._refusal(kind, code, text)
        if number in self._abandoned:
            raise self.overdue(f"no {kind} channel within {timeout_seconds:.3g} s")
        if not channel.active or not self.is_active():
            raise self.lost()
        return channel

    def _parse_channel_open_success(self, message: Message) -> None:
        super()._parse_channel_open_success(message)  # type: ignore[misc]
        message.rewind()
        number = message.get_int()
        late = self._abandoned.pop(number, None)
        if late is not None:  # nobody waits for it any more; left alone it would stay open at the server
            late.close()
            return
        told: object = self._channels.get(number)
        if isinstance(told, ToldChannel):
            told.opened()

    def _parse_channel_open_failure(self, message: Message) -> None:
        number, code, text = message.get_int(), message.get_int(), message.get_text()
        told: object = self._channels.get(number)
        with self.lock:
            if self._abandoned.pop(number, None) is None and not isinstance(told, ToldChannel):
                self._refusals[number] = (code, text)
            self._channels.delete(number)
            answered = self.channel_events.pop(number, None)
        if isinstance(told, ToldChannel):
            told.refused(self._refusal("forwarding", code, text))
        if answered is not None:
            answered.set()
        self._log(DEBUG, f"channel {number} refused: {text}")

    def _refusal(self, kind: str, code: int, text: str) -> ChannelRefused:
        is_forbidden = code == OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        return ChannelRefused(f"sshd opens no {kind} channel: {text}", host=self.target.name, is_forbidden=is_forbidden)

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
