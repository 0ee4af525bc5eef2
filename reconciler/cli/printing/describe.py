"""One object described: what it is, how it stands, what it waits for, what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from objects import codec
from objects.api.apps import Deployment, ReplicaSet
from objects.api.core import (
    ConfigMap,
    Event,
    Node,
    Secret,
)
from objects.api.meta import KubeObject, ResourceList
from objects.api.pods import Pod
from objects.observation.figures import ForeignLoad
from objects.own.config import Application, Host
from objects.values.quantity import milli_value
from reconciler.cli.printing.cluster import host_state, human_bytes
from reconciler.cli.printing.describe_pods import conditions_table, describe_pod, describe_template, time_text
from reconciler.cli.printing.description import Description, mapping_text, render_description
from reconciler.cli.printing.durations import age
from reconciler.cli.printing.pods import host_is_silent, summarise_pod
from reconciler.cli.printing.table import NONE, Surroundings, joined, render_table
from reconciler.cli.printing.workloads import selector_text
from reconciler.controllers.base import Hold
from reconciler.core.health import health_of
from reconciler.state.host_status import HostStatus
from sources.yaml.dumper import dump

_HIDDEN_ANNOTATIONS = ("berth.dev/template-hash", "kubectl.kubernetes.io/last-applied-configuration")


def describe(obj: KubeObject, around: Surroundings, *, holds: Sequence[Hold], events: Sequence[Event]) -> list[str]:
    """Lines. holds: why nothing happens although something is wanted. events: about this object, oldest first."""
    health = health_of(around.view, obj)
    annotations = {key: value for key, value in obj.annotations.items() if key not in _HIDDEN_ANNOTATIONS}
    head: Description = [
        ("Name", obj.name),
        ("Namespace", obj.namespace if obj.NAMESPACED else None),
        ("Labels", mapping_text(obj.labels)),
        ("Annotations", mapping_text(annotations, separator=": ")),
        ("Created", time_text(obj.metadata.creation_timestamp)),
        ("Health", f"{health.status}{f': {health.message}' if health.message else ''}"),
        ("Waits For", [f"{hold.reason}: {hold.message}{_until(hold, around)}" for hold in holds] or None),
    ]
    tail: Description = [("Events", _events_table(events, around))]
    return render_description([*head, *_body(obj, around), *tail])


def _until(hold: Hold, around: Surroundings) -> str:
    return "" if hold.until is None else f" (tried again in {age(around.now, hold.until)})"


def _events_table(events: Sequence[Event], around: Surroundings) -> list[str]:
    rows = [
        (
            event.type,
            event.reason,
            age(event.last_timestamp, around.now)
            + (f" (x{event.count} over {age(event.first_timestamp, around.now)})" if event.count > 1 else ""),
            event.source.component,
            event.message.strip(),
        )
        for event in events
    ]
    return render_table(("Type", "Reason", "Age", "From", "Message"), rows) if rows else []


def _body(obj: KubeObject, around: Surroundings) -> Description:
    match obj:
        case Pod():
            return describe_pod(obj, around)
        case Deployment():
            return _deployment(obj, around)
        case ReplicaSet():
            return _replica_set(obj, around)
        case Host():
            return _host(obj, around)
        case Node():
            return _node(obj, around)
        case ConfigMap():
            return [("Data", [(key, value) for key, value in sorted(obj.data.items())])]
        case Secret():
            sizes = {key: f"{len(value.reveal())} bytes" for key, value in {**obj.data, **obj.string_data}.items()}
            return [("Type", obj.type or "Opaque"), ("Data", sorted(sizes.items()))]
        case Application():
            return [*_generic(obj), ("Conditions", conditions_table(obj.status.conditions))]
    return _generic(obj)


def _generic(obj: KubeObject) -> Description:
    """Everything else as its manifest has it."""
    document: dict[str, Any] = codec.encode(obj)
    return [
        (name[:1].upper() + name[1:], _yaml_lines(value))
        for name, value in document.items()
        if name not in ("apiVersion", "kind", "metadata")
    ]


def _yaml_lines(value: Any) -> str | list[str]:
    if not isinstance(value, dict | list):
        return str(value)
    return dump(value).splitlines()


# --- workloads -----------------------------------------------------------------------------------------------------


def _deployment(item: Deployment, around: Surroundings) -> Description:
    spec, status = item.spec, item.status
    wanted = 1 if spec.replicas is None else spec.replicas
    strategy = spec.strategy.rolling_update
    replica_sets = sorted(around.view.owned(ReplicaSet, item.uid), key=_revision, reverse=True)
    return [
        ("Selector", selector_text(spec.selector)),
        (
            "Replicas",
            f"{wanted} desired | {status.updated_replicas} updated | {status.replicas} total | "
            f"{status.available_replicas} available | {status.unavailable_replicas} unavailable",
        ),
        ("StrategyType", spec.strategy.type or "RollingUpdate"),
        ("MinReadySeconds", str(spec.min_ready_seconds)),
        (
            "RollingUpdateStrategy",
            f"{strategy.max_unavailable} max unavailable, {strategy.max_surge} max surge" if strategy else None,
        ),
        ("Paused", "True" if spec.paused else None),
        ("Pod Template", describe_template(spec.template.spec, spec.template.metadata.labels)),
        ("Conditions", conditions_table(status.conditions)),
        ("ReplicaSets", _replica_set_lines(replica_sets)),
    ]


def _revision(item: ReplicaSet) -> int:
    text = item.annotations.get("deployment.kubernetes.io/revision", "")
    return int(text) if text.isdigit() else 0


def _replica_set_lines(replica_sets: Sequence[ReplicaSet]) -> list[str]:
    rows = [
        (
            str(_revision(item) or NONE),
            item.name,
            f"{item.status.replicas}/{1 if item.spec.replicas is None else item.spec.replicas} replicas created",
            joined(container.image for container in item.spec.template.spec.containers),
        )
        for item in replica_sets
    ]
    return render_table(("Revision", "Name", "Pods", "Images"), rows) if rows else []


def _replica_set(item: ReplicaSet, around: Surroundings) -> Description:
    wanted = 1 if item.spec.replicas is None else item.spec.replicas
    return [
        ("Selector", selector_text(item.spec.selector)),
        ("Replicas", f"{item.status.replicas} current / {wanted} desired | {item.status.ready_replicas} ready"),
        ("Pods", _pods_table(around.view.owned(Pod, item.uid), around)),
        ("Pod Template", describe_template(item.spec.template.spec, item.spec.template.metadata.labels)),
        ("Conditions", conditions_table(item.status.conditions)),
    ]


# --- hosts ---------------------------------------------------------------------------------------------------------


def _host(item: Host, around: Surroundings) -> Description:
    status = around.view.get(HostStatus, "", item.name)
    facts = status.facts if status else None
    silent = status is not None and not status.reachable
    node = around.view.get(Node, "", item.name)
    measured: Description = []
    if facts is not None:
        measured = [
            ("Docker Engine", f"{facts.engine_version} (API {facts.api_version})"),
            ("System", f"{facts.operating_system}, kernel {facts.kernel_version}, {facts.architecture}"),
            ("CPUs", str(facts.cpus)),
            ("Memory", f"{human_bytes(facts.memory_available_bytes)} available of {human_bytes(facts.memory_bytes)}"),
            ("Disk", f"{human_bytes(facts.disk_free_bytes)} free of {human_bytes(facts.disk_bytes)}"),
            ("Images", str(len(facts.images))),
            ("Reserved", _amounts(item.spec.reserved) if item.spec.reserved else None),
            ("Others", _foreign_table(status.foreign if status else ())),
        ]
    return [
        ("Address", f"{item.spec.user or 'root'}@{item.spec.address}:{item.spec.port or 22}"),
        ("Jump Host", item.spec.jump or None),
        ("Status", host_state(item, status)),
        ("Silent Since", time_text(status.unreachable_since) if status and silent else None),
        ("Why", (status.message or status.reason) if status and silent else None),
        ("Pod CIDR", (status.pod_subnet if status else "") or NONE),
        ("Taints", "\n".join(f"{taint.key}={taint.value}:{taint.effect}" for taint in item.spec.taints) or NONE),
        *measured,
        *(_node(node, around) if node else _pods_section(item.name, around)),
    ]


def _node(item: Node, around: Surroundings) -> Description:
    return [
        ("Conditions", conditions_table(item.status.conditions)),
        ("Capacity", _amounts(item.status.capacity)),
        ("Allocatable", _amounts(item.status.allocatable)),
        *_pods_section(item.name, around),
    ]


def _foreign_table(loads: Sequence[ForeignLoad]) -> list[str] | None:
    """Containers of others, which take room and ports; None when there are none."""
    rows = [
        (
            load.name,
            f"{load.cpu_millis}m",
            human_bytes(load.memory_bytes) if load.memory_bytes else "0",
            ",".join(sorted({f"{port}/{protocol}" for protocol, _, port in load.ports})) or NONE,
        )
        for load in loads
    ]
    return render_table(("Container", "CPU", "Memory", "Ports"), rows) if rows else None


def _amounts(amounts: ResourceList) -> str:
    return mapping_text({name: str(amount) for name, amount in amounts.items()}, separator=" ")


def _pods_section(host: str, around: Surroundings) -> Description:
    pods = around.view.pods_on(host)
    cpu = sum(_requested(pod, "cpu") for pod in pods if not pod.is_finished)
    memory = sum(_requested(pod, "memory") for pod in pods if not pod.is_finished) // 1000
    return [
        ("Requested", f"{cpu}m CPU, {human_bytes(memory) if memory else '0'} memory"),
        (f"Pods ({len(pods)})", _pods_table(pods, around)),
    ]


def _requested(pod: Pod, resource: str) -> int:
    """Thousandths of the resource that the main containers ask for."""
    return sum(milli_value(item.resources.requests.get(resource, 0)) for item in pod.spec.containers)


def _pods_table(pods: Sequence[Pod], around: Surroundings) -> list[str]:
    rows = []
    for pod in pods:
        summary = summarise_pod(pod, host_is_silent=host_is_silent(around.view, pod))
        rows.append((pod.namespace, pod.name, summary.readiness, summary.status, pod.spec.node_name or NONE))
    return render_table(("Namespace", "Name", "Ready", "Status", "Host"), rows) if rows else []
