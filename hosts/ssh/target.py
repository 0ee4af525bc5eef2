"""Where and how one host is reached by SSH, as a value: address, user, port, host keys, private key files, jump host.

Built from `Host` objects; connects nothing and reads no file. The host's public key is always known beforehand (it
lies in Git, on the Host object): there is no trust on first use.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec

from objects.errors import InvalidInput
from objects.own.config import Host, SshSettings

HOST_KEY_HINT = "spec.hostKey is the line that `ssh-keyscan -t ed25519 ADDRESS` prints, without the name before it"


class PublicKey(msgspec.Struct, frozen=True):
    """A host's public key. kind: `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa` …; blob: in SSH wire format."""

    kind: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: `SHA256:` and base64 without padding."""
        digest = hashlib.sha256(self.blob).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class SshTarget(msgspec.Struct, frozen=True, kw_only=True):
    """One way to one host. Equal targets share a connection.

    name: the Host's name, for messages. host_keys: any of them is accepted (two while a key is rotated). key_files:
    private keys on this machine, tried in this order. jump: the host through which this one is reached.
    """

    name: str
    address: str
    host_keys: tuple[PublicKey, ...]
    user: str = "root"
    port: int = 22
    key_files: tuple[str, ...] = ()
    jump: SshTarget | None = None
    connect_timeout_seconds: float = 10
    keepalive_seconds: float = 2

    def __str__(self) -> str:
        return f"{self.user}@{self.address}:{self.port}"


def parse_host_keys(text: str, *, host: str) -> tuple[PublicKey, ...]:
    """Read public keys, one a line as `KIND BASE64 [COMMENT]`; empty lines and `#` lines are skipped.

    Raises InvalidInput when there is no key or a line is none.
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = tuple(_parse_host_key(line, host=host) for line in lines if line and not line.startswith("#"))
    if not keys:
        raise InvalidInput("the Host has no host key", obj=f"Host {host}", hint=HOST_KEY_HINT)
    return keys


def _parse_host_key(line: str, *, host: str) -> PublicKey:
    kind, _, rest = line.partition(" ")
    try:
        blob = base64.b64decode(rest.split()[0] if rest.split() else "", validate=True)
    except binascii.Error as error:
        raise InvalidInput("the host key is not base64", obj=f"Host {host}", hint=HOST_KEY_HINT) from error
    # The wire format repeats the kind, as a string with its length: this tells a key from any other base64.
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind.encode()):
        raise InvalidInput(f"{kind[:40]!r} does not begin a host key", obj=f"Host {host}", hint=HOST_KEY_HINT)
    return PublicKey(kind, blob)


def resolve_target(name: str, hosts: Mapping[str, Host], settings: SshSettings) -> SshTarget:
    """Build the target of the Host `name`; what it leaves open comes from the Cluster's `settings`.

    hosts: all Hosts by name, for jump hosts. Raises InvalidInput for an unknown or circular jump host or a bad key.
    """
    return _resolve(name, hosts, settings, ())


def _resolve(name: str, hosts: Mapping[str, Host], settings: SshSettings, path: tuple[str, ...]) -> SshTarget:
    if name in path:
        ring = " -> ".join((*path, name))
        raise InvalidInput(f"jump hosts form a ring: {ring}", obj=f"Host {path[0]}")
    host = hosts.get(name)
    if host is None:
        owner = path[-1] if path else name
        raise InvalidInput(f"there is no Host {name!r} to jump through", obj=f"Host {owner}")
    spec = host.spec
    return SshTarget(
        name=name,
        address=spec.address,
        host_keys=parse_host_keys(spec.host_key, host=name),
        user=spec.user or settings.user,
        port=spec.port or settings.port,
        key_files=spec.key_files or settings.key_files,
        jump=_resolve(spec.jump, hosts, settings, (*path, name)) if spec.jump else None,
        connect_timeout_seconds=settings.connect_timeout_seconds,
        keepalive_seconds=settings.keepalive_seconds,
    )
