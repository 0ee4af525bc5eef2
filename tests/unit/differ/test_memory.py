"""What is remembered of performed actions, and what a plan may forget."""

from __future__ import annotations

import pytest

from differ.kubelet.actions import (
    Action,
    CreateContainer,
    RemoveContainer,
    RemoveVolume,
    SignalContainer,
    StartContainer,
    UpdateContainer,
    WriteFiles,
)
from differ.kubelet.memory import (
    ContainerMemory,
    Failure,
    PodMemory,
    Stopping,
    WorkerMemory,
)
from differ.kubelet.pods import plan_host
from objects.errors import BerthError, DeadlineExceeded, DiskFull, EngineError, EngineUnavailable, HostUnreachable
from tests.unit.differ.building import NOW, after, ago, assign, found, make_pod, observe

POD = make_pod()
CREATE = plan_host(assign(POD), observe(), WorkerMemory(), NOW).actions[0]
assert isinstance(CREATE, CreateContainer)
START = StartContainer(pod_uid=POD.uid, container="main", id="1")
TERM = SignalContainer(pod_uid=POD.uid, container="main", id="1", signal="TERM", run="1@now")
KILL = SignalContainer(pod_uid=POD.uid, container="main", id="1", signal="KILL")
TAKE_OVER = SignalContainer(
    pod_uid=POD.uid, container="main", id="1", signal="KILL", stops_restarting=True, run="1@then"
)
UPDATE = UpdateContainer(pod_uid=POD.uid, container="main", id="1", restart_policy="no")
WRITE = WriteFiles(pod_uid=POD.uid, container="POD", id="1", directory="/volumes", entries=(), mark="m")
FAILED = Failure(count=1, retry_at=after(1), reason="RunContainerError", message="refused")
REFUSED = EngineError("refused", status=500)


def main(**fields: object) -> PodMemory:
    return PodMemory(containers={"main": ContainerMemory(**fields)})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "action", "error", "expected"),
    [
        pytest.param(PodMemory(), CREATE, REFUSED, main(failure=FAILED), id="refused"),
        pytest.param(
            PodMemory(),
            CREATE,
            DiskFull("full"),
            main(failure=Failure(count=1, retry_at=after(1), reason="DiskFull", message="full")),
            id="disk-full",
        ),
        pytest.param(
            PodMemory(),
            START,
            DeadlineExceeded("late"),
            main(failure=Failure(count=1, retry_at=after(1), reason="DeadlineExceeded", message="late")),
            id="late",
        ),
        pytest.param(PodMemory(), CREATE, HostUnreachable("gone"), PodMemory(), id="unreachable-is-no-failure"),
        pytest.param(PodMemory(), CREATE, EngineUnavailable("gone"), PodMemory(), id="engine-away-is-no-failure"),
        pytest.param(main(failure=FAILED), START, None, main(), id="success-forgets"),
        pytest.param(
            main(failure=FAILED),
            START,
            REFUSED,
            main(failure=Failure(count=2, retry_at=after(2), reason="RunContainerError", message="refused")),
            id="second",
        ),
        pytest.param(
            main(failure=Failure(count=9, retry_at=ago(1), reason="r", message="m")),
            START,
            REFUSED,
            main(failure=Failure(count=10, retry_at=after(300), reason="RunContainerError", message="refused")),
            id="capped",
        ),
        pytest.param(
            main(failure=Failure(count=9, retry_at=ago(600), reason="r", message="m")),
            START,
            REFUSED,
            main(failure=FAILED),
            id="calm-begins-anew",
        ),
        pytest.param(main(has_pulled=True), CREATE, None, main(), id="a-creation-uses-up-its-pull"),
        pytest.param(main(has_pulled=True), START, None, main(has_pulled=True), id="a-start-does-not"),
        pytest.param(
            main(failure=FAILED),
            RemoveContainer(pod_uid=POD.uid, container="main", id="1"),
            None,
            main(failure=FAILED),
            id="removal-proves-nothing",
        ),
        pytest.param(PodMemory(), TAKE_OVER, None, main(taken_over_run="1@then"), id="taken-over"),
        pytest.param(main(taken_over_run="1@then"), START, None, main(), id="started-after-that"),
        pytest.param(
            PodMemory(),
            TERM,
            None,
            PodMemory(
                stopping_since=NOW,
                containers={"main": ContainerMemory(stop=Stopping(run="1@now", since=NOW, sent_at=NOW))},
            ),
            id="stop-sent",
        ),
        pytest.param(
            PodMemory(stopping_since=ago(5)),
            TERM,
            None,
            PodMemory(
                stopping_since=ago(5),
                containers={"main": ContainerMemory(stop=Stopping(run="1@now", since=NOW, sent_at=NOW))},
            ),
            id="the-first-stop-counts",
        ),
        pytest.param(PodMemory(), KILL, None, main(), id="kill-begins-no-grace"),
        pytest.param(PodMemory(), TERM, REFUSED, main(failure=FAILED), id="stop-not-sent"),
        pytest.param(
            PodMemory(),
            UPDATE,
            None,
            main(
                update=Failure(
                    count=1, retry_at=after(1), reason="RunContainerError", message="the engine took the settings"
                )
            ),
            id="settings-must-show",
        ),
        pytest.param(
            PodMemory(),
            WRITE,
            None,
            PodMemory(files_written="m", containers={"POD": ContainerMemory()}),
            id="files-written",
        ),
        pytest.param(
            PodMemory(),
            RemoveVolume(pod_uid=POD.uid, volume="v"),
            None,
            PodMemory(are_volumes_removed=True),
            id="volume-removed",
        ),
        pytest.param(
            PodMemory(),
            RemoveVolume(pod_uid=POD.uid, volume="v"),
            REFUSED,
            PodMemory(volume_failure=FAILED),
            id="volume-in-use",
        ),
    ],
)
def test_record(before: PodMemory, action: Action, error: BerthError | None, expected: PodMemory) -> None:
    memory = WorkerMemory(pods={POD.uid: before}).record(action, error, NOW)
    assert memory == WorkerMemory(pods={POD.uid: expected})


def test_pods_that_are_not_assigned_are_forgotten() -> None:
    memory = WorkerMemory(pods={"other": PodMemory(), POD.uid: PodMemory()})
    assert set(plan_host(assign(POD), observe(found(POD)), memory, NOW).memory.pods) == {POD.uid}


def test_an_action_unsettles_its_pod() -> None:
    settled = plan_host(assign(POD), observe(found(POD)), WorkerMemory(), NOW).memory
    assert settled.pod(POD.uid).settled is not None
    assert settled.record(START, None, NOW).pod(POD.uid).settled is None
