"""How a pod in the store takes in what its host reports, and how it begins to end. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from objects.api.meta import Condition
from objects.api.pods import Pod, PodStatus
from objects.conditions import IN_SYNC
from reconciler.state.store import Index, View

DEFAULT_GRACE_SECONDS = 30


def with_reported_status(pod: Pod, reported: PodStatus) -> Pod:
    """`pod` with the status its host reports.

    Conditions that the host does not speak of (DisruptionTarget, readiness gates) stay, but for InSync; one whose
    claim did not change keeps its transition time. A pod that has ended stays so: the host may not know of it yet.
    """
    if pod.is_finished:
        kept = pod.status
        reported = msgspec.structs.replace(reported, phase=kept.phase, reason=kept.reason, message=kept.message)
    known = {condition.type: condition for condition in pod.status.conditions}
    if all(condition.type != IN_SYNC for condition in reported.conditions):
        known.pop(IN_SYNC, None)  # its drift is put right again
    merged: list[Condition] = []
    for condition in reported.conditions:
        before = known.pop(condition.type, None)
        if before is not None and before.status == condition.status:
            condition = msgspec.structs.replace(condition, last_transition_time=before.last_transition_time)
        merged.append(condition)
    status = msgspec.structs.replace(
        reported,
        conditions=(*known.values(), *merged),
        nominated_node_name=pod.status.nominated_node_name,
        start_time=pod.status.start_time or reported.start_time,
        qos_class=pod.status.qos_class or reported.qos_class,
        host_ip=pod.status.host_ip or reported.host_ip,
        pod_ip=pod.status.pod_ip or reported.pod_ip,
    )
    return msgspec.structs.replace(pod, status=status)


def with_past(pod: Pod, before: Pod) -> Pod:
    """`pod`, just read from Git or found on its host, with what an earlier process said of it: `before`.

    It is as old as it was, and has the owners that it had then: containers tell those that it was made by. One that
    lost its owner and was on its way out goes on its way: what comes back under its owner's name may be another one.
    One that no host speaks of waits for the same reason, since the same time.
    """
    times = {one for one in (pod.metadata.creation_timestamp, before.metadata.creation_timestamp) if one is not None}
    metadata = msgspec.structs.replace(pod.metadata, creation_timestamp=min(times, default=None))
    if not before.is_terminating:
        metadata = msgspec.structs.replace(metadata, owner_references=before.metadata.owner_references)
    elif pod.metadata.owner_references and not before.metadata.owner_references:
        metadata = msgspec.structs.replace(
            metadata,
            owner_references=(),
            deletion_timestamp=before.metadata.deletion_timestamp,
            deletion_grace_period_seconds=before.metadata.deletion_grace_period_seconds,
        )
    is_waiting = not pod.status.conditions and pod.spec.node_name == before.spec.node_name
    return msgspec.structs.replace(pod, metadata=metadata, status=before.status if is_waiting else pod.status)


_BY_ADDRESS = Index(
    Pod,
    lambda pod: ((pod.spec.node_name, pod.status.pod_ip),) if pod.status.pod_ip else (),
    lambda pod: (pod.spec.node_name, pod.status.pod_ip),
)


def with_same_address(view: View, pod: Pod) -> list[Pod]:
    """Other pods of the same host that are said to have the address of `pod`. One that has ended needs none."""
    if not holds_address(pod):
        return []
    alike = view.by_index(_BY_ADDRESS, (pod.spec.node_name, pod.status.pod_ip))
    return [other for other in alike if other.uid != pod.uid and holds_address(other)]


def holds_address(pod: Pod) -> bool:
    """Whether nobody else may get the pod's address. One that has ended gives it back: its containers do not run."""
    return bool(pod.status.pod_ip) and not pod.spec.host_network and not pod.is_finished


def without_address(pod: Pod) -> Pod:
    """`pod` as it was before it got its address."""
    return msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, pod_ip="", pod_ips=()))


def terminating(pod: Pod, *, grace_seconds: int | None, now: datetime) -> Pod:
    """`pod` with a deletion timestamp: when the grace period ends. A second call can only shorten it."""
    grace = grace_seconds
    if grace is None:
        grace = pod.spec.termination_grace_period_seconds
    if grace is None:
        grace = DEFAULT_GRACE_SECONDS
    ends = now + timedelta(seconds=grace)
    before = pod.metadata.deletion_timestamp
    if before is not None and before <= ends:
        return pod
    metadata = msgspec.structs.replace(pod.metadata, deletion_timestamp=ends, deletion_grace_period_seconds=grace)
    return msgspec.structs.replace(pod, metadata=metadata)
