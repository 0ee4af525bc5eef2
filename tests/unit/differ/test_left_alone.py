"""Pods of an Application with `selfHeal: false`: what somebody altered is shown and stays, what ended comes back."""

from __future__ import annotations

import pytest

from differ.kubelet.actions import (
    Action,
    CreateContainer,
    StartContainer,
    UpdateContainer,
)
from differ.kubelet.pods import HostPlan, plan_host
from objects.api.meta import Condition
from objects.conditions import IN_SYNC, find_condition
from objects.observation.host import ObservedContainer
from tests.unit.differ.building import NO_MEMORY, NOW, assign, container, exited, found, make_pod, observe

WEB = make_pod()
PAIR = make_pod(container("main"), container("log"), name="pair")


def plan(pod: object, *containers: ObservedContainer, left_alone: bool = True) -> HostPlan:
    lenient = frozenset((WEB.uid, PAIR.uid)) if left_alone else frozenset()
    return plan_host(assign(pod, left_alone=lenient), observe(*containers), NO_MEMORY, NOW)  # type: ignore[arg-type]


def sync_of(result: HostPlan) -> Condition | None:
    (status,) = result.statuses.values()
    return find_condition(status.conditions, IN_SYNC)


@pytest.mark.parametrize(
    ("there", "message"),
    [
        pytest.param(found(WEB, state="paused"), "container main is paused", id="paused"),
        pytest.param(found(WEB, name="mine"), "container main was renamed to mine", id="renamed"),
        pytest.param(
            found(WEB, cpu_shares=900, memory_bytes=1 << 20),
            "container main has CPU shares 900 instead of 2; container main has memory limit 1048576 instead of none",
            id="limits",
        ),
    ],
)
def test_what_was_altered_is_shown_and_stays(there: ObservedContainer, message: str) -> None:
    result = plan(WEB, there)
    assert result.actions == ()
    condition = sync_of(result)
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == ("False", "OutOfSync", message)
    assert [(one.reason, one.message) for one in result.pod_events] == [("OutOfSync", message)]
    again = plan_host(
        assign(WEB, left_alone=frozenset((WEB.uid,))), observe(there), result.memory, NOW
    )  # once told, an event is not told again
    assert (again.actions, again.pod_events, sync_of(again)) == ((), (), condition)


def test_a_paused_sandbox_is_left_alone_too() -> None:
    result = plan(PAIR, found(PAIR, "POD", state="paused"), found(PAIR, "main"), found(PAIR, "log"))
    condition = sync_of(result)
    assert condition is not None
    assert (result.actions, condition.message) == ((), "the sandbox is paused")


@pytest.mark.parametrize(
    ("there", "kind"),
    [
        pytest.param((), CreateContainer, id="removed"),
        pytest.param((exited(WEB, code=137),), StartContainer, id="killed-or-crashed"),
        pytest.param((found(WEB, restart_policy="no"),), UpdateContainer, id="restart-policy"),
    ],
)
def test_what_has_ended_comes_back(there: tuple[ObservedContainer, ...], kind: type[Action]) -> None:
    result = plan(WEB, *there)
    assert [type(action) for action in result.actions] == [kind]
    condition = sync_of(result)
    assert condition is not None
    assert condition.status == "True"


def test_the_restart_policy_is_put_right_without_the_limits() -> None:
    (update,) = plan(WEB, found(WEB, restart_policy="no", memory_bytes=1 << 20)).actions
    assert isinstance(update, UpdateContainer)
    assert (update.restart_policy, update.resources) == ("always", None)


def test_all_others_are_put_right_and_show_nothing() -> None:
    result = plan(WEB, found(WEB, state="paused"), left_alone=False)
    assert (len(result.actions), sync_of(result)) == (1, None)


def test_it_is_put_right_as_soon_as_it_may_be() -> None:
    there = found(WEB, state="paused")
    before = plan(WEB, there)
    after = plan_host(assign(WEB), observe(there), before.memory, NOW)
    assert (len(after.actions), sync_of(after)) == (1, None)
