"""The link against real peers on this machine: an sshd of our own user, ports that go dead or misbehave."""

from __future__ import annotations

import getpass
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random

import msgspec
import pytest
from msgspec import structs
from paramiko import Channel, Message

from hosts.docker.engine import SDK_API_VERSION, Engine, EngineClient
from hosts.ssh.keyscan import fetch_host_key
from hosts.ssh.link import (
    BACKOFF_MOST_SECONDS,
    BACKOFF_OPERATOR_SECONDS,
    TURNED_AWAY_TRIES,
    SshLink,
)
from hosts.ssh.links import SshLinks
from hosts.ssh.sessions import Sessions, Use
from hosts.ssh.shell import LastingShell
from hosts.ssh.target import SshTarget
from hosts.ssh.waited_channel import ChannelRefused, SessionRefused, WaitedChannel
from hosts.ssh.watchdog import Watchdog
from hosts.streams.routes import NotifiedRoute, NotifiedRoutes
from objects.errors import DeadlineExceeded, HostKeyMismatch, HostUnreachable
from tests.unit.hosts.peers import Doorkeeper, LocalSshd, Relay, await_condition, doorkeeper, free_port


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSshd]:
    peer = LocalSshd(tmp_path_factory.mktemp("sshd"), getpass.getuser(), settings=("MaxSessions 2",))
    peer.start()
    yield peer
    peer.stop()


@pytest.fixture
def relay(sshd: LocalSshd) -> Iterator[Relay]:
    relay = Relay(sshd.port)
    yield relay
    relay.close()


@pytest.fixture
def links() -> Iterator[SshLinks]:
    links = SshLinks(clock=time.monotonic, random=Random(1))
    yield links
    links.close()


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog(interval_seconds=0.05)
    yield watchdog
    watchdog.close()


def link_by(clock: Clock, watchdog: Watchdog, target: SshTarget) -> SshLink:
    slots = threading.Semaphore(1)
    return SshLink(target, clock=clock, random=Random(1), connect_slots=slots, watchdog=watchdog)


def target_at(keeper: Doorkeeper | int, sshd: LocalSshd) -> SshTarget:
    return sshd.target(port=keeper if isinstance(keeper, int) else keeper.port)


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_the_host_shows_the_key_that_we_know(sshd: LocalSshd, links: SshLinks, kind: str) -> None:
    assert links.link(sshd.target(kind=kind)).run("echo hi", timeout_seconds=10).stdout == b"hi\n"


def test_many_threads_share_one_connection(relay: Relay, sshd: LocalSshd, links: SshLinks) -> None:
    link = links.link(sshd.target(port=relay.port))
    with doorkeeper(says=b"welcome") as keeper, ThreadPoolExecutor(20) as threads:
        calls = [threads.submit(link.open_tcp, "127.0.0.1", keeper.port, timeout_seconds=10) for _ in range(20)]
        channels = [call.result() for call in calls]
        assert [channel.recv(7) for channel in channels] == [b"welcome"] * 20
    assert relay.accepted == 1


OLD_BUSYBOX = """\
#!/bin/sh
[ "$1" != -k ] || { echo "timeout: unrecognized option: k" >&2; exit 1; }
echo begun >> "$(dirname "$0")/begun"
exec /usr/bin/timeout "$@"
"""


