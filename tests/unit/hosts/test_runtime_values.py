"""What is sent to Docker and how its answers are read: values only, no engine."""

from __future__ import annotations

import contextlib
import io
import tarfile
from datetime import UTC, datetime
from typing import Any

import pytest

from differ.kubelet.actions import (
    ContainerSpec,
    FileEntry,
    Mount,
    NamespaceSettings,
    PortBinding,
    ResourceSettings,
    SecuritySettings,
)
from differ.kubelet.assignment import PodNetwork
from hosts.docker.container_request import container_request, update_request
from hosts.docker.images import refused, telling_refusal
from hosts.network.pod_network import network_request
from hosts.observe.container_facts import compose_container, compose_just_made, parse_time
from hosts.runtime.docker_runtime import _already, pack, warnings_of, without_secrets
from objects.errors import EngineError
from objects.observation.host import ObservedContainer
from objects.secrets import SecretValue

SECRET = SecretValue("sesame£".encode())
NETWORK = PodNetwork(subnet="10.244.3.0/24", cluster_cidr="10.244.0.0/16")


def test_a_full_request() -> None:
    spec = ContainerSpec(
        name="n",
        image="web:v1",
        labels={"l": "1"},
        environment=(("A", "1"), ("P", SECRET)),
        entrypoint=("run", SECRET),
        command=("--x",),
        working_directory="/srv",
        restart_policy="always",
        stop_signal="QUIT",
        resources=ResourceSettings(cpu_shares=256, cpu_quota_micros=50_000, memory_bytes=1 << 20),
        oom_score_adjustment=-997,
        mounts=(
            Mount(source="vol", target="/v", labels={"o": "1"}),
            Mount(source="mem", target="/m", tmpfs_bytes=1024, read_only=True),
            Mount(source="/x", target="/x", make_directory=True, propagation="rslave"),
            Mount(source="/y", target="/y", read_only=True, propagation="rprivate"),
        ),
        namespaces=NamespaceSettings(
            network_mode="berth-pods",
            address="10.244.3.7",
            ipc_mode="shareable",
            hostname="web",
            ports=(
                PortBinding(container_port=80, protocol="tcp", host_port=8080),
                PortBinding(container_port=80, protocol="tcp", host_port=8081, host_ip="192.0.2.1"),
            ),
            extra_hosts=(("db", "192.0.2.5"),),
            dns_servers=("192.0.2.53",),
            sysctls={"a": "1"},
        ),
        security=SecuritySettings(user="1:2", groups=("3",), added_capabilities=("A",), options=("o",)),
        has_terminal=True,
    )
    assert container_request(spec) == {
        "Image": "web:v1",
        "Env": ["A=1", "P=sesame£"],
        "Labels": {"l": "1"},
        "Hostname": "web",
        "User": "1:2",
        "WorkingDir": "/srv",
        "Tty": True,
        "OpenStdin": False,
        "StdinOnce": False,
        "ExposedPorts": {"80/tcp": {}},
        "Entrypoint": ["run", "sesame£"],
        "Cmd": ["--x"],
        "StopSignal": "QUIT",
        "NetworkingConfig": {
            "EndpointsConfig": {"berth-pods": {"IPAMConfig": {"IPv4Address": "10.244.3.7"}}},
        },
        "HostConfig": {
            "ContainerIDFile": "n",
            "RestartPolicy": {"Name": "always"},
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "5"}},
            "OomScoreAdj": -997,
            "CpuShares": 256,
            "CpuPeriod": 100_000,
            "CpuQuota": 50_000,
            "Memory": 1 << 20,
            "MemorySwap": 1 << 20,
            "Privileged": False,
            "ReadonlyRootfs": False,
            "CapAdd": ["A"],
            "CapDrop": [],
            "SecurityOpt": ["o"],
            "GroupAdd": ["3"],
            "Binds": ["/x:/x:rw,rslave"],
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": "vol",
                    "Target": "/v",
                    "ReadOnly": False,
                    "VolumeOptions": {"NoCopy": True, "Labels": {"o": "1"}},
                },
                {
                    "Type": "volume",
                    "Source": "mem",
                    "Target": "/m",
                    "ReadOnly": True,
                    "VolumeOptions": {
                        "NoCopy": True,
                        "Labels": {},
                        "DriverConfig": {
                            "Name": "local",
                            "Options": {"type": "tmpfs", "device": "tmpfs", "o": "mode=0777,size=1024"},
                        },
                    },
                },
                {
                    "Type": "bind",
                    "Source": "/y",
                    "Target": "/y",
                    "ReadOnly": True,
                    "BindOptions": {"Propagation": "rprivate"},
                },
            ],
            "NetworkMode": "berth-pods",
            "PidMode": "",
            "IpcMode": "shareable",
            "PortBindings": {
                "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "192.0.2.1", "HostPort": "8081"}]
            },
            "ExtraHosts": ["db:192.0.2.5"],
            "Dns": ["192.0.2.53"],
            "DnsSearch": [],
            "DnsOptions": [],
            "Sysctls": {"a": "1"},
        },
    }


