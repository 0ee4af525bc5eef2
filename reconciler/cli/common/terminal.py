"""A person's terminal joined to a command inside a container: raw keys in, bytes out, the window's size passed on."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from hosts.docker.streams import STDERR, ExecSession
from objects.errors import HostError

CHUNK_BYTES = 16384


def attach(session: ExecSession, *, with_input: bool, is_tty: bool) -> None:
    """Pass input and output until the command ends. Raises HostError when the link breaks."""
    with _raw_terminal() if is_tty else _nothing(), _resizing(session) if is_tty else _nothing():
        stop_reading, stopper = os.pipe()
        feeder = threading.Thread(target=_feed, args=(session, stop_reading), name="exec-input", daemon=True)
        if with_input:
            feeder.start()
        try:
            for number, block in session.frames():
                out = sys.stderr.buffer if number == STDERR else sys.stdout.buffer
                out.write(block)
                out.flush()
        finally:
            os.close(stopper)
            if with_input:
                feeder.join(timeout=1)
            os.close(stop_reading)


def _feed(session: ExecSession, stop: int) -> None:
    """Our input to the command's, until either ends; the other end of the pipe `stop` is closed to end us."""
    source = sys.stdin.fileno()
    try:
        while True:
            ready, _, _ = select.select([source, stop], [], [])
            if stop in ready:
                return
            block = os.read(source, CHUNK_BYTES)
            if not block:
                session.end_input()
                return
            session.send(block)
    except (HostError, OSError):
        return  # the command has ended or the link broke: whoever reads its output learns which


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def _raw_terminal() -> Iterator[None]:
    """Each key goes to the command at once, Ctrl-C too; the terminal is as before afterwards, whatever happens."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _resizing(session: ExecSession) -> Iterator[None]:
    """Tell the size now and whenever it changes. Not from the signal handler: that must not wait for a network."""
    changed, stopped = threading.Event(), threading.Event()

    def tell() -> None:
        while changed.wait() and not stopped.is_set():
            changed.clear()
            if not _tell_size(session):
                return

    teller = threading.Thread(target=tell, name="exec-size", daemon=True)
    before = signal.signal(signal.SIGWINCH, lambda *_: changed.set())
    changed.set()
    teller.start()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
        stopped.set()
        changed.set()
        teller.join(timeout=1)


def _tell_size(session: ExecSession) -> bool:
    """Whether the command is still there to be told."""
    columns, rows = shutil.get_terminal_size()
    try:
        session.resize(rows=rows, columns=columns)
    except HostError:
        return False
    return True