def test_a_host_whose_timeout_cannot_kill(tmp_path: Path, links: SshLinks) -> None:
    """BusyBox before 1.34 knows no `-k`: the command runs without, each of them once."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "timeout").write_text(OLD_BUSYBOX)
    (programs / "timeout").chmod(0o755)
    path = f"SetEnv PATH={programs}:/usr/bin:/bin"
    peer = LocalSshd(tmp_path, getpass.getuser(), settings=(path,))
    peer.start()
    try:
        link = links.link(peer.target())
        assert link.run("cat", input=b"to be read twice", timeout_seconds=10).stdout == b"to be read twice"
        assert link.run("echo again", timeout_seconds=10).stdout == b"again\n"
    finally:
        peer.stop()
    assert (programs / "begun").read_text() == "begun\n" * 2


def test_equal_targets_share_a_link_and_unwanted_ones_are_closed(sshd: LocalSshd, links: SshLinks) -> None:
    door = sshd.target()
    inner = sshd.target(kind="rsa", jump=door)
    link = links.link(inner)
    assert links.link(sshd.target(kind="rsa", jump=sshd.target())) is link
    assert link.run("echo through", timeout_seconds=10).stdout == b"through\n"
    links.retain([inner])
    assert link.state.connected
    links.retain([door])
    with pytest.raises(HostUnreachable, match="closed"):
        link.run("true", timeout_seconds=10)
    assert links.link(door).state.connected
    assert links.link(inner) is not link


def test_refused_channels_say_why(sshd: LocalSshd, links: SshLinks) -> None:
    link = links.link(sshd.target())
    with pytest.raises(ChannelRefused) as caught:
        link.open_tcp("127.0.0.1", free_port(), timeout_seconds=10)
    assert (caught.value.message, caught.value.is_forbidden) == (
        "sshd opens no direct-tcpip channel: Connection refused",
        False,
    )


def test_sessions_beyond_those_that_sshd_allows_are_refused(sshd: LocalSshd, links: SshLinks) -> None:
    link = links.link(sshd.target())
    held = [link.open_command("cat", timeout_seconds=10) for _ in range(2)]
    with pytest.raises(SessionRefused, match="allows only 2 at once: raise MaxSessions on host peer"):
        link.run("true", timeout_seconds=0.5)
    for channel in held:
        channel.close()
    # What is learnt is kept to: the rest waits for its turn.
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda _: link.run("sleep 0.1; echo done", timeout_seconds=20).stdout, range(8)))
    assert done == [b"done\n"] * 8
    transport = link.living
    assert transport is not None
    await_condition(lambda: transport.sessions.in_use == 0, "places stay taken")


def test_a_shell_that_nobody_asks_makes_room(sshd: LocalSshd, links: SshLinks) -> None:
    link = links.link(structs.replace(sshd.target(), name="shells"))
    shells = [LastingShell(link) for _ in range(2)]
    assert [shell.ask("echo a", timeout_seconds=10) for shell in shells] == ["a\n"] * 2
    assert link.run("echo b", timeout_seconds=10).stdout == b"b\n"
    assert shells[0].ask("echo c", timeout_seconds=10) == "c\n"
    for shell in shells:
        shell.close()


def test_what_a_shell_says_comes_in_one_piece(
    sshd: LocalSshd, links: SshLinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece by itself wakes two threads, and measuring asks a thousand hosts every few seconds."""
    pieces: list[object] = []
    feed = Channel._feed  # type: ignore[attr-defined]
    monkeypatch.setattr(WaitedChannel, "_feed", lambda *said: (pieces.append(said), feed(*said)), raising=False)
    shell = LastingShell(links.link(structs.replace(sshd.target(), name="pieces")))
    assert shell.ask("echo a; sleep 0.1; echo b; sleep 0.1; printf c", timeout_seconds=10) == "a\nb\nc"
    assert len(pieces) == 1
    shell.close()


def test_streams_leave_places_for_others() -> None:
    now = Clock()
    sessions, short = Sessions(clock=now), []
    opened = 0
    while sessions.take(Use.STREAM, seconds=lambda: 0.0, make_room=lambda: short.append(1)):
        opened += 1
        sessions.opened(Use.STREAM, opened, is_there=lambda _: True)
    assert (opened, sessions.in_use, short) == (7, 7, [1])
    for number in (11, 12, 13):
        assert sessions.take(Use.COMMAND, seconds=lambda: 0.0, make_room=lambda: None)
        sessions.opened(Use.COMMAND, number, is_there=lambda _: True)
    assert not sessions.take(Use.COMMAND, seconds=lambda: 0.0, make_room=lambda: sessions.ended(99))
    assert sessions.take(Use.COMMAND, seconds=lambda: 0.0, make_room=lambda: sessions.ended(3))
    now.now += 10
    assert sessions.refused(Use.COMMAND)
    assert (sessions.places, sessions.places_for_streams) == (9, 6)
    assert sessions.is_learnt
    sessions.ended(1)
    assert sessions.take(Use.COMMAND, seconds=lambda: 0.0, make_room=lambda: None)
    sessions.opened(Use.COMMAND, 14, is_there=lambda _: False)  # it has ended by now
    assert sessions.in_use == 8


