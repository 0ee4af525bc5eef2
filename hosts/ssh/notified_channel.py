"""An SSH channel that is told what happens to it in the connection's own thread: nobody waits, no thread is woken.

For short exchanges that are many (probes). paramiko's channel costs a condition, two pipes and a wake-up a packet; this
one appends to a queue and calls back. It has the few methods that paramiko's transport calls on a channel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from paramiko.common import (
    cMSG_CHANNEL_CLOSE,
    cMSG_CHANNEL_DATA,
    cMSG_CHANNEL_FAILURE,
    cMSG_CHANNEL_WINDOW_ADJUST,
)
from paramiko.message import Message

from objects.errors import HostError

if TYPE_CHECKING:
    from hosts.ssh.transport import SshTransport
    from hosts.ssh.waited_channel import ChannelRefused

LARGEST_PACKET_BYTES = 32 * 1024 - 64


class ToldChannel:
    """Made by `SshTransport.open_told`. `on_news` must not wait for anything; it runs on no lock of ours.

    Written by the connection's thread, read by whoever runs the flow: what has come stands in `blocks` before
    `is_over` is set.
    """

    def __init__(self, transport: SshTransport, number: int, *, window_bytes: int, on_news: Callable[[], None]) -> None:
        self.transport = transport
        self.chanid = number
        self.blocks: deque[bytes] = deque()
        self.is_open = False
        self.is_over = False
        self.is_lost = False  # with the whole connection
        self.refusal: ChannelRefused | None = None
        self._on_news = on_news
        self._remote = 0
        self._may_send_bytes = 0
        self._packet_bytes = LARGEST_PACKET_BYTES
        self._window_bytes = window_bytes
        self._taken_bytes = 0
        self._is_closed = False
        self._is_closed_there = False

    # --- for whoever uses it -----------------------------------------------------------------------------------------

    def send(self, block: bytes) -> None:
        """Raises HostError for more than the peer takes without being read from: questions are short. To one that has
        closed nothing is sent: what it said before is still to be read.
        """
        if self._is_closed_there:
            return
        if len(block) > self._may_send_bytes:
            raise HostError(f"a question of {len(block)} bytes is too long", host=self.transport.target.name)
        self._may_send_bytes -= len(block)
        for at in range(0, len(block), self._packet_bytes):
            message = self._message(cMSG_CHANNEL_DATA)
            message.add_string(block[at : at + self._packet_bytes])
            self.transport.send_without_waiting(message)

    def close(self) -> None:
        """Idempotent. What the peer still says is dropped; one that is being opened is closed as soon as it is open."""
        transport = self.transport
        with transport.lock:
            if self._is_closed or transport.abandon_unless_open(self):
                return
            self._is_closed = self.is_over = True
        transport._unlink_channel(self.chanid)
        if not self.is_open:
            return  # refused, or lost with the connection: there is nothing to close, and number 0 is another's
        transport.send_without_waiting(self._message(cMSG_CHANNEL_CLOSE))

    def _message(self, kind: bytes) -> Message:
        message = Message()
        message.add_byte(kind)
        message.add_int(self._remote)
        return message

    # --- told by SshTransport ----------------------------------------------------------------------------------------

    def opened(self) -> None:
        self._on_news()

    def refused(self, refusal: ChannelRefused) -> None:
        self.refusal = refusal
        self.is_over = True
        self._on_news()

    # --- called by paramiko, by these names --------------------------------------------------------------------------

    def _set_remote_channel(self, remote: int, window_bytes: int, packet_bytes: int) -> None:
        """The transport's lock is held."""
        self._remote = remote
        self._may_send_bytes = window_bytes
        self._packet_bytes = min(packet_bytes, LARGEST_PACKET_BYTES)
        self.is_open = True

    def _feed(self, message: Message) -> None:
        block = message.get_binary()
        self.blocks.append(block)
        self._taken_bytes += len(block)
        if self._taken_bytes * 2 > self._window_bytes:
            adjust = self._message(cMSG_CHANNEL_WINDOW_ADJUST)
            adjust.add_int(self._taken_bytes)
            self._taken_bytes = 0
            self.transport.send_without_waiting(adjust)
        self._on_news()

    def _window_adjust(self, message: Message) -> None:
        self._may_send_bytes += message.get_int()

    def _handle_eof(self, _: Message) -> None:
        self.is_over = True
        self._on_news()

    def _handle_close(self, message: Message) -> None:
        self._is_closed_there = True
        self._handle_eof(message)

    def _unlink(self) -> None:
        """The connection ended; the transport calls itself active for a moment longer."""
        self.is_lost = self.is_over = True
        self._on_news()

    def _handle_request(self, message: Message) -> None:
        message.get_text()
        if message.get_boolean():  # wants an answer; forwarded streams know no requests
            self.transport.send_without_waiting(self._message(cMSG_CHANNEL_FAILURE))

    def _feed_extended(self, _: Message) -> None:
        """Forwarded streams have no second output."""

    def _request_success(self, _: Message) -> None:
        """Nothing is requested."""

    _request_failed = _request_success
