"""What `berth get pods` says of a pod: every word of STATUS, READY and RESTARTS."""

from __future__ import annotations

import pytest

from objects.api.meta import Condition
from objects.api.pods import (
    ContainerStatus,
    Pod,
    PodIP,
    PodReadinessGate,
    PodSpec,
    PodStatus,
)
from reconciler.cli.printing.pods import POD_PRINTER, summarise_pod
from reconciler.state.host_status import HostStatus
from tests.unit.cli.sample import NOW, ago, around, container, end_state, ended, meta, running, waiting


def pod(
    phase: str,
    main: tuple[ContainerStatus, ...] = (),
    init: tuple[ContainerStatus, ...] = (),
    *,
    mains: int = 1,
    inits: int = 0,
    sidecar: bool = False,
    conditions: dict[str, str] | None = None,
    **more: object,
) -> Pod:
    init_containers = tuple(container(f"init-{index}") for index in range(inits))
    if sidecar:
        init_containers = (container("sidecar", restart_policy="Always"), *init_containers)
    claims = tuple(Condition(type=name, status=status) for name, status in (conditions or {}).items())
    status: dict[str, object] = {
        "phase": phase,
        "container_statuses": main,
        "init_container_statuses": init,
        "conditions": claims,
        **more,
    }
    return Pod(
        metadata=meta("web"),
        spec=PodSpec(containers=tuple(container(f"c{i}") for i in range(mains)), init_containers=init_containers),
        status=PodStatus(**status),  # type: ignore[arg-type]
    )


STARTED = {"Initialized": "True"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(pod("Pending"), ("0/1", "Pending", "0"), id="pending"),
        pytest.param(pod("Pending", (waiting("ContainerCreating"),)), ("0/1", "ContainerCreating", "0"), id="creating"),
        pytest.param(pod("Running", (running(),)), ("1/1", "Running", "0"), id="running"),
        pytest.param(pod("Running", (running(ready=False),)), ("0/1", "Running", "0"), id="not-ready"),
        pytest.param(
            pod("Running", (waiting("CrashLoopBackOff", restarts=3, last=end_state(1, "Error")),)),
            ("0/1", "CrashLoopBackOff", "3 (4m ago)"),
            id="crash-loop",
        ),
        pytest.param(pod("Pending", (waiting("ErrImagePull"),)), ("0/1", "ErrImagePull", "0"), id="pull"),
        pytest.param(pod("Succeeded", (ended(0, "Completed"),)), ("0/1", "Completed", "0"), id="completed"),
        pytest.param(pod("Failed", (ended(1, "Error"),)), ("0/1", "Error", "0"), id="error"),
        pytest.param(pod("Failed", (ended(137, "OOMKilled"),)), ("0/1", "OOMKilled", "0"), id="oom"),
        pytest.param(pod("Failed", (ended(3),)), ("0/1", "ExitCode:3", "0"), id="exit-code"),
        pytest.param(pod("Failed", (ended(137, signal=9),)), ("0/1", "Signal:9", "0"), id="signal"),
        pytest.param(pod("Failed", reason="Evicted"), ("0/1", "Evicted", "0"), id="reason-of-the-pod"),
        pytest.param(
            pod("Running", (running("c0"), waiting("CrashLoopBackOff", "c1", restarts=2)), mains=2),
            ("1/2", "CrashLoopBackOff", "2"),
            id="one-of-two-crashes",
        ),
        pytest.param(
            pod("Running", (running("c0"), ended(0, "Completed", "c1")), mains=2, conditions={"Ready": "True"}),
            ("1/2", "Running", "0"),
            id="second-completed-first-runs",
        ),
        pytest.param(
            pod("Running", (ended(0, "Completed", "c0"), running("c1")), mains=2, conditions={"Ready": "True"}),
            ("1/2", "Running", "0"),
            id="first-completed-second-runs-ready",
        ),
        pytest.param(
            pod("Running", (ended(0, "Completed", "c0"), running("c1")), mains=2),
            ("1/2", "NotReady", "0"),
            id="first-completed-second-runs-not-ready",
        ),
        pytest.param(
            pod("Pending", (waiting("PodInitializing"),), (waiting("PodInitializing", "init-0"),), inits=2),
            ("0/1", "Init:0/2", "0"),
            id="first-init",
        ),
        pytest.param(
            pod("Pending", (), (ended(0, "Completed", "init-0"), running("init-1", restarts=1)), inits=2),
            ("0/1", "Init:1/2", "1"),
            id="second-init",
        ),
        pytest.param(
            pod("Pending", (), (waiting("CrashLoopBackOff", "init-0", restarts=4),), inits=1),
            ("0/1", "Init:CrashLoopBackOff", "4"),
            id="init-crashes",
        ),
        pytest.param(
            pod("Failed", (), (ended(2, "", "init-0"),), inits=1), ("0/1", "Init:ExitCode:2", "0"), id="init-code"
        ),
        pytest.param(
            pod(
                "Running",
                (running(restarts=2),),
                (ended(0, "Completed", "init-0", restarts=7),),
                inits=1,
                conditions=STARTED,
            ),
            ("1/1", "Running", "2"),
            id="restarts-of-init-are-forgotten",
        ),
        pytest.param(
            pod("Running", (running(),), (running("sidecar", restarts=1),), sidecar=True, conditions=STARTED),
            ("2/2", "Running", "1"),
            id="sidecar",
        ),
        pytest.param(
            pod("Pending", (), (running("sidecar"), waiting("", "init-0")), sidecar=True, inits=1),
            ("1/2", "Init:1/2", "0"),
            id="init-after-sidecar",
        ),
    ],
)
def test_summary(given: Pod, expected: tuple[str, str, str]) -> None:
    summary = summarise_pod(given)
    assert (summary.readiness, summary.status, summary.restarts_text(NOW)) == expected