def test_an_image_keeps_its_own_command() -> None:
    request = container_request(ContainerSpec(name="n", image="i", labels={}))
    assert request.keys() & {"Entrypoint", "Cmd", "StopSignal", "NetworkingConfig"} == set()


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param(None, {}, id="left-alone"),
        pytest.param(
            ResourceSettings(cpu_shares=2),
            {"CpuShares": 2, "CpuPeriod": 0, "CpuQuota": -1, "Memory": -1, "MemorySwap": -1},
            id="unlimited",
        ),
        pytest.param(
            ResourceSettings(cpu_shares=2, cpu_quota_micros=1000, memory_bytes=5),
            {"CpuShares": 2, "CpuPeriod": 100_000, "CpuQuota": 1000, "Memory": 5, "MemorySwap": 5},
            id="limited",
        ),
    ],
)
def test_update(resources: ResourceSettings | None, expected: dict[str, int]) -> None:
    assert update_request("no", resources) == {"RestartPolicy": {"Name": "no"}, **expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("0001-01-01T00:00:00Z", None, id="never"),
        pytest.param(
            "2026-11-23T17:25:00.123456789Z", datetime(2026, 11, 23, 17, 25, 0, 123456, tzinfo=UTC), id="nanos"
        ),
        pytest.param("2026-11-23T18:25:00.5+01:00", datetime(2026, 11, 23, 17, 25, 0, 500000, tzinfo=UTC), id="zone"),
        pytest.param("2026-11-23T17:25:00Z", datetime(2026, 11, 23, 17, 25, tzinfo=UTC), id="whole"),
    ],
)
def test_times(text: str, expected: datetime | None) -> None:
    assert parse_time(text) == expected


DETAILS = {
    "Id": "1",
    "Name": "/berth_main_web_default_u_0",
    "Created": "2026-11-23T17:00:00Z",
    "Image": "sha256:1",
    "RestartCount": 2,
    "State": {
        "Status": "exited",
        "ExitCode": 137,
        "OOMKilled": True,
        "Error": "x",
        "StartedAt": "2026-11-23T17:00:01Z",
        "FinishedAt": "2026-11-23T17:00:02Z",
    },
    "Config": {"Image": "web:v1", "Labels": {"l": "1"}, "StopSignal": "SIGQUIT"},
    "HostConfig": {
        "NetworkMode": "berth-pods",
        "RestartPolicy": {"Name": "always"},
        "CpuShares": 256,
        "CpuQuota": -1,
        "Memory": 5,
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "81/udp": None},
    },
    "NetworkSettings": {"Networks": {"berth-pods": {"IPAddress": "10.244.3.7"}}, "Ports": {}},
}


def test_a_container_as_docker_tells_it() -> None:
    def at(second: int) -> datetime:
        return datetime(2026, 11, 23, 17, 0, second, tzinfo=UTC)

    assert compose_container(DETAILS, network="berth-pods") == ObservedContainer(
        id="1",
        name="berth_main_web_default_u_0",
        image="web:v1",
        image_id="sha256:1",
        labels={"l": "1"},
        state="exited",
        exit_code=137,
        oom_killed=True,
        error="x",
        created_at=at(0),
        started_at=at(1),
        finished_at=at(2),
        restart_count=2,
        restart_policy="always",
        address="10.244.3.7",
        network_mode="berth-pods",
        cpu_shares=256,
        memory_bytes=5,
        stop_signal="SIGQUIT",
        host_ports=(("tcp", "", 8080),),
    )


def test_a_container_that_was_just_made() -> None:
    summary = {
        "Id": "1",
        "Names": ["/n"],
        "Image": "web:v1",
        "ImageID": "sha256:1",
        "Created": 1_795_000_000,
        "State": "created",
        "Labels": {"l": "1"},
        "HostConfig": {"NetworkMode": "berth-pods"},
        "NetworkSettings": {"Networks": {"berth-pods": {"IPAddress": ""}}},
    }
    assert compose_just_made(summary) == ObservedContainer(
        id="1",
        name="n",
        image="web:v1",
        image_id="sha256:1",
        labels={"l": "1"},
        state="created",
        created_at=datetime.fromtimestamp(1_795_000_000, UTC),
        network_mode="berth-pods",
    )


