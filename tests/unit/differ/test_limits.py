"""Limits that a host's kernel does not hold: nothing is asked for again and again, and it is said."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from differ.kubelet.actions import CreateContainer, UpdateContainer
from differ.kubelet.pod_events import performed
from differ.kubelet.pods import plan_host
from objects.api.pods import ResourceRequirements
from objects.observation.host import HostTraits
from tests.unit.differ.building import FACTS, NO_MEMORY, NOW, assign, container, found, make_pod, observe

LIMITS = ResourceRequirements(limits={"cpu": "500m", "memory": "64Mi"})
POD = make_pod(container("main", resources=LIMITS))
AS_ASKED = {"cpu_shares": 512, "cpu_quota_micros": 50_000, "memory_bytes": 64 << 20}


@pytest.mark.parametrize(
    ("traits", "shown", "is_updated"),
    [
        pytest.param({}, {}, False, id="all of it holds"),
        pytest.param({}, {"memory_bytes": 0}, True, id="somebody took a limit away"),
        pytest.param({"limits_memory": False}, {"memory_bytes": 0}, False, id="memory: dropped by the engine"),
        pytest.param({"limits_memory": False}, {}, False, id="memory: kept without effect (rootless)"),
        pytest.param({"limits_cpu": False}, {"cpu_quota_micros": 0}, False, id="CPU: dropped"),
        pytest.param({"weighs_cpu": False}, {"cpu_shares": 0}, False, id="weights: dropped"),
        pytest.param({"limits_cpu": False}, {"cpu_quota_micros": 0, "memory_bytes": 1}, True, id="another one altered"),
    ],
)
def test_an_update_that_cannot_hold_is_not_asked_for(
    traits: dict[str, bool], shown: dict[str, int], *, is_updated: bool
) -> None:
    facts = structs.replace(FACTS, traits=HostTraits(**traits))
    seen: dict[str, Any] = {**AS_ASKED, **shown}
    plan = plan_host(assign(POD), observe(found(POD, **seen), facts=facts), NO_MEMORY, NOW)
    assert [type(action) for action in plan.actions] == ([UpdateContainer] if is_updated else [])
    assert plan.wake_at is None


def test_it_is_seen_when_the_host_can_hold_them_again() -> None:
    """A settled pod is planned for anew when the host has become another: rebooted with the memory cgroup on."""
    dropped: dict[str, Any] = {**AS_ASKED, "memory_bytes": 0}
    cannot = structs.replace(FACTS, traits=HostTraits(limits_memory=False))
    plan = plan_host(assign(POD), observe(found(POD, **dropped), facts=cannot), NO_MEMORY, NOW)
    assert plan.actions == ()
    plan = plan_host(assign(POD), observe(found(POD, **dropped)), plan.memory, NOW)
    assert [type(action) for action in plan.actions] == [UpdateContainer]


@pytest.mark.parametrize(
    ("traits", "limits"),
    [
        pytest.param({}, [], id="holds"),
        pytest.param({"limits_cpu": False, "weighs_cpu": False}, ["CPU"], id="no CPU limit"),
        pytest.param({"limits_cpu": False, "limits_memory": False}, ["CPU", "memory"], id="none"),
    ],
)
def test_a_limit_that_does_not_hold_is_an_event_of_the_pod(traits: dict[str, bool], limits: list[str]) -> None:
    (action,) = plan_host(assign(POD), observe(), NO_MEMORY, NOW).actions
    assert isinstance(action, CreateContainer)
    said = performed(action, None, {POD.uid: POD}, traits=HostTraits(**traits))
    assert [(one.type, one.reason, one.message) for one in said if one.type != "Normal"] == [
        ("Warning", "LimitsUnavailable", f"The {limit} limit of container main does not hold on this host")
        for limit in limits
    ]