def terminating(phase: str, *statuses: ContainerStatus) -> Pod:
    given = pod(phase, statuses)
    return Pod(metadata=meta("web", deletion_timestamp=NOW), spec=given.spec, status=given.status)


@pytest.mark.parametrize(
    ("given", "silent", "expected"),
    [
        pytest.param(terminating("Running", running()), False, "Terminating", id="terminating"),
        pytest.param(terminating("Succeeded", ended(0, "Completed")), False, "Completed", id="finished-and-deleted"),
        pytest.param(pod("Running", (running(),)), True, "Unknown", id="silent-host"),
        pytest.param(terminating("Running", running()), True, "Unknown", id="terminating-on-a-silent-host"),
        pytest.param(pod("Succeeded", (ended(0, "Completed"),)), True, "Completed", id="finished-on-a-silent-host"),
    ],
)
def test_status_of_what_goes_or_is_not_seen(given: Pod, silent: bool, expected: str) -> None:
    assert summarise_pod(given, host_is_silent=silent).status == expected


def test_row() -> None:
    given = Pod(
        metadata=meta("web-1"),
        spec=PodSpec(
            containers=(container(),),
            node_name="alpha",
            readiness_gates=(PodReadinessGate(condition_type="a"), PodReadinessGate(condition_type="b")),
        ),
        status=PodStatus(
            phase="Running",
            container_statuses=(running(),),
            pod_ip="10.244.1.2",
            pod_ips=(PodIP(ip="10.244.1.2"),),
            conditions=(Condition(type="a", status="True"),),
        ),
    )
    wide = ("web-1", "1/1", "Running", "0", "2m", "10.244.1.2", "alpha", "<none>", "1/2")
    assert POD_PRINTER.cells(given, around(), wide=True) == wide
    assert POD_PRINTER.cells(given, around(), wide=False) == wide[:5]
    silent = HostStatus(metadata=meta("alpha", ""), reachable=False, unreachable_since=ago(minutes=1))
    assert POD_PRINTER.cells(given, around(silent), wide=False) == ("web-1", "1/1", "Unknown", "0", "2m")
