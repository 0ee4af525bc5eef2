"""Situations on a host, and the whole plan for each: actions, status, when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest
from msgspec import structs

from differ.kubelet.actions import (
    Action,
    ApplyHostPart,
    CreateContainer,
    EnsureNetwork,
    PullImage,
    RemoveContainer,
    RenameContainer,
    ResourceSettings,
    SignalContainer,
    StartContainer,
    UnpauseContainer,
    UpdateContainer,
)
from differ.kubelet.containers.environment import PodContext
from differ.kubelet.containers.spec import compose_container, compose_sandbox
from differ.kubelet.host.state import way_out
from differ.kubelet.memory import (
    ContainerMemory,
    Failure,
    PodMemory,
    Stopping,
    WorkerMemory,
)
from differ.kubelet.pods import plan_host
from differ.kubelet.run_times import RunTimes, run_of
from objects.api.meta import ObjectMeta
from objects.api.pods import (
    Container,
    ContainerPort,
    Pod,
    PodStatus,
    ResourceRequirements,
)
from objects.names import LABEL_CONTAINER, LABEL_POD_UID
from objects.observation.host import HostObservation, NetworkFact, ObservedContainer
from tests.unit.differ.building import (
    FACTS,
    NETWORK,
    NO_MEMORY,
    NOW,
    SANDBOX_ID,
    after,
    ago,
    assign,
    container,
    exited,
    found,
    make_pod,
    observe,
    show,
)

WEB = make_pod()
PORT = make_pod(container("main", ports=(ContainerPort(container_port=80, host_port=80),)))
TAKEN = "Bind for 0.0.0.0:80 failed: port is already allocated"
NEVER = make_pod(restart_policy="Never")
ON_FAILURE = make_pod(restart_policy="OnFailure")
TWO = make_pod(container("a"), container("b"))
INIT = make_pod(init_containers=(container("first"), container("second")))
SIDE = make_pod(init_containers=(container("side", restart_policy="Always"), container("first")))
ENDING = make_pod(deletion_timestamp=after(30), deletion_grace_period_seconds=30)
ENDING_NOW = make_pod(deletion_timestamp=NOW, deletion_grace_period_seconds=0)
ENDING_SIDE = make_pod(
    init_containers=(container("side", restart_policy="Always"), container("side-2", restart_policy="Always")),
    deletion_timestamp=after(30),
    deletion_grace_period_seconds=30,
)


def create(pod: Pod, name: str = "main", *, attempt: int = 0, sandbox_id: str = "") -> CreateContainer:
    context = PodContext(pod, assign(pod))
    every: dict[str, Container] = {c.name: c for c in (*pod.spec.init_containers, *pod.spec.containers)}
    if name == "POD":
        spec = compose_sandbox(context, attempt=attempt)
    else:
        spec = compose_container(
            every[name], context, attempt=attempt, sandbox_id=sandbox_id, host_memory_bytes=FACTS.memory_bytes
        )
    return CreateContainer(pod_uid=pod.uid, container=name, spec=spec)


def start(pod: Pod, name: str = "main", *, attempt: int | None = None) -> StartContainer:
    renamed = "" if attempt is None else f"berth_{name}_{pod.name}_default_{pod.uid}_{attempt}"
    return StartContainer(pod_uid=pod.uid, container=name, id=f"id-{name}", rename_to=renamed)


def remove(pod: Pod, name: str = "main", container_id: str = "") -> RemoveContainer:
    return RemoveContainer(pod_uid=pod.uid, container=name, id=container_id or f"id-{name}")


def signal(pod: Pod, name: str = "main", which: str = "TERM", *, takes_over: bool = False) -> SignalContainer:
    return SignalContainer(pod_uid=pod.uid, container=name, id=f"id-{name}", signal=which, stops_restarting=takes_over)


def takes_over(found: ObservedContainer) -> SignalContainer:
    """Cancels the restart that Docker is about to do."""
    kill = signal(WEB, which="KILL", takes_over=True)
    return structs.replace(kill, run=run_of(found))


def rename(pod: Pod, attempt: int) -> RenameContainer:
    name = f"berth_main_{pod.name}_default_{pod.uid}_{attempt}"
    return RenameContainer(pod_uid=pod.uid, container="main", id="id-main", name=name)


def policy(pod: Pod, restart_policy: str, *, resources: ResourceSettings | None = None) -> UpdateContainer:
    return UpdateContainer(
        pod_uid=pod.uid, container="main", id="id-main", restart_policy=restart_policy, resources=resources
    )


def ends(container: ObservedContainer, which: str = "TERM", *, is_begun: bool = False) -> SignalContainer:
    """The signal by which a pod that ends stops a container. is_begun: the stop was told of before."""
    name = container.labels[LABEL_CONTAINER]
    return SignalContainer(
        pod_uid=container.labels[LABEL_POD_UID],
        container=name,
        id=container.id,
        signal=which,
        run=run_of(container),
        why="" if is_begun else f"Stopping container {name}",
    )


def stop_sent(container: ObservedContainer, seconds_ago: float) -> WorkerMemory:
    """A pod whose container was sent its signal so long ago."""
    sent = Stopping(run=run_of(container), since=ago(seconds_ago), sent_at=ago(seconds_ago))
    pod = PodMemory(stopping_since=ago(seconds_ago), containers={"main": ContainerMemory(stop=sent)})
    return WorkerMemory(pods={container.labels[LABEL_POD_UID]: pod})


def remembering(pod: Pod, name: str = "main", **fields: object) -> WorkerMemory:
    kept = ContainerMemory(**fields)  # type: ignore[arg-type]
    return WorkerMemory(pods={pod.uid: PodMemory(containers={name: kept})})


def failing(retry_in: float, reason: str = "RunContainerError", message: str = "no") -> Failure:
    return Failure(count=3, retry_at=after(retry_in), reason=reason, message=message)


@dataclass
class Case:
    """What is there of the pod, what is to be done, how the pod is; wake: when to look again."""

    pod: Pod
    there: tuple[ObservedContainer, ...]
    actions: tuple[Action, ...]
    status: str
    memory: WorkerMemory = NO_MEMORY
    wake: datetime | None = None
    gone: bool = False


RUNS = "Running ready [main running r0]"
CASES = {
    # --- starting ------------------------------------------------------------------------------------------------
    "new": Case(WEB, (), (create(WEB),), "Pending [main ContainerCreating r0]"),
    "settled": Case(WEB, (found(WEB),), (), RUNS),
    "made-but-not-started": Case(
        WEB, (found(WEB, state="created", started_at=None),), (start(WEB),), "Pending [main ContainerCreating r0]"
    ),
    "made-with-ports-and-refused-to-start": Case(
        PORT,
        (found(PORT, state="created", started_at=None, error=TAKEN, host_ports=(("tcp", "", 80),)),),
        (remove(PORT), create(PORT)),
        "Pending [main ContainerCreating r0]",
        memory=remembering(PORT, restarts=0, failure=failing(-1)),
    ),
    "made-without-ports-and-refused-to-start": Case(
        WEB,
        (found(WEB, state="created", started_at=None, error="no such program"),),
        (start(WEB),),
        "Pending [main ContainerCreating r0]",
        memory=remembering(WEB, restarts=0, failure=failing(-1)),
    ),
    "runs-without-its-ports": Case(
        PORT,
        (found(PORT, host_ports=(("tcp", "", 80),), lacks_host_ports=True),),
        (remove(PORT), create(PORT, attempt=1)),
        RUNS,
    ),
    "being-removed-by-docker": Case(
        WEB, (found(WEB, state="removing"),), (), "Pending [main ContainerCreating r0]", wake=after(1)
    ),
    "dead": Case(
        WEB, (found(WEB, state="dead"),), (remove(WEB), create(WEB, attempt=1)), "Running [main Completed(0) r0]"
    ),
    "create-failed-lately": Case(
        WEB,
        (),
        (),
        "Pending [main RunContainerError: no r0]",
        memory=remembering(WEB, failure=failing(2)),
        wake=after(2),
    ),
    "create-failed-long-ago": Case(
        WEB, (), (create(WEB),), "Pending [main ContainerCreating r0]", memory=remembering(WEB, failure=failing(-1))
    ),
    "two-of-one-container": Case(
        WEB, (found(WEB), found(WEB, id="id-copy", state="exited")), (remove(WEB, container_id="id-copy"),), RUNS
    ),
    "removed-and-counted": Case(
        WEB,
        (),
        (create(WEB, attempt=3),),
        "Pending [main ContainerCreating r0]",
        memory=remembering(WEB, restarts=2),
    ),
    # --- restarts ------------------------------------------------------------------------------------------------
    "killed": Case(WEB, (exited(WEB, code=137),), (start(WEB, attempt=1),), "Running [main Error(137) r0]"),
    "docker-restarted-it-once": Case(WEB, (found(WEB, restart_count=1),), (), "Running ready [main running r1]"),
    "docker-restarts-it-the-first-time": Case(
        WEB,
        (exited(WEB, code=1, state="restarting", restart_count=1),),
        (),
        "Running [main Error(1) r0]",
        wake=after(1),
    ),
    "docker-restarts-it-the-second-time": Case(
        WEB,
        (exited(WEB, code=1, state="restarting", restart_count=2),),
        (takes_over(exited(WEB, code=1)),),
        "Running [main CrashLoopBackOff r1]",
    ),
    "docker-restarts-it-after-a-long-run": Case(
        WEB,
        (exited(WEB, code=1, state="restarting", restart_count=2, after_seconds=3600),),
        (),
        "Running [main Error(1) r1]",
        wake=after(1),
    ),
    "crashed-again-and-taken-over": Case(
        WEB,
        (exited(WEB, code=1, restart_count=2, ago_seconds=4),),
        (),
        "Running [main CrashLoopBackOff: back-off 10s restarting failed container=main pod=web_default(uid-web) r1]",
        memory=remembering(WEB, taken_over_run=run_of(exited(WEB, ago_seconds=4)), restarts=1),
        wake=after(6),
    ),
    "third-crash": Case(
        WEB,
        (exited(WEB, code=1, attempt=2),),
        (),
        "Running [main CrashLoopBackOff: back-off 20s restarting failed container=main pod=web_default(uid-web) r2]",
        wake=after(19),
    ),
    "back-off-is-over": Case(
        WEB,
        (exited(WEB, code=1, attempt=2, ago_seconds=20),),
        (policy(WEB, "no"), start(WEB, attempt=3)),
        "Running [main Error(1) r2]",
    ),
    "first-back-off-is-over": Case(
        WEB,
        (exited(WEB, code=1, attempt=1, ago_seconds=10),),
        (policy(WEB, "no"), start(WEB, attempt=2)),
        "Running [main Error(1) r1]",
    ),
    "docker-restarted-it-twice": Case(
        WEB,
        (found(WEB, restart_count=2),),
        (policy(WEB, "no", resources=ResourceSettings(cpu_shares=2)),),
        "Running ready [main running r2]",
        wake=after(540),
    ),
    "dockers-restarts-are-forbidden": Case(
        WEB,
        (found(WEB, attempt=2, restart_policy="no"),),
        (),
        "Running ready [main running r2]",
        wake=after(540),
    ),
    "dockers-restarts-are-allowed-again": Case(
        WEB,
        (found(WEB, attempt=2, restart_policy="no", started_at=ago(600)),),
        (policy(WEB, "always", resources=ResourceSettings(cpu_shares=2)),),
        "Running ready [main running r2]",
    ),
    "the-engine-started-it-again": Case(
        WEB,
        (found(WEB, started_at=ago(1)),),
        (rename(WEB, 4),),
        "Running ready [main running r4]",
        memory=remembering(WEB, restarts=3, streak_base=3, times=RunTimes(run="id-main@before", began_at=ago(9))),
    ),
    "a-fresh-process-knows-the-count-from-the-status": Case(
        WEB,
        (found(WEB, started_at=ago(700)),),
        (rename(WEB, 3),),
        "Running ready [main running r3]",
        memory=remembering(WEB, restarts=3),
    ),
    "the-hosts-clock-was-set-back": Case(
        WEB,
        (exited(WEB, code=1, attempt=2, ago_seconds=-7200),),
        (),
        "Running [main CrashLoopBackOff: back-off 20s restarting failed container=main pod=web_default(uid-web) r2]",
        wake=after(20),
    ),
    "back-off-is-capped": Case(
        WEB,
        (exited(WEB, code=1, attempt=40, ago_seconds=1),),
        (),
        "Running [main CrashLoopBackOff: back-off 300s restarting failed container=main pod=web_default(uid-web) r40]",
        wake=after(299),
    ),
    "back-off-begins-anew-after-a-long-run": Case(
        WEB,
        (exited(WEB, code=1, attempt=7, after_seconds=600),),
        (start(WEB, attempt=8),),
        "Running [main Error(1) r7]",
    ),
    "never-success": Case(NEVER, (exited(NEVER),), (), "Succeeded [main Completed(0) r0]"),
    "never-failure": Case(NEVER, (exited(NEVER, code=2),), (), "Failed [main Error(2) r0]"),
    "never-out-of-memory": Case(
        NEVER, (exited(NEVER, code=137, oom_killed=True),), (), "Failed [main OOMKilled(137) r0]"
    ),
    "on-failure-success": Case(ON_FAILURE, (exited(ON_FAILURE),), (), "Succeeded [main Completed(0) r0]"),
    "on-failure-failure": Case(
        ON_FAILURE, (exited(ON_FAILURE, code=2),), (start(ON_FAILURE, attempt=1),), "Running [main Error(2) r0]"
    ),
    "ended-pods-stay-ended": Case(
        NEVER,
        (),
        (),
        "Succeeded [main ContainerCreating r0]",
        memory=WorkerMemory(pods={NEVER.uid: PodMemory(status=PodStatus(phase="Succeeded"))}),
    ),
    # --- drift ---------------------------------------------------------------------------------------------------
    "paused": Case(
        WEB,
        (found(WEB, state="paused"),),
        (UnpauseContainer(pod_uid=WEB.uid, container="main", id="id-main"),),
        "Running [main running r0]",
    ),
    "limits-changed": Case(
        WEB,
        (found(WEB, memory_bytes=1 << 20),),
        (
            UpdateContainer(
                pod_uid=WEB.uid,
                container="main",
                id="id-main",
                restart_policy="always",
                resources=ResourceSettings(cpu_shares=2),
            ),
        ),
        RUNS,
    ),
    "limits-do-not-stick": Case(
        WEB,
        (found(WEB, memory_bytes=1 << 20),),
        (),
        RUNS,
        memory=remembering(WEB, update=failing(4)),
        wake=after(4),
    ),
    "restart-policy-changed": Case(
        WEB,
        (found(WEB, restart_policy="no"),),
        (
            UpdateContainer(
                pod_uid=WEB.uid,
                container="main",
                id="id-main",
                restart_policy="always",
                resources=ResourceSettings(cpu_shares=2),
            ),
        ),
        RUNS,
    ),
    "renamed": Case(
        WEB,
        (found(WEB, name="mine", restart_count=1),),
        (rename(WEB, 2),),
        "Running ready [main running r3]",
        memory=remembering(WEB, restarts=3, streak_base=2),
    ),
    "off-its-network": Case(
        WEB, (found(WEB, address="", has_no_network=True),), (remove(WEB), create(WEB, attempt=1)), RUNS
    ),
    "another-address": Case(WEB, (found(WEB, address="10.244.3.99"),), (remove(WEB), create(WEB, attempt=1)), RUNS),
    "another-image": Case(WEB, (found(WEB, image="web:v0"),), (remove(WEB), create(WEB, attempt=1)), RUNS),
    "the-same-image-by-its-long-name": Case(WEB, (found(WEB, image="docker.io/library/web:v1"),), (), RUNS),
    # --- sandbox, init containers, sidecars ----------------------------------------------------------------------
    "sandbox-first": Case(TWO, (), (create(TWO, "POD"),), "Pending [a ContainerCreating r0, b ContainerCreating r0]"),
    "sandbox-runs": Case(
        TWO,
        (found(TWO, "POD"),),
        (create(TWO, "a", sandbox_id=SANDBOX_ID), create(TWO, "b", sandbox_id=SANDBOX_ID)),
        "Pending [a ContainerCreating r0, b ContainerCreating r0]",
    ),
    "all-of-it-runs": Case(
        TWO, (found(TWO, "POD"), found(TWO, "a"), found(TWO, "b")), (), "Running ready [a running r0, b running r0]"
    ),
    "one-of-two-died": Case(
        TWO,
        (found(TWO, "POD"), found(TWO, "a"), exited(TWO, "b", 1)),
        (start(TWO, "b", attempt=1),),
        "Running [a running r0, b Error(1) r0]",
    ),
    "sandbox-died": Case(
        TWO,
        (exited(TWO, "POD", 137), found(TWO, "a"), found(TWO, "b")),
        (start(TWO, "POD", attempt=1),),
        "Running ready [a running r0, b running r0]",
    ),
    "sandbox-was-restarted": Case(
        TWO,
        (found(TWO, "POD", attempt=1, started_at=ago(1)), found(TWO, "a"), found(TWO, "b")),
        (signal(TWO, "a", "KILL"), signal(TWO, "b", "KILL")),
        "Running ready [a running r0, b running r0]",
    ),
    "sandbox-is-another": Case(
        TWO,
        (
            found(TWO, "POD"),
            exited(TWO, "a", 137, network_mode="container:old"),
            exited(TWO, "b", 137, network_mode="container:old"),
        ),
        (
            remove(TWO, "a"),
            create(TWO, "a", attempt=1, sandbox_id=SANDBOX_ID),
            remove(TWO, "b"),
            create(TWO, "b", attempt=1, sandbox_id=SANDBOX_ID),
        ),
        "Running [a Error(137) r0, b Error(137) r0]",
    ),
    "first-init": Case(
        INIT,
        (found(INIT, "POD"),),
        (create(INIT, "first", sandbox_id=SANDBOX_ID),),
        "Pending [first PodInitializing r0, second PodInitializing r0, main PodInitializing r0]",
    ),
    "first-init-runs": Case(
        INIT,
        (found(INIT, "POD"), found(INIT, "first")),
        (),
        "Pending [first running r0, second PodInitializing r0, main PodInitializing r0]",
    ),
    "second-init": Case(
        INIT,
        (found(INIT, "POD"), exited(INIT, "first")),
        (create(INIT, "second", sandbox_id=SANDBOX_ID),),
        "Pending [first Completed(0) r0, second PodInitializing r0, main PodInitializing r0]",
    ),
    "init-failed": Case(
        INIT,
        (found(INIT, "POD"), exited(INIT, "first", 1)),
        (start(INIT, "first", attempt=1),),
        "Pending [first Error(1) r0, second PodInitializing r0, main PodInitializing r0]",
    ),
    "init-done": Case(
        INIT,
        (found(INIT, "POD"), exited(INIT, "first"), exited(INIT, "second")),
        (create(INIT, sandbox_id=SANDBOX_ID),),
        "Pending [first Completed(0) r0, second Completed(0) r0, main PodInitializing r0]",
    ),
    "init-again-in-a-restarted-sandbox": Case(
        INIT,
        (
            found(INIT, "POD", started_at=ago(0.5)),
            exited(INIT, "first"),
            exited(INIT, "second"),
            exited(INIT, "main", 137),
        ),
        (remove(INIT, "first"), create(INIT, "first", attempt=1, sandbox_id=SANDBOX_ID)),
        "Running [first Completed(0) r0, second Completed(0) r0, main Error(137) r0]",
    ),
    "sidecar-runs-then-init": Case(
        SIDE,
        (found(SIDE, "POD"), found(SIDE, "side")),
        (create(SIDE, "first", sandbox_id=SANDBOX_ID),),
        "Pending [side running r0, first PodInitializing r0, main PodInitializing r0]",
    ),
    "sidecar-died-beside-main": Case(
        SIDE,
        (found(SIDE, "POD"), exited(SIDE, "side", 1), exited(SIDE, "first"), found(SIDE)),
        (start(SIDE, "side", attempt=1),),
        "Running [side Error(1) r0, first Completed(0) r0, main running r0]",
    ),
    "sidecar-ended-well-before-it-was-started": Case(
        SIDE,
        (found(SIDE, "POD"), exited(SIDE, "side", 0, attempt=2)),
        (),
        "Pending [side CrashLoopBackOff: back-off 20s restarting failed container=side pod=web_default(uid-web) r2,"
        " first PodInitializing r0, main PodInitializing r0]",
        wake=after(19),
    ),
    "sidecar-that-ended-well-is-started-again": Case(
        SIDE,
        (found(SIDE, "POD"), exited(SIDE, "side", 0, attempt=2, ago_seconds=20)),
        (
            UpdateContainer(pod_uid=SIDE.uid, container="side", id="id-side", restart_policy="no"),
            start(SIDE, "side", attempt=3),
        ),
        "Pending [side Completed(0) r2, first PodInitializing r0, main PodInitializing r0]",
    ),
    # --- termination ---------------------------------------------------------------------------------------------
    "end-begins": Case(ENDING, (found(ENDING),), (ends(found(ENDING)),), RUNS),
    "end-with-its-own-signal": Case(
        ENDING, (found(ENDING, stop_signal="SIGQUIT"),), (ends(found(ENDING), "QUIT"),), RUNS
    ),
    "end-is-under-way": Case(
        ENDING,
        (found(ENDING),),
        (),
        RUNS,
        memory=stop_sent(found(ENDING), 10),
        wake=after(20),
    ),
    "end-takes-too-long": Case(
        ENDING,
        (found(ENDING),),
        (ends(found(ENDING), "KILL", is_begun=True),),
        RUNS,
        memory=stop_sent(found(ENDING), 30),
    ),
    "end-has-come": Case(ENDING, (exited(ENDING),), (remove(ENDING),), "Running [main Completed(0) r0]"),
    "end-without-grace": Case(ENDING_NOW, (found(ENDING_NOW),), (remove(ENDING_NOW),), RUNS),
    "end-of-what-never-began": Case(ENDING, (), (), "Pending [main ContainerCreating r0]", gone=True),
    "end-while-docker-restarts-it": Case(
        ENDING,
        (exited(ENDING, code=1, state="restarting", restart_count=2),),
        (ends(exited(ENDING, code=1, state="restarting", restart_count=2)),),
        "Running [main Error(1) r1]",
    ),
    "end-of-main-before-sidecars": Case(
        ENDING_SIDE,
        (found(ENDING_SIDE, "POD"), found(ENDING_SIDE, "side"), found(ENDING_SIDE, "side-2"), found(ENDING_SIDE)),
        (ends(found(ENDING_SIDE)),),
        "Running ready [side running r0, side-2 running r0, main running r0]",
    ),
    "end-of-the-last-sidecar-first": Case(
        ENDING_SIDE,
        (found(ENDING_SIDE, "POD"), found(ENDING_SIDE, "side"), found(ENDING_SIDE, "side-2"), exited(ENDING_SIDE)),
        (ends(found(ENDING_SIDE, "side-2")),),
        "Running [side running r0, side-2 running r0, main Completed(0) r0]",
    ),
    "end-of-the-sandbox-last": Case(
        ENDING_SIDE,
        (
            found(ENDING_SIDE, "POD"),
            exited(ENDING_SIDE, "side"),
            exited(ENDING_SIDE, "side-2"),
            exited(ENDING_SIDE),
        ),
        (
            remove(ENDING_SIDE, "main"),
            remove(ENDING_SIDE, "side-2"),
            remove(ENDING_SIDE, "side"),
            remove(ENDING_SIDE, "POD"),
        ),
        "Running [side Completed(0) r0, side-2 Completed(0) r0, main Completed(0) r0]",
    ),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_plan(case: Case) -> None:
    plan = plan_host(assign(case.pod), observe(*case.there), case.memory, NOW)
    assert plan.actions == case.actions
    assert show(plan.statuses[case.pod.uid]) == case.status
    assert (plan.wake_at, plan.gone, plan.unknown) == (case.wake, (case.pod.uid,) if case.gone else (), ())


DEADLINE = make_pod(active_deadline_seconds=60, status=PodStatus(pod_ip="10.244.3.7", start_time=ago(50)))
OVERDUE = make_pod(active_deadline_seconds=60, status=PodStatus(pod_ip="10.244.3.7", start_time=ago(60)))
DECIDED = make_pod(status=PodStatus(pod_ip="10.244.3.7", phase="Failed", reason="Preempting"))
EVICTED = make_pod(status=PodStatus(pod_ip="10.244.3.7", phase="Failed", reason="Evicted"))


def stop(pod: Pod) -> tuple[Action, ...]:
    forbid = UpdateContainer(pod_uid=pod.uid, container="main", id="id-main", restart_policy="no")
    return (forbid, ends(found(pod)))


@pytest.mark.parametrize(
    ("pod", "actions", "status", "wake"),
    [
        pytest.param(DEADLINE, (), RUNS, after(10), id="before-its-deadline"),
        pytest.param(OVERDUE, stop(OVERDUE), "Failed DeadlineExceeded [main running r0]", None, id="past-its-deadline"),
        pytest.param(DECIDED, stop(DECIDED), "Failed Preempting [main running r0]", None, id="by-decision"),
        pytest.param(
            EVICTED, (ends(found(EVICTED)),), "Failed Evicted [main running r0]", None, id="evicted-without-a-trace"
        ),
    ],
)
def test_ended_by_decision(pod: Pod, actions: tuple[Action, ...], status: str, wake: datetime | None) -> None:
    plan = plan_host(assign(pod), observe(found(pod)), WorkerMemory(), NOW)
    assert (plan.actions, show(plan.statuses[pod.uid]), plan.wake_at) == (actions, status, wake)


def test_missing_network_is_made_first() -> None:
    plan = plan_host(assign(WEB), observe(pod_network=None), WorkerMemory(), NOW)
    assert plan.actions == (EnsureNetwork(network=NETWORK),)
    waiting = "the pod network 10.244.3.0/24 is being made"
    assert show(plan.statuses[WEB.uid]) == f"Pending [main ContainerCreating: {waiting} r0]"


def test_network_without_way_out_keeps_nobody_waiting() -> None:
    plan = plan_host(assign(WEB), observe(host_parts={}), WorkerMemory(), NOW)
    assert plan.actions == (ApplyHostPart(part=way_out(NETWORK)), create(WEB))
    assert plan.network_problem == ""


def test_a_flushed_rule_is_set_again_though_no_pod_is_there() -> None:
    plan = plan_host(assign(), observe(host_parts={"way-out": "another"}), WorkerMemory(), NOW)
    assert plan.actions == (ApplyHostPart(part=way_out(NETWORK)),)
    assert plan_host(assign(), observe(), WorkerMemory(), NOW).actions == ()
    assert plan_host(assign(), observe(host_parts={}, pod_network=None), WorkerMemory(), NOW).actions == ()


def test_pods_wait_where_there_is_no_way_out_and_those_that_run_go_on() -> None:
    failure = failing(3, message="iptables: not found")
    memory = WorkerMemory(host_parts={"way-out": failure})
    new = make_pod(name="new", status=PodStatus(pod_ip="10.244.3.8"))
    plan = plan_host(assign(WEB, new), observe(found(WEB), host_parts={}), memory, NOW)
    assert (plan.actions, plan.network_problem, plan.wake_at) == ((), failure.message, after(3))
    assert show(plan.statuses[new.uid]) == f"Pending [main ContainerCreating: {failure.message} r0]"
    assert show(plan.statuses[WEB.uid]) == RUNS
    mended = plan_host(assign(WEB, new), observe(found(WEB)), WorkerMemory(), NOW)
    assert mended.network_problem == ""


def test_network_that_cannot_be_made_is_told() -> None:
    memory = WorkerMemory(network_failure=failing(3, message="pool overlaps"))
    plan = plan_host(assign(WEB), observe(pod_network=None), memory, NOW)
    assert (plan.actions, plan.wake_at) == ((), after(3))
    assert "cannot be made: pool overlaps" in show(plan.statuses[WEB.uid])


def test_a_network_of_another_slice_is_replaced_on_an_empty_host_too() -> None:
    """Left from before the host left; its addresses are another host's by now."""
    left = NetworkFact(name=NETWORK.name, subnet="10.244.9.0/24", gateway="10.244.9.1")
    plan = plan_host(assign(), observe(pod_network=left), WorkerMemory(), NOW)
    assert plan.actions == (EnsureNetwork(network=NETWORK),)


