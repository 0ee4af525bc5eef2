"""Getting into a host: TCP, handshake, host key, login. What comes out is an `SshTransport`.

Host keys are compared with those of the target before anything of ours is sent; only the private key files that the
target names are used, never an agent's or those that lie in a home directory.
"""

from __future__ import annotations

import socket

import paramiko
from paramiko.pkey import UnknownKeyType

from hosts.ssh.packets import Clock
from hosts.ssh.target import PublicKey, SshTarget
from hosts.ssh.transport import MISSED_KEEPALIVES, SshTransport
from objects.errors import AuthenticationRefused, HostKeyMismatch, HostUnreachable

RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
"""What an `ssh-rsa` key signs with; the SHA-1 signature of the same name is refused."""

QUICK_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
"""Asked for first: they need no MAC of their own, which paramiko compares byte by byte, in Python, for every packet."""


FULL_HOUSE = b"Exceeded MaxStartups"
"""What newer sshds say to whom they turn away because too many others are just logging in; older ones say nothing."""


class TurnedAway(HostUnreachable):
    """The peer closed the connection before it said who it is: sshd's MaxStartups, or a machine that can start no more
    processes just now. Nothing of ours was sent or judged, so another attempt a moment later is fair."""


def open_socket(target: SshTarget) -> socket.socket:
    """Connect TCP, with time-outs on dead peers and no delay of small packets. Raises HostUnreachable."""
    try:
        sock = socket.create_connection((target.address, target.port), timeout=target.connect_timeout_seconds)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be looked up
        raise HostUnreachable(f"cannot connect to {target}: {error}", host=target.name) from error
    dead_after_seconds = max(1, int(target.keepalive_seconds * MISSED_KEEPALIVES))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, dead_after_seconds * 1000)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # A keepalive queues behind what is written already. Megabytes of that on a slow line would look like silence.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 128 * 1024)
    return sock


def connect_transport(sock: socket.socket | paramiko.Channel, target: SshTarget, clock: Clock) -> SshTransport:
    """Speak SSH over a connected socket: agree on keys, check the host's key, log in. Closes the socket on failure.

    Raises HostUnreachable (TurnedAway where it is worth another try), HostKeyMismatch (before anything of ours is sent)
    or AuthenticationRefused.
    """
    transport = SshTransport(sock, target, clock)
    try:
        _handshake(transport, target)
        _check_host_key(transport, target)
        _log_in(transport, target)
    except BaseException:
        transport.sever("login failed")
        transport.close()
        raise
    transport.start_keepalive()
    return transport


def _handshake(transport: SshTransport, target: SshTarget) -> None:
    seconds = target.connect_timeout_seconds
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = seconds
    kinds = {kind for key in target.host_keys for kind in _signature_kinds(key.kind)}
    options = transport.get_security_options()
    usable = tuple(kind for kind in options.key_types if kind in kinds)
    if not usable:
        known = ", ".join(sorted({key.kind for key in target.host_keys}))
        raise HostKeyMismatch(
            f"the Host names a key of a kind that is not supported: {known}",
            host=target.name,
            hint="use the host's ssh-ed25519 key",
        )
    # Asking only for the kinds that we know makes the host show the key that we can check, whatever it prefers.
    options.key_types = usable
    options.ciphers = (*QUICK_CIPHERS, *(name for name in options.ciphers if name not in QUICK_CIPHERS))
    try:
        transport.start_client(timeout=seconds)
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise HostKeyMismatch(
            f"the host cannot show a key of the kind that its Host object names: {error}",
            host=target.name,
            hint=_key_hint(target),
        ) from error
    except Exception as error:  # whatever ended paramiko's thread is handed on, of any type
        said = transport.packetizer.first_words
        if not transport.is_active() and (not said or said.startswith(FULL_HOUSE)):
            what = "it closed the connection before a word, as an sshd does that too many log in to (MaxStartups)"
            raise TurnedAway(f"SSH handshake with {target} failed: {what}", host=target.name) from error
        what = str(error) or "the connection was closed"
        raise HostUnreachable(f"SSH handshake with {target} failed: {what}", host=target.name) from error
    if not transport.initial_kex_done:  # start_client returns in silence when its time is over
        raise HostUnreachable(f"SSH handshake with {target} took more than {seconds:g} s", host=target.name)


def _signature_kinds(kind: str) -> tuple[str, ...]:
    return RSA_SIGNATURES if kind == "ssh-rsa" else (kind,)


def _check_host_key(transport: SshTransport, target: SshTarget) -> None:
    shown = transport.get_remote_server_key()
    seen = PublicKey(shown.get_name(), shown.asbytes())
    if seen not in target.host_keys:
        expected = " or ".join(key.fingerprint for key in target.host_keys)
        raise HostKeyMismatch(
            f"the host at {target.address}:{target.port} shows the key {seen.fingerprint} ({seen.kind}), "
            f"expected {expected}",
            host=target.name,
            hint=_key_hint(target),
        )


def _key_hint(target: SshTarget) -> str:
    return (
        f"if the host was reinstalled, compare with `ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub` on it and commit the "
        f"new spec.hostKey of Host {target.name}; if not, somebody may stand between"
    )


def _log_in(transport: SshTransport, target: SshTarget) -> None:
    if not target.key_files:
        raise AuthenticationRefused(
            "no private key is named for this host", host=target.name, hint="set spec.ssh.keyFiles of the Cluster"
        )
    tried: list[str] = []
    for path in target.key_files:
        key = _load_key(path, target)
        tried.append(f"{path} ({key.fingerprint})")
        try:
            missing = transport.auth_publickey(target.user, key)
        except paramiko.AuthenticationException as error:
            if not transport.is_active() or "timeout" in str(error):
                raise HostUnreachable(f"{target} broke off the login: {error}", host=target.name) from error
            continue
        except Exception as error:  # as in the handshake
            raise HostUnreachable(f"{target} broke off the login: {error}", host=target.name) from error
        if not missing:
            return
        tried[-1] += f", which sshd accepts but also wants {' and '.join(missing)}"
    raise AuthenticationRefused(
        f"sshd refuses user {target.user!r} with {'; '.join(tried)}",
        host=target.name,
        hint=f"put the public key into ~{target.user}/.ssh/authorized_keys on the host",
    )


def _load_key(path: str, target: SshTarget) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except (OSError, ValueError, TypeError, paramiko.SSHException, UnknownKeyType) as error:
        # TypeError: the key is encrypted and there is no passphrase
        raise AuthenticationRefused(
            f"the private key {path} cannot be read: {error}",
            host=target.name,
            hint="it must be an OpenSSH or PEM key without passphrase, readable by the reconciler",
        ) from error
