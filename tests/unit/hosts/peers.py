"""Peers on 127.0.0.1 for the SSH link: a real sshd of this user, a relay that can go dead, ports that misbehave."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hosts.ssh.target import SshTarget, parse_host_keys

SSHD = Path("/usr/sbin/sshd")
SSHD_RUN = Path("/run/sshd")
"""Root's sshd insists on this folder; the machine's init makes it, and not every machine runs one."""


def make_key(path: Path, kind: str) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    return path


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def await_condition(holds: Callable[[], bool], complaint: str, *, timeout_seconds: float = 10) -> None:
    """Look until it holds; AssertionError with the complaint when the time is over."""
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.01)


class LocalSshd:
    """An sshd that lets this user in. `port` is where it listens."""

    def __init__(self, directory: Path, user: str, *, settings: tuple[str, ...] = ()) -> None:
        self.user = user
        self.directory = directory
        self.key_file = make_key(directory / "user", "ed25519")
        self.host_keys = {kind: make_key(directory / f"host_{kind}", kind) for kind in ("ed25519", "rsa", "ecdsa")}
        self.port = free_port()
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        lines = [
            "ListenAddress 127.0.0.1",
            f"Port {self.port}",
            *(f"HostKey {path}" for path in self.host_keys.values()),
            f"AuthorizedKeysFile {self.key_file}.pub",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            *self._settings,
        ]
        config = self.directory / "sshd_config"
        config.write_text("\n".join(lines) + "\n")
        log = self.directory / "sshd.log"
        if os.geteuid() == 0:
            SSHD_RUN.mkdir(mode=0o755, exist_ok=True)
        self._process = subprocess.Popen([SSHD, "-D", "-f", config, "-E", log])
        await_condition(self._listens, f"sshd does not listen, see {log}")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as sock:
            return sock.recv(4) == b"SSH-"
        return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def target(self, *, kind: str = "ed25519", port: int = 0, jump: SshTarget | None = None) -> SshTarget:
        line = (self.host_keys[kind].with_suffix(".pub")).read_text()
        return SshTarget(
            name="peer",
            address="127.0.0.1",
            port=port or self.port,
            user=self.user,
            host_keys=parse_host_keys(line, host="peer"),
            key_files=(str(self.key_file),),
            jump=jump,
            connect_timeout_seconds=5,
            keepalive_seconds=0.2,
        )


class Relay:
    """Passes TCP connections on to a port; `freeze` makes them half-open: still there, but nothing comes through."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._passing = threading.Event()
        self._passing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.accepted = 0
        self._sockets: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def freeze(self) -> None:
        self._passing.clear()

    def thaw(self) -> None:
        self._passing.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.lead(self._listener.accept()[0])

    def lead(self, near: socket.socket) -> None:
        """Connect a visitor with the port behind."""
        self.accepted += 1
        far = socket.create_connection(("127.0.0.1", self._to_port))
        self._sockets += [near, far]
        for source, sink in ((near, far), (far, near)):
            thread = threading.Thread(target=self._pump, args=(source, sink), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                self._passing.wait()
                sink.sendall(block)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._passing.set()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(timeout=5)


class Doorkeeper:
    """A port that counts who comes and treats everybody alike: `says` something, then closes, or stays silent.

    From the visitor number `lets_in` on everybody is led to the port behind.
    """

    def __init__(self, *, says: bytes | None, lets_in: int = 0, behind: int = 0) -> None:
        self._says = says
        self._lets_in = lets_in
        self._behind = Relay(behind) if behind else None
        self.visits = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._kept: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                visitor, _ = self._listener.accept()
                self.visits += 1
                if self._behind is not None and self.visits >= self._lets_in:
                    self._behind.lead(visitor)
                elif self._says is None:
                    self._kept.append(visitor)
                else:
                    visitor.sendall(self._says)
                    visitor.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        for sock in (self._listener, *self._kept):
            sock.close()
        if self._behind is not None:
            self._behind.close()


@contextlib.contextmanager
def doorkeeper(*, says: bytes | None, lets_in: int = 0, behind: int = 0) -> Iterator[Doorkeeper]:
    keeper = Doorkeeper(says=says, lets_in=lets_in, behind=behind)
    try:
        yield keeper
    finally:
        keeper.close()
