"""Tables of the kubelet's prober: ports, commands, what is said at length, and what a restart leaves as it was."""

from __future__ import annotations

import struct

import pytest
from msgspec import structs

from differ.kubelet.memory import PodMemory, WorkerMemory
from differ.kubelet.pods import plan_host
from differ.kubelet.probes.checks import ExecCheck, HttpCheck, TcpCheck
from differ.kubelet.probes.handlers import compose_check
from hosts.probes.exec_check import MAX_MESSAGE_CHARS, read_output
from objects.api.pods import (
    Container,
    ContainerPort,
    EnvVar,
    ExecAction,
    HTTPGetAction,
    Probe,
    TCPSocketAction,
)
from objects.codec import decode_struct
from objects.errors import ContainerConfigError
from objects.observation.host import ProbeFact
from tests.kubernetes.tables import Case, table
from tests.unit.differ.building import NO_MEMORY, NOW, assign, container, found, make_pod, observe

LEFT_OUT = {
    "kubelet_prober/prober__TestRecordContainerEventUnknownStatus": "Berth's answers know no warnings: a probe passes, "
    "fails, or could not be asked",
}
PORTS = (ContainerPort(name="found", container_port=93),)
STARTUP, READINESS = "startup", "readiness"


@table("kubelet_prober/prober__TestGetTCPAddrParts")
def test_where_a_connection_goes(case: Case) -> None:
    probe = Probe(tcp_socket=decode_struct(case["probe"], TCPSocketAction))
    check_address(probe, case, TcpCheck)


@table("kubelet_prober/prober__TestGetURLParts")
def test_where_a_request_goes(case: Case) -> None:
    probe = Probe(http_get=decode_struct(case["probe"], HTTPGetAction))
    check_address(probe, case, HttpCheck)


def check_address(probe: Probe, case: Case, kind: type[TcpCheck | HttpCheck]) -> None:
    one = Container(name="c", ports=PORTS)
    if not case["ok"]:
        with pytest.raises(ContainerConfigError):
            compose_check(probe, one, "192.0.2.1")
        return
    check = compose_check(probe, one, case["host"])
    assert isinstance(check, kind)
    assert (check.address, check.port) == (case["host"], case["port"])
    if isinstance(check, HttpCheck):
        assert check.path == f"/{case['path']}"


@table("kubelet_prober/prober__TestNewExecInContainer")
def test_what_a_command_says(case: Case) -> None:
    said = case["stdout"].encode()
    assert read_output(struct.pack(">BxxxL", 1, len(said)) + said)[:MAX_MESSAGE_CHARS] == case["expected"]


def needs_a_runner(case: Case) -> str:
    return "" if "expectCommand" in case or case.get("probe") == {} else "what the kubelet's fake runner answers"


@table("kubelet_prober/prober__TestProbe", leave_out=needs_a_runner)
def test_the_command_of_a_probe(case: Case) -> None:
    environment = tuple(EnvVar(name=one["name"], value=one["value"]) for one in case.get("env") or ())
    one = Container(name="c", env=environment)
    if not case["probe"]:
        with pytest.raises(ContainerConfigError):
            compose_check(Probe(), one, "192.0.2.1")
        return
    probe = Probe(exec=decode_struct(case["probe"]["exec"], ExecAction))
    assert compose_check(probe, one, "192.0.2.1") == ExecCheck(command=tuple(case["expectCommand"]))


@table("kubelet_prober/prober_manager__TestUpdatePodStatusWithInitContainers")
def test_sidecars_are_started_and_ready_as_their_probes_say(case: Case) -> None:
    probe = Probe(tcp_socket=TCPSocketAction(port=80))
    names = ("not_started", "started", "terminated")
    sidecars = tuple(container(name, restart_policy="Always", startup_probe=probe) for name in names)
    pod = make_pod(container(), init_containers=sidecars)
    there = {name: found(pod, name) for name in (*names, "POD", "main")}
    there["terminated"] = structs.replace(there["terminated"], state="exited", finished_at=NOW)
    fact = ProbeFact(container_id="id-started", kind=STARTUP, started_at=there["started"].started_at, passes=True)
    plan = plan_host(assign(pod), observe(*there.values(), probes=(fact,)), NO_MEMORY, NOW)
    statuses = {status.name: status for status in plan.statuses[pod.uid].init_container_statuses}
    for field, expected in (("started", case["expectedStartup"]), ("ready", case["expectedReadiness"])):
        wanted = {text.split()[1].removesuffix("_container"): value for text, value in expected.items()}
        assert {name: getattr(status, field) for name, status in statuses.items()} == wanted


def is_behind_a_gate(case: Case) -> str:
    return "a feature gate of the kubelet that is off by default" if case["featureEnabled"] else ""


@table("kubelet_prober/worker__TestChangeContainerStatusOnKubeletRestart", leave_out=is_behind_a_gate)
def test_what_a_restart_leaves_as_it_was(case: Case) -> None:
    """probeType 0 liveness, 1 readiness, 2 startup. A restart sets nothing: what was said of the run holds."""
    kind = ("liveness_probe", "readiness_probe", "startup_probe")[case["probeType"]]
    probed = container("c", restart_policy="Always" if case["isSidecar"] else None)
    probed = structs.replace(probed, **{kind: Probe(tcp_socket=TCPSocketAction(port=80))})
    pod = make_pod(container(), init_containers=(probed,)) if case["isSidecar"] else make_pod(probed)
    there = [found(pod, name) for name in (("POD", "c", "main") if case["isSidecar"] else ("c",))]
    passing = tuple(
        ProbeFact(container_id="id-c", kind=one, started_at=there[-1].started_at, passes=True)
        for one in (STARTUP, READINESS)
    )
    before = plan_host(assign(pod), observe(*there, probes=passing), NO_MEMORY, NOW).statuses[pod.uid]
    memory = WorkerMemory(pods={pod.uid: PodMemory(status=before)}) if case["isRestart"] else NO_MEMORY
    plan = plan_host(assign(pod), observe(*there), memory, NOW)
    every = (*plan.statuses[pod.uid].init_container_statuses, *plan.statuses[pod.uid].container_statuses)
    (status,) = (one for one in every if one.name == "c")
    assert plan.actions == ()
    is_well = case["isRestart"] or kind == "liveness_probe"
    assert status.ready is is_well
    assert status.started is (is_well or kind != "startup_probe")
