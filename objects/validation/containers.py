"""Containers: names, images, ports, environment, mounts, security."""

from __future__ import annotations

import re
from collections.abc import Collection

from objects.api.pods import (
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    PodSpec,
    SecurityContext,
    VolumeMount,
)
from objects.api.volumes import ObjectFieldSelector, ResourceFieldSelector
from objects.fields import FieldPath
from objects.syntax import (
    config_key_problem,
    dns_label_problem,
    env_name_problem,
    ip_problem,
    label_key_problem,
    port_name_problem,
)
from objects.validation.found import Found
from objects.validation.probes import check_probes_and_hooks
from objects.validation.resources import check_resources
from objects.values.image_reference import image_problem
from objects.values.quantity import nano_value

_MAX_ID = 2**31 - 1
_ENV_FIELDS = frozenset(
    {
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.hostIPs",
        "status.podIP",
        "status.podIPs",
    }
)
VOLUME_FIELDS = frozenset(
    {"metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations"}
)
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']*)'\]")
_CPU_UNITS = ("1m", "1")
_BYTE_UNITS = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_RESOURCES = re.compile(r"(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)")


def check_containers(found: Found, path: FieldPath, spec: PodSpec, *, volumes: Collection[str]) -> None:
    """All containers of a pod. path: of its spec; volumes: names that can be mounted."""
    if not spec.containers:
        found.add((*path, "containers"), "must have at least one container")
    names: list[tuple[FieldPath, object]] = []
    for field, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            place = (*path, field, index)
            names.append(((field, index, "name"), container.name))
            _check_container(found, place, container, spec, volumes)
            _check_role(found, place, container, is_init=field == "initContainers")
    found.unique(path, (one for one in names if one[1]), "container name")
    if spec.ephemeral_containers:
        found.add((*path, "ephemeralContainers"), "cannot be in a manifest: they are added to running pods")
    _check_host_ports(found, path, spec)


def _check_container(
    found: Found, path: FieldPath, container: Container, spec: PodSpec, volumes: Collection[str]
) -> None:
    if found.require((*path, "name"), container.name):
        found.text((*path, "name"), container.name, dns_label_problem)
    if found.require((*path, "image"), container.image) and (problem := image_problem(container.image)):
        found.add(
            (*path, "image"),
            problem if container.image != container.image.strip() else f"'{container.image}' {problem}",
        )
    found.choice((*path, "imagePullPolicy"), container.image_pull_policy, ("Always", "IfNotPresent", "Never"))
    found.choice(
        (*path, "terminationMessagePolicy"), container.termination_message_policy, ("File", "FallbackToLogsOnError")
    )
    _check_ports(found, path, container, host_network=spec.host_network)
    for index, variable in enumerate(container.env):
        _check_variable(found, (*path, "env", index), variable)
    for index, source in enumerate(container.env_from):
        _check_env_from(found, (*path, "envFrom", index), source)
    _check_mounts(found, path, container, volumes)
    check_resources(found, (*path, "resources"), container.resources)
    for index, policy in enumerate(container.resize_policy):
        place = (*path, "resizePolicy", index)
        if found.require((*place, "resourceName"), policy.resource_name):
            found.choice((*place, "resourceName"), policy.resource_name, ("cpu", "memory"))
        if found.require((*place, "restartPolicy"), policy.restart_policy):
            found.choice((*place, "restartPolicy"), policy.restart_policy, ("NotRequired", "RestartContainer"))
    resized = (((index, "resourceName"), one.resource_name) for index, one in enumerate(container.resize_policy))
    found.unique((*path, "resizePolicy"), resized, "resource")
    if container.security_context is not None:
        _check_security(found, (*path, "securityContext"), container.security_context)
    check_probes_and_hooks(found, path, container, grace_seconds=spec.termination_grace_period_seconds)


def _check_role(found: Found, path: FieldPath, container: Container, *, is_init: bool) -> None:
    """Init containers end before the pod is ready, so they cannot be probed; sidecars (`Always`) can."""
    found.choice((*path, "restartPolicy"), container.restart_policy, ("Always", "OnFailure", "Never"))
    if not is_init or container.is_sidecar:
        return
    for field, value in (
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
        ("lifecycle", container.lifecycle),
    ):
        if value is not None:
            hint = "set restartPolicy: Always to make it a sidecar"
            found.add((*path, field), "is not allowed in an init container", hint)


# --- ports --------------------------------------------------------------------------------------------------------