def test_an_empty_host_needs_no_network() -> None:
    plan = plan_host(assign(), observe(pod_network=None), WorkerMemory(), NOW)
    assert (plan.actions, plan.wake_at) == ((), None)


def test_one_pull_for_all_who_wait() -> None:
    pods = tuple(make_pod(container(image="web:v9"), name=f"web-{number}") for number in range(3))
    plan = plan_host(assign(*pods), observe(), WorkerMemory(), NOW)
    assert plan.actions == (PullImage(image="web:v9", waiting=tuple((pod.uid, "main") for pod in pods)),)


def test_unknown_pods_are_reported_and_foreign_containers_ignored() -> None:
    foreign = ObservedContainer(id="x", name="berth_main_web_default_uid-web_0", state="exited")
    plan = plan_host(assign(), observe(found(WEB), foreign), WorkerMemory(), NOW)
    expected = Pod(
        metadata=ObjectMeta(name="web", namespace="default", uid=WEB.uid),
        spec=make_pod(Container(name="main", image="web:v1")).spec,
    )
    assert (plan.actions, plan.unknown) == ((), (expected,))


def test_times_are_compared_by_the_hosts_clock() -> None:
    skewed: HostObservation = observe(exited(WEB, code=1, attempt=2))
    plan = plan_host(assign(WEB), skewed, WorkerMemory(), after(3600))
    assert (plan.actions, plan.wake_at) == ((), after(3600 + 19))


