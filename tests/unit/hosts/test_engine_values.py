"""Events, facts and errors, read from what Docker Engine and a host say."""

from __future__ import annotations

import json

import pytest

from hosts.docker.engine import choose_api_version
from hosts.docker.events import ContainerEvent, parse_event
from hosts.observe.answers import read_images, read_volumes
from hosts.observe.facts import MachineFacts, compose_facts, parse_machine
from objects.observation.figures import HostVitals
from objects.observation.host import HostFacts, ImageFact
from tests.unit.hosts.engine_answers import VERSION_ANSWERS


@pytest.mark.parametrize(
    ("engine", "spoken"), [("20.10", "1.41"), ("26", "1.45"), ("27", "1.45"), ("28", "1.45"), ("29", "1.45")]
)
def test_the_api_version_spoken_with_each_engine(engine: str, spoken: str) -> None:
    """1.45 is the SDK's newest; fields that later versions drop (1.53) stay where they are as long as it is."""
    answer = VERSION_ANSWERS[engine]
    assert choose_api_version(answer["ApiVersion"], answer["MinAPIVersion"]) == spoken


def test_an_engine_whose_oldest_version_is_newer_than_ours_is_spoken_to_in_its_oldest() -> None:
    assert choose_api_version("1.99", "1.90") == "1.90"