def _check_ports(found: Found, path: FieldPath, container: Container, *, host_network: bool) -> None:
    for index, port in enumerate(container.ports):
        place = (*path, "ports", index)
        found.port((*place, "containerPort"), port.container_port)
        if port.host_port:
            found.port((*place, "hostPort"), port.host_port)
            if host_network and port.host_port != port.container_port:
                found.add((*place, "hostPort"), f"must equal containerPort {port.container_port} with hostNetwork")
        found.choice((*place, "protocol"), port.protocol, ("TCP", "UDP", "SCTP"))
        if port.name:
            found.text((*place, "name"), port.name, port_name_problem)
        if port.host_ip:
            found.text((*place, "hostIP"), port.host_ip, ip_problem)
    names = (((index, "name"), port.name) for index, port in enumerate(container.ports) if port.name)
    found.unique((*path, "ports"), names, "port name")


def _check_host_ports(found: Found, path: FieldPath, spec: PodSpec) -> None:
    """Containers of one pod run on one host, so no two of them can have the same port of it."""
    taken: dict[tuple[int, str], list[str]] = {}
    for field, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            if field == "initContainers" and not container.is_sidecar:
                continue
            for number, port in enumerate(container.ports):
                if not port.host_port:
                    continue
                addresses = taken.setdefault((port.host_port, port.protocol or "TCP"), [])
                own = "*" if port.host_ip in _ALL_ADDRESSES else port.host_ip
                # A port without an address is the port of every address.
                if any(own == other or "*" in (own, other) for other in addresses):
                    shown = f"{own}:{port.host_port}/{port.protocol or 'TCP'}"
                    found.add((*path, field, index, "ports", number, "hostPort"), f"host port '{shown}' is there twice")
                addresses.append(own)


_ALL_ADDRESSES = ("", "0.0.0.0", "::")


# --- environment --------------------------------------------------------------------------------------------------


def _check_variable(found: Found, path: FieldPath, variable: EnvVar) -> None:
    found.text((*path, "name"), variable.name, env_name_problem)
    if variable.value_from is not None:
        if variable.value:
            found.add(path, "may have value or valueFrom, not both")
        _check_source(found, (*path, "valueFrom"), variable.value_from)


def _check_source(found: Found, path: FieldPath, source: EnvVarSource) -> None:
    sources = {
        "fieldRef": source.field_ref,
        "resourceFieldRef": source.resource_field_ref,
        "configMapKeyRef": source.config_map_key_ref,
        "secretKeyRef": source.secret_key_ref,
        "fileKeyRef": source.file_key_ref,
    }
    found.only_one(path, [name for name, value in sources.items() if value is not None], "a source")
    if source.field_ref is not None:
        check_field(found, (*path, "fieldRef"), source.field_ref, allowed=_ENV_FIELDS)
    if source.resource_field_ref is not None:
        check_resource_field(found, (*path, "resourceFieldRef"), source.resource_field_ref)
    for name, reference in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
        if reference is not None:
            found.require((*path, name, "name"), reference.name)
            found.text((*path, name, "key"), reference.key, config_key_problem)


def check_field(found: Found, path: FieldPath, selector: ObjectFieldSelector, *, allowed: Collection[str]) -> None:
    """A field of the pod that the downward API can give."""
    field = selector.field_path
    subscript = _SUBSCRIPT.fullmatch(field)
    if subscript:
        if problem := label_key_problem(subscript[2].lower()):
            found.add((*path, "fieldPath"), f"'{field}': key {problem}")
    elif field not in allowed:
        names = ", ".join(sorted(allowed))
        found.add((*path, "fieldPath"), f"'{field}' is not one of {names}, metadata.labels['<key>'] …")
    if selector.api_version not in ("", "v1"):
        found.add((*path, "apiVersion"), f"must be v1, not '{selector.api_version}'")


def check_resource_field(found: Found, path: FieldPath, selector: ResourceFieldSelector) -> None:
    """A request or limit of a container that the downward API can give."""
    if not _RESOURCES.fullmatch(selector.resource):
        allowed = "limits.cpu, limits.memory, limits.ephemeral-storage, requests.cpu …"
        found.add((*path, "resource"), f"'{selector.resource}' is not one of {allowed}")
    if selector.divisor is None or not found.quantity((*path, "divisor"), selector.divisor):
        return
    units = _CPU_UNITS if selector.resource.endswith(".cpu") else _BYTE_UNITS
    # Zero is the unit, as is nothing.
    if nano_value(selector.divisor) not in {0, *(nano_value(unit) for unit in units)}:
        found.add((*path, "divisor"), f"must be one of {', '.join(units)}, not {selector.divisor}")


