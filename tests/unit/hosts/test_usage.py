"""What containers use, as control groups of both versions and the engine tell it."""

from __future__ import annotations

import pytest

from hosts.measure.container_usage import USAGE_SCRIPT, parse_usage
from hosts.measure.host_figures import parse_disk_use, parse_log_sizes
from objects.observation.figures import ContainerSample

A, B = "a" * 64, "b" * 64


def of_v1(group: str) -> str:
    return (
        f"memory/{group}/memory.stat:inactive_file 1\n"
        f"memory/{group}/memory.stat:total_inactive_file 100\n"
        f"memory/{group}/memory.usage_in_bytes:1000\n"
        f"cpuacct/{group}/cpuacct.usage:5000\n"
    )


def of_v2(group: str) -> str:
    return f"./{group}/memory.current:1000\n./{group}/memory.stat:inactive_file 100\n./{group}/cpu.stat:usage_usec 5\n"


WHOLE = ContainerSample(cpu_nanos=5000, memory_bytes=900)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        pytest.param("", {}, id="no containers"),
        pytest.param(of_v1(f"docker/{A}"), {A: WHOLE}, id="v1, cgroupfs"),
        pytest.param(of_v1(f"system.slice/docker-{A}.scope"), {A: WHOLE}, id="v1, systemd"),
        pytest.param(of_v2(f"docker/{A}"), {A: WHOLE}, id="v2, cgroupfs"),
        pytest.param(of_v2(f"system.slice/docker-{A}.scope"), {A: WHOLE}, id="v2, systemd"),
        pytest.param(of_v2(f"docker/{A}") + of_v2(f"docker/{B}"), {A: WHOLE, B: WHOLE}, id="two"),
        pytest.param(
            of_v2(f"docker/{A}") + f"./docker/{A}/init/memory.current:1\n./docker/{A}/init/cpu.stat:usage_usec 1\n",
            {A: WHOLE},
            id="a group that the container made",
        ),
        pytest.param(
            f"memory/docker/{A}/memory.usage_in_bytes:50\nmemory/docker/{A}/memory.stat:total_inactive_file 60\n",
            {A: ContainerSample(memory_bytes=0)},
            id="read while it changed",
        ),
        pytest.param(f"cpuacct/docker/{A}/cpuacct.usage:7\n", {A: ContainerSample(cpu_nanos=7)}, id="no memory group"),
        pytest.param("memory/docker/abc/memory.usage_in_bytes:50\n", {}, id="no id"),
        pytest.param(f"memory/docker/{A}/memory.usage_in_bytes:x\n", {}, id="no number"),
    ],
)
def test_control_groups(output: str, expected: dict[str, ContainerSample]) -> None:
    assert parse_usage(f"disk 1 2 3 4 5\nuptime 12.5\n{output}") == (12.5, expected)


def test_without_the_clock_nothing_is_believed() -> None:
    with pytest.raises(ValueError, match="uptime"):
        parse_usage(of_v2(f"docker/{A}"))


def test_logs_of_a_container_are_added_up() -> None:
    root = "/var/lib/docker/containers"
    output = f"10 {root}/{A}/{A}-json.log\n5 {root}/{A}/{A}-json.log.1\n7 {root}/{B}/local-logs/container.log\nx y\n"
    assert parse_log_sizes(output) == {A: 15, B: 7}


def test_disk_use_with_what_the_engine_does_not_know() -> None:
    told = {
        "Containers": [{"Id": A, "SizeRw": 100}, {"Id": B, "SizeRootFs": 5}],
        "Volumes": [
            {"Name": "v", "UsageData": {"Size": 3}},
            {"Name": "unknown", "UsageData": {"Size": -1}},
            {"Name": "untold", "UsageData": None},
        ],
    }
    assert parse_disk_use(told, {A: 11, "gone": 1}) == ({A: 111, B: 0}, {"v": 3})
    newer = {"ContainerUsage": {"Items": told["Containers"]}, "VolumeUsage": {"Items": told["Volumes"]}}
    assert parse_disk_use(newer, {A: 11, "gone": 1}) == ({A: 111, B: 0}, {"v": 3})
    none = {"ContainerUsage": {"TotalCount": 0}, "VolumeUsage": None}
    assert parse_disk_use(none, {}) == ({}, {})
    assert parse_disk_use({"Containers": None, "Volumes": None}, {}) == ({}, {})


def test_groups_that_are_links_are_followed() -> None:
    """Under systemd `cpuacct` is a link to `cpu,cpuacct`, which `find` follows only when it is told to."""
    assert "find -H $trees" in USAGE_SCRIPT