@pytest.mark.parametrize(
    ("mode", "networks", "expected"),
    [
        pytest.param("berth-pods", {}, True, id="disconnected"),
        pytest.param("berth-pods", {"berth-pods": {}}, False, id="connected"),
        pytest.param("host", {}, False, id="host"),
        pytest.param("container:1", {}, False, id="joined"),
        pytest.param("none", {}, False, id="wants-none"),
    ],
)
def test_who_has_no_network(mode: str, networks: dict[str, object], expected: bool) -> None:
    details = {**DETAILS, "HostConfig": {"NetworkMode": mode}, "NetworkSettings": {"Networks": networks}}
    assert compose_container(details, network="berth-pods").has_no_network is expected


ANY, ONE = {"HostIp": "", "HostPort": "8080"}, {"HostIp": "10.0.0.5", "HostPort": "8080"}
V4, V6 = {"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}
OTHER = {"HostIp": "0.0.0.0", "HostPort": "9090"}


@pytest.mark.parametrize(
    ("state", "bindings", "ports", "expected"),
    [
        pytest.param("running", {"80/tcp": [ANY]}, {"80/tcp": [V4, V6]}, False, id="20.10, 26, 28: both families"),
        pytest.param("running", {"80/tcp": [ANY]}, {"80/tcp": [V4]}, False, id="a host without IPv6"),
        pytest.param("running", {"80/tcp": [ONE]}, {"80/tcp": [ONE]}, False, id="one address"),
        pytest.param("paused", {"80/tcp": [ANY]}, {"80/tcp": [V4], "81/tcp": None}, False, id="one only exposed"),
        pytest.param("running", None, {"80/tcp": None}, False, id="none wanted"),
        pytest.param("running", {"81/udp": None}, {}, False, id="none bound"),
        pytest.param("running", {"80/tcp": [ANY]}, {}, True, id="29 after a refused start: nothing at all"),
        pytest.param("running", {"80/tcp": [ANY]}, {"80/tcp": None}, True, id="29: only exposed"),
        pytest.param("paused", {"80/tcp": [ANY]}, None, True, id="paused"),
        pytest.param("running", {"80/tcp": [ANY], "80/udp": [ANY]}, {"80/tcp": [V4]}, True, id="one of two"),
        pytest.param("running", {"80/tcp": [ANY]}, {"80/tcp": [OTHER]}, True, id="another port"),
        pytest.param("running", {"80/tcp": [ONE]}, {"80/tcp": [V4]}, True, id="another address"),
        pytest.param("created", {"80/tcp": [ANY]}, {}, False, id="not started"),
        pytest.param("exited", {"80/tcp": [ANY]}, {}, False, id="ended"),
        pytest.param("restarting", {"80/tcp": [ANY]}, {}, False, id="being restarted"),
    ],
)
def test_who_lacks_host_ports(state: str, bindings: Any, ports: Any, *, expected: bool) -> None:
    details = {
        **DETAILS,
        "State": {"Status": state},
        "HostConfig": {"NetworkMode": "berth-pods", "PortBindings": bindings},
        "NetworkSettings": {"Networks": {"berth-pods": {}}, "Ports": ports},
    }
    assert compose_container(details, network="berth-pods").lacks_host_ports is expected


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        pytest.param("unauthorized: authentication required", "log-in", id="unauthorized"),
        pytest.param("pull access denied for x, repository does not exist", "log-in", id="denied"),
        pytest.param("manifest for x:2 not found: manifest unknown", "does not know", id="unknown"),
        pytest.param('Get "https://r/": dial tcp: lookup r: no such host', "cannot reach", id="no-such-host"),
        pytest.param("server gave HTTP response to HTTPS client", "insecure-registry", id="http"),
        pytest.param("something else", "", id="other"),
    ],
)
def test_why_a_pull_failed(message: str, hint: str) -> None:
    error = refused("x:2", message, "h")
    assert error.message == f"x:2: {message}"
    assert hint in error.hint
    assert bool(error.hint) is bool(hint)