@pytest.mark.parametrize(("places", "streams"), [(10, 7), (5, 2), (4, 2), (2, 2), (1, 1)])
def test_how_many_places_streams_have(places: int, streams: int) -> None:
    assert Sessions(places).places_for_streams == streams


def test_a_refusal_while_none_is_open_is_no_lack_of_places() -> None:
    sessions = Sessions()
    assert sessions.take(Use.COMMAND, seconds=lambda: 0.0, make_room=lambda: None)
    assert not sessions.refused(Use.COMMAND)
    assert sessions.places == 10


def test_what_has_just_ended_may_have_its_place_still() -> None:
    now = Clock()
    sessions = Sessions(clock=now)
    for number in range(4):
        assert sessions.take(Use.COMMAND, seconds=lambda: 0.0, make_room=lambda: None)
        sessions.opened(Use.COMMAND, number, is_there=lambda _: True)
    for number in range(3):
        sessions.ended(number)
    assert sessions.take(Use.COMMAND, seconds=lambda: 0.0, make_room=lambda: None)
    assert (sessions.refused(Use.COMMAND), sessions.places) == (True, 4)
    now.now += 10  # by now they are gone there, too
    assert sessions.take(Use.COMMAND, seconds=lambda: 0.0, make_room=lambda: None)
    assert (sessions.refused(Use.COMMAND), sessions.places) == (True, 1)


def test_what_was_learnt_is_tried_anew_by_one_session_more() -> None:
    now = Clock()
    sessions = Sessions(clock=now)
    numbers = iter(range(100))

    def take(*, is_allowed: bool = True) -> bool:
        if not sessions.take(Use.COMMAND, seconds=lambda: 0.0, make_room=lambda: None):
            return False
        if is_allowed:
            sessions.opened(Use.COMMAND, next(numbers), is_there=lambda _: True)
        else:
            assert sessions.refused(Use.COMMAND)
        return True

    assert [take(), take(), take(is_allowed=False), take()] == [True, True, True, False]
    tried = []
    for _ in range(600):
        now.now += 1
        tried.append(take(is_allowed=False))
    assert (tried.count(True), sessions.places) == (5, 2)  # after 10, 20, 40 … seconds
    now.now += 600
    assert ([take() for _ in range(3)], sessions.places) == ([True] * 3, 5)


def test_a_session_that_becomes_idle_while_others_wait_is_given_up() -> None:
    sessions, asked = Sessions(2), []

    def make_room() -> None:
        asked.append(1)
        if len(asked) == 2:  # in use when it was asked for first
            sessions.ended(1)

    for number in (1, 2):
        assert sessions.take(Use.STREAM, seconds=lambda: 0.0, make_room=lambda: None)
        sessions.opened(Use.STREAM, number, is_there=lambda _: True)
    assert sessions.take(Use.COMMAND, seconds=lambda: 5.0, make_room=make_room)
    assert asked == [1, 1]


def test_a_half_open_peer_is_cut_off_and_dialled_again(relay: Relay, sshd: LocalSshd, watchdog: Watchdog) -> None:
    link = SshLink(
        sshd.target(port=relay.port),
        clock=time.monotonic,
        random=Random(1),
        connect_slots=threading.Semaphore(1),
        watchdog=watchdog,
    )
    waiting = link.open_command("sleep 60", timeout_seconds=10)
    relay.freeze()
    waiting.settimeout(30)
    assert waiting.recv(1) == b""  # the watchdog woke us, after three missed keepalives
    state = link.state
    assert (state.connected, "silent for" in str(state.error)) == (False, True)
    relay.thaw()
    link.retry_now()
    assert link.run("echo again", timeout_seconds=10).stdout == b"again\n"
    assert (link.connection_number, relay.accepted) == (2, 2)
    link.close()