DIE = (
    b'{"status":"die","id":"c1","from":"web:v1","Type":"container","Action":"die","Actor":{"ID":"c1","Attributes":'
    b'{"berth.dev/pod":"web","exitCode":"137","image":"web:v1","name":"berth_web"}},"scope":"local","time":17,'
    b'"timeNano":17000000005}\n'
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            DIE,
            ContainerEvent(
                time_nanos=17000000005,
                action="die",
                container_id="c1",
                name="berth_web",
                image="web:v1",
                exit_code=137,
                labels={"berth.dev/pod": "web"},
            ),
            id="die",
        ),
        pytest.param(
            DIE.replace(b'"exitCode"', b'"execDuration":"12","exitCode"'),
            ContainerEvent(
                time_nanos=17000000005,
                action="die",
                container_id="c1",
                name="berth_web",
                image="web:v1",
                exit_code=137,
                labels={"berth.dev/pod": "web"},
            ),
            id="die, since Engine 25",
        ),
        pytest.param(
            b'{"Type":"container","Action":"start","Actor":{"ID":"c2"},"timeNano":3}',
            ContainerEvent(time_nanos=3, action="start", container_id="c2"),
            id="no attributes",
        ),
        pytest.param(b'{"Type":"network","Action":"connect","Actor":{"ID":"n"}}', None, id="not a container"),
        pytest.param(
            b'{"Type":"network","Action":"disconnect","Actor":{"ID":"n","Attributes":{"container":"c3"}},"timeNano":4}',
            ContainerEvent(time_nanos=4, action="disconnect", container_id="c3"),
            id="taken off a network",
        ),
        pytest.param(
            b'{"Type":"volume","Action":"create","Actor":{"ID":"berth-charge-7-a1"},"timeNano":5}',
            ContainerEvent(time_nanos=5, action="charge", container_id="", name="berth-charge-7-a1"),
            id="somebody takes charge",
        ),
        pytest.param(b'{"Type":"volume","Action":"create","Actor":{"ID":"data"}}', None, id="another volume"),
        pytest.param(
            b'{"Type":"volume","Action":"destroy","Actor":{"ID":"berth-charge-7-a1"}}', None, id="an old mark"
        ),
        pytest.param(DIE[:90], None, id="cut line"),
        pytest.param(b"[]", None, id="not an object"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_events(line: bytes, expected: ContainerEvent | None) -> None:
    assert parse_event(line) == expected


LEFT = HostVitals(
    disk_bytes=4096000,
    disk_free_bytes=1024000,
    memory_available_bytes=2097152,
    inodes=64,
    inodes_free=32,
    tasks=120,
    tasks_limit=15000,
)
MACHINE = MachineFacts(vitals=LEFT, boot_id="5a1c")
TASKS = "tasks 120\nlimit 32768\nlimit 15000\n"


def test_machine_facts() -> None:
    assert parse_machine(f"disk 4096 1000 250 64 32\nmemory 2048 kB\n{TASKS}boot 5a1c\n") == MACHINE


@pytest.mark.parametrize(
    "output",
    [
        pytest.param("", id="nothing"),
        pytest.param(f"disk 4096 1000 250 64 32\n{TASKS}boot 5a1c\n", id="no memory"),
        pytest.param(f"disk 4096 1000 250 64\nmemory 2048 kB\n{TASKS}boot 5a1c\n", id="short disk line"),
        pytest.param(f"disk 4096 1000 250 64 32\nmemory\n{TASKS}boot 5a1c\n", id="empty memory line"),
        pytest.param(f"disk 4096 1000 x 64 32\nmemory 1 kB\n{TASKS}boot 5a1c\n", id="not a number"),
        pytest.param("disk 4096 1000 250 64 32\nmemory 2048 kB\nboot 5a1c\n", id="no tasks"),
        pytest.param(f"disk 4096 1000 250 64 32\nmemory 2048 kB\n{TASKS}", id="no boot"),
    ],
)
def test_incomplete_machine_facts_are_refused(output: str) -> None:
    with pytest.raises(ValueError):
        parse_machine(output)


def test_facts_are_composed() -> None:
    info = {
        "Name": "h1",
        "NCPU": 4,
        "MemTotal": 8000,
        "OperatingSystem": "Debian GNU/Linux 12",
        "KernelVersion": "6.1",
        "DockerRootDir": "/var/lib/docker",
        "CgroupVersion": "2",
    }
    images = [
        {"Id": "sha256:b", "RepoTags": ["web:v1", "web:latest"], "RepoDigests": ["web@sha256:d"], "Size": 7},
        {"Id": "sha256:a", "RepoTags": ["<none>:<none>"], "RepoDigests": None, "Size": 9},
    ]
    volumes = [
        {"Name": "berth-claim_default_b", "Labels": {"berth.dev/claim": "default/b"}},
        {"Name": "berth-claim_default_a", "Labels": {"berth.dev/claim": "default/a"}},
        {"Name": "berth_uid_data", "Labels": {"berth.dev/pod-uid": "uid"}},
        {"Name": "somebody-elses", "Labels": None},
        {"Name": "copied", "Labels": {"berth.dev/pod-uid": "uid"}},
        {"Name": "berth_other_data", "Labels": {"berth.dev/pod-uid": "uid"}},
        {"Name": "copied-too", "Labels": {"berth.dev/claim": "default/a"}},
        {"Name": "berth-claim_default_a_2", "Labels": {"berth.dev/claim": "default/a"}},
    ]
    version = {"Arch": "arm64", "Version": "27.1", "ApiVersion": "1.46"}
    found = read_volumes(json.dumps({"Volumes": volumes}).encode())
    facts = compose_facts(info, version, read_images(json.dumps(images).encode()), MACHINE, found)
    assert facts == HostFacts(
        hostname="h1",
        cpus=4,
        memory_bytes=8000,
        memory_available_bytes=2097152,
        disk_bytes=4096000,
        disk_free_bytes=1024000,
        inodes=64,
        inodes_free=32,
        tasks=120,
        tasks_limit=15000,
        architecture="arm64",
        operating_system="Debian GNU/Linux 12",
        kernel_version="6.1",
        engine_version="27.1",
        api_version="1.46",
        docker_root="/var/lib/docker",
        cgroup_version=2,
        boot_id="5a1c",
        images=(
            ImageFact(id="sha256:a", names=(), size_bytes=9),
            ImageFact(id="sha256:b", names=("web:v1", "web:latest", "web@sha256:d"), size_bytes=7),
        ),
        claim_volumes=("berth-claim_default_a", "berth-claim_default_a_2", "berth-claim_default_b"),
        pod_volumes=("berth_uid_data",),
    )
