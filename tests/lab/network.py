"""The lab's network: one bridge, and for each host a network namespace with one cable into the bridge.

A lab owns a /16: 10.x.0.0/24 is the link that all hosts share, 10.x.(100+n).0/24 the `docker0` of host n. Hosts have no
default route and no resolver: nothing in the lab can reach the world, and look-ups of unknown names fail at once.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import sys
import zlib
from collections.abc import Collection
from pathlib import Path

from tests.lab import cgroups
from tests.lab.errors import LabError
from tests.lab.names import HostNames, LabNames
from tests.lab.processes import kill_all, namespace_id, processes_in, run, start_detached, wait_until

# Second byte of the lab's /16. Outside of what people give to pods and services (10.42, 10.43, 10.96, 10.244).
FIRST_BLOCK, BLOCKS = 110, 110
GATEWAY, GIT, REGISTRY, FIRST_HOST = 1, 2, 3, 11


def choose_block(lab: str, *, taken: Collection[int], remembered: int | None) -> int:
    """The lab's second address byte: the remembered one, else one derived from the name; the next if that is taken.

    taken: blocks of other labs. Networks that the machine itself is in are avoided too; call it while the lab's own
    bridge is not there.
    """
    used = _networks_of_this_machine()
    start = zlib.crc32(lab.encode()) % BLOCKS
    in_turn = [FIRST_BLOCK + (start + step) % BLOCKS for step in range(BLOCKS)]
    for block in in_turn if remembered is None else [remembered, *in_turn]:
        network = ipaddress.ip_network(f"10.{block}.0.0/16")
        if block not in taken and not any(network.overlaps(other) for other in used):
            return block
    raise LabError(f"all of 10.{FIRST_BLOCK}.0.0/16 to 10.{FIRST_BLOCK + BLOCKS - 1}.0.0/16 are in use on this machine")


def link_address(block: int, number: int) -> str:
    return f"10.{block}.0.{number}"


def docker_bridge(block: int, index: int) -> str:
    """Address of `docker0` on the host with this index, as dockerd's `bip`."""
    return f"10.{block}.{100 + index}.1/24"


def ensure_bridge(names: LabNames, block: int) -> None:
    """Make the bridge and let traffic through it, whatever the machine's own firewall says about forwarding."""
    if not _has_link(names.bridge):
        run(["ip", "link", "add", names.bridge, "type", "bridge"])
    run(["ip", "address", "replace", f"{link_address(block, GATEWAY)}/24", "dev", names.bridge])
    run(["ip", "link", "set", names.bridge, "up"])
    _ensure_forwarding(names)


def has_bridge(names: LabNames) -> bool:
    return _has_link(names.bridge)


def remove_bridge(names: LabNames) -> None:
    _remove_forwarding(names)
    if _has_link(names.bridge):
        run(["ip", "link", "delete", names.bridge])


def make_namespace(names: HostNames, address: str, *, latency_seconds: float = 0.0) -> None:
    """A fresh network namespace with `eth0` at `address`/24, plugged into the bridge, by a slow line if asked for."""
    run(["ip", "netns", "add", names.netns])
    inner = ["ip", "-netns", names.netns]
    # A rebooted machine keeps its hardware address; with a new one its neighbours would talk to the old for a minute.
    hardware = ":".join(["02", "be", *(f"{int(byte):02x}" for byte in address.split("."))])
    if latency_seconds:
        _lay_slow_line(names, latency_seconds)
        run([*inner, "link", "set", "eth0", "address", hardware])
    else:
        peer = ["peer", "name", "eth0", "address", hardware, "netns", names.netns]
        run(["ip", "link", "add", names.veth, "type", "veth", *peer])
    run(["ip", "link", "set", names.veth, "master", names.lab.bridge, "up"])
    run([*inner, "address", "add", f"{address}/24", "dev", "eth0"])
    run([*inner, "link", "set", "eth0", "up"])


