"""Berth's own links to the hosts of the lab, with times short enough for tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from hosts.docker.engine import Engine
from hosts.ssh.link import SshLink
from hosts.ssh.links import SshLinks
from hosts.ssh.target import SshTarget, resolve_target
from objects.api.meta import ObjectMeta
from objects.own.config import Host, HostSpec, SshSettings
from tests.lab.host import LabHost
from tests.lab.processes import slowness

KEEPALIVE_SECONDS = 0.5
"""A dead peer is found after three of these, plus the watchdog's second; up to three times as long on a busy machine,
where a living peer may be silent for that long."""


def host_object(host: LabHost) -> Host:
    """The Host that a user would write for it."""
    spec = HostSpec(
        address=host.address,
        host_key=host.host_key,
        user=host.user,
        port=host.port,
        jump=host.jump.name if host.jump is not None else "",
    )
    return Host(metadata=ObjectMeta(name=host.name), spec=spec)


def target_of(host: LabHost, *, key_file: str = "") -> SshTarget:
    """How Berth reaches the host, from its Host object and those of its jump hosts."""
    objects: dict[str, Host] = {}
    hop: LabHost | None = host
    while hop is not None:
        objects[hop.name] = host_object(hop)
        hop = hop.jump
    settings = SshSettings(
        key_files=(key_file or str(host.key_path),),
        connect_timeout_seconds=round(5 * slowness()),
        keepalive_seconds=KEEPALIVE_SECONDS * min(3.0, slowness()),
    )
    return resolve_target(host.name, objects, settings)


@contextmanager
def open_links() -> Iterator[SshLinks]:
    links = SshLinks(clock=time.monotonic, random=Random(7))
    try:
        yield links
    finally:
        links.close()


@contextmanager
def link_to(host: LabHost) -> Iterator[SshLink]:
    with open_links() as links:
        yield links.link(target_of(host))


@contextmanager
def engine_of(host: LabHost) -> Iterator[Engine]:
    with link_to(host) as link:
        engine = Engine(link)
        try:
            yield engine
        finally:
            engine.close()
