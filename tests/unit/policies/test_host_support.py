"""What is said of hosts as people have them: from what engines answer (the parts that matter) to findings."""

from __future__ import annotations

from typing import Any

import pytest

from hosts.observe.answers import ranges_of_others
from hosts.observe.traits import compose_traits
from objects.observation.host import HostFacts
from policies.host_support import engine_release, findings_of

DOCKER: dict[str, Any] = {
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    "MemoryLimit": True,
    "CpuCfsQuota": True,
    "DriverStatus": [["Backing Filesystem", "extfs"], ["Supports d_type", "true"]],
    "Warnings": None,
}
"""`/info` as Debian's engines answer it."""


def version(release: str, api: str, component: str = "Engine") -> dict[str, Any]:
    parts = [{"Name": component, "Version": release}, {"Name": "containerd"}, {"Name": "runc"}]
    return {"Version": release, "ApiVersion": api, "Components": parts}


MANAGED = {"berth.dev/managed": "true"}
OURS = {"Name": "berth-pods", "Labels": MANAGED, "IPAM": {"Config": [{"Subnet": "10.244.1.0/24"}]}}
BRIDGE = {"Name": "bridge", "Labels": {}, "IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]}}
HOST = {"Name": "host", "Labels": {}, "IPAM": {"Driver": "default", "Config": None}}
COMPOSE = {"Name": "shop_default", "Labels": {}, "IPAM": {"Config": [{"Subnet": "10.244.0.0/20"}]}}
SIX = {"Name": "six", "Labels": None, "IPAM": {"Config": [{"Subnet": "fd00::/64"}]}}
WARNED = ["WARNING: No memory limit support", "WARNING: No swap limit support"]
ROOTLESS = {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless", "name=cgroupns"], "MemoryLimit": False}
STORE = {"DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}


@pytest.mark.parametrize(
    ("info", "release", "networks", "known", "expected"),
    [
        pytest.param({}, version("20.10.24+dfsg1", "1.41"), (), {}, [], id="20.10 of Debian 12"),
        pytest.param({}, version("26.1.5+dfsg1", "1.45"), (BRIDGE, HOST, OURS), {}, [], id="26 of Debian 13"),
        pytest.param({}, version("27.5.1", "1.47"), (), {}, [], id="27"),
        pytest.param({}, version("28.5.2+dfsg3", "1.51"), (SIX,), {}, [], id="28, with a network of IPv6"),
        pytest.param(STORE, version("29.7.2", "1.53"), (), {}, [" ContainerdImageStore"], id="29, as it is installed"),
        pytest.param({}, version("19.03.15", "1.40"), (), {}, ["Ready EngineTooOld"], id="19.03"),
        pytest.param(ROOTLESS, version("28.5.2", "1.51"), (), {}, ["Ready RootlessEngine"], id="rootless"),
        pytest.param(
            {"SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"]},
            version("28.5.2", "1.51"),
            (),
            {},
            ["Ready UserNamespaceRemap"],
            id="userns-remap",
        ),
        pytest.param(
            {"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]},
            version("5.4.2", "1.41", "Podman Engine"),
            (),
            {},
            ["Ready EngineNotSupported", "Ready RootlessEngine"],
            id="Podman's socket",
        ),
        pytest.param(
            {"MemoryLimit": False, "Warnings": WARNED},
            version("28.5.2", "1.51"),
            (),
            {},
            ["Ready NoMemoryLimit"],
            id="Raspberry Pi OS: memory cgroup off",
        ),
        pytest.param(
            {"CpuCfsQuota": False},
            version("28.5.2", "1.51"),
            (),
            {},
            ["LimitsUnavailable NoCpuLimit"],
            id="no CFS quota",
        ),
        pytest.param(
            {"CPUShares": False, "CpuCfsQuota": False},
            version("28.5.2", "1.51"),
            (),
            {},
            ["LimitsUnavailable NoCpuLimit", "LimitsUnavailable NoCpuWeight"],
            id="no cpu cgroup at all",
        ),
        pytest.param(
            {}, version("28.5.2", "1.51"), (BRIDGE, COMPOSE), {}, ["NetworkUnavailable PodCIDRTaken"], id="CIDR taken"
        ),
        pytest.param(
            {},
            version("28.5.2", "1.51"),
            (),
            {"root_refused": "sudo refuses user 'ops'", "has_iptables": False},
            ["NetworkUnavailable NoRoot"],
            id="no root and no sudo",
        ),
        pytest.param(
            {},
            version("28.5.2", "1.51"),
            (),
            {"has_iptables": False},
            ["NetworkUnavailable NoIptables"],
            id="no iptables",
        ),
        pytest.param(
            {},
            version("28.5.2", "1.51"),
            (),
            {"forwards_tcp": False, "forwards_sockets": False},
            ["ProbesUnavailable TcpForwardingForbidden", " SocketForwardingForbidden"],
            id="sshd forwards nothing (Alpine)",
        ),
    ],
)
def test_findings(
    info: dict[str, Any], release: dict[str, Any], networks: tuple[Any, ...], known: dict[str, Any], expected: list[str]
) -> None:
    traits = compose_traits({**DOCKER, **info}, release, tuple(ranges_of_others(networks)))
    traits = type(traits)(**{name: getattr(traits, name) for name in traits.__struct_fields__} | known)
    facts = HostFacts(engine_version=release["Version"], api_version=release["ApiVersion"], traits=traits)
    found = findings_of(facts, pod_subnet="10.244.1.0/24")
    assert [f"{finding.condition} {finding.reason}" for finding in found] == expected
    for finding in found:
        assert finding.message.endswith("."), "one sentence"
        assert finding.remedy or not finding.condition, "what to do"


def test_of_facts_that_nobody_asked_for_nothing_is_said() -> None:
    assert findings_of(HostFacts(), pod_subnet="10.244.1.0/24") == ()


@pytest.mark.parametrize(
    ("text", "release"),
    [("28.5.2+dfsg", (28, 5)), ("20.10.24", (20, 10)), ("29", (29, 0)), ("dev", (0, 0)), ("", (0, 0))],
)
def test_releases(text: str, release: tuple[int, int]) -> None:
    assert engine_release(text) == release
