"""The SSH link to one host: one connection, kept alive, opened again when needed, shared by all threads.

A link does nothing until it is used. The first who calls while there is no connection causes one; all wait for it, no
longer than they said. After a failure the link refuses calls at once until its back-off is over, so that a dead host
costs nobody any time.
Whatever is raised here is from `objects.errors` (or a subclass of HostError defined in `hosts`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from random import Random

import msgspec
import paramiko

from hosts.ssh.commands import (
    CommandResult,
    check_success,
    check_sudo,
    refuses_kill_after,
    run_on_channel,
    shell_line,
)
from hosts.ssh.login import TurnedAway, connect_transport, open_socket
from hosts.ssh.packets import Clock
from hosts.ssh.sessions import Sessions, Use
from hosts.ssh.target import SshTarget
from hosts.ssh.transport import SshTransport
from hosts.ssh.waited_channel import SessionRefused
from hosts.ssh.watchdog import Watchdog
from objects.errors import DeadlineExceeded, HostError, HostUnreachable, Needs

BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_MOST_SECONDS = 15.0
"""A host that comes back is found within this time; 100 dead ones make 7 attempts a second at most."""

BACKOFF_OPERATOR_SECONDS = 10.0
"""At least this long after a refused login or a wrong host key: only a person can mend that, and guards like fail2ban
ban whoever tries again and again."""

STEADY_SECONDS = 5.0
"""A connection that lived shorter than this counts as a failed attempt, else a host that accepts and drops us at once
would be called in a tight loop."""

SLOT_SECONDS = 60.0
"""For a turn to connect: 1,000 hosts, 8 at a time, 0.1 s each, take 13 s; dead ones more."""

TURNED_AWAY_TRIES = 12
TURNED_AWAY_FIRST_SECONDS = 0.1
TURNED_AWAY_MOST_SECONDS = 1.0
"""Doubled from try to try, up to the most. sshd drops a part of those who come while ten others log in: a login takes
some 0.1 s, so the next tries meet other company. All of it stays within the time for connecting."""


REFUSED_PAUSE_SECONDS = 0.1
"""Before a session is asked for again that was refused."""


class LinkState(msgspec.Struct, frozen=True):
    """connected: now. since: clock value of the last change. error: why the last attempt or connection failed."""

    connected: bool
    since: float
    error: HostError | None = None


class SshLink:
    """Thread-safe. `clock` is a monotonic clock in seconds; `connect_slots` bounds handshakes across hosts: sshd's
    MaxStartups counts them, on a jump host those of all hosts behind it."""

    def __init__(
        self,
        target: SshTarget,
        *,
        clock: Clock,
        random: Random,
        connect_slots: threading.Semaphore,
        watchdog: Watchdog,
        via: SshLink | None = None,
    ) -> None:
        self.target = target
        self.clock = clock
        self._random = random
        self._connect_slots = connect_slots
        self._watchdog = watchdog
        self._via = via
        self._changed = threading.Condition()
        self._makers_of_room: list[Callable[[], bool]] = []
        self._transport: SshTransport | None = None
        self._connection_number = 0
        self._kills_after = True
        self._is_connecting = False
        self._is_closed = False
        self._closing = threading.Event()
        self._failures = 0
        self._retry_at = 0.0
        self._error: HostError | None = None
        self._since = clock()

    # --- what people look at -----------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        return self.target.name

    @property
    def state(self) -> LinkState:
        with self._changed:
            self._notice_loss()
            return LinkState(self._transport is not None, self._since, self._error)

    @property
    def living(self) -> SshTransport | None:
        """The connection, for what must not wait for one; None while there is none."""
        transport = self._transport
        return transport if transport is not None and transport.is_active() else None

    @property
    def connection_number(self) -> int:
        """Grows with each new connection: what was learnt about sshd on another number is stale."""
        return self._connection_number

    @property
    def channel_count(self) -> int:
        """Channels open now, of all kinds."""
        with self._changed:
            return self._transport.open_channels if self._transport is not None else 0

    def connect(self, *, timeout_seconds: float) -> None:
        """See to it that there is a connection: what is asked then has its time for itself. Raises HostUnreachable."""
        self._connected(self.clock() + timeout_seconds)

    # --- channels ----------------------------------------------------------------------------------------------------

    def open_unix(self, path: str, *, timeout_seconds: float) -> paramiko.Channel:
        """Open a stream to a Unix socket of the host. Raises ChannelRefused when nobody listens or sshd forbids it
        (sshd gives the same answer to both)."""
        return self._open("direct-streamlocal@openssh.com", path, "", 0, timeout_seconds=timeout_seconds)

    def open_tcp(self, address: str, port: int, *, timeout_seconds: float) -> paramiko.Channel:
        """Open a TCP stream from the host to `address:port` (a pod, a port of the host). Raises ChannelRefused."""
        return self._open("direct-tcpip", address, port, "127.0.0.1", 0, timeout_seconds=timeout_seconds)

    def _open(self, kind: str, *arguments: str | int, timeout_seconds: float) -> paramiko.Channel:
        deadline = self.clock() + timeout_seconds
        transport = self._connected(deadline)
        try:
            return transport.open_kind(kind, *arguments, timeout_seconds=self._left(deadline))
        except HostUnreachable:
            # A connection that had died unnoticed. Nothing was done on the host yet, so a new one may be tried, once.
            if transport.is_active() or self.clock() >= deadline:
                raise
        return self._connected(deadline).open_kind(kind, *arguments, timeout_seconds=self._left(deadline))

    def open_command(self, line: str, *, timeout_seconds: float, use: Use = Use.COMMAND) -> paramiko.Channel:
        """Start a shell line and leave its channel to the caller: a stream to its input and output.

        It takes a place of `hosts.ssh.sessions` until it is closed.
        """
        deadline = self.clock() + timeout_seconds
        transport, channel = self._open_session(use, deadline)
        try:
            transport.start_command(channel, line, timeout_seconds=self._left(deadline))
        except BaseException:
            channel.close()
            raise
        return channel

    @property
    def places_for_streams(self) -> int:
        """How many streams may be commands on the host, as far as is known now."""
        transport = self._transport
        return (transport.sessions if transport is not None else Sessions()).places_for_streams

    def on_short_sessions(self, make_room: Callable[[], bool]) -> Callable[[], None]:
        """Have `make_room` called when all places are taken: it gives up a session that is idle, if it holds one, and
        says whether. Returns what ends this.
        """
        self._makers_of_room.append(make_room)

        def end() -> None:
            with suppress(ValueError):
                self._makers_of_room.remove(make_room)

        return end

    def _make_room(self) -> None:
        for make_room in tuple(self._makers_of_room):
            if make_room():
                return

    def _open_session(self, use: Use, deadline: float) -> tuple[SshTransport, paramiko.Channel]:
        """Raises SessionRefused or DeadlineExceeded when no place comes free in time, and what the link raises."""
        while True:
            transport = self._connected(deadline)
            sessions = transport.sessions
            left = partial(self._wait_for_place, transport, deadline)
            if not sessions.take(use, seconds=left, make_room=self._make_room):
                raise self._no_place(sessions)
            try:
                channel = transport.open_kind("session", timeout_seconds=self._left(deadline))
            except SessionRefused:
                if not sessions.refused(use):
                    raise
                if self.clock() >= deadline:
                    raise self._no_place(sessions) from None
                # What has just ended may still have its place there; what is idle has one for certain.
                self._make_room()
                self._closing.wait(REFUSED_PAUSE_SECONDS)
                continue
            except BaseException:
                sessions.failed(use)
                raise
            sessions.opened(use, channel.chanid, is_there=transport.has_channel, channel=channel)
            return transport, channel

    def _wait_for_place(self, transport: SshTransport, deadline: float) -> float:
        """Seconds left. Raises HostUnreachable when the connection is lost meanwhile."""
        if not transport.is_active():
            raise transport.lost()
        return deadline - self.clock()

    def _no_place(self, sessions: Sessions) -> HostError:
        busy = f"{sessions.in_use} sessions are open and none ended in time"
        if not sessions.is_learnt:
            return DeadlineExceeded(busy, host=self.host)
        hint = f"sshd allows only {sessions.places} at once: raise MaxSessions on host {self.host}"
        return SessionRefused(busy, host=self.host, hint=hint)

    def run(
        self,
        command: str | Sequence[str],
        *,
        input: bytes = b"",  # noqa: A002 - the word that subprocess uses
        timeout_seconds: float,
        root: bool = False,
        check: bool = False,
    ) -> CommandResult:
        """Run a shell script (a string) or a command with arguments (a sequence) on the host.

        root: by `sudo -n` unless we log in as root. check: raise CommandFailed on another code than 0. The deadline
        covers connecting and waiting for a free session, too. Raises AuthenticationRefused when sudo refuses.
        """
        deadline = self.clock() + timeout_seconds
        by_sudo = root and self.target.user != "root"
        result = self._run_once(command, input, deadline, by_sudo)
        if by_sudo:
            check_sudo(result, host=self.host, user=self.target.user)
        if check:
            what = command if isinstance(command, str) else " ".join(command)
            check_success(result, f"`{what.strip().splitlines()[0][:80]}`", host=self.host)
        return result

    def _run_once(
        self, command: str | Sequence[str], input_bytes: bytes, deadline: float, by_sudo: bool
    ) -> CommandResult:
        transport, channel = self._open_session(Use.COMMAND, deadline)
        try:
            left = self._left(deadline)
            kills_after = self._kills_after
            line = shell_line(command, timeout_seconds=left, as_root=by_sudo, kills_after=kills_after)
            result = run_on_channel(transport, channel, line, input_bytes=input_bytes, timeout_seconds=left)
        finally:
            channel.close()
        if kills_after and refuses_kill_after(result):
            self._kills_after = False
            return self._run_once(command, input_bytes, deadline, by_sudo)
        return result

    # --- the connection ----------------------------------------------------------------------------------------------

    def _left(self, deadline: float) -> float:
        return max(0.001, deadline - self.clock())

    def _connected(self, deadline: float) -> SshTransport:
        """The living connection; waits until `deadline` for one that is being made.

        It is made in a thread of its own: a caller in a hurry (a probe) gives up in time, and still the next one finds
        the connection ready.
        """
        has_waited = False
        with self._changed:
            while True:
                self._notice_loss()
                if self._is_closed:
                    raise HostUnreachable("the link is closed", host=self.host)
                if self._transport is not None:
                    return self._transport
                if not self._is_connecting:
                    if has_waited and self._error is not None:
                        raise _again(self._error)
                    self._refuse_in_backoff()
                    self._is_connecting = True
                    threading.Thread(target=self._connect, name=f"connect {self.host}", daemon=True).start()
                has_waited = True
                if not self._changed.wait(max(0.0, deadline - self.clock())):
                    raise HostUnreachable(f"still connecting to {self.target}", host=self.host)

    def _refuse_in_backoff(self) -> None:
        wait_seconds = self._retry_at - self.clock()
        if wait_seconds > 0 and self._error is not None:
            raise _again(self._error, f"next attempt in {wait_seconds:.1f} s")

    def _connect(self) -> None:
        """One attempt. Whatever happens, those who wait are told."""
        transport: SshTransport | None = None
        failure: HostError | None = None
        try:
            transport = self._dial()
        except HostError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - else nobody would ever learn that the attempt is over
            failure = HostUnreachable(f"connecting to {self.target} failed: {error!r}", host=self.host)
            failure.__cause__ = error
        with self._changed:
            self._is_connecting = False
            self._settle(transport, failure)
            self._changed.notify_all()

    def _dial(self) -> SshTransport:
        """Connect; where a busy sshd turns us away, again a moment later. Raises HostError."""
        deadline = self.clock() + self.target.connect_timeout_seconds
        for number in range(1, TURNED_AWAY_TRIES):
            try:
                return self._dial_once()
            except TurnedAway:
                pause = min(TURNED_AWAY_FIRST_SECONDS * 2 ** (number - 1), TURNED_AWAY_MOST_SECONDS)
                pause *= self._random.uniform(0.5, 1.5)
                # Waited for without a slot: others may connect meanwhile.
                if self.clock() + pause >= deadline or self._closing.wait(pause):
                    raise
        return self._dial_once()

    def _dial_once(self) -> SshTransport:
        # The way through a jump host first: it may itself need one of the slots.
        through = self._open_through(self._via) if self._via is not None else None
        if not self._connect_slots.acquire(timeout=SLOT_SECONDS):
            if through is not None:
                through.close()
            raise HostUnreachable("too many hosts connect at the same time", host=self.host)
        try:
            return connect_transport(through or open_socket(self.target), self.target, self.clock)
        finally:
            self._connect_slots.release()

    def _open_through(self, jump: SshLink) -> paramiko.Channel:
        try:
            return jump.open_tcp(
                self.target.address, self.target.port, timeout_seconds=self.target.connect_timeout_seconds
            )
        except HostError as error:
            what = f"cannot connect to {self.target} through host {jump.host}: {error.message}"
            raise HostUnreachable(what, host=self.host, hint=error.hint) from error

    def _settle(self, transport: SshTransport | None, failure: HostError | None) -> None:
        """Note how an attempt ended. The caller holds the lock."""
        now = self.clock()
        self._since = now
        if transport is not None and not self._is_closed:
            self._transport = transport
            self._connection_number += 1
            self._error = None
            self._watchdog.watch(transport)
        elif transport is not None:
            transport.sever("the link was closed")
        elif failure is not None:
            self._error = failure
            self._back_off(failure)

    def _notice_loss(self) -> None:
        """Forget a connection that died. The caller holds the lock."""
        transport = self._transport
        if transport is None or transport.is_active():
            return
        self._transport = None
        self._since = self.clock()
        self._error = transport.lost()
        is_steady = self._since - transport.connected_at >= STEADY_SECONDS
        if is_steady:
            self._failures = 0
            self._retry_at = self._since
        if transport.loss or not is_steady:
            # A peer that fell silent is said to be lost at once: a new attempt may take as long as the silence did.
            self._back_off(self._error)

    def _back_off(self, error: HostError) -> None:
        self._failures += 1
        most = min(BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * 2 ** min(self._failures - 1, 16))
        seconds = most * self._random.uniform(0.5, 1.0)
        if error.needs is Needs.NEEDS_OPERATOR:
            seconds = max(seconds, BACKOFF_OPERATOR_SECONDS)
        self._retry_at = self.clock() + seconds

    def retry_now(self) -> None:
        """End the back-off: something changed (a person asks, the host is known to be up again)."""
        with self._changed:
            self._notice_loss()
            self._retry_at = 0.0

    def close(self, *, wait_seconds: float = 2) -> None:
        """Cut the connection and refuse further calls. Idempotent. wait_seconds: for its thread to end, at most."""
        self._closing.set()
        with self._changed:
            self._is_closed = True
            transport, self._transport = self._transport, None
            self._changed.notify_all()
        if transport is not None:
            transport.sever("the link was closed")
            transport.join(timeout=wait_seconds)


def _again(error: HostError, remark: str = "") -> HostError:
    """The same failure for another caller; one exception must not be raised by two threads."""
    again = type(error)(error.message, host=error.host, hint="; ".join(filter(None, (error.hint, remark))))
    again.__cause__ = error
    again.lasting = error.lasting or str(error)
    return again
