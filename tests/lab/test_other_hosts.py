"""Hosts that are not like the others: other users and ports, jump hosts, no forwarding; impostors and full disks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.berth_process import BerthProcess
from tests.lab.cluster import Cluster, containers_of, deployment, host_yaml
from tests.lab.host import LabHost
from tests.lab.hostspec import HostSpec
from tests.lab.lab import Lab

ODD = [
    HostSpec("jump", has_engine=False),
    HostSpec("walled", behind="jump"),
    HostSpec("other-user", user="deploy", port=2222),
    HostSpec("no-streams", stream_local_forwarding=False),
    HostSpec("small", disk_bytes=256 << 20),
]
JUMP_LABELS = {"berth.dev/role": "jump"}


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> Iterator[dict[str, LabHost]]:
    yield {spec.name: lab.add_host(spec) for spec in ODD}
    for spec in reversed(ODD):
        if spec.name in lab.machines:
            lab.remove_host(spec.name)


@pytest.fixture(scope="module")
def cluster(lab: Lab, hosts: dict[str, LabHost], tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    home: Path = tmp_path_factory.mktemp("odd")
    engines = [host for host in hosts.values() if host.spec.has_engine]
    files = {
        "hosts/jump.yaml": host_yaml(hosts["jump"], unschedulable=True),
        # By default a host counts as under pressure for five minutes more, as in Kubernetes.
        "hosts/small.yaml": host_yaml(hosts["small"], eviction={"pressureTransitionSeconds": 2}),
        **{f"apps/{host.name}/web.yaml": only_on(host.name) for host in engines},
    }
    settings = {"ssh": {"connectTimeoutSeconds": 3, "keepaliveSeconds": 1}}
    return Cluster.create(lab, "odd", home, hosts=engines, settings=settings, files=files)


def only_on(host: str, *, image: str = "web:v1", replicas: int = 2) -> str:
    text = deployment(f"on-{host}", image=image, replicas=replicas)
    return text.replace(
        "      containers:", f"      nodeSelector: {{kubernetes.io/hostname: {host}}}\n      containers:"
    )


@pytest.fixture(scope="module")
def berth(cluster: Cluster) -> Iterator[BerthProcess]:
    with cluster.running() as running:
        for host in cluster.hosts:
            cluster.wait_running(f"on-{host.name}-", 2)
        yield running


@pytest.mark.parametrize("name", [spec.name for spec in ODD if spec.has_engine])
def test_pods_run_there(cluster: Cluster, berth: BerthProcess, name: str) -> None:
    before = cluster.wait_running(f"on-{name}-", 2, image="web:v1")
    assert {found.host for found in before} == {name}
    cluster.push(f"v2 on {name}", {f"apps/{name}/web.yaml": only_on(name, image="web:v2")})
    (first, _) = cluster.wait_running(f"on-{name}-", 2, image="web:v2")
    cluster.host(name).docker("kill", first.id)
    cluster.wait(
        lambda: first.id in [found.id for found in cluster.running_pods(f"on-{name}-")], "the killed one to run again"
    )


def test_a_jump_host_without_an_engine_is_not_ready_and_harms_nobody(cluster: Cluster, berth: BerthProcess) -> None:
    cluster.wait(lambda: "| jump | no |" in cluster.readme, "jump as a host that is not ready")
    assert "| walled | yes |" in cluster.readme


def not_ready(cluster: Cluster, host: str) -> str:
    """The line of the overview that says that a host is not ready; '' when none does."""
    return next((line for line in cluster.readme.splitlines() if line.startswith(f"| {host} | no |")), "")


def test_an_impostor_gets_nothing(cluster: Cluster, berth: BerthProcess, hosts: dict[str, LabHost]) -> None:
    host, before = hosts["other-user"], sorted(cluster.containers())
    said = len(berth.output)
    host.change_host_key()
    try:
        cluster.wait(lambda: "shows the key SHA256:" in berth.output[said:], "a word about the key")
        # sshd is gone for a moment before it shows the other key, and a status may have told of that first.
        cluster.wait(lambda: "shows the key SHA256:" in not_ready(cluster, host.name), "the key in the status")
        assert "expected SHA256:" in not_ready(cluster, host.name)
        assert sorted(cluster.containers()) == before
    finally:
        host.restore_host_key()
    cluster.wait(lambda: "| other-user | yes |" in cluster.readme, "the host as ready")
    assert sorted(cluster.containers()) == before


def test_a_full_disk_is_named_and_harms_no_other_host(
    cluster: Cluster, berth: BerthProcess, hosts: dict[str, LabHost]
) -> None:
    """Its own pods may be evicted, as Kubernetes does under disk pressure; they come back when there is space."""
    host, others = hosts["small"], sorted(found for found in cluster.containers() if found.host != "small")
    said = len(berth.output)
    host.fill_disk()
    try:
        cluster.push("More on a full disk", {"apps/small/web.yaml": only_on("small", image="web:v3", replicas=3)})
        cluster.wait(lambda: names_full_disk(berth.output[said:]), "a word about the full disk")
        cluster.wait(lambda: "| small | Degraded |" in cluster.readme, "a status that calls the application degraded")
        assert sorted(found for found in cluster.containers() if found.host != "small") == others
    finally:
        host.free_disk()
    cluster.wait(lambda: small_runs(host, 3, "web:v3"), "three pods of web:v3", timeout_seconds=90, pod="on-small")
    assert sorted(found for found in cluster.containers() if found.host != "small") == others


def names_full_disk(words: str) -> bool:
    return "no space left on device" in words or "under disk pressure" in words


def small_runs(host: LabHost, count: int, image: str) -> bool:
    """Whether exactly so many pods run. Asked one by one: after a full disk the engine's list is wrong about states."""
    template = "{{.State.Running}} {{.Config.Image}}"
    found = [host.docker("inspect", "-f", template, item.id, check=False) for item in containers_of([host])]
    return [line for line in found if line.startswith("true")] == [f"true {image}"] * count
