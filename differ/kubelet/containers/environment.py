"""A container's environment: `$(NAME)` expansion, ConfigMap and Secret keys, fields of the pod, resources.

Pure. A value that came from a Secret, or was composed with one, stays a `SecretValue`. What is missing raises
`ContainerConfigError` in Kubernetes' words; an `optional` reference that is missing is left out.

Order: `envFrom` in order, then `env` in order; a later one of the same name wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from differ.kubelet.actions import EnvironmentValue
from differ.kubelet.assignment import HostAssignment
from objects.api.core import ConfigMap, Secret
from objects.api.meta import QuantityLike
from objects.api.pods import (
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    Pod,
)
from objects.api.volumes import ObjectFieldSelector, ResourceFieldSelector
from objects.errors import ContainerConfigError
from objects.names import ANNOTATION_UNREAD
from objects.secrets import SecretValue
from objects.values import quantity

# `$$` is a literal `$`; `$(` … `)` a reference; any other `$` stands for itself.
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")


class PodContext(NamedTuple):
    """What references of one pod resolve against. docker_root: the engine's directory on the host."""

    pod: Pod
    assignment: HostAssignment
    docker_root: str = "/var/lib/docker"


def expand(text: str, values: Mapping[str, EnvironmentValue]) -> EnvironmentValue:
    """Replace `$(NAME)` by its value; unknown names stay as written, `$$` makes `$`.

    "$(A)-1", A=x  -> "x-1"        "$$(A)" -> "$(A)"        "$(NONE)" -> "$(NONE)"
    """
    is_secret = False

    def replace(match: re.Match[str]) -> str:
        nonlocal is_secret
        name = match[1]
        if name is None:
            return "$"
        value = values.get(name)
        if value is None:
            return match[0]
        if isinstance(value, SecretValue):
            is_secret = True
            return value.reveal().decode(errors="surrogateescape")
        return value

    expanded = _REFERENCE.sub(replace, text)
    return SecretValue(expanded.encode(errors="surrogateescape")) if is_secret else expanded


def unknown_references(text: str, values: Mapping[str, EnvironmentValue]) -> tuple[str, ...]:
    """The names in `$(NAME)`s of the text that have no value."""
    names = (match[1] for match in _REFERENCE.finditer(text))
    return tuple(name for name in names if name is not None and name not in values)


def resolve_environment(container: Container, context: PodContext) -> dict[str, EnvironmentValue]:
    """The environment by name, in the order of the manifest. Raises ContainerConfigError."""
    values: dict[str, EnvironmentValue] = {}
    for source in container.env_from:
        values.update(_all_keys(source, context))
    for variable in container.env:
        value = _resolve_variable(variable, container, context, values)
        if value is None:
            continue
        values.pop(variable.name, None)
        values[variable.name] = value
    return values


def _resolve_variable(
    variable: EnvVar, container: Container, context: PodContext, values: Mapping[str, EnvironmentValue]
) -> EnvironmentValue | None:
    """None: an optional reference that leads nowhere."""
    source = variable.value_from
    if source is None:
        return expand(variable.value, values)
    if source.field_ref is not None:
        return resolve_field(source.field_ref, context)
    if source.resource_field_ref is not None:
        return resolve_resource(source.resource_field_ref, container, context)
    return _resolve_key(source, context)


def _resolve_key(source: EnvVarSource, context: PodContext) -> EnvironmentValue | None:
    if source.config_map_key_ref is not None:
        reference = source.config_map_key_ref
        config_map = find_config_map(reference.name, bool(reference.optional), context)
        if config_map is None:
            return None
        if reference.key in config_map.data:
            return config_map.data[reference.key]
        _require_optional(reference.optional, reference.key, "ConfigMap", config_map)
        return None
    if source.secret_key_ref is not None:
        secret_reference = source.secret_key_ref
        secret = find_secret(secret_reference.name, bool(secret_reference.optional), context)
        if secret is None:
            return None
        if secret_reference.key in secret.data:
            return secret.data[secret_reference.key]
        _require_optional(secret_reference.optional, secret_reference.key, "Secret", secret)
        return None
    return ""


def _require_optional(is_optional: bool | None, key: str, kind: str, holder: ConfigMap | Secret) -> None:
    if not is_optional:
        raise ContainerConfigError(f"couldn't find key {key} in {kind} {holder.namespace}/{holder.name}")


