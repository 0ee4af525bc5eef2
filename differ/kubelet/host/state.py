"""Declared host state: what a host must have beside containers, as one pure value, compared with what it has. Pure.

A part is one thing that is read and set as a whole: the way out of pods now; links, routes, sysctls and rule sets of
the pod network later. Its `read` is a script whose output says what of it the host has, in words of our own and not in
those of a tool, whose formats differ by version. The host computes the digest of that output; `wanted` is the digest of
the output that is wanted. `apply` makes it so, atomically and whatever was there, and touches nobody else's rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from differ.kubelet.actions import Action, ApplyHostPart, HostPart
from differ.kubelet.assignment import HostAssignment, PodNetwork
from differ.kubelet.memory import Failure
from differ.kubelet.planning import earliest

WAY_OUT = "way-out"
CHAIN = "BERTH-POSTROUTING"
_NAT = "iptables -w 5 -t nat"


def digest_of(output: str) -> str:
    """SHA-256 in hex, as `sha256sum` on the host computes it of what `read` writes."""
    return hashlib.sha256(output.encode()).hexdigest()


def desired_parts(assignment: HostAssignment) -> tuple[HostPart, ...]:
    """All that the host must have, in the order in which it is set."""
    return (way_out(assignment.network),) if assignment.network.subnet else ()


def way_out(network: PodNetwork) -> HostPart:
    """What leaves the cluster gets the host's address: a chain of our own, entered from nat POSTROUTING.

    `iptables-restore --noflush` fills the chain in one step. The rule that earlier versions set outside of it goes.
    """
    rule = f"-s {network.subnet} ! -d {network.cluster_cidr} -j MASQUERADE"
    before = f"POSTROUTING -s {network.subnet} ! -d {network.cluster_cidr} -m comment --comment berth -j MASQUERADE"
    read = (
        f"{_NAT} -C POSTROUTING -j {CHAIN} 2>/dev/null && echo entered\n"
        f"{_NAT} -C {CHAIN} {rule} 2>/dev/null && echo masquerades\n"
        f"{_NAT} -S {CHAIN} 2>/dev/null | sed -n 's/^-A.*/rule/p'"
    )
    apply = (
        f"printf '*nat\\n:{CHAIN} - [0:0]\\n-A {CHAIN} {rule}\\nCOMMIT\\n' | iptables-restore -w 5 --noflush || exit\n"
        f"{_NAT} -C POSTROUTING -j {CHAIN} 2>/dev/null || {_NAT} -A POSTROUTING -j {CHAIN} || exit\n"
        f"{_NAT} -D {before} 2>/dev/null || true"
    )
    return HostPart(name=WAY_OUT, read=read, wanted=digest_of("entered\nmasquerades\nrule\n"), apply=apply)


def plan_parts(
    desired: tuple[HostPart, ...], digests: Mapping[str, str], failures: Mapping[str, Failure], now: datetime
) -> tuple[tuple[Action, ...], str, datetime | None]:
    """(actions, why the host has not all of it, when to try again). digests: by part, of what the host has.

    A part of which nothing is known is applied, too: a fresh process finds out so, and applying what is there changes
    nothing. A part that failed is left alone until its time; the others go on.
    """
    differing = [part for part in desired if digests.get(part.name) != part.wanted]
    waiting = [part for part in differing if (known := failures.get(part.name)) is not None and now < known.retry_at]
    actions = tuple(ApplyHostPart(part=part) for part in differing if part not in waiting)
    problems = [failures[part.name].message for part in differing if part.name in failures]
    return actions, "; ".join(problems), earliest(failures[part.name].retry_at for part in waiting)