def test_an_error_of_the_engine_shows_no_secret() -> None:
    spec = ContainerSpec(
        name="n", image="i", labels={}, environment=(("P", SECRET), ("E", SecretValue(b""))), command=("ls", SECRET)
    )
    error = EngineError('exec: "sesame£": not found', status=400, host="h")
    shown = without_secrets(error, spec)
    assert (shown.message, shown.status, shown.host) == ('exec: "***": not found', 400, "h")


WRONG_PLATFORM = "The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64)"
SWAP = "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param({"Id": "1", "Warnings": None}, (), id="none"),
        pytest.param({"Id": "1"}, (), id="not even the field"),
        pytest.param(
            {"Warnings": [WRONG_PLATFORM, SWAP, " "]}, (WRONG_PLATFORM,), id="one of the pod, one of the kernel"
        ),
        pytest.param({"Warnings": ["sesame£ is discarded"]}, ("*** is discarded",), id="with a secret value"),
    ],
)
def test_what_the_engine_warns_of_when_it_makes_a_container(answer: dict[str, Any], told: tuple[str, ...]) -> None:
    assert warnings_of(answer, ContainerSpec(name="n", image="i", labels={}, environment=(("P", SECRET),))) == told


def test_a_start_that_fails_after_a_warning_tells_it() -> None:
    error = EngineError("exec format error", status=400, host="h")
    shown = without_secrets(error, ContainerSpec(name="n", image="i", labels={}), hint=WRONG_PLATFORM)
    assert (shown.message, shown.hint) == ("exec format error", WRONG_PLATFORM)


def test_files_as_a_tar() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    entries = (
        FileEntry(path="d", mode=0o2777, owner=(0, 7)),
        FileEntry(path="d/f", mode=0o400, content=SECRET),
        FileEntry(path="l", target="d/f"),
    )
    with tarfile.open(fileobj=io.BytesIO(pack(entries, modified=at))) as tar:
        found = [(m.name, m.type, m.mode, m.gid, m.linkname, m.mtime) for m in tar.getmembers()]
        content = tar.extractfile("d/f")
        assert content is not None
        assert content.read() == SECRET.reveal()
    time = int(at.timestamp())
    assert found == [
        ("d", tarfile.DIRTYPE, 0o2777, 7, "", time),
        ("d/f", tarfile.REGTYPE, 0o400, 0, "", time),
        ("l", tarfile.SYMTYPE, 0o644, 0, "d/f", time),
    ]


PODMANS = 'no container with name or ID "x" found: no such container'


@pytest.mark.parametrize(
    ("message", "is_taken"),
    [
        pytest.param("No such container: x", True, id="Docker"),
        pytest.param(PODMANS, True, id="Podman"),
        pytest.param("Container x is not running", True, id="it ended by itself"),
        pytest.param("cannot kill container: permission denied", False, id="refused"),
    ],
)
def test_what_is_so_already_is_done(message: str, *, is_taken: bool) -> None:
    refusal = EngineError(message, status=404)
    outcome = contextlib.nullcontext() if is_taken else pytest.raises(EngineError)
    with outcome, _already("no such container", "is not running"):
        raise refusal


MODE = "com.docker.network.bridge.gateway_mode_ipv4"


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        pytest.param("20.10.24+dfsg1", {}, id="an engine that does not know the option"),
        pytest.param("26.1.5+dfsg1", {}, id="26"),
        pytest.param("27.5.1", {}, id="27 refuses nat-unprotected"),
        pytest.param("28.0.0", {MODE: "nat-unprotected"}, id="28"),
        pytest.param("29.7.2", {MODE: "nat-unprotected"}, id="29"),
        pytest.param("", {}, id="an engine that does not say"),
    ],
)
def test_the_pod_network(version: str, mode: dict[str, str]) -> None:
    assert network_request(NETWORK, engine_version=version) == {
        "Name": "berth-pods",
        "CheckDuplicate": True,
        "Driver": "bridge",
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.244.3.0/24", "Gateway": "10.244.3.1"}]},
        "Options": {
            "com.docker.network.bridge.name": "berth0",
            "com.docker.network.bridge.enable_ip_masquerade": "false",
            **mode,
        },
        "Labels": {"berth.dev/managed": "true"},
    }


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        pytest.param(["unauthorized: wrong password", "denied"], "unauthorized: wrong password", id="the-log-in-s"),
        pytest.param(["unauthorized", "manifest unknown", "denied"], "manifest unknown", id="of-whoever-was-let-in"),
        pytest.param(["denied"], "denied", id="only-one"),
    ],
)
def test_which_of_several_refusals_is_told(messages, told):
    assert told in telling_refusal([refused("x:2", message, "h") for message in messages]).message