def test_an_idle_connection_is_kept(relay: Relay, sshd: LocalSshd, watchdog: Watchdog) -> None:
    link = SshLink(
        sshd.target(port=relay.port),
        clock=time.monotonic,
        random=Random(1),
        connect_slots=threading.Semaphore(1),
        watchdog=watchdog,
    )
    idle = link.open_command("sleep 60", timeout_seconds=10)
    idle.settimeout(1.5)  # more than twice the time after which a silent peer is dead
    with pytest.raises(TimeoutError):
        idle.recv(1)
    assert link.connection_number == 1
    assert link.state.connected
    link.close()


def test_an_answer_after_the_deadline_leaves_no_channel_open(relay: Relay, sshd: LocalSshd) -> None:
    patient = Watchdog(interval_seconds=3600)
    link = SshLink(
        sshd.target(port=relay.port),
        clock=time.monotonic,
        random=Random(1),
        connect_slots=threading.Semaphore(1),
        watchdog=patient,
    )
    link.run("true", timeout_seconds=10)
    relay.freeze()
    with pytest.raises(DeadlineExceeded):
        link.open_tcp("127.0.0.1", sshd.port, timeout_seconds=0.1)
    relay.thaw()
    assert link.run("true", timeout_seconds=10).is_success  # answers come in order: the late one came before this
    await_condition(lambda: link.channel_count == 0, "the late channel stays open")
    link.close()
    patient.close()


@pytest.mark.parametrize(
    ("says", "message"),
    [
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH handshake with", id="something else"),
        pytest.param(b"SSH-2.0-broken\r\n", "SSH handshake with", id="closes after its first line"),
    ],
)
def test_ports_that_are_no_sshd(sshd: LocalSshd, links: SshLinks, says: bytes, message: str) -> None:
    with doorkeeper(says=says) as keeper, pytest.raises(HostUnreachable, match=message):
        links.link(target_at(keeper, sshd)).run("true", timeout_seconds=10)


def test_logins_beyond_those_that_sshd_takes_at_a_time_come_in_later(tmp_path: Path) -> None:
    """Ten connections side by side to an sshd that lets one in at a time, and drops whoever comes beside it."""
    crowded = LocalSshd(tmp_path, getpass.getuser(), settings=("MaxStartups 1",))
    crowded.start()
    door = threading.Barrier(10)

    def log_in(number: int) -> bytes:
        links = SshLinks(clock=time.monotonic, random=Random(number), connects_at_once=10)
        door.wait(timeout=10)
        try:
            target = structs.replace(crowded.target(), connect_timeout_seconds=15)
            return links.link(target).run("echo in", timeout_seconds=20).stdout
        finally:
            links.close()

    try:
        with ThreadPoolExecutor(10) as threads:
            assert list(threads.map(log_in, range(10))) == [b"in\n"] * 10
        assert fetch_host_key("127.0.0.1", crowded.port) in crowded.target().host_keys
    finally:
        crowded.stop()


STOPPED = """
import sys, time
from random import Random
import msgspec
from hosts.ssh.keyscan import fetch_host_key
from hosts.ssh.links import SshLinks
from hosts.ssh.sessions import Sessions, Use
from hosts.ssh.target import SshTarget
from msgspec import structs
target = msgspec.json.decode(sys.argv[1], type=SshTarget)
links = SshLinks(clock=time.monotonic, random=Random(1))
all_links = [links.link(structs.replace(target, name=f"h{number}")) for number in range(6)]
for link in all_links:
    link.run("true", timeout_seconds=10)
print("up", flush=True)
sys.stdin.readline()
time.sleep(3)
print([link.connection_number * link.state.connected for link in all_links], flush=True)
"""


def test_a_pause_of_our_own_is_no_fault_of_the_peers(sshd: LocalSshd) -> None:
    """A process that stands still for 15 missed keepalives keeps its connections."""
    target = msgspec.json.encode(sshd.target()).decode()
    command = [sys.executable, "-c", STOPPED, target]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            assert process.stdout.readline() == "up\n"
            process.send_signal(signal.SIGSTOP)
            time.sleep(3)
            process.send_signal(signal.SIGCONT)
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "[1, 1, 1, 1, 1, 1]\n"
        finally:
            process.kill()


