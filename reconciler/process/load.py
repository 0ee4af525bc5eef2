"""What hosts and their pods use now, for somebody who looks: two readings of each host, a second apart.

An edge, for `berth top`: nothing is decided by these figures.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from differ.kubelet.usage import cpu_millis, pod_uses
from hosts.runtime.interface import HostRuntime
from objects.api.pods import Pod
from objects.errors import BerthError
from objects.observation.figures import Measurement, PodUse
from objects.observation.host import HostObservation
from objects.own.config import Host
from reconciler.process.compose import Session
from reconciler.process.daemon import Daemon

WINDOW_SECONDS = 1.0
"""Over which CPU use is averaged: a person waits for it."""
MAX_PARALLEL = 32


class HostLoad(NamedTuple):
    """cpu_millis: of all containers on the host, ours or not. memory_bytes: in use on the whole host. pods: by uid."""

    cpu_millis: int
    memory_bytes: int
    pods: Mapping[str, PodUse]


def measure_loads(session: Session, daemon: Daemon, hosts: Iterable[Host]) -> dict[str, HostLoad | BerthError]:
    """Host → what it carries, or why that is not known; only hosts that were observed are asked."""
    seen = daemon.observations()
    asked = [host for host in hosts if host.name in seen]

    def measure(host: Host) -> HostLoad | BerthError:
        try:
            runtime = session.make_runtime(host, daemon.engine)
        except BerthError as error:
            return error
        try:
            return _measure(runtime, seen[host.name], daemon.engine.store.pods_on(host.name))
        except BerthError as error:
            return error
        finally:
            runtime.close()

    with ThreadPoolExecutor(max_workers=max(1, min(len(asked), MAX_PARALLEL))) as pool:
        return dict(zip((host.name for host in asked), pool.map(measure, asked), strict=True))


def _measure(runtime: HostRuntime, seen: HostObservation, pods: list[Pod]) -> HostLoad:
    before = runtime.measure(containers=True)
    time.sleep(WINDOW_SECONDS)
    return load_of(runtime.measure(containers=True), before, seen, pods)


def load_of(now: Measurement, before: Measurement, seen: HostObservation, pods: Iterable[Pod]) -> HostLoad:
    """Pure. What two readings of a host amount to; containers that were started in between count no CPU."""
    rates = [cpu_millis(container, now, before) for container in now.containers]
    return HostLoad(
        cpu_millis=sum(rate for rate in rates if rate is not None),
        memory_bytes=max(0, seen.facts.memory_bytes - now.vitals.memory_available_bytes),
        pods=pod_uses(now, before, pods, seen.containers),
    )
