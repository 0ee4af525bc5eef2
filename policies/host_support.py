"""What a host can and cannot do for pods, judged by what is known of it. Pure: facts in, findings out.

A host that people really have is supported, or it is refused in one clear sentence: as a condition of its Node, in
`berth hosts check`, in the overview and in plans. Nothing else decides it. A rule is a function from facts to at most
one finding; what is not known (an engine that says nothing of it) is no finding.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from objects.observation.host import HostFacts

READY: Final = "Ready"
NETWORK: Final = "NetworkUnavailable"
PROBES: Final = "ProbesUnavailable"
LIMITS: Final = "LimitsUnavailable"
NOTE: Final = ""

OLDEST_API: Final = (1, 41)
"""Of Docker Engine 20.10: the oldest that the lab runs."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a host cannot do, or does in another way than most.

    condition: of its Node: `Ready` (it is not), `NetworkUnavailable`, `ProbesUnavailable` or `LimitsUnavailable` (it
    is), '' for what only `berth hosts check` says, since everything works. reason: CamelCase. message: one sentence.
    remedy: what to do or to type on the host; '' when nothing is to be done.
    """

    condition: str
    reason: str
    message: str
    remedy: str = ""


def findings_of(facts: HostFacts, *, pod_subnet: str = "") -> tuple[Finding, ...]:
    """What is to be said of a host, the gravest first. pod_subnet: its slice of the pod network, '' while it has none.

    Worked example: rootless -> (Ready, RootlessEngine); no TCP forwarding -> (ProbesUnavailable,
    TcpForwardingForbidden); Docker Engine 28 as Debian installs it, login as root -> ().
    """
    found = [finding for rule in _RULES if (finding := rule(facts)) is not None]
    found += _taken_addresses(facts, pod_subnet)
    order = (READY, NETWORK, LIMITS, PROBES, NOTE)
    return tuple(sorted(found, key=lambda finding: order.index(finding.condition)))


def refusal_of(facts: HostFacts) -> Finding | None:
    """Why a host is refused; None for one that is supported, if only in part.

    On a refused host nothing is done, and nothing that it shows of pods is believed: another engine, or the same one
    with users mapped, keeps its containers elsewhere, so that ours seem to be gone while they run.
    """
    return next((finding for rule in _REFUSING if (finding := rule(facts)) is not None), None)


def engine_release(version: str) -> tuple[int, int]:
    """`28.5.2+dfsg` -> (28, 5), `20.10.24` -> (20, 10); (0, 0) when it names no number."""
    match = re.match(r"(\d+)(?:\.(\d+))?", version)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


# --- not ready ------------------------------------------------------------------------------------------------------


def _other_engine(facts: HostFacts) -> Finding | None:
    if facts.traits.engine in ("", "Docker"):
        return None
    return Finding(
        condition=READY,
        reason="EngineNotSupported",
        message=f"{facts.traits.engine} answers in place of Docker Engine, and pods need what only Docker Engine does.",
        remedy="install Docker Engine (Debian: apt-get install docker.io)",
    )


def _old_engine(facts: HostFacts) -> Finding | None:
    api = tuple(int(part) for part in facts.api_version.split(".") if part.isdigit())
    if not api or api >= OLDEST_API or facts.traits.engine not in ("", "Docker"):
        return None
    return Finding(
        condition=READY,
        reason="EngineTooOld",
        message=f"Docker Engine {facts.engine_version} is older than 20.10, the oldest that Berth works with.",
        remedy="upgrade Docker Engine",
    )


def _rootless(facts: HostFacts) -> Finding | None:
    if "rootless" not in facts.traits.security_options:
        return None
    return Finding(
        condition=READY,
        reason="RootlessEngine",
        message="Docker Engine runs rootless: its pods have no addresses on the host, so nothing could reach them.",
        remedy="use the system's engine: systemctl enable --now docker, and let the user into the group docker",
    )


def _remapped_users(facts: HostFacts) -> Finding | None:
    if "userns" not in facts.traits.security_options:
        return None
    return Finding(
        condition=READY,
        reason="UserNamespaceRemap",
        message="Docker Engine maps users of containers to others (userns-remap): volumes would stay closed to pods,"
        " and the host's network and privileges be refused.",
        remedy='take "userns-remap" out of /etc/docker/daemon.json, then: systemctl restart docker',
    )


def _is_refused_anyhow(facts: HostFacts) -> bool:
    """Whether the engine is one that no kernel setting would make fit."""
    return "rootless" in facts.traits.security_options or facts.traits.engine == "Podman"


def _no_memory_limit(facts: HostFacts) -> Finding | None:
    if facts.traits.limits_memory or _is_refused_anyhow(facts):
        return None
    return Finding(
        condition=READY,
        reason="NoMemoryLimit",
        message="The kernel counts no memory of containers (its memory cgroup is off): no memory limit would hold.",
        remedy="add `cgroup_enable=memory cgroup_memory=1` to the kernel's command line"
        " (Raspberry Pi OS: /boot/firmware/cmdline.txt), then reboot",
    )


# --- works in part --------------------------------------------------------------------------------------------------


def _no_cpu_limit(facts: HostFacts) -> Finding | None:
    if facts.traits.limits_cpu or _is_refused_anyhow(facts):
        return None
    return Finding(
        condition=LIMITS,
        reason="NoCpuLimit",
        message="The kernel limits no CPU time of containers (CONFIG_CFS_BANDWIDTH is off): CPU limits do not hold.",
        remedy="use a kernel with CONFIG_CFS_BANDWIDTH=y; requests hold without it",
    )


def _no_cpu_weight(facts: HostFacts) -> Finding | None:
    if facts.traits.weighs_cpu or _is_refused_anyhow(facts):
        return None
    return Finding(
        condition=LIMITS,
        reason="NoCpuWeight",
        message="The kernel shares CPU time without weights (its cpu cgroup is off): CPU requests do not hold.",
        remedy="use a kernel with CONFIG_FAIR_GROUP_SCHED=y, and without cgroup_disable=cpu",
    )


def _no_root(facts: HostFacts) -> Finding | None:
    if not facts.traits.root_refused:
        return None
    return Finding(
        condition=NETWORK,
        reason="NoRoot",
        message=f"Rules of the host cannot be set, so pods would have no way out: {facts.traits.root_refused}.",
        remedy=facts.traits.root_remedy or "let the user use sudo without a password, or log in as root",
    )


def _no_iptables(facts: HostFacts) -> Finding | None:
    if facts.traits.root_refused or facts.traits.has_iptables is not False:
        return None
    return Finding(
        condition=NETWORK,
        reason="NoIptables",
        message="The host has no iptables command, so pods would have no way out of the cluster.",
        remedy="install it (Debian: apt-get install iptables; Alpine: apk add iptables)",
    )


def _taken_addresses(facts: HostFacts, pod_subnet: str) -> Iterator[Finding]:
    if not pod_subnet:
        return
    wanted = ipaddress.ip_network(pod_subnet)
    for network in facts.traits.networks:
        other = ipaddress.ip_network(network.subnet, strict=False)
        if wanted.version == other.version and wanted.overlaps(other):
            yield Finding(
                condition=NETWORK,
                reason="PodCIDRTaken",
                message=f"The pod network {pod_subnet} overlaps {other} of the host's Docker network {network.name}.",
                remedy=f"docker network rm {network.name}, if nobody needs it; else set another `podCIDR` on the Host",
            )


def _no_tcp_forwarding(facts: HostFacts) -> Finding | None:
    if facts.traits.forwards_tcp is not False:
        return None
    return Finding(
        condition=PROBES,
        reason="TcpForwardingForbidden",
        message="sshd forwards no TCP connections: probes by HTTP, TCP and gRPC and metrics of pods cannot be asked.",
        remedy="set `AllowTcpForwarding local` in /etc/ssh/sshd_config, then: systemctl reload ssh",
    )


# --- only to know ---------------------------------------------------------------------------------------------------


def _no_socket_forwarding(facts: HostFacts) -> Finding | None:
    if facts.traits.forwards_sockets is not False:
        return None
    return Finding(
        condition=NOTE,
        reason="SocketForwardingForbidden",
        message="sshd forwards no Unix sockets: the host's docker command is used instead, which is slower.",
        remedy="set `AllowStreamLocalForwarding local` in /etc/ssh/sshd_config, then: systemctl reload ssh",
    )


def _containerd_images(facts: HostFacts) -> Finding | None:
    if not facts.traits.has_containerd_images:
        return None
    return Finding(
        condition=NOTE,
        reason="ContainerdImageStore",
        message="Images lie in containerd's store: their ids are digests of manifests, not of configurations.",
    )


_Rule = Callable[[HostFacts], Finding | None]

_REFUSING: tuple[_Rule, ...] = (_other_engine, _old_engine, _rootless, _remapped_users, _no_memory_limit)
"""Those whose findings make a host not ready."""

_RULES: tuple[_Rule, ...] = (
    *_REFUSING,
    _no_root,
    _no_iptables,
    _no_cpu_limit,
    _no_cpu_weight,
    _no_tcp_forwarding,
    _no_socket_forwarding,
    _containerd_images,
)
