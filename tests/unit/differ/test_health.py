"""What probes that fail, or that cannot be asked, do to a pod and are told with."""

from __future__ import annotations

import pytest

from differ.kubelet.pod_events import newly_failed
from differ.kubelet.pods import plan_host
from differ.kubelet.probes.health_facts import HealthFacts
from differ.kubelet.probes.probing import READINESS
from objects.api.pods import Probe, TCPSocketAction
from objects.conditions import find_condition
from objects.observation.host import ProbeFact
from tests.unit.differ.building import NO_MEMORY, NOW, ago, assign, container, found, make_pod, observe

WHY = "sshd forwards no TCP connections to pods"


@pytest.mark.parametrize(
    ("fields", "ready", "reason", "event"),
    [
        pytest.param(
            {"passes": None, "errored_at": NOW, "error": WHY},
            False,
            f"readiness probe cannot be asked: {WHY}",
            f"Readiness probe errored and resulted in unknown state: {WHY}",
            id="never-asked",
        ),
        pytest.param(
            {"passes": True, "errored_at": NOW, "error": WHY},
            True,
            "",
            f"Readiness probe errored and resulted in unknown state: {WHY}",
            id="was-ready",
        ),
        pytest.param(
            {"passes": False, "failed_at": NOW, "message": "refused"},
            False,
            "readiness probe failed: refused",
            "Readiness probe failed: refused",
            id="failed",
        ),
    ],
)
def test_probes_that_do_not_pass(fields: dict[str, object], ready: bool, reason: str, event: str) -> None:
    probed = container("c", readiness_probe=Probe(tcp_socket=TCPSocketAction(port=80)))
    pod = make_pod(probed)
    there = found(pod, "c")
    fact = ProbeFact(container_id=there.id, kind=READINESS, started_at=there.started_at, **fields)  # type: ignore[arg-type]
    status = plan_host(assign(pod), observe(there, probes=(fact,)), NO_MEMORY, NOW).statuses[pod.uid]
    condition = find_condition(status.conditions, "Ready")
    assert condition is not None
    assert (condition.status == "True", reason in condition.message) == (ready, True)
    # The look began before the failure: it is told at once, since the next look may find a probe that passes.
    said, told = newly_failed(pod, HealthFacts(probes=(fact,)), (), steady=ago(1))
    assert ([(one.reason, one.message) for one in said], told) == ([("Unhealthy", event)], ((NOW, "Unhealthy", event),))
    assert newly_failed(pod, HealthFacts(probes=(fact,)), told, steady=NOW) == ((), told)
    assert newly_failed(pod, HealthFacts(), told, steady=NOW) == ((), ())