def _all_keys(source: EnvFromSource, context: PodContext) -> dict[str, EnvironmentValue]:
    values: dict[str, EnvironmentValue] = {}
    if source.config_map_ref is not None:
        config_map = find_config_map(source.config_map_ref.name, bool(source.config_map_ref.optional), context)
        values.update({} if config_map is None else config_map.data)
    if source.secret_ref is not None:
        secret = find_secret(source.secret_ref.name, bool(source.secret_ref.optional), context)
        values.update({} if secret is None else secret.data)
    return {f"{source.prefix}{key}": value for key, value in sorted(values.items())}


def find_config_map(name: str, is_optional: bool, context: PodContext) -> ConfigMap | None:
    """None only when it is optional; otherwise raises ContainerConfigError."""
    found = context.assignment.config_maps.get((context.pod.namespace, name))
    _require_known(found)
    if found is None and not is_optional:
        raise ContainerConfigError(f'configmap "{name}" not found')
    return found


def find_secret(name: str, is_optional: bool, context: PodContext) -> Secret | None:
    """None only when it is optional; otherwise raises ContainerConfigError."""
    found = context.assignment.secrets.get((context.pod.namespace, name))
    _require_known(found)
    if found is None and not is_optional:
        raise ContainerConfigError(f'secret "{name}" not found')
    return found


def _require_known(found: ConfigMap | Secret | None) -> None:
    """What is deployed and cannot be read is not what an optional reference means by missing."""
    if found is not None and ANNOTATION_UNREAD in found.annotations:
        why = found.annotations[ANNOTATION_UNREAD]
        raise ContainerConfigError(f'the content of {found.KIND.lower()} "{found.name}" is not known: {why}')


def resolve_field(reference: ObjectFieldSelector, context: PodContext) -> str:
    """A field of the pod, as the downward API offers it. Raises ContainerConfigError for one that it does not."""
    pod, path = context.pod, reference.field_path
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript is not None:
        return (pod.labels if subscript[1] == "labels" else pod.annotations).get(subscript[2], "")
    if path in ("metadata.labels", "metadata.annotations"):
        return format_map(pod.labels if path == "metadata.labels" else pod.annotations)
    host_ip = context.assignment.host_ip
    pod_ip = host_ip if pod.spec.host_network else pod.status.pod_ip
    fields = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": pod.spec.node_name or context.assignment.host,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": host_ip,
        "status.hostIPs": host_ip,
        "status.podIP": pod_ip,
        "status.podIPs": pod_ip,
    }
    if path not in fields:
        raise ContainerConfigError(f"unsupported fieldPath: {path}")
    return fields[path]


def format_map(values: Mapping[str, str]) -> str:
    """Labels or annotations as the downward API writes them: `key="value"`, a line each, sorted."""
    return "\n".join(f"{key}={_quote(value)}" for key, value in sorted(values.items()))


def _quote(text: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(char, char) for char in text) + '"'


def resolve_resource(reference: ResourceFieldSelector, container: Container, context: PodContext) -> str:
    """`limits.cpu` and friends as a whole number of `divisor`s, rounded up.

    A limit that is not set is what the host can give (`node_allocatable`); a request that is not set is the limit's,
    else 0.
    """
    owner = container
    if reference.container_name and reference.container_name != container.name:
        candidates = (*context.pod.spec.containers, *context.pod.spec.init_containers)
        found = next((c for c in candidates if c.name == reference.container_name), None)
        if found is None:
            raise ContainerConfigError(f"container {reference.container_name} not found")
        owner = found
    kind, _, resource = reference.resource.partition(".")
    if kind not in ("limits", "requests") or not resource:
        raise ContainerConfigError(f"unsupported container resource: {reference.resource}")
    amount = _resource_amount(kind, resource, owner, context)
    divisor = quantity.nano_value(reference.divisor or 0) or quantity.nano_value(1)
    return str(-(-quantity.nano_value(amount) // divisor))


def _resource_amount(kind: str, resource: str, container: Container, context: PodContext) -> QuantityLike:
    limits, requests = container.resources.limits, container.resources.requests
    if kind == "requests":
        return requests.get(resource, limits.get(resource, 0))
    return limits.get(resource, context.assignment.node_allocatable.get(resource, 0))
