"""Node: a `Host` as Kubernetes shows it, from what Git says of it and what was last seen of it.

The Node holds no figure that moves by itself: an idle host's Node never changes. A host that does not answer keeps what
was last known of it and is `Unknown`; one whose engine does not answer while SSH does is not ready. Taints follow the
conditions; what they do to pods is the work of the scheduler and of `node_lifecycle`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta

from objects.api.core import (
    ContainerImage,
    Node,
    NodeAddress,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
)
from objects.api.meta import (
    Condition,
    KubeObject,
    ObjectKey,
    ObjectMeta,
    ResourceList,
)
from objects.conditions import Conditions, find_condition, with_condition
from objects.errors import EngineUnavailable
from objects.names import stable_uid
from objects.observation.host import HostFacts
from objects.own.config import EvictionThresholds, Host, HostSpec
from objects.values.quantity import subtract_resources, value
from policies.host_support import NETWORK, NOTE, READY, Finding, findings_of
from policies.pressure import Level, levels_of
from reconciler.controllers.base import NOTHING, Context, Controller, Delete, Hold, Occurrence, Outcome, Put
from reconciler.controllers.node.taints import taints_of
from reconciler.state.host_status import HostStatus, moves_within_plenty
from reconciler.state.messages import HOST_PARTS
from reconciler.state.store import View

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
"""Docker reports the kernel's names, manifests select by Go's."""
_MAX_IMAGES = 50
"""As many as a kubelet reports; the scheduler's image locality looks at large images only, and the list is by size."""


def reconcile(view: View, key: ObjectKey, context: Context) -> Outcome:
    """The Node of a Host; no Host, no Node."""
    host = view.get(Host, "", key.name)
    node = view.get(Node, "", key.name)
    if host is None:
        return NOTHING if node is None else Outcome(changes=(Delete(node.key, node.uid),))
    seen = view.get(HostStatus, "", key.name) or HostStatus(metadata=ObjectMeta(name=key.name))
    new = node_of(host, seen, node, context)
    return Outcome(
        changes=(Put(new),),
        occurrences=(*_of_parts(host, node, new), *_of_slice(host, seen, node)),
        hold=_hold_of(seen),
        again_at=_may_end_at(new, host.spec.eviction, context.now),
    )


def node_of(host: Host, seen: HostStatus, before: Node | None, context: Context) -> Node:
    """The Node that `host` and what was seen of it amount to. before: gives transition times and hysteresis."""
    conditions = _conditions(host, seen, before.status.conditions if before is not None else (), context)
    facts = seen.facts or HostFacts()
    architecture = _ARCHITECTURES.get(facts.architecture, facts.architecture)
    metadata = ObjectMeta(
        name=host.name,
        uid=stable_uid(ObjectKey(Node.KIND, "", host.name)),
        labels=_labels(host, architecture),
        annotations=before.annotations if before is not None else {},
        creation_timestamp=host.metadata.creation_timestamp,
    )
    capacity = _capacity(host.spec, facts) if seen.facts is not None else {}
    spec = NodeSpec(
        unschedulable=host.spec.unschedulable,
        taints=taints_of(host.spec, conditions, before.spec.taints if before is not None else (), now=context.now),
        pod_cidr=seen.pod_subnet,
        pod_cidrs=(seen.pod_subnet,) if seen.pod_subnet else (),
    )
    status = NodeStatus(
        capacity=capacity,
        allocatable=allocatable(capacity, host.spec.reserved),
        conditions=conditions,
        addresses=(_address(host.spec.address), NodeAddress(type="Hostname", address=host.name)),
        node_info=_system_info(facts, architecture) if seen.was_observed else None,
        images=_images(facts),
    )
    return Node(metadata=metadata, spec=spec, status=status)


def allocatable(capacity: ResourceList, reserved: ResourceList) -> ResourceList:
    """What pods may use: capacity without what is reserved, never below nothing."""
    left = subtract_resources(capacity, {name: reserved[name] for name in reserved if name in capacity})
    return {name: amount if value(amount) > 0 else "0" for name, amount in left.items()}


def _labels(host: Host, architecture: str) -> dict[str, str]:
    labels = {"kubernetes.io/hostname": host.name, "kubernetes.io/os": "linux"}
    if architecture:
        labels["kubernetes.io/arch"] = architecture
    return {**labels, **host.labels}