def test_an_engine_that_is_exchanged_is_not_asked_for_its_version_by_the_connection(
    sshd: LocalSshd, links: SshLinks
) -> None:
    """The connection's thread runs the question on: if that waited for an answer, nobody would read it."""
    link = links.link(sshd.target())
    link.run("true", timeout_seconds=10)
    engine, transport = Engine(link), link.living
    assert transport is not None
    engine._client = EngineClient(engine, engine.streams)
    assert (
        NotifiedRoutes(engine).route(timeout_seconds=1, on_news=lambda: None, to_engine=True) is None
    )  # sshd is not known
    route = NotifiedRoute(NotifiedRoutes(engine), transport, engine.agreed, timeout_seconds=1, on_news=lambda: None)
    engine.refusal(400, b'{"message": "client version 1.99 is too new. Maximum supported API version is 1.41"}')
    assert engine.agreed is None
    assert route.api_path("/containers/c/exec") == f"/v{SDK_API_VERSION}/containers/c/exec"


def test_links_of_removed_hosts_close_at_once(relay: Relay, sshd: LocalSshd, links: SshLinks) -> None:
    """Also those whose peer has fallen silent, and those that are just connecting."""

    def patient(target: SshTarget) -> SshTarget:
        return structs.replace(target, connect_timeout_seconds=60, keepalive_seconds=60)

    stuck = links.link(patient(sshd.target(port=relay.port)))
    stuck.run("true", timeout_seconds=10)
    relay.freeze()
    with doorkeeper(says=b"") as keeper:
        dialling = links.link(patient(target_at(keeper, sshd)))
        with pytest.raises(HostUnreachable):
            dialling.run("true", timeout_seconds=0.05)
        began = time.monotonic()
        links.retain([])
        assert time.monotonic() - began < 10
        visits = keeper.visits
        time.sleep(1)
        assert keeper.visits <= visits + 1
    for link in (stuck, dialling):
        with pytest.raises(HostUnreachable, match="closed"):
            link.run("true", timeout_seconds=1)


def test_a_port_that_says_nothing_does_not_hold_us(sshd: LocalSshd, links: SshLinks) -> None:
    with doorkeeper(says=None) as keeper:
        quick = SshTarget(
            name="peer",
            address="127.0.0.1",
            port=keeper.port,
            host_keys=sshd.target().host_keys,
            key_files=sshd.target().key_files,
            connect_timeout_seconds=0.3,
        )
        with pytest.raises(HostUnreachable, match="SSH handshake with"):
            links.link(quick).run("true", timeout_seconds=10)


def test_a_caller_in_a_hurry_gives_up_and_the_next_finds_the_connection(
    relay: Relay, sshd: LocalSshd, links: SshLinks
) -> None:
    link = links.link(sshd.target(port=relay.port))
    relay.freeze()
    with pytest.raises(HostUnreachable, match="still connecting"):
        link.run("true", timeout_seconds=0.1)
    relay.thaw()
    assert link.run("true", timeout_seconds=10).is_success
    assert (relay.accepted, link.connection_number) == (1, 1)


def test_a_host_without_a_key_of_the_known_kind(sshd: LocalSshd, links: SshLinks, tmp_path: Path) -> None:
    other = LocalSshd(tmp_path, sshd.user)
    del other.host_keys["ecdsa"], other.host_keys["rsa"]
    other.start()
    try:
        target = sshd.target(kind="rsa", port=other.port)
        with pytest.raises(HostKeyMismatch, match="cannot show a key of the kind"):
            links.link(target).run("true", timeout_seconds=10)
    finally:
        other.stop()


@pytest.mark.parametrize("says", [pytest.param(b"", id="silent"), pytest.param(b"Exceeded MaxStartups\r\n", id="told")])
def test_who_is_turned_away_by_a_busy_sshd_tries_again_within_the_deadline(
    sshd: LocalSshd, links: SshLinks, says: bytes
) -> None:
    with doorkeeper(says=says, lets_in=3, behind=sshd.port) as keeper:
        assert links.link(target_at(keeper, sshd)).run("true", timeout_seconds=20).is_success
        assert keeper.visits == 3


