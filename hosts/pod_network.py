"""The Docker network that a host's pods hang on: its bridge, its slice of the cluster's addresses, its way out.

Pods must reach each other without address translation, so Docker's own masquerading is off; what leaves the cluster is
masqueraded by one rule of ours. Routes between hosts are not made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from differ.assignment import PodNetwork
from hosts.engine import Engine
from objects.errors import EngineError
from objects.names import LABEL_MANAGED

BRIDGE = "berth0"
RULE_SECONDS = 20.0
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
    _masquerade(engine, network)


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
    body = network_request(network)
    api = engine.api
    api.check(api.post(api.versioned("/networks/create"), json=body, timeout=engine.call_seconds))


def network_request(network: PodNetwork) -> dict[str, Any]:
    """The body of `POST /networks/create`. Pure."""
    return {
        "Name": network.name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "IPAM": {"Driver": "default", "Config": [{"Subnet": network.subnet, "Gateway": network.gateway}]},
        "Options": {
            "com.docker.network.bridge.name": BRIDGE,
            "com.docker.network.bridge.enable_ip_masquerade": "false",
            # Engine 28 drops what comes straight to a container from another host; older ones do not know the option.
            "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected",
        },
        "Labels": {LABEL_MANAGED: "true"},
    }


def masquerade_command(network: PodNetwork) -> str:
    """A shell command that has no effect when the rule is there. Pure."""
    rule = f"POSTROUTING -s {network.subnet} ! -d {network.cluster_cidr} -m comment --comment berth -j MASQUERADE"
    return f"iptables -w 5 -t nat -C {rule} 2>/dev/null || iptables -w 5 -t nat -A {rule}"


def _masquerade(engine: Engine, network: PodNetwork) -> None:
    engine.link.run(masquerade_command(network), timeout_seconds=RULE_SECONDS, root=True, check=True)