def _capacity(spec: HostSpec, facts: HostFacts) -> ResourceList:
    """What was measured, with what the Host says instead or in addition (extended resources)."""
    return {
        "cpu": str(facts.cpus),
        "memory": f"{facts.memory_bytes // 1024}Ki",
        "ephemeral-storage": f"{facts.disk_bytes // 1024}Ki",
        "pods": str(spec.max_pods),
        **spec.capacity,
    }


def _address(address: str) -> NodeAddress:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return NodeAddress(type="InternalDNS", address=address)
    return NodeAddress(type="InternalIP", address=address)


def _system_info(facts: HostFacts, architecture: str) -> NodeSystemInfo:
    return NodeSystemInfo(
        boot_id=facts.boot_id,
        kernel_version=facts.kernel_version,
        os_image=facts.operating_system,
        container_runtime_version=f"docker://{facts.engine_version}",
        kubelet_version="berth",
        operating_system="linux",
        architecture=architecture,
    )


def _images(facts: HostFacts) -> tuple[ContainerImage, ...]:
    named = sorted((image for image in facts.images if image.names), key=lambda image: (-image.size_bytes, image.names))
    return tuple(ContainerImage(names=image.names, size_bytes=image.size_bytes) for image in named[:_MAX_IMAGES])


# --- conditions ---------------------------------------------------------------------------------------------------


def _conditions(host: Host, seen: HostStatus, before: Conditions, context: Context) -> Conditions:
    """Ready and the pressures; `Unknown` for a host that does not answer."""
    conditions = before
    findings = findings_of(seen.facts, pod_subnet=seen.pod_subnet) if seen.facts is not None else ()
    if seen.facts is None:
        message = seen.message or "The host was not reached yet."
        wanted = [_claim("Ready", "Unknown", seen.reason or "NotReachedYet", message)]
    elif not seen.reachable:
        is_engine = seen.reason == EngineUnavailable.reason
        kinds = ("MemoryPressure", "DiskPressure", "PIDPressure")
        wanted = [_claim(kind, "Unknown", "HostUnknown", "The host does not answer.") for kind in kinds]
        reason = seen.reason or "HostUnreachable"
        wanted.append(_claim("Ready", "False" if is_engine else "Unknown", reason, seen.message))
    else:
        wanted = [
            *_pressures(seen.facts, host.spec.eviction, before, context.now),
            _ready(seen, findings),
        ]
    for condition in (*wanted, *_parts(seen, findings, before)):
        conditions = with_condition(conditions, condition, now=context.now)
    return conditions


def _ready(seen: HostStatus, findings: tuple[Finding, ...]) -> Condition:
    """Of a host that answers. What it is may forbid pods; without a slice of the pod network nothing can run there."""
    for finding in findings:
        if finding.condition == READY:
            return _claim("Ready", "False", finding.reason, _with_remedy(finding))
    if not seen.pod_subnet and seen.network_reason:
        return _claim("Ready", "False", seen.network_reason, seen.network_message)
    said = f"Docker Engine answers; {seen.network_message}" if seen.network_reason else "Docker Engine answers."
    return _claim("Ready", "True", seen.network_reason or "EngineReady", said)


_UNAVAILABLE = "Unavailable"
_WORKS_AGAIN = "WorksAgain"
"""The reason of a part's condition that ended; there is none of a part that never failed."""


def _with_remedy(finding: Finding) -> str:
    return f"{finding.message} To do: {finding.remedy}." if finding.remedy else finding.message


def _parts(seen: HostStatus, findings: tuple[Finding, ...], before: Conditions) -> list[Condition]:
    """What fails on a host beside the looks at it, as `NetworkUnavailable` is told: `True` is bad.

    What follows from the sort of host is told before what was tried and failed: it says why, and what to do.
    """
    failing = {f"{one.part}{_UNAVAILABLE}": (one.reason, one.message) for one in seen.failures}
    if seen.network_problem:
        failing[NETWORK] = ("NetworkNotReady", seen.network_problem)
    for finding in reversed(findings):
        if finding.condition not in (READY, NOTE):
            failing[finding.condition] = (finding.reason, _with_remedy(finding))
    over = [one for one in before if one.type.removesuffix(_UNAVAILABLE) in HOST_PARTS and one.type not in failing]
    return [
        *(_claim(kind, "True", *why) for kind, why in failing.items()),
        *(_claim(one.type, "False", _WORKS_AGAIN, "") for one in over),
    ]