def test_who_is_turned_away_again_and_again_gives_up_and_says_why(sshd: LocalSshd, links: SshLinks) -> None:
    with doorkeeper(says=b"") as keeper:
        with pytest.raises(HostUnreachable, match=r"closed the connection before a word.*MaxStartups"):
            links.link(structs.replace(target_at(keeper, sshd), connect_timeout_seconds=2)).run(
                "true", timeout_seconds=20
            )
        assert 4 <= keeper.visits <= TURNED_AWAY_TRIES


def test_attempts_back_off_and_refuse_at_once_meanwhile(sshd: LocalSshd, watchdog: Watchdog) -> None:
    clock = Clock()
    with doorkeeper(says=b"HTTP/1.1 400 Bad Request\r\n\r\n") as keeper:
        link = link_by(clock, watchdog, target_at(keeper, sshd))
        pauses = []
        for _ in range(8):
            before = keeper.visits
            with pytest.raises(HostUnreachable):
                link.run("true", timeout_seconds=10)
            assert keeper.visits == before + 1
            waited = 0.0
            while keeper.visits == before + 1:  # refused without an attempt until its time has come
                clock.now += 0.25
                waited += 0.25
                with pytest.raises(HostUnreachable):
                    link.run("true", timeout_seconds=10)
                if waited > BACKOFF_MOST_SECONDS + 1:
                    break
            pauses.append(waited)
            clock.now += BACKOFF_MOST_SECONDS
        assert all(pause <= BACKOFF_MOST_SECONDS + 0.25 for pause in pauses)
        assert pauses[0] <= 0.75
        assert pauses[-1] >= BACKOFF_MOST_SECONDS / 2


def test_a_refused_login_waits_longer_unless_somebody_asks(sshd: LocalSshd, watchdog: Watchdog) -> None:
    clock = Clock()
    stranger = SshTarget(
        name="peer",
        address="127.0.0.1",
        port=sshd.port,
        user=sshd.user,
        host_keys=sshd.target(kind="rsa").host_keys,
        key_files=(str(sshd.host_keys["rsa"]),),  # a key, but not one that is let in
    )
    link = link_by(clock, watchdog, stranger)
    for advance in (0.0, BACKOFF_OPERATOR_SECONDS - 1):
        clock.now += advance
        with pytest.raises(Exception, match="sshd refuses user") as caught:
            link.run("true", timeout_seconds=10)
        asked_again = "next attempt" in str(caught.value)
        assert asked_again is (advance > 0)
    link.retry_now()
    with pytest.raises(Exception, match="sshd refuses user") as caught:
        link.run("true", timeout_seconds=10)
    assert "next attempt" not in str(caught.value)


@pytest.mark.parametrize(
    "say",
    [
        pytest.param(lambda channel: channel.send(b"late"), id="data"),
        pytest.param(lambda channel: channel.shutdown_write(), id="end-of-data"),
    ],
)
def test_what_comes_after_a_channels_end_does_not_end_the_connection(
    say: Callable[[Channel], None], sshd: LocalSshd, links: SshLinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends between composing a message and sending it, as happens to a thread that waits for its turn."""
    link = links.link(structs.replace(sshd.target(), name="late words"))
    channel = link.open_command("sleep 0.1", timeout_seconds=10)
    transport = link.living
    assert transport is not None
    send, send_unless_closed = transport._send_user_message, transport.send_unless_closed

    def await_end() -> None:
        if threading.current_thread() is not transport:
            monkeypatch.undo()
            await_condition(lambda: channel.closed, "the command ends")
            assert link.run("echo heard", timeout_seconds=10).stdout == b"heard\n"  # and our "closed" with it

    def send_late(message: Message) -> None:
        await_end()
        send(message)

    def try_late(ended: Channel, message: Message) -> None:
        await_end()
        send_unless_closed(ended, message)

    monkeypatch.setattr(transport, "_send_user_message", send_late)
    monkeypatch.setattr(transport, "send_unless_closed", try_late)
    with suppress(OSError):
        say(channel)
    assert link.run("echo alive", timeout_seconds=10).stdout == b"alive\n"
    assert link.connection_number == 1
