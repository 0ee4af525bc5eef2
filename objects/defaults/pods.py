"""Defaults of pods and their parts, as the core/v1 API server fills them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from objects.api.meta import ResourceList
from objects.api.pods import (
    Container,
    ContainerPort,
    EnvVar,
    GRPCAction,
    HTTPGetAction,
    Lifecycle,
    LifecycleHandler,
    PodSpec,
    PodTemplateSpec,
    Probe,
    ResourceRequirements,
)
from objects.api.volumes import (
    ConfigMapVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    EphemeralVolumeSource,
    ISCSIVolumeSource,
    ObjectFieldSelector,
    ProjectedVolumeSource,
    RBDVolumeSource,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from objects.defaults.fill import change, each, fill, fill_zero

_MODE = 0o644
_TOKEN_SECONDS = 3600

_T = TypeVar("_T")


def default_template(template: PodTemplateSpec) -> PodTemplateSpec:
    return change(template, spec=default_pod_spec(template.spec))


def default_pod_spec(spec: PodSpec) -> PodSpec:
    """A pod's spec, complete. With `hostNetwork` every port is a port of the host."""
    ports = _host_port if spec.host_network else _port

    def container(one: Container) -> Container:
        return _default_container(change(one, ports=each(one.ports, ports)))

    spec = change(
        spec,
        containers=each(spec.containers, container),
        init_containers=each(spec.init_containers, container),
        ephemeral_containers=each(spec.ephemeral_containers, container),
        volumes=each(spec.volumes, _default_volume),
        resources=None if spec.resources is None else default_resources(spec.resources),
    )
    return fill(
        spec,
        restart_policy="Always",
        termination_grace_period_seconds=30,
        dns_policy="ClusterFirst",
        scheduler_name="default-scheduler",
        enable_service_links=True,
    )


# --- containers ---------------------------------------------------------------------------------------------------


def _default_container(container: Container) -> Container:
    container = change(
        container,
        env=each(container.env, _default_variable),
        resources=default_resources(container.resources),
        liveness_probe=_if_set(container.liveness_probe, _default_probe),
        readiness_probe=_if_set(container.readiness_probe, _default_probe),
        startup_probe=_if_set(container.startup_probe, _default_probe),
        lifecycle=_if_set(container.lifecycle, _default_lifecycle),
    )
    return fill(
        container,
        image_pull_policy=pull_policy_of(container.image),
        termination_message_path="/dev/termination-log",
        termination_message_policy="File",
    )


def pull_policy_of(image: str) -> str:
    """`Always` for `:latest` and for no tag, since that may be another image tomorrow; else `IfNotPresent`."""
    name, at, _ = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "IfNotPresent" if at or tag not in ("", "latest") else "Always"


def default_resources(resources: ResourceRequirements) -> ResourceRequirements:
    """Who limits a resource and does not say what is needed needs that much."""
    missing: ResourceList = {name: limit for name, limit in resources.limits.items() if name not in resources.requests}
    return change(resources, requests={**resources.requests, **missing}) if missing else resources


def _port(port: ContainerPort) -> ContainerPort:
    return fill(port, protocol="TCP")


def _host_port(port: ContainerPort) -> ContainerPort:
    return fill_zero(fill(port, protocol="TCP"), host_port=port.container_port)


def _default_variable(variable: EnvVar) -> EnvVar:
    source = variable.value_from
    if source is None or source.field_ref is None:
        return variable
    return change(variable, value_from=change(source, field_ref=_default_field(source.field_ref)))


def _default_field(selector: ObjectFieldSelector) -> ObjectFieldSelector:
    return fill(selector, api_version="v1")


def _default_probe(probe: Probe) -> Probe:
    probe = change(probe, http_get=_if_set(probe.http_get, _default_http_get), grpc=_if_set(probe.grpc, _default_grpc))
    return fill_zero(probe, timeout_seconds=1, period_seconds=10, success_threshold=1, failure_threshold=3)


def _default_http_get(action: HTTPGetAction) -> HTTPGetAction:
    return fill(action, path="/", scheme="HTTP")


def _default_grpc(action: GRPCAction) -> GRPCAction:
    # The empty service name is the health protocol's own "the whole server".
    return change(action, service="") if action.service is None else action


def _default_lifecycle(lifecycle: Lifecycle) -> Lifecycle:
    return change(
        lifecycle,
        post_start=_if_set(lifecycle.post_start, _default_hook),
        pre_stop=_if_set(lifecycle.pre_stop, _default_hook),
    )


def _default_hook(hook: LifecycleHandler) -> LifecycleHandler:
    return change(hook, http_get=_if_set(hook.http_get, _default_http_get))


# --- volumes ------------------------------------------------------------------------------------------------------


def _default_volume(volume: Volume) -> Volume:
    if not any(getattr(volume, name) is not None for name in VOLUME_SOURCES):
        return change(volume, empty_dir=EmptyDirVolumeSource())
    return change(
        volume,
        config_map=_if_set(volume.config_map, _default_config_map),
        secret=_if_set(volume.secret, _default_secret),
        downward_api=_if_set(volume.downward_api, _default_downward),
        projected=_if_set(volume.projected, _default_projected),
        ephemeral=_if_set(volume.ephemeral, _default_ephemeral),
        iscsi=_if_set(volume.iscsi, _default_iscsi),
        rbd=_if_set(volume.rbd, _default_rbd),
    )


VOLUME_SOURCES: tuple[str, ...] = tuple(name for name in Volume.__struct_fields__ if name != "name")
"""The fields of a Volume of which exactly one is set."""


def _default_config_map(source: ConfigMapVolumeSource) -> ConfigMapVolumeSource:
    return fill(source, default_mode=_MODE)


def _default_secret(source: SecretVolumeSource) -> SecretVolumeSource:
    return fill(source, default_mode=_MODE)


def _default_downward(source: DownwardAPIVolumeSource) -> DownwardAPIVolumeSource:
    return fill(change(source, items=each(source.items, _default_file)), default_mode=_MODE)


def _default_file(file: DownwardAPIVolumeFile) -> DownwardAPIVolumeFile:
    return change(file, field_ref=_if_set(file.field_ref, _default_field))


def _default_projected(source: ProjectedVolumeSource) -> ProjectedVolumeSource:
    return fill(change(source, sources=each(source.sources, _default_projection)), default_mode=_MODE)


def _default_projection(projection: VolumeProjection) -> VolumeProjection:
    token, downward = projection.service_account_token, projection.downward_api
    if token is not None:
        projection = change(projection, service_account_token=fill(token, expiration_seconds=_TOKEN_SECONDS))
    if downward is not None:
        completed = change(downward, items=each(downward.items, _default_file))
        projection = change(projection, downward_api=completed)
    return projection


def _default_ephemeral(source: EphemeralVolumeSource) -> EphemeralVolumeSource:
    template = source.volume_claim_template
    if template is None:
        return source
    spec = fill(template.spec, volume_mode="Filesystem")
    return change(source, volume_claim_template=change(template, spec=spec))


def _default_iscsi(source: ISCSIVolumeSource) -> ISCSIVolumeSource:
    return fill(source, iscsi_interface="default")


def _default_rbd(source: RBDVolumeSource) -> RBDVolumeSource:
    return fill(source, pool="rbd", user="admin", keyring="/etc/ceph/keyring")


def _if_set(value: _T | None, complete: Callable[[_T], _T]) -> _T | None:
    return None if value is None else complete(value)
