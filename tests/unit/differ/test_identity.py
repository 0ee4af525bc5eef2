"""Whose container it is, by what an image can carry and what it cannot."""

from __future__ import annotations

import pytest

from differ.kubelet.identity import is_ours, own_name
from differ.kubelet.pod_containers import group_by_pod
from differ.kubelet.pods import plan_host
from differ.kubelet.usage import foreign_loads, is_foreign
from objects.api.pods import Pod
from objects.names import LABEL_MANAGED
from objects.observation.host import ObservedContainer
from tests.unit.differ.building import NO_MEMORY, NOW, assign, exited, found, make_pod, observe

WEB = make_pod()
OTHER = "berth_main_api_default_uid-api_0"
COMMITTED = found(WEB, id="id-debug", name="my-debug", made_as="", address="", network_mode="bridge")
"""What a person runs from an image that was committed from the pod's container."""


@pytest.mark.parametrize(
    ("container", "ours", "named"),
    [
        pytest.param(found(WEB), True, True, id="as we made it"),
        pytest.param(found(WEB, made_as=""), True, True, id="made by an earlier version, without a record"),
        pytest.param(found(WEB, attempt=4), True, True, id="started again, under the next attempt"),
        pytest.param(found(WEB, name="mine"), True, False, id="renamed by somebody"),
        pytest.param(found(WEB, name="berth_main_web_default_other_0"), True, False, id="renamed to the like of ours"),
        pytest.param(COMMITTED, False, False, id="run from a committed image"),
        pytest.param(found(WEB, name="mine", made_as="/tmp/id"), False, False, id="with a file for its id"),
        pytest.param(found(WEB, name="mine", made_as=OTHER), False, False, id="record of another pod"),
        pytest.param(found(WEB, labels={}), False, False, id="our name without labels"),
        pytest.param(found(WEB, labels={LABEL_MANAGED: "true"}), False, False, id="managed, but of no pod"),
    ],
)
def test_whose_it_is(container: ObservedContainer, ours: bool, named: bool) -> None:
    assert (is_ours(container), own_name(container) is not None) == (ours, named)
    assert is_foreign(container) is not ours
    assert bool(group_by_pod([container])) is ours


@pytest.mark.parametrize("there", [(found(WEB), COMMITTED), (COMMITTED, found(WEB))])
@pytest.mark.parametrize("pods", [(WEB,), ()], ids=["the pod is assigned", "the pod is not"])
def test_a_container_from_a_committed_image_is_nobodys(
    there: tuple[ObservedContainer, ...], pods: tuple[Pod, ...]
) -> None:
    plan = plan_host(assign(*pods), observe(*there), NO_MEMORY, NOW)
    assert not plan.actions
    assert [load.name for load in foreign_loads(there, None, None)] == ["my-debug"]


def test_of_a_pod_that_is_gone_only_a_committed_container_is_left() -> None:
    plan = plan_host(assign(), observe(COMMITTED), NO_MEMORY, NOW)
    assert (plan.actions, plan.unknown) == ((), ())
    ending = make_pod(deletion_timestamp=NOW, deletion_grace_period_seconds=0)
    assert plan_host(assign(ending), observe(COMMITTED), NO_MEMORY, NOW).gone == (WEB.uid,)


def test_its_own_ended_container_counts_and_not_the_committed_one() -> None:
    plan = plan_host(assign(WEB), observe(exited(WEB, code=1), COMMITTED), NO_MEMORY, NOW)
    assert {getattr(action, "id", "") for action in plan.actions} <= {"id-main"}