def test_conditions_keep_their_transition_times() -> None:
    first = plan_host(assign(WEB), observe(found(WEB)), WorkerMemory(), NOW)
    again = plan_host(assign(WEB), observe(found(WEB)), first.memory, after(5))
    assert again.statuses == first.statuses
    died = plan_host(assign(WEB), observe(exited(WEB, code=1)), first.memory, after(5))
    times = {c.type: c.last_transition_time for c in died.statuses[WEB.uid].conditions}
    assert times == {"PodScheduled": NOW, "Initialized": NOW, "ContainersReady": after(5), "Ready": after(5)}


def test_last_state_tells_of_the_run_before() -> None:
    died = plan_host(assign(WEB), observe(exited(WEB, code=3)), WorkerMemory(), NOW)
    back = plan_host(assign(WEB), observe(found(WEB, attempt=1)), died.memory, after(1))
    (status,) = back.statuses[WEB.uid].container_statuses
    assert status.last_state.terminated is not None
    assert (status.last_state.terminated.exit_code, status.last_state.terminated.reason) == (3, "Error")


def test_never_pull_says_what_is_missing() -> None:
    pod = make_pod(container(image="web:v9", image_pull_policy="Never"))
    plan = plan_host(assign(pod), observe(), WorkerMemory(), NOW)
    message = 'Container image "web:v9" is not present with pull policy of Never'
    assert (plan.actions, show(plan.statuses[pod.uid])) == ((), f"Pending [main ErrImageNeverPull: {message} r0]")