def _check_env_from(found: Found, path: FieldPath, source: EnvFromSource) -> None:
    sources = {"configMapRef": source.config_map_ref, "secretRef": source.secret_ref}
    found.only_one(path, [name for name, value in sources.items() if value is not None], "a source")
    if source.prefix:
        found.text((*path, "prefix"), source.prefix, env_name_problem)
    for name, reference in sources.items():
        if reference is not None:
            found.require((*path, name, "name"), reference.name)


# --- mounts -------------------------------------------------------------------------------------------------------


def _check_mounts(found: Found, path: FieldPath, container: Container, volumes: Collection[str]) -> None:
    for index, mount in enumerate(container.volume_mounts):
        place = (*path, "volumeMounts", index)
        _check_volume_name(found, (*place, "name"), mount.name, volumes)
        found.require((*place, "mountPath"), mount.mount_path)
        if mount.sub_path and mount.sub_path_expr:
            found.add(place, "may have subPath or subPathExpr, not both")
        for field, value in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
            if value:
                found.text((*place, field), value, inside_path_problem)
        found.choice(
            (*place, "mountPropagation"), mount.mount_propagation, ("None", "HostToContainer", "Bidirectional")
        )
        context = container.security_context
        if mount.mount_propagation == "Bidirectional" and not (context is not None and context.privileged):
            found.add((*place, "mountPropagation"), "Bidirectional needs a privileged container")
        _check_recursive(found, place, mount)
    paths = (((index, "mountPath"), mount.mount_path) for index, mount in enumerate(container.volume_mounts))
    found.unique((*path, "volumeMounts"), paths, "mount path")
    for index, device in enumerate(container.volume_devices):
        _check_volume_name(found, (*path, "volumeDevices", index, "name"), device.name, volumes)


def _check_recursive(found: Found, path: FieldPath, mount: VolumeMount) -> None:
    field = (*path, "recursiveReadOnly")
    found.choice(field, mount.recursive_read_only, ("Disabled", "IfPossible", "Enabled"))
    if mount.recursive_read_only in (None, "Disabled"):
        return
    if not mount.read_only:
        found.add(field, "only makes sense with readOnly: true")
    if mount.mount_propagation not in (None, "", "None"):
        found.add(field, "only makes sense without mountPropagation")


def _check_volume_name(found: Found, path: FieldPath, name: str, volumes: Collection[str]) -> None:
    if name not in volumes:
        known = f"the pod has {', '.join(sorted(volumes))}" if volumes else "the pod has no volumes"
        found.add(path, f"there is no volume '{name}'", known)


def inside_path_problem(path: str) -> str:
    """A path below a folder that is given elsewhere: relative, never upwards."""
    if path.startswith("/"):
        return "must be a relative path"
    return "must not hold '..'" if ".." in path.split("/") else ""


# --- security -----------------------------------------------------------------------------------------------------


def _check_security(found: Found, path: FieldPath, context: SecurityContext) -> None:
    for field, value in (("runAsUser", context.run_as_user), ("runAsGroup", context.run_as_group)):
        found.number((*path, field), value, most=_MAX_ID)
    found.choice((*path, "procMount"), context.proc_mount, ("Default", "Unmasked"))
    if context.allow_privilege_escalation is False:
        added = context.capabilities.add if context.capabilities else ()
        if context.privileged:
            found.add((*path, "allowPrivilegeEscalation"), "cannot be false in a privileged container")
        # The API server knows this spelling only: MetalLB and others write SYS_ADMIN and mean it.
        if "CAP_SYS_ADMIN" in added:
            found.add((*path, "allowPrivilegeEscalation"), "cannot be false with the capability CAP_SYS_ADMIN")
    check_profiles(found, path, context)


def check_profiles(found: Found, path: FieldPath, context: object) -> None:
    """seccomp and AppArmor profiles of a container or pod."""
    for field, name in (("seccompProfile", "seccomp_profile"), ("appArmorProfile", "app_armor_profile")):
        profile = getattr(context, name)
        if profile is None:
            continue
        place = (*path, field)
        found.choice((*place, "type"), profile.type, ("RuntimeDefault", "Unconfined", "Localhost"))
        if profile.type == "Localhost":
            found.require((*place, "localhostProfile"), profile.localhost_profile)
        elif profile.localhost_profile is not None:
            found.add((*place, "localhostProfile"), "only makes sense with type Localhost")
