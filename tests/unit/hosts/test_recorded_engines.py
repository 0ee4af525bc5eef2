"""Our parsers on what real engines answered: `tests/contract/recorded`, made by `tests.contract.record_engine`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hosts.docker.engine import _message_of, choose_api_version
from hosts.docker.events import ContainerEvent, parse_event
from hosts.network.pod_network import _subnet, is_ours
from hosts.observe.answers import network_fact, read_networks
from hosts.observe.container_facts import compose_container, compose_just_made
from hosts.observe.traits import compose_traits
from hosts.runtime.docker_runtime import _already, warnings_of
from objects.errors import EngineError
from objects.observation.host import HostFacts, ObservedContainer
from policies.host_support import NOTE, engine_release, findings_of
from tests.contract.record_engine import NETWORK, PORT, RECORDED
from tests.unit.hosts.test_runtime_values import ContainerSpec

FILES = sorted(RECORDED.glob("*.json"))


class Answer(NamedTuple):
    status: int
    body: Any

    @property
    def message(self) -> str:
        """As `Engine.refusal` reads it."""
        return _message_of(json.dumps(self.body).encode())


class Recorded:
    def __init__(self, path: Path) -> None:
        self.major = path.stem
        self._answers: dict[str, dict[str, Any]] = json.loads(path.read_text())["answers"]

    def __getitem__(self, label: str) -> Answer:
        return Answer(**self._answers[label])

    def container(self, label: str) -> ObservedContainer:
        return compose_container(self[label].body, network=NETWORK.name)


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def engine(request: pytest.FixtureRequest) -> Recorded:
    return Recorded(request.param)


def test_there_is_one_of_each_major_version_that_the_lab_does_not_run() -> None:
    assert {path.stem for path in FILES} >= MAJORS


MAJORS = {"20.10", "26", "27", "28", "29"}


def test_it_is_supported(engine: Recorded) -> None:
    version, info = engine["version"].body, engine["info"].body
    assert engine_release(version["Version"])[0] == int(engine.major.partition(".")[0])
    api = choose_api_version(version["ApiVersion"], version["MinAPIVersion"])
    assert tuple(map(int, version["MinAPIVersion"].split("."))) <= tuple(map(int, api.split(".")))
    traits = compose_traits(info, version, read_networks(json.dumps(engine["networks"].body).encode()).others)
    facts = HostFacts(engine_version=version["Version"], api_version=version["ApiVersion"], traits=traits)
    found = findings_of(facts, pod_subnet=NETWORK.subnet)
    assert {one.condition for one in found} <= {NOTE}
    assert [one.name for one in traits.networks] == ["bridge"]


def test_a_container_from_its_making_to_its_end(engine: Recorded) -> None:
    made = engine.container("inspect created")
    labels = ("created", "running", "paused", "exited")
    states = [engine.container(f"inspect {label}") for label in labels]
    assert [one.state for one in states] == list(labels)
    assert {(one.name, one.restart_policy, one.made_as) for one in states} == {("life", "no", "made-by")}
    assert (made.cpu_shares, made.cpu_quota_micros, made.memory_bytes) == (256, 50_000, 32 << 20)
    running, ended = engine.container("inspect running"), engine.container("inspect exited")
    assert (running.address, running.lacks_host_ports) == ("10.244.3.9", False)
    assert {(protocol, port) for protocol, _, port in running.host_ports} == {("tcp", int(PORT))}
    assert running.started_at is not None
    assert (ended.exit_code, ended.finished_at is not None) == (7, True)
    (listed,) = engine["list created"].body
    alone = compose_just_made(listed)
    assert (alone.name, alone.state, alone.network_mode) == ("life", "created", NETWORK.name)
    assert (alone.id, alone.image_id, alone.labels) == (made.id, made.image_id, made.labels)


def test_a_port_that_is_taken_and_the_start_after_it(engine: Recorded) -> None:
    """A start that succeeds without the port must not pass for a pod that is reached by it."""
    refused = engine["start on a taken port"]
    assert (refused.status, "port is already allocated" in refused.message) == (500, True)
    assert engine["start when the port is free"].status == 204
    late = engine.container("inspect when the port is free")
    assert late.state == "running"
    published = engine["inspect when the port is free"].body["NetworkSettings"]["Ports"].get("80/tcp")
    assert late.lacks_host_ports == (not published)


@pytest.mark.parametrize(
    ("label", "reasons"),
    [
        pytest.param("signal an ended one", ("no such container", "is not running"), id="signal"),
        pytest.param("remove again", ("no such container", "already in progress"), id="remove"),
        pytest.param("rename to its name", ("same name as its current name",), id="rename"),
        pytest.param("unpause again", ("is not paused",), id="unpause"),
    ],
)
def test_what_is_so_already_is_said_in_words_that_we_know(
    engine: Recorded, label: str, reasons: tuple[str, ...]
) -> None:
    answer = engine[label]
    with _already(*reasons), contextlib.ExitStack():
        if answer.status >= 400:
            raise EngineError(answer.message, status=answer.status)


def test_refusals_by_their_status(engine: Recorded) -> None:
    labels = ("name taken", "no image", "inspect no network", "inspect removed", "start misspelt", "start again")
    assert [engine[label].status for label in labels] == [409, 404, 404, 404, 400, 304]
    misspelt = engine.container("inspect misspelt")
    assert (misspelt.state, misspelt.exit_code, "/nowhere" in misspelt.error) == ("created", 127, True)


def test_its_networks(engine: Recorded) -> None:
    found = engine["inspect network"].body
    assert engine["create network"].status == 201
    assert (is_ours(found), _subnet(found)) == (True, NETWORK.subnet)
    fact = network_fact(found)
    assert fact is not None
    assert (fact.name, fact.subnet) == (NETWORK.name, NETWORK.subnet)


def test_its_events(engine: Recorded) -> None:
    lines = [json.dumps(one).encode() for one in engine["events"].body]
    told = [event for line in lines if (event := parse_event(line)) is not None and event.name == "life"]
    assert [one.action for one in told if one.action in ("create", "start", "pause", "unpause", "die", "destroy")] == [
        *("create", "start", "pause", "unpause", "die", "destroy")
    ]
    (died,) = (one for one in told if one.action == "die")
    assert isinstance(died, ContainerEvent)
    assert (died.exit_code, died.image, set(died.labels)) == (7, "busybox", {"berth.dev/managed"})


def test_its_warnings(engine: Recorded) -> None:
    told = warnings_of(engine["create with a warning"].body, ContainerSpec(name="n", image="i", labels={}))
    assert told == ("Published ports are discarded when using host network mode",)
