"""An SSH channel that a thread waits on, and what all channels have in common: how one is asked for, and refused.

Channels that nobody waits for are `hosts.ssh.notified_channel`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import paramiko
from paramiko.common import cMSG_CHANNEL_OPEN
from paramiko.message import Message

from objects.errors import HostError

if TYPE_CHECKING:
    from hosts.ssh.transport import SshTransport

WINDOW_BYTES = 2 * 1024 * 1024
PACKET_BYTES = 32 * 1024


class ChannelRefused(HostError):
    """The host answers but would not open this channel: nothing listens there, or its sshd forbids it."""

    reason = "ChannelRefused"

    def __init__(self, message: str, *, host: str, is_forbidden: bool) -> None:
        super().__init__(message, host=host)
        self.is_forbidden = is_forbidden


class SessionRefused(HostError):
    """sshd opened no further session (MaxSessions), or would not run the command."""

    reason = "SessionRefused"


class WaitedChannel(paramiko.Channel):
    """Says nothing after "closed". paramiko lets go of its lock between composing data and sending them: the answer to
    the peer's end, by the connection's thread, could go out first, and sshd ends a connection that speaks of a channel
    which is no more.
    """

    def _send(self, block: bytes, message: Message) -> int:
        with self.lock:
            if self.closed:
                raise OSError("Socket is closed")
            size: int = self._wait_for_send_window(len(block))  # type: ignore[attr-defined]
            if not size:
                return 0
            message.add_string(block[:size])
        self._say(message)
        return size

    def shutdown(self, how: int) -> None:
        if how != 1:
            self.eof_received = True
        if how != 0:
            with self.lock:
                message: Message | None = self._send_eof()  # type: ignore[attr-defined]
            if message is not None:
                with suppress(OSError):  # closed: that there is no more is said already
                    self._say(message)

    def _say(self, message: Message) -> None:
        transport = cast("SshTransport", self.get_transport())
        transport.send_unless_closed(self, message)


class NumbersSeen(dict[int, bool]):
    """Which channel numbers were ever in use. paramiko notes each of them for ever: with 300 probes every 10 s, that
    is 3 million a day. They are given out in order, so the highest tells."""

    def __init__(self) -> None:
        super().__init__()
        self._highest = -1

    def __setitem__(self, number: int, _: bool) -> None:
        self._highest = max(self._highest, number)

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and number <= self._highest


def called_by_name(name: str) -> Callable[[object, Message], None]:
    def hand_on(channel: Any, message: Message) -> None:
        getattr(channel, name)(message)
        if name == "_handle_close":
            # After our own "closed" has gone out: only then sshd lets another session in.
            channel.transport.sessions.ended(channel.chanid)

    return hand_on


def open_message(kind: str, number: int, arguments: tuple[str | int, ...]) -> Message:
    message = Message()
    message.add_byte(cMSG_CHANNEL_OPEN)
    message.add_string(kind)
    message.add_int(number)
    message.add_int(WINDOW_BYTES)
    message.add_int(PACKET_BYTES)
    for argument in arguments:
        if isinstance(argument, int):
            message.add_int(argument)
        else:
            message.add_string(argument)
    return message