def _lay_slow_line(names: HostNames, latency_seconds: float) -> None:
    """Start the process that is the cable, in the host's control group: it goes when the host goes."""
    join = cgroups.join_command(names.cgroup, leaf=True)
    program = [sys.executable, str(Path(__file__).with_name("delay.py"))]
    cable = [*program, names.veth, str(names.netns_path), str(latency_seconds)]
    log = names.logs / "line.log"
    log.unlink(missing_ok=True)
    start_detached(["sh", "-c", f'{join}exec "$@"', "line", *cable], log=log)

    def is_laid() -> bool:
        inside = run(["ip", "-netns", names.netns, "link", "show", "eth0"], check=False)
        return _has_link(names.veth) and inside.returncode == 0

    try:
        wait_until(is_laid, what=f"the slow line of {names.host}", timeout_seconds=15)
    except LabError as error:
        raise LabError(f"{error}; its last words ({log}): {log.read_text(errors='replace').strip()[-200:]}") from error


def remove_namespace(names: HostNames) -> None:
    """End every process in the namespace and remove it with its cable. Nothing there is no error."""
    if names.netns_path.exists():
        kill_namespace(names)
        run(["ip", "netns", "delete", names.netns])
    # The kernel frees a namespace, and its cable with it, some time later; the name is needed again now.
    run(["ip", "link", "delete", names.veth], check=False)
    wait_until(lambda: not _has_link(names.veth), what=f"cable {names.veth} does not go away", timeout_seconds=5)


def kill_namespace(names: HostNames) -> None:
    identity = namespace_identity(names)
    if identity is not None:
        kill_all(processes_in("net", identity))


def namespace_identity(names: HostNames) -> str | None:
    """Identity as `/proc/PID/ns/net` shows it; None if the namespace is not there or not mounted."""
    try:
        inode = names.netns_path.stat().st_ino
    except FileNotFoundError:
        return None
    identity = f"net:[{inode}]"
    # After a reboot of the machine the name is left as an empty file, whose inode means nothing.
    return None if identity == namespace_id("self", "net") or not _is_mounted(names.netns_path) else identity


def namespaces_of(names: LabNames) -> list[str]:
    """Host names of all namespaces that carry this lab's name, those of forgotten runs too."""
    directory = Path("/run/netns")
    if not directory.exists():
        return []
    return sorted(
        entry.name.removeprefix(names.netns_prefix)
        for entry in directory.iterdir()
        if entry.name.startswith(names.netns_prefix)
    )


def set_link(names: HostNames, *, up: bool) -> None:
    """Plug the host's cable in or pull it."""
    run(["ip", "link", "set", names.veth, "up" if up else "down"])


def is_plugged_in(names: HostNames) -> bool:
    """Whether the host's cable is up and in the lab's bridge."""
    if not _has_link(names.veth):
        return False
    (link,) = json.loads(run(["ip", "-json", "link", "show", "dev", names.veth]).stdout)
    return "UP" in link["flags"] and link.get("master") == names.lab.bridge


def _is_mounted(path: Path) -> bool:
    return any(line.split()[1] == str(path) for line in Path("/proc/self/mounts").read_text().splitlines())


def _has_link(name: str) -> bool:
    # Not by /sys/class/net: that shows the network namespace in which /sys was mounted.
    try:
        return socket.if_nametoindex(name) > 0
    except OSError:
        return False


def _networks_of_this_machine() -> list[ipaddress.IPv4Network]:
    networks = []
    for line in run(["ip", "-4", "route", "show", "table", "all"]).stdout.decode().splitlines():
        for word in line.split()[:2]:
            try:
                network = ipaddress.ip_network(word, strict=False)
            except ValueError:
                continue  # a word like "local" or "default": the address, if any, is the next one
            if isinstance(network, ipaddress.IPv4Network) and network.prefixlen > 0:
                networks.append(network)
    return networks


def _forwarding_rule(names: LabNames) -> list[str]:
    bridge = names.bridge
    return ["FORWARD", "-i", bridge, "-o", bridge, "-m", "comment", "--comment", names.firewall_comment, "-j", "ACCEPT"]


def _ensure_forwarding(names: LabNames) -> None:
    """Where bridged frames pass iptables, a Docker Engine's `FORWARD DROP` on this machine would hit them."""
    switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not switch.exists() or switch.read_text().strip() != "1":
        return
    rule = _forwarding_rule(names)
    if run(["iptables", "-w", "-C", *rule], check=False).returncode != 0:
        run(["iptables", "-w", "-I", *rule])


def _remove_forwarding(names: LabNames) -> None:
    rule = _forwarding_rule(names)
    for _ in range(16):  # more than one only if something else copied it
        if run(["iptables", "-w", "-D", *rule], check=False).returncode != 0:
            return
