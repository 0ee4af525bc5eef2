"""Simulated hosts: what happens to a copy displaces nothing that it was copied with; every change shows."""

from datetime import UTC, datetime

import pytest
from msgspec import structs

from differ.kubelet.actions import (
    ContainerSpec,
    CreateContainer,
    Mount,
    NamespaceSettings,
    RemoveVolume,
)
from hosts.simulated.host import SimulatedHost
from objects.errors import EngineError

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOUNT = Mount(source="berth_first_cache", target="/cache")
HOST = NamespaceSettings(network_mode="host")


def create(name: str) -> CreateContainer:
    return CreateContainer(
        pod_uid=name, container=name, spec=ContainerSpec(name=name, image="web:v1", labels={}, namespaces=HOST)
    )


def test_a_new_container_of_a_copy_stands_beside_those_that_were_copied() -> None:
    host = SimulatedHost("h", clock=lambda: NOW, images=["web:v1"])
    host.perform(create("first"))
    copy = SimulatedHost.from_observation(host.observe(), clock=lambda: NOW)
    copy.perform(create("second"))
    names = [[container.name for container in one.observe().containers] for one in (host, copy)]
    assert names == [["first"], ["first", "second"]]


def test_a_volume_that_was_removed_is_not_seen_any_more() -> None:
    host = SimulatedHost("h", clock=lambda: NOW, images=["web:v1"])
    mounting = structs.replace(create("first").spec, mounts=(MOUNT,))
    host.perform(CreateContainer(pod_uid="first", container="first", spec=mounting))
    (found,) = host.observe().containers
    with pytest.raises(EngineError, match="volume is in use"):
        host.perform(RemoveVolume(volume=MOUNT.source))
    host.engine.remove(found.id)
    assert host.observe().facts.pod_volumes == (MOUNT.source,)
    host.perform(RemoveVolume(volume=MOUNT.source))
    assert host.observe().facts.pod_volumes == ()