def _of_parts(host: Host, before: Node | None, after: Node) -> Iterator[Occurrence]:
    """Events of parts that began to fail, fail in another way, or work again."""
    known = {one.type: (one.status, one.reason) for one in (before.status.conditions if before is not None else ())}
    for one in after.status.conditions:
        if one.type.removesuffix(_UNAVAILABLE) in HOST_PARTS and known.get(one.type) != (one.status, one.reason):
            is_bad = one.status == "True"
            reason = one.type if is_bad else one.type.replace(_UNAVAILABLE, "Available")
            yield Occurrence(host.key, "Warning" if is_bad else "Normal", reason, one.message or "Works again.")


def _of_slice(host: Host, seen: HostStatus, before: Node | None) -> Iterator[Occurrence]:
    """An event of a host that gets no slice of the pod network, or keeps another one than its Host says."""
    ready = find_condition(before.status.conditions, "Ready") if before is not None else None
    if seen.reachable and seen.network_reason and (ready is None or ready.reason != seen.network_reason):
        yield Occurrence(host.key, "Warning", seen.network_reason, seen.network_message)


def _hold_of(seen: HostStatus) -> Hold | None:
    """What is tried again next of what fails on the host."""
    if seen.reachable and seen.network_reason:
        return Hold(seen.network_reason, seen.network_message)
    first = min(seen.failures, key=lambda one: one.retry_at, default=None)
    return Hold(f"{first.part}{_UNAVAILABLE}", first.message, first.retry_at) if first is not None else None


def _claim(kind: str, status: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=status, reason=reason, message=message)


def _pressures(facts: HostFacts, limits: EvictionThresholds, before: Conditions, now: datetime) -> list[Condition]:
    levels = levels_of(facts, limits)
    return [_pressure(kind, [one for one in levels if one.condition == kind], before, limits, now) for kind in _ENOUGH]


def _pressure(
    kind: str, levels: list[Level], before: Conditions, limits: EvictionThresholds, now: datetime
) -> Condition:
    known = find_condition(before, kind)
    if known is not None and known.status == "True":
        lasts = (known.last_transition_time or now) + timedelta(seconds=limits.pressure_transition_seconds) > now
        if lasts or not all(level.is_relieved for level in levels):
            return _claim(kind, "True", known.reason, known.message)
    short = next((level for level in levels if level.is_short), None)
    if short is not None:
        return _claim(kind, "True", f"HasInsufficient{_ENOUGH[kind][0]}", f"The host is short of {short.figure}.")
    _, reason, message = _ENOUGH[kind]
    return _claim(kind, "False", reason, message)


_ENOUGH = {
    "MemoryPressure": ("Memory", "HasSufficientMemory", "The host has sufficient available memory."),
    "DiskPressure": ("Disk", "HasNoDiskPressure", "The host has sufficient free disk space."),
    "PIDPressure": ("PID", "HasSufficientPID", "The host has sufficient PIDs."),
}
"""Condition -> (what it is about, reason and message while there is enough)."""


def _may_end_at(node: Node, limits: EvictionThresholds, now: datetime) -> datetime | None:
    """When a pressure that lasts only because it began a short time ago may end."""
    lasting = timedelta(seconds=limits.pressure_transition_seconds)
    begun = (one.last_transition_time for one in node.status.conditions if one.type in _ENOUGH and one.status == "True")
    return min((at + lasting for at in begun if at is not None and at + lasting > now), default=None)


def _keys(_view: View, obj: KubeObject) -> tuple[ObjectKey, ...]:
    return (ObjectKey(Host.KIND, "", obj.name),)


def is_node_ready(node: Node) -> bool:
    """Whether the node's host answers and its engine works."""
    ready = find_condition(node.status.conditions, "Ready")
    return ready is not None and ready.status == "True"


def says_more(view: View, old: HostStatus, new: HostStatus) -> bool:
    """Whether a look at a host tells anything but that it has plenty left, a little more or less than before."""
    host = view.get(Host, "", new.name)
    return host is None or not moves_within_plenty(old, new, host.spec.eviction)


CONTROLLER = Controller(
    name="node-controller",
    watches={Host.KIND: _keys, HostStatus.KIND: _keys, Node.KIND: _keys},
    concerns={HostStatus.KIND: says_more},
    reconcile=reconcile,
)
