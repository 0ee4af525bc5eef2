"""The same cases on a simulated host and on a real Docker Engine: what one does, the other does."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from differ.kubelet.actions import (
    ApplyHostPart,
    CreateContainer,
    EnsureNetwork,
    PullImage,
    RemoveContainer,
    SignalContainer,
    StartContainer,
)
from differ.kubelet.containers.environment import PodContext
from differ.kubelet.containers.spec import compose_container
from differ.kubelet.usage import foreign_loads
from objects.api.pods import ContainerPort, Pod, ResourceRequirements
from objects.api.volumes import EmptyDirVolumeSource, Volume
from objects.errors import EngineError, HostError
from tests.contract.world import NO_IMAGE, Kubelet, World, container, make_pod, show


def name_of(pod: Pod, container_name: str, attempt: int = 0) -> str:
    return f"berth_{container_name}_{pod.name}_default_{pod.uid}_{attempt}"


def status_of(kubelet: Kubelet, *pods: Pod, seconds: float = 60) -> list[str]:
    plan = kubelet.settle(*pods, seconds=seconds)
    return [show(plan.statuses[pod.uid]) for pod in pods]


def deleted(pod: Pod, kubelet: Kubelet, grace_seconds: int) -> Pod:
    metadata = msgspec.structs.replace(
        pod.metadata,
        deletion_timestamp=kubelet.world.now() + timedelta(seconds=grace_seconds),
        deletion_grace_period_seconds=grace_seconds,
    )
    return msgspec.structs.replace(pod, metadata=metadata)


def test_a_pod_of_one_container_starts_with_one_create(kubelet: Kubelet) -> None:
    pod = make_pod("one", container("sleeper"))
    assert status_of(kubelet, pod) == ["Running ready [sleeper running r0]"]
    of_the_host = (EnsureNetwork, ApplyHostPart)
    assert [type(a) for a in kubelet.actions if not isinstance(a, of_the_host)] == [CreateContainer]
    (found,) = kubelet.world.runtime.observe().containers
    assert (found.name, found.address, found.network_mode, found.restart_policy, found.cpu_shares) == (
        name_of(pod, "sleeper"),
        "10.244.9.5",
        "berth-pods",
        "always",
        2,
    )


def test_a_second_look_finds_nothing_to_do(kubelet: Kubelet) -> None:
    pod = make_pod("calm", container("sleeper"), container("sleeper-2"))
    kubelet.settle(pod)
    kubelet.forget()
    before = len(kubelet.actions)
    kubelet.step(pod)
    assert kubelet.actions[before:] == []


@pytest.mark.parametrize(
    ("policy", "name", "expected"),
    [
        pytest.param("Never", "done", "Succeeded [done Completed(0) r0]", id="never-success"),
        pytest.param("Never", "crasher", "Failed [crasher Error(3) r0]", id="never-failure"),
        pytest.param("OnFailure", "done", "Succeeded [done Completed(0) r0]", id="on-failure-success"),
        pytest.param("Never", "hungry", "Failed [hungry OOMKilled(137) r0]", id="out-of-memory"),
    ],
)
def test_how_a_pod_ends(kubelet: Kubelet, policy: str, name: str, expected: str) -> None:
    limits = ResourceRequirements(limits={"memory": "16Mi"})
    pod = make_pod("ends", container(name, resources=limits), restart_policy=policy)
    # That the kernel ended it for its memory an engine may learn after its end.
    kubelet.until(lambda plan: show(plan.statuses[pod.uid]) == expected, pod, seconds=20)
    assert kubelet.step(pod).actions == ()


@pytest.mark.parametrize("policy", ["Always", "OnFailure"])
def test_a_crash_is_restarted_at_once_then_with_back_off(kubelet: Kubelet, policy: str) -> None:
    pod = make_pod("crash", container("crasher"), restart_policy=policy)
    plan = kubelet.until(lambda plan: "CrashLoopBackOff" in show(plan.statuses[pod.uid]) and not plan.actions, pod)
    (status,) = plan.statuses[pod.uid].container_statuses
    # A busy engine may do a second restart of its own before we look; then that counts.
    restarts = status.restart_count
    assert 1 <= restarts <= 2
    assert show(plan.statuses[pod.uid]) == f"Running [crasher CrashLoopBackOff r{restarts}]"
    assert status.last_state.terminated is not None
    assert status.last_state.terminated.exit_code == 3
    assert status.state.waiting is not None
    expected = f"back-off {10 * restarts}s restarting failed container=crasher pod=crash_default({pod.uid})"
    assert status.state.waiting.message == expected
    assert plan.wake_at is not None
    kubelet.world.pass_time(5 * restarts)  # and what the machine takes: on a busy one that is seconds
    assert kubelet.step(pod).actions == ()
    again = f"CrashLoopBackOff r{restarts + 1}"
    plan = kubelet.until(lambda plan: again in show(plan.statuses[pod.uid]) and not plan.actions, pod)
    assert f"back-off {20 * restarts}s" in str(plan.statuses[pod.uid].container_statuses[0].state.waiting)
    (found,) = kubelet.world.runtime.observe().containers
    assert found.restart_policy == "no"  # from the second crash in a row on Docker restarts it no more


def test_a_killed_container_is_started_at_once_and_counted(kubelet: Kubelet) -> None:
    pod = make_pod("killed", container("sleeper"))
    kubelet.settle(pod)
    kubelet.world.kill(name_of(pod, "sleeper"))
    assert [type(action) for action in kubelet.step(pod).actions] == [StartContainer]
    assert status_of(kubelet, pod) == ["Running ready [sleeper running r1]"]
    assert [c.name for c in kubelet.world.runtime.observe().containers] == [name_of(pod, "sleeper", 1)]


def test_drift_is_put_right(kubelet: Kubelet) -> None:
    limits = ResourceRequirements(limits={"memory": "32Mi", "cpu": "500m"})
    pod = make_pod("drift", container("sleeper", resources=limits))
    kubelet.settle(pod)
    name = name_of(pod, "sleeper")
    kubelet.world.pause(name)
    assert status_of(kubelet, pod) == ["Running ready [sleeper running r0]"]
    kubelet.world.limit(name, 64 << 20)
    kubelet.world.pass_time(0.3)
    kubelet.settle(pod)
    kubelet.world.rename(name, "somebody")
    kubelet.world.pass_time(0.3)
    kubelet.settle(pod)
    (found,) = kubelet.world.runtime.observe().containers
    assert (found.state, found.memory_bytes, found.cpu_quota_micros, found.name) == ("running", 32 << 20, 50_000, name)


def test_a_container_from_a_committed_image_is_somebody_elses(kubelet: Kubelet) -> None:
    pod = make_pod("committed", container("sleeper"))
    kubelet.settle(pod)
    kubelet.world.run_committed(name_of(pod, "sleeper"), "my-debug")
    done = len(kubelet.actions)
    kubelet.settle(pod)
    assert kubelet.actions[done:] == []
    gone = deleted(pod, kubelet, 0)
    kubelet.until(lambda plan: plan.gone == (pod.uid,), gone)
    assert kubelet.step().unknown == ()
    (left,) = kubelet.world.runtime.observe().containers
    assert (left.name, left.state, left.labels["berth.dev/pod-uid"]) == ("my-debug", "running", pod.uid)
    assert [load.name for load in foreign_loads([left], None, None)] == ["my-debug"]


def test_a_removed_container_is_made_again_and_counted(kubelet: Kubelet) -> None:
    pod = make_pod("removed", container("sleeper"))
    kubelet.settle(pod)
    kubelet.world.remove(name_of(pod, "sleeper"))
    assert status_of(kubelet, pod) == ["Running ready [sleeper running r1]"]


def test_a_disconnected_container_is_replaced(kubelet: Kubelet) -> None:
    pod = make_pod("off", container("sleeper"))
    kubelet.settle(pod)
    kubelet.world.disconnect(name_of(pod, "sleeper"))
    assert status_of(kubelet, pod) == ["Running ready [sleeper running r1]"]
    (found,) = kubelet.world.runtime.observe().containers
    assert (found.address, found.has_no_network) == ("10.244.9.5", False)


def test_termination_waits_for_the_process_not_for_the_grace_period(kubelet: Kubelet) -> None:
    pod = make_pod("polite", container("sleeper"))
    kubelet.settle(pod)
    gone = kubelet.until(lambda plan: bool(plan.gone), deleted(pod, kubelet, 30), seconds=5)
    assert gone.gone == (pod.uid,)
    assert kubelet.world.runtime.observe().containers == ()


def test_termination_kills_after_the_grace_period(kubelet: Kubelet) -> None:
    pod = make_pod("rude", container("stubborn"))
    kubelet.settle(pod)
    begun = kubelet.world.now()
    kubelet.until(lambda plan: bool(plan.gone), deleted(pod, kubelet, 2), seconds=10)
    assert kubelet.world.now() - begun >= timedelta(seconds=2)
    assert [a.signal for a in kubelet.actions if isinstance(a, SignalContainer)] == ["TERM", "KILL"]


def test_termination_without_grace_is_one_call(kubelet: Kubelet) -> None:
    pod = make_pod("now", container("stubborn"))
    kubelet.settle(pod)
    before = len(kubelet.actions)
    kubelet.until(lambda plan: bool(plan.gone), deleted(pod, kubelet, 0))
    assert [type(action) for action in kubelet.actions[before:]] == [RemoveContainer]


def test_a_pod_in_back_off_is_removed(kubelet: Kubelet) -> None:
    pod = make_pod("loop", container("crasher"))
    kubelet.until(lambda plan: "CrashLoopBackOff" in show(plan.statuses[pod.uid]), pod)
    kubelet.until(lambda plan: bool(plan.gone), deleted(pod, kubelet, 30), seconds=5)
    assert kubelet.world.runtime.observe().containers == ()


def test_init_containers_run_one_after_another(kubelet: Kubelet) -> None:
    pod = make_pod("init", container("sleeper"), init_containers=(container("done"), container("done-2")))
    expected = "Running ready [done Completed(0) r0, done-2 Completed(0) r0, sleeper running r0]"
    assert status_of(kubelet, pod) == [expected]
    created = [action.container for action in kubelet.actions if isinstance(action, CreateContainer)]
    assert created == ["POD", "done", "done-2", "sleeper"]


def test_a_failing_init_container_fails_a_pod_that_never_restarts(kubelet: Kubelet) -> None:
    pod = make_pod("bad", container("sleeper"), init_containers=(container("crasher"),), restart_policy="Never")
    plan = kubelet.until(lambda plan: plan.statuses[pod.uid].phase == "Failed" and not plan.actions, pod)
    assert show(plan.statuses[pod.uid]) == "Failed [crasher Error(3) r0, sleeper PodInitializing r0]"
    states = {c.labels["berth.dev/container"]: c.state for c in kubelet.world.runtime.observe().containers}
    assert states == {"POD": "exited", "crasher": "exited"}


def test_a_failing_init_container_is_retried_with_back_off(kubelet: Kubelet) -> None:
    pod = make_pod("retry", container("sleeper"), init_containers=(container("crasher"),))
    plan = kubelet.until(lambda plan: "CrashLoopBackOff" in show(plan.statuses[pod.uid]), pod)
    assert show(plan.statuses[pod.uid]) == "Pending [crasher CrashLoopBackOff r1, sleeper PodInitializing r0]"


def test_a_sidecar_runs_before_and_beside_and_stops_last(kubelet: Kubelet) -> None:
    sidecar = container("sleeper-side", restart_policy="Always")
    pod = make_pod("side", container("sleeper"), init_containers=(sidecar, container("done")))
    expected = "Running ready [sleeper-side running r0, done Completed(0) r0, sleeper running r0]"
    assert status_of(kubelet, pod) == [expected]
    kubelet.until(lambda plan: bool(plan.gone), deleted(pod, kubelet, 30), seconds=10)
    signals = [action.container for action in kubelet.actions if isinstance(action, SignalContainer)]
    assert signals == ["sleeper", "sleeper-side"]


def test_a_killed_sandbox_begins_the_pod_anew(kubelet: Kubelet) -> None:
    pod = make_pod("box", container("sleeper"), container("sleeper-2"))
    kubelet.settle(pod)
    kubelet.world.pass_time(1.1)
    kubelet.world.kill(name_of(pod, "POD"))
    assert status_of(kubelet, pod) == ["Running ready [sleeper running r1, sleeper-2 running r1]"]


def test_a_removed_sandbox_is_made_again_with_its_containers(kubelet: Kubelet) -> None:
    pod = make_pod("gone", container("sleeper"), container("sleeper-2"))
    kubelet.settle(pod)
    kubelet.world.remove(name_of(pod, "POD"))
    assert status_of(kubelet, pod) == ["Running ready [sleeper running r1, sleeper-2 running r1]"]


def test_pods_come_back_with_the_engine(kubelet: Kubelet) -> None:
    one = make_pod("one", container("sleeper"))
    two = make_pod("two", container("sleeper"), container("sleeper-2"), last_byte=6)
    kubelet.settle(one, two)
    kubelet.world.restart_engine()
    kubelet.until(lambda plan: all(s.phase == "Running" for s in plan.statuses.values()) and not plan.actions, one, two)
    kubelet.settle(one, two)
    states = {c.name.split("_")[1]: c.state for c in kubelet.world.runtime.observe().containers}
    assert states == {"POD": "running", "sleeper": "running", "sleeper-2": "running"}


def test_an_unknown_image_backs_off(kubelet: Kubelet) -> None:
    pod = make_pod("nowhere", container("sleeper", image=NO_IMAGE))
    plan = kubelet.until(lambda plan: "ImagePullBackOff" in show(plan.statuses[pod.uid]), pod)
    assert show(plan.statuses[pod.uid]) == "Pending [sleeper ImagePullBackOff r0]"
    assert [type(action) for action in kubelet.actions[-1:]] == [PullImage]
    assert kubelet.step(pod).actions == ()
    assert [error.reason for error in kubelet.errors] == ["ErrImagePull"]


def test_a_program_that_is_not_there_says_so(kubelet: Kubelet) -> None:
    pod = make_pod("broken", container("broken"))
    plan = kubelet.until(lambda plan: bool(kubelet.errors) and not plan.actions, pod)
    (status,) = plan.statuses[pod.uid].container_statuses
    assert status.state.waiting is not None
    assert "/no/such/program" in status.state.waiting.message


def test_a_taken_host_port_is_told_and_waited_for(kubelet: Kubelet) -> None:
    ports = (ContainerPort(container_port=80, host_port=8099),)
    first = make_pod("first", container("sleeper", ports=ports))
    second = make_pod("second", container("sleeper", ports=ports), last_byte=6)
    kubelet.settle(first)
    plan = kubelet.until(lambda plan: bool(kubelet.errors) and not plan.actions, first, second)
    assert "port is already allocated" in str(plan.statuses[second.uid].container_statuses[0].state.waiting)
    kubelet.until(lambda plan: bool(plan.gone), deleted(first, kubelet, 0), second)
    assert status_of(kubelet, second) == ["Running ready [sleeper running r0]"]
    (found,) = kubelet.world.runtime.observe().containers
    assert (found.lacks_host_ports, {port for _, _, port in found.host_ports}) == (False, {8099})
    # Some engines start a container that was refused so, without its ports: there is none that is started again.
    assert [a for a in kubelet.actions if isinstance(a, StartContainer)] == []


def test_a_lost_answer_to_a_create_is_adopted(kubelet: Kubelet) -> None:
    pod = make_pod("lost", container("sleeper"))
    kubelet.step(pod)
    spec = compose_container(
        pod.spec.containers[0],
        PodContext(pod, kubelet.assign(pod)),
        attempt=0,
        sandbox_id="",
        host_memory_bytes=kubelet.world.runtime.observe().facts.memory_bytes,
    )
    create = CreateContainer(pod_uid=pod.uid, container="sleeper", spec=spec)
    kubelet.world.runtime.perform(create)
    kubelet.world.runtime.perform(create)
    assert status_of(kubelet, pod) == ["Running ready [sleeper running r0]"]
    other = msgspec.structs.replace(spec, labels={**spec.labels, "berth.dev/spec-hash": "another"})
    with pytest.raises(EngineError) as caught:
        kubelet.world.runtime.perform(CreateContainer(pod_uid=pod.uid, container="sleeper", spec=other))
    assert caught.value.status == 409


def test_what_is_already_so_is_done(kubelet: Kubelet) -> None:
    pod = make_pod("twice", container("sleeper"))
    kubelet.settle(pod)
    (found,) = kubelet.world.runtime.observe().containers
    perform = kubelet.world.runtime.perform
    perform(StartContainer(pod_uid=pod.uid, container="sleeper", id=found.id))
    perform(SignalContainer(pod_uid=pod.uid, container="sleeper", id=found.id, signal="KILL"))
    perform(SignalContainer(pod_uid=pod.uid, container="sleeper", id=found.id, signal="KILL"))
    perform(RemoveContainer(pod_uid=pod.uid, container="sleeper", id=found.id))
    perform(RemoveContainer(pod_uid=pod.uid, container="sleeper", id=found.id))
    perform(SignalContainer(pod_uid=pod.uid, container="sleeper", id=found.id, signal="TERM"))
    assert kubelet.world.runtime.observe().containers == ()


def test_starting_what_is_not_there_is_an_error(world: World) -> None:
    with pytest.raises(HostError):
        world.runtime.perform(StartContainer(pod_uid="u", container="c", id="0" * 64))


def test_unknown_pods_are_rebuilt_from_their_labels(kubelet: Kubelet) -> None:
    pod = make_pod("orphan", container("sleeper"), volumes=(Volume(name="v", empty_dir=EmptyDirVolumeSource()),))
    kubelet.settle(pod)
    kubelet.forget()
    plan = kubelet.step()
    assert (plan.unknown, plan.actions) == ((pod,), ())
