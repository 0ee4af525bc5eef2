"""Rows of the cluster itself: hosts (as Host and as Node), namespaces, applications, events, priorities, budgets."""

from __future__ import annotations

from typing import Final

from objects.api.core import Event, Namespace, Node
from objects.api.meta import QuantityLike
from objects.api.policy import (
    LimitRange,
    PodDisruptionBudget,
    PriorityClass,
    ResourceQuota,
)
from objects.conditions import OUT_OF_SYNC, find_condition
from objects.own.config import Application, Cluster, Host
from objects.values.quantity import compare
from policies.host_support import NETWORK, NOTE, READY, findings_of
from reconciler.cli.printing.durations import UNKNOWN, age
from reconciler.cli.printing.table import NONE, Surroundings, TablePrinter, columns, joined
from reconciler.state.host_status import HostStatus

ROLE_LABEL: Final = "node-role.kubernetes.io/"
_BINARY_UNITS: Final = ((1 << 40, "Ti"), (1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki"))


def human_bytes(count: int) -> str:
    """Bytes with one decimal below ten: 1.5Gi, 16Gi, 512Mi. 0 (never measured) is `<unknown>`."""
    if count <= 0:
        return UNKNOWN
    for unit, letters in _BINARY_UNITS:
        if count >= unit:
            amount = count / unit
            return f"{amount:.1f}".removesuffix(".0") + letters if amount < 9.95 else f"{round(amount)}{letters}"
    return str(count)


# --- hosts ---------------------------------------------------------------------------------------------------------


def host_state(host: Host, status: HostStatus | None) -> str:
    """`Ready`, or the reason why not, what it cannot do, and whether new pods may come."""
    if status is None:
        word = UNKNOWN
    elif status.reachable:
        found = findings_of(status.facts, pod_subnet=status.pod_subnet) if status.facts else ()
        no_slice = status.network_reason if not status.pod_subnet else ""
        word = next((one.reason for one in found if one.condition == READY), no_slice or "Ready")
        lacking = dict.fromkeys(one.condition for one in found if one.condition not in (READY, NOTE))
        if status.network_problem:
            lacking[NETWORK] = None
        word = ",".join((word, *lacking))
    else:
        word = status.reason or "NotReady"
    return word + (",SchedulingDisabled" if host.spec.unschedulable else "")


def _host(item: Host, around: Surroundings) -> tuple[str, ...]:
    status = around.view.get(HostStatus, "", item.name)
    facts = status.facts if status else None
    return (
        item.name,
        item.spec.address,
        host_state(item, status),
        facts.engine_version if facts else UNKNOWN,
        str(facts.cpus) if facts else UNKNOWN,
        human_bytes(facts.memory_bytes) if facts else UNKNOWN,
        human_bytes(facts.disk_free_bytes) if facts else UNKNOWN,
        f"{len(around.view.pods_on(item.name))}/{item.spec.max_pods}",
        age(item.metadata.creation_timestamp, around.now),
        status.pod_subnet or NONE if status else NONE,
        f"{facts.operating_system} {facts.architecture}" if facts else UNKNOWN,
        facts.kernel_version if facts else UNKNOWN,
        joined(f"{taint.key}={taint.value}:{taint.effect}" for taint in item.spec.taints),
    )


def _node(item: Node, around: Surroundings) -> tuple[str, ...]:
    ready = find_condition(item.status.conditions, "Ready")
    word = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
    info = item.status.node_info
    addresses = {address.type: address.address for address in item.status.addresses}
    roles = sorted(label.removeprefix(ROLE_LABEL) for label in item.labels if label.startswith(ROLE_LABEL))
    return (
        item.name,
        word + (",SchedulingDisabled" if item.spec.unschedulable else ""),
        joined(roles),
        age(item.metadata.creation_timestamp, around.now),
        info.kubelet_version if info else "",
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        (info.os_image if info else "") or UNKNOWN,
        (info.kernel_version if info else "") or UNKNOWN,
        (info.container_runtime_version if info else "") or UNKNOWN,
    )


def _namespace(item: Namespace, around: Surroundings) -> tuple[str, ...]:
    word = "Terminating" if item.is_terminating else item.status.phase or "Active"
    return item.name, word, age(item.metadata.creation_timestamp, around.now)


def _application(item: Application, around: Surroundings) -> tuple[str, ...]:
    return (
        item.name,
        item.spec.path,
        item.status.health or ("Suspended" if item.spec.suspend else UNKNOWN),
        _sync_of(item),
        item.status.revision[:12] or NONE,
        age(item.metadata.creation_timestamp, around.now),
        str(item.spec.prune),
        str(item.spec.self_heal),
    )


def _sync_of(item: Application) -> str:
    """Drift that is put right is none for long."""
    if not item.status.health:
        return UNKNOWN
    synced = find_condition(item.status.conditions, "Synced")
    return OUT_OF_SYNC if synced is not None and synced.status == "False" else "Synced"


def _cluster(item: Cluster, around: Surroundings) -> tuple[str, ...]:
    network = item.spec.network
    return item.name, network.pod_cidr, network.service_cidr, age(item.metadata.creation_timestamp, around.now)


def _event(item: Event, around: Surroundings) -> tuple[str, ...]:
    subject = f"{item.involved_object.kind.lower()}/{item.involved_object.name}"
    message = item.message.strip()
    return (
        age(item.last_timestamp, around.now),
        item.type,
        item.reason,
        subject,
        message,
        item.source.component,
        age(item.first_timestamp, around.now),
        str(item.count),
        item.name,
    )


# --- policy --------------------------------------------------------------------------------------------------------


def _priority_class(item: PriorityClass, around: Surroundings) -> tuple[str, ...]:
    return (
        item.name,
        str(item.value),
        str(item.global_default).lower(),
        age(item.metadata.creation_timestamp, around.now),
        item.preemption_policy or "PreemptLowerPriority",
    )


def _budget(item: PodDisruptionBudget, around: Surroundings) -> tuple[str, ...]:
    least, most = item.spec.min_available, item.spec.max_unavailable
    return (
        item.name,
        "N/A" if least is None else str(least),
        "N/A" if most is None else str(most),
        str(item.status.disruptions_allowed),
        age(item.metadata.creation_timestamp, around.now),
    )


def _quota(item: ResourceQuota, around: Surroundings) -> tuple[str, ...]:
    hard = item.status.hard or item.spec.hard
    used = item.status.used

    def texts(limits: bool) -> str:
        names = sorted(name for name in hard if name.startswith("limits.") is limits)
        return ", ".join(f"{name}: {_used(used.get(name, 0), hard[name])}" for name in names)

    return item.name, texts(False), texts(True), age(item.metadata.creation_timestamp, around.now)


def _used(used: QuantityLike, hard: QuantityLike) -> str:
    mark = "!" if compare(used, hard) > 0 else ""
    return f"{used}/{hard}{mark}"


def _limit_range(item: LimitRange, around: Surroundings) -> tuple[str, ...]:
    return item.name, age(item.metadata.creation_timestamp, around.now)


HOST_PRINTER: Final = TablePrinter(
    columns("NAME|ADDRESS|STATUS|VERSION|CPUS|MEMORY|DISK FREE|PODS|AGE", wide="POD CIDR|SYSTEM|KERNEL|TAINTS"), _host
)
EVENT_PRINTER: Final = TablePrinter(
    columns("LAST SEEN|TYPE|REASON|OBJECT|MESSAGE", wide="SOURCE|FIRST SEEN|COUNT|NAME"), _event
)
CLUSTER_PRINTERS: Final = {
    Host.KIND: HOST_PRINTER,
    Node.KIND: TablePrinter(
        columns(
            "NAME|STATUS|ROLES|AGE|VERSION",
            wide="INTERNAL-IP|EXTERNAL-IP|OS-IMAGE|KERNEL-VERSION|CONTAINER-RUNTIME",
        ),
        _node,
    ),
    Namespace.KIND: TablePrinter(columns("NAME|STATUS|AGE"), _namespace),
    Application.KIND: TablePrinter(columns("NAME|PATH|HEALTH|SYNC|REVISION|AGE", wide="PRUNE|SELF HEAL"), _application),
    Cluster.KIND: TablePrinter(columns("NAME|POD CIDR|SERVICE CIDR|AGE"), _cluster),
    Event.KIND: EVENT_PRINTER,
    PriorityClass.KIND: TablePrinter(columns("NAME|VALUE|GLOBAL-DEFAULT|AGE|PREEMPTIONPOLICY"), _priority_class),
    PodDisruptionBudget.KIND: TablePrinter(
        columns("NAME|MIN AVAILABLE|MAX UNAVAILABLE|ALLOWED DISRUPTIONS|AGE"), _budget
    ),
    ResourceQuota.KIND: TablePrinter(columns("NAME|REQUEST|LIMIT|AGE"), _quota),
    LimitRange.KIND: TablePrinter(columns("NAME|CREATED AT"), _limit_range),
}