def test_always_pulls_before_every_creation_once() -> None:
    pod = make_pod(container(image_pull_policy="Always"))
    first = plan_host(assign(pod), observe(), WorkerMemory(), NOW)
    (pull,) = first.actions
    assert pull == PullImage(image="web:v1", waiting=((pod.uid, "main"),))
    pulled = first.memory.record(pull, None, NOW)
    second = plan_host(assign(pod), observe(), pulled, NOW)
    assert second.actions == (create(pod),)
    created = second.memory.record(second.actions[0], None, NOW)
    gone_again = plan_host(assign(pod), observe(), created, NOW)
    assert [type(action) for action in gone_again.actions] == [PullImage]


def test_missing_config_is_told_in_kubernetes_words() -> None:
    source = {"env_from": (), "resources": ResourceRequirements()}
    pod = make_pod(container(env=_from_config_map("settings", "colour"), **source))
    plan = plan_host(assign(pod), observe(), WorkerMemory(), NOW)
    reason = 'CreateContainerConfigError: configmap "settings" not found'
    assert (plan.actions, show(plan.statuses[pod.uid])) == ((), f"Pending [main {reason} r0]")


def _from_config_map(name: str, key: str) -> tuple[object, ...]:
    from objects.api.pods import ConfigMapKeySelector, EnvVar, EnvVarSource

    return (EnvVar(name="V", value_from=EnvVarSource(config_map_key_ref=ConfigMapKeySelector(name=name, key=key))),)


def test_a_pod_that_is_shown_as_it_was_is_not_acted_on():
    there = exited(WEB, code=1)
    assert plan_host(assign(WEB), observe(there), WorkerMemory(), NOW).actions
    plan = plan_host(assign(WEB), observe(there, unanswered=frozenset({there.id})), WorkerMemory(), NOW)
    assert plan.actions == ()
