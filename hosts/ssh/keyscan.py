"""Asks a host for its public key without logging in, for `berth init`: the one place that trusts what it is shown.

The answer is shown to a person and goes into the repository; from then on nothing but that key is accepted.
"""

from __future__ import annotations

import random
import socket
import time

import paramiko

from hosts.ssh.target import PublicKey
from objects.errors import HostUnreachable

PAUSE_SECONDS = 0.5
"""Between two tries, less by chance."""


def fetch_host_key(address: str, port: int = 22, *, timeout_seconds: float = 10) -> PublicKey:
    """The key that the host offers, ed25519 if it has one. Raises HostUnreachable.

    An sshd that is busy drops who comes before it has said a word (MaxStartups): that is tried again, within the time.
    """
    ends = time.monotonic() + timeout_seconds
    try:
        while (key := _ask(address, port, timeout_seconds=max(0.1, ends - time.monotonic()))) is None:
            if time.monotonic() + PAUSE_SECONDS >= ends:
                raise EOFError("the connection is closed before a word, again and again")
            time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.0))
    except (OSError, EOFError, paramiko.SSHException) as error:
        what = f"cannot fetch the host key of {address}:{port}: {error or type(error).__name__}"
        raise HostUnreachable(what, hint="is sshd running there, and the port open?") from error
    return PublicKey(key.get_name(), key.asbytes())


def _ask(address: str, port: int, *, timeout_seconds: float) -> paramiko.PKey | None:
    """The key; None when the connection is closed before the server has said a word."""
    with socket.create_connection((address, port), timeout=timeout_seconds) as sock:
        try:
            if not sock.recv(1, socket.MSG_PEEK):
                return None
        except ConnectionError:
            return None
        transport = paramiko.Transport(sock)
        try:
            transport.start_client(timeout=timeout_seconds)
            return transport.get_remote_server_key()
        except (EOFError, paramiko.SSHException):
            if transport.remote_version:
                raise
            return None
        finally:
            transport.close()
