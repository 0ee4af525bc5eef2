"""A pod in one line: the words in STATUS, how many containers are ready, restarts. As kubectl says it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from objects.api.pods import ContainerStateTerminated, ContainerStatus, Pod
from objects.conditions import find_condition, is_true
from reconciler.cli.printing.durations import age
from reconciler.cli.printing.table import NONE, Surroundings, TablePrinter, columns, joined
from reconciler.state.host_status import HostStatus
from reconciler.state.store import View


class PodSummary(NamedTuple):
    """status: the word people look at. ready, total: containers, sidecars among them. last_restart: when known."""

    status: str
    ready: int
    total: int
    restarts: int
    last_restart: datetime | None

    @property
    def readiness(self) -> str:
        return f"{self.ready}/{self.total}"

    def restarts_text(self, now: datetime) -> str:
        if not self.restarts or self.last_restart is None:
            return str(self.restarts)
        return f"{self.restarts} ({age(self.last_restart, now)} ago)"


def summarise_pod(pod: Pod, *, host_is_silent: bool = False) -> PodSummary:
    """What kubectl would say of the pod; `Unknown` when its host does not answer, for then nobody knows."""
    sidecars = {container.name for container in pod.spec.init_containers if container.is_sidecar}
    total = len(pod.spec.containers) + len(sidecars)
    init = pod.status.init_container_statuses
    blocking = _blocking_init(init, sidecars)
    ready_sidecars = sum(status.ready and bool(status.started) for status in init if status.name in sidecars)
    if blocking is not None and not is_true(pod.status.conditions, "Initialized"):
        place, status = blocking
        word = _init_word(place, len(pod.spec.init_containers), status)
        counted: Iterable[ContainerStatus] = init
        ready = ready_sidecars
    else:
        word = _main_word(pod)
        counted = (*(status for status in init if status.name in sidecars), *pod.status.container_statuses)
        ready = ready_sidecars + sum(_is_up(status) for status in pod.status.container_statuses)
    if pod.is_terminating and not pod.is_finished:
        word = "Terminating"
    if host_is_silent and not pod.is_finished:
        word = "Unknown"
    counted = tuple(counted)
    ends = [ended.finished_at for status in counted if (ended := status.last_state.terminated) and ended.finished_at]
    return PodSummary(
        status=word,
        ready=ready,
        total=total,
        restarts=sum(status.restart_count for status in counted),
        last_restart=max(ends, default=None),
    )


def _blocking_init(statuses: Iterable[ContainerStatus], sidecars: set[str]) -> tuple[int, ContainerStatus] | None:
    """The first init container that is not done yet, and how many are before it."""
    for index, status in enumerate(statuses):
        ended = status.state.terminated
        is_done = (ended is not None and ended.exit_code == 0) or (status.name in sidecars and bool(status.started))
        if not is_done:
            return index, status
    return None


def _init_word(place: int, count: int, status: ContainerStatus) -> str:
    waiting, ended = status.state.waiting, status.state.terminated
    if ended is not None:
        return f"Init:{_end_word(ended)}"
    if waiting is not None and waiting.reason not in ("", "PodInitializing"):
        return f"Init:{waiting.reason}"
    return f"Init:{place}/{count}"


def _main_word(pod: Pod) -> str:
    """The first container with a reason to name wins over the phase."""
    scheduled = find_condition(pod.status.conditions, "PodScheduled")
    word = pod.status.reason or pod.status.phase or "Pending"
    if scheduled is not None and scheduled.reason == "SchedulingGated":
        word = scheduled.reason
    for status in reversed(pod.status.container_statuses):
        waiting, ended = status.state.waiting, status.state.terminated
        if waiting is not None and waiting.reason:
            word = waiting.reason
        elif ended is not None:
            word = _end_word(ended)
    if word == "Completed" and any(map(_is_up, pod.status.container_statuses)):
        return "Running" if pod.is_ready else "NotReady"
    return word


def _end_word(ended: ContainerStateTerminated) -> str:
    return ended.reason or (f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}")


def _is_up(status: ContainerStatus) -> bool:
    return status.ready and status.state.running is not None


def host_is_silent(view: View, pod: Pod) -> bool:
    """Whether the host that the pod is bound to was asked and did not answer."""
    status = view.get(HostStatus, "", pod.spec.node_name) if pod.spec.node_name else None
    return status is not None and not status.reachable


def _pod_row(pod: Pod, around: Surroundings) -> tuple[str, ...]:
    summary = summarise_pod(pod, host_is_silent=host_is_silent(around.view, pod))
    return (
        pod.name,
        summary.readiness,
        summary.status,
        summary.restarts_text(around.now),
        age(pod.metadata.creation_timestamp, around.now),
        joined((item.ip for item in pod.status.pod_ips), empty=pod.status.pod_ip or NONE),
        pod.spec.node_name or NONE,
        pod.status.nominated_node_name or NONE,
        _gates(pod),
    )


def _gates(pod: Pod) -> str:
    gates = pod.spec.readiness_gates
    if not gates:
        return NONE
    met = sum(is_true(pod.status.conditions, gate.condition_type) for gate in gates)
    return f"{met}/{len(gates)}"


POD_PRINTER: Final = TablePrinter(
    columns("NAME|READY|STATUS|RESTARTS|AGE", wide="IP|NODE|NOMINATED NODE|READINESS GATES"), _pod_row
)
