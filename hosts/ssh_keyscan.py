"""Asks a host for its public key without logging in, for `berth init`: the one place that trusts what it is shown.

The answer is shown to a person and goes into the repository; from then on nothing but that key is accepted.
"""

from __future__ import annotations

import socket

import paramiko

from hosts.ssh_target import PublicKey
from objects.errors import HostUnreachable


def fetch_host_key(address: str, port: int = 22, *, timeout_seconds: float = 10) -> PublicKey:
    """The key that the host offers, ed25519 if it has one. Raises HostUnreachable."""
    try:
        with socket.create_connection((address, port), timeout=timeout_seconds) as sock:
            transport = paramiko.Transport(sock)
            try:
                transport.start_client(timeout=timeout_seconds)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        what = f"cannot fetch the host key of {address}:{port}: {error or type(error).__name__}"
        raise HostUnreachable(what, hint="is sshd running there, and the port open?") from error
    return PublicKey(key.get_name(), key.asbytes())
