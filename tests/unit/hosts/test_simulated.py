"""Copies of simulated hosts: what happens to a copy displaces nothing that it was copied with."""

from datetime import UTC, datetime

from differ.actions import ContainerSpec, CreateContainer, NamespaceSettings
from hosts.simulated import SimulatedHost

NOW = datetime(2026, 1, 1, tzinfo=UTC)
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
