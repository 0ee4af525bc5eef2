"""From the store to what one host should run. Pure.

An assignment holds of each pod what its host needs and nothing that its host reports (status), so that it changes
only when the host has something to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from differ.kubelet.assignment import ALL_PARTS, HostAssignment, Part, PodNetwork
from objects.api.core import ConfigMap, Node, Secret
from objects.api.meta import Condition, ObjectMeta
from objects.api.pods import (
    Container,
    Pod,
    PodSpec,
    PodStatus,
)
from objects.api.storage import PersistentVolumeClaim
from objects.api.volumes import Volume
from objects.conditions import is_true
from objects.own.config import ClusterSpec, Host
from reconciler.controllers.volumes.binding import (
    bound_volume,
    claims_of,
    docker_volume_of,
    host_of,
)
from reconciler.figures.orders import order_for
from reconciler.state.drift import Inventory, left_alone
from reconciler.state.host_status import HostStatus
from reconciler.state.store import View

ConfigRef = tuple[str, str]
"""(kind, name) of a ConfigMap or Secret in a pod's namespace."""


def build_assignment(
    view: View,
    host: Host,
    settings: ClusterSpec,
    *,
    before: HostAssignment | None = None,
    parts: frozenset[Part] = ALL_PARTS,
    inventory: Inventory | None = None,
    must_wait: Callable[[Pod], bool] = lambda _: False,
) -> HostAssignment | None:
    """Everything `host` should run now; None until this process has seen it.

    Before, what it should run is only remembered: something else may have come in its place, there or elsewhere, that
    nobody wrote down. A host without a slice of the pod network is told all the same: what has to end there ends, and
    pods of the host's own network need none.

    before: the last assignment; what did not change is taken from it, each pod and each part by reference, so that its
    reader knows them again. parts: those that may have changed since; all when there is no last assignment.
    must_wait: whether the host must not be told of a pod yet that it was not told of before.
    inventory: what is deployed, to find the Applications whose drift is only shown; None: all drift is put right.
    """
    status = view.get(HostStatus, "", host.name)
    if status is None or not status.was_observed:
        return None
    if before is None:
        parts = ALL_PARTS
    fields: dict[str, Any] = {}
    if Part.PODS in parts:
        fields["pods"] = pods = _pods(view, host, before, must_wait)
        fields["left_alone"] = left_alone(view, pods, inventory) if inventory is not None else frozenset()
    else:
        pods = before.pods if before is not None else ()
    if Part.FILES in parts:
        fields["config_maps"], fields["secrets"] = _files(view, pods)
    if Part.VOLUMES in parts:
        fields["claim_volumes"] = {name: volume for pod in pods for name, volume in _claim_volumes(view, pod)}
    if Part.NETWORK in parts:
        network = PodNetwork(subnet=status.pod_subnet, cluster_cidr=settings.network.pod_cidr)
        fields |= {"network": network, "host_ip": host.spec.address}
    node = view.get(Node, "", host.name)
    if Part.HOST in parts:
        fields |= {
            "pause_image": settings.pause_image,
            "node_labels": node.metadata.labels if node else {},
            "node_allocatable": node.status.allocatable if node else {},
            "eviction": host.spec.eviction,
            "has_disk_pressure": node is not None and is_true(node.status.conditions, "DiskPressure"),
        }
    if Part.MEASUREMENTS in parts:
        fields["measure"] = order_for(view, host.name, node)
    if before is None:
        return HostAssignment(host=host.name, **fields)
    changed = {name: value for name, value in fields.items() if getattr(before, name) != value}
    after: HostAssignment = msgspec.structs.replace(before, **changed) if changed else before
    return after


def _pods(view: View, host: Host, before: HostAssignment | None, must_wait: Callable[[Pod], bool]) -> tuple[Pod, ...]:
    known = {pod.uid: pod for pod in before.pods} if before else {}
    forms = (assigned_form(pod) for pod in view.pods_on(host.name) if pod.uid in known or not must_wait(pod))
    return tuple(known[form.uid] if known.get(form.uid) == form else form for form in forms)


