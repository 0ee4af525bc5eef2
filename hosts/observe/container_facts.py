"""What the engine says of one container, as a value: from the list, and from asking for it alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hosts.docker.container_request import RECORD_FIELD
from objects.observation.host import ObservedContainer

_FRACTION = re.compile(r"\.(\d{1,6})\d*")

_YEAR_ONE = "0001-"
"""What Docker writes for "never"."""


def compose_just_made(summary: Mapping[str, Any]) -> ObservedContainer:
    """What `GET /containers/json` says of a container that never ran; its settings are not known. Pure."""
    mode = str((summary.get("HostConfig") or {}).get("NetworkMode", ""))
    networks = (summary.get("NetworkSettings") or {}).get("Networks") or {}
    return ObservedContainer(
        id=str(summary["Id"]),
        name=str((summary.get("Names") or [""])[0]).lstrip("/"),
        image=str(summary.get("Image", "")),
        image_id=str(summary.get("ImageID", "")),
        labels=dict(summary.get("Labels") or {}),
        state="created",
        created_at=datetime.fromtimestamp(int(summary.get("Created", 0)), UTC),
        network_mode=mode,
        has_no_network=_needs_network(mode) and not networks,
    )


def _needs_network(mode: str) -> bool:
    return mode not in ("host", "none") and not mode.startswith("container:")


def parse_time(text: str) -> datetime | None:
    """Docker's RFC 3339 with nanoseconds; None for its "never"."""
    if not text or text.startswith(_YEAR_ONE):
        return None
    return datetime.fromisoformat(_FRACTION.sub(lambda match: f".{match[1]:0<6}", text)).astimezone(UTC)


def compose_container(details: Mapping[str, Any], *, network: str) -> ObservedContainer:
    """What `GET /containers/{id}/json` says. network: name of the pod network. Pure."""
    state, config, host = details["State"], details["Config"], details["HostConfig"]
    networks = (details.get("NetworkSettings") or {}).get("Networks") or {}
    mode = str(host.get("NetworkMode", ""))
    return ObservedContainer(
        id=str(details["Id"]),
        name=str(details["Name"]).lstrip("/"),
        made_as=str(host.get(RECORD_FIELD) or ""),
        image=str(config.get("Image", "")),
        image_id=str(details.get("Image", "")),
        labels=dict(config.get("Labels") or {}),
        state=str(state.get("Status", "")),
        exit_code=int(state.get("ExitCode", 0)),
        oom_killed=bool(state.get("OOMKilled")),
        error=str(state.get("Error", "")),
        created_at=parse_time(str(details.get("Created", ""))),
        started_at=parse_time(str(state.get("StartedAt", ""))),
        finished_at=parse_time(str(state.get("FinishedAt", ""))),
        restart_count=int(details.get("RestartCount", 0)),
        restart_policy=str((host.get("RestartPolicy") or {}).get("Name") or "no"),
        address=str((networks.get(network) or {}).get("IPAddress", "")),
        network_mode=mode,
        has_no_network=_needs_network(mode) and not networks,
        cpu_shares=int(host.get("CpuShares") or 0),
        cpu_quota_micros=max(0, int(host.get("CpuQuota") or 0)),
        memory_bytes=max(0, int(host.get("Memory") or 0)),
        stop_signal=str(config.get("StopSignal") or ""),
        host_ports=_host_ports(details),
        lacks_host_ports=state.get("Status") in ("running", "paused") and not _publishes_all(details),
    )


def _publishes_all(details: Mapping[str, Any]) -> bool:
    """Whether every port that the container was made to publish is published.

    Of a container whose start failed because a port was taken, Docker Engine 29 publishes none at its next start, which
    succeeds (moby#51758): only this comparison tells.
    """
    published = (details.get("NetworkSettings") or {}).get("Ports") or {}
    for key, bindings in (details["HostConfig"].get("PortBindings") or {}).items():
        found = {(one.get("HostIp", ""), one.get("HostPort", "")) for one in published.get(key) or ()}
        ports = {port for _, port in found}
        for one in bindings or ():
            address, port = one.get("HostIp", ""), one.get("HostPort", "")
            if port and (((address, port) not in found) if address else (port not in ports)):
                return False
    return True


def _host_ports(details: Mapping[str, Any]) -> tuple[tuple[str, str, int], ...]:
    """Ports it publishes now, or will when it starts."""
    published = (details.get("NetworkSettings") or {}).get("Ports") or details["HostConfig"].get("PortBindings") or {}
    found = {
        (key.rpartition("/")[2], binding.get("HostIp", ""), int(binding["HostPort"]))
        for key, bindings in published.items()
        for binding in bindings or ()
        if binding.get("HostPort")
    }
    return tuple(sorted(found))
