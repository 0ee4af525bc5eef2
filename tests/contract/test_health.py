"""Probes and lifecycle hooks, the same cases on a simulated host and on a real one."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from differ.kubelet.actions import RunHook, SignalContainer, StartContainer
from differ.kubelet.pods import HostPlan
from objects.api.pods import (
    ExecAction,
    Lifecycle,
    LifecycleHandler,
    Pod,
    Probe,
    SleepAction,
)
from reconciler.workers.host_pass import remember
from tests.contract.world import Kubelet, container, make_pod, show


def looks_for(file: str, **fields: int) -> Probe:
    """A probe by a command, every second, unless `fields` say otherwise.

    It leaves a mark that it was asked, for those who begin to be ready then: how soon that is depends on the host.
    """
    times = {"period_seconds": 1, "timeout_seconds": 5, "failure_threshold": 1, **fields}
    script = f"test -f {file} || {{ touch /asked; echo no {file}; false; }}"
    return Probe(exec=ExecAction(command=("sh", "-c", script)), **times)


def hook(script: str) -> LifecycleHandler:
    return LifecycleHandler(exec=ExecAction(command=("sh", "-c", script)))


def is_ready(plan: HostPlan, pod: Pod) -> bool:
    return " ready " in show(plan.statuses[pod.uid])


def deleted(pod: Pod, kubelet: Kubelet, grace_seconds: int) -> Pod:
    ends = kubelet.world.now() + timedelta(seconds=grace_seconds)
    metadata = msgspec.structs.replace(
        pod.metadata, deletion_timestamp=ends, deletion_grace_period_seconds=grace_seconds
    )
    return msgspec.structs.replace(pod, metadata=metadata)


def test_a_pod_is_ready_when_its_probe_says_so(kubelet: Kubelet) -> None:
    pod = make_pod("warm", container("warming", readiness_probe=looks_for("/ready", period_seconds=60)))
    plan = kubelet.until(lambda plan: "warming running" in show(plan.statuses[pod.uid]), pod)
    assert not is_ready(plan, pod)
    begun = kubelet.world.now()
    plan = kubelet.until(lambda plan: is_ready(plan, pod), pod)
    # Sooner than its period of a minute: until it is ready for the first time it is asked more often.
    assert kubelet.world.now() - begun < timedelta(seconds=50)
    # One row of failures is told once, however many they are.
    assert [(said.type, said.reason, said.message) for said in kubelet.happened] == [
        ("Warning", "Unhealthy", "Readiness probe failed: no /ready")
    ]


def test_a_pod_is_unready_when_its_probe_fails(kubelet: Kubelet) -> None:
    pod = make_pod("flick", container("flicker", readiness_probe=looks_for("/ready")))
    kubelet.until(lambda plan: is_ready(plan, pod), pod)
    plan = kubelet.until(lambda plan: not is_ready(plan, pod), pod)
    assert show(plan.statuses[pod.uid]) == "Running [flicker running r0]"
    assert kubelet.happened[-1].message == "Readiness probe failed: no /ready"
    assert kubelet.actions[-1:] and not isinstance(kubelet.actions[-1], SignalContainer)


def test_a_failed_liveness_probe_restarts_the_container(kubelet: Kubelet) -> None:
    pod = make_pod("sick", container("sick", liveness_probe=looks_for("/alive")))
    plan = kubelet.until(lambda plan: "running r1" in show(plan.statuses[pod.uid]), pod)
    (status,) = plan.statuses[pod.uid].container_statuses
    assert status.last_state.terminated is not None
    assert (status.last_state.terminated.exit_code, status.last_state.terminated.reason) == (0, "Completed")
    stops = [action for action in kubelet.actions if isinstance(action, SignalContainer)]
    assert [(stop.signal, stop.why) for stop in stops] == [
        ("TERM", "Container sick failed liveness probe, will be restarted")
    ]
    assert [type(action) for action in kubelet.actions[-2:]] == [SignalContainer, StartContainer]
    assert [(said.reason, said.message) for said in kubelet.happened] == [
        ("Unhealthy", "Liveness probe failed: no /alive")
    ]


@pytest.mark.parametrize("policy", ["OnFailure", "Never"])
def test_what_is_stopped_for_its_probe_follows_the_restart_policy(kubelet: Kubelet, policy: str) -> None:
    pod = make_pod("sick", container("sick", liveness_probe=looks_for("/alive")), restart_policy=policy)
    expected = "Running ready [sick running r1]" if policy == "OnFailure" else "Succeeded [sick Completed(0) r0]"
    kubelet.until(lambda plan: show(plan.statuses[pod.uid]) == expected, pod)


def test_other_probes_wait_for_the_startup_probe(kubelet: Kubelet) -> None:
    probes = {
        "startup_probe": looks_for("/ready", failure_threshold=10),
        "liveness_probe": looks_for("/ready"),
        "readiness_probe": looks_for("/ready"),
    }
    pod = make_pod("slow", container("warming", **probes))
    plan = kubelet.until(lambda plan: "warming running" in show(plan.statuses[pod.uid]), pod)
    assert [status.started for status in plan.statuses[pod.uid].container_statuses] == [False]
    plan = kubelet.until(lambda plan: is_ready(plan, pod), pod)
    assert [status.started for status in plan.statuses[pod.uid].container_statuses] == [True]
    assert show(plan.statuses[pod.uid]) == "Running ready [warming running r0]"


def test_a_failed_startup_probe_restarts_the_container(kubelet: Kubelet) -> None:
    pod = make_pod("late", container("warming", startup_probe=looks_for("/ready")))
    kubelet.until(lambda plan: "running r1" in show(plan.statuses[pod.uid]), pod)


def test_hooks_run_before_running_and_before_the_signal(kubelet: Kubelet) -> None:
    lifecycle = Lifecycle(post_start=hook("sleep 0.5"), pre_stop=hook("sleep 0.5"))
    pod = make_pod("hooks", container("hooked", lifecycle=lifecycle))
    plan = kubelet.until(lambda plan: any(isinstance(action, RunHook) for action in plan.actions), pod)
    assert show(plan.statuses[pod.uid]) == "Pending [hooked ContainerCreating r0]"
    begun = kubelet.world.now()
    kubelet.until(lambda plan: is_ready(plan, pod), pod)
    assert kubelet.world.now() - begun >= timedelta(seconds=0.4)
    before, begun = len(kubelet.actions), kubelet.world.now()
    kubelet.until(lambda plan: bool(plan.gone), deleted(pod, kubelet, 30), seconds=10)
    assert kubelet.world.now() - begun >= timedelta(seconds=0.5)
    first, second, *_ = kubelet.actions[before:]
    assert isinstance(first, RunHook)
    assert isinstance(second, SignalContainer)
    assert (first.kind, first.why, second.signal, second.why) == ("preStop", "Stopping container hooked", "TERM", "")


def test_a_sleep_before_the_signal(kubelet: Kubelet) -> None:
    lifecycle = Lifecycle(pre_stop=LifecycleHandler(sleep=SleepAction(seconds=1)))
    pod = make_pod("sleeps", container("sleeper", lifecycle=lifecycle))
    kubelet.settle(pod)
    begun = kubelet.world.now()
    ending = deleted(pod, kubelet, 30)
    kubelet.until(lambda plan: any(isinstance(action, SignalContainer) for action in plan.actions), ending, seconds=5)
    assert timedelta(seconds=1) <= kubelet.world.now() - begun < timedelta(seconds=3)
    kubelet.until(lambda plan: bool(plan.gone), ending, seconds=5)


def test_a_hook_may_not_outlast_the_grace_period(kubelet: Kubelet) -> None:
    lifecycle = Lifecycle(pre_stop=LifecycleHandler(sleep=SleepAction(seconds=60)))
    pod = make_pod("sleeps", container("stubborn", lifecycle=lifecycle))
    kubelet.settle(pod)
    begun = kubelet.world.now()
    kubelet.until(lambda plan: bool(plan.gone), deleted(pod, kubelet, 1), seconds=8)
    # The grace period, and the two seconds that a hook has to leave.
    assert timedelta(seconds=3) <= kubelet.world.now() - begun < timedelta(seconds=6)
    signals = [action.signal for action in kubelet.actions if isinstance(action, SignalContainer)]
    assert signals == ["TERM", "KILL"]


def test_failed_hooks_are_told(kubelet: Kubelet) -> None:
    failing = hook("echo hook: refused; exit 1")
    started = make_pod("started", container("unhooked", lifecycle=Lifecycle(post_start=failing)))
    kubelet.until(lambda plan: "unhooked CrashLoopBackOff r1" in show(plan.statuses[started.uid]), started)
    told = {(said.reason, said.message) for said in kubelet.happened}
    assert ("FailedPostStartHook", "postStart hook failed: hook: refused") in told


def test_a_failed_hook_does_not_keep_a_pod(kubelet: Kubelet) -> None:
    pod = make_pod("ends", container("unhooked", lifecycle=Lifecycle(pre_stop=hook("echo hook: refused; exit 1"))))
    kubelet.settle(pod)
    kubelet.until(lambda plan: bool(plan.gone), deleted(pod, kubelet, 30), seconds=10)
    assert [(said.reason, said.message) for said in kubelet.happened] == [
        ("FailedPreStopHook", "preStop hook failed: hook: refused")
    ]


def test_a_fresh_process_takes_no_pod_for_unready(kubelet: Kubelet) -> None:
    probe = looks_for("/ready")
    pod = make_pod("kept", container("warming", readiness_probe=probe, startup_probe=probe))
    pod = with_longer_start(pod)
    plan = kubelet.until(lambda plan: is_ready(plan, pod), pod)
    kubelet.world.runtime.keep_probing(())
    kubelet.memory = remember([msgspec.structs.replace(pod, status=plan.statuses[pod.uid])])
    seen = kubelet.step(pod)
    assert is_ready(seen, pod)
    assert seen.statuses[pod.uid].conditions == plan.statuses[pod.uid].conditions
    kubelet.memory = remember([])
    kubelet.world.runtime.keep_probing(())
    assert not is_ready(kubelet.step(pod), pod)


def with_longer_start(pod: Pod) -> Pod:
    (one,) = pod.spec.containers
    assert one.startup_probe is not None
    startup = msgspec.structs.replace(one.startup_probe, failure_threshold=10)
    changed = msgspec.structs.replace(one, startup_probe=startup)
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, containers=(changed,)))


@pytest.mark.parametrize(
    ("name", "path", "policy", "message"),
    [
        pytest.param("wordy", "/words", "File", "to the file", id="a-file"),
        pytest.param("wordy", "/words", "FallbackToLogsOnError", "to the file", id="the-file-first"),
        pytest.param("loud", "/dev/termination-log", "FallbackToLogsOnError", "to the log\n", id="the-log"),
    ],
)
def test_what_a_container_says_at_its_end(kubelet: Kubelet, name: str, path: str, policy: str, message: str) -> None:
    words = {"termination_message_path": path, "termination_message_policy": policy}
    pod = make_pod("words", container(name, **words), restart_policy="Never")
    plan = kubelet.until(lambda plan: plan.statuses[pod.uid].phase == "Failed", pod)
    (status,) = plan.statuses[pod.uid].container_statuses
    assert status.state.terminated is not None
    assert (status.state.terminated.reason, status.state.terminated.message) == ("Error", message)
