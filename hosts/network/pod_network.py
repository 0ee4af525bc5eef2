"""The Docker network that a host's pods hang on: its bridge, its slice of the cluster's addresses.

Pods must reach each other without address translation, so Docker's own masquerading is off; what leaves the cluster is
masqueraded by declared host state (`differ.kubelet.host.state`). Routes between hosts are not made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from differ.kubelet.assignment import PodNetwork
from hosts.docker.engine import Engine
from objects.errors import EngineError
from objects.names import LABEL_MANAGED
from policies.host_support import engine_release

BRIDGE = "berth0"
UNPROTECTED_SINCE = (28, 0)
NOT_FOUND, CONFLICT = 404, 409


def ensure_pod_network(engine: Engine, network: PodNetwork) -> None:
    """Make the network, or make it anew if it has another subnet. Raises EngineError while containers hang on that."""
    found = _find(engine, network.name)
    if found is not None and not is_ours(found):
        raise EngineError(
            f"the host has a network {network.name} ({_subnet(found) or 'no subnet'}) that Berth did not make",
            status=CONFLICT,
            hint=f"remove it if nobody needs it: docker network rm {network.name}",
        )
    if found is not None and _subnet(found) != network.subnet:
        _remove(engine, found, network)
        found = None
    if found is None:
        _create(engine, network)


def is_ours(network: Mapping[str, Any]) -> bool:
    """Whether we made the network that the engine shows so. Pure."""
    return LABEL_MANAGED in (network.get("Labels") or {})


def _find(engine: Engine, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = engine.api.inspect_network(name)
    except EngineError as error:
        if error.status == NOT_FOUND:
            return None
        raise
    return found


def _remove(engine: Engine, found: dict[str, Any], wanted: PodNetwork) -> None:
    hanging = sorted(str(container.get("Name", "?")) for container in (found.get("Containers") or {}).values())
    if hanging:
        raise EngineError(
            f"network {wanted.name} is {_subnet(found)} and has to become {wanted.subnet},"
            f" but {', '.join(hanging)} hang on it",
            status=CONFLICT,
            hint=f"take them off: docker network disconnect {wanted.name} NAME",
        )
    engine.api.remove_network(wanted.name)


def _subnet(found: dict[str, Any]) -> str:
    ranges = (found.get("IPAM") or {}).get("Config") or [{}]
    return str(ranges[0].get("Subnet", ""))


def _create(engine: Engine, network: PodNetwork) -> None:
    api = engine.api
    version: dict[str, Any] = api.version()
    body = network_request(network, engine_version=str(version.get("Version", "")))
    api.check(api.post(api.versioned("/networks/create"), json=body, timeout=engine.call_seconds))


def network_request(network: PodNetwork, *, engine_version: str) -> dict[str, Any]:
    """The body of `POST /networks/create`. Pure.

    Engine 28 drops what comes straight to a container from another host, unless the network says `nat-unprotected`. 27
    knows the option and refuses that word; its `routed` would publish no host ports, and its `nat` drops nothing that
    FORWARD lets through. Older engines do not know the option.
    """
    options = {
        "com.docker.network.bridge.name": BRIDGE,
        "com.docker.network.bridge.enable_ip_masquerade": "false",
    }
    if engine_release(engine_version) >= UNPROTECTED_SINCE:
        options["com.docker.network.bridge.gateway_mode_ipv4"] = "nat-unprotected"
    return {
        "Name": network.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "IPAM": {"Driver": "default", "Config": [{"Subnet": network.subnet, "Gateway": network.gateway}]},
        "Options": options,
        "Labels": {LABEL_MANAGED: "true"},
    }
