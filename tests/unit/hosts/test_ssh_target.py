"""Targets from Host objects: defaults, host keys, jump hosts."""

from __future__ import annotations

import pytest

from hosts.ssh.target import (
    PublicKey,
    SshTarget,
    parse_host_keys,
    resolve_target,
)
from objects.api.meta import ObjectMeta
from objects.errors import InvalidInput
from objects.own.config import Host, HostSpec, SshSettings

# Of the right shape; nobody has the private halves.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHo2yrjlhLpZa8R6iZ1xIXG5kqW8hcqJAcQ9O3XUdrA7"
ECDSA = (
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGw0Y5SUtQnBOt1xcJfEkXfUJsAV"
    "fcVbpYEbXlvEZ0mYp8bmXAJt0jqB+Wd2JDa5xUJHAFK6gPzHRUX4eVW6bDg="
)


def key(line: str) -> PublicKey:
    return parse_host_keys(line, host="h")[0]


def host(name: str, **spec: object) -> Host:
    fields = {"address": f"{name}.lan", "host_key": ED25519, **spec}
    return Host(metadata=ObjectMeta(name=name), spec=HostSpec(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        pytest.param(ED25519, ["ssh-ed25519"], id="one"),
        pytest.param(f"  {ED25519} root@h \n", ["ssh-ed25519"], id="comment and spaces"),
        pytest.param(f"# old\n{ECDSA}\n\n{ED25519}\n", ["ecdsa-sha2-nistp256", "ssh-ed25519"], id="two while rotating"),
    ],
)
def test_host_keys(text: str, kinds: list[str]) -> None:
    assert [parsed.kind for parsed in parse_host_keys(text, host="h")] == kinds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "the Host has no host key", id="empty"),
        pytest.param("# only a remark", "the Host has no host key", id="comment only"),
        pytest.param("ssh-ed25519", "'ssh-ed25519' does not begin a host key", id="no key"),
        pytest.param("ssh-ed25519 !!!", "the host key is not base64", id="not base64"),
        pytest.param("ssh-ed25519 c3NoLXJzYQ==", "'ssh-ed25519' does not begin a host key", id="other kind inside"),
        pytest.param(f"10.0.0.1 {ED25519}", "the host key is not base64", id="name before it"),
    ],
)
def test_wrong_host_keys(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_host_keys(text, host="h")
    assert (caught.value.message, caught.value.obj) == (message, "Host h")


def test_fingerprint_is_the_unpadded_base64_of_sha256() -> None:
    assert PublicKey("ssh-ed25519", b"abc").fingerprint == "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"


SETTINGS = SshSettings(user="ops", port=2022, key_files=("/k",), connect_timeout_seconds=3, keepalive_seconds=2)
COMMON = {"host_keys": (key(ED25519),), "connect_timeout_seconds": 3, "keepalive_seconds": 2}
DOOR = SshTarget(name="door", address="door.lan", user="ops", port=2022, key_files=("/k",), **COMMON)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("door", DOOR, id="defaults of the cluster"),
        pytest.param(
            "own",
            SshTarget(name="own", address="own.lan", user="root", port=22, key_files=("/a", "/b"), **COMMON),
            id="the host's own",
        ),
        pytest.param(
            "inner",
            SshTarget(name="inner", address="10.9.9.9", user="ops", port=2022, key_files=("/k",), jump=DOOR, **COMMON),
            id="through another host",
        ),
    ],
)
def test_targets(name: str, expected: SshTarget) -> None:
    hosts = {
        "door": host("door"),
        "own": host("own", user="root", port=22, key_files=("/a", "/b")),
        "inner": host("inner", address="10.9.9.9", jump="door"),
    }
    assert resolve_target(name, hosts, SETTINGS) == expected


@pytest.mark.parametrize(
    ("hosts", "message"),
    [
        pytest.param([host("a", jump="nobody")], "Host a: there is no Host 'nobody' to jump through", id="unknown"),
        pytest.param([host("a", jump="a")], "Host a: jump hosts form a ring: a -> a", id="itself"),
        pytest.param(
            [host("a", jump="b"), host("b", jump="c"), host("c", jump="b")],
            "Host a: jump hosts form a ring: a -> b -> c -> b",
            id="ring",
        ),
    ],
)
def test_wrong_jump_hosts(hosts: list[Host], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve_target("a", {each.metadata.name: each for each in hosts}, SETTINGS)
    assert str(caught.value) == message