def _files(view: View, pods: Iterable[Pod]) -> tuple[dict[tuple[str, str], ConfigMap], dict[tuple[str, str], Secret]]:
    """The ConfigMaps and Secrets that the pods name, of those that are there."""
    config_maps: dict[tuple[str, str], ConfigMap] = {}
    secrets: dict[tuple[str, str], Secret] = {}
    for pod in pods:
        for kind, name in config_references(pod):
            if kind == "ConfigMap" and (config_map := view.get(ConfigMap, pod.namespace, name)) is not None:
                config_maps[pod.namespace, name] = config_map
            elif kind == "Secret" and (secret := view.get(Secret, pod.namespace, name)) is not None:
                secrets[pod.namespace, name] = secret
    return config_maps, secrets


def _claim_volumes(view: View, pod: Pod) -> Iterator[tuple[tuple[str, str], str]]:
    """The Docker volumes of the pod's claims, of those that are bound and lie on its host: elsewhere none is made."""
    for name in claims_of(pod):
        claim = view.get(PersistentVolumeClaim, pod.namespace, name)
        volume = bound_volume(view, claim) if claim is not None else None
        if volume is not None and docker_volume_of(volume) and host_of(volume) == pod.spec.node_name:
            yield (pod.namespace, name), docker_volume_of(volume)


def assigned_form(pod: Pod) -> Pod:
    """`pod` without what its host reports back or what only the store counts: equal forms mean nothing to do.

    Kept is what its host must know to decide alike: that it has ended (a finished pod never runs again, whatever
    became of its containers) and why, and the readiness gates, which others set.
    """
    status = PodStatus(
        pod_ip=pod.status.pod_ip,
        host_ip=pod.status.host_ip,
        start_time=pod.status.start_time,
        conditions=_gates(pod),
    )
    if pod.is_finished:
        status = msgspec.structs.replace(
            status, phase=pod.status.phase, reason=pod.status.reason, message=pod.status.message
        )
    metadata: ObjectMeta = msgspec.structs.replace(pod.metadata, resource_version="", generation=0)
    return msgspec.structs.replace(pod, metadata=metadata, status=status)


def _gates(pod: Pod) -> tuple[Condition, ...]:
    wanted = {gate.condition_type for gate in pod.spec.readiness_gates}
    return tuple(condition for condition in pod.status.conditions if condition.type in wanted)


def config_references(pod: Pod) -> set[ConfigRef]:
    """The ConfigMaps and Secrets that a pod's environment, volumes and image pulls name."""
    return spec_references(pod.spec)


def spec_references(spec: PodSpec) -> set[ConfigRef]:
    """The same of a pod's spec, or a template's."""
    found: set[ConfigRef] = {("Secret", reference.name) for reference in spec.image_pull_secrets}
    for container in (*spec.init_containers, *spec.containers):
        found.update(_of_container(container))
    for volume in spec.volumes:
        found.update(_of_volume(volume))
    return found


def _of_container(container: Container) -> Iterator[ConfigRef]:
    for source in container.env_from:
        if source.config_map_ref:
            yield "ConfigMap", source.config_map_ref.name
        if source.secret_ref:
            yield "Secret", source.secret_ref.name
    for variable in container.env:
        if variable.value_from is None:
            continue
        if variable.value_from.config_map_key_ref:
            yield "ConfigMap", variable.value_from.config_map_key_ref.name
        if variable.value_from.secret_key_ref:
            yield "Secret", variable.value_from.secret_key_ref.name


def _of_volume(volume: Volume) -> Iterator[ConfigRef]:
    if volume.config_map:
        yield "ConfigMap", volume.config_map.name
    if volume.secret:
        yield "Secret", volume.secret.secret_name
    for projection in volume.projected.sources if volume.projected else ():
        if projection.config_map:
            yield "ConfigMap", projection.config_map.name
        if projection.secret:
            yield "Secret", projection.secret.name
