"""Pods, pod templates and their containers, described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from objects import codec
from objects.api.meta import Condition, ResourceList
from objects.api.pods import (
    Container,
    ContainerState,
    ContainerStatus,
    EnvFromSource,
    EnvVar,
    Pod,
    PodSpec,
    Probe,
)
from objects.api.volumes import Volume
from objects.pod_resources import qos_class
from reconciler.cli.printing.description import Description, mapping_text
from reconciler.cli.printing.pods import host_is_silent, summarise_pod
from reconciler.cli.printing.table import NONE, Surroundings, joined, render_table
from reconciler.state.host_status import HostStatus


def describe_pod(pod: Pod, around: Surroundings) -> Description:
    spec, status = pod.spec, pod.status
    summary = summarise_pod(pod, host_is_silent=host_is_silent(around.view, pod))
    all_init, all_main = _by_name(status.init_container_statuses), _by_name(status.container_statuses)
    return [
        ("Host", f"{spec.node_name}/{status.host_ip}" if status.host_ip else spec.node_name),
        ("Start Time", time_text(status.start_time)),
        ("Status", _status_text(pod, summary.status)),
        ("Silent Host", _silence(pod, around)),
        ("Reason", status.reason or None),
        ("Message", status.message or None),
        ("IP", status.pod_ip),
        ("Controlled By", _controller(pod)),
        ("Init Containers", [(item.name, _container(item, all_init)) for item in spec.init_containers] or None),
        ("Containers", [(item.name, _container(item, all_main)) for item in spec.containers]),
        ("Conditions", conditions_table(status.conditions)),
        ("Volumes", [(volume.name, _volume(volume)) for volume in spec.volumes]),
        ("QoS Class", status.qos_class or qos_class(pod)),
        ("Priority", None if spec.priority is None else f"{spec.priority} {spec.priority_class_name}".rstrip()),
        ("Host Selectors", mapping_text(spec.node_selector)),
        ("Tolerations", _tolerations(spec)),
    ]


def describe_template(spec: PodSpec, labels: Mapping[str, str]) -> Description:
    """A pod template below the workload that owns it."""
    return [
        ("Labels", mapping_text(dict(labels))),
        ("Service Account", spec.service_account_name or None),
        ("Init Containers", [(item.name, _container(item, {})) for item in spec.init_containers] or None),
        ("Containers", [(item.name, _container(item, {})) for item in spec.containers]),
        ("Volumes", [(volume.name, _volume(volume)) for volume in spec.volumes]),
        ("Host Selectors", mapping_text(spec.node_selector)),
        ("Tolerations", _tolerations(spec)),
    ]


def time_text(when: datetime | None) -> str:
    return NONE if when is None else when.strftime("%a, %d %b %Y %H:%M:%S %z")


def conditions_table(conditions: Sequence[Condition]) -> list[str]:
    """Type, status, reason and message, one a line."""
    rows = [(item.type, item.status, item.reason or NONE, item.message) for item in conditions]
    return render_table(("Type", "Status", "Reason", "Message"), rows) if rows else []


def _by_name(statuses: Sequence[ContainerStatus]) -> dict[str, ContainerStatus]:
    return {status.name: status for status in statuses}


def _status_text(pod: Pod, word: str) -> str:
    ends = pod.metadata.deletion_timestamp
    if ends is None:
        return word
    return f"{word} (killed at {ends:%H:%M:%S} if it is not gone before)"


def _silence(pod: Pod, around: Surroundings) -> str | None:
    """Why nothing is known of the pod now; None when its host answers."""
    if not host_is_silent(around.view, pod):
        return None
    status = around.view.get(HostStatus, "", pod.spec.node_name)
    return f"{status.message or status.reason}; all below is what was known last" if status else None


def _controller(pod: Pod) -> str | None:
    owner = next((ref for ref in pod.metadata.owner_references if ref.controller), None)
    return f"{owner.kind}/{owner.name}" if owner else None


# --- containers ----------------------------------------------------------------------------------------------------


def _container(container: Container, statuses: Mapping[str, ContainerStatus]) -> Description:
    status = statuses.get(container.name)
    observed: Description = _observed(status) if status is not None else []
    return [
        ("Container ID", (status.container_id or NONE) if status else None),
        ("Image", container.image),
        ("Image ID", (status.image_id or NONE) if status else None),
        ("Ports", joined(f"{port.container_port}/{port.protocol or 'TCP'}" for port in container.ports)),
        ("Host Ports", joined(str(port.host_port) for port in container.ports if port.host_port)),
        ("Command", _argv(container.command)),
        ("Args", _argv(container.args)),
        *observed,
        ("Limits", _resources(container.resources.limits)),
        ("Requests", _resources(container.resources.requests)),
        ("Liveness", _probe(container.liveness_probe)),
        ("Readiness", _probe(container.readiness_probe)),
        ("Startup", _probe(container.startup_probe)),
        ("Environment From", list(map(_env_from, container.env_from)) or None),
        ("Environment", list(map(_env, container.env))),
        ("Mounts", [_mount(container, index) for index in range(len(container.volume_mounts))]),
    ]


def _observed(status: ContainerStatus) -> Description:
    last = status.last_state
    return [
        ("State", _state(status.state)),
        ("Last State", _state(last) if last != ContainerState() else None),
        ("Ready", str(status.ready)),
        ("Restart Count", str(status.restart_count)),
    ]


def _state(state: ContainerState) -> str:
    """One line, more for what ended: why, with which code, when."""
    if state.running is not None:
        return f"Running since {time_text(state.running.started_at)}"
    if state.waiting is not None:
        reason = f"Waiting: {state.waiting.reason}" if state.waiting.reason else "Waiting"
        return reason + (f"\n{state.waiting.message}" if state.waiting.message else "")
    if state.terminated is not None:
        ended = state.terminated
        text = f"Terminated: {ended.reason or 'Error'}, exit code {ended.exit_code}"
        text += f" (signal {ended.signal})" if ended.signal else ""
        text += f"\n{ended.message}" if ended.message else ""
        return f"{text}\n{time_text(ended.started_at)} to {time_text(ended.finished_at)}"
    return "Waiting"


def _argv(words: Sequence[str]) -> list[str] | None:
    return list(words) or None


def _resources(resources: ResourceList) -> str | None:
    return ", ".join(f"{name} {amount}" for name, amount in sorted(resources.items())) or None


def _probe(probe: Probe | None) -> str | None:
    if probe is None:
        return None
    if probe.exec is not None:
        what = f"exec {list(probe.exec.command)}"
    elif probe.http_get is not None:
        target = probe.http_get
        what = f"http-get {(target.scheme or 'HTTP').lower()}://{target.host}:{target.port}{target.path or '/'}"
    elif probe.tcp_socket is not None:
        what = f"tcp-socket {probe.tcp_socket.host}:{probe.tcp_socket.port}"
    elif probe.grpc is not None:
        what = f"grpc :{probe.grpc.port} {probe.grpc.service or ''}".rstrip()
    else:
        what = "nothing"
    return (
        f"{what} delay={probe.initial_delay_seconds}s timeout={probe.timeout_seconds}s "
        f"period={probe.period_seconds}s #success={probe.success_threshold} #failure={probe.failure_threshold}"
    )


def _env(item: EnvVar) -> str:
    """Where a value comes from, never the value of a secret."""
    source = item.value_from
    if source is None:
        return f"{item.name}: {item.value}"
    if source.secret_key_ref is not None:
        where = f"<key '{source.secret_key_ref.key}' in secret '{source.secret_key_ref.name}'>"
    elif source.config_map_key_ref is not None:
        where = f"<key '{source.config_map_key_ref.key}' of config map '{source.config_map_key_ref.name}'>"
    elif source.field_ref is not None:
        where = f"<{source.field_ref.field_path}>"
    elif source.resource_field_ref is not None:
        where = f"<{source.resource_field_ref.container_name} {source.resource_field_ref.resource}>"
    else:
        where = NONE
    return f"{item.name}: {where}"


def _env_from(item: EnvFromSource) -> str:
    prefix = f" with prefix '{item.prefix}'" if item.prefix else ""
    if item.secret_ref is not None:
        return f"{item.secret_ref.name} Secret{prefix}"
    return f"{item.config_map_ref.name if item.config_map_ref else NONE} ConfigMap{prefix}"


def _mount(container: Container, index: int) -> str:
    mount = container.volume_mounts[index]
    path = f', path="{mount.sub_path}"' if mount.sub_path else ""
    return f"{mount.mount_path} from {mount.name} ({'ro' if mount.read_only else 'rw'}{path})"


# --- volumes and placement -----------------------------------------------------------------------------------------


def _volume(volume: Volume) -> Description:
    """The source as it stands in the manifest: its kind, then its fields."""
    document = codec.encode_struct(volume)
    document.pop("name", None)
    lines: list[tuple[str, str]] = []
    for kind, fields in document.items():
        lines.append(("Type", kind))
        if isinstance(fields, dict):
            lines += [(name, str(value)) for name, value in fields.items()]
    return lines or [("Type", NONE)]


def _tolerations(spec: PodSpec) -> str:
    texts = []
    for item in spec.tolerations:
        sign = "op=Exists" if item.operator == "Exists" or not item.key else f"={item.value}"
        text = f"{item.key}{f':{item.effect}' if item.effect else ''} {sign}" if item.key else sign
        texts.append(text + (f" for {item.toleration_seconds}s" if item.toleration_seconds is not None else ""))
    return "\n".join(texts) or NONE
